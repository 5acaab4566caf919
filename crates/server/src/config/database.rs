//! Where the data lies.

use std::{fmt, ops::RangeInclusive};

use tieline::secret::Secret;
use tieline_store::PostgresStore;
use url::Url;

use super::{Reader, Value};

/// Connections to PostgreSQL: a server needs one, and a thousand are more than any PostgreSQL serves well.
const CONNECTIONS: RangeInclusive<i64> = 1..=1000;

/// Stands for what may hold a password.
const NOT_SHOWN: &str = "(not shown)";

/// Where the data lies.
#[derive(Debug)]
pub enum Database {
    /// In one SQLite file in the data folder.
    DataFolder,
    /// In a database that several servers may share.
    Postgres(Postgres),
}

impl Database {
    /// The hosts and ports it is at, when it is not a file: nobody may reach it through a connector.
    pub(super) fn places(&self) -> Vec<(String, u16)> {
        match self {
            Self::DataFolder => Vec::new(),
            Self::Postgres(database) => database.places.clone(),
        }
    }
}

/// A PostgreSQL database.
pub struct Postgres {
    /// Its address, with the password.
    pub url: Secret<String>,
    /// The hosts and ports it is at.
    pub places: Vec<(String, u16)>,
    /// The most connections to it.
    pub connections: usize,
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres")
            .field("places", &self.places)
            .finish_non_exhaustive()
    }
}

impl Reader {
    /// Takes the address out of the settings: they are shown, and it holds a password.
    pub(super) fn database(&mut self) -> Database {
        let connections = self.number("database.connections", CONNECTIONS, "a number of connections");
        let Some(setting) = self.0.all.get_mut("database.url") else {
            return Database::DataFolder;
        };
        let url = match &mut setting.value {
            Value::Text(text) if !text.is_empty() => Secret::new(std::mem::take(text)),
            _ => return Database::DataFolder,
        };
        setting.value = Value::Text(shown(url.reveal()));
        match PostgresStore::places(url.reveal()) {
            Ok(places) => Database::Postgres(Postgres {
                url,
                places,
                connections: connections.unwrap_or_default(),
            }),
            Err(error) => {
                let why = error.detail().trim_end_matches('.').to_owned();
                self.mistaken("database.url", &format!("`database.url` names no database. {why}"));
                Database::DataFolder
            }
        }
    }
}

/// The address without its password, and without what else may hold one.
fn shown(url: &str) -> String {
    let Ok(mut url) = Url::parse(url) else {
        return NOT_SHOWN.to_owned();
    };
    let masked = url.password().is_none() || url.set_password(Some("…")).is_ok();
    if !masked || url.cannot_be_a_base() {
        return NOT_SHOWN.to_owned();
    }
    let kept: Vec<_> = url
        .query_pairs()
        .filter(|(name, _)| name == "sslmode")
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    url.set_query((!kept.is_empty()).then(|| kept.join("&")).as_deref());
    url.set_fragment(None);
    url.to_string().replace("%E2%80%A6", "…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r3_a_password_is_not_shown() {
        for (url, expected) in [
            ("postgres://u:secret@db.internal/d", "postgres://u:…@db.internal/d"),
            ("postgres://u@db.internal/d", "postgres://u@db.internal/d"),
            (
                "postgres://db/d?password=secret&sslmode=require",
                "postgres://db/d?sslmode=require",
            ),
            ("secret", NOT_SHOWN),
            ("postgres:secret", NOT_SHOWN),
            ("postgres://u:secret@a,b/d", "postgres://u:…@a,b/d"),
        ] {
            let shown = shown(url);
            assert!(!shown.contains("secret"), "{shown}");
            assert_eq!(shown, expected);
        }
    }
}
