//! Every bound of this crate, with its reason.

use std::time::Duration;

/// How many verbs may wait for the writer, and how many reads for the readers. A writer that syncs a slow disk a
/// hundred times a second still empties this in well under a second, because it commits in groups; whoever comes when
/// it is full is better off elsewhere or later.
pub const QUEUE_LIMIT: usize = 4096;

/// What callers are told to wait when the queue is full: it empties in less.
pub(crate) const PAUSE_WHEN_FULL: Duration = Duration::from_secs(1);

/// How many verbs one commit takes together. The cost of a sync is spread thin long before this many; more would only
/// make the first of them wait for the last.
pub(crate) const GROUP_LIMIT: usize = 512;

/// Threads that read. Reads are short and mostly from memory; a second thread keeps a long list from blocking lookups.
pub(crate) const READERS: usize = 2;

/// How long to wait for another process that writes, such as a backup, before giving up.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Prepared statements kept per connection: more than this crate has.
pub(crate) const STATEMENT_CACHE: usize = 128;

/// Bytes to which the write-ahead log is cut back after a checkpoint, so that one burst does not keep its disk space.
pub(crate) const WAL_KEPT_BYTES: i64 = 64 * 1024 * 1024;

/// Connections of a pool to PostgreSQL, unless told. A server of two cores is busy with fewer; PostgreSQL's own default is
/// a hundred for all processes together.
pub(crate) const CONNECTIONS: usize = 16;

/// How long making a connection may take, with TLS and a password's many rounds, before the verb fails.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a verb waits for a connection. Verbs take milliseconds: whoever waits this long waits for a database that hangs.
pub(crate) const CONNECTION_WAIT: Duration = Duration::from_secs(10);

/// How long PostgreSQL may work on one statement. The longest are a page of a search and a batch of the ledger.
pub(crate) const STATEMENT_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a transaction may stand still before PostgreSQL ends it, with its locks. Verbs never pause: only a process that
/// was stopped leaves one open.
pub(crate) const IDLE_TRANSACTION_TIMEOUT: Duration = Duration::from_secs(30);

/// How often a verb is run when PostgreSQL takes it back, because of a deadlock or because a row kept moving. Each time
/// somebody else got on, so more often than this means that something else is wrong.
pub(crate) const ATTEMPTS: usize = 8;

/// Events of one change, whose number has so many places beside its transaction's.
pub(crate) const EVENTS_PER_CHANGE: u32 = 1 << 16;

/// How long to wait before the connection that hears of other processes' changes is made anew. Followers look by
/// themselves meanwhile.
pub(crate) const LISTEN_AGAIN: Duration = Duration::from_secs(1);

/// Longest name of an adapter's table: PostgreSQL cuts longer ones, so that two of them may be one.
pub(crate) const MAX_TABLE_NAME_BYTES: usize = 63;
