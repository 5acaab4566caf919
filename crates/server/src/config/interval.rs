//! Times as people write them: a number and its unit, or `off`.

use std::time::Duration;

use super::Reader;
use crate::limits::{MAX_HEALTH_INTERVAL, MIN_HEALTH_INTERVAL};

/// The units, in seconds.
const UNITS: [(&str, u64); 4] = [("s", 1), ("m", 60), ("h", 60 * 60), ("d", 24 * 60 * 60)];

impl Reader {
    /// How often each connection is tested by itself.
    pub(super) fn health_interval(&mut self) -> Option<Duration> {
        let expected = "a time from `1m` to `30d`, such as `30m`, `1h` or `1d`, or `off`";
        self.text("health.interval", expected, |text| {
            let read = interval(text)?;
            let fits = |interval| (MIN_HEALTH_INTERVAL..=MAX_HEALTH_INTERVAL).contains(&interval);
            read.is_none_or(fits).then_some(read)
        })
        .flatten()
    }
}

/// Reads such a time; `off` and nothing at all are none.
fn interval(text: &str) -> Option<Option<Duration>> {
    if matches!(text, "off" | "0") {
        return Some(None);
    }
    let (unit, seconds) = UNITS.into_iter().find(|(unit, _)| text.ends_with(unit))?;
    let number = text.strip_suffix(unit)?;
    let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let number: u64 = digits.then(|| number.parse().ok()).flatten()?;
    let interval = Duration::from_secs(number.checked_mul(seconds)?);
    Some((!interval.is_zero()).then_some(interval))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units_and_none_is_off() {
        let seconds = |text: &str| interval(text).map(|read| read.map(|time| time.as_secs()));
        for (text, expected) in [
            ("1h", Some(Some(3600))),
            ("90s", Some(Some(90))),
            ("30m", Some(Some(1800))),
            ("2d", Some(Some(172_800))),
            ("off", Some(None)),
            ("0", Some(None)),
            ("0h", Some(None)),
            ("", None),
            ("1", None),
            ("h", None),
            ("-1h", None),
            ("+1h", None),
            ("1.5h", None),
            ("1 h", None),
            ("1w", None),
            ("99999999999999999999d", None),
            ("9999999999999999999d", None),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }
}
