//! Usage, summed up by day.

use rusqlite::{Row, params};
use tieline::{
    Result,
    id::TenantId,
    store::{StoreFuture, Sums, UsageBy, UsageFilter, UsageRow, UsageStore},
};

use super::{
    SqliteStore,
    tx::{ReadTx, Tx},
    value::{Count, Day},
};
use crate::usage::{part, text, total, totals};

/// Adds what a batch of calls used.
pub(super) fn add(tx: &Tx<'_>, tenant: TenantId, rows: &[UsageRow]) -> Result<()> {
    add_rows(tx, tenant, rows)?;
    add_totals(tx, tenant, rows)
}

fn add_rows(tx: &Tx<'_>, tenant: TenantId, rows: &[UsageRow]) -> Result<()> {
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

/// Adds the same to the totals, which are kept by one thing alone.
fn add_totals(tx: &Tx<'_>, tenant: TenantId, rows: &[UsageRow]) -> Result<()> {
    for ((part, key, day), sums) in totals(rows) {
        tx.execute(
            "INSERT INTO usage_totals (tenant, part, key, day, calls, errors, micros, sent, received) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) \
             ON CONFLICT (tenant, part, key, day) DO UPDATE SET calls = calls + excluded.calls, \
             errors = errors + excluded.errors, micros = micros + excluded.micros, sent = sent + excluded.sent, \
             received = received + excluded.received",
            params![
                tenant.as_bytes(),
                part,
                key,
                Day(day),
                Count(sums.calls),
                Count(sums.errors),
                Count(sums.micros),
                Count(sums.sent),
                Count(sums.received),
            ],
        )?;
    }
    Ok(())
}

macro_rules! sums {
    ($column:literal, $from:literal) => {
        concat!(
            "SELECT ",
            $column,
            " AS name, sum(calls) AS calls, sum(errors) AS errors, sum(micros) AS micros, sum(sent) AS sent, \
             sum(received) AS received FROM ",
            $from,
            " AND tenant = ?1 AND day BETWEEN ?2 AND ?3 AND (?4 IS NULL OR ",
            $column,
            " > ?4) GROUP BY ",
            $column,
            " ORDER BY ",
            $column,
            " LIMIT ?5"
        )
    };
}

/// Sums under conditions that no total holds, from the index of the one that fits the fewest rows.
macro_rules! narrowed {
    ($column:literal, $filter:expr) => {
        match $filter {
            UsageFilter {
                connection: Some(_), ..
            } => sums!(
                $column,
                "usage INDEXED BY usage_by_connection WHERE connection = ?7 \
                 AND (?6 IS NULL OR connector = ?6) AND (?8 IS NULL OR actor = ?8)"
            ),
            UsageFilter { actor: Some(_), .. } => sums!(
                $column,
                "usage INDEXED BY usage_by_actor WHERE actor = ?8 \
                 AND (?6 IS NULL OR connector = ?6) AND (?7 IS NULL OR connection = ?7)"
            ),
            _ => sums!(
                $column,
                "usage WHERE (?6 IS NULL OR connector = ?6) AND (?7 IS NULL OR connection = ?7) \
                 AND (?8 IS NULL OR actor = ?8)"
            ),
        }
    };
}

fn find(tx: &ReadTx<'_>, filter: &UsageFilter) -> Result<Vec<(String, Sums)>> {
    let (tenant, limit) = (filter.tenant.as_bytes(), Count::of(filter.limit));
    let (from, to) = (Day(filter.from), Day(filter.to));
    let Some((of, key)) = total(filter) else {
        let select = match filter.by {
            UsageBy::Day => narrowed!("day", filter),
            UsageBy::Connector => narrowed!("connector", filter),
            UsageBy::Connection => narrowed!("connection", filter),
            UsageBy::Actor => narrowed!("actor", filter),
        };
        let connection = filter.connection.map(|id| text(Some(id)));
        let params = params![
            tenant,
            from,
            to,
            filter.after,
            limit,
            filter.connector,
            connection,
            filter.actor
        ];
        return tx.all(select, params, read);
    };
    let select = match (filter.by, &key) {
        (UsageBy::Day, None) => sums!("day", "usage_totals WHERE part = ?6 AND key = '' AND ?7 IS NULL"),
        (UsageBy::Day, Some(_)) => sums!("day", "usage_totals WHERE part = ?6 AND key = ?7"),
        (_, None) => sums!("key", "usage_totals WHERE part = ?6 AND ?7 IS NULL"),
        (_, Some(_)) => sums!("key", "usage_totals WHERE part = ?6 AND key = ?7"),
    };
    tx.all(
        select,
        params![tenant, from, to, filter.after, limit, part(of), key],
        read,
    )
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
    Ok((row.get("name")?, sums))
}

impl UsageStore for SqliteStore {
    fn usage(&self, filter: UsageFilter) -> StoreFuture<'_, Vec<(String, Sums)>> {
        self.readers.read(move |tx| find(tx, &filter))
    }
}
