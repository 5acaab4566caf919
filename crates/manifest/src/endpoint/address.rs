//! Where a request goes: a base URL and a path below it. Nothing that comes in can change the host.

use url::Url;

use crate::{
    lint::{self, Lints},
    node::Spot,
    request::{Encode, Text},
    template::{Names, Place, Template, write_place},
    values::{FieldProblem, Found, Scope, as_text},
};

/// The beginning of a URL, compiled.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Address {
    /// The whole comes from one placeholder.
    Whole(Place),
    /// Scheme and host, then segments of a path.
    Parts { origin: Template, segments: Vec<Template> },
}

/// A path's segments, compiled.
pub(crate) type Segments = Vec<Template>;

/// Whether a text is an absolute http or https URL with nothing in it that URL parsers disagree about.
pub(crate) fn is_plain_url(text: &str) -> bool {
    plain_url(text).is_some()
}

fn plain_url(text: &str) -> Option<Url> {
    let odd = |byte: u8| !byte.is_ascii_graphic() || byte == b'\\';
    if text.bytes().any(odd) {
        return None;
    }
    let url = Url::parse(text).ok()?;
    let plain = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && !text.contains('@');
    plain.then_some(url)
}

impl Address {
    pub(crate) fn read(spot: &Spot<'_>, names: &mut Names<'_>, lints: &mut Lints) -> Option<Self> {
        let text = spot.text()?;
        let whole = names.settle(Template::parse(&text, names.local), spot, lints)?;
        if let Some(place) = whole.whole() {
            return Some(Self::Whole(place.clone()));
        }
        let bad = |message: &str, lints: &mut Lints| {
            spot.lint(lints, lint::BAD_URL, message);
            None
        };
        let Some((scheme, rest)) = text
            .split_once("://")
            .filter(|(scheme, _)| matches!(*scheme, "http" | "https"))
        else {
            return bad(
                "an absolute URL with https:// is expected, or one placeholder for the whole",
                lints,
            );
        };
        if rest.contains(['?', '#']) {
            return bad("a base URL has no query and no fragment; use `queryParams`", lints);
        }
        let (host, path) = match rest.find('/') {
            Some(at) => (&rest[..at], &rest[at..]),
            None => (rest, ""),
        };
        let origin = names.settle(Template::parse(&format!("{scheme}://{host}"), names.local), spot, lints)?;
        if origin.has_secret() {
            return bad(
                "a secret cannot be a part of the host; let one secret field hold the whole URL",
                lints,
            );
        }
        if !is_plain_url(&origin.sample()) {
            return bad(
                "host and port cannot be read; user names, blanks and backslashes are not allowed",
                lints,
            );
        }
        let mut segments = Vec::new();
        for segment in path.trim_end_matches('/').split('/').skip(1) {
            segments.push(read_segment(Template::parse(segment, names.local), spot, names, lints)?);
        }
        Some(Self::Parts { origin, segments })
    }

    /// The host, when it holds no placeholder.
    pub(crate) fn fixed_host(&self) -> Option<String> {
        match self {
            Self::Whole(_) => None,
            Self::Parts { origin, .. } => plain_url(origin.as_literal()?)?.host_str().map(str::to_owned),
        }
    }

    /// The placeholders in it.
    pub(crate) fn places(&self) -> Box<dyn Iterator<Item = &Place> + '_> {
        match self {
            Self::Whole(place) => Box::new(std::iter::once(place)),
            Self::Parts { origin, segments } => {
                Box::new(origin.places().chain(segments.iter().flat_map(Template::places)))
            }
        }
    }

    pub(crate) fn is_whole(&self) -> bool {
        matches!(self, Self::Whole(_))
    }

    /// Writes the URL up to its path, without a slash at the end. Says whether it has a query already.
    pub(crate) fn write(
        &self,
        scope: &Scope<'_>,
        may_have_query: bool,
        problems: &mut Vec<FieldProblem>,
        out: &mut Text,
    ) -> bool {
        match self {
            Self::Whole(place) => match write_whole(place, scope, may_have_query, out) {
                Ok(has_query) => return has_query,
                Err(problem) => problems.push(problem),
            },
            Self::Parts { origin, segments } => {
                if let Err(problem) = write_origin(origin, scope, out) {
                    problems.push(problem);
                }
                write_segments(segments, scope, problems, out);
            }
        }
        false
    }
}

fn write_whole(place: &Place, scope: &Scope<'_>, may_have_query: bool, out: &mut Text) -> Result<bool, FieldProblem> {
    let tree = match scope.look(place) {
        Found::Value(tree) => tree,
        Found::Secret(_) => return write_place(place, scope, Encode::Raw, out).map(|()| false),
        Found::Nothing => return Err(FieldProblem::missing(place)),
    };
    let url = tree
        .as_str()
        .and_then(plain_url)
        .ok_or_else(|| FieldProblem::at(place, "an absolute http or https URL without user name is expected"))?;
    if url.fragment().is_some() || (url.query().is_some() && !may_have_query) {
        return Err(FieldProblem::at(place, "the URL must not have a query or a fragment"));
    }
    let text = url.as_str();
    out.push_str(if may_have_query {
        text
    } else {
        text.trim_end_matches('/')
    });
    Ok(url.query().is_some())
}

/// A value inside the host may only be a part of a host name: anything else could end it early.
fn write_origin(origin: &Template, scope: &Scope<'_>, out: &mut Text) -> Result<(), FieldProblem> {
    for place in origin.places() {
        if let Found::Value(tree) = scope.look(place) {
            let text = as_text(tree);
            let fits = !text.is_empty()
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
                && !text.starts_with('.')
                && !text.ends_with('.')
                && !text.contains("..");
            if !fits {
                return Err(FieldProblem::at(
                    place,
                    "only letters, digits, hyphens and dots may stand in a host name",
                ));
            }
        }
    }
    origin.write(scope, Encode::Raw, out)
}

/// Reads an endpoint's path.
pub(crate) fn read_path(spot: &Spot<'_>, names: &mut Names<'_>, lints: &mut Lints) -> Option<Segments> {
    read_path_text(&spot.text()?, spot, names, lints)
}

/// The same for a text that is not quite what stands there.
pub(crate) fn read_path_text(
    text: &str,
    spot: &Spot<'_>,
    names: &mut Names<'_>,
    lints: &mut Lints,
) -> Option<Segments> {
    let Some(rest) = text.strip_prefix('/') else {
        spot.lint(
            lints,
            lint::BAD_URL,
            "a path begins with `/`; for a whole URL use `url`",
        );
        return None;
    };
    let mut segments = Vec::new();
    if rest.is_empty() {
        return Some(vec![Template::default()]);
    }
    let count = rest.split('/').count();
    for (index, segment) in rest.split('/').enumerate() {
        if segment.is_empty() && index + 1 < count {
            spot.lint(
                lints,
                lint::BAD_URL,
                "`//` in a path could be read as another host; write one slash",
            );
            return None;
        }
        segments.push(read_segment(Template::parse_segment(segment), spot, names, lints)?);
    }
    Some(segments)
}

fn read_segment(
    template: Result<Template, String>,
    spot: &Spot<'_>,
    names: &mut Names<'_>,
    lints: &mut Lints,
) -> Option<Template> {
    let template = names.settle(template, spot, lints)?;
    if matches!(template.as_literal(), Some("." | "..")) {
        spot.lint(lints, lint::BAD_URL, "`.` and `..` are not segments of a path");
        return None;
    }
    for text in template.literals() {
        if text.contains(['?', '#']) {
            spot.lint(
                lints,
                lint::BAD_URL,
                "a path has no query and no fragment; use `queryParams`",
            );
            return None;
        }
        // URL parsers read it as a dot, and two of them as the way up; a dot needs no encoding (RFC 3986 section 2.3).
        if text.to_ascii_lowercase().contains("%2e") {
            spot.lint(lints, lint::BAD_URL, "write `.` for `%2e`");
            return None;
        }
        let odd = |c: char| !c.is_ascii_graphic() || "\"<>\\^`{|}".contains(c);
        if text.contains(odd) || !percent_is_sound(text) {
            spot.lint(lints, lint::BAD_URL, "a character of the path must be percent-encoded");
            return None;
        }
    }
    Some(template)
}

fn percent_is_sound(text: &str) -> bool {
    text.split('%').skip(1).all(|rest| {
        let digits = rest.as_bytes();
        digits.len() >= 2 && digits[..2].iter().all(u8::is_ascii_hexdigit)
    })
}

/// Writes `/a/b`, each value as one segment.
pub(crate) fn write_segments(
    segments: &[Template],
    scope: &Scope<'_>,
    problems: &mut Vec<FieldProblem>,
    out: &mut Text,
) {
    for segment in segments {
        let mut text = Text::default();
        if let Err(problem) = segment.write_url(scope, &mut text) {
            problems.push(problem);
            continue;
        }
        if let Some(place) = segment.places().next()
            && matches!(text.as_literal(), Some("" | "." | ".."))
        {
            problems.push(FieldProblem::at(
                place,
                "it must not be empty, `.` or `..`: it is a part of the path",
            ));
            continue;
        }
        out.push_str("/");
        out.append(text);
    }
}
