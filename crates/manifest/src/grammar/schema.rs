//! A grammar as JSON Schema (2020-12), for editors and for who writes manifests by program.
//!
//! It says what [`super::check`] judges. What a typed reader judges beyond that (templates, paths, names that must be
//! declared) is left to the linter. A null in the place of an optional field, which the reader takes for absence, is
//! marked: who edits by hand rather forgot it.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::{Form, Object, Tagged, Value};
use crate::schema::DIALECT;

/// The schema of a whole document.
pub(crate) fn write(title: &str, root: &'static Object) -> Json {
    let mut writer = Writer::default();
    let mut schema = writer.object_schema(root);
    let defs: Map<String, Json> = writer
        .defs
        .into_iter()
        .map(|(name, def)| (name.to_owned(), def))
        .collect();
    if let Json::Object(entries) = &mut schema {
        entries.insert("$schema".to_owned(), DIALECT.into());
        entries.insert("title".to_owned(), title.into());
        entries.insert("$defs".to_owned(), Json::Object(defs));
    }
    schema
}

#[derive(Default)]
struct Writer {
    defs: BTreeMap<&'static str, Json>,
}

impl Writer {
    fn value(&mut self, value: Value) -> Json {
        match value {
            Value::Any => json!({}),
            Value::Text(form) => text(form),
            Value::Scalar => json!({ "type": ["string", "number", "boolean"] }),
            Value::Boolean => json!({ "type": "boolean" }),
            Value::Integer(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
            Value::Number => json!({ "type": "number" }),
            Value::Words(vocabulary) => json!({ "enum": vocabulary.words() }),
            Value::List(list) => {
                let mut schema = json!({ "type": "array", "items": self.value(list.of) });
                if list.min > 0 {
                    schema["minItems"] = list.min.into();
                }
                schema
            }
            Value::OneOrMore(of) => {
                let one = self.value(*of);
                json!({ "anyOf": [one, { "type": "array", "items": one }] })
            }
            Value::Map(of) => json!({ "type": "object", "additionalProperties": self.value(*of) }),
            Value::Object(object) => {
                self.define(object);
                json!({ "$ref": format!("#/$defs/{}", object.name) })
            }
            Value::Tagged(tagged) => {
                self.define_tagged(tagged);
                json!({ "$ref": format!("#/$defs/{}", tagged.name) })
            }
            Value::WordOr(vocabulary, other) => {
                json!({ "anyOf": [{ "enum": vocabulary.words() }, self.value(*other)] })
            }
            Value::ByKind(by) => {
                json!({ "anyOf": [self.value(by.text), self.value(by.list), self.value(by.map)] })
            }
            Value::ScalarOr(other) => {
                json!({ "anyOf": [{ "type": ["string", "number", "boolean"] }, self.value(*other)] })
            }
        }
    }

    /// Puts an object among the definitions. Its name is taken first: an object may hold itself.
    fn define(&mut self, object: &'static Object) {
        if !self.defs.contains_key(object.name) {
            self.defs.insert(object.name, Json::Null);
            let schema = self.object_schema(object);
            self.defs.insert(object.name, schema);
        }
    }

    fn object_schema(&mut self, object: &'static Object) -> Json {
        let properties: Map<String, Json> = object
            .fields
            .iter()
            .map(|field| {
                let mut schema = self.value(field.value);
                if !field.doc.is_empty() {
                    schema["description"] = field.doc.into();
                }
                (field.name.to_owned(), schema)
            })
            .collect();
        let required: Vec<&str> = object
            .fields
            .iter()
            .filter(|field| object.requires(field))
            .map(|field| field.name)
            .collect();
        let mut schema = json!({ "type": "object", "properties": properties, "additionalProperties": false });
        if !object.doc.is_empty() {
            schema["description"] = object.doc.into();
        }
        if !required.is_empty() {
            schema["required"] = required.into();
        }
        schema
    }

    fn define_tagged(&mut self, tagged: &'static Tagged) {
        if self.defs.contains_key(tagged.name) {
            return;
        }
        self.defs.insert(tagged.name, Json::Null);
        let words: Vec<&str> = tagged.variants.iter().map(|(word, _)| *word).collect();
        let branches: Vec<Json> = tagged
            .variants
            .iter()
            .map(|(word, object)| {
                self.define(object);
                let tag = tagged.tag;
                json!({
                    "if": { "properties": { tag: { "const": word } }, "required": [tag] },
                    "then": { "$ref": format!("#/$defs/{}", object.name) },
                })
            })
            .collect();
        let schema = json!({
            "type": "object",
            "properties": { tagged.tag: { "enum": words } },
            "required": [tagged.tag],
            "allOf": branches,
        });
        self.defs.insert(tagged.name, schema);
    }
}

fn text(form: &Form) -> Json {
    let mut schema = json!({ "type": "string", "pattern": r"\S" });
    if let Some((pattern, _)) = form.pattern {
        schema["pattern"] = pattern.into();
    }
    if form.min > 1 {
        schema["minLength"] = form.min.into();
    }
    if form.max < super::LONGEST {
        schema["maxLength"] = form.max.into();
    }
    schema
}
