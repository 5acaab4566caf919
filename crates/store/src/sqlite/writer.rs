//! The thread that writes: it takes all verbs that wait, runs each in a savepoint, commits once, and then answers.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{Receiver, sync_channel},
    },
};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tieline::{
    Error, Result,
    audit::Trail,
    id::TenantId,
    store::{StoreFuture, tenant_is_deleted},
};
use tokio::sync::{Notify, oneshot};

use super::{
    Counters, audit, feed,
    queue::Queue,
    tenant,
    tx::{Tx, trouble},
};
pub(super) use crate::outcome::Outcome;
use crate::{
    limits::{GROUP_LIMIT, QUEUE_LIMIT},
    outcome::closed,
};

pub(super) struct Writer {
    queue: Queue<Box<dyn Job>>,
    counters: Arc<Counters>,
}

impl Writer {
    /// Starts the thread with its connection.
    pub(super) fn start(connection: Connection, counters: Arc<Counters>, moved: Arc<Notify>) -> Result<Self> {
        let (sender, jobs) = sync_channel(QUEUE_LIMIT);
        let queue = Queue::new(sender);
        let desk = Desk {
            connection,
            counters: counters.clone(),
            moved,
        };
        queue.work("tieline-writer", move || desk.work_off(&jobs))?;
        Ok(Self { queue, counters })
    }

    /// The only way to change what belongs to a tenant: the change, its entries in the chain and its events in the feed
    /// are written together or not at all.
    pub(super) fn change<T: Send + 'static>(
        &self,
        tenant: TenantId,
        trail: Trail,
        verb: impl FnOnce(&Tx<'_>) -> Result<Outcome<T>> + Send + 'static,
    ) -> StoreFuture<'_, T> {
        self.run(move |tx| {
            trail.check_tenant(tenant)?;
            if tenant::is_deleted(tx, tenant)? {
                return Err(tenant_is_deleted());
            }
            let outcome = verb(tx)?;
            if let Outcome::Changed(_) = outcome {
                feed::append(tx, tenant, &trail.events)?;
                // The head row last: on databases with many writers it is what they all wait for.
                audit::append(tx, tenant, &trail)?;
            }
            Ok(outcome)
        })
    }

    /// Appends to the ledgers of several tenants at once; the verb tells what each trail is, once it knows the places.
    pub(super) fn append(
        &self,
        verb: impl FnOnce(&Tx<'_>) -> Result<Vec<(TenantId, Trail)>> + Send + 'static,
    ) -> StoreFuture<'_, ()> {
        self.run(move |tx| {
            for (tenant, trail) in verb(tx)? {
                trail.check_tenant(tenant)?;
                feed::append(tx, tenant, &trail.events)?;
                audit::append(tx, tenant, &trail)?;
            }
            Ok(Outcome::Changed(()))
        })
    }

    /// Changes what stands in no chain: what belongs to the deployment and to no tenant, and notes of when a row was used.
    pub(super) fn change_meta<T: Send + 'static>(
        &self,
        verb: impl FnOnce(&Tx<'_>) -> Result<Outcome<T>> + Send + 'static,
    ) -> StoreFuture<'_, T> {
        self.run(verb)
    }

    /// Changes a journal: it is a ledger itself and goes into no chain.
    pub(super) fn journal<T: Send + 'static>(
        &self,
        verb: impl FnOnce(&Tx<'_>) -> Result<Outcome<T>> + Send + 'static,
    ) -> StoreFuture<'_, T> {
        self.run(verb)
    }

    fn run<T: Send + 'static>(
        &self,
        verb: impl FnOnce(&Tx<'_>) -> Result<Outcome<T>> + Send + 'static,
    ) -> StoreFuture<'_, T> {
        Box::pin(async move {
            let (waiter, answer) = oneshot::channel();
            let verb = Verb {
                verb: Some(verb),
                answer: None,
                waiter,
            };
            // Before it is in: the thread may take it out at once.
            self.counters.waiting.fetch_add(1, Ordering::Relaxed);
            let pushed = self.queue.push(Box::new(verb));
            if pushed.is_err() {
                self.counters.waiting.fetch_sub(1, Ordering::Relaxed);
            }
            pushed?;
            answer.await.map_err(|_| closed())?
        })
    }

    pub(super) fn close(&self) {
        self.queue.close();
    }
}

/// A verb in the queue, whatever it answers.
trait Job: Send {
    /// Runs it; says whether what it wrote is to be kept.
    fn run(&mut self, tx: &Tx<'_>) -> bool;

    /// Tells the waiter, once the group is committed or has failed.
    fn answer(self: Box<Self>, failure: Option<&rusqlite::Error>);
}

struct Verb<T, F> {
    verb: Option<F>,
    answer: Option<Result<T>>,
    waiter: oneshot::Sender<Result<T>>,
}

impl<T: Send, F: FnOnce(&Tx<'_>) -> Result<Outcome<T>> + Send> Job for Verb<T, F> {
    fn run(&mut self, tx: &Tx<'_>) -> bool {
        let Some(verb) = self.verb.take() else { return false };
        let (keep, answer) = match caught(|| verb(tx)) {
            Ok(Outcome::Changed(value)) => (true, Ok(value)),
            Ok(Outcome::Unchanged(value)) => (false, Ok(value)),
            Err(error) => (false, Err(error)),
        };
        self.answer = Some(answer);
        keep
    }

    fn answer(self: Box<Self>, failure: Option<&rusqlite::Error>) {
        let answer = match (self.answer, failure) {
            // Its own trouble says more than the group's.
            (Some(Err(error)), _) => Err(error),
            // Unchanged answers fail too: they may rest on what another verb of the group wrote.
            (_, Some(failure)) => Err(trouble("COMMIT", failure)),
            (Some(Ok(value)), None) => Ok(value),
            (None, None) => Err(closed()),
        };
        // The caller may have gone; the change stands all the same.
        let _ = self.waiter.send(answer);
    }
}

/// Turns a panic into an error, so that one verb's fault is not everyone's.
pub(super) fn caught<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    // What could be left half-done is in the database, and there the savepoint is rolled back.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(Error::internal(
            "a verb of the store panicked",
            "see the panic's own message",
        ))
    })
}

/// What the thread owns.
struct Desk {
    connection: Connection,
    counters: Arc<Counters>,
    moved: Arc<Notify>,
}

impl Desk {
    fn work_off(mut self, jobs: &Receiver<Box<dyn Job>>) {
        while let Ok(first) = jobs.recv() {
            let mut group = vec![first];
            group.extend(jobs.try_iter().take(GROUP_LIMIT - 1));
            self.counters.waiting.fetch_sub(group.len() as u64, Ordering::Relaxed);
            let done = self.commit_group(&mut group);
            if let Ok(true) = done {
                self.moved.notify_waiters();
            }
            for job in group {
                job.answer(done.as_ref().err());
            }
        }
    }

    /// Runs a group in one transaction; says whether it changed anything. An error leaves nothing of it.
    fn commit_group(&mut self, group: &mut [Box<dyn Job>]) -> rusqlite::Result<bool> {
        // Immediate: a transaction that turned from reading to writing could find its snapshot outdated.
        // It rolls back when dropped.
        let transaction = Transaction::new(&mut self.connection, TransactionBehavior::Immediate)?;
        let tx = Tx::new(&transaction, &self.counters.statements);
        let mut changed = false;
        for job in group {
            transaction.prepare_cached("SAVEPOINT verb")?.execute([])?;
            let keep = job.run(&tx);
            if !keep {
                // Fails when the trouble was such that SQLite gave up the whole transaction; then the group fails.
                transaction.prepare_cached("ROLLBACK TO verb")?.execute([])?;
            }
            transaction.prepare_cached("RELEASE verb")?.execute([])?;
            changed |= keep;
        }
        if changed {
            transaction.commit()?;
            self.counters.commits.fetch_add(1, Ordering::Relaxed);
        }
        Ok(changed)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, mpsc};

    use tieline::Code;

    use super::*;

    const INSERT: &str = "INSERT INTO meta (name, value) VALUES (?1, x'00')";

    /// A desk without its thread, so that a test decides what makes a group.
    fn desk() -> (Desk, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tieline.db");
        crate::SqliteStore::open(&path).unwrap().close();
        let connection = super::super::connect(&path, rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
        let desk = Desk {
            connection,
            counters: Arc::default(),
            moved: Arc::default(),
        };
        (desk, dir)
    }

    type Answer = oneshot::Receiver<Result<&'static str>>;

    fn job(verb: impl FnOnce(&Tx<'_>) -> Result<Outcome<&'static str>> + Send + 'static) -> (Box<dyn Job>, Answer) {
        let (waiter, answer) = oneshot::channel();
        let verb = Verb {
            verb: Some(verb),
            answer: None,
            waiter,
        };
        (Box::new(verb), answer)
    }

    fn writes(name: &'static str) -> (Box<dyn Job>, Answer) {
        job(move |tx| {
            tx.execute(INSERT, [name])?;
            Ok(Outcome::Changed(name))
        })
    }

    /// Lets the desk work these off as one group; gives what each was answered and what stands in the table.
    fn work_off(
        desk: Desk,
        path: &std::path::Path,
        jobs: Vec<(Box<dyn Job>, Answer)>,
    ) -> (Vec<Result<&'static str>>, Vec<String>) {
        let (sender, receiver) = mpsc::channel();
        let (jobs, answers): (Vec<_>, Vec<_>) = jobs.into_iter().unzip();
        for job in jobs {
            sender.send(job).unwrap();
        }
        drop(sender);
        desk.work_off(&receiver);
        let answers = answers.into_iter().map(|answer| answer.blocking_recv().unwrap());
        let connection = super::super::connect(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        let mut select = connection.prepare("SELECT name FROM meta ORDER BY name").unwrap();
        let names = select
            .query_map([], |row| row.get(0))
            .unwrap()
            .map(|name| name.unwrap());
        (answers.collect(), names.collect())
    }

    #[test]
    fn a_verb_that_fails_takes_only_itself_back() {
        let (desk, dir) = desk();
        let counters = desk.counters.clone();
        let errs = job(|tx| {
            tx.execute(INSERT, ["errs"])?;
            tx.execute(INSERT, ["errs"])?;
            Ok(Outcome::Changed("never"))
        });
        let panics = job(|tx| {
            tx.execute(INSERT, ["panics"])?;
            panic!("on purpose")
        });
        let unchanged = job(|tx| {
            tx.execute(INSERT, ["unchanged"])?;
            Ok(Outcome::Unchanged("unchanged"))
        });
        let jobs = vec![writes("first"), errs, panics, unchanged, writes("last")];
        let (answers, names) = work_off(desk, &dir.path().join("tieline.db"), jobs);
        let answers: Vec<_> = answers
            .iter()
            .map(|answer| answer.as_ref().map_err(Error::code))
            .collect();
        let expected = [
            Ok(&"first"),
            Err(Code::ConnectorDatabaseFailed),
            Err(Code::Internal),
            Ok(&"unchanged"),
            Ok(&"last"),
        ];
        assert_eq!(answers, expected);
        assert_eq!(names, ["first", "last"]);
        assert_eq!(counters.commits.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_commit_that_fails_fails_everyone() {
        let (desk, dir) = desk();
        let counters = desk.counters.clone();
        // A foreign key that is looked at only when the transaction commits.
        let orphan = job(|tx| {
            tx.execute("PRAGMA defer_foreign_keys = ON", [])?;
            let insert = "INSERT INTO connection_secrets VALUES (x'00', x'00', 'field', x'00', NULL, 0)";
            tx.execute(insert, [])?;
            Ok(Outcome::Changed("orphan"))
        });
        let unchanged = job(|_| Ok(Outcome::Unchanged("unchanged")));
        let jobs = vec![writes("before"), orphan, unchanged, writes("after")];
        let (answers, names) = work_off(desk, &dir.path().join("tieline.db"), jobs);
        for answer in answers {
            assert_eq!(answer.unwrap_err().code(), Code::ConnectorDatabaseFailed);
        }
        assert_eq!(names, [""; 0]);
        assert_eq!(counters.commits.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_lost_transaction_fails_everyone() {
        let (desk, dir) = desk();
        // What SQLite does by itself when the disk is full or memory runs out.
        let loses = job(|tx| {
            tx.execute("ROLLBACK", [])?;
            Ok(Outcome::Unchanged("loses"))
        });
        let jobs = vec![writes("before"), loses, writes("after")];
        let (answers, names) = work_off(desk, &dir.path().join("tieline.db"), jobs);
        assert!(answers.iter().all(Result::is_err), "{answers:?}");
        assert_eq!(names, [""; 0]);
    }

    #[test]
    fn a_group_goes_on_after_one_that_failed() {
        let (desk, dir) = desk();
        let counters = desk.counters.clone();
        // The first group is full, so what follows is a second one.
        let ran = Arc::new(Mutex::new(0));
        let loses = job(|tx| {
            tx.execute("ROLLBACK", [])?;
            Ok(Outcome::Unchanged("loses"))
        });
        let mut jobs = vec![loses];
        jobs.extend((1..GROUP_LIMIT).map(|_| {
            let ran = ran.clone();
            job(move |_| {
                *ran.lock().unwrap() += 1;
                Ok(Outcome::Unchanged("idle"))
            })
        }));
        jobs.push(writes("second group"));
        let (mut answers, names) = work_off(desk, &dir.path().join("tieline.db"), jobs);
        assert_eq!(answers.pop().unwrap().unwrap(), "second group");
        assert!(answers.iter().all(Result::is_err));
        assert_eq!(*ran.lock().unwrap(), 0, "nothing runs outside a transaction");
        assert_eq!(names, ["second group"]);
        assert_eq!(counters.commits.load(Ordering::Relaxed), 1);
    }
}
