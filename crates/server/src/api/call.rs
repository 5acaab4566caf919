//! The ledger of calls, for reading.

use std::sync::Arc;

use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};
use tieline::{
    Code, Result,
    clock::{Rfc3339, Timestamp},
    id::{CallId, ConnectionId, CredentialId},
    ledger::CallQuery,
    store::{CallEntry, CallKind},
};

use super::{
    moment::Moment,
    page::{CURSOR_EXAMPLE, Cursors, Limit},
};
use crate::{
    app::App,
    caller::Caller,
    route::{Found, List, Query, Ref, Referable, Reply, Row, id_schema},
};

/// One call that was admitted.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Call {
    /// Its identifier, as its answer told it.
    id: CallId,
    /// When it was admitted.
    #[schemars(with = "Rfc3339")]
    at: Timestamp,
    /// Who called.
    actor: String,
    /// An action, the test of a connection, or a request passed on as it came.
    kind: CallKind,
    /// Of which connector.
    connector: String,
    /// Which action, where one was called.
    action: Option<String>,
    /// With which connection's keys.
    connection: Option<ConnectionId>,
    /// With which shared credential.
    credential: Option<CredentialId>,
    /// `ok`, the code of the error, or `cancelled` when it was cut: the caller left before the end, or the server stopped.
    outcome: String,
    /// The last HTTP status the service answered with.
    upstream_status: Option<u16>,
    /// How long it took, in microseconds.
    micros: u64,
    /// Requests that went out over HTTP.
    attempts: u32,
    /// Bytes of bodies sent, where known.
    bytes_sent: Option<u64>,
    /// Bytes of bodies received, where known.
    bytes_received: Option<u64>,
}

impl From<CallEntry> for Call {
    fn from(call: CallEntry) -> Self {
        Self {
            id: call.id,
            at: call.at,
            actor: call.actor,
            kind: call.kind,
            connector: call.connector,
            action: call.action,
            connection: call.connection,
            credential: call.credential,
            outcome: call.outcome,
            upstream_status: call.status,
            micros: call.micros,
            attempts: call.attempts,
            bytes_sent: call.sent,
            bytes_received: call.received,
        }
    }
}

impl Referable for CallId {
    const KIND: &'static str = "call";
}

impl Found for Call {
    const PARAM: &'static str = "call";
    const KIND: Option<&'static str> = Some(CallId::KIND);
    const MISSING: Code = Code::NotFound;

    fn schema() -> Schema {
        id_schema::<CallId>()
    }

    async fn find(app: &App, caller: &Caller, text: &str) -> Result<Self> {
        let call = app.connectors.call_entry(&caller.actor, text.parse()?).await?;
        Ok(call.into())
    }
}

/// Which calls to list. All that are given must hold.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ListQuery {
    /// With this connection's keys.
    #[serde(default)]
    connection: Option<Ref<ConnectionId>>,
    /// Of this connector.
    #[serde(default)]
    #[schemars(example = &"acme")]
    connector: Option<String>,
    /// By this actor, such as an API key's id.
    #[serde(default)]
    #[schemars(example = &"key_01jd3k9v7rf8pa0q2m5w8x4ynz")]
    actor: Option<String>,
    /// That ended so: `ok`, `cancelled`, or the code of an error.
    #[serde(default)]
    #[schemars(example = &"ok")]
    outcome: Option<String>,
    /// Admitted at this time or later.
    #[serde(default)]
    #[schemars(example = &"2026-11-01")]
    from: Option<Moment>,
    /// Admitted before this time.
    #[serde(default)]
    #[schemars(example = &"2026-11-20T09:00:00Z")]
    to: Option<Moment>,
    /// How many rows at most. A page may hold fewer and still have a next one.
    #[serde(default)]
    limit: Limit,
    /// `nextCursor` of the page before.
    #[serde(default)]
    #[schemars(example = CURSOR_EXAMPLE)]
    cursor: Option<String>,
}

pub(crate) async fn list(
    app: App,
    caller: Arc<Caller>,
    cursors: Cursors,
    Query(query): Query<ListQuery>,
) -> Result<List<Call>> {
    let query = CallQuery {
        before: cursors.open(query.cursor.as_deref()).await?,
        connection: query.connection.map(|connection| connection.0),
        connector: query.connector,
        actor: query.actor,
        outcome: query.outcome,
        from: query.from.map(|from| from.0),
        to: query.to.map(|to| to.0),
        limit: query.limit.get(),
    };
    let page = app.connectors.calls(&caller.actor, query).await?;
    let data = page.rows.into_iter().map(Call::from).collect();
    cursors.list(data, page.next).await
}

pub(crate) async fn read(Row(call): Row<Call>) -> Result<Reply<Call>> {
    Ok(Reply(call))
}
