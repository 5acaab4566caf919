//! Times in queries.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de::Error as _};
use tieline::clock::{Date, SignedDuration, Timestamp};

/// A day and nothing beside it: jiff reads the day of a time too.
fn day(text: &str) -> Option<Date> {
    text.parse().ok().filter(|day: &Date| day.to_string() == text)
}

/// A time in a query: RFC 3339, or a day, which is its first moment in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment(pub(crate) Timestamp);

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let midnight = || format!("{}T00:00:00Z", day(&text)?).parse().ok();
        let time = text.parse().ok().or_else(midnight);
        time.map(Self).ok_or_else(|| {
            D::Error::custom("must be a time such as `2026-11-20T09:00:00Z`, or a day such as `2026-11-20`")
        })
    }
}

impl JsonSchema for Moment {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Moment".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string" })
    }
}

/// The end of a time in a query: that time with its last microsecond, or a whole day in UTC. Holds what comes right after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct End(pub(crate) Timestamp);

impl<'de> Deserialize<'de> for End {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let length = match day(&text) {
            Some(_) => SignedDuration::from_hours(24),
            None => SignedDuration::from_micros(1),
        };
        let Moment(begin) = Moment::deserialize(serde::de::value::StringDeserializer::new(text))?;
        // At the end of time there is nothing behind it.
        Ok(Self(begin.checked_add(length).unwrap_or(Timestamp::MAX)))
    }
}

impl JsonSchema for End {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "End".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string" })
    }
}

/// A day in a query, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Day(pub(crate) Date);

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        day(&text)
            .map(Self)
            .ok_or_else(|| D::Error::custom("must be a day such as `2026-11-20`"))
    }
}

impl JsonSchema for Day {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Day".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string" })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_time_is_a_moment_or_a_day() {
        let read = |text: &str| serde_json::from_value::<Moment>(json!(text)).map(|moment| moment.0.to_string());
        assert_eq!(read("2026-11-20T09:00:00.5+02:00").unwrap(), "2026-11-20T07:00:00.5Z");
        assert_eq!(read("2026-11-20").unwrap(), "2026-11-20T00:00:00Z");
        for wrong in ["", "yesterday", "2026-13-01", "2026-11-20T09:00:00", "1700000000"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        for wrong in ["2026-02-30", "2026-11-20T09:00:00Z", "20261120"] {
            assert!(serde_json::from_value::<Day>(json!(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_end_includes_its_day_and_its_moment() {
        let read = |text: &str| serde_json::from_value::<End>(json!(text)).map(|end| end.0.to_string());
        assert_eq!(read("2026-11-20").unwrap(), "2026-11-21T00:00:00Z");
        assert_eq!(read("2026-12-31").unwrap(), "2027-01-01T00:00:00Z");
        assert_eq!(read("2026-11-20T09:00:00Z").unwrap(), "2026-11-20T09:00:00.000001Z");
        assert_eq!(read("9999-12-30").unwrap(), Timestamp::MAX.to_string());
        assert!(read("2026-13-01").is_err());
    }
}
