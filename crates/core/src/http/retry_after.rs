//! Reading how long an upstream asks us to wait.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tieline_manifest::{Exhausted, ResetFormat};

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

/// In how long an exhausted service takes requests again; an hour at most. Nothing where it did not say it readably.
pub fn reset(exhausted: &Exhausted, now: Timestamp) -> Option<Duration> {
    let at = match exhausted.format {
        ResetFormat::Seconds => return retry_after(&exhausted.reset, now),
        ResetFormat::Epoch => Timestamp::from_second(exhausted.reset.parse().ok()?),
        ResetFormat::EpochMs => Timestamp::from_millisecond(exhausted.reset.parse().ok()?),
    };
    let pause = at.ok()?.duration_since(now).max(SignedDuration::ZERO);
    Some(Duration::try_from(pause).unwrap_or_default().min(RETRY_AFTER))
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

    #[test]
    fn l1_a_reset_is_read_in_every_format_and_bounded() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let read = |reset: &str, format| {
            let reset = reset.to_owned();
            super::reset(&Exhausted { reset, format }, now)
        };
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(read("7", ResetFormat::Seconds), seconds(7));
        assert_eq!(read("1800000007", ResetFormat::Epoch), seconds(7));
        assert_eq!(read("1800000007000", ResetFormat::EpochMs), seconds(7));
        assert_eq!(read("1800090000", ResetFormat::Epoch), Some(RETRY_AFTER));
        assert_eq!(read("1700000000", ResetFormat::Epoch), seconds(0));
        for unreadable in ["", "soon", "9223372036854775807", "1.5"] {
            assert_eq!(read(unreadable, ResetFormat::Epoch), None, "{unreadable:?}");
        }
    }
}
