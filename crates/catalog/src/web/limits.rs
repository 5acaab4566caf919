//! Bounds of requests of the caller's own making, each with its reason.

/// Headers of one request: servers take a hundred lines at most, and ours come beside them.
pub(super) const MAX_HEADERS: usize = 64;

/// A header's value: the least that common servers take for a whole line.
pub(super) const MAX_HEADER_BYTES: usize = 8 * 1024;

/// Query parameters and form fields: what common servers read of a form.
pub(super) const MAX_PARAMS: usize = 1000;

/// How long a request may take unless it says it: as long as any call.
pub(super) const TIMEOUT_MS: u64 = 30_000;

/// The shortest time that a real service can meet.
pub(crate) const MIN_TIMEOUT_MS: u64 = 1_000;

/// The longest time a caller is kept waiting.
pub(crate) const MAX_TIMEOUT_MS: u64 = 120_000;

/// Levels that the output puts around an answer's JSON.
pub(super) const LEVELS_AROUND: usize = 2;

/// Bytes and values that the output has besides an answer's JSON: its headers, and what is said of the request.
pub(super) const BYTES_AROUND: usize = 512 * 1024;
/// See [`BYTES_AROUND`].
pub(super) const NODES_AROUND: usize = 1000;
