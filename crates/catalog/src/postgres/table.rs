//! Tables: found in the catalog before anything is said of them, so that no name of the input becomes SQL unseen.

use tieline::{Code, Error, Json, Result};
use tieline_manifest::Tree;

use super::{
    ConflictAction, InsertRow, UpdateRows,
    limits::MAX_COLUMNS,
    param::Input,
    rows,
    session::Session,
    sql::{is_name, quote},
};

/// Tables and views that the user may do something with.
pub(super) const LIST: &str = "SELECT n.nspname::pg_catalog.text AS schema, c.relname::pg_catalog.text AS name, \
    CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'f' THEN 'FOREIGN' ELSE 'BASE TABLE' END AS type \
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema') \
    AND n.nspname !~ '^pg_(toast|temp)' AND ($1::pg_catalog.text IS NULL OR n.nspname::pg_catalog.text = $1) \
    AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, 'SELECT, INSERT, UPDATE, DELETE') \
    ORDER BY 1, 2";

const COLUMNS: &str = "SELECT a.attname::pg_catalog.text AS name, pg_catalog.format_type(a.atttypid, a.atttypmod) AS type, \
    NOT a.attnotnull AS nullable, pg_catalog.pg_get_expr(d.adbin, d.adrelid) AS \"default\" \
    FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid \
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
    LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum \
    WHERE n.nspname::pg_catalog.text = $1 AND c.relname::pg_catalog.text = $2 \
    AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";

/// A table that is there, with the names of its columns.
pub(super) struct Table {
    name: String,
    columns: Vec<String>,
}

impl Table {
    /// Looks it up.
    pub(super) async fn find(session: &mut Session<'_>, schema: &str, name: &str) -> Result<Self> {
        let columns = Self::columns(session, schema, name).await?;
        let columns = columns.tree().as_array().unwrap_or_default().iter();
        let names = columns.filter_map(|column| column.get("name")?.as_str().map(str::to_owned));
        Ok(Self {
            name: format!("{}.{}", quote(schema), quote(name)),
            columns: names.collect(),
        })
    }

    /// Its columns as the catalog has them.
    pub(super) async fn columns(session: &mut Session<'_>, schema: &str, name: &str) -> Result<Json> {
        for (pointer, text) in [("/schema", schema), ("/table", name)] {
            if !is_name(text) {
                return Err(refused(
                    pointer,
                    "is no name of anything: it is empty, too long, or holds U+0000",
                ));
            }
        }
        let (schema, name) = (Tree::String(schema.to_owned()), Tree::String(name.to_owned()));
        let params = vec![("/schema".to_owned(), &schema), ("/table".to_owned(), &name)];
        let found = session
            .statement(COLUMNS, params, rows::at_most(Some(MAX_COLUMNS)))
            .await?;
        if found.row_count == 0 {
            return Err(refused(
                "/table",
                "is no table or view of this schema: see `list_tables`. Names are compared letter for letter",
            ));
        }
        Ok(found.rows)
    }

    /// `INSERT` of one row.
    pub(super) fn insert<'i>(&self, input: &'i InsertRow) -> Result<(String, Vec<Input<'i>>)> {
        let (columns, params) = self.values(&input.values, "values")?;
        let mut sql = format!("INSERT INTO {}", self.name);
        if columns.is_empty() {
            sql.push_str(" DEFAULT VALUES");
        } else {
            let places: Vec<String> = (1..=columns.len()).map(|place| format!("${place}")).collect();
            sql.push_str(&format!(" ({}) VALUES ({})", columns.join(", "), places.join(", ")));
        }
        if let Some(conflict) = &input.on_conflict {
            let key = self.quoted(&conflict.columns, "/onConflict/columns")?;
            if key.is_empty() {
                return Err(refused("/onConflict/columns", "names no column"));
            }
            sql.push_str(&format!(" ON CONFLICT ({}) DO ", key.join(", ")));
            let others: Vec<String> = columns
                .iter()
                .filter(|column| !key.contains(column))
                .map(|column| format!("{column} = EXCLUDED.{column}"))
                .collect();
            match conflict.action {
                ConflictAction::Nothing => sql.push_str("NOTHING"),
                ConflictAction::Update if others.is_empty() => {
                    return Err(refused("/onConflict/action", "has no other values to give the row"));
                }
                ConflictAction::Update => sql.push_str(&format!("UPDATE SET {}", others.join(", "))),
            }
        }
        self.returning(&input.returning, &mut sql)?;
        Ok((sql, params))
    }

    /// `UPDATE` of the rows that have these values.
    pub(super) fn update<'i>(&self, input: &'i UpdateRows) -> Result<(String, Vec<Input<'i>>)> {
        let (columns, mut params) = self.values(&input.values, "values")?;
        if columns.is_empty() {
            return Err(refused("/values", "has nothing to change"));
        }
        let set = columns
            .iter()
            .enumerate()
            .map(|(index, column)| format!("{column} = ${}", index + 1));
        let set: Vec<String> = set.collect();
        let (columns, values) = self.values(&input.which, "where")?;
        if columns.is_empty() {
            return Err(refused(
                "/where",
                "is empty, which would be every row: name at least one value",
            ));
        }
        let mut which = Vec::new();
        for (column, value) in columns.iter().zip(values) {
            if value.1.is_null() {
                which.push(format!("{column} IS NULL"));
            } else {
                params.push(value);
                which.push(format!("{column} = ${}", params.len()));
            }
        }
        let mut sql = format!(
            "UPDATE {} SET {} WHERE {}",
            self.name,
            set.join(", "),
            which.join(" AND ")
        );
        self.returning(&input.returning, &mut sql)?;
        Ok((sql, params))
    }

    fn returning(&self, columns: &[String], sql: &mut String) -> Result<()> {
        let columns = self.quoted(columns, "/returning")?;
        if !columns.is_empty() {
            sql.push_str(" RETURNING ");
            sql.push_str(&columns.join(", "));
        }
        Ok(())
    }

    /// Columns, quoted, with their values.
    fn values<'i>(&self, values: &'i Json, name: &str) -> Result<(Vec<String>, Vec<Input<'i>>)> {
        let entries = values.tree().as_object().unwrap_or_default().iter();
        let mut columns = Vec::new();
        let mut params = Vec::new();
        for (column, value) in entries {
            let pointer = format!("/{name}/{}", column.replace('~', "~0").replace('/', "~1"));
            columns.push(self.column(column, &pointer)?);
            params.push((pointer, value));
        }
        Ok((columns, params))
    }

    fn quoted(&self, columns: &[String], place: &str) -> Result<Vec<String>> {
        let columns = columns.iter().enumerate();
        columns
            .map(|(index, column)| self.column(column, &format!("{place}/{index}")))
            .collect()
    }

    fn column(&self, name: &str, pointer: &str) -> Result<String> {
        if self.columns.iter().any(|column| column == name) {
            return Ok(quote(name));
        }
        Err(refused(
            pointer,
            "is no column of this table: see `describe_table`. Names are compared letter for letter",
        ))
    }
}

fn refused(pointer: &str, why: &str) -> Error {
    let detail = format!("Nothing was changed: `{pointer}` {why}.");
    Error::new(Code::ConnectorActionInputInvalid, detail).field(pointer, why)
}
