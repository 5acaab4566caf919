//! A rendered request: complete but for its secrets.
//!
//! Rendering leaves a [`Slot`] wherever a secret belongs. The caller that does the work fills the slots just before
//! sending; everything that only looks (logs, the test panel, history) prints the unfilled form with [`Text`]'s `Display`.

use std::fmt;

/// Headers that belong to the connection and its framing, and are the transport's to write: with them a request could be
/// split, or shown to another virtual host than the one that was judged. In lower case.
pub const TRANSPORT_HEADERS: &[&str] = &[
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// One HTTP request, ready but for its secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The HTTP method, in upper case.
    pub method: String,
    /// The absolute URL. Its host may itself hold a slot, so it is judged after filling. Where it begins with a slot,
    /// that is a whole URL: what follows is a path below it (`/…`), or a query (`?…`) that joins the one it may have.
    pub url: Text,
    /// Header names in lower case with their values, in sending order.
    pub headers: Vec<(String, Text)>,
    /// The body, absent for requests that carry none.
    pub body: Option<Body>,
}

/// A request body with its media type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// Value of the `content-type` header.
    pub content_type: String,
    /// The content.
    pub text: Text,
}

/// Text with holes for secrets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text(pub Vec<Segment>);

/// A stretch of a [`Text`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    /// Known text, already encoded for its place.
    Literal(String),
    /// A hole for secrets.
    Slot(Slot),
    /// What is no text: of a file in a body, and nowhere else.
    Bytes(Vec<u8>),
}

/// A hole: its parts are joined, then encoded once for the place they stand in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// What is joined.
    pub parts: Vec<Part>,
    /// How the joined value is written.
    pub encode: Encode,
}

/// A piece of a [`Slot`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Known text, not yet encoded (such as the colon of Basic authentication).
    Literal(String),
    /// A secret to look up.
    Secret(SecretRef),
}

/// Names a secret without holding it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SecretRef {
    /// A secret field of the connection or credential.
    Config(String),
    /// A secret parameter of this one call.
    Input(String),
}

/// How a slot's value is written into its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encode {
    /// As it is; header values still refuse CR, LF and NUL when filled.
    Raw,
    /// Percent-encoded for a URL path segment or query value (RFC 3986 unreserved characters stay).
    Percent,
    /// `application/x-www-form-urlencoded`: like percent, a space is `+`.
    Form,
    /// Inside a JSON string: escaped, without the quotes.
    Json,
    /// Base64 with padding (RFC 4648 section 4).
    Base64,
}

impl Text {
    /// Text without holes.
    pub fn literal(text: impl Into<String>) -> Self {
        let mut out = Self::default();
        out.push_str(&text.into());
        out
    }

    /// Appends known text, joining it to a literal that stands last.
    pub fn push_str(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        if let Some(Segment::Literal(last)) = self.0.last_mut() {
            last.push_str(text);
        } else {
            self.0.push(Segment::Literal(text.to_owned()));
        }
    }

    /// Appends a hole.
    pub fn push_slot(&mut self, slot: Slot) {
        self.0.push(Segment::Slot(slot));
    }

    /// Appends another text.
    pub fn append(&mut self, other: Text) {
        for segment in other.0 {
            match segment {
                Segment::Literal(text) => self.push_str(&text),
                other => self.0.push(other),
            }
        }
    }

    /// The text itself when it has no holes.
    pub fn as_literal(&self) -> Option<&str> {
        match self.0.as_slice() {
            [] => Some(""),
            [Segment::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// Whether there is a hole to fill.
    pub fn has_slots(&self) -> bool {
        self.0.iter().any(|segment| matches!(segment, Segment::Slot(_)))
    }

    /// Every secret the text asks for, in order of appearance.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretRef> {
        self.0
            .iter()
            .filter_map(|segment| match segment {
                Segment::Slot(slot) => Some(&slot.parts),
                Segment::Literal(_) | Segment::Bytes(_) => None,
            })
            .flatten()
            .filter_map(|part| match part {
                Part::Secret(secret) => Some(secret),
                Part::Literal(_) => None,
            })
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for segment in &self.0 {
            match segment {
                Segment::Literal(text) => f.write_str(text)?,
                Segment::Slot(slot) => slot.fmt(f)?,
                Segment::Bytes(bytes) => write!(f, "<{} bytes>", bytes.len())?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.parts {
            match part {
                Part::Literal(text) => f.write_str(text)?,
                Part::Secret(secret) => write!(f, "{{{{{secret}}}}}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(name) => write!(f, "config.{name}"),
            Self::Input(name) => write!(f, "input.{name}"),
        }
    }
}
