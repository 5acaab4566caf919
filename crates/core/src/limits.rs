//! Every bound of the library, with its reason.

use std::time::Duration;

/// Wrong places named in one error: enough to mend a form, too few to flood an answer.
pub const MAX_FIELD_ERRORS: usize = 20;

/// An action's input, as JSON text: 10 MiB of attachments (13.4 MiB in base64) with the texts around them.
pub const MAX_INPUT_BYTES: usize = tieline_manifest::limits::JSON_INPUT_BYTES;

/// Time for the test of a connection: a person waits for it.
pub const CONNECTION_TEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Calls at once in one process; each may hold an answer of 10 MiB, so more would endanger memory.
pub const MAX_CALLS_IN_FLIGHT: usize = 1024;

/// Calls at once of one tenant: a fraction of the whole, so that one tenant cannot take every turn.
pub const MAX_CALLS_IN_FLIGHT_PER_TENANT: usize = 256;

/// What a refused caller is told to wait when we are over capacity.
pub const OVERLOAD_RETRY_AFTER: Duration = Duration::from_secs(1);

/// Longest pause between two attempts of one call (an upstream may ask for hours; the caller should not hang).
pub const MAX_RETRY_PAUSE: Duration = Duration::from_secs(30);

/// Opened connections kept ready. Each holds its secrets in memory, a few kilobytes at most.
pub const OPENED_CONNECTIONS: usize = 10_000;

/// API keys kept ready.
pub const CACHED_API_KEYS: usize = 10_000;

/// Denied attempts of one tenant written down in a minute. Whoever is refused more often than at so many places is seen
/// well enough by the first of them.
pub const MAX_DENIALS_PER_MINUTE: usize = 60;

/// Tenants whose denied attempts are written down in the same minute: a bound for memory, far above any honest day.
pub const MAX_DENYING_TENANTS: usize = 10_000;

/// How often a process looks at the feed by itself; notifications only make it faster.
pub const FEED_INTERVAL: Duration = Duration::from_millis(500);

/// A feed silent for this long makes caches cold: better slow than stale.
pub const FEED_SILENCE: Duration = Duration::from_secs(5);

/// Changes read from the feed at a time.
pub const FEED_BATCH: usize = 500;

/// Rows in one page of a list, at most.
pub const MAX_PAGE: usize = 200;

/// Rows in one page of a list, unless asked otherwise.
pub const DEFAULT_PAGE: usize = 50;

/// Longest name or display name of a connection, tenant or key, in characters.
pub const MAX_NAME_CHARS: usize = 100;

/// A secret field. A private key in PEM has three or four kilobytes, a service account's file about as many.
pub const MAX_SECRET_BYTES: usize = 16 * 1024;

/// An account's label as shown: it is the service's text, and it is kept in no column of its own.
pub const MAX_LABEL_BYTES: usize = 500;

/// Time to find and open a connection before a call: a store that takes longer is in trouble.
pub const OPENING_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection's public configuration, as text.
pub const MAX_CONFIG_BYTES: usize = 64 * 1024;

/// Names tried (`name-2`, `name-3` …) before a collision is given back to the caller.
pub const MAX_NAME_ATTEMPTS: usize = 100;

/// Times a conditional update is tried against other writers of the same row.
pub const MAX_UPDATE_ATTEMPTS: usize = 8;
/// How often one data key may seal. NIST SP 800-38D section 8.3 allows 2^32 uses of a key with random 96-bit nonces;
/// past it, two equal nonces become likely enough to matter.
pub const MAX_SEALS_PER_DATA_KEY: u64 = 1 << 32;

/// The largest value the vault seals, in bytes: the largest answer we read, with room for its wrapping.
pub const MAX_SEALED_PLAIN_BYTES: usize = 16 * 1024 * 1024;

/// How many tenants' data keys are kept opened. A key is about 1 KiB in memory; a tenant left out costs one read.
pub const MAX_CACHED_KEY_RINGS: usize = 10_000;

/// The shortest secret that is scrubbed by its value. Shorter ones occur in ordinary text by chance, and scrubbing
/// them would blacken everything else.
pub const MIN_SCRUBBED_SECRET_BYTES: usize = 8;

// The way out.

/// Longest URL we send a request to. Servers commonly refuse request lines over 8 KiB.
pub const URL_BYTES: usize = 8 * 1024;
/// Longest host name (RFC 1035 section 2.3.4).
pub const HOST_BYTES: usize = 253;
/// How long a name look-up may take: resolvers give up on their own only after tens of seconds.
pub const RESOLVE: Duration = Duration::from_secs(5);
/// How many addresses of one name are tried. More would only burn the time for connecting.
pub const DIALLED_ADDRESSES: usize = 4;
/// How long resolving, connecting and the TLS handshake may take together. A reachable host needs milliseconds.
pub const CONNECT: Duration = Duration::from_secs(5);
/// How long the head of an answer may take once the last piece of the request is on its way.
pub const FIRST_BYTE: Duration = Duration::from_secs(15);
/// How much of a request's body is handed to the connection at once. Each piece that goes shows that the upload moves.
pub const REQUEST_PIECE: usize = 64 * 1024;
/// How long an answer's body may stand still.
pub const IDLE_READ: Duration = Duration::from_secs(10);
/// Largest head of an answer, and with it the read buffer of a connection.
pub const ANSWER_HEAD_BYTES: usize = 64 * 1024;
/// Most header lines of an answer. It is also hyper's own bound, up to which it parses without allocating.
pub const ANSWER_HEADERS: usize = 100;
/// Most provisional (1xx) answers before the real one: each is free for the sender and costs us a parse.
pub const PROVISIONAL_ANSWERS: usize = 10;
/// Largest body we read whole, after decompression.
pub const ANSWER_BYTES: usize = 10 * 1024 * 1024;
/// How many times its compressed size a body may grow; text compresses to a tenth, a bomb to a thousandth.
pub const DECOMPRESSION_RATIO: usize = 100;
/// Below this size no ratio is held against a body: small answers of zeroes are honest and harmless.
pub const DECOMPRESSION_FREE_BYTES: usize = 1024 * 1024;
/// Longest pause an upstream can ask of us; a longer wish is cut to this.
pub const RETRY_AFTER: Duration = Duration::from_secs(60 * 60);
/// How many tenants keep idle connections; the one unused for longest gives way.
pub const TENANT_POOLS: usize = 1024;
/// Idle connections kept for one tenant and host.
pub const IDLE_PER_HOST: usize = 32;
/// How long an idle connection is kept. Many servers close theirs after a minute, and a close that crosses a request
/// on its way costs an error.
pub const IDLE_CONNECTION: Duration = Duration::from_secs(30);
/// The longest name that is looked at for being a secret's: longer ones do not occur, and looking back for a name must
/// not cost more with the length of the text.
pub const MAX_SECRET_NAME_BYTES: usize = 128;
