//! The query string as a typed value.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{
    de::{self, DeserializeOwned, IntoDeserializer, value::MapDeserializer},
    forward_to_deserialize_any,
};
use tieline::{Code, Result};

use super::{Extract, Request, decode};
use crate::openapi::Operation;

/// The query string: unknown, doubled and malformed parameters are refused.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned + JsonSchema + Send> Extract for Query<T> {
    async fn extract(request: &mut Request) -> Result<Self> {
        read(request.head.uri.query().unwrap_or_default()).map(Self)
    }

    fn describe(operation: &mut Operation<'_>) {
        operation.reads_query::<T>();
        operation.fails(&[Code::RequestInvalid]);
    }
}

pub(super) fn read<T: DeserializeOwned>(query: &str) -> Result<T> {
    let mut seen = BTreeSet::new();
    let mut pairs = Vec::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let pointer = || format!("/{name}");
        if !seen.insert(name.to_string()) {
            return Err(decode::wrong(
                "query",
                pointer(),
                "given twice; give it once".to_owned(),
            ));
        }
        if value.chars().any(char::is_control) {
            return Err(decode::wrong("query", pointer(), "holds control characters".to_owned()));
        }
        pairs.push((name.to_string(), Word(value.into_owned())));
    }
    decode::decode(MapDeserializer::<_, de::value::Error>::new(pairs.into_iter()), "query")
}

/// A parameter's text, read as whatever its place asks for.
struct Word(String);

impl<'de> IntoDeserializer<'de, de::value::Error> for Word {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

macro_rules! parsed {
    ($($method:ident $visit:ident $expected:literal,)+) => {
        $(
            fn $method<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
                match self.0.parse() {
                    Ok(value) => visitor.$visit(value),
                    Err(_) => Err(de::Error::custom(concat!("expected ", $expected))),
                }
            }
        )+
    };
}

impl<'de> de::Deserializer<'de> for Word {
    type Error = de::value::Error;

    fn deserialize_any<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_string(self.0)
    }

    fn deserialize_option<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: de::Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: de::Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        visitor.visit_enum(self.0.into_deserializer())
    }

    parsed! {
        deserialize_bool visit_bool "`true` or `false`",
        deserialize_u16 visit_u16 "a whole number from 0 to 65535",
        deserialize_u32 visit_u32 "a whole number",
        deserialize_u64 visit_u64 "a whole number",
        deserialize_i64 visit_i64 "a whole number",
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i128 u8 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct
        identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    struct Sample {
        #[serde(default)]
        page_size: Option<u16>,
        #[serde(default)]
        on: Option<bool>,
        #[serde(default)]
        text: String,
    }

    #[test]
    fn reads_words_as_their_types() {
        let read = read::<Sample>("pageSize=7&on=false&text=a%20b+c").unwrap();
        let expected = Sample {
            page_size: Some(7),
            on: Some(false),
            text: "a b c".to_owned(),
        };
        assert_eq!(read, expected);
    }

    #[test]
    fn refuses_what_is_unknown_doubled_or_malformed() {
        for (query, pointer) in [
            ("pagesize=7", "/pagesize"),
            ("on=true&on=true", "/on"),
            ("pageSize=-1", "/pageSize"),
            ("pageSize=70000", "/pageSize"),
            ("on=1", "/on"),
            ("text=%00", "/text"),
        ] {
            let error = read::<Sample>(query).unwrap_err();
            assert_eq!(error.code(), Code::RequestInvalid);
            assert_eq!(error.fields()[0].pointer, pointer, "{query}");
        }
    }
}
