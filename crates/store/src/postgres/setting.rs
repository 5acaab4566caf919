//! Settings, among what belongs to the deployment.

use tieline::{
    audit::Trail,
    id::TenantId,
    store::{SettingStore, StoreFuture},
};

use super::{
    PostgresStore,
    value::{Columns, values},
};
use crate::outcome::Outcome;

/// What a setting's name begins with in `meta`, which holds other things too.
const PREFIX: &str = "setting ";

impl SettingStore for PostgresStore {
    fn setting(&self, name: &str) -> StoreFuture<'_, Option<String>> {
        self.read(None, format!("{PREFIX}{name}"), |tx, name| {
            Box::pin(async move {
                let select = "SELECT value FROM meta WHERE name = $1";
                tx.one(select, values![name], |row| row.text("value")).await
            })
        })
    }

    fn keep_setting(&self, operator: TenantId, name: &str, value: &str, trail: Trail) -> StoreFuture<'_, bool> {
        let given = (format!("{PREFIX}{name}"), value.to_owned());
        self.change(operator, trail, given, |tx, (name, value)| {
            Box::pin(async move {
                let upsert = "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET \
                              value = excluded.value WHERE meta.value <> excluded.value";
                Ok(Outcome::of_rows(
                    tx.execute(upsert, values![name, value.as_bytes()]).await?,
                ))
            })
        })
    }
}
