//! Settings, among what belongs to the deployment.

use rusqlite::params;
use tieline::{
    audit::Trail,
    id::TenantId,
    store::{SettingStore, StoreFuture},
};

use super::{
    SqliteStore,
    writer::Outcome::{Changed, Unchanged},
};

/// What a setting's name begins with in `meta`, which holds other things too.
const PREFIX: &str = "setting ";

impl SettingStore for SqliteStore {
    fn setting(&self, name: &str) -> StoreFuture<'_, Option<String>> {
        let name = format!("{PREFIX}{name}");
        self.readers.read(move |tx| {
            let select = "SELECT CAST(value AS TEXT) AS value FROM meta WHERE name = ?1";
            tx.one(select, [name], |row| row.get("value"))
        })
    }

    fn keep_setting(&self, operator: TenantId, name: &str, value: &str, trail: Trail) -> StoreFuture<'_, bool> {
        let (name, value) = (format!("{PREFIX}{name}"), value.to_owned());
        self.writer.change(operator, trail, move |tx| {
            let upsert = "INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET \
                          value = excluded.value WHERE value <> excluded.value";
            match tx.execute(upsert, params![name, value.as_bytes()])? {
                0 => Ok(Unchanged(false)),
                _ => Ok(Changed(true)),
            }
        })
    }
}
