//! The body of a request: compiled from schema or template, written with slots where secrets stand.

mod shape;

use crate::{
    limits,
    lint::{self, Lints, Position},
    node::{Fields, Spot},
    property::{Draft, Input, Kind, Level, Property},
    request::{Body, Encode, Text},
    template::{Names, Place, Template},
    values::{FieldProblem, Scope},
};

pub(crate) use shape::{Pairs, Shape};

use shape::{shapes, write_json_object};

pub(crate) const JSON: &str = "application/json";
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";
pub(crate) const TEXT: &str = "text/plain";

/// A compiled body.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct BodyPlan {
    pub(crate) content_type: &'static str,
    pub(crate) content: Content,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Content {
    Json(Shape),
    Form(Shape),
    Text(Template),
    Raw(String),
}

/// A body whose inputs are known and whose templates are not yet.
pub(crate) struct BodyDraft<'n> {
    content_type: &'static str,
    source: BodySource<'n>,
    at: (Position, String),
}

enum BodySource<'n> {
    Object(Vec<Draft<'n>>),
    /// The input of this name is the whole body.
    Items(String),
    Template(Spot<'n>),
    Raw(String),
}

impl<'n> BodyDraft<'n> {
    /// Reads the body and adds its inputs.
    pub(crate) fn read(spot: &Spot<'n>, inputs: &mut Vec<Input>, lints: &mut Lints) -> Option<Self> {
        let mut fields = spot.fields(lints)?;
        let content_type = match fields.get("contentType") {
            None => Some(JSON),
            Some(spot) => content_type(&spot, lints),
        };
        let words = [("schema", "schema"), ("template", "template"), ("raw", "raw")];
        let chosen = fields.get("bodyType").and_then(|spot| spot.one_of(&words, lints));
        let schema = fields.get("schema");
        let template = fields.get("template");
        let raw = fields.get("raw");
        let found = [("schema", &schema), ("template", &template), ("raw", &raw)]
            .into_iter()
            .filter(|(_, spot)| spot.is_some())
            .map(|(word, _)| word)
            .collect::<Vec<_>>();
        let source = match (found.as_slice(), chosen) {
            ([one], None) => Some(*one),
            ([one], Some(chosen)) if *one == chosen => Some(*one),
            _ => {
                fields.lint(
                    lints,
                    lint::CONTRADICTION,
                    "a body has exactly one of `schema`, `template` and `raw`, and `bodyType` names it",
                );
                None
            }
        };
        let source = match source {
            Some("schema") => schema.and_then(|spot| read_schema(&spot, content_type?, inputs, lints)),
            Some("template") => template.map(BodySource::Template),
            Some("raw") => raw.and_then(|spot| spot.text(lints)).map(BodySource::Raw),
            _ => None,
        };
        close(fields, lints);
        Some(Self {
            content_type: content_type?,
            source: source?,
            at: (spot.at, spot.path.clone()),
        })
    }

    /// Gives the templates their meaning.
    pub(crate) fn compile(self, names: &mut Names<'_>, lints: &mut Lints) -> Option<BodyPlan> {
        let shape = match self.source {
            BodySource::Raw(text) => {
                return Some(BodyPlan {
                    content_type: self.content_type,
                    content: Content::Raw(text),
                });
            }
            BodySource::Template(spot) if self.content_type == TEXT => {
                let template = names.template(&spot, lints)?;
                return Some(BodyPlan {
                    content_type: TEXT,
                    content: Content::Text(template),
                });
            }
            BodySource::Template(spot) => Shape::from_template(&spot, names, lints)?,
            BodySource::Items(name) => Shape::Whole(Place::input(&name, false)),
            BodySource::Object(drafts) => Shape::Object(shapes(drafts, None, names, lints)),
        };
        let content = if self.content_type == FORM {
            if !matches!(shape, Shape::Object(_)) {
                lints.add(
                    lint::CONTRADICTION,
                    self.at.0,
                    &self.at.1,
                    "a form is an object of names and values",
                );
            }
            Content::Form(shape)
        } else {
            Content::Json(shape)
        };
        Some(BodyPlan {
            content_type: self.content_type,
            content,
        })
    }
}

fn close(fields: Fields<'_>, lints: &mut Lints) {
    fields.close(&["graphql", "multipart", "parts"], lints);
}

fn content_type(spot: &Spot<'_>, lints: &mut Lints) -> Option<&'static str> {
    let text = spot.text(lints)?;
    match text.as_str() {
        JSON => Some(JSON),
        FORM => Some(FORM),
        TEXT => Some(TEXT),
        "multipart/form-data" => {
            spot.lint(
                lints,
                lint::NOT_YET,
                "`multipart/form-data` is not yet part of the language",
            );
            None
        }
        _ => {
            let hint = lint::hint(&text, [JSON, FORM, TEXT]);
            spot.lint(
                lints,
                lint::BAD_VALUE,
                format!("`{text}` is none of {JSON}, {FORM}, {TEXT}{hint}"),
            );
            None
        }
    }
}

fn read_schema<'n>(
    spot: &Spot<'n>,
    content_type: &'static str,
    inputs: &mut Vec<Input>,
    lints: &mut Lints,
) -> Option<BodySource<'n>> {
    if content_type == TEXT {
        spot.lint(
            lints,
            lint::CONTRADICTION,
            "a plain text has no schema; use `template` or `raw`",
        );
        return None;
    }
    let mut fields = spot.fields(lints)?;
    let words = [("object", Kind::Object), ("array", Kind::Array)];
    let kind = fields
        .get("type")
        .map_or(Some(Kind::Object), |spot| spot.one_of(&words, lints));
    let properties = fields.get("properties");
    let items = fields.get("items");
    let source = match kind? {
        Kind::Array => {
            let items = items.and_then(|spot| Draft::read("items", &spot, Level::Element, lints));
            let property = Property {
                kind: Some(Kind::Array),
                required: true,
                items: items.map(|draft| Box::new(draft.property)),
                ..Property::default()
            };
            add_input(inputs, "items", property, spot, lints);
            BodySource::Items("items".to_owned())
        }
        _ => {
            let mut drafts = Vec::new();
            for (name, spot) in properties.map(|spot| spot.entries(lints)).unwrap_or_default() {
                let Some(draft) = Draft::read(name, &spot, Level::Body, lints) else {
                    continue;
                };
                if draft.has_input() {
                    add_input(inputs, name, draft.property.clone(), &spot, lints);
                }
                drafts.push(draft);
            }
            BodySource::Object(drafts)
        }
    };
    fields.close(&[], lints);
    Some(source)
}

/// Adds an input; a name is declared once.
pub(crate) fn add_input(inputs: &mut Vec<Input>, name: &str, property: Property, spot: &Spot<'_>, lints: &mut Lints) {
    if inputs.iter().any(|input| input.name == name) {
        spot.lint(
            lints,
            lint::DUPLICATE_NAME,
            format!("another input is named `{name}` already; inputs of path, query and body are one object"),
        );
        return;
    }
    if inputs.len() >= limits::INPUTS {
        let message = format!("an endpoint has at most {} inputs", limits::INPUTS);
        spot.lint(lints, lint::TOO_COMPLEX, message);
        return;
    }
    inputs.push(Input {
        name: name.to_owned(),
        property,
    });
}

impl BodyPlan {
    /// Whether an API key can be put into it.
    pub(crate) fn takes_key(&self) -> bool {
        matches!(
            self.content,
            Content::Json(Shape::Object(_)) | Content::Form(Shape::Object(_))
        )
    }

    /// Writes the body; `key` is an API key that goes to its top.
    pub(crate) fn write(&self, key: Option<(&str, &Template)>, scope: &Scope<'_>) -> Result<Body, FieldProblem> {
        let mut out = Text::default();
        match &self.content {
            Content::Json(Shape::Object(entries)) => write_json_object(entries, key, scope, &mut out)?,
            Content::Json(shape) => shape.write_json(scope, &mut out)?,
            Content::Form(shape) => {
                let mut pairs = Pairs::form();
                shape.write_pairs("", scope, &mut pairs)?;
                if let Some((name, template)) = key {
                    template.write(scope, Encode::Form, pairs.start(name))?;
                }
                out = pairs.out;
            }
            Content::Text(template) => template.write(scope, Encode::Raw, &mut out)?,
            Content::Raw(text) => out.push_str(text),
        }
        Ok(Body {
            content_type: self.content_type.to_owned(),
            text: out,
        })
    }
}

/// The body of a request that has none but the API key.
pub(crate) fn key_only(name: &str, value: &Template, scope: &Scope<'_>) -> Result<Body, FieldProblem> {
    let mut out = Text::default();
    write_json_object(&[], Some((name, value)), scope, &mut out)?;
    Ok(Body {
        content_type: JSON.to_owned(),
        text: out,
    })
}
