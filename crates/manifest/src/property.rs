//! Params and properties: the shape of one value, and where it comes from.

use crate::{
    json::Tree,
    limits,
    lint::{self, Lints},
    node::{Fields, NodeKind, Spot},
    template::is_name,
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
#[expect(missing_docs, reason = "the names are JSON Schema's")]
pub enum Kind {
    String,
    Number,
    Integer,
    Boolean,
    Object,
    Array,
}

impl Kind {
    /// The type's name in JSON Schema.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Number => "number",
            Self::Integer => "integer",
            Self::Boolean => "boolean",
            Self::Object => "object",
            Self::Array => "array",
        }
    }

    /// Whether a value is of this type.
    pub(crate) fn fits(self, tree: &Tree) -> bool {
        match self {
            Self::String => matches!(tree, Tree::String(_)),
            Self::Number => matches!(tree, Tree::Number(_)),
            Self::Integer => tree.as_number().is_some_and(is_integer),
            Self::Boolean => matches!(tree, Tree::Bool(_)),
            Self::Object => matches!(tree, Tree::Object(_)),
            Self::Array => matches!(tree, Tree::Array(_)),
        }
    }
}

/// Whether a JSON number is written as a whole one.
pub(crate) fn is_integer(number: &str) -> bool {
    !number.contains(['.', 'e', 'E'])
}

const KINDS: &[(&str, Kind)] = &[
    ("string", Kind::String),
    ("number", Kind::Number),
    ("integer", Kind::Integer),
    ("boolean", Kind::Boolean),
    ("object", Kind::Object),
    ("array", Kind::Array),
];

/// Where a property stands: some words make sense in some places only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    /// A param of path, query or `input`.
    Param,
    /// A property at the top of a body.
    Body,
    /// Inside another property of a body.
    Inner,
    /// Inside an array, where each element is the caller's.
    Element,
    /// A result.
    Output,
}

impl Level {
    fn has_source(self) -> bool {
        matches!(self, Self::Param | Self::Body | Self::Inner)
    }

    /// Defaults and secrets are told at the top level, where an input is.
    fn is_top(self) -> bool {
        matches!(self, Self::Param | Self::Body)
    }
}

/// Where a value comes from.
pub(crate) enum Source<'n> {
    Input,
    Static(Tree),
    Variable(Spot<'n>),
}

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
        let mut fields = spot.fields(lints)?;
        let name = fields.need_text("name", lints);
        let draft = Self::read_fields(String::new(), spot, fields, Level::Param, lints)?;
        let name = checked_name(&name?, spot, lints)?;
        Some(Self { name, ..draft })
    }

    /// Reads a property under its name.
    pub(crate) fn read(name: &str, spot: &Spot<'n>, level: Level, lints: &mut Lints) -> Option<Self> {
        let fields = spot.fields(lints)?;
        Self::read_fields(name.to_owned(), spot, fields, level, lints)
    }

    fn read_fields(
        name: String,
        spot: &Spot<'n>,
        mut fields: Fields<'n>,
        level: Level,
        lints: &mut Lints,
    ) -> Option<Self> {
        let mut property = read_shape(&mut fields, level, lints);
        let source = read_source(&mut fields, level, lints);
        let mut children = Vec::new();
        if let Some(properties) = fields.get("properties") {
            let inner = match level {
                Level::Param | Level::Body | Level::Inner => Level::Inner,
                other => other,
            };
            for (name, spot) in properties.entries(lints) {
                children.extend(Self::read(name, &spot, inner, lints));
            }
        }
        if let Some(items) = fields.get("items") {
            let level = if level == Level::Output { level } else { Level::Element };
            property.items = Self::read("", &items, level, lints).map(|draft| Box::new(draft.property));
        }
        fields.close(&["$ref", "oneOf", "anyOf", "allOf"], lints);
        property.properties = children
            .iter()
            .filter(|child| child.has_input())
            .map(|child| (child.name.clone(), child.property.clone()))
            .collect();
        check(&property, !children.is_empty(), spot, lints);
        Some(Self {
            name,
            spot: spot.clone(),
            property,
            source,
            children,
        })
    }
}

fn checked_name(name: &str, spot: &Spot<'_>, lints: &mut Lints) -> Option<String> {
    if is_name(name) {
        return Some(name.to_owned());
    }
    spot.lint(
        lints,
        lint::BAD_VALUE,
        format!("`{name}` is no name: letters, digits, `_` and `-`, beginning with a letter, at most 64"),
    );
    None
}

fn read_shape(fields: &mut Fields<'_>, level: Level, lints: &mut Lints) -> Property {
    let count = |fields: &mut Fields<'_>, key, lints: &mut Lints| {
        fields
            .get(key)
            .and_then(|spot| spot.integer(0..=u64::from(u32::MAX), lints))
    };
    let mut property = Property {
        kind: fields.get("type").and_then(|spot| spot.one_of(KINDS, lints)),
        description: fields.text("description", lints),
        required: fields.boolean("required", lints).unwrap_or(false),
        nullable: fields.boolean("nullable", lints).unwrap_or(false),
        choices: fields
            .list("enum", lints)
            .iter()
            .map(|spot| spot.node.to_tree())
            .collect(),
        pattern: fields
            .get("pattern")
            .and_then(|spot| read_pattern(&spot, lints))
            .map(|(text, _)| text),
        min_length: count(fields, "minLength", lints),
        max_length: count(fields, "maxLength", lints),
        minimum: fields.get("minimum").and_then(|spot| number(&spot, lints)),
        maximum: fields.get("maximum").and_then(|spot| number(&spot, lints)),
        min_items: count(fields, "minItems", lints),
        max_items: count(fields, "maxItems", lints),
        format: fields.text("format", lints),
        ..Property::default()
    };
    if level.is_top() {
        property.secret = fields.boolean("secret", lints).unwrap_or(false);
        property.default = fields.get("default").map(|spot| spot.node.to_tree());
        property.from_config = fields.text("fromConfig", lints);
    }
    property
}

fn number(spot: &Spot<'_>, lints: &mut Lints) -> Option<Tree> {
    if matches!(spot.node.kind, NodeKind::Number(_)) {
        return Some(spot.node.to_tree());
    }
    spot.lint(lints, lint::WRONG_TYPE, "a number is expected here");
    None
}

/// Reads a regular expression within our limits (X4).
pub(crate) fn read_pattern(spot: &Spot<'_>, lints: &mut Lints) -> Option<(String, regex::Regex)> {
    let text = spot.text(lints)?;
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

fn read_source<'n>(fields: &mut Fields<'n>, level: Level, lints: &mut Lints) -> Source<'n> {
    if !level.has_source() {
        return Source::Input;
    }
    let word = if level == Level::Param { "valueSource" } else { "source" };
    let source = fields.get(word).or_else(|| fields.get("source"));
    let value = fields.get_or_null("value");
    let Some(source) = source else {
        if let Some(value) = value {
            value.lint(
                lints,
                lint::CONTRADICTION,
                format!("`value` needs a `{word}`: static or variable"),
            );
        }
        return Source::Input;
    };
    let Some(value) = value else {
        if source.text(lints).is_some() {
            source.lint(
                lints,
                lint::MISSING_FIELD,
                format!("`{word}` needs a `value` beside it"),
            );
        }
        return Source::Input;
    };
    match source.text(lints).as_deref() {
        Some("static") => Source::Static(value.node.to_tree()),
        Some("variable") => Source::Variable(value),
        Some("expression") => {
            source.lint(
                lints,
                lint::NOT_YET,
                "`expression` is not yet part of the language; use `variable`",
            );
            Source::Input
        }
        Some(_) => {
            source.lint(lints, lint::BAD_VALUE, "it is `static` or `variable`");
            Source::Input
        }
        None => Source::Input,
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
