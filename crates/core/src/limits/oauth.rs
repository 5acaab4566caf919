//! Bounds of signing in with OAuth 2.0.

use std::time::Duration;

/// How long a sign-in that was begun may take: a person types a password and a second factor meanwhile.
pub const OAUTH_STATE_LIFE: Duration = Duration::from_secs(10 * 60);

/// Sign-ins of one tenant that are under way: more than people who sign in within ten minutes; the oldest give way.
pub const MAX_OAUTH_STATES: usize = 1000;

/// A token request as a whole: short of the lease, so that whoever holds it has an answer before it is over.
pub const TOKEN_REQUEST: Duration = Duration::from_secs(20);

/// A token answer, and the answer that tells who signed in: tokens with their claims are a few kilobytes.
pub const TOKEN_ANSWER_BYTES: usize = 64 * 1024;

/// The query that a person comes back with: code, state and issuer are a few kilobytes.
pub const OAUTH_CALLBACK_BYTES: usize = 16 * 1024;

/// What a browser is given to bring back where nothing is stored: browsers keep 4096 bytes, name and attributes included.
pub const OAUTH_COOKIE_BYTES: usize = 3800;

/// Sign-ins that came back, remembered in one process where nothing is stored, so that each is taken once there.
pub const MAX_SPENT_STATES: usize = 10_000;

/// How long before their end tokens are renewed; half of their life where that is shorter.
pub const RENEWAL_AHEAD: Duration = Duration::from_secs(15 * 60);

/// So shortly before their end tokens are not used any more; a tenth of their life where that is shorter. A call takes time.
pub const TOKEN_MARGIN: Duration = Duration::from_secs(60);

/// How long whoever renews tokens is alone at it. A request takes a third, writing down its answer the rest.
pub const RENEWAL_LEASE: Duration = Duration::from_secs(60);
const _: () = assert!(RENEWAL_LEASE.as_secs() >= 3 * TOKEN_REQUEST.as_secs());

/// How long tokens that were got because the service refused those before are not refused again.
pub const FORCED_RENEWAL_REST: Duration = Duration::from_secs(60);

/// Rest after a renewal that failed; twice as long after the next, and so on.
pub const RENEWAL_REST: Duration = Duration::from_secs(2);

/// The longest such rest.
pub const RENEWAL_REST_MOST: Duration = Duration::from_secs(5 * 60);

/// How often who waits for another process's renewal looks at the row, and up to how much more, so that not all look at once.
pub const RENEWAL_LOOK: Duration = Duration::from_millis(100);

/// How long somebody waits for another's renewal: its request, and time to write down the answer.
pub const RENEWAL_PATIENCE: Duration = Duration::from_secs(25);

/// How long new tokens are held in memory while the store does not take them: the old ones may be gone at the service.
pub const NEW_TOKENS_KEPT: Duration = Duration::from_secs(120);

/// A token's longest life that is believed: ten years. What is longer has no end.
pub const TOKEN_LIFE_MOST: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);
