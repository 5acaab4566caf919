//! The only way to run a statement: counted, prepared once per connection, with constant text.

use std::{
    ops::Deref,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};

use deadpool_postgres::Object;
use futures_util::{FutureExt, TryStreamExt, future::join3};
use tieline::{Code, Error, Result, error::Retry, id::TenantId};
use tokio_postgres::{Row, Statement};

use super::{
    Counters,
    trouble::{may_go_well_again, trouble},
    value::{Id, Read, Value, values},
};
use crate::limits::EVENTS_PER_CHANGE;

/// One state for all statements of a look.
pub(super) const LOOK: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// Each statement sees what is committed when it begins, as the feed's functions need it.
pub(super) const FOLLOW: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY";

/// Each statement sees what is committed when it begins, or when what it waited for is over.
const CHANGE: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";

/// Puts the transaction, and nothing that comes after it, into a tenant.
const ENTER: &str = "SELECT set_config('app.tenant', $1::uuid::text, true)";

/// What a statement answered: its rows, and how many it changed.
type Answer = (Vec<Row>, u64);

/// A transaction that reads. It begins with its first statement, in one packet with it. Dropped without an end it takes its
/// connection along, for nobody knows what state that is in. Statements are `'static`, so none is ever put together from
/// input (Q1).
pub(super) struct ReadTx {
    /// Gone when it has ended well.
    connection: Option<Object>,
    begin: &'static str,
    tenant: Option<TenantId>,
    begun: AtomicBool,
    /// Whether what failed may go well in a new transaction.
    again: AtomicBool,
    counters: Arc<Counters>,
}

impl ReadTx {
    pub(super) fn new(
        connection: Object,
        begin: &'static str,
        tenant: Option<TenantId>,
        counters: &Arc<Counters>,
    ) -> Self {
        Self {
            connection: Some(connection),
            begin,
            tenant,
            begun: AtomicBool::new(false),
            again: AtomicBool::new(false),
            counters: counters.clone(),
        }
    }

    /// The first row, if there is one.
    pub(super) async fn one<T>(
        &self,
        sql: &'static str,
        values: &[Value<'_>],
        read: impl FnOnce(&Row) -> Read<T>,
    ) -> Result<Option<T>> {
        let (rows, _) = self.run(sql, values).await?;
        let row = rows.first().map(read).transpose();
        row.map_err(|error| trouble(&error))
    }

    /// Whether there is a row.
    pub(super) async fn any(&self, sql: &'static str, values: &[Value<'_>]) -> Result<bool> {
        let (rows, _) = self.run(sql, values).await?;
        Ok(!rows.is_empty())
    }

    /// All rows.
    pub(super) async fn all<T>(
        &self,
        sql: &'static str,
        values: &[Value<'_>],
        read: impl FnMut(&Row) -> Read<T>,
    ) -> Result<Vec<T>> {
        let (rows, _) = self.run(sql, values).await?;
        let rows = rows.iter().map(read).collect::<Read<Vec<T>>>();
        rows.map_err(|error| trouble(&error))
    }

    async fn run(&self, sql: &'static str, values: &[Value<'_>]) -> Result<Answer> {
        self.counters.statements.fetch_add(1, Ordering::Relaxed);
        let answer = if self.begun.load(Ordering::Relaxed) {
            self.send(sql, values).await
        } else {
            self.begin_with(sql, values).await
        };
        answer.map_err(|error| {
            if may_go_well_again(&error) {
                self.again.store(true, Ordering::Relaxed);
            }
            trouble(&error)
        })
    }

    async fn send(&self, sql: &'static str, values: &[Value<'_>]) -> Read<Answer> {
        let statement = self.connection().prepare_cached(sql).await?;
        answer(self.connection(), &statement, values).await
    }

    async fn begin_with(&self, sql: &'static str, values: &[Value<'_>]) -> Read<Answer> {
        let connection = self.connection();
        let enter = connection.prepare_cached(ENTER).await?;
        let statement = connection.prepare_cached(sql).await?;
        self.begun.store(true, Ordering::Relaxed);
        let enter = async {
            match self.tenant {
                Some(tenant) => answer(connection, &enter, values![Id(tenant)]).await.map(drop),
                None => Ok(()),
            }
        };
        // All are sent before the first is answered, and run in this order. After one that failed the others fail too.
        let all = join3(
            connection.batch_execute(self.begin),
            enter,
            answer(connection, &statement, values),
        );
        let (begun, entered, answered) = all.await;
        begun?;
        entered?;
        answered
    }

    fn connection(&self) -> &Object {
        self.connection.as_ref().expect("it is there until the end")
    }

    /// Whether to try the whole verb again, after it failed.
    pub(super) fn again(&self) -> bool {
        self.again.load(Ordering::Relaxed)
    }

    /// Ends without keeping anything. The connection goes back at once: what comes next on it is answered after this.
    pub(super) fn leave(mut self) {
        if let Some(connection) = self.connection.take()
            && self.begun.load(Ordering::Relaxed)
        {
            // Polled once, so it is sent. Nobody needs its answer.
            let _ = connection.batch_execute("ROLLBACK").now_or_never();
        }
    }
}

impl Drop for ReadTx {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            drop(Object::take(connection));
        }
    }
}

async fn answer(connection: &Object, statement: &Statement, values: &[Value<'_>]) -> Read<Answer> {
    let rows = connection.query_raw(statement, values.iter().copied()).await?;
    let mut rows = pin!(rows);
    let mut all = Vec::new();
    while let Some(row) = rows.try_next().await? {
        all.push(row);
    }
    Ok((all, rows.rows_affected().unwrap_or_default()))
}

/// Changes that take turns in the whole deployment. Numbers that nobody else locks in this database; they tell nothing of a
/// tenant (T4).
#[derive(Debug, Clone, Copy)]
#[repr(i64)]
pub(super) enum Turn {
    /// Changes of the names of tenants.
    Names = 0x7469_656c_6e61,
    /// Changes of who belongs where: a tenant keeps an owner, a person without a tenant is forgotten.
    People = 0x7469_656c_7065,
}

/// A transaction that may write.
pub(super) struct Tx {
    read: ReadTx,
    /// How many events went into the feed.
    events: AtomicU32,
}

impl Tx {
    pub(super) fn new(connection: Object, tenant: Option<TenantId>, counters: &Arc<Counters>) -> Self {
        Self {
            read: ReadTx::new(connection, CHANGE, tenant, counters),
            events: AtomicU32::new(0),
        }
    }

    /// Changes rows, and says how many.
    pub(super) async fn execute(&self, sql: &'static str, values: &[Value<'_>]) -> Result<u64> {
        let (_, changed) = self.run(sql, values).await?;
        Ok(changed)
    }

    /// Has the deployment's changes of one kind to itself until it ends: for those that are few, and whose rule is about more
    /// rows than they write.
    pub(super) async fn alone(&self, turn: Turn) -> Result<()> {
        let lock = "SELECT pg_advisory_xact_lock($1)";
        self.run(lock, values![turn as i64]).await.map(drop)
    }

    /// Goes on in another tenant.
    pub(super) async fn enter(&self, tenant: TenantId) -> Result<()> {
        self.run(ENTER, values![Id(tenant)]).await.map(drop)
    }

    /// The number of the next event in this transaction, when so many are to come.
    pub(super) fn number_events(&self, count: usize) -> Result<i64> {
        let count = u32::try_from(count).unwrap_or(u32::MAX).min(EVENTS_PER_CHANGE + 1);
        let first = self.events.fetch_add(count, Ordering::Relaxed);
        if first + count > EVENTS_PER_CHANGE {
            let events = (first + count).to_string();
            return Err(Error::internal("a change has more events than places", events));
        }
        Ok(first.into())
    }

    /// Whether followers of the feed will find something.
    pub(super) fn has_events(&self) -> bool {
        self.events.load(Ordering::Relaxed) > 0
    }

    /// The error for a row that moved between two statements: the verb is begun anew, and fails with this at last.
    pub(super) fn begin_anew(&self) -> Error {
        self.again.store(true, Ordering::Relaxed);
        Error::new(
            Code::ConnectorDatabaseFailed,
            "Others kept changing the same row. Try again in a moment.",
        )
        .retry(Retry::Backoff)
    }

    /// Keeps what was written.
    pub(super) async fn commit(mut self) -> Result<()> {
        if !self.begun.load(Ordering::Relaxed) {
            self.read.connection.take();
            return Ok(());
        }
        // Whoever loses the connection now does not know how it ended, so that is never tried again.
        self.connection()
            .batch_execute("COMMIT")
            .await
            .map_err(|error| trouble(&error).retry(Retry::Never))?;
        self.read.connection.take();
        self.counters.commits.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Takes back what was written.
    pub(super) fn leave(self) {
        self.read.leave();
    }
}

impl Deref for Tx {
    type Target = ReadTx;

    fn deref(&self) -> &Self::Target {
        &self.read
    }
}
