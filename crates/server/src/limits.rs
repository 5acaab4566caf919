//! Every bound of the front door, with its reason.

use std::time::Duration;

/// The shortest time between two tests of a connection by itself that an operator can set: services count requests too.
pub const MIN_HEALTH_INTERVAL: Duration = Duration::from_secs(60);

/// The longest: as long as tests are remembered.
pub const MAX_HEALTH_INTERVAL: Duration = tieline::limits::TESTS_KEPT_FOR;

/// A passphrase in place of a master key: four random words or more. Shorter ones are guessed, however slow each guess.
pub const MIN_PASSPHRASE_CHARS: usize = 20;

/// Different characters in it: fewer is a pattern.
pub const MIN_PASSPHRASE_DISTINCT: usize = 8;

/// A manifest's file: the largest of ours is a tenth of it.
pub const MAX_MANIFEST_BYTES: u64 = 1024 * 1024;

/// Manifests in the operator's folder: all are held in memory.
pub const MAX_SHELF: usize = 1000;

/// A file of certificate authorities: a whole system's bundle is a quarter of it.
pub const MAX_CA_BYTES: u64 = 1024 * 1024;

/// What a command reads from a file or from standard input: as much as an action's input may hold.
pub const MAX_INPUT_BYTES: u64 = MAX_INPUT_BODY_BYTES as u64;

/// What a command reads of an answer of the running server: the largest output of an action, and what stands around it.
pub const MAX_LOCAL_ANSWER_BYTES: usize = 16 * 1024 * 1024;

/// A command's connection to the running server on its own machine.
pub const LOCAL_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A command's wait for an answer: the longest call (120 s) with its repeats and pauses.
pub const LOCAL_ANSWER_TIMEOUT: Duration = Duration::from_secs(600);

/// Tenants asked for at a time by a command that goes through all.
pub const TENANTS_PAGE: usize = 200;

/// A request body. A connection's configuration is kilobytes.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;

/// A body from somebody who is nobody yet: an address, a name and a password.
pub const MAX_STRANGERS_BODY_BYTES: usize = 16 * 1024;

/// The body of a call: an action's input may hold files in base64. Only a caller who was let in and may call actions is
/// read so far, so that nobody else can make the server hold that much.
pub const MAX_INPUT_BODY_BYTES: usize = tieline::limits::MAX_INPUT_BYTES;

/// The body of a call must have arrived by then: 15 MiB at a slow 128 KiB/s.
pub const INPUT_READ_TIMEOUT: Duration = Duration::from_secs(120);

/// A whole body must have arrived by then: 1 MiB at a slow 35 KiB/s. A slower sender would hold memory for long.
pub const BODY_READ_TIMEOUT: Duration = Duration::from_secs(30);

/// A sender slower than this, in bytes a second, is cut even before that.
pub const BODY_MIN_RATE: u64 = 1024;

/// The rate is not asked for before: lines pause, and small bodies come at once or not at all.
pub const BODY_RATE_GRACE: Duration = Duration::from_secs(5);

/// The longest wait for a connection that an operator can set: TCP itself seldom tries longer.
pub const MAX_CONNECT_SECONDS: i64 = 60;

/// The longest wait for anything else of an upstream, and the longest call: a caller is kept waiting as long.
pub const MAX_CALL_SECONDS: i64 = 120;

/// Requests a minute that a limit can be set to: more than one machine answers.
pub const MAX_RATE: i64 = 100_000_000;

/// An answer that its reader takes nothing of for so long is given up, and with it the connection.
pub const ANSWER_IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// A reader slower than this, in bytes a second, is given up even though it reads now and then: an answer of 10 MiB is
/// held for eleven minutes at most.
pub const ANSWER_MIN_RATE: u64 = 16 * 1024;

/// All headers must have arrived by then.
pub const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(10);

/// The request line and all headers together: 8 KiB of URI and 32 KiB of headers.
pub const MAX_HEAD_BYTES: usize = MAX_URI_BYTES + 32 * 1024;

/// Header lines of one request.
pub const MAX_HEADERS: usize = 100;

/// The request's URI: our longest own path is under 200 bytes, the rest is room for queries.
pub const MAX_URI_BYTES: usize = 8 * 1024;

/// What is as large as this goes back to the system when it is let go. Left to itself glibc keeps it for the next that is as
/// large, once for each thread that ever held one: three times what [`tieline::limits::MAX_MEMORY`] allows for. Asking the
/// system for a mebibyte costs a small part of what is done with it.
pub const LARGE_ALLOCATION_BYTES: usize = 1024 * 1024;

/// Connections open at once; further ones wait to be accepted. Each costs a task and up to [`MAX_HEAD_BYTES`].
pub const MAX_CONNECTIONS: usize = 4096;

/// Connections open at once from one address (IPv6: from one network of 64 bits). A quarter of all: a proxy in front of us
/// has room for as many requests at once as we run calls, and one stranger cannot take every seat.
pub const MAX_CONNECTIONS_PER_SOURCE: usize = MAX_CONNECTIONS / 4;

/// Connections from which on there is a crowd, and heads have to be short.
pub const CROWD: usize = MAX_CONNECTIONS / 4;

/// The request line and all headers together while there is a crowd. Browsers and programs send 1 or 2 KiB; with room for
/// [`MAX_HEAD_BYTES`] on every connection there may be, heads that never end would hold a quarter of a gibibyte.
pub const MAX_CROWDED_HEAD_BYTES: usize = MAX_URI_BYTES + 4 * 1024;

/// Connections open at once from the operator's own proxies, all of them together: what is left over is for whoever comes
/// straight to us, such as this machine's own commands. Whom they pass on is bounded by [`MAX_CONNECTIONS_PER_SOURCE`] each.
pub const MAX_CONNECTIONS_OF_PROXIES: usize = MAX_CONNECTIONS - MAX_CONNECTIONS_PER_SOURCE;

/// Open requests get this long to end when the server is asked to stop. The process is to be gone within 30 s, before
/// whoever asked loses patience, so calls with longer time limits are cut.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(25);

/// Those who are cut get this long to take the answer that says so. What is left of the 30 s is for the store.
pub const CUT_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a browser may remember what a listed origin may send: a change of ours is seen after that.
pub const CORS_MAX_AGE: Duration = Duration::from_secs(600);

/// How long the store may take to say that it works: one that takes longer does not.
pub const READY_STORE_TIMEOUT: Duration = Duration::from_secs(2);

/// How long the answer of `/ready` holds for whoever else asks: a flood of questions costs one look a second.
pub const READY_CACHED: Duration = Duration::from_secs(1);

/// After a failed accept (too many open files, for one) the listener rests, lest it spin.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
