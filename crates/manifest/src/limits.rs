//! Every bound of this room, with its reason.

/// Nesting of JSON from outside. Dropping, comparing and JSON Schema checks recurse, so it stays far below the stack.
pub const JSON_DEPTH: usize = 64;
/// Values and keys in one JSON text: a megabyte of `[[],[],…` must not become a gigabyte of tree.
pub const JSON_NODES: usize = 100_000;
/// Bytes of one object key: keys end up in error paths and indexes.
pub const JSON_KEY_BYTES: usize = 1024;
/// Bytes of an upstream's JSON answer after decompression.
pub const JSON_ANSWER_BYTES: usize = 10 * 1024 * 1024;
/// Bytes of an action's input: 10 MiB of attachments (13.4 MiB in base64) with the texts around them.
pub const JSON_INPUT_BYTES: usize = 15 * 1024 * 1024;
/// Bytes of the JSON body of a request to our own API.
pub const JSON_REQUEST_BYTES: usize = 1024 * 1024;

/// Characters of a word that a failed test is called by: the longest we know of has half as many.
pub const TEST_CODE_CHARS: usize = 64;

/// Bytes of a manifest; the largest we know of is a tenth of this.
pub const MANIFEST_BYTES: usize = 1024 * 1024;
/// Nesting of a manifest: properties inside properties are the deepest thing in it.
pub const MANIFEST_DEPTH: usize = 32;
/// Nodes of a manifest.
pub const MANIFEST_NODES: usize = 50_000;
/// Problems reported for one manifest: more help nobody.
pub const LINTS: usize = 100;
/// Endpoints of one manifest: each becomes an action in catalog, OpenAPI and tool lists.
pub const ENDPOINTS: usize = 500;
/// Bytes of one template: it is compiled once and kept.
pub const TEMPLATE_BYTES: usize = 64 * 1024;
/// Steps in a placeholder's path.
pub const PLACEHOLDER_STEPS: usize = 16;
/// Bytes a compiled pattern may take: a regular expression of a tenant must not eat memory.
pub const PATTERN_BYTES: usize = 1024 * 1024;
/// Nesting of a pattern's groups.
pub const PATTERN_NEST: u32 = 100;
/// Bytes of values written into one request: a template may name a large input many times.
pub const REQUEST_BYTES: usize = 10 * 1024 * 1024;
/// Inputs of one endpoint; a form with more helps nobody.
pub const INPUTS: usize = 500;
/// Auth methods of one manifest.
pub const AUTH_METHODS: usize = 50;
/// Fields of one auth method.
pub const FIELDS: usize = 100;
/// Named details of one answer: more is no summary.
pub const DETAILS: usize = 20;
/// Characters of a number that is shown as one in a detail: every reader of JSON keeps so many. A longer one is shown as a
/// text.
pub const SHOWN_DIGITS: usize = 15;
/// Codes of a service that a manifest gives a meaning: each error is looked up among them.
pub const ERROR_CODES: usize = 500;
/// Characters of a plain text that is a code and no sentence.
pub const CODE_CHARS: usize = 64;
/// Hosts in one field: far more than one credential is meant for.
pub const HOSTS_IN_FIELD: usize = 100;
/// Headers of one mapping; a server takes a hundred lines at most.
pub const HEADERS: usize = 100;
/// Values, empty ones and those around others too, that are written into a bracketed form or a query: each has its whole
/// name and place put together.
pub const FORM_VALUES: usize = 10_000;

/// The shortest time limit that a real service can meet.
pub const TIMEOUT_MIN_MS: u64 = 1_000;
/// The longest time a caller is kept waiting.
pub const TIMEOUT_MAX_MS: u64 = 120_000;
/// Requests a minute that a manifest may declare: more is no limit.
pub const REQUESTS_PER_MINUTE_MAX: u64 = 1_000_000;
/// Repeats of one call.
pub const RETRIES_MAX: u64 = 10;
/// Pause between repeats, in milliseconds.
pub const RETRY_DELAY_MAX_MS: u64 = 60_000;
/// Characters of an upstream's error message that are kept.
pub const UPSTREAM_MESSAGE_CHARS: usize = 500;
/// Characters of an icon's word or a colour: they stand in pages of ours.
pub const SIGN_CHARS: usize = 200;
/// Elements of a page that may be asked for.
pub const PAGE_SIZE_MAX: u64 = 10_000;
/// Signatures of one delivery that are compared: a sender that changes its secret signs with both for a while.
pub const SIGNATURES: usize = 8;
/// Seconds that the time of a signed webhook may be off: beyond it a delivery that was kept could be played again.
pub const TOLERANCE_MAX_SECONDS: u64 = 3_600;
/// Seconds that a manifest may say a token lives: a year.
pub const TOKEN_LIFE_MAX_SECONDS: u64 = 31_536_000;
/// Field mappings of one record; more columns help nobody.
pub const FIELD_MAPPINGS: usize = 500;
/// Routes of a connector's webhooks: each is held against every delivery.
pub const ROUTES: usize = 200;
/// Conditions of one rule: each is held against every answer.
pub const CONDITIONS: usize = 50;
/// Bytes of an expression: it is given to an engine with little memory.
pub const EXPRESSION_BYTES: usize = 16 * 1024;
