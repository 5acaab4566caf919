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

/// What a look found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    Holds,
    Differs,
    /// Nothing at all, where the body should say something.
    Silent,
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
    /// The body should say at one of these places whether it is a success, and does not.
    Silent,
}

impl Verdict {
    /// What it is where it is no success.
    pub(crate) fn kind(self, head: &Head<'_>) -> FailureKind {
        match self {
            Self::Told(kind) => kind,
            Self::Silent => FailureKind::Malformed,
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
            let mut conditions = self.or_others(others, list).iter();
            conditions.any(|condition| condition.status(head) && condition.look(head, content) == Look::Holds)
        };
        let told = [
            (hold(|rules| &rules.expired), FailureKind::Unauthorized),
            (hold(|rules| &rules.rate_limited), FailureKind::RateLimited),
            (hold(|rules| &rules.unavailable), FailureKind::Unavailable),
            (hold(|rules| &rules.error), kind(head.status)),
        ];
        if let Some((_, kind)) = told.into_iter().find(|(holds, _)| *holds) {
            return Verdict::Told(kind);
        }
        let is_2xx = (200..300).contains(&head.status);
        let success = self.or_others(others, |rules| &rules.success);
        let meant = |condition: &&Condition| match condition.statuses.is_empty() {
            true => is_2xx,
            false => condition.status(head),
        };
        let looks: Vec<Look> = success
            .iter()
            .filter(meant)
            .map(|condition| condition.look(head, content))
            .collect();
        if success.is_empty() && is_2xx || looks.contains(&Look::Holds) {
            Verdict::Success
        } else if looks.contains(&Look::Differs) {
            Verdict::Told(kind(head.status))
        } else if looks.contains(&Look::Silent) {
            Verdict::Silent
        } else {
            Verdict::ByStatus
        }
    }

    /// Where the body has to say that it is a success, told for an error.
    pub(crate) fn success_places(&self, others: &[&Self]) -> String {
        let success = self.or_others(others, |rules| &rules.success).iter();
        let places = success.filter_map(|condition| match &condition.look {
            Some((Place::Body(path), _)) => Some(path.as_str()),
            _ => None,
        });
        places.collect::<Vec<_>>().join(" or ")
    }

    fn or_others<'r>(&'r self, others: &[&'r Self], list: fn(&Self) -> &Vec<Condition>) -> &'r [Condition] {
        let all = std::iter::once(self).chain(others.iter().copied());
        let mut lists = all.map(list);
        lists.find(|list| !list.is_empty()).map_or(&[], Vec::as_slice)
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
    fn status(&self, head: &Head<'_>) -> bool {
        self.statuses.is_empty() || self.statuses.contains(&head.status)
    }

    fn look(&self, head: &Head<'_>, content: &Content<'_>) -> Look {
        match &self.look {
            None => Look::Holds,
            Some((place, ask)) if ask.holds(place, head, content) => Look::Holds,
            Some((Place::Body(path), _)) if content.at(path).is_none() => Look::Silent,
            Some(_) => Look::Differs,
        }
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
