//! Usage, summed up by day.

use rusqlite::{Row, params};
use tieline::{
    Result,
    id::{ConnectionId, TenantId},
    store::{StoreFuture, Sums, UsageBy, UsageFilter, UsageRow, UsageStore},
};

use super::{
    SqliteStore,
    tx::Tx,
    value::{Count, Day},
};

/// How a connection lies in its column.
fn text(connection: Option<ConnectionId>) -> String {
    connection.map(|id| id.to_string()).unwrap_or_default()
}

/// Adds what a batch of calls used.
pub(super) fn add(tx: &Tx<'_>, tenant: TenantId, rows: &[UsageRow]) -> Result<()> {
    for row in rows {
        tx.execute(
            "INSERT INTO usage (tenant, day, connector, connection, actor, calls, errors, micros, sent, received) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) \
             ON CONFLICT (tenant, day, connector, connection, actor) DO UPDATE SET calls = calls + excluded.calls, \
             errors = errors + excluded.errors, micros = micros + excluded.micros, sent = sent + excluded.sent, \
             received = received + excluded.received",
            params![
                tenant.as_bytes(),
                Day(row.day),
                row.connector,
                text(row.connection),
                row.actor,
                Count(row.sums.calls),
                Count(row.sums.errors),
                Count(row.sums.micros),
                Count(row.sums.sent),
                Count(row.sums.received),
            ],
        )?;
    }
    Ok(())
}

macro_rules! sums_by {
    ($column:literal) => {
        concat!(
            "SELECT ",
            $column,
            " AS part, sum(calls) AS calls, sum(errors) AS errors, sum(micros) AS micros, sum(sent) AS sent, \
             sum(received) AS received FROM usage WHERE tenant = ?1 AND day BETWEEN ?2 AND ?3 \
             AND (?4 IS NULL OR connector = ?4) AND (?5 IS NULL OR connection = ?5) AND (?6 IS NULL OR actor = ?6) \
             AND (?7 IS NULL OR ",
            $column,
            " > ?7) GROUP BY ",
            $column,
            " ORDER BY ",
            $column,
            " LIMIT ?8"
        )
    };
}

fn read(row: &Row<'_>) -> rusqlite::Result<(String, Sums)> {
    let count = |name: &str| row.get::<_, Count>(name).map(|count| count.0);
    let sums = Sums {
        calls: count("calls")?,
        errors: count("errors")?,
        micros: count("micros")?,
        sent: count("sent")?,
        received: count("received")?,
    };
    Ok((row.get("part")?, sums))
}

impl UsageStore for SqliteStore {
    fn usage(&self, filter: UsageFilter) -> StoreFuture<'_, Vec<(String, Sums)>> {
        self.readers.read(move |tx| {
            let select = match filter.by {
                UsageBy::Day => sums_by!("day"),
                UsageBy::Connector => sums_by!("connector"),
                UsageBy::Connection => sums_by!("connection"),
                UsageBy::Actor => sums_by!("actor"),
            };
            let params = params![
                filter.tenant.as_bytes(),
                Day(filter.from),
                Day(filter.to),
                filter.connector,
                filter.connection.map(|id| text(Some(id))),
                filter.actor,
                filter.after,
                Count::of(filter.limit),
            ];
            tx.all(select, params, read)
        })
    }
}
