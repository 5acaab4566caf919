//! Usage, summed up by day.

use tieline::{
    Result,
    clock::Date,
    id::TenantId,
    store::{StoreFuture, Sums, UsageBy, UsageFilter, UsageRow, UsageStore},
};
use tokio_postgres::Row;

use super::{
    PostgresStore,
    tx::{ReadTx, Tx},
    value::{Columns, Id, Read, maybe, number, values},
};
use crate::usage::{part, text, total, totals};

/// How a day lies in its column.
fn day(day: Date) -> Vec<u8> {
    day.to_string().into_bytes()
}

/// How sums lie in their columns.
fn columns<'s>(sums: impl Iterator<Item = &'s Sums> + Clone) -> [Vec<i64>; 5] {
    let column = |of: fn(&Sums) -> u64| sums.clone().map(|sums| number(of(sums))).collect();
    [
        column(|sums| sums.calls),
        column(|sums| sums.errors),
        column(|sums| sums.micros),
        column(|sums| sums.sent),
        column(|sums| sums.received),
    ]
}

/// Adds what a batch of calls used.
pub(super) async fn add(tx: &Tx, tenant: TenantId, rows: &[UsageRow]) -> Result<()> {
    add_rows(tx, tenant, rows).await?;
    add_totals(tx, tenant, rows).await
}

async fn add_rows(tx: &Tx, tenant: TenantId, rows: &[UsageRow]) -> Result<()> {
    let [calls, errors, micros, sent, received] = columns(rows.iter().map(|row| &row.sums));
    // One group may be in the batch more than once, and is then summed up before.
    tx.execute(
        "INSERT INTO usage AS u (tenant, day, connector, connection, actor, calls, errors, micros, sent, received) \
         SELECT $1, n.day, n.connector, n.connection, n.actor, sum(n.calls)::bigint, sum(n.errors)::bigint, \
         sum(n.micros)::bigint, sum(n.sent)::bigint, sum(n.received)::bigint \
         FROM unnest($2::bytea[], $3::bytea[], $4::bytea[], $5::bytea[], $6::bigint[], $7::bigint[], $8::bigint[], \
         $9::bigint[], $10::bigint[]) AS n (day, connector, connection, actor, calls, errors, micros, sent, received) \
         GROUP BY n.day, n.connector, n.connection, n.actor ORDER BY n.day, n.connector, n.connection, n.actor \
         ON CONFLICT (tenant, day, connector, connection, actor) DO UPDATE SET calls = u.calls + excluded.calls, \
         errors = u.errors + excluded.errors, micros = u.micros + excluded.micros, sent = u.sent + excluded.sent, \
         received = u.received + excluded.received",
        values![
            Id(tenant),
            rows.iter().map(|row| day(row.day)).collect::<Vec<_>>(),
            rows.iter().map(|row| row.connector.as_bytes()).collect::<Vec<_>>(),
            rows.iter()
                .map(|row| text(row.connection).into_bytes())
                .collect::<Vec<_>>(),
            rows.iter().map(|row| row.actor.as_bytes()).collect::<Vec<_>>(),
            calls,
            errors,
            micros,
            sent,
            received,
        ],
    )
    .await
    .map(drop)
}

/// Adds the same to the totals, which are kept by one thing alone.
async fn add_totals(tx: &Tx, tenant: TenantId, rows: &[UsageRow]) -> Result<()> {
    let totals = totals(rows);
    let [calls, errors, micros, sent, received] = columns(totals.values());
    tx.execute(
        "INSERT INTO usage_totals AS t (tenant, part, key, day, calls, errors, micros, sent, received) \
         SELECT $1, n.* FROM unnest($2::text[], $3::bytea[], $4::bytea[], $5::bigint[], $6::bigint[], $7::bigint[], \
         $8::bigint[], $9::bigint[]) AS n ON CONFLICT (tenant, part, key, day) DO UPDATE SET \
         calls = t.calls + excluded.calls, errors = t.errors + excluded.errors, micros = t.micros + excluded.micros, \
         sent = t.sent + excluded.sent, received = t.received + excluded.received",
        values![
            Id(tenant),
            totals.keys().map(|(part, ..)| *part).collect::<Vec<_>>(),
            totals.keys().map(|(_, key, _)| key.as_bytes()).collect::<Vec<_>>(),
            totals.keys().map(|(.., date)| day(*date)).collect::<Vec<_>>(),
            calls,
            errors,
            micros,
            sent,
            received,
        ],
    )
    .await
    .map(drop)
}

macro_rules! sums {
    ($column:literal, $from:literal) => {
        concat!(
            "SELECT ",
            $column,
            " AS name, sum(calls)::bigint AS calls, sum(errors)::bigint AS errors, sum(micros)::bigint AS micros, \
             sum(sent)::bigint AS sent, sum(received)::bigint AS received FROM ",
            $from,
            " AND tenant = $1 AND day BETWEEN $2 AND $3 AND ($4::bytea IS NULL OR ",
            $column,
            " > $4) GROUP BY ",
            $column,
            " ORDER BY ",
            $column,
            " LIMIT $5"
        )
    };
}

/// Sums under conditions that no total holds. Each condition has its index, and PostgreSQL knows which fits the fewest rows.
macro_rules! narrowed {
    ($column:literal) => {
        sums!(
            $column,
            "usage WHERE ($6::bytea IS NULL OR connector = $6) AND ($7::bytea IS NULL OR connection = $7) \
             AND ($8::bytea IS NULL OR actor = $8)"
        )
    };
}

async fn find(tx: &ReadTx, filter: &UsageFilter) -> Result<Vec<(String, Sums)>> {
    let (tenant, limit) = (Id(filter.tenant), number(filter.limit));
    let (from, to, after) = (day(filter.from), day(filter.to), maybe(&filter.after));
    let Some((of, key)) = total(filter) else {
        let select = match filter.by {
            UsageBy::Day => narrowed!("day"),
            UsageBy::Connector => narrowed!("connector"),
            UsageBy::Connection => narrowed!("connection"),
            UsageBy::Actor => narrowed!("actor"),
        };
        let connection = filter.connection.map(|id| text(Some(id)).into_bytes());
        let (connector, actor) = (maybe(&filter.connector), maybe(&filter.actor));
        let values = values![tenant, from, to, after, limit, connector, connection, actor];
        return tx.all(select, values, read).await;
    };
    let select = match (filter.by, &key) {
        (UsageBy::Day, None) => sums!("day", "usage_totals WHERE part = $6 AND key = '' AND $7::bytea IS NULL"),
        (UsageBy::Day, Some(_)) => sums!("day", "usage_totals WHERE part = $6 AND key = $7"),
        (_, None) => sums!("key", "usage_totals WHERE part = $6 AND $7::bytea IS NULL"),
        (_, Some(_)) => sums!("key", "usage_totals WHERE part = $6 AND key = $7"),
    };
    let values = values![tenant, from, to, after, limit, part(of), maybe(&key)];
    tx.all(select, values, read).await
}

fn read(row: &Row) -> Read<(String, Sums)> {
    let sums = Sums {
        calls: row.number("calls")?,
        errors: row.number("errors")?,
        micros: row.number("micros")?,
        sent: row.number("sent")?,
        received: row.number("received")?,
    };
    Ok((row.text("name")?, sums))
}

impl UsageStore for PostgresStore {
    fn usage(&self, filter: UsageFilter) -> StoreFuture<'_, Vec<(String, Sums)>> {
        self.read(filter.tenant, filter, |tx, filter| Box::pin(find(tx, filter)))
    }
}
