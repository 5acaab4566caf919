//! How a service tells what its answer is, where the status does not.

use std::cell::OnceCell;

use regex::Regex;

use super::{FailureKind, Head, kind};
use crate::{
    endpoint::{header_name, read_json_path, read_statuses},
    json::{Json, JsonError, Tree},
    limits,
    lint::{self, Lints},
    node::{Fields, Spot},
    path::Path,
    property::read_pattern,
};

/// How answers are judged. Of each list one condition must hold.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rules {
    success: Vec<Condition>,
    error: Vec<Condition>,
    expired: Vec<Condition>,
    rate_limited: Vec<Condition>,
    unavailable: Vec<Condition>,
}

/// What an answer must be like: all that is said must hold.
#[derive(Debug, Clone)]
struct Condition {
    /// Any when empty.
    statuses: Vec<u16>,
    look: Option<(Place, Ask)>,
}

/// What is looked at.
#[derive(Debug, Clone)]
enum Place {
    /// In lower case.
    Header(String),
    Body(Path),
}

#[derive(Debug, Clone)]
enum Ask {
    Exists(bool),
    OneOf(Vec<Tree>),
    Matches(Regex),
}

/// What the rules make of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Success,
    /// No success, and no rule says more than the status.
    ByStatus,
    Told(FailureKind),
}

impl Verdict {
    /// What it is where it is no success.
    pub(crate) fn kind(self, head: &Head<'_>) -> FailureKind {
        match self {
            Self::Told(kind) => kind,
            Self::Success | Self::ByStatus => kind(head.status),
        }
    }
}

/// The body of an answer, read as JSON when somebody asks.
pub(crate) struct Content<'b> {
    bytes: &'b [u8],
    json: OnceCell<Result<Json, JsonError>>,
}

impl<'b> Content<'b> {
    pub(crate) fn new(bytes: &'b [u8]) -> Self {
        Self {
            bytes,
            json: OnceCell::new(),
        }
    }

    pub(super) fn json(&self) -> Result<&Json, &JsonError> {
        self.json.get_or_init(|| Json::parse_bytes(self.bytes)).as_ref()
    }

    /// What stands at a place, if it is JSON at all.
    pub(super) fn at(&self, path: &Path) -> Option<&Tree> {
        path.first(self.json().ok()?.tree())
    }
}

impl Rules {
    /// GraphQL answers with 200 and a list of errors (the specification, section 7.1).
    pub(super) fn of_graphql(errors: &Path) -> Self {
        Self {
            error: vec![Condition {
                statuses: Vec::new(),
                look: Some((Place::Body(errors.clone()), Ask::Exists(true))),
            }],
            ..Self::default()
        }
    }

    /// What an answer is. Each list is the endpoint's own, else the first of `others` that has it.
    pub(crate) fn judge(&self, others: &[&Self], head: &Head<'_>, content: &Content<'_>) -> Verdict {
        let hold = |list: fn(&Self) -> &Vec<Condition>| {
            let all = std::iter::once(self).chain(others.iter().copied());
            let list = all.map(list).find(|list| !list.is_empty())?;
            Some(list.iter().any(|condition| condition.holds(head, content)))
        };
        let told = [
            (hold(|rules| &rules.expired), FailureKind::Unauthorized),
            (hold(|rules| &rules.rate_limited), FailureKind::RateLimited),
            (hold(|rules| &rules.unavailable), FailureKind::Unavailable),
            (hold(|rules| &rules.error), kind(head.status)),
        ];
        if let Some((_, kind)) = told.into_iter().find(|(holds, _)| *holds == Some(true)) {
            return Verdict::Told(kind);
        }
        let success = hold(|rules| &rules.success);
        if success.unwrap_or((200..300).contains(&head.status)) {
            Verdict::Success
        } else {
            Verdict::ByStatus
        }
    }

    pub(crate) fn read(spot: &Spot<'_>, lints: &mut Lints) -> Self {
        let Some(fields) = spot.fields() else {
            return Self::default();
        };
        let mut list = |key| {
            let spots = fields.get(key).map(|spot| spot.one_or_more()).unwrap_or_default();
            if spots.len() > limits::CONDITIONS {
                let message = format!("at most {} conditions are read", limits::CONDITIONS);
                fields.lint(lints, lint::TOO_COMPLEX, message);
            }
            spots
                .iter()
                .take(limits::CONDITIONS)
                .filter_map(|spot| Condition::read(spot, lints))
                .collect()
        };
        Self {
            success: list("success"),
            error: list("error"),
            expired: list("expired"),
            rate_limited: list("rateLimited"),
            unavailable: list("unavailable"),
        }
    }
}

impl Condition {
    fn holds(&self, head: &Head<'_>, content: &Content<'_>) -> bool {
        let status = self.statuses.is_empty() || self.statuses.contains(&head.status);
        status
            && self
                .look
                .as_ref()
                .is_none_or(|(place, ask)| ask.holds(place, head, content))
    }

    fn read(spot: &Spot<'_>, lints: &mut Lints) -> Option<Self> {
        let fields = spot.fields()?;
        let place = match (fields.get("header"), fields.get("path")) {
            (Some(_), Some(spot)) => {
                spot.lint(
                    lints,
                    lint::CONTRADICTION,
                    "a condition looks at a `header` or at a `path`; write two conditions",
                );
                return None;
            }
            (Some(spot), None) => Some(Place::Header(header_name(&spot.text()?, &spot, lints)?)),
            (None, Some(spot)) => Some(Place::Body(read_json_path(&spot, lints)?)),
            (None, None) => None,
        };
        let asks = read_asks(&fields, lints);
        let statuses = read_statuses(&fields, "status");
        let mut refuse = |message: &str| {
            fields.lint(lints, lint::CONTRADICTION, message);
            None
        };
        let look = match (place, asks.len()) {
            (None, 0) if statuses.is_empty() => {
                return refuse("a condition says nothing; give it a `status`, `header` or `path`");
            }
            (None, 0) => None,
            (None, _) => return refuse("say where to look: in a `header`, or at a `path` of the body"),
            (Some(place), 0) => Some((place, Ask::Exists(true))),
            (Some(place), 1) => Some((place, asks.into_iter().next()?)),
            _ => {
                return refuse(
                    "a condition has one of `equals`, `oneOf`, `matches` and `exists`; write two conditions",
                );
            }
        };
        Some(Self { statuses, look })
    }
}

fn read_asks(fields: &Fields<'_>, lints: &mut Lints) -> Vec<Ask> {
    let mut asks = Vec::new();
    asks.extend(
        fields
            .get_or_null("equals")
            .map(|spot| Ask::OneOf(vec![spot.node.to_tree()])),
    );
    asks.extend(fields.get("oneOf").map(|spot| {
        let values = spot.list();
        Ask::OneOf(values.iter().map(|spot| spot.node.to_tree()).collect())
    }));
    if let Some(spot) = fields.get("matches") {
        asks.extend(read_pattern(&spot, lints).map(|(_, regex)| Ask::Matches(regex)));
    }
    asks.extend(fields.boolean("exists").map(Ask::Exists));
    asks
}

impl Ask {
    fn holds(&self, place: &Place, head: &Head<'_>, content: &Content<'_>) -> bool {
        let header;
        let found = match place {
            Place::Header(name) => {
                header = (head.header)(name).map(|value| Tree::from(value.trim()));
                header.as_ref()
            }
            Place::Body(path) => content.at(path),
        };
        let found = found.filter(|tree| !tree.is_null() || matches!(self, Self::OneOf(_)));
        match self {
            Self::Exists(wanted) => found.is_some() == *wanted,
            // A header is text, whatever the value is written as.
            Self::OneOf(values) => found.is_some_and(|found| {
                let same = |value: &Tree| {
                    value == found
                        || (matches!(place, Place::Header(_))
                            && found.as_str() == Some(&*crate::values::as_text(value)))
                };
                values.iter().any(same)
            }),
            Self::Matches(regex) => found.and_then(super::plain).is_some_and(|text| regex.is_match(&text)),
        }
    }
}
