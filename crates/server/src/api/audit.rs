//! The audit chain: reading, exporting and verifying it.

mod export;

use std::sync::Arc;

use axum::response::Response;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use tieline::{
    Code, Error, Result,
    audit::{
        AuditQuery,
        chain::Verified,
        verify::{LedgerName, Verdict},
    },
    clock::{Rfc3339, Timestamp},
    id::{AuditId, TenantId},
    limits::{MAX_AUDIT_WINDOW, MAX_PAGE},
    store::{AuditRow, entity},
};
use tieline_manifest::{Json, Tree};

use self::export::{Export, Format};
use super::{
    moment::{End, Moment},
    page::{CURSOR_EXAMPLE, Cursors, Limit},
};
use crate::{
    app::App,
    caller::Caller,
    openapi::Operation,
    route::{Answer, List, Query, Reply},
};

/// One thing somebody did.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AuditLog {
    /// Its place in the tenant's chain: 1, 2, 3 … without gaps.
    seq: u64,
    /// Its identifier.
    id: AuditId,
    /// When it happened.
    #[schemars(with = "Rfc3339")]
    at: Timestamp,
    /// Who did it.
    actor: String,
    /// What was done.
    action: String,
    /// What kind of thing it was done to: the action's first part.
    entity_type: String,
    /// The identifier of the row it was done to.
    subject: String,
    /// More: names of fields, never their values. Where somebody altered it so that it is no JSON, the text that stands there.
    #[schemars(with = "serde_json::Value")]
    detail: Json,
    /// The chain's hash up to and with this entry, in hexadecimal.
    hash: String,
}

impl From<AuditRow> for AuditLog {
    fn from(row: AuditRow) -> Self {
        // A row that was tampered with is shown as it is: to verify is what names it.
        let detail = Json::parse(&row.entry.detail).unwrap_or_else(|_| Json::from_tree(Tree::String(row.entry.detail)));
        Self {
            seq: row.seq,
            id: row.entry.id,
            at: row.entry.at,
            actor: row.entry.actor,
            entity_type: entity(&row.entry.action).to_owned(),
            action: row.entry.action,
            subject: row.entry.subject,
            detail,
            hash: row.hash.iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    }
}

/// In which order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Order {
    /// As it happened.
    #[default]
    Asc,
    /// The newest first.
    Desc,
}

/// Which entries to list. All that are given must hold.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ListQuery {
    /// Of this action, such as `connection.created`.
    #[serde(default)]
    #[schemars(example = &"connection.tested")]
    action: Option<String>,
    /// About this kind of thing, such as `connection`.
    #[serde(default)]
    #[schemars(example = &"connection")]
    entity_type: Option<String>,
    /// About the row with this identifier. Also as `entityId`.
    #[serde(default, alias = "entityId")]
    #[schemars(example = &"conn_01jd3k9v7rf8pa0q2m5w8x4ynz")]
    subject: Option<String>,
    /// By this actor, such as an API key's id. Also as `userId`.
    #[serde(default, alias = "userId")]
    #[schemars(example = &"key_01jd3k9v7rf8pa0q2m5w8x4ynz")]
    actor: Option<String>,
    /// At this time or later. Also as `startDate`.
    #[serde(default, alias = "startDate")]
    #[schemars(example = &"2026-01-01")]
    from: Option<Moment>,
    /// Before this time.
    #[serde(default)]
    #[schemars(example = &"2099-01-01T00:00:00Z")]
    to: Option<Moment>,
    /// Up to and with this time or day.
    #[serde(default)]
    #[schemars(example = &"2098-12-31")]
    end_date: Option<End>,
    /// In which order.
    #[serde(default)]
    #[schemars(example = &"desc")]
    order: Order,
    /// A page, or all that fit as one file: `json` holds everything that verifies the chain, `csv` is for spreadsheets.
    #[serde(default)]
    #[schemars(example = &"page")]
    format: Format,
    /// How many rows at most on a page. It may hold fewer and still have a next one.
    #[serde(default)]
    limit: Limit,
    /// How many of the rows that fit to pass over.
    #[serde(default)]
    #[schemars(example = 0, range(max = MAX_AUDIT_WINDOW))]
    skip: Option<usize>,
    /// How many rows: in place of `limit` on a page, which then holds fewer only at the end; of a file, which holds all
    /// unless asked otherwise, up to 10000.
    #[serde(default)]
    take: Option<Take>,
    /// `nextCursor` of the page before.
    #[serde(default)]
    #[schemars(example = CURSOR_EXAMPLE)]
    cursor: Option<String>,
}

/// How many rows to take, from 1 to [`MAX_AUDIT_WINDOW`].
#[derive(Debug, Clone, Copy, Deserialize)]
struct Take(u16);

impl JsonSchema for Take {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Take".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": 1, "maximum": MAX_AUDIT_WINDOW, "examples": [1] })
    }
}

impl Take {
    /// Within what may be taken at once.
    fn within(self, most: usize) -> Result<usize> {
        let rows = usize::from(self.0);
        if (1..=most).contains(&rows) {
            return Ok(rows);
        }
        let detail = format!(
            "`take` must be from 1 to {MAX_PAGE} for a page, and from 1 to {MAX_AUDIT_WINDOW} with `format=csv` or `json`."
        );
        Err(Error::new(Code::RequestInvalid, detail).field("/take", format!("must be from 1 to {most}")))
    }
}

impl ListQuery {
    fn wanted(&self) -> AuditQuery {
        let to = self.to.map(|to| to.0).into_iter();
        let end = self.end_date.map(|end| end.0);
        AuditQuery {
            entity: self.entity_type.clone(),
            action: self.action.clone(),
            subject: self.subject.clone(),
            actor: self.actor.clone(),
            from: self.from.map(|from| from.0),
            to: to.chain(end).min(),
            newest_first: self.order == Order::Desc,
        }
    }
}

/// A page of the log, or all of it as a file.
pub(crate) enum Log {
    Page(List<AuditLog>),
    File(Box<Export>),
}

impl Answer for Log {
    fn answer(self) -> Result<Response> {
        match self {
            Self::Page(page) => page.answer(),
            Self::File(export) => export.answer(),
        }
    }

    fn describe(operation: &mut Operation<'_>) {
        List::<AuditLog>::describe(operation);
        operation.answers_also("text/csv");
    }
}

pub(crate) async fn list(
    app: App,
    caller: Arc<Caller>,
    cursors: Cursors,
    Query(query): Query<ListQuery>,
) -> Result<Log> {
    let after = cursors.open(query.cursor.as_deref()).await?;
    let (connectors, by, wanted) = (&app.connectors, &caller.actor, query.wanted());
    let (skip, take) = (query.skip.unwrap_or(0), query.take);
    if query.format != Format::Page {
        let take = take.map(|take| take.within(MAX_AUDIT_WINDOW)).transpose()?;
        let after = connectors.audit_skip(by, &wanted, after, skip).await?;
        let export = Export::begin(connectors.clone(), by.clone(), wanted, after, take, query.format).await;
        return export.map(|export| Log::File(Box::new(export)));
    }
    let page = match (query.skip, take) {
        (None, None) => connectors.audit_log(by, &wanted, after, query.limit.get()).await?,
        (_, take) => {
            let take = take.map_or(Ok(query.limit.get()), |take| take.within(MAX_PAGE))?;
            connectors.audit_window(by, &wanted, after, skip, take).await?
        }
    };
    let data = page.rows.into_iter().map(AuditLog::from).collect();
    cursors.list(data, page.next).await.map(Log::Page)
}

/// What was found out about a tenant's ledgers.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Told {
    /// Whose.
    tenant: TenantId,
    /// Whether everything is as it was written.
    holds: bool,
    /// How far the audit log holds: `place:hash`. Keep it, and a later verification sees whether what came before was cut
    /// off.
    head: String,
    /// Calls that are as they were written.
    calls: u64,
    /// Calls that were taken out because they were old.
    pruned: u64,
    /// The first place that is not as it was written.
    tampered: Option<Place>,
}

/// A place that is not as it was written.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Place {
    /// In which ledger.
    ledger: LedgerName,
    /// The place.
    seq: u64,
    /// What is wrong, in a sentence.
    what: String,
}

impl From<Verdict> for Told {
    fn from(verdict: Verdict) -> Self {
        Self {
            tenant: verdict.tenant,
            holds: verdict.tampered.is_none(),
            head: verdict.head.to_string(),
            calls: verdict.calls,
            pruned: verdict.pruned,
            tampered: verdict.tampered.map(|tampered| Place {
                ledger: tampered.ledger,
                seq: tampered.seq,
                what: tampered.what,
            }),
        }
    }
}

/// What a head looks like.
const HEAD_EXAMPLE: &str = "7:4d967a30111bf29f0eba01c448b375c1629b2fed01cdfcc3aed91f1b57d5dd5e";

/// What to hold the log against.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct VerifyQuery {
    /// A head that was published before, `place:hash`.
    #[serde(default)]
    #[schemars(example = HEAD_EXAMPLE)]
    head: Option<String>,
}

fn head(text: Option<String>) -> Result<Option<Verified>> {
    text.map(|text| text.parse()).transpose()
}

pub(crate) async fn verify(app: App, caller: Arc<Caller>, Query(query): Query<VerifyQuery>) -> Result<Reply<Told>> {
    let verdict = app
        .connectors
        .verify_ledgers(caller.actor.tenant, head(query.head)?)
        .await?;
    Ok(Reply(verdict.into()))
}

/// Whose ledgers to verify.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct VerifyAnyQuery {
    /// A tenant, by id or name.
    #[schemars(example = &"ten_01jd3k9v7rf8pa0q2m5w8x4ynz")]
    tenant: String,
    /// A head that was published before, `place:hash`.
    #[serde(default)]
    #[schemars(example = HEAD_EXAMPLE)]
    head: Option<String>,
}

pub(crate) async fn verify_any(app: App, _: Arc<Caller>, Query(query): Query<VerifyAnyQuery>) -> Result<Reply<Told>> {
    let tenant = match query.tenant.parse::<TenantId>() {
        Ok(id) => id,
        Err(_) => {
            let tenant = app.connectors.tenant_by_name(&query.tenant).await?;
            tenant.ok_or_else(Error::not_found)?.id
        }
    };
    let verdict = app.connectors.verify_ledgers(tenant, head(query.head)?).await?;
    Ok(Reply(verdict.into()))
}
