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
