//! The sealed fields of connections and credentials, which lie in tables of their own.

use std::collections::BTreeMap;

use tieline::{Result, id::TenantId, store::SealedField};
use tokio_postgres::Row;

use super::{
    tx::Tx,
    value::{Columns, Id, Identifier, Read, Time, values},
};

/// The field that a line holds beside its row, where the row has any: its name and what was sealed.
pub(super) fn read(line: &Row) -> Read<Option<(String, SealedField)>> {
    let Some(field) = line.maybe_text("field")? else {
        return Ok(None);
    };
    let sealed = SealedField {
        sealed: line.try_get("sealed")?,
        last4: line.maybe_text("last4")?,
        updated_at: line.time("secret_updated_at")?,
    };
    Ok(Some((field, sealed)))
}

/// Writes the fields of a row with this statement.
pub(super) async fn insert(
    tx: &Tx,
    sql: &'static str,
    tenant: TenantId,
    row: impl Identifier + std::fmt::Debug + Sync,
    secrets: &BTreeMap<String, SealedField>,
) -> Result<()> {
    if secrets.is_empty() {
        return Ok(());
    }
    let values = values![
        Id(tenant),
        Id(row),
        secrets.keys().map(String::as_bytes).collect::<Vec<_>>(),
        secrets.values().map(|secret| &secret.sealed[..]).collect::<Vec<_>>(),
        secrets
            .values()
            .map(|secret| secret.last4.as_ref().map(String::as_bytes))
            .collect::<Vec<_>>(),
        secrets
            .values()
            .map(|secret| Time(secret.updated_at))
            .collect::<Vec<_>>(),
    ];
    tx.execute(sql, values).await.map(drop)
}
