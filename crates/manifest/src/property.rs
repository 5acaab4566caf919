//! Params and properties: the shape of one value, and where it comes from.

use crate::{
    json::Tree,
    limits,
    lint::{self, Lints},
    node::{Fields, Spot},
};

/// An input of an endpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// Its key in the input object.
    pub name: String,
    /// Its shape.
    pub property: Property,
}

/// The shape of a value. What is absent is not restricted.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Property {
    /// Its type; anything when absent.
    pub kind: Option<Kind>,
    /// For people.
    pub description: Option<String>,
    /// Whether it must be there.
    pub required: bool,
    /// Whether null is a value too.
    pub nullable: bool,
    /// Used when the input is absent.
    pub default: Option<Tree>,
    /// The field of the connection that is used when the input is absent.
    pub from_config: Option<String>,
    /// The only values allowed.
    pub choices: Vec<Tree>,
    /// A regular expression that a string must match somewhere.
    pub pattern: Option<String>,
    /// Characters of a string.
    pub min_length: Option<u64>,
    /// Characters of a string.
    pub max_length: Option<u64>,
    /// A number as text.
    pub minimum: Option<Tree>,
    /// A number as text.
    pub maximum: Option<Tree>,
    /// Elements of an array.
    pub min_items: Option<u64>,
    /// Elements of an array.
    pub max_items: Option<u64>,
    /// JSON Schema's `format`, an annotation.
    pub format: Option<String>,
    /// Whether it is kept out of logs and filled in last.
    pub secret: bool,
    /// Properties of an object, in their order.
    pub properties: Vec<(String, Property)>,
    /// The shape of an array's elements.
    pub items: Option<Box<Property>>,
}

/// The type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are JSON Schema's, but for a file")]
pub enum Kind {
    String,
    Number,
    Integer,
    Boolean,
    Object,
    Array,
    /// A part of a multipart body: its content and what it is called.
    File,
}

impl Kind {
    /// The word of the language, which is that of JSON Schema but for a file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Number => "number",
            Self::Integer => "integer",
            Self::Boolean => "boolean",
            Self::Object => "object",
            Self::Array => "array",
            Self::File => "file",
        }
    }

    /// Whether a value is of this type.
    pub(crate) fn fits(self, tree: &Tree) -> bool {
        match self {
            Self::String => matches!(tree, Tree::String(_)),
            Self::Number => matches!(tree, Tree::Number(_)),
            Self::Integer => tree.as_number().is_some_and(is_integer),
            Self::Boolean => matches!(tree, Tree::Bool(_)),
            Self::Object | Self::File => matches!(tree, Tree::Object(_)),
            Self::Array => matches!(tree, Tree::Array(_)),
        }
    }
}

/// Whether a JSON number is written as a whole one.
pub(crate) fn is_integer(number: &str) -> bool {
    !number.contains(['.', 'e', 'E'])
}

/// The types of what stands at the top of a body.
pub(crate) const KINDS: &[(&str, Kind)] = &[
    ("string", Kind::String),
    ("number", Kind::Number),
    ("integer", Kind::Integer),
    ("boolean", Kind::Boolean),
    ("object", Kind::Object),
    ("array", Kind::Array),
    ("file", Kind::File),
];

/// The types of what stands elsewhere.
pub(crate) const ELEMENT_KINDS: &[(&str, Kind)] = &[
    ("string", Kind::String),
    ("number", Kind::Number),
    ("integer", Kind::Integer),
    ("boolean", Kind::Boolean),
    ("object", Kind::Object),
    ("array", Kind::Array),
];

/// Where a value comes from.
pub(crate) enum Source<'n> {
    Input,
    Static(Tree),
    Variable(Spot<'n>),
    Expression,
}

/// The template of a name: `contact.email` is `{{contact.email}}`.
pub(crate) fn braced(name: &str) -> String {
    if name.contains("{{") {
        name.to_owned()
    } else {
        format!("{{{{{name}}}}}")
    }
}

pub(crate) const SOURCES: &[&str] = &["static", "variable", "expression"];

/// A property being read, before its templates are given their meaning.
pub(crate) struct Draft<'n> {
    pub(crate) name: String,
    pub(crate) spot: Spot<'n>,
    /// Without the properties that are no inputs.
    pub(crate) property: Property,
    pub(crate) source: Source<'n>,
    pub(crate) children: Vec<Draft<'n>>,
}

impl<'n> Draft<'n> {
    /// Whether it, or something inside it, does not come from the caller.
    pub(crate) fn has_sources(&self) -> bool {
        !matches!(self.source, Source::Input) || self.children.iter().any(Draft::has_sources)
    }

    /// Whether it, or something inside it, comes from the caller.
    pub(crate) fn has_input(&self) -> bool {
        matches!(self.source, Source::Input) && (self.children.is_empty() || self.children.iter().any(Draft::has_input))
    }

    /// Reads a list entry `{name, …}`.
    pub(crate) fn read_param(spot: &Spot<'n>, lints: &mut Lints) -> Option<Self> {
        let name = spot.fields()?.text("name")?;
        Self::read(&name, spot, lints)
    }

    /// Reads a property under its name.
    pub(crate) fn read(name: &str, spot: &Spot<'n>, lints: &mut Lints) -> Option<Self> {
        let fields = spot.fields()?;
        let mut property = read_shape(&fields, lints);
        let source = read_source(&fields, lints);
        let properties = fields.get("properties").map(|spot| spot.entries()).unwrap_or_default();
        let children: Vec<Self> = properties
            .into_iter()
            .filter_map(|(name, spot)| Self::read(name, &spot, lints))
            .collect();
        if let Some(items) = fields.get("items") {
            property.items = Self::read("", &items, lints).map(|draft| Box::new(draft.property));
        }
        property.properties = children
            .iter()
            .filter(|child| child.has_input())
            .map(|child| (child.name.clone(), child.property.clone()))
            .collect();
        check(&property, !children.is_empty(), spot, lints);
        Some(Self {
            name: name.to_owned(),
            spot: spot.clone(),
            property,
            source,
            children,
        })
    }
}

fn read_shape(fields: &Fields<'_>, lints: &mut Lints) -> Property {
    let count = |key| fields.get(key).and_then(|spot| spot.integer());
    let number = |key| Some(fields.get(key)?.node.to_tree()).filter(|tree| tree.as_number().is_some());
    Property {
        kind: fields.get("type").and_then(|spot| spot.one_of(KINDS)),
        description: fields.text("description"),
        required: fields.boolean("required").unwrap_or(false),
        nullable: fields.boolean("nullable").unwrap_or(false),
        choices: fields.list("enum").iter().map(|spot| spot.node.to_tree()).collect(),
        pattern: fields
            .get("pattern")
            .and_then(|spot| read_pattern(&spot, lints))
            .map(|(text, _)| text),
        min_length: count("minLength"),
        max_length: count("maxLength"),
        minimum: number("minimum"),
        maximum: number("maximum"),
        min_items: count("minItems"),
        max_items: count("maxItems"),
        format: fields.text("format"),
        secret: fields.boolean("secret").unwrap_or(false),
        default: fields.get("default").map(|spot| spot.node.to_tree()),
        from_config: fields.text("fromConfig"),
        ..Property::default()
    }
}

/// Reads a regular expression within our limits (X4).
pub(crate) fn read_pattern(spot: &Spot<'_>, lints: &mut Lints) -> Option<(String, regex::Regex)> {
    let text = spot.text()?;
    let compiled = regex::RegexBuilder::new(&text)
        .size_limit(limits::PATTERN_BYTES)
        .nest_limit(limits::PATTERN_NEST)
        .build();
    match compiled {
        Ok(regex) => Some((text, regex)),
        Err(error) => {
            let reason = error.to_string();
            let reason = reason
                .lines()
                .last()
                .unwrap_or_default()
                .trim_start_matches("error: ")
                .to_owned();
            spot.lint(
                lints,
                lint::BAD_PATTERN,
                format!("this pattern cannot be used: {reason}"),
            );
            None
        }
    }
}

fn read_source<'n>(fields: &Fields<'n>, lints: &mut Lints) -> Source<'n> {
    let source = ["valueSource", "source"].into_iter().find_map(|word| fields.get(word));
    match (source, fields.get_or_null("value")) {
        (None, None) => Source::Input,
        (None, Some(value)) => {
            let message = "`value` needs a source beside it: static, variable or expression";
            value.lint(lints, lint::CONTRADICTION, message);
            Source::Input
        }
        (Some(source), None) => {
            source.lint(lints, lint::MISSING_FIELD, "a source needs a `value` beside it");
            Source::Input
        }
        (Some(source), Some(value)) => match source.text().as_deref() {
            Some("static") => Source::Static(value.node.to_tree()),
            Some("variable") => Source::Variable(value),
            Some("expression") => Source::Expression,
            _ => Source::Input,
        },
    }
}

/// What contradicts itself inside one property.
fn check(property: &Property, has_children: bool, spot: &Spot<'_>, lints: &mut Lints) {
    let kind = property.kind;
    let mut refuse = |message: &str| spot.lint(lints, lint::CONTRADICTION, message);
    if property.secret && kind.is_some_and(|kind| kind != Kind::String) {
        refuse("a secret is a string");
    }
    if property.secret && property.default.is_some() {
        refuse("a secret has no default: it would stand in the manifest");
    }
    if has_children && kind != Some(Kind::Object) {
        refuse("`properties` belong to `type: object`");
    }
    if property.items.is_some() && kind != Some(Kind::Array) {
        refuse("`items` belong to `type: array`");
    }
    if let (Some(kind), Some(default)) = (kind, &property.default)
        && !kind.fits(default)
    {
        refuse("the default is not of the declared type");
    }
    if let Some(kind) = kind
        && property.choices.iter().any(|choice| !kind.fits(choice))
    {
        refuse("a value of `enum` is not of the declared type");
    }
}
