//! A schema that takes nothing but what it names.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// How many references are followed after one another: as deep as anybody nests, and an end to those that go in circles.
pub(crate) const MAX_REFERENCES: usize = 32;

/// The same schema, in which every object that names its properties takes no others, unless it says itself what it takes.
/// A field that is misspelt is so refused where it stands, and not dropped in silence.
pub(crate) fn closed(mut schema: Value) -> Value {
    let whole = schema.clone();
    close(&mut schema, &whole);
    let defined = schema.get_mut("$defs").and_then(Value::as_object_mut);
    for definition in defined.into_iter().flat_map(Map::values_mut) {
        // Itself it may be a part of others: only what lies in it is closed.
        close_inside(definition, &whole);
    }
    schema
}

/// Closes what stands at one place of a document.
fn close(schema: &mut Value, whole: &Value) {
    close_inside(schema, whole);
    let names = |schema| names_properties(schema, whole, &mut BTreeSet::new());
    // Of several that each say so for themselves, none lets anything through.
    let each_says = schema.get("properties").is_none()
        && parts(schema, whole)
            .filter(|part| names(part))
            .all(|part| says(part, whole, MAX_REFERENCES));
    if !names(schema) || each_says || says(schema, whole, MAX_REFERENCES) {
        return;
    }
    let Some(words) = schema.as_object_mut() else { return };
    // Of what is put together from several schemas only the whole knows which properties are named.
    let is_whole = !["$ref", "allOf", "anyOf", "oneOf", "if"]
        .iter()
        .any(|word| words.contains_key(*word));
    let word = if is_whole {
        "additionalProperties"
    } else {
        "unevaluatedProperties"
    };
    words.insert(word.to_owned(), Value::Bool(false));
}

/// Closes the places inside a schema: of its properties, its items, and of what it is put together from.
fn close_inside(schema: &mut Value, whole: &Value) {
    let Some(words) = schema.as_object_mut() else { return };
    for (word, value) in words.iter_mut() {
        match (word.as_str(), value) {
            ("properties" | "patternProperties", Value::Object(places)) => {
                places.values_mut().for_each(|place| close(place, whole));
            }
            ("items" | "additionalProperties" | "contains", place) => close(place, whole),
            ("prefixItems", Value::Array(places)) => places.iter_mut().for_each(|place| close(place, whole)),
            ("allOf" | "anyOf" | "oneOf", Value::Array(parts)) => {
                parts.iter_mut().for_each(|part| close_inside(part, whole));
            }
            _ => {}
        }
    }
}

/// The schemas that a schema is put together from.
fn parts<'s>(schema: &'s Value, whole: &'s Value) -> impl Iterator<Item = &'s Value> {
    let several = ["allOf", "anyOf", "oneOf"].into_iter();
    let several = several.filter_map(|word| schema.get(word)?.as_array()).flatten();
    referred(schema, whole).into_iter().chain(several)
}

/// What a schema refers to.
pub(crate) fn referred<'s>(schema: &Value, whole: &'s Value) -> Option<&'s Value> {
    let place = schema.get("$ref")?.as_str()?.strip_prefix('#')?;
    whole.pointer(place)
}

/// Whether it, or what it is put together from, names properties. `seen` are the places that were followed already.
fn names_properties(schema: &Value, whole: &Value, seen: &mut BTreeSet<String>) -> bool {
    let place = schema.get("$ref").and_then(Value::as_str);
    if place.is_some_and(|place| !seen.insert(place.to_owned())) {
        return false;
    }
    schema.get("properties").is_some() || parts(schema, whole).any(|part| names_properties(part, whole, seen))
}

/// Whether it says already which others it takes.
fn says(schema: &Value, whole: &Value, left: usize) -> bool {
    let says_itself = ["additionalProperties", "unevaluatedProperties", "patternProperties"]
        .iter()
        .any(|word| schema.get(word).is_some());
    says_itself || left > 0 && referred(schema, whole).is_some_and(|schema| says(schema, whole, left - 1))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use schemars::{JsonSchema, schema_for};
    use serde_json::json;
    use tieline_manifest::Json;

    use super::*;
    use crate::schema::Check;

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Whole {
        plain: Plain,
        maybe: Option<Plain>,
        list: Vec<Plain>,
        any: serde_json::Value,
        map: BTreeMap<String, Plain>,
        choice: Choice,
        #[serde(flatten)]
        flat: Flat,
    }

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Plain {
        a: u8,
    }

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Flat {
        flat: u8,
    }

    #[derive(JsonSchema)]
    #[serde(tag = "type")]
    #[expect(dead_code, reason = "only its schema is looked at")]
    enum Choice {
        Inline { b: u8 },
        Other(Plain),
    }

    #[test]
    fn what_is_not_named_is_refused_where_it_stands() {
        let check = Check::new(closed(schema_for!(Whole).to_value()));
        let good = json!({
            "plain": { "a": 1 }, "maybe": null, "list": [{ "a": 1 }], "any": { "x": [{ "y": 1 }] },
            "map": { "k": { "a": 1 } }, "choice": { "type": "Inline", "b": 1 }, "flat": 1,
        });
        let wrong = |value: &Value| {
            let wrong = check.errors(&Json::from_value(value)).unwrap();
            wrong.into_iter().map(|field| field.pointer).collect::<Vec<_>>()
        };
        assert_eq!(wrong(&good), Vec::<String>::new());
        let mut other = good.clone();
        other["choice"] = json!({ "type": "Other", "a": 1 });
        other["maybe"] = json!({ "a": 1 });
        assert_eq!(wrong(&other), Vec::<String>::new());
        for place in ["", "/plain", "/list/0", "/map/k", "/choice"] {
            let mut bad = good.clone();
            bad.pointer_mut(place).unwrap()["typo"] = json!(1);
            assert!(!wrong(&bad).is_empty(), "{place}");
        }
        for place in ["/maybe", "/choice"] {
            let mut bad = other.clone();
            bad.pointer_mut(place).unwrap()["typo"] = json!(1);
            assert!(!wrong(&bad).is_empty(), "{place}");
        }
        let mut bad = good.clone();
        bad["list"][0]["typo"] = json!(1);
        assert_eq!(wrong(&bad), ["/list/0/typo"]);
    }

    #[test]
    fn who_says_what_he_takes_is_left_alone_and_circles_end() {
        let open = json!({ "type": "object", "properties": { "a": {} }, "additionalProperties": true });
        assert_eq!(closed(open.clone()), open);
        let circle = json!({ "$ref": "#/$defs/a", "$defs": { "a": { "$ref": "#/$defs/a" } } });
        assert_eq!(closed(circle.clone()), circle);
    }
}
