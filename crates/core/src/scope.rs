//! For whom inside a tenant: a kind and an identity (`organization`/`org_123`).

use crate::error::{Code, Error, Result};

/// Longest kind or identity.
pub const MAX_SCOPE_BYTES: usize = 200;

/// For whom a connection is held. Kind and identity are two values, never joined text: `a` and `a:b` do not meet.
#[derive(
    Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(deny_unknown_fields, try_from = "UncheckedScope")]
pub struct Scope {
    /// The kind, such as `organization` or `user`.
    pub kind: String,
    /// Who of that kind; empty for kinds that need none.
    pub identity: String,
}

/// For whom inside the tenant.
#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Scope")]
struct UncheckedScope {
    /// The kind, such as `organization` or `user`.
    kind: String,
    /// Who of that kind; empty for kinds that need none.
    #[serde(default)]
    identity: String,
}

impl TryFrom<UncheckedScope> for Scope {
    type Error = Error;

    fn try_from(scope: UncheckedScope) -> Result<Self> {
        Self::new(scope.kind, scope.identity)
    }
}

/// Whether a kind of scope needs an identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScopeRule {
    /// An identity must be given.
    Required,
    /// The identity may be empty.
    Optional,
}

impl Scope {
    /// The whole tenant, where a caller knows no scopes.
    pub fn tenant() -> Self {
        Self {
            kind: "tenant".to_owned(),
            identity: String::new(),
        }
    }

    /// A scope of this kind and identity, checked for length and control characters only.
    pub fn new(kind: impl Into<String>, identity: impl Into<String>) -> Result<Self> {
        let scope = Self {
            kind: kind.into(),
            identity: identity.into(),
        };
        let fits = |text: &str| text.len() <= MAX_SCOPE_BYTES && !text.chars().any(char::is_control);
        if scope.kind.is_empty() || !fits(&scope.kind) || !fits(&scope.identity) {
            return Err(Error::new(
                Code::ConnectorScopeInvalid,
                format!(
                    "A scope needs a kind, and neither kind nor identity may be over {MAX_SCOPE_BYTES} bytes or hold control characters."
                ),
            ));
        }
        Ok(scope)
    }
}
