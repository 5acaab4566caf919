//! Judging a tree by a grammar.

use super::{Form, Object, Tagged, Value};
use crate::{
    lint::{self, Lints},
    node::{NodeKind, Spot},
};

/// Reports everything that does not stand as the grammar says.
pub(crate) fn check(spot: &Spot<'_>, value: Value, lints: &mut Lints) {
    let kind = &spot.node.kind;
    match value {
        Value::Any => {}
        Value::Text(form) => text(spot, form, lints),
        Value::Scalar => match kind {
            NodeKind::Text(_) | NodeKind::Number(_) | NodeKind::Bool(_) => {}
            _ => wrong_type(spot, "a text", lints),
        },
        Value::Boolean => {
            if !matches!(kind, NodeKind::Bool(_)) {
                wrong_type(spot, "true or false", lints);
            }
        }
        Value::Integer(least, most) => integer(spot, least, most, lints),
        Value::Number => {
            if !matches!(kind, NodeKind::Number(_)) {
                wrong_type(spot, "a number", lints);
            }
        }
        Value::Words(vocabulary) => {
            word(spot, &vocabulary.words(), &[], lints);
        }
        Value::List(list) => {
            if !matches!(kind, NodeKind::List(_)) {
                return wrong_type(spot, "a list", lints);
            }
            let items = spot.list();
            if items.len() < list.min {
                let message = format!("at least {} is expected here", list.min);
                spot.lint(lints, lint::BAD_VALUE, message);
            }
            items.iter().for_each(|item| check(item, list.of, lints));
        }
        Value::OneOrMore(of) => spot.one_or_more().iter().for_each(|item| check(item, *of, lints)),
        Value::Map(of) => {
            if !matches!(kind, NodeKind::Map(_)) {
                return wrong_type(spot, "a mapping", lints);
            }
            spot.entries().iter().for_each(|(_, inner)| check(inner, *of, lints));
        }
        Value::Object(shape) => object(spot, shape, lints),
        Value::Tagged(tagged) => self::tagged(spot, tagged, lints),
        Value::WordOr(vocabulary, other) => match kind {
            NodeKind::Text(_) => {
                word(spot, &vocabulary.words(), &[], lints);
            }
            _ => check(spot, *other, lints),
        },
        Value::ByKind(by) => match kind {
            NodeKind::List(_) => check(spot, by.list, lints),
            NodeKind::Map(_) => check(spot, by.map, lints),
            _ => check(spot, by.text, lints),
        },
        Value::ScalarOr(other) => {
            if !matches!(kind, NodeKind::Text(_) | NodeKind::Number(_) | NodeKind::Bool(_)) {
                check(spot, *other, lints);
            }
        }
    }
}

fn wrong_type(spot: &Spot<'_>, wanted: &str, lints: &mut Lints) {
    let message = format!("{wanted} is expected here, not {}", spot.node.kind_name());
    spot.lint(lints, lint::WRONG_TYPE, message);
}

fn text(spot: &Spot<'_>, form: &Form, lints: &mut Lints) {
    let text = match &spot.node.kind {
        NodeKind::Text(text) => text,
        NodeKind::Number(_) | NodeKind::Bool(_) => return wrong_type(spot, "a text (put it in quotes)", lints),
        _ => return wrong_type(spot, "a text", lints),
    };
    let length = text.chars().count();
    if text.trim().is_empty() {
        spot.lint(lints, lint::BAD_VALUE, "it must not be empty");
    } else if length < form.min || length > form.max || form.pattern.is_some_and(|(_, fits)| !fits(text)) {
        spot.lint(lints, lint::BAD_VALUE, form.says);
    }
}

fn integer(spot: &Spot<'_>, least: u64, most: u64, lints: &mut Lints) {
    let NodeKind::Number(text) = &spot.node.kind else {
        return wrong_type(spot, "a whole number", lints);
    };
    if !text.parse().is_ok_and(|number| (least..=most).contains(&number)) {
        let message = format!("a whole number from {least} to {most} is expected");
        spot.lint(lints, lint::BAD_VALUE, message);
    }
}

/// Whether the word is one of these.
fn word(spot: &Spot<'_>, words: &[&'static str], later: &[&str], lints: &mut Lints) -> bool {
    let before = lints.len();
    text(spot, &super::ANY_TEXT, lints);
    let (NodeKind::Text(text), true) = (&spot.node.kind, lints.len() == before) else {
        return false;
    };
    if words.contains(&text.as_str()) {
        return true;
    }
    if later.contains(&text.as_str()) {
        let message = format!("`{text}` is not yet part of the language");
        spot.lint(lints, lint::NOT_YET, message);
    } else {
        let hint = lint::hint(text, words.iter().copied());
        let message = format!("`{text}` is none of {}{hint}", words.join(", "));
        spot.lint(lints, lint::BAD_VALUE, message);
    }
    false
}

fn object(spot: &Spot<'_>, shape: &Object, lints: &mut Lints) {
    let Some(fields) = spot.fields() else {
        return wrong_type(spot, "a mapping", lints);
    };
    for field in shape.fields {
        let found = match field.value {
            Value::Any => fields.get_or_null(field.name),
            _ => fields.get(field.name),
        };
        match found {
            Some(spot) => check(&spot, field.value, lints),
            None if shape.requires(field) => {
                let message = format!("the field `{}` is missing", field.name);
                fields.lint(lints, lint::MISSING_FIELD, message);
            }
            None => {}
        }
    }
    unknown(spot, shape, lints);
}

fn unknown(spot: &Spot<'_>, shape: &Object, lints: &mut Lints) {
    let known = || shape.fields.iter().map(|field| field.name);
    for (key, spot) in spot.entries() {
        if known().any(|name| name == key) {
            continue;
        }
        if lints.is_full() {
            return;
        }
        let (rule, message) = if shape.later.contains(&key) {
            let message = format!("`{key}` is not yet part of the language; leave it out");
            (lint::NOT_YET, message)
        } else {
            let message = format!("there is no field `{key}` here{}", lint::hint(key, known()));
            (lint::UNKNOWN_FIELD, message)
        };
        lints.add(rule, spot.at, &spot.path, message);
    }
}

fn tagged(spot: &Spot<'_>, tagged: &Tagged, lints: &mut Lints) {
    let Some(fields) = spot.fields() else {
        return wrong_type(spot, "a mapping", lints);
    };
    let Some(tag) = fields.get(tagged.tag) else {
        let message = format!("the field `{}` is missing", tagged.tag);
        return fields.lint(lints, lint::MISSING_FIELD, message);
    };
    let words: Vec<&'static str> = tagged.variants.iter().map(|(word, _)| *word).collect();
    if !word(&tag, &words, tagged.later, lints) {
        return;
    }
    let variant = tagged
        .variants
        .iter()
        .find(|(word, _)| tag.text().as_deref() == Some(word));
    if let Some((_, shape)) = variant {
        object(spot, shape, lints);
    }
}
