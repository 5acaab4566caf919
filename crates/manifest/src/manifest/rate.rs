//! How often a service may be asked, and how it tells that it was asked too often.

use super::{Manifest, Rate, RateLimit, ResetFormat};
use crate::{
    endpoint::{header_name, read_json_path},
    limits,
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
    let Some(mut fields) = spot.fields(lints) else {
        return (limit, None);
    };
    let mut header = |name, lints: &mut Lints| {
        fields
            .get(name)
            .and_then(|spot: Spot<'_>| header_name(&spot.text(lints)?, &spot, lints))
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
        .and_then(|spot| spot.one_of(ResetFormat::WORDS, lints))
        .unwrap_or(limit.reset_format);
    limit.retry_after_path = fields
        .get("retryAfterPath")
        .and_then(|spot| read_json_path(&spot, lints));
    let rate = read_rate(&mut fields, false, lints);
    fields.close(&[], lints);
    (limit, rate)
}

/// An endpoint's `rateLimit`.
pub(crate) fn of_endpoint(spot: &Spot<'_>, lints: &mut Lints) -> Option<Rate> {
    let mut fields = spot.fields(lints)?;
    let rate = read_rate(&mut fields, true, lints);
    fields.close(&[], lints);
    rate
}

fn read_rate(fields: &mut Fields<'_>, required: bool, lints: &mut Lints) -> Option<Rate> {
    if required || fields.get("burstLimit").is_some() {
        fields.need("requestsPerMinute", lints);
    }
    let mut number = |name, lints: &mut Lints| {
        let number = fields
            .get(name)
            .and_then(|spot: Spot<'_>| spot.integer(1..=limits::REQUESTS_PER_MINUTE_MAX, lints));
        number.and_then(|number| u32::try_from(number).ok())
    };
    let (per_minute, burst) = (number("requestsPerMinute", lints), number("burstLimit", lints));
    let per_minute = per_minute?;
    Some(Rate {
        per_minute,
        burst: burst.unwrap_or(per_minute),
    })
}
