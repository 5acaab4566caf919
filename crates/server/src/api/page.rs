//! Pages of lists over HTTP: how many rows, and where to go on.

use std::{fmt::Display, str::FromStr, sync::Arc};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de::Error as _};
use tieline::{
    Code, Result,
    limits::{DEFAULT_PAGE, MAX_PAGE},
    page::no_cursor,
};

use crate::{
    app::App,
    caller::Caller,
    openapi::Operation,
    route::{Extract, List, Request},
};

/// How many rows at most, from 1 to [`MAX_PAGE`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limit(usize);

impl Limit {
    pub(crate) fn get(self) -> usize {
        self.0
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(DEFAULT_PAGE)
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let limit = usize::from(u16::deserialize(deserializer)?);
        if (1..=MAX_PAGE).contains(&limit) {
            Ok(Self(limit))
        } else {
            Err(D::Error::custom(format!("must be from 1 to {MAX_PAGE}")))
        }
    }
}

impl JsonSchema for Limit {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Limit".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": DEFAULT_PAGE, "examples": [20] })
    }
}

/// The same for the lists of a document that knows no pages: as many as there may be, unless asked for fewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LongList(usize);

impl LongList {
    pub(crate) fn get(self) -> usize {
        self.0
    }
}

impl Default for LongList {
    fn default() -> Self {
        Self(MAX_PAGE)
    }
}

impl<'de> Deserialize<'de> for LongList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        Limit::deserialize(deserializer).map(|limit| Self(limit.0))
    }
}

impl JsonSchema for LongList {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "LongList".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": MAX_PAGE, "examples": [20] })
    }
}

/// What a cursor looks like. Nobody makes one by hand: a test puts a real one here.
pub(crate) const CURSOR_EXAMPLE: &str = "AX5kq0zJr1WmC3vUuS9nTw";

/// The query of a list without filters.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PageQuery {
    /// How many rows at most.
    #[serde(default)]
    pub(crate) limit: Limit,
    /// `nextCursor` of the page before.
    #[serde(default)]
    #[schemars(example = CURSOR_EXAMPLE)]
    pub(crate) cursor: Option<String>,
}

/// The cursors of the list that is asked for. A cursor is the key of a page's last row, sealed: it opens for the same
/// tenant at the same path only, and nobody makes one by hand.
pub(crate) struct Cursors {
    app: App,
    caller: Arc<Caller>,
    list: String,
}

impl Extract for Cursors {
    async fn extract(request: &mut Request) -> Result<Self> {
        Ok(Self {
            app: request.app.clone(),
            caller: request.caller()?,
            list: request.head.uri.path().to_owned(),
        })
    }

    fn describe(operation: &mut Operation<'_>) {
        operation.wants_caller();
        operation.fails(&[Code::RequestInvalid, Code::ConnectorEncryptFailed]);
    }
}

impl Cursors {
    /// The key in a cursor.
    pub(crate) async fn open<K: FromStr>(&self, cursor: Option<&str>) -> Result<Option<K>> {
        let Some(cursor) = cursor else { return Ok(None) };
        let connectors = &self.app.connectors;
        let key = connectors.open_cursor(&self.caller.actor, &self.list, cursor).await?;
        // What was sealed for this list is a key of it, unless an older version kept other keys.
        key.parse().map(Some).map_err(|_| no_cursor())
    }

    /// A page: its rows, and the key after which the next one begins.
    pub(crate) async fn list<T, K: Display>(&self, data: Vec<T>, next: Option<K>) -> Result<List<T>> {
        let next_cursor = match next {
            Some(key) => {
                let (connectors, by) = (&self.app.connectors, &self.caller.actor);
                Some(connectors.seal_cursor(by, &self.list, &key.to_string()).await?)
            }
            None => None,
        };
        Ok(List { data, next_cursor })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_page_has_bounds() {
        assert!(serde_json::from_value::<Limit>(json!(0)).is_err());
        assert!(serde_json::from_value::<Limit>(json!(MAX_PAGE + 1)).is_err());
        assert_eq!(
            serde_json::from_value::<Limit>(json!(MAX_PAGE)).unwrap().get(),
            MAX_PAGE
        );
    }
}
