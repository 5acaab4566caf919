//! How a caller stands with the limits, as headers.

use http::{HeaderMap, HeaderName, HeaderValue};
use tieline::{clock::Timestamp, rate::Standing};

/// How many requests may come at once, how many are left, and in how many seconds all of them are: the fields of the IETF's
/// draft, version 7 (draft-ietf-httpapi-ratelimit-headers).
const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// The same under the names that many clients know. Here the last one is a time: seconds of the Unix clock.
const X_LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const X_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const X_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// Puts a caller's standing on an answer. Times are rounded up to whole seconds: who waits for them is not early.
pub(crate) fn tell(headers: &mut HeaderMap, standing: &Standing) {
    let reset = standing.reset.as_secs() + u64::from(standing.reset.subsec_nanos() > 0);
    for (name, value) in [
        (LIMIT, HeaderValue::from(standing.limit)),
        (REMAINING, HeaderValue::from(standing.remaining)),
        (RESET, HeaderValue::from(reset)),
        (X_LIMIT, HeaderValue::from(standing.limit)),
        (X_REMAINING, HeaderValue::from(standing.remaining)),
        (X_RESET, HeaderValue::from(second(standing.reset_at))),
    ] {
        headers.insert(name, value);
    }
}

/// The first whole second that is not before a time.
fn second(at: Timestamp) -> i64 {
    at.as_second() + i64::from(at.subsec_nanosecond() > 0)
}
