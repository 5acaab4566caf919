//! Every bound of the library, with its reason.

mod listening;
mod oauth;

pub use self::{listening::*, oauth::*};

use std::time::Duration;

/// Wrong places named in one error: enough to mend a form, too few to flood an answer.
pub const MAX_FIELD_ERRORS: usize = 20;

/// An action's input, as JSON text: 10 MiB of attachments (13.4 MiB in base64) with the texts around them.
pub const MAX_INPUT_BYTES: usize = tieline_manifest::limits::JSON_INPUT_BYTES;

/// An idempotency key of a call, as the services that take one bound it.
pub const MAX_IDEMPOTENCY_KEY_BYTES: usize = 255;

/// Time for the test of a connection: a person waits for it.
pub const CONNECTION_TEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Time for a connector's own judgement of a configuration: a person waits for it.
pub const VALIDATION_TIMEOUT: Duration = CONNECTION_TEST_TIMEOUT;
/// Connections tested at once because their time has come: a sixteenth of a tenant's turns at most, and enough for a hundred
/// thousand connections an hour whose services answer within half a second.
pub const TESTS_AT_ONCE: usize = 16;
const _: () = assert!(TESTS_AT_ONCE * 16 <= MAX_CALLS_IN_FLIGHT_PER_TENANT);

/// A tenth of the interval is what a connection's next time varies by, earlier or later: tests that came together once part.
pub const HEALTH_JITTER: u32 = 10;

/// How long a process that took a test may be at it, before another takes it for lost: several times what it takes.
pub const HEALTH_LEASE: Duration = Duration::from_secs(60);
const _: () = assert!(HEALTH_LEASE.as_secs() >= 3 * (CONNECTION_TEST_TIMEOUT.as_secs() + OPENING_TIMEOUT.as_secs()));

/// How often a process looks whether a test is due: one statement. What is due before its time is looked at at once.
pub const HEALTH_LOOK: Duration = Duration::from_secs(10);

/// Rest before a test is made again whose result could not be kept, because the connection was changed meanwhile or the
/// store refused it.
pub const RETEST_PAUSE: Duration = Duration::from_secs(60);

/// Tests remembered of one connection: four days of hourly ones, some 200 bytes each.
pub const TESTS_KEPT: usize = 100;

/// How long tests are remembered.
pub const TESTS_KEPT_FOR: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Calls at once in one process: each costs a task and a connection. What they hold is bounded by [`MAX_MEMORY`].
pub const MAX_CALLS_IN_FLIGHT: usize = 1024;

/// Calls at once of one tenant: a fraction of the whole, so that one tenant cannot take every turn.
pub const MAX_CALLS_IN_FLIGHT_PER_TENANT: usize = 256;

/// Exchanges at once of one tenant with one host: half of its calls, so that a service that answers slowly does not keep
/// the tenant's other services waiting.
pub const MAX_EXCHANGES_PER_HOST: usize = MAX_CALLS_IN_FLIGHT_PER_TENANT / 2;

/// Bytes of requests and answers in memory at once: of a request's body from its announcement until it is answered, of an
/// upstream's answer that is read whole from its first byte until its call is over, of our own answer until it was sent.
/// Each is there as text and as a tree, and for moments three or four times while it is read and written; passwords take
/// 76 MiB of their own; and the whole server is meant to stay under 256 MiB. Streams hold only the piece that is under way
/// and are not counted.
pub const MAX_MEMORY: usize = 32 * 1024 * 1024;

/// The same for one tenant: half, so that one tenant's uploads and unread answers do not keep the others out; room for a
/// call with as large an input as there may be, or for the largest answer.
pub const MAX_MEMORY_PER_TENANT: usize = MAX_MEMORY / 2;
const _: () = assert!(MAX_INPUT_BYTES <= MAX_MEMORY_PER_TENANT && ANSWER_BYTES <= MAX_MEMORY_PER_TENANT);

/// Memory for what comes in without saying how much it will be is made sure of in pieces of so many bytes.
pub const MEMORY_PIECE: usize = 64 * 1024;

/// Requests and answers up to this size are not counted: as many as there may be calls or connections of one source hold
/// 16 MiB of them, and ordinary calls go on while large ones are refused.
pub const SMALL_BYTES: usize = 16 * 1024;

/// What a refused caller is told to wait when we are over capacity.
pub const OVERLOAD_RETRY_AFTER: Duration = Duration::from_secs(1);

/// Calls whose rows are not in the store yet: those under way, and those that ended since. A row takes 300 to 500 bytes, so
/// this is 8 MiB; a store that keeps up needs room for a second's worth.
pub const LEDGER_ROOM: usize = 16 * 1024;
const _: () = assert!(LEDGER_ROOM >= 4 * FLUSH_ROWS && LEDGER_ROOM > MAX_CALLS_IN_FLIGHT);

/// Calls written in one transaction. At some ten microseconds each it holds the store's writer for 20 ms at most.
pub const FLUSH_ROWS: usize = 2048;

/// How long a call that ended waits for others before it is written down. Each batch costs every tenant in it one audit
/// entry, and a crash loses what waits.
pub const FLUSH_INTERVAL: Duration = Duration::from_secs(1);

/// Rest before calls are offered again to a store that refused them.
pub const FLUSH_PAUSE: Duration = Duration::from_secs(1);

/// The longest rest before a tenant's calls are offered again that the store refuses while it takes those of others: what
/// is wrong with one tenant's ledgers is mended by a person, and then it need not take long.
pub const SET_ASIDE_PAUSE: Duration = Duration::from_secs(60);

/// Calls of one tenant that are kept in memory while the store refuses them; then its calls are refused. An eighth of all
/// room, so that one tenant's broken ledgers do not take the others' room.
pub const SET_ASIDE_ROWS: usize = LEDGER_ROOM / 8;

/// Tenants whose rows are refused one after the other before the rest waits for another time: then it is not their
/// ledgers that are broken, it is the store.
pub const REFUSALS_IN_A_ROW: usize = 8;

/// Rows looked at for one page of a list that is filtered by what has no index; the next page goes on from there.
pub const MAX_ROWS_SCANNED: usize = 20_000;

/// Audit entries in one step of an export: what of it is in memory.
pub const EXPORT_STEP: usize = 500;

/// Rows read at a time to verify them: some hundred kilobytes, and a few milliseconds of one of the store's readers.
pub const VERIFY_STEP: usize = 1000;

/// Tenants' ledgers verified at the same time: it reads all there is, and others want to read too.
pub const VERIFICATIONS_AT_ONCE: usize = 4;

/// What is told to wait who would verify while others do: most ledgers take less.
pub const VERIFY_RETRY_AFTER: Duration = Duration::from_secs(5);

/// Audit entries that a page may skip and take together, counted from the log's end or beginning. Whoever goes on farther
/// does so from a cursor, or by time.
pub const MAX_AUDIT_WINDOW: usize = 10_000;

/// How often what is old is taken out and heads of audit chains are published. An hour is the most of a chain's end that
/// somebody with the database can cut off and nobody sees.
pub const HOUSE_INTERVAL: Duration = Duration::from_secs(60 * 60);

/// Heads published in one round: lines in the log.
pub const HEADS_AT_ONCE: usize = 1000;

/// API keys whose use is written down in one hour: a bound for memory, far above any honest hour.
pub const MAX_KEYS_SAMPLED: usize = 10_000;

/// Rows taken out in one transaction, so that whoever else writes waits for a few milliseconds only.
pub const PRUNE_ROWS: usize = 1000;

/// Tenants looked through at a time by what goes through all of them.
pub const TENANTS_AT_ONCE: usize = 100;

/// How long changes stay in the feed. Followers are milliseconds behind; one that slept for longer begins anew.
pub const FEED_KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Days that usage is summed up over at once: a leap year.
pub const MAX_USAGE_DAYS: i64 = 366;

/// Longest pause between two attempts of one call (an upstream may ask for hours; the caller should not hang).
pub const MAX_RETRY_PAUSE: Duration = Duration::from_secs(30);

/// Calls that a tenant makes for each repeat it may have: a service in trouble gets a tenth more to do, not four times as much.
pub const CALLS_FOR_A_REPEAT: u32 = 10;

/// Repeats that a tenant has even without calls, and that come back within a minute: who makes few calls needs theirs too.
pub const REPEATS_A_MINUTE: u32 = 10;

/// Repeats that a tenant can have saved up: those of a thousand calls.
pub const MAX_REPEATS: u32 = 100;

/// Tenants whose repeats are counted; of more, whoever called longest ago begins anew. 50 bytes each.
pub const MAX_REPEATING_TENANTS: usize = 4096;

/// Opened connections kept ready. Each holds its secrets in memory, a few kilobytes at most.
pub const OPENED_CONNECTIONS: usize = 10_000;

/// Opened shared credentials kept ready. Each holds its secrets in memory, a few kilobytes at most.
pub const OPENED_CREDENTIALS: usize = 10_000;

/// Fields of a shared credential that is for any connector: more than any service asks for.
pub const MAX_CREDENTIAL_FIELDS: usize = 50;

/// A shared credential's metadata, as text: notes, not documents.
pub const MAX_METADATA_BYTES: usize = 16 * 1024;

/// A description of a shared credential or a connection, in characters: a few sentences.
pub const MAX_DESCRIPTION_CHARS: usize = 1000;

/// Connections named when a credential cannot be deleted because of them.
pub const MAX_USERS_TOLD: usize = MAX_FIELD_ERRORS;

/// How long before a shared credential expires this is announced: time for a person to get a new one.
pub const EXPIRY_NOTICE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Credentials whose expiry is announced at a time.
pub const EXPIRY_BATCH: usize = 100;

/// API keys kept ready.
pub const CACHED_API_KEYS: usize = 10_000;

/// API keys looked up at once. A lookup takes well under a millisecond, so a flood of wrong keys on as many connections as
/// there may be keeps a good one waiting for a moment, and everybody else's statements not at all.
pub const MAX_KEY_LOOKUPS: usize = 8;

/// Keys whose last use is kept in memory until it is written down, once a minute. More are noted a minute later.
pub const MAX_NOTED_API_KEYS: usize = 10_000;

/// Callers whose requests are counted; the one that was silent for longest is forgotten. A counter is 100 bytes.
pub const COUNTED_KEYS: usize = 20_000;

/// Tenants whose requests and tests are counted.
pub const COUNTED_TENANTS: usize = 10_000;

/// Addresses whose wrong keys are counted: a flood from more than so many makes room for each other only.
pub const COUNTED_SOURCES: usize = 20_000;

/// Connections whose calls are counted, and their actions that have limits of their own.
pub const COUNTED_CONNECTIONS: usize = 20_000;

// What one tenant may have. Requests that come at the same moment may each be the last one that fits, so a few more than so
// many are possible.

/// Connections of a tenant: those of a product with tens of thousands of customers. A row takes a kilobyte or two.
pub const MAX_CONNECTIONS_PER_TENANT: usize = 100_000;

/// Shared credentials of a tenant: each is named by a person.
pub const MAX_CREDENTIALS_PER_TENANT: usize = 10_000;

/// API keys of a tenant that are not revoked: programs, not customers.
pub const MAX_API_KEYS_PER_TENANT: usize = 1_000;

/// Networks that one API key may be used from: each is looked at with every request.
pub const MAX_KEY_NETWORKS: usize = 64;

/// Members of a tenant: a large company's staff.
pub const MAX_MEMBERS_PER_TENANT: usize = 5_000;

/// Invitations of a tenant that nobody has accepted.
pub const MAX_INVITATIONS_PER_TENANT: usize = 1_000;

/// Tenants that a process remembers to be deleted, so that nothing more begins for them: what was on its way when it heard
/// of it comes within moments.
pub const MAX_GONE_TENANTS: usize = 1000;

// People.

/// Shortest password, in characters: with a slow hash and throttled guesses, twelve of one's own choosing hold.
pub const MIN_PASSWORD_CHARS: usize = 12;

/// Different characters in it: fewer is a pattern.
pub const MIN_PASSWORD_DISTINCT: usize = 5;

/// Longest password, in bytes: a page of text, and nothing that costs time to hash.
pub const MAX_PASSWORD_BYTES: usize = 1024;

/// Argon2id's memory for one password: OWASP's first recommendation for it is 19 MiB, two passes, one lane.
pub const PASSWORD_MEMORY_KIB: u32 = 19 * 1024;

/// Argon2id's passes, see [`PASSWORD_MEMORY_KIB`].
pub const PASSWORD_PASSES: u32 = 2;

/// Argon2id's lanes, see [`PASSWORD_MEMORY_KIB`].
pub const PASSWORD_LANES: u32 = 1;

/// Passwords hashed at once: 76 MiB, which are kept for the next, so that a flood of sign-ins cannot eat the memory of
/// everybody else.
pub const MAX_PASSWORD_HASHES: usize = 4;

/// Who waits for a turn to hash. At tens of milliseconds a hash the last of them waits about a second; more are refused.
pub const MAX_WAITING_PASSWORDS: usize = 64;

/// Longest e-mail address (RFC 5321 section 4.5.3.1.3, without the angle brackets).
pub const MAX_EMAIL_CHARS: usize = 254;

/// A session that is not used for so long has ended: a night, not a weekend.
pub const SESSION_IDLE: Duration = Duration::from_secs(12 * 60 * 60);

/// A session ends after so long however much it is used.
pub const SESSION_LIFE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// How often it is written down that a session is in use: a write for every request would be one too many.
pub const SESSION_SEEN_EVERY: Duration = Duration::from_secs(60);

/// Sessions of one member at once: browsers and machines enough; the oldest gives way.
pub const MAX_SESSIONS_PER_MEMBER: usize = 20;

/// Sessions kept ready, and as many members and persons.
pub const CACHED_SESSIONS: usize = 10_000;

/// The link for the first person is good for so long after the server's start; the next start makes another.
pub const SETUP_LINK_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// An invitation is good for so long.
pub const INVITATION_LIFE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// A link to set a new password is good for so long: who asked for it waits for it.
pub const RESET_LINK_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// Tenants that one person belongs to: a list that is told whole at sign-in.
pub const MAX_MEMBERSHIPS: usize = 200;

/// Failed sign-ins from one address before it has to wait, and how long one of them counts. An office behind one address
/// mistypes less often; successes do not count.
pub const SOURCE_ATTEMPTS: (u32, Duration) = (30, Duration::from_secs(10));

/// The same for one account from one address: five guesses, then one a minute.
pub const ACCOUNT_ATTEMPTS_FROM_SOURCE: (u32, Duration) = (5, Duration::from_secs(60));

/// The same for one account from everywhere. Looser, because it is what a stranger could lock the owner out with: eight
/// thousand guesses a day find no password of [`MIN_PASSWORD_CHARS`] characters.
pub const ACCOUNT_ATTEMPTS: (u32, Duration) = (50, Duration::from_secs(10));

/// Addresses and accounts whose failures are remembered at once, of each kind. Beyond it everybody unknown shares one
/// count: a flood makes all wait, and not memory grow.
pub const MAX_THROTTLED: usize = 50_000;

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

/// How often a process shows that it lives, and learns how many others do: one small write each, and after so long all of
/// them count with the share of a limit that is theirs.
pub const HEARTBEAT: Duration = Duration::from_secs(2);

/// A process silent for this long is taken to be gone, and the others take its share. Some heartbeats may be late; and one
/// that cannot reach the store lets nobody in any more by then, because its caches are cold.
pub const PROCESS_SILENCE: Duration = Duration::from_secs(10);
const _: () =
    assert!(PROCESS_SILENCE.as_secs() >= 4 * HEARTBEAT.as_secs() && PROCESS_SILENCE.as_secs() > FEED_SILENCE.as_secs());

/// How often a process tends to what is due by itself: a last use or an expiry need be known to the minute.
pub const TENDING_INTERVAL: Duration = Duration::from_secs(60);

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

/// Time for one answer of an embedding program's own adapter. One that takes longer hangs, and whoever waits for it would too.
pub const ADAPTER_TIMEOUT: Duration = Duration::from_secs(10);

/// What an adapter is given to keep of one connection: its configuration, two dozen of the largest secrets in base64, and the
/// words around them. Databases keep a megabyte without further thought.
pub const MAX_RECORD_BYTES: usize = 1024 * 1024;

/// Time for one answer of an embedding program's own vault, which may ask a service for its keys.
pub const VAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// Fields that are sealed beside those that manifests declare secret: more than any connector has.
pub const MAX_SEALED_FIELD_NAMES: usize = 200;

/// A connection's public configuration, as text.
pub const MAX_CONFIG_BYTES: usize = 64 * 1024;

/// Connections in one batch: a page of a list that somebody marked, and all of them tested well within
/// [`IDEMPOTENCY_LEASE`].
pub const MAX_BATCH: usize = 100;

/// Connections of one batch that are worked on at once: one batch takes a twentieth of its tenant's turns.
pub const BATCH_AT_ONCE: usize = 12;
const _: () = assert!(
    MAX_BATCH.div_ceil(BATCH_AT_ONCE) as u64 * CONNECTION_TEST_TIMEOUT.as_secs() < IDEMPOTENCY_LEASE.as_secs()
        && BATCH_AT_ONCE * 20 < MAX_CALLS_IN_FLIGHT_PER_TENANT
);

/// Names tried (`name-2`, `name-3` …) before a collision is given back to the caller.
pub const MAX_NAME_ATTEMPTS: usize = 100;

/// How long the answer to a request with an idempotency key is kept for repeats: whoever repeats later has given up.
pub const IDEMPOTENCY_KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a request with an idempotency key is taken to be running. The longest call takes 120 s and what stands around
/// it some seconds more; a run that has not ended by then was lost with its process.
pub const IDEMPOTENCY_LEASE: Duration = Duration::from_secs(180);

/// What a repeat is told to wait while the first request runs: most end sooner.
pub const IDEMPOTENCY_RETRY_AFTER: Duration = Duration::from_secs(1);

/// An answer that is kept for repeats. What is made has kilobytes; the largest outputs of actions would fill the disk.
pub const MAX_KEPT_ANSWER_BYTES: usize = 256 * 1024;

/// The answers of one tenant that are kept for repeats, together and as sealed: a hundred thousand ordinary ones, or 250 of
/// the largest. Of more, the oldest make room: who repeats does so within seconds or minutes.
pub const MAX_KEPT_ANSWERS_PER_TENANT: usize = 64 * 1024 * 1024;
const _: () = assert!(MAX_KEPT_ANSWERS_PER_TENANT >= 100 * MAX_KEPT_ANSWER_BYTES);

/// Rows removed at a time once their day is over: the writer is busy with them for milliseconds.
pub const PRUNE_BATCH: usize = 500;

/// How often what is over is removed. Nobody sees it meanwhile; it only takes space.
pub const PRUNE_INTERVAL: Duration = Duration::from_secs(60);

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
/// How many addresses of one name are tried. More would only burn the time for connecting.
pub const DIALLED_ADDRESSES: usize = 4;
/// How long resolving, connecting and the TLS handshake may take together. A reachable host needs milliseconds.
pub const CONNECT: Duration = Duration::from_secs(5);
/// How long the head of an answer may take once the last piece of the request is on its way.
pub const FIRST_BYTE: Duration = Duration::from_secs(15);
/// How long a call may take in all, unless its manifest or the operator say otherwise.
pub const TOTAL: Duration = Duration::from_secs(30);
/// How much of a request's body is handed to the connection at once. Each piece that goes shows that the upload moves.
pub const REQUEST_PIECE: usize = 64 * 1024;
/// How long a body may stand still, an answer's and one that is passed on.
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
/// Processes like this one that a request may come through before it is taken for one that goes round: two stand behind
/// each other where one connects to the other, more is a chain nobody builds.
pub const HOPS: usize = 4;
/// By when the answer to a passed-on request must have begun. Bodies are bounded by their pauses alone, so this bounds an
/// upload that never stands still and never ends.
pub const PASSED_ON: Duration = Duration::from_secs(24 * 60 * 60);
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

// Webhooks that arrive.

/// Largest body of a webhook. Services send events of some kilobytes, and cut them at a quarter of a megabyte or so.
pub const WEBHOOK_BODY_BYTES: usize = 1024 * 1024;

/// How long the body of a webhook may take to arrive: its sender has it whole before it begins.
pub const WEBHOOK_BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a webhook may be worked on. Its sender waits for the answer, and few of them longer.
pub const WEBHOOK_TIMEOUT: Duration = Duration::from_secs(30);

/// Webhooks that are read or worked on at once. With [`WEBHOOK_BODY_BYTES`] it bounds their memory; a sender that is refused
/// comes again.
pub const WEBHOOKS_AT_ONCE: usize = 64;

/// Longest base path and base URL of the routes: an address is to stay far below [`URL_BYTES`].
pub const MAX_BASE_BYTES: usize = 2 * 1024;
