//! Pages of lists, cut by key, and the cursors from one to the next.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{
    audit::Actor,
    connectors::Connectors,
    error::{Code, Error, Result},
    limits::{DEFAULT_PAGE, MAX_PAGE},
    vault::Place,
};

/// One page of a list.
#[derive(Debug, Clone)]
pub struct Page<T, K> {
    /// The rows.
    pub rows: Vec<T>,
    /// The key after which the next page begins; absent on the last one.
    pub next: Option<K>,
}

/// How many rows a page may have: what was asked for, within bounds.
pub(crate) fn bounded(limit: usize) -> usize {
    match limit {
        0 => DEFAULT_PAGE,
        limit => limit.min(MAX_PAGE),
    }
}

impl<T, K> Page<T, K> {
    /// A page from `limit + 1` rows: the row too many says that there is a next page.
    pub(crate) fn cut(mut rows: Vec<T>, limit: usize, key: impl Fn(&T) -> K) -> Self {
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = if more { rows.last().map(key) } else { None };
        Self { rows, next }
    }
}

impl Connectors {
    /// The key of a page's last row as a cursor: sealed, so that it opens for this tenant and this list only.
    ///
    /// # Errors
    /// `CONNECTOR_ENCRYPT_FAILED`, and trouble with the store.
    pub async fn seal_cursor(&self, by: &Actor, list: &str, key: &str) -> Result<String> {
        let sealed = self.inner.vault.seal(cursor_of(by, list), key.as_bytes()).await?;
        Ok(URL_SAFE_NO_PAD.encode(sealed))
    }

    /// The key in a cursor.
    ///
    /// # Errors
    /// `REQUEST_INVALID` for what [`seal_cursor`](Self::seal_cursor) did not make for this tenant and list.
    pub async fn open_cursor(&self, by: &Actor, list: &str, cursor: &str) -> Result<String> {
        let sealed = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| no_cursor())?;
        let opened = self.inner.vault.open(cursor_of(by, list), &sealed).await;
        match opened {
            Ok(key) => Ok(key.reveal().clone()),
            Err(error) if error.code() == Code::ConnectorDecryptFailed => Err(no_cursor()),
            Err(error) => Err(error),
        }
    }
}

/// Cursors lie in callers' hands and in no table; they are bound as if they lay in one, with a row for each list.
fn cursor_of<'a>(by: &Actor, list: &'a str) -> Place<'a> {
    Place {
        tenant: by.tenant,
        table: "cursors",
        row: &[0; 16],
        field: list,
        secret_version: 0,
    }
}

/// What is said of a cursor that is none of this tenant and list.
pub fn no_cursor() -> Error {
    Error::new(
        Code::RequestInvalid,
        "The cursor is none of this list: take it from `nextCursor` of the page before.",
    )
    .field("/cursor", "is no cursor of this list")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::SystemRandom, id::TenantId, store::MemoryStore, vault::MasterKey};

    #[tokio::test]
    async fn t2_a_cursor_opens_for_its_tenant_and_list_only() {
        let key = MasterKey::generate(&SystemRandom).unwrap();
        let house = Connectors::builder()
            .scope("tenant", crate::ScopeRule::Optional)
            .connectors([])
            .store(MemoryStore::new())
            .key(key)
            .build()
            .unwrap();
        let [alice, bob] = [1, 2].map(|tenant| Actor::new(TenantId::from_bytes([tenant; 16]), "test"));
        let cursor = house.seal_cursor(&alice, "/things", "7").await.unwrap();
        assert_eq!(house.open_cursor(&alice, "/things", &cursor).await.unwrap(), "7");

        let forged = URL_SAFE_NO_PAD.encode("7");
        let mut altered = cursor.clone().into_bytes();
        altered[cursor.len() / 2] ^= 1;
        let altered = String::from_utf8(altered).unwrap();
        for (by, list, cursor) in [
            (&bob, "/things", cursor.as_str()),
            (&alice, "/others", &cursor),
            (&alice, "/things", &cursor[1..]),
            (&alice, "/things", &altered),
            (&alice, "/things", &forged),
            (&alice, "/things", ""),
            (&alice, "/things", "!"),
        ] {
            let error = house.open_cursor(by, list, cursor).await.unwrap_err();
            assert_eq!(error.code(), Code::RequestInvalid, "{cursor}");
        }
    }
}
