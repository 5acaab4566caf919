//! How often a service may be asked, and how it tells that it was asked too often.

use super::{Manifest, Rate, RateLimit, ResetFormat};
use crate::{
    endpoint::{header_name, read_json_path},
    lint::{self, Lints},
    node::{Fields, Spot},
    response::Head,
};

/// What an answer said of the requests that are left: none, until then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exhausted {
    /// When there are some again, as the service wrote it.
    pub reset: String,
    /// How that is to be read.
    pub format: ResetFormat,
}

impl Manifest {
    /// Whether an answer, even one that worked, says that no requests are left.
    pub fn exhausted(&self, head: &Head<'_>) -> Option<Exhausted> {
        let header = |name: &Option<String>| (head.header)(name.as_deref()?).map(str::trim);
        let limit = &self.rate_limit;
        let none_left = header(&limit.remaining_header)?.parse() == Ok(0_u64);
        let reset = header(&limit.reset_header).filter(|_| none_left)?;
        Some(Exhausted {
            reset: reset.to_owned(),
            format: limit.reset_format,
        })
    }
}

/// The connector's `rateLimit`.
pub(super) fn read(spot: &Spot<'_>, lints: &mut Lints) -> (RateLimit, Option<Rate>) {
    let mut limit = RateLimit::default();
    let Some(fields) = spot.fields() else {
        return (limit, None);
    };
    let header = |name, lints: &mut Lints| {
        fields
            .get(name)
            .and_then(|spot: Spot<'_>| header_name(&spot.text()?, &spot, lints))
    };
    if let Some(name) = header("retryAfterHeader", lints) {
        limit.retry_after_header = name;
    }
    limit.remaining_header = header("remainingHeader", lints);
    limit.reset_header = header("resetHeader", lints);
    if fields.get("remainingHeader").is_some() != fields.get("resetHeader").is_some() {
        let message =
            "`remainingHeader` and `resetHeader` belong together: one says that none are left, the other until when";
        spot.lint(lints, lint::CONTRADICTION, message);
    }
    limit.reset_format = fields
        .get("resetFormat")
        .and_then(|spot| spot.one_of(ResetFormat::WORDS))
        .unwrap_or(limit.reset_format);
    limit.retry_after_path = fields
        .get("retryAfterPath")
        .and_then(|spot| read_json_path(&spot, lints));
    if fields.get("burstLimit").is_some() && fields.get("requestsPerMinute").is_none() {
        fields.lint(
            lints,
            lint::MISSING_FIELD,
            "the field `requestsPerMinute` is missing: `burstLimit` is a part of it",
        );
    }
    (limit, read_rate(&fields))
}

/// An endpoint's `rateLimit`.
pub(crate) fn of_endpoint(spot: &Spot<'_>) -> Option<Rate> {
    read_rate(&spot.fields()?)
}

fn read_rate(fields: &Fields<'_>) -> Option<Rate> {
    let number = |name| {
        let number = fields.get(name).and_then(|spot| spot.integer())?;
        u32::try_from(number).ok()
    };
    let per_minute = number("requestsPerMinute")?;
    Some(Rate {
        per_minute,
        burst: number("burstLimit").unwrap_or(per_minute),
    })
}
