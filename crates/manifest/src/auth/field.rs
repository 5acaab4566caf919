//! What a person types in.

use regex::Regex;

use super::several;
use crate::{
    json::Tree,
    limits,
    lint::{self, Lints},
    node::{Fields, NodeKind, Spot},
    property::{is_integer, read_pattern},
};

/// A field of an auth method. `secret` is told here and nowhere else.
#[derive(Debug, Clone)]
pub struct Field {
    /// Its key, never re-cased.
    pub name: String,
    /// For people; the name unless given.
    pub label: String,
    /// For people.
    pub description: Option<String>,
    /// Its type.
    pub kind: FieldKind,
    /// Sealed in storage, never shown again.
    pub secret: bool,
    /// Whether it decides where secrets are sent: changing it asks for the secrets anew.
    pub target: bool,
    /// Whether it must be given.
    pub required: bool,
    /// Used when it is not given.
    pub default: Option<Tree>,
    /// What a text must match.
    pub pattern: Option<String>,
    /// Other names it is accepted under.
    pub aliases: Vec<String>,
    /// An example shown in an empty form.
    pub placeholder: Option<String>,
    /// The only values allowed, if any.
    pub options: Vec<Choice>,
    pub(super) regex: Option<Regex>,
}

/// One of a field's options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The value that is stored.
    pub value: Tree,
    /// What people read.
    pub label: String,
}

/// The type of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// One line.
    String,
    /// Many lines.
    Text,
    /// An http or https URL.
    Url,
    /// A mail address.
    Email,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// Hosts that the secrets may be sent to: a list, or a text with commas between them.
    Hosts,
    /// Headers of a request by name: an object of texts, or the same as a text in JSON. Each value is a secret by itself.
    Headers,
    /// Any JSON, as it stands. A secret one is sealed whole.
    Json,
}

pub(crate) const KINDS: &[(&str, FieldKind)] = &[
    ("string", FieldKind::String),
    ("text", FieldKind::Text),
    ("url", FieldKind::Url),
    ("email", FieldKind::Email),
    ("integer", FieldKind::Integer),
    ("number", FieldKind::Number),
    ("boolean", FieldKind::Boolean),
    ("hosts", FieldKind::Hosts),
    ("headers", FieldKind::Headers),
    ("json", FieldKind::Json),
];

impl FieldKind {
    /// The word of the language.
    pub fn as_str(self) -> &'static str {
        KINDS
            .iter()
            .find(|(_, kind)| *kind == self)
            .map_or("string", |(word, _)| word)
    }

    /// The type in JSON Schema; nothing where any will do.
    pub fn schema_type(self) -> Option<&'static str> {
        Some(match self {
            Self::String | Self::Text | Self::Url | Self::Email => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Hosts => "array",
            Self::Headers => "object",
            Self::Json => return None,
        })
    }

    /// Whether it holds a text.
    fn is_text(self) -> bool {
        self.schema_type() == Some("string")
    }

    /// Whether a value may be an object: what is sealed then is all of it, as one text.
    pub fn holds_several(self) -> bool {
        matches!(self, Self::Headers | Self::Json)
    }

    /// Why a value is not of this type.
    pub(super) fn refuse(self, value: &Tree) -> Option<&'static str> {
        let (fits, message) = match self {
            Self::String => (
                value.as_str().is_some_and(|text| !text.contains(['\r', '\n', '\0'])),
                "a text of one line is expected",
            ),
            Self::Text => (value.as_str().is_some(), "a text is expected"),
            Self::Url => (
                value.as_str().is_some_and(crate::endpoint::is_plain_url),
                "an http or https URL is expected",
            ),
            Self::Email => (value.as_str().is_some_and(is_mailbox), "a mail address is expected"),
            Self::Integer => (value.as_number().is_some_and(is_integer), "a whole number is expected"),
            Self::Number => (value.as_number().is_some(), "a number is expected"),
            Self::Boolean => (value.as_bool().is_some(), "true or false is expected"),
            Self::Hosts => (
                several::hosts(value).is_some(),
                "hosts such as `api.acme.example` or `*.acme.example` are expected, without scheme, port and path",
            ),
            Self::Headers => (
                several::headers(value).is_some(),
                "an object of headers is expected, each a name with a text of one line, and none that belongs to the connection",
            ),
            Self::Json => (true, ""),
        };
        (!fits).then_some(message)
    }
}

/// Good enough to catch a name typed into the wrong box; the mail server is the judge.
pub(crate) fn is_mailbox(text: &str) -> bool {
    text.split_once('@')
        .is_some_and(|(user, host)| !user.is_empty() && !host.is_empty())
        && !text.contains(['\r', '\n', '\0'])
}

pub(super) fn read_all(auth: &Fields<'_>, lints: &mut Lints) -> Vec<Field> {
    let mut out: Vec<Field> = Vec::new();
    let spots = auth.list("fields");
    if spots.len() > limits::FIELDS {
        auth.lint(
            lints,
            lint::TOO_COMPLEX,
            format!("at most {} fields are read", limits::FIELDS),
        );
    }
    for spot in spots.into_iter().take(limits::FIELDS) {
        let Some(field) = read(&spot, lints) else { continue };
        let taken = |name: &String| {
            out.iter()
                .any(|other| other.name == *name || other.aliases.contains(name))
        };
        if let Some(name) = std::iter::once(&field.name)
            .chain(&field.aliases)
            .find(|name| taken(name))
        {
            spot.lint(
                lints,
                lint::DUPLICATE_NAME,
                format!("another field is named `{name}` already"),
            );
        }
        out.push(field);
    }
    out
}

fn read(spot: &Spot<'_>, lints: &mut Lints) -> Option<Field> {
    let fields = spot.fields()?;
    let name = fields.text("name");
    let kind = fields
        .get("type")
        .and_then(|spot| spot.one_of(KINDS))
        .unwrap_or(FieldKind::String);
    let pattern = fields.get("pattern").and_then(|spot| read_pattern(&spot, lints));
    let (pattern, regex) = pattern.unzip();
    let field = Field {
        label: fields.text("label").or_else(|| name.clone()).unwrap_or_default(),
        description: fields.text("description"),
        kind,
        secret: fields.boolean("secret").unwrap_or(false),
        // Whatever hosts are named, they are where secrets go.
        target: fields.boolean("target").unwrap_or(kind == FieldKind::Hosts),
        required: fields.boolean("required").unwrap_or(false),
        default: fields.get("default").map(|spot| spot.node.to_tree()),
        pattern,
        aliases: fields.texts("aliases"),
        placeholder: fields.text("placeholder"),
        options: read_options(&fields),
        regex,
        name: name.unwrap_or_default(),
    };
    check(&field, spot, lints);
    (!field.name.is_empty()).then_some(field)
}

fn read_options(fields: &Fields<'_>) -> Vec<Choice> {
    let mut out = Vec::new();
    for spot in fields.list("options") {
        if !matches!(spot.node.kind, NodeKind::Map(_)) {
            let Some(label) = spot.scalar() else { continue };
            out.push(Choice {
                value: spot.node.to_tree(),
                label,
            });
            continue;
        }
        let Some(option) = spot.fields() else { continue };
        let value = option.get("value");
        let label = option.text("label");
        if let Some(value) = value
            && let Some(text) = value.scalar()
        {
            out.push(Choice {
                value: value.node.to_tree(),
                label: label.unwrap_or(text),
            });
        }
    }
    out
}

fn check(field: &Field, spot: &Spot<'_>, lints: &mut Lints) {
    let may_be_secret = field.kind.is_text() || field.kind.holds_several();
    if field.secret && !may_be_secret {
        spot.lint(
            lints,
            lint::CONTRADICTION,
            "a secret is of type string, text, url, headers or json",
        );
    }
    if field.kind == FieldKind::Headers && !field.secret {
        spot.lint(
            lints,
            lint::CONTRADICTION,
            "headers are secret: say so with `secret: true`",
        );
    }
    if field.secret && (field.default.is_some() || !field.options.is_empty()) {
        spot.lint(
            lints,
            lint::SECRET_IN_MANIFEST,
            "a secret has no default and no options: they would stand in the manifest",
        );
    }
    if field.pattern.is_some() && !field.kind.is_text() {
        spot.lint(lints, lint::CONTRADICTION, "a pattern belongs to a text");
    }
    let values = field
        .default
        .iter()
        .chain(field.options.iter().map(|option| &option.value));
    for value in values {
        if let Some(message) = field.kind.refuse(value) {
            spot.lint(
                lints,
                lint::CONTRADICTION,
                format!("its default or an option does not fit its type: {message}"),
            );
        }
    }
}
