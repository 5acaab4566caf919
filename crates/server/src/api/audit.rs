//! The audit chain, for reading.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;
use tieline::{Error, Result, clock::Timestamp, id::AuditId, store::AuditRow};
use tieline_manifest::Json;

use super::page::{Cursors, PageQuery};
use crate::{
    app::App,
    caller::Caller,
    route::{List, Query},
};

/// One thing somebody did.
#[derive(Serialize, JsonSchema)]
pub(crate) struct AuditLog {
    /// Its place in the tenant's chain: 1, 2, 3 … without gaps.
    seq: u64,
    /// Its identifier.
    id: AuditId,
    /// When it happened.
    #[schemars(with = "String")]
    at: Timestamp,
    /// Who did it.
    actor: String,
    /// What was done.
    action: String,
    /// The identifier of the row it was done to.
    subject: String,
    /// More: names of fields, never their values.
    #[schemars(with = "serde_json::Value")]
    detail: Json,
}

impl TryFrom<AuditRow> for AuditLog {
    type Error = Error;

    fn try_from(row: AuditRow) -> Result<Self> {
        let detail = Json::parse(&row.entry.detail);
        Ok(Self {
            seq: row.seq,
            id: row.entry.id,
            at: row.entry.at,
            actor: row.entry.actor,
            action: row.entry.action,
            subject: row.entry.subject,
            detail: detail.map_err(|error| Error::internal("a stored audit entry does not parse", error))?,
        })
    }
}

pub(crate) async fn list(
    app: App,
    caller: Arc<Caller>,
    cursors: Cursors,
    Query(page): Query<PageQuery>,
) -> Result<List<AuditLog>> {
    let after = cursors.open(page.cursor.as_deref()).await?.unwrap_or(0);
    let page = app
        .connectors
        .audit_entries(&caller.actor, after, page.limit.get())
        .await?;
    let data = page.rows.into_iter().map(AuditLog::try_from).collect::<Result<_>>()?;
    cursors.list(data, page.next).await
}
