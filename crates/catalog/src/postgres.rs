//! PostgreSQL, which is not HTTP: queries over a conversation of our own (`session`).
//!
//! Each call is one connection, one transaction and one statement of the caller's. Nothing of it outlives the call, so no
//! setting that a statement leaves behind meets the next caller.

mod array;
mod connection_test;
mod failure;
mod limits;
mod param;
mod rows;
mod server;
mod session;
mod sign_in;
mod sql;
mod statement;
mod table;
mod types;
mod value;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tieline::{ActionInput, Connector, Effect, Json, Result, RunAction, admit::Admitted};
use tieline_manifest::Tree;

use self::{
    limits::{MAX_ROWS, MAX_TIMEOUT_MS, MIN_TIMEOUT_MS},
    server::{Access, Server},
    sql::Kind,
    table::Table,
};

pub use self::rows::{Column, Rows};

/// The connector, from its manifest.
pub(crate) fn connector(manifest: &str) -> Result<Connector> {
    Connector::shipped(manifest)?
        .action::<Query>()
        .action::<Execute>()
        .action::<InsertRow>()
        .action::<UpdateRows>()
        .action::<ListTables>()
        .action::<DescribeTable>()
        .test(connection_test::test)
        .build()
}

/// Reads: one `SELECT`, `WITH`, `VALUES`, `TABLE`, `EXPLAIN` or `SHOW`, in a transaction that cannot write.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Query {
    /// The statement. Values stand as `$1`, `$2` and so on, and come in `params`.
    pub sql: String,
    /// The values, in their order: texts, numbers, true or false, null, lists for arrays, anything for JSON, base64 for
    /// `bytea`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<serde_json::Value>")]
    pub params: Vec<Json>,
    /// At most so many rows; 1000 unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = MAX_ROWS))]
    pub max_rows: Option<u32>,
    /// How long it may take, in milliseconds; 30000 unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = MIN_TIMEOUT_MS, max = MAX_TIMEOUT_MS))]
    pub timeout: Option<u64>,
}

/// Writes: one statement such as `INSERT`, `UPDATE` or `DELETE`, which takes effect whole or not at all. The connection
/// must allow it (`readOnly: false`).
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Execute {
    /// The statement. Values stand as `$1`, `$2` and so on, and come in `params`.
    pub sql: String,
    /// The values, in their order: texts, numbers, true or false, null, lists for arrays, anything for JSON, base64 for
    /// `bytea`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<serde_json::Value>")]
    pub params: Vec<Json>,
    /// At most so many rows of what it returns; 1000 unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = MAX_ROWS))]
    pub max_rows: Option<u32>,
    /// How long it may take, in milliseconds; 30000 unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = MIN_TIMEOUT_MS, max = MAX_TIMEOUT_MS))]
    pub timeout: Option<u64>,
}

/// Adds one row to a table.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InsertRow {
    /// The table's name, as it stands in the catalog.
    pub table: String,
    /// Its schema; the connection's unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// Values by column. Columns that are left out get their defaults.
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    pub values: Json,
    /// What to do where a row with the same key is there already; to fail, unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_conflict: Option<OnConflict>,
    /// Columns of the new row to answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub returning: Vec<String>,
}

/// What to do with a row whose key is there already.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OnConflict {
    /// The columns of the key, which must be unique together.
    pub columns: Vec<String>,
    /// Leave the row as it is, or give it the other values.
    pub action: ConflictAction,
}

/// What to do with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the words say it")]
pub enum ConflictAction {
    Nothing,
    Update,
}

/// Changes the rows of a table that have these values.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateRows {
    /// The table's name, as it stands in the catalog.
    pub table: String,
    /// Its schema; the connection's unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// New values by column.
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    pub values: Json,
    /// Which rows: those that have all of these values, null for none. At least one is needed.
    #[serde(rename = "where")]
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    pub which: Json,
    /// Columns of the changed rows to answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub returning: Vec<String>,
}

/// Lists tables and views that the user may see.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListTables {
    /// Of this schema only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
}

/// Tells the columns of a table.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DescribeTable {
    /// The table's name, as it stands in the catalog.
    pub table: String,
    /// Its schema; the connection's unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
}

/// Tables and views.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tables {
    /// By schema and name: `schema`, `name`, and `type`, which is `BASE TABLE`, `VIEW`, `FOREIGN` or `MATERIALIZED VIEW`.
    #[schemars(with = "Vec<BTreeMap<String, String>>")]
    pub tables: Json,
    /// Whether there are more.
    pub truncated: bool,
}

/// The columns of a table.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Columns {
    /// In their order: `name`, `type`, `nullable`, and `default`, which is SQL or null.
    #[schemars(with = "Vec<BTreeMap<String, serde_json::Value>>")]
    pub columns: Json,
}

impl ActionInput for Query {
    type Output = Rows;
    const CONNECTOR: &'static str = "postgres";
    const ACTION: &'static str = "query";
    const NAME: &'static str = "Query";
    const EFFECT: Effect = Effect::Read;
    const IDEMPOTENT: bool = true;
}

impl RunAction for Query {
    async fn run(self, admitted: &Admitted) -> Result<Rows> {
        sql::check(&self.sql, Kind::Read)?;
        let values = trees(&self.params);
        let mut session = Server::of(admitted)?.open(Access::Read, self.timeout).await?;
        let wanted = rows::at_most(self.max_rows);
        let rows = session.statement(&self.sql, param::inputs(&values), wanted).await?;
        session.close().await;
        Ok(rows)
    }
}

impl ActionInput for Execute {
    type Output = Rows;
    const CONNECTOR: &'static str = "postgres";
    const ACTION: &'static str = "execute";
    const NAME: &'static str = "Execute a statement";
    const EFFECT: Effect = Effect::Write;
}

impl RunAction for Execute {
    async fn run(self, admitted: &Admitted) -> Result<Rows> {
        sql::check(&self.sql, Kind::Write)?;
        let values = trees(&self.params);
        let mut session = Server::of(admitted)?.open(Access::Write, self.timeout).await?;
        let wanted = rows::at_most(self.max_rows);
        let rows = session.statement(&self.sql, param::inputs(&values), wanted).await?;
        session.commit().await?;
        Ok(rows)
    }
}

impl ActionInput for InsertRow {
    type Output = Rows;
    const CONNECTOR: &'static str = "postgres";
    const ACTION: &'static str = "insert_row";
    const NAME: &'static str = "Insert a row";
    const EFFECT: Effect = Effect::Write;
}

impl RunAction for InsertRow {
    async fn run(self, admitted: &Admitted) -> Result<Rows> {
        let server = Server::of(admitted)?;
        let schema = self.schema.as_deref().unwrap_or(server.schema);
        let mut session = server.open(Access::Write, None).await?;
        let table = Table::find(&mut session, schema, &self.table).await?;
        let (sql, params) = table.insert(&self)?;
        let rows = session.statement(&sql, params, rows::at_most(None)).await?;
        session.commit().await?;
        Ok(rows)
    }
}

impl ActionInput for UpdateRows {
    type Output = Rows;
    const CONNECTOR: &'static str = "postgres";
    const ACTION: &'static str = "update_rows";
    const NAME: &'static str = "Update rows";
    const EFFECT: Effect = Effect::Write;
}

impl RunAction for UpdateRows {
    async fn run(self, admitted: &Admitted) -> Result<Rows> {
        let server = Server::of(admitted)?;
        let schema = self.schema.as_deref().unwrap_or(server.schema);
        let mut session = server.open(Access::Write, None).await?;
        let table = Table::find(&mut session, schema, &self.table).await?;
        let (sql, params) = table.update(&self)?;
        let rows = session.statement(&sql, params, rows::at_most(None)).await?;
        session.commit().await?;
        Ok(rows)
    }
}

impl ActionInput for ListTables {
    type Output = Tables;
    const CONNECTOR: &'static str = "postgres";
    const ACTION: &'static str = "list_tables";
    const NAME: &'static str = "List tables";
    const EFFECT: Effect = Effect::Read;
    const IDEMPOTENT: bool = true;
}

impl RunAction for ListTables {
    async fn run(self, admitted: &Admitted) -> Result<Tables> {
        let schema = self.schema.map_or(Tree::Null, Tree::String);
        let mut session = Server::of(admitted)?.open(Access::Read, None).await?;
        let params = vec![("/schema".to_owned(), &schema)];
        let rows = session
            .statement(table::LIST, params, rows::at_most(Some(MAX_ROWS)))
            .await?;
        session.close().await;
        Ok(Tables {
            tables: rows.rows,
            truncated: rows.truncated,
        })
    }
}

impl ActionInput for DescribeTable {
    type Output = Columns;
    const CONNECTOR: &'static str = "postgres";
    const ACTION: &'static str = "describe_table";
    const NAME: &'static str = "Describe a table";
    const EFFECT: Effect = Effect::Read;
    const IDEMPOTENT: bool = true;
}

impl RunAction for DescribeTable {
    async fn run(self, admitted: &Admitted) -> Result<Columns> {
        let server = Server::of(admitted)?;
        let schema = self.schema.as_deref().unwrap_or(server.schema);
        let mut session = server.open(Access::Read, None).await?;
        let columns = Table::columns(&mut session, schema, &self.table).await?;
        session.close().await;
        Ok(Columns { columns })
    }
}

fn trees(params: &[Json]) -> Vec<&Tree> {
    params.iter().map(Json::tree).collect()
}
