//! Reading how long an upstream asks us to wait.

use std::time::Duration;

use jiff::Timestamp;

use crate::limits::RETRY_AFTER;

/// The pause in a `Retry-After` (RFC 9110 section 10.2.3) or in a field of the same meaning: seconds, decimals allowed,
/// or a date. An hour at most; a date that is past is no pause. Nothing where it is neither.
pub fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    let longest = RETRY_AFTER.as_secs_f64();
    if text.starts_with(|first: char| first.is_ascii_digit()) {
        let seconds: f64 = text.parse().ok()?;
        return Some(Duration::from_secs_f64(seconds.min(longest)));
    }
    let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    let pause = Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO);
    Some(pause.min(RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    // L1: never more than an hour, in whichever form it is asked for.
    #[test]
    fn l1_every_form_is_read_and_bounded() {
        let now: Timestamp = "2026-11-20T10:00:00Z".parse().unwrap();
        for (text, pause) in [
            ("7", Some(Duration::from_secs(7))),
            (" 0 ", Some(Duration::ZERO)),
            ("1.25", Some(Duration::from_millis(1250))),
            ("7200", Some(RETRY_AFTER)),
            ("99999999999999999999999", Some(RETRY_AFTER)),
            ("1e999", Some(RETRY_AFTER)),
            ("Fri, 20 Nov 2026 10:01:00 GMT", Some(Duration::from_secs(60))),
            ("Fri, 20 Nov 2026 23:00:00 GMT", Some(RETRY_AFTER)),
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(Duration::ZERO)),
            ("soon", None),
            ("-1", None),
            ("inf", None),
            ("NaN", None),
            ("1 second", None),
            ("", None),
        ] {
            assert_eq!(retry_after(text, now), pause, "{text:?}");
        }
    }
}
