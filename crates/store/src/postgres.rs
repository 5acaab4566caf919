//! Everything in one PostgreSQL database, which any number of processes may share.
//!
//! Every verb is a transaction inside one tenant, behind row level security. [`PostgresStore::change`] is the only way to
//! one that writes, and writes the trail along with the change. What looks across tenants are the functions of the
//! database that are listed in `docs/decisions/0020-postgresql.md`.

mod adapter;
mod address;
mod api_key;
mod audit;
mod call;
mod connection;
mod credential;
mod data_key;
mod feed;
mod health;
mod idempotency;
mod link;
mod membership;
mod migrate;
mod oauth;
mod peek;
mod process;
mod pulse;
mod secret;
mod session;
mod setting;
mod tenant;
mod tls;
mod trouble;
mod tx;
mod usage;
mod user;
mod value;
mod walls;
mod work;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};

use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime};
use futures_util::future::BoxFuture;
use tieline::{
    Error, Result,
    audit::Trail,
    id::TenantId,
    store::{Store, StoreCounts, StoreFuture, tenant_is_deleted},
};
use tokio::sync::Notify;

pub use self::adapter::{PostgresAdapter, PostgresAdapterOptions};
use self::{
    address::Address,
    pulse::Pulse,
    trouble::unconnected,
    tx::{FOLLOW, LOOK, ReadTx, Tx},
    walls::Walls,
};
use crate::{
    limits::{ATTEMPTS, CONNECT_TIMEOUT, CONNECTION_WAIT, CONNECTIONS, QUEUE_LIMIT},
    outcome::{Outcome, closed, overloaded},
};

/// How a [`PostgresStore`] works.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// How many connections it has at most, besides the one that listens: 16, unless told.
    pub connections: usize,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self {
            connections: CONNECTIONS,
        }
    }
}

/// A store in one PostgreSQL database (14 or newer). Verbs run in tasks of the runtime that opened it.
pub struct PostgresStore {
    desk: Arc<Desk>,
    pulse: Pulse,
}

/// What the tasks of verbs share.
struct Desk {
    pool: Pool,
    counters: Arc<Counters>,
    /// Told after every commit that added to the feed.
    moved: Arc<Notify>,
    /// Told that other processes are to be told.
    tell: Arc<Notify>,
    /// Verbs that wait for a connection.
    waiting: AtomicUsize,
    /// Verbs that were begun and are not over.
    running: AtomicUsize,
    /// Told when the last of them is.
    idle: Notify,
    closed: AtomicBool,
}

#[derive(Default)]
struct Counters {
    statements: AtomicU64,
    commits: AtomicU64,
}

/// What a verb does in a transaction, from what it was given. A plain function, so that it can be run again when PostgreSQL
/// takes the transaction back.
type Verb<D, T> = for<'t> fn(&'t Tx, &'t D) -> BoxFuture<'t, Result<Outcome<T>>>;

/// What a look reads.
type Look<D, T> = for<'t> fn(&'t ReadTx, &'t D) -> BoxFuture<'t, Result<T>>;

impl PostgresStore {
    /// Opens the database at `postgres://user:password@host:port/name`, bringing it to this version's form if need be.
    ///
    /// `sslmode` in the address is `disable`, `require` (encrypted, but to whom is not checked), `verify-ca` or
    /// `verify-full`; `sslrootcert` names a file of CA certificates that take the place of the system's. Without `sslmode`,
    /// an address on this machine is not encrypted, and every other is `verify-full`.
    ///
    /// The user owns the tables and makes two roles that cannot sign in, named after the database; all work is then done in
    /// one of them, behind row level security. Fails with `CONFIG_INVALID` when the address is none or when that role is a
    /// superuser, owns the tables or may bypass row level security, and with `DATA_FROM_NEWER_VERSION`, changing nothing,
    /// when a newer version wrote the data.
    pub async fn open(url: &str, options: PostgresOptions) -> Result<Self> {
        let address = Address::parse(url)?;
        let role = migrate::run(&address).await?;
        let pool = pool(&address, Some(role.clone()), options.connections)?;
        let connection = pool.get().await.map_err(unconnected)?;
        Walls::look(&connection).await?.refuse_holes(&role)?;
        drop(connection);
        let moved = Arc::new(Notify::new());
        let tell = Arc::new(Notify::new());
        let pulse = Pulse::start(&address, moved.clone(), tell.clone()).await?;
        let desk = Desk {
            moved,
            tell,
            ..Desk::new(pool)
        };
        Ok(Self {
            desk: Arc::new(desk),
            pulse,
        })
    }

    /// The hosts and ports at which the database of this address is. A socket in a folder is no host.
    ///
    /// Fails with `CONFIG_INVALID` where [`open`](Self::open) would.
    pub fn places(url: &str) -> Result<Vec<(String, u16)>> {
        Ok(Address::parse(url)?.places())
    }

    /// Finishes the verbs that were begun and closes all connections; every verb after that is an error.
    pub async fn close(&self) {
        self.desk.end().await;
        self.pulse.stop();
        self.desk.pool.close();
    }

    /// Looks at one state of a tenant's rows, or at what belongs to none.
    fn read<D, T>(&self, tenant: impl Into<Option<TenantId>>, given: D, look: Look<D, T>) -> StoreFuture<'_, T>
    where
        D: Send + Sync + 'static,
        T: Send + 'static,
    {
        self.look(LOOK, tenant.into(), given, look)
    }

    /// Looks through the feed's functions, whose every statement must see the latest state.
    fn follow<D, T>(&self, given: D, look: Look<D, T>) -> StoreFuture<'_, T>
    where
        D: Send + Sync + 'static,
        T: Send + 'static,
    {
        self.look(FOLLOW, None, given, look)
    }

    fn look<D, T>(
        &self,
        begin: &'static str,
        tenant: Option<TenantId>,
        given: D,
        look: Look<D, T>,
    ) -> StoreFuture<'_, T>
    where
        D: Send + Sync + 'static,
        T: Send + 'static,
    {
        let desk = self.desk.clone();
        spawn(&self.desk, async move {
            for attempt in 1.. {
                let tx = ReadTx::new(desk.connection().await?, begin, tenant, &desk.counters);
                let looked = look(&tx, &given).await;
                let again = looked.is_err() && tx.again() && attempt < ATTEMPTS;
                tx.leave();
                if !again {
                    return looked;
                }
            }
            unreachable!("the last attempt returns")
        })
    }

    /// The only way to change what belongs to a tenant: the change, its entries in the chain and its events in the feed
    /// are written together or not at all.
    fn change<D, T>(&self, tenant: TenantId, trail: Trail, given: D, verb: Verb<D, T>) -> StoreFuture<'_, T>
    where
        D: Send + Sync + 'static,
        T: Send + 'static,
    {
        self.run(Some(tenant), Some((tenant, trail)), given, verb)
    }

    /// Appends to the ledgers of several tenants at once. The verb enters each, and writes their trails when it knows them.
    fn append<D>(&self, given: D, verb: Verb<D, ()>) -> StoreFuture<'_, ()>
    where
        D: Send + Sync + 'static,
    {
        self.run(None, None, given, verb)
    }

    /// Changes what stands in no chain: a journal, what belongs to the deployment, and notes of when a row was used.
    fn journal<D, T>(&self, tenant: impl Into<Option<TenantId>>, given: D, verb: Verb<D, T>) -> StoreFuture<'_, T>
    where
        D: Send + Sync + 'static,
        T: Send + 'static,
    {
        self.run(tenant.into(), None, given, verb)
    }

    fn run<D, T>(
        &self,
        tenant: Option<TenantId>,
        trail: Option<(TenantId, Trail)>,
        given: D,
        verb: Verb<D, T>,
    ) -> StoreFuture<'_, T>
    where
        D: Send + Sync + 'static,
        T: Send + 'static,
    {
        run(&self.desk, tenant, trail, given, verb)
    }
}

/// Runs a verb that may write, again where PostgreSQL takes it back. `trail` goes with what it changed.
fn run<D, T>(
    desk: &Arc<Desk>,
    tenant: Option<TenantId>,
    trail: Option<(TenantId, Trail)>,
    given: D,
    verb: Verb<D, T>,
) -> StoreFuture<'_, T>
where
    D: Send + Sync + 'static,
    T: Send + 'static,
{
    let working = desk.clone();
    spawn(desk, async move {
        let desk = working;
        if let Some((tenant, trail)) = &trail {
            trail.check_tenant(*tenant)?;
        }
        for attempt in 1.. {
            let tx = Tx::new(desk.connection().await?, tenant, &desk.counters);
            let outcome = write(&tx, trail.as_ref(), &given, verb).await;
            match outcome {
                Ok(Outcome::Changed(value)) => {
                    let tells = tx.has_events();
                    tx.commit().await?;
                    if tells {
                        desk.moved.notify_waiters();
                        desk.tell.notify_one();
                    }
                    return Ok(value);
                }
                Ok(Outcome::Unchanged(value)) => {
                    tx.leave();
                    return Ok(value);
                }
                Err(error) => {
                    let again = tx.again() && attempt < ATTEMPTS;
                    tx.leave();
                    if !again {
                        return Err(error);
                    }
                }
            }
        }
        unreachable!("the last attempt returns")
    })
}

/// Runs a verb in a task of its own: begun, it is finished even when its caller is gone.
fn spawn<T: Send + 'static>(
    desk: &Arc<Desk>,
    verb: impl Future<Output = Result<T>> + Send + 'static,
) -> StoreFuture<'_, T> {
    Box::pin(async move {
        let running = Running::begin(desk)?;
        let verb = tokio::spawn(async move {
            let _running = running;
            verb.await
        });
        // A panic is the verb's own fault: its transaction is gone with its connection.
        verb.await
            .unwrap_or_else(|error| Err(Error::internal("a verb of the store panicked", error)))
    })
}

async fn write<D, T>(tx: &Tx, trail: Option<&(TenantId, Trail)>, given: &D, verb: Verb<D, T>) -> Result<Outcome<T>> {
    let outcome = verb(tx, given).await?;
    if let (Outcome::Changed(_), Some((tenant, trail))) = (&outcome, trail) {
        append_trail(tx, *tenant, trail).await?;
        // The head of the chain is ours now, so nobody deletes the tenant any more.
        if tenant::is_deleted(tx, *tenant).await? {
            return Err(tenant_is_deleted());
        }
    }
    Ok(outcome)
}

/// Writes a trail in the tenant that the transaction is in.
async fn append_trail(tx: &Tx, tenant: TenantId, trail: &Trail) -> Result<()> {
    feed::append(tx, tenant, &trail.events).await?;
    // The head row last: it is what all writers of a tenant wait for.
    audit::append(tx, tenant, trail).await
}

impl Desk {
    fn new(pool: Pool) -> Self {
        Self {
            pool,
            counters: Arc::default(),
            moved: Arc::default(),
            tell: Arc::default(),
            waiting: AtomicUsize::new(0),
            running: AtomicUsize::new(0),
            idle: Notify::new(),
            closed: AtomicBool::new(false),
        }
    }

    /// Begins nothing more, and waits for what was begun.
    async fn end(&self) {
        self.closed.store(true, Ordering::SeqCst);
        loop {
            let mut idle = std::pin::pin!(self.idle.notified());
            idle.as_mut().enable();
            if self.running.load(Ordering::SeqCst) == 0 {
                return;
            }
            idle.await;
        }
    }

    async fn connection(&self) -> Result<Object> {
        let _waiting = Waiting::begin(&self.waiting)?;
        self.pool.get().await.map_err(unconnected)
    }
}

/// One more verb that waits for a connection.
struct Waiting<'d>(&'d AtomicUsize);

impl<'d> Waiting<'d> {
    fn begin(waiting: &'d AtomicUsize) -> Result<Self> {
        if waiting.fetch_add(1, Ordering::Relaxed) < QUEUE_LIMIT {
            return Ok(Self(waiting));
        }
        waiting.fetch_sub(1, Ordering::Relaxed);
        Err(overloaded())
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One more verb that is to be finished before the store closes.
struct Running(Arc<Desk>);

impl Running {
    fn begin(desk: &Arc<Desk>) -> Result<Self> {
        desk.running.fetch_add(1, Ordering::SeqCst);
        let running = Self(desk.clone());
        match desk.closed.load(Ordering::SeqCst) {
            false => Ok(running),
            true => Err(closed()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.0.running.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.idle.notify_waiters();
        }
    }
}

/// Connections that step down into a role, or stay who they are.
fn pool(address: &Address, role: Option<String>, connections: usize) -> Result<Pool> {
    let config = ManagerConfig {
        // What a transaction left behind does not go back, so there is nothing to look for.
        recycling_method: RecyclingMethod::Fast,
    };
    let manager = Manager::from_config(address.config.clone(), address.tls.clone(), config);
    let step_down = Hook::async_fn(move |client, _| {
        let role = role.clone();
        Box::pin(async move {
            let begun = match role {
                Some(role) => walls::step_down(client, &role).await,
                None => walls::bound(client).await,
            };
            begun.map_err(HookError::Backend)
        })
    });
    Pool::builder(manager)
        .max_size(connections.max(1))
        .wait_timeout(Some(CONNECTION_WAIT))
        .create_timeout(Some(CONNECT_TIMEOUT))
        .runtime(Runtime::Tokio1)
        .post_create(step_down)
        .build()
        .map_err(|error| Error::internal("a pool of connections is not set up", error))
}

impl Store for PostgresStore {
    fn statements(&self) -> u64 {
        self.desk.counters.statements.load(Ordering::Relaxed)
    }

    fn counts(&self) -> StoreCounts {
        StoreCounts {
            statements: self.statements(),
            commits: self.desk.counters.commits.load(Ordering::Relaxed),
            waiting: self.desk.waiting.load(Ordering::Relaxed) as u64,
        }
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PostgresStore(..)")
    }
}
