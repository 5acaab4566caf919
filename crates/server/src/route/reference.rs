//! Ids that callers hand in, marked so that nothing overlooks them.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};
use tieline::id::{ApiKeyId, ConnectionId, CredentialId, TenantId, UserId};

/// The mark in the API description of every place that takes an id: its value is the kind of row. The stranger matrix
/// finds its positions by it.
pub const X_REF: &str = "x-ref";

/// An id that names a row of a kind.
pub trait Referable: DeserializeOwned + Serialize + JsonSchema + Send {
    /// The kind.
    const KIND: &'static str;
}

impl Referable for ConnectionId {
    const KIND: &'static str = "connection";
}

impl Referable for CredentialId {
    const KIND: &'static str = "credential";
}

impl Referable for ApiKeyId {
    const KIND: &'static str = "key";
}

impl Referable for UserId {
    const KIND: &'static str = "user";
}

impl Referable for TenantId {
    const KIND: &'static str = "tenant";
}

/// An id in a body or query. It is only a word until the library finds the row for the caller's tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ref<I>(pub I);

impl<I: Serialize> Serialize for Ref<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, I: Deserialize<'de>> Deserialize<'de> for Ref<I> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        I::deserialize(deserializer).map(Self)
    }
}

impl<I: Referable> JsonSchema for Ref<I> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Ref_{}", I::KIND).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = I::json_schema(generator);
        schema.insert(X_REF.to_owned(), I::KIND.into());
        schema
    }
}
