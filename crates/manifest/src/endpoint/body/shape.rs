//! A JSON value with places in it, written as JSON or as pairs of a form or a query.

use crate::{
    json::{self, Tree, write_string},
    limits,
    lint::{self, Lints},
    manifest::Arrays,
    node::{NodeKind, Spot},
    property::{Draft, Source, braced},
    request::{Encode, Text},
    template::{Names, Origin, Place, Template, write_place},
    values::{FieldProblem, Found, Scope, as_text, pointer_token},
};

/// A JSON value with places in it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Shape {
    Fixed(Tree),
    /// A value as it comes; left out where there is none.
    Whole(Place),
    /// A string with placeholders in it.
    Text(Template),
    Array(Vec<Shape>),
    Object(Vec<(String, Shape)>),
    /// An expression, by the name of what it is for.
    Expression(String),
}

pub(super) fn shapes(
    drafts: Vec<Draft<'_>>,
    parent: Option<&Place>,
    names: &mut Names<'_>,
    lints: &mut Lints,
) -> Vec<(String, Shape)> {
    drafts
        .into_iter()
        .filter_map(|draft| {
            let name = draft.name.clone();
            Shape::from_draft(draft, parent, names, lints).map(|shape| (name, shape))
        })
        .collect()
}

impl Shape {
    /// The shape of a param or property.
    pub(crate) fn from_draft(
        draft: Draft<'_>,
        parent: Option<&Place>,
        names: &mut Names<'_>,
        lints: &mut Lints,
    ) -> Option<Self> {
        let has_sources = draft.has_sources();
        match draft.source {
            Source::Static(tree) => Some(Self::Fixed(tree)),
            Source::Variable(spot) => {
                let text = spot.text()?;
                let template = names.settle(Template::parse(&braced(&text), Origin::Input), &spot, lints)?;
                Some(Self::from_text(template))
            }
            Source::Expression => Some(Self::Expression(draft.name)),
            Source::Input => {
                let place = match parent {
                    Some(parent) => parent.inner(&draft.name),
                    None => Place::input(&draft.name, draft.property.secret),
                };
                if has_sources {
                    Some(Self::Object(shapes(draft.children, Some(&place), names, lints)))
                } else {
                    Some(Self::Whole(place))
                }
            }
        }
    }

    fn from_text(template: Template) -> Self {
        if let Some(place) = template.whole() {
            return Self::Whole(place.clone());
        }
        match template.as_literal() {
            Some(text) => Self::Fixed(Tree::String(text.to_owned())),
            None => Self::Text(template),
        }
    }

    /// A template is a tree, or a JSON text that becomes one: values are put into the tree, never into the text.
    pub(super) fn from_template(spot: &Spot<'_>, names: &mut Names<'_>, lints: &mut Lints) -> Option<Self> {
        let tree = match &spot.node.kind {
            NodeKind::Text(text) => match json::Json::parse(text) {
                Ok(json) => json.tree().clone(),
                Err(error) => {
                    let message = format!("the template is not JSON ({error}); put placeholders into quotes");
                    spot.lint(lints, lint::BAD_TEMPLATE, message);
                    return None;
                }
            },
            _ => spot.node.to_tree(),
        };
        Self::from_tree(tree, spot, names, lints)
    }

    fn from_tree(tree: Tree, spot: &Spot<'_>, names: &mut Names<'_>, lints: &mut Lints) -> Option<Self> {
        Some(match tree {
            Tree::String(text) => {
                let template = names.settle(Template::parse(&text, names.local), spot, lints)?;
                Self::from_text(template)
            }
            Tree::Array(items) => Self::Array(
                items
                    .into_iter()
                    .filter_map(|item| Self::from_tree(item, spot, names, lints))
                    .collect(),
            ),
            Tree::Object(entries) => Self::Object(
                entries
                    .into_iter()
                    .filter_map(|(key, value)| Some((key, Self::from_tree(value, spot, names, lints)?)))
                    .collect(),
            ),
            other => Self::Fixed(other),
        })
    }

    /// Whether a secret is in it.
    pub(crate) fn has_secret(&self) -> bool {
        match self {
            Self::Fixed(_) | Self::Expression(_) => false,
            Self::Whole(place) => place.secret.is_some(),
            Self::Text(template) => template.has_secret(),
            Self::Array(items) => items.iter().any(Self::has_secret),
            Self::Object(entries) => entries.iter().any(|(_, shape)| shape.has_secret()),
        }
    }

    /// Whether there is something to write. An object inside another that is made of absent values is absent too.
    fn is_present(&self, scope: &Scope<'_>) -> bool {
        match self {
            Self::Fixed(_) | Self::Text(_) | Self::Array(_) | Self::Expression(_) => true,
            Self::Whole(place) => !matches!(scope.look_or_null(place), Found::Nothing),
            Self::Object(entries) => entries.is_empty() || entries.iter().any(|(_, shape)| shape.is_present(scope)),
        }
    }

    pub(super) fn write_json(&self, scope: &Scope<'_>, out: &mut Text) -> Result<(), FieldProblem> {
        match self {
            Self::Fixed(tree) => out.push_str(&tree.to_text()),
            Self::Whole(place) => match scope.look_or_null(place) {
                Found::Value(tree) => {
                    let text = tree.to_text();
                    scope.spend(text.len())?;
                    out.push_str(&text);
                }
                Found::Secret(_) => {
                    out.push_str("\"");
                    write_place(place, scope, Encode::Json, out)?;
                    out.push_str("\"");
                }
                Found::Nothing => return Err(FieldProblem::missing(place)),
            },
            Self::Text(template) => {
                out.push_str("\"");
                template.write(scope, Encode::Json, out)?;
                out.push_str("\"");
            }
            Self::Array(items) => {
                out.push_str("[");
                let mut first = true;
                for item in items.iter().filter(|item| item.is_present(scope)) {
                    out.push_str(if first { "" } else { "," });
                    first = false;
                    item.write_json(scope, out)?;
                }
                out.push_str("]");
            }
            Self::Object(entries) => write_json_object(entries, None, scope, out)?,
            Self::Expression(name) => return Err(not_evaluated(name)),
        }
        Ok(())
    }

    /// Writes `name=value` pairs; inside arrays and objects the names grow brackets.
    pub(crate) fn write_pairs(&self, name: &str, scope: &Scope<'_>, pairs: &mut Pairs) -> Result<(), FieldProblem> {
        match self {
            Self::Fixed(tree) => pairs.tree(name, "", tree, scope),
            Self::Whole(place) => match scope.look_or_null(place) {
                Found::Value(tree) => pairs.tree(name, &place.pointer(), tree, scope),
                Found::Secret(_) => {
                    let encode = pairs.encode;
                    write_place(place, scope, encode, pairs.start(name))
                }
                Found::Nothing => Ok(()),
            },
            Self::Text(template) => {
                let encode = pairs.encode;
                template.write(scope, encode, pairs.start(name))
            }
            Self::Array(items) => items
                .iter()
                .enumerate()
                .try_for_each(|(index, item)| item.write_pairs(&format!("{name}[{index}]"), scope, pairs)),
            Self::Object(entries) => entries.iter().try_for_each(|(key, shape)| {
                let name = if name.is_empty() {
                    key.clone()
                } else {
                    format!("{name}[{key}]")
                };
                shape.write_pairs(&name, scope, pairs)
            }),
            Self::Expression(name) => Err(not_evaluated(name)),
        }
    }
}

/// Expressions are declared and kept; nothing runs them yet.
pub(crate) fn not_evaluated(name: &str) -> FieldProblem {
    let message = format!("`{name}` comes from an expression, and expressions are not evaluated yet; use `variable`");
    FieldProblem::new("", message)
}

pub(super) fn write_json_object(
    entries: &[(String, Shape)],
    key: Option<(&str, &Template)>,
    scope: &Scope<'_>,
    out: &mut Text,
) -> Result<(), FieldProblem> {
    out.push_str("{");
    let mut first = true;
    let mut start = |name: &str, out: &mut Text| {
        let mut text = String::from(if first { "" } else { "," });
        first = false;
        write_string(&mut text, name);
        text.push(':');
        out.push_str(&text);
    };
    for (name, shape) in entries {
        if key.is_some_and(|(key, _)| key == name) || !shape.is_present(scope) {
            continue;
        }
        start(name, out);
        shape.write_json(scope, out)?;
    }
    if let Some((name, template)) = key {
        start(name, out);
        out.push_str("\"");
        template.write(scope, Encode::Json, out)?;
        out.push_str("\"");
    }
    out.push_str("}");
    Ok(())
}

/// `name=value` pairs of a form or a query being written.
pub(crate) struct Pairs {
    pub(crate) out: Text,
    encode: Encode,
    arrays: Arrays,
    /// What a null is written as; nothing leaves its pair out.
    null: Option<&'static str>,
    count: usize,
    /// Values that were looked at, those too that make no pair.
    visited: usize,
}

impl Pairs {
    /// A form is a value that is sent: in it a null says "no value", which is written as an empty text.
    pub(crate) fn form() -> Self {
        Self {
            out: Text::default(),
            encode: Encode::Form,
            arrays: Arrays::Index,
            null: Some(""),
            count: 0,
            visited: 0,
        }
    }

    /// Writes the arrays of what follows in another way.
    pub(crate) fn arrays(&mut self, arrays: Arrays) {
        self.arrays = arrays;
    }

    /// A query asks: what is null is not asked for.
    pub(crate) fn query(arrays: Arrays) -> Self {
        Self {
            out: Text::default(),
            encode: Encode::Percent,
            arrays,
            null: None,
            count: 0,
            visited: 0,
        }
    }

    /// Writes a name and returns the text its value is written to.
    pub(crate) fn start(&mut self, name: &str) -> &mut Text {
        let mut text = String::from(if self.count == 0 { "" } else { "&" });
        self.count += 1;
        self.encode.write(name, &mut text);
        text.push('=');
        self.out.push_str(&text);
        &mut self.out
    }

    /// Writes a value; `pointer` is where it stands in the input.
    ///
    /// Every value costs its name and its place, whether or not a pair comes of it: what is empty makes us as much work.
    fn tree(&mut self, name: &str, pointer: &str, tree: &Tree, scope: &Scope<'_>) -> Result<(), FieldProblem> {
        if self.visited >= limits::FORM_VALUES {
            return Err(too_many());
        }
        self.visited += 1;
        scope.spend(name.len() + pointer.len())?;
        match tree {
            Tree::Null => match self.null {
                Some(text) => self.scalar(name, text, scope),
                None => Ok(()),
            },
            Tree::Array(items) if self.arrays == Arrays::Comma && items.iter().all(is_scalar) => {
                self.joined(name, items, scope)
            }
            Tree::Array(items) => items.iter().enumerate().try_for_each(|(index, item)| {
                let pointer = format!("{pointer}/{index}");
                match self.arrays {
                    Arrays::Repeat | Arrays::Comma => self.tree(name, &pointer, item, scope),
                    Arrays::Index => self.tree(&format!("{name}[{index}]"), &pointer, item, scope),
                    Arrays::Brackets => self.tree(&format!("{name}[]"), &pointer, item, scope),
                }
            }),
            Tree::Object(entries) => entries.iter().try_for_each(|(key, value)| {
                let pointer = format!("{pointer}/{}", pointer_token(key));
                if key.is_empty() || key.contains(['[', ']']) {
                    return Err(FieldProblem::new(pointer, BRACKETS));
                }
                self.tree(&format!("{name}[{key}]"), &pointer, value, scope)
            }),
            scalar => self.scalar(name, &as_text(scalar), scope),
        }
    }

    /// One pair for all elements. What parts them stays a comma; one inside an element is encoded.
    fn joined(&mut self, name: &str, items: &[Tree], scope: &Scope<'_>) -> Result<(), FieldProblem> {
        self.visited += items.len();
        if self.visited > limits::FORM_VALUES {
            return Err(too_many());
        }
        if items.is_empty() {
            return Ok(());
        }
        let mut text = String::new();
        for (index, item) in items.iter().enumerate() {
            let value = as_text(item);
            scope.spend(value.len() + 1)?;
            text.push_str(if index > 0 { "," } else { "" });
            self.encode.write(&value, &mut text);
        }
        self.start(name).push_str(&text);
        Ok(())
    }

    fn scalar(&mut self, name: &str, value: &str, scope: &Scope<'_>) -> Result<(), FieldProblem> {
        scope.spend(value.len())?;
        let mut text = String::new();
        self.encode.write(value, &mut text);
        self.start(name).push_str(&text);
        Ok(())
    }
}

fn too_many() -> FieldProblem {
    FieldProblem::new("", format!("it is made of more than {} values", limits::FORM_VALUES))
}

fn is_scalar(tree: &Tree) -> bool {
    !matches!(tree, Tree::Null | Tree::Array(_) | Tree::Object(_))
}

/// Why a key is refused: with it a value would be read in another place than it was put.
const BRACKETS: &str = "this name is written in brackets: it cannot be empty or hold `[` or `]`";
