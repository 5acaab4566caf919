//! Bounds of the database connector, each with its reason.

use std::time::Duration;

/// Rows of one answer unless asked otherwise: a page that a program or a person looks through.
pub(super) const ROWS: u32 = 1000;

/// The most rows of one answer. More is a sync's work.
pub(super) const MAX_ROWS: u32 = 10_000;

/// Bytes that a server may send in one call, all messages together: with what JSON adds they fit an answer's 10 MiB.
pub(super) const MAX_RECEIVED_BYTES: usize = 8 * 1024 * 1024;

/// Values and names in one answer, just below what our JSON may have.
pub(super) const MAX_NODES: usize = 95_000;

/// Bytes that a server may send before the sign-in is done: some notices and settings.
pub(super) const MAX_GREETING_BYTES: usize = 256 * 1024;

/// A statement: long ones are made by programs, and take the server's memory.
pub(super) const MAX_SQL_BYTES: usize = 1024 * 1024;

/// Parameters of a statement: the protocol counts them in 16 bits.
pub(super) const MAX_PARAMS: usize = 32_767;

/// Columns of a table and of an answer are 1600 at most (PostgreSQL, Appendix K); this is what is read of a catalog.
pub(super) const MAX_COLUMNS: u32 = 2000;

/// An identifier in bytes before PostgreSQL cuts it, with room for names of longer builds.
pub(super) const MAX_NAME_BYTES: usize = 255;

/// Characters of a server's words that we repeat in an error.
pub(super) const MAX_SHOWN_CHARS: usize = 300;

/// Levels of an array: PostgreSQL has six.
pub(super) const MAX_ARRAY_LEVELS: usize = 6;

/// How long a call may take unless it says it: as long as any call.
pub(super) const TIMEOUT_MS: u64 = 30_000;

/// The shortest time in which a connection and a statement can be done.
pub(super) const MIN_TIMEOUT_MS: u64 = 1_000;

/// The longest time a caller is kept waiting.
pub(super) const MAX_TIMEOUT_MS: u64 = 120_000;

/// What is kept of a call's time to have an overdue statement cancelled on the server, which takes a connection of its own.
pub(super) const CANCELLING: Duration = Duration::from_millis(1_500);

/// How long after our own patience the server ends a statement by itself. It does so where we could not tell it to: because
/// the caller left, or the way to the server is gone.
pub(super) const SERVERS_GRACE: Duration = Duration::from_secs(2);

/// How often a server looks whether we are still there while it works (PostgreSQL 14 and later), in milliseconds.
pub(super) const LOOKING_AFTER_MS: &str = "1000";
