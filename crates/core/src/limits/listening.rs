//! Bounds of those who listen: events, hooks, telemetry.

use std::time::Duration;

use super::TOTAL;

/// Events that a subscription keeps for a slow subscriber. An event takes 500 bytes or so: half a megabyte each.
pub const SUBSCRIPTION_QUEUE: usize = 1024;

/// Events that wait for one handler.
pub const HANDLER_QUEUE: usize = 1024;

/// How long a handler or a hook may take for one event: the calls it makes in turn are over by then. One that hangs is cut,
/// so that the end does not wait for it for ever.
pub const HANDLER_TIMEOUT: Duration = TOTAL;

/// How long handlers of all events let those of one scope go first.
pub const LOCAL_HANDLERS_FIRST: Duration = Duration::from_secs(1);

/// Hooks that run at once: they send requests of the program's own, and it has other things to do.
pub const HOOKS_AT_ONCE: usize = 64;

/// Hooks that run or wait to be run. What they would hear of is dropped beyond, and counted.
pub const HOOKS_WAITING: usize = 4096;

/// How long the end waits for handlers and hooks: one run of each that was under way.
pub const HANDLERS_CLOSE_PATIENCE: Duration = HANDLER_TIMEOUT;

/// Telemetry that waits for one transport. An envelope takes a kilobyte or two: four megabytes at most.
pub const TELEMETRY_QUEUE: usize = 2048;

/// Envelopes handed to a transport at once.
pub const TELEMETRY_BATCH: usize = 256;

/// How long a transport may take for a batch.
pub const TELEMETRY_SEND_TIMEOUT: Duration = Duration::from_secs(10);

/// How often a batch is offered to a transport before it is dropped: a collector that restarts is back by then.
pub const TELEMETRY_ATTEMPTS: u32 = 3;

/// The pause before a batch is offered again; then twice as long.
pub const TELEMETRY_PAUSE: Duration = Duration::from_secs(1);

/// How long the end waits for telemetry.
pub const TELEMETRY_CLOSE_PATIENCE: Duration = Duration::from_secs(5);

/// Longest text of an attribute, in characters.
pub const MAX_ATTRIBUTE_CHARS: usize = 1000;

/// Attributes of one envelope, members of a value in it, and items of a list: more is nobody's to read.
pub const MAX_ATTRIBUTES: usize = 128;

/// How deep values within values are looked at.
pub const MAX_ATTRIBUTE_DEPTH: usize = 16;

// Telemetry on its way out.

/// A file of telemetry, before the next one is begun.
pub const TELEMETRY_FILE_BYTES: u64 = 32 * 1024 * 1024;

/// Files of telemetry that are kept: a quarter of a gigabyte together.
pub const TELEMETRY_FILES: usize = 8;

/// Entries that a stream of telemetry is trimmed to: some hundred megabytes of a server's memory.
pub const TELEMETRY_STREAM_ENTRIES: u64 = 100_000;

/// A collector's answer: it says how much it did not take.
pub const TELEMETRY_ANSWER_BYTES: usize = 64 * 1024;

/// A line that Redis answers: a word or a sentence.
pub const MAX_RESP_LINE_BYTES: u64 = 4096;

/// A string that Redis answers to what we ask: the place of an entry.
pub const MAX_RESP_BULK_BYTES: u64 = 4096;
