//! How the next page is asked for, and how the last one is known.

use std::collections::BTreeSet;

use crate::{
    endpoint::{header_name, read_json_path},
    lint::{self, Lints},
    node::{Fields, Spot},
    path::Path,
};

/// How an endpoint gives its elements page by page.
#[derive(Debug, Clone)]
pub struct Pagination {
    /// What one page says of the next.
    pub paging: Paging,
    /// Whether the params are sent in the body and not in the query.
    pub in_body: bool,
    /// The param with how many are wanted.
    pub size_param: Option<String>,
    /// How many are asked for.
    pub size: Option<u64>,
    /// How the last page is known.
    pub end: End,
}

/// What one page says of the next.
#[derive(Debug, Clone)]
pub enum Paging {
    /// How many elements are skipped.
    Offset {
        /// The param with it.
        param: String,
    },
    /// A text that the answer gives.
    Cursor {
        /// The param with it.
        param: String,
        /// Where it is in the answer.
        path: Path,
    },
    /// The number of the page.
    Page {
        /// The param with it.
        param: String,
        /// The first page's.
        first: u64,
    },
    /// The address of the next page.
    Link(NextLink),
    /// The id of the last element.
    LastId {
        /// The param with it.
        param: String,
        /// Where it is, from an element.
        path: Path,
    },
}

/// Where the address of the next page is told.
#[derive(Debug, Clone)]
pub enum NextLink {
    /// In this header, in lower case; as RFC 8288 writes it with the relation `next`.
    Header(String),
    /// In the body.
    Path(Path),
}

/// How the last page is known.
#[derive(Debug, Clone)]
pub enum End {
    /// It is empty.
    Empty,
    /// It has fewer elements than were asked for.
    Short,
    /// It gives no cursor.
    NoCursor,
    /// The answer says so.
    HasMore(Path),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Offset,
    Cursor,
    Page,
    Link,
    LastId,
}

pub(crate) const KINDS: &[(&str, Kind)] = &[
    ("offset", Kind::Offset),
    ("cursor", Kind::Cursor),
    ("page", Kind::Page),
    ("link", Kind::Link),
    ("last_id", Kind::LastId),
];

pub(crate) const PLACES: &[(&str, bool)] = &[("query", false), ("body", true)];

pub(crate) const END_CONDITIONS: &[&str] = &["empty_array", "count_less_than_limit", "cursor_null", "has_more_field"];

impl Kind {
    fn word(self) -> &'static str {
        KINDS
            .iter()
            .find(|(_, kind)| *kind == self)
            .map_or("", |(word, _)| word)
    }

    /// The fields that say something for it alone.
    fn own(self) -> &'static [&'static str] {
        match self {
            Self::Offset => &["offsetParam"],
            Self::Cursor | Self::LastId => &["cursorParam", "cursorPath"],
            Self::Page => &["pageParam", "firstPage"],
            Self::Link => &["nextLinkPath"],
        }
    }
}

impl Pagination {
    pub(crate) fn read(spot: &Spot<'_>, lints: &mut Lints) -> Option<Self> {
        let fields = spot.fields()?;
        let kind = fields.get("type").and_then(|spot| spot.one_of(KINDS))?;
        refuse_others(kind, &fields, lints);
        let size_param = match (fields.get("limitParam"), fields.get("pageSizeParam")) {
            (Some(_), Some(spot)) => {
                let message = "`limitParam` and `pageSizeParam` are two names of one thing; leave one out";
                spot.lint(lints, lint::CONTRADICTION, message);
                None
            }
            (one, other) => one.or(other).and_then(|spot| spot.text()),
        };
        let paging = read_paging(kind, &fields, lints);
        let end = fields
            .get("endCondition")
            .map_or(Some(End::Empty), |spot| read_end(&spot, lints));
        Some(Self {
            paging: paging?,
            in_body: fields.get("in").and_then(|spot| spot.one_of(PLACES)).unwrap_or(false),
            size_param,
            size: fields.get("maxLimit").and_then(|spot| spot.integer()),
            end: end?,
        })
    }
}

fn refuse_others(kind: Kind, fields: &Fields<'_>, lints: &mut Lints) {
    let others: BTreeSet<&str> = KINDS.iter().flat_map(|(_, other)| other.own()).copied().collect();
    for key in others.into_iter().filter(|key| !kind.own().contains(key)) {
        if let Some(spot) = fields.get(key) {
            let message = format!("`{key}` says nothing where the type is `{}`; leave it out", kind.word());
            spot.lint(lints, lint::CONTRADICTION, message);
        }
    }
}

fn read_paging(kind: Kind, fields: &Fields<'_>, lints: &mut Lints) -> Option<Paging> {
    let param = |key, default: &str| fields.text(key).unwrap_or_else(|| default.to_owned());
    let cursor_path = |lints: &mut Lints| {
        let spot = fields.get("cursorPath");
        if spot.is_none() {
            fields.lint(
                lints,
                lint::MISSING_FIELD,
                "the field `cursorPath` is missing: the type needs it",
            );
        }
        spot.and_then(|spot| read_json_path(&spot, lints))
    };
    Some(match kind {
        Kind::Offset => Paging::Offset {
            param: param("offsetParam", "offset"),
        },
        Kind::Cursor => Paging::Cursor {
            path: cursor_path(lints)?,
            param: param("cursorParam", "cursor"),
        },
        Kind::LastId => Paging::LastId {
            path: cursor_path(lints)?,
            param: param("cursorParam", "cursor"),
        },
        Kind::Page => Paging::Page {
            param: param("pageParam", "page"),
            first: fields.get("firstPage").and_then(|spot| spot.integer()).unwrap_or(1),
        },
        Kind::Link => Paging::Link(match fields.get("nextLinkPath") {
            None => NextLink::Header("link".to_owned()),
            Some(spot) => read_link(&spot, lints)?,
        }),
    })
}

fn read_link(spot: &Spot<'_>, lints: &mut Lints) -> Option<NextLink> {
    match spot.text()?.strip_prefix("header:") {
        Some(name) => header_name(name.trim(), spot, lints).map(NextLink::Header),
        None => read_json_path(spot, lints).map(NextLink::Path),
    }
}

fn read_end(spot: &Spot<'_>, lints: &mut Lints) -> Option<End> {
    let fields = spot.fields()?;
    let kind = fields.text("type")?;
    let field = fields.get("field");
    if kind != "has_more_field" {
        if let Some(spot) = field {
            let message = "`field` belongs to the type `has_more_field`; leave it out";
            spot.lint(lints, lint::CONTRADICTION, message);
        }
        return match kind.as_str() {
            "empty_array" => Some(End::Empty),
            "count_less_than_limit" => Some(End::Short),
            "cursor_null" => Some(End::NoCursor),
            _ => None,
        };
    }
    if field.is_none() {
        fields.lint(
            lints,
            lint::MISSING_FIELD,
            "the field `field` is missing: the type needs it",
        );
    }
    read_json_path(&field?, lints).map(End::HasMore)
}
