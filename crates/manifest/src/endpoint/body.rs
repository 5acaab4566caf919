//! The body of a request: compiled from schema or template, written with slots where secrets stand.

mod multipart;
mod shape;

use crate::{
    json::Tree,
    limits,
    lint::{self, Lints, Position},
    node::{Fields, Spot},
    property::{Draft, Input, Kind, Property},
    request::{Body, Encode, Text},
    template::{Names, Place, Template},
    values::{FieldProblem, Scope},
};

pub(crate) use shape::{Pairs, Shape, not_evaluated};

use multipart::Part;
use shape::{shapes, write_json_object};

pub(crate) const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";
const MULTIPART: &str = "multipart/form-data";
const TEXT: &str = "text/plain";

pub(crate) const CONTENT_TYPES: &[&str] = &[JSON, FORM, MULTIPART, TEXT];
pub(crate) const BODY_TYPES: &[&str] = &["schema", "template", "raw", "graphql"];
pub(crate) const SCHEMA_KINDS: &[(&str, Kind)] = &[("object", Kind::Object), ("array", Kind::Array)];

/// A compiled body.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct BodyPlan {
    pub(crate) content_type: &'static str,
    pub(crate) content: Content,
    /// Whether it is a GraphQL request, whose answers tell of errors in their own way.
    pub(crate) graphql: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Content {
    Json(Shape),
    Form(Shape),
    Multipart(Vec<Part>),
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
    GraphQl {
        query: String,
        operation: Option<String>,
        variables: Vec<Draft<'n>>,
    },
}

impl<'n> BodyDraft<'n> {
    /// Reads the body and adds its inputs.
    pub(crate) fn read(spot: &Spot<'n>, inputs: &mut Vec<Input>, lints: &mut Lints) -> Option<Self> {
        let fields = spot.fields()?;
        let word = fields.text("contentType").unwrap_or_else(|| JSON.to_owned());
        let content_type = CONTENT_TYPES.iter().copied().find(|known| *known == word)?;
        let chosen = fields.text("bodyType");
        let mut found = BODY_TYPES.iter().filter_map(|word| Some((*word, fields.get(word)?)));
        let (Some((word, inner)), None) = (found.next(), found.next()) else {
            return refuse_choice(&fields, lints);
        };
        if chosen.is_some_and(|chosen| chosen != word) {
            return refuse_choice(&fields, lints);
        }
        let source = match word {
            "schema" => read_schema(&inner, content_type, inputs, lints),
            "template" => Some(BodySource::Template(inner)),
            "graphql" => read_graphql(&inner, content_type, inputs, lints),
            _ => inner.text().map(BodySource::Raw),
        };
        if word == "raw" && content_type == MULTIPART {
            fields.lint(
                lints,
                lint::CONTRADICTION,
                "a multipart body is put together from a `schema` or a `template`",
            );
        }
        Some(Self {
            content_type,
            source: source?,
            at: (spot.at, spot.path.clone()),
        })
    }

    /// Gives the templates their meaning.
    pub(crate) fn compile(self, names: &mut Names<'_>, lints: &mut Lints) -> Option<BodyPlan> {
        let graphql = matches!(self.source, BodySource::GraphQl { .. });
        let mut files = Vec::new();
        let shape = match self.source {
            BodySource::Raw(text) => {
                return Some(BodyPlan {
                    content_type: self.content_type,
                    content: Content::Raw(text),
                    graphql,
                });
            }
            BodySource::Template(spot) if self.content_type == TEXT => {
                let template = names.template(&spot, lints)?;
                return Some(BodyPlan {
                    content_type: TEXT,
                    content: Content::Text(template),
                    graphql,
                });
            }
            BodySource::Template(spot) => Shape::from_template(&spot, names, lints)?,
            BodySource::Items(name) => Shape::Whole(Place::input(&name, false)),
            BodySource::Object(drafts) => {
                let is_file = |draft: &&Draft<'_>| draft.property.kind == Some(Kind::File);
                files = drafts.iter().filter(is_file).map(|draft| draft.name.clone()).collect();
                Shape::Object(shapes(drafts, None, names, lints))
            }
            BodySource::GraphQl {
                query,
                operation,
                variables,
            } => graphql_shape(query, operation, shapes(variables, None, names, lints)),
        };
        let mut refuse = |message: &str| lints.add(lint::CONTRADICTION, self.at.0, &self.at.1, message);
        let content = match (self.content_type, shape) {
            (FORM, shape) => {
                if !matches!(shape, Shape::Object(_)) {
                    refuse("a form is an object of names and values");
                }
                Content::Form(shape)
            }
            (MULTIPART, Shape::Object(entries)) => {
                if entries.iter().any(|(_, shape)| shape.has_secret()) {
                    refuse("a secret cannot stand in a multipart body; send it in a header");
                }
                Content::Multipart(Part::all(entries, &files))
            }
            (MULTIPART, _) => {
                refuse("a multipart body is an object of names and values");
                return None;
            }
            (_, shape) => Content::Json(shape),
        };
        Some(BodyPlan {
            content_type: self.content_type,
            content,
            graphql,
        })
    }
}

fn refuse_choice<T>(fields: &Fields<'_>, lints: &mut Lints) -> Option<T> {
    fields.lint(
        lints,
        lint::CONTRADICTION,
        "a body has exactly one of `schema`, `template`, `raw` and `graphql`, and `bodyType` names it",
    );
    None
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
    let fields = spot.fields()?;
    let kind = match fields.get("type") {
        None => Kind::Object,
        Some(spot) => spot.one_of(SCHEMA_KINDS)?,
    };
    let (other, owner) = match kind {
        Kind::Array => ("properties", "object"),
        _ => ("items", "array"),
    };
    if let Some(spot) = fields.get(other) {
        let message = format!("`{other}` belongs to `type: {owner}`");
        spot.lint(lints, lint::CONTRADICTION, message);
    }
    if kind == Kind::Array {
        let items = fields.get("items").and_then(|spot| Draft::read("items", &spot, lints));
        let property = Property {
            kind: Some(Kind::Array),
            required: true,
            items: items.map(|draft| Box::new(draft.property)),
            ..Property::default()
        };
        add_input(inputs, "items", property, spot, lints);
        return Some(BodySource::Items("items".to_owned()));
    }
    let drafts = read_properties(fields.get("properties"), content_type, inputs, lints);
    Some(BodySource::Object(drafts))
}

fn read_properties<'n>(
    properties: Option<Spot<'n>>,
    content_type: &'static str,
    inputs: &mut Vec<Input>,
    lints: &mut Lints,
) -> Vec<Draft<'n>> {
    let mut drafts = Vec::new();
    for (name, spot) in properties.map(|spot| spot.entries()).unwrap_or_default() {
        let Some(draft) = Draft::read(name, &spot, lints) else {
            continue;
        };
        if draft.property.kind == Some(Kind::File) && content_type != MULTIPART {
            let message = format!("a file is sent with `contentType: {MULTIPART}`");
            spot.lint(lints, lint::CONTRADICTION, message);
        }
        if draft.has_input() {
            add_input(inputs, name, draft.property.clone(), &spot, lints);
        }
        drafts.push(draft);
    }
    drafts
}

fn read_graphql<'n>(
    spot: &Spot<'n>,
    content_type: &'static str,
    inputs: &mut Vec<Input>,
    lints: &mut Lints,
) -> Option<BodySource<'n>> {
    if content_type != JSON {
        let message = format!("a GraphQL request is sent as {JSON}; leave `contentType` out");
        spot.lint(lints, lint::CONTRADICTION, message);
    }
    let fields = spot.fields()?;
    let query = fields.get("query")?;
    let text = query.text()?;
    if text.contains("{{") {
        let message = "a GraphQL document is sent as it stands: put values into `variables`";
        query.lint(lints, lint::BAD_TEMPLATE, message);
    }
    Some(BodySource::GraphQl {
        query: text,
        operation: fields.text("operationName"),
        variables: read_properties(fields.get("variables"), JSON, inputs, lints),
    })
}

fn graphql_shape(query: String, operation: Option<String>, variables: Vec<(String, Shape)>) -> Shape {
    let mut entries = vec![("query".to_owned(), Shape::Fixed(Tree::String(query)))];
    entries.extend(operation.map(|name| ("operationName".to_owned(), Shape::Fixed(Tree::String(name)))));
    if !variables.is_empty() {
        entries.push(("variables".to_owned(), Shape::Object(variables)));
    }
    Shape::Object(entries)
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
            Content::Multipart(parts) => return multipart::write(parts, scope),
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
