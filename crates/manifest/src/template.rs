//! Text with placeholders. Compiled once, rendered in one pass: what comes in is never read as a template (X3).

mod names;

use crate::{
    limits,
    request::{Encode, Part, SecretRef, Slot, Text},
    values::{FieldProblem, Found, Scope, as_text, pointer_token},
};

pub(crate) use names::Names;

/// A compiled template.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Template {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Place(Place),
}

/// Which object a placeholder looks into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    Input,
    Config,
}

/// A placeholder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) origin: Origin,
    name: String,
    steps: Vec<String>,
    /// Set when the name is declared secret.
    pub(crate) secret: Option<SecretRef>,
}

impl Place {
    pub(crate) fn input(name: &str, secret: bool) -> Self {
        Self {
            origin: Origin::Input,
            name: name.to_owned(),
            steps: Vec::new(),
            secret: secret.then(|| SecretRef::Input(name.to_owned())),
        }
    }

    /// A secret field of the connection.
    pub(crate) fn config(name: &str, secret: SecretRef) -> Self {
        Self {
            origin: Origin::Config,
            name: name.to_owned(),
            steps: Vec::new(),
            secret: Some(secret),
        }
    }

    /// The place of a key inside this place's value.
    pub(crate) fn inner(&self, key: &str) -> Self {
        let mut inner = self.clone();
        inner.steps.push(key.to_owned());
        inner
    }

    /// The top-level name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// JSON pointer into the object it looks into.
    pub(crate) fn pointer(&self) -> String {
        let mut out = format!("/{}", pointer_token(&self.name));
        for step in &self.steps {
            out.push('/');
            out.push_str(&pointer_token(step));
        }
        out
    }

    /// Follows the steps inside the top-level value.
    pub(crate) fn inside<'t>(&self, tree: &'t crate::json::Tree) -> Option<&'t crate::json::Tree> {
        self.steps.iter().try_fold(tree, |tree, step| match tree.as_array() {
            Some(items) => items.get(step.parse::<usize>().ok()?),
            None => tree.get(step),
        })
    }
}

impl Template {
    /// Reads `text`; bare names look into `local`.
    pub(crate) fn parse(text: &str, local: Origin) -> Result<Self, String> {
        if text.len() > limits::TEMPLATE_BYTES {
            return Err(format!("a template is at most {} bytes long", limits::TEMPLATE_BYTES));
        }
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(start) = rest.find("{{") {
            push_literal(&mut pieces, &rest[..start]);
            let inside = &rest[start + 2..];
            let end = inside
                .find("}}")
                .ok_or_else(|| "`{{` has no `}}` after it".to_owned())?;
            pieces.push(Piece::Place(place(inside[..end].trim(), local)?));
            rest = &inside[end + 2..];
        }
        push_literal(&mut pieces, rest);
        Ok(Self { pieces })
    }

    /// Reads a path's segment, where `{name}` is an input beside the placeholders.
    pub(crate) fn parse_segment(text: &str) -> Result<Self, String> {
        let mut out = Self::default();
        for piece in Self::parse(text, Origin::Input)?.pieces {
            match piece {
                Piece::Literal(literal) => segment_pieces(&literal, &mut out.pieces)?,
                place => out.pieces.push(place),
            }
        }
        Ok(out)
    }

    /// The one placeholder the template consists of.
    pub(crate) fn whole(&self) -> Option<&Place> {
        match self.pieces.as_slice() {
            [Piece::Place(place)] => Some(place),
            _ => None,
        }
    }

    /// The text of a template without placeholders.
    pub(crate) fn as_literal(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [] => Some(""),
            [Piece::Literal(text)] => Some(text),
            _ => None,
        }
    }

    pub(crate) fn places(&self) -> impl Iterator<Item = &Place> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Place(place) => Some(place),
            Piece::Literal(_) => None,
        })
    }

    pub(crate) fn literals(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Literal(text) => Some(text.as_str()),
            Piece::Place(_) => None,
        })
    }

    /// The text with a letter for each placeholder, to judge what stands around them.
    pub(crate) fn sample(&self) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Literal(text) => text.clone(),
            Piece::Place(_) => "x".to_owned(),
        };
        self.pieces.iter().map(piece).collect()
    }

    /// Whether a placeholder names a secret.
    pub(crate) fn has_secret(&self) -> bool {
        self.places().any(|place| place.secret.is_some())
    }

    fn places_mut(&mut self) -> impl Iterator<Item = &mut Place> {
        self.pieces.iter_mut().filter_map(|piece| match piece {
            Piece::Place(place) => Some(place),
            Piece::Literal(_) => None,
        })
    }

    /// Writes the text, the template's own and the values', encoded for its place.
    pub(crate) fn write(&self, scope: &Scope<'_>, encode: Encode, out: &mut Text) -> Result<(), FieldProblem> {
        self.write_around(scope, encode, encode, out)
    }

    /// Writes a piece of a URL: the template's own text is URL already, only values are percent-encoded.
    pub(crate) fn write_url(&self, scope: &Scope<'_>, out: &mut Text) -> Result<(), FieldProblem> {
        self.write_around(scope, Encode::Raw, Encode::Percent, out)
    }

    fn write_around(&self, scope: &Scope<'_>, own: Encode, values: Encode, out: &mut Text) -> Result<(), FieldProblem> {
        for piece in &self.pieces {
            match piece {
                Piece::Literal(text) => write_literal(text, own, out),
                Piece::Place(place) => write_place(place, scope, values, out)?,
            }
        }
        Ok(())
    }

    /// The parts of a slot that is encoded as one (Basic).
    pub(crate) fn parts(&self, scope: &Scope<'_>, out: &mut Vec<Part>) -> Result<(), FieldProblem> {
        for piece in &self.pieces {
            match piece {
                Piece::Literal(text) => push_part(out, text),
                Piece::Place(place) => match scope.look(place) {
                    Found::Value(tree) => push_part(out, &as_text(tree)),
                    Found::Secret(secret) => out.push(Part::Secret(secret.clone())),
                    Found::Nothing => return Err(FieldProblem::missing(place)),
                },
            }
        }
        Ok(())
    }
}

/// Writes one placeholder's value, or its slot.
pub(crate) fn write_place(
    place: &Place,
    scope: &Scope<'_>,
    encode: Encode,
    out: &mut Text,
) -> Result<(), FieldProblem> {
    match scope.look(place) {
        Found::Value(tree) => {
            let text = as_text(tree);
            scope.spend(text.len())?;
            write_literal(&text, encode, out);
        }
        Found::Secret(secret) => out.push_slot(Slot {
            parts: vec![Part::Secret(secret.clone())],
            encode,
        }),
        Found::Nothing => return Err(FieldProblem::missing(place)),
    }
    Ok(())
}

fn write_literal(text: &str, encode: Encode, out: &mut Text) {
    let mut encoded = String::with_capacity(text.len());
    encode.write(text, &mut encoded);
    out.push_str(&encoded);
}

fn push_part(parts: &mut Vec<Part>, text: &str) {
    match parts.last_mut() {
        _ if text.is_empty() => {}
        Some(Part::Literal(last)) => last.push_str(text),
        _ => parts.push(Part::Literal(text.to_owned())),
    }
}

fn push_literal(pieces: &mut Vec<Piece>, text: &str) {
    if !text.is_empty() {
        pieces.push(Piece::Literal(text.to_owned()));
    }
}

fn segment_pieces(literal: &str, pieces: &mut Vec<Piece>) -> Result<(), String> {
    let mut rest = literal;
    while let Some(start) = rest.find('{') {
        push_literal(pieces, &rest[..start]);
        let inside = &rest[start + 1..];
        let end = inside.find('}').ok_or_else(|| "`{` has no `}` after it".to_owned())?;
        let name = inside[..end].trim();
        if !is_name(name) {
            return Err(format!("`{{{name}}}` does not name a path parameter"));
        }
        pieces.push(Piece::Place(Place::input(name, false)));
        rest = &inside[end + 1..];
    }
    push_literal(pieces, rest);
    Ok(())
}

/// `input.a.b[0]`, `config.x`, or a bare `x`.
fn place(text: &str, local: Origin) -> Result<Place, String> {
    let wrong = || {
        format!("`{{{{{text}}}}}` is not a placeholder; write {{{{name}}}}, {{{{input.name}}}} or {{{{config.name}}}}")
    };
    let spelled = text.replace('[', ".").replace(']', "");
    let mut steps: Vec<String> = spelled.split('.').map(str::to_owned).collect();
    if steps.len() > limits::PLACEHOLDER_STEPS {
        return Err(format!("a placeholder has at most {} steps", limits::PLACEHOLDER_STEPS));
    }
    let origin = match steps[0].as_str() {
        "input" if steps.len() > 1 => Some(Origin::Input),
        "config" if steps.len() > 1 => Some(Origin::Config),
        _ => None,
    };
    if origin.is_some() {
        steps.remove(0);
    }
    let brackets_pair = text.matches('[').count() == text.matches(']').count();
    let is_step = |step: &String| is_name(step) || (!step.is_empty() && step.bytes().all(|byte| byte.is_ascii_digit()));
    if !brackets_pair || !is_name(&steps[0]) || !steps.iter().all(is_step) {
        return Err(wrong());
    }
    Ok(Place {
        origin: origin.unwrap_or(local),
        name: steps.remove(0),
        steps,
        secret: None,
    })
}

/// A name of a field or an input.
pub(crate) fn is_name(text: &str) -> bool {
    text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{json::Json, values::Values};

    fn render(template: &str, input: &str, encode: Encode) -> Result<String, FieldProblem> {
        let template = Template::parse(template, Origin::Input).unwrap();
        let (input, config) = (
            Json::parse(input).unwrap(),
            Json::parse(r#"{"x":"from config"}"#).unwrap(),
        );
        let values = Values {
            input: input.tree(),
            config: config.tree(),
            auth: None,
            secrets: &BTreeSet::new(),
        };
        let mut out = Text::default();
        template.write(&Scope::new(&values, &[]), encode, &mut out)?;
        Ok(out.to_string())
    }

    // X3
    #[test]
    fn x3_values_are_never_read_as_templates() {
        let input = r#"{"a":"{{b}}","b":"{{input.a}} {{config.x}}"}"#;
        assert_eq!(
            render("{{a}}-{{b}}", input, Encode::Raw).unwrap(),
            "{{b}}-{{input.a}} {{config.x}}"
        );
    }

    #[test]
    fn placeholders_reach_inside_and_keep_numbers() {
        let input = r#"{"a":{"b":[1.10,{"c":true}]},"n":null}"#;
        assert_eq!(
            render("{{ a.b[0] }}|{{input.a.b.1.c}}", input, Encode::Raw).unwrap(),
            "1.10|true"
        );
        assert_eq!(render("{{a.b}}", input, Encode::Raw).unwrap(), r#"[1.10,{"c":true}]"#);
        assert_eq!(render("{{config.x}}", input, Encode::Percent).unwrap(), "from%20config");
        assert_eq!(render("{{a.z}}", input, Encode::Raw).unwrap_err().pointer, "/a/z");
        assert_eq!(render("{{n}}", input, Encode::Raw).unwrap_err().pointer, "/n");
    }

    #[test]
    fn unreadable_placeholders_are_named() {
        for text in [
            "{{",
            "{{}}",
            "{{a b}}",
            "{{a[}}",
            "{{1}}",
            "{{a..b}}",
            "{{a()}}",
            "x {{a",
            "{{input}} {{$.a}}",
        ] {
            assert!(Template::parse(text, Origin::Input).is_err(), "{text}");
        }
        assert!(
            Template::parse("{{input}}", Origin::Input).is_ok(),
            "an input may be named input"
        );
        for text in ["{", "{a b}", "{}", "a{"] {
            assert!(Template::parse_segment(text).is_err(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn arbitrary_templates_never_panic(text in "[{}a-c.\\[\\]0-9 ]{0,40}") {
            let _ = Template::parse(&text, Origin::Config);
            let _ = Template::parse_segment(&text);
        }

        #[test]
        fn text_without_placeholders_stays(text in "[^{]{0,60}") {
            let template = Template::parse(&text, Origin::Input).unwrap();
            proptest::prop_assert_eq!(template.as_literal(), Some(text.as_str()));
        }
    }
}
