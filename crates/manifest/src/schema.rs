//! JSON Schema (2020-12) of inputs, outputs and configurations.

use serde_json::{Map, Value, json};

use crate::{
    auth::{Auth, Field, FieldKind},
    endpoint::Endpoint,
    json::Tree,
    property::{Kind, Property},
};

/// The dialect every schema here is written in.
pub const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

impl Endpoint {
    /// The shape of the input: an object that takes nothing else. Secret inputs are `writeOnly`.
    pub fn input_schema(&self) -> Value {
        let properties = self
            .inputs
            .iter()
            .map(|input| (input.name.clone(), property(&input.property, true)))
            .collect();
        let required = self
            .inputs
            .iter()
            .filter(|input| {
                let shape = &input.property;
                shape.required && shape.default.is_none() && shape.from_config.is_none()
            })
            .map(|input| input.name.as_str());
        let mut schema = object(properties, required, false);
        schema.insert("$schema".to_owned(), DIALECT.into());
        if !self.at_least_one.is_empty() {
            let any: Vec<Value> = self
                .at_least_one
                .iter()
                .map(|name| json!({ "required": [name] }))
                .collect();
            schema.insert("anyOf".to_owned(), any.into());
        }
        Value::Object(schema)
    }

    /// The shape of the result: true (anything) when the manifest does not tell.
    pub fn output_schema(&self) -> Value {
        match &self.output {
            None => Value::Bool(true),
            Some(output) => {
                let mut schema = property(output, false);
                if let Value::Object(entries) = &mut schema {
                    entries.insert("$schema".to_owned(), DIALECT.into());
                }
                schema
            }
        }
    }
}

impl Auth {
    /// The shape of the configuration under its fields' own names. Aliases are accepted by [`Auth::accept`] and not
    /// told here.
    pub fn config_schema(&self) -> Value {
        let properties = self
            .fields
            .iter()
            .map(|field| (field.name.clone(), field_schema(field)))
            .collect();
        let required = self
            .fields
            .iter()
            .filter(|field| field.required && field.default.is_none())
            .map(|field| field.name.as_str());
        let mut schema = object(properties, required, false);
        schema.insert("$schema".to_owned(), DIALECT.into());
        Value::Object(schema)
    }
}

fn object<'n>(
    properties: Map<String, Value>,
    required: impl Iterator<Item = &'n str>,
    open: bool,
) -> Map<String, Value> {
    let mut schema = Map::new();
    schema.insert("type".to_owned(), "object".into());
    schema.insert("properties".to_owned(), Value::Object(properties));
    let required: Vec<&str> = required.collect();
    if !required.is_empty() {
        schema.insert("required".to_owned(), required.into());
    }
    if !open {
        schema.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
    schema
}

fn put(schema: &mut Map<String, Value>, key: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        schema.insert(key.to_owned(), value.into());
    }
}

/// `closed`: an object with properties takes no others. Answers may grow, inputs may not.
fn property(shape: &Property, closed: bool) -> Value {
    let mut schema = Map::new();
    if shape.kind == Some(Kind::File) {
        return file(shape);
    }
    if !shape.properties.is_empty() {
        let properties = shape
            .properties
            .iter()
            .map(|(name, shape)| (name.clone(), property(shape, closed)))
            .collect();
        let required = shape
            .properties
            .iter()
            .filter(|(_, shape)| shape.required)
            .map(|(name, _)| name.as_str());
        schema = object(properties, required, !closed);
    }
    if let Some(kind) = shape.kind {
        let kind = if shape.nullable {
            json!([kind.as_str(), "null"])
        } else {
            json!(kind.as_str())
        };
        schema.insert("type".to_owned(), kind);
    }
    put(&mut schema, "description", shape.description.clone());
    put(&mut schema, "default", shape.default.as_ref().map(Tree::to_value));
    put(&mut schema, "pattern", shape.pattern.clone());
    put(&mut schema, "minLength", shape.min_length);
    put(&mut schema, "maxLength", shape.max_length);
    put(&mut schema, "minimum", shape.minimum.as_ref().map(Tree::to_value));
    put(&mut schema, "maximum", shape.maximum.as_ref().map(Tree::to_value));
    put(&mut schema, "minItems", shape.min_items);
    put(&mut schema, "maxItems", shape.max_items);
    put(&mut schema, "format", shape.format.clone());
    put(
        &mut schema,
        "items",
        shape.items.as_ref().map(|items| property(items, closed)),
    );
    if !shape.choices.is_empty() {
        let mut choices: Vec<Value> = shape.choices.iter().map(Tree::to_value).collect();
        if shape.nullable && !choices.contains(&Value::Null) {
            choices.push(Value::Null);
        }
        schema.insert("enum".to_owned(), choices.into());
    }
    if shape.secret {
        schema.insert("type".to_owned(), "string".into());
        schema.insert("writeOnly".to_owned(), Value::Bool(true));
    }
    Value::Object(schema)
}

/// A file: its content as base64 or as plain text, and what it is called.
fn file(shape: &Property) -> Value {
    let mut schema = json!({
        "type": "object",
        "properties": {
            "content": { "type": "string", "contentEncoding": "base64", "description": "Its bytes in base64." },
            "text": { "type": "string", "description": "Instead: its text." },
            "filename": { "type": "string", "description": "What it is called; `file` unless given." },
            "contentType": { "type": "string", "description": "Its media type." },
        },
        "oneOf": [{ "required": ["content"] }, { "required": ["text"] }],
        "additionalProperties": false,
    });
    if let Some(description) = &shape.description {
        schema["description"] = description.clone().into();
    }
    schema
}

/// What holds several values may come as one text, too. Nothing where any type will do.
fn field_type(kind: FieldKind) -> Option<Value> {
    let name = kind.schema_type()?;
    Some(match kind {
        FieldKind::Hosts | FieldKind::Headers => json!([name, "string"]),
        _ => name.into(),
    })
}

fn field_schema(field: &Field) -> Value {
    let mut schema = Map::new();
    put(&mut schema, "type", field_type(field.kind));
    if field.kind == FieldKind::Hosts {
        schema.insert("items".to_owned(), json!({ "type": "string" }));
    }
    if field.kind == FieldKind::Headers {
        schema.insert("additionalProperties".to_owned(), json!({ "type": "string" }));
    }
    schema.insert("title".to_owned(), field.label.clone().into());
    put(&mut schema, "description", field.description.clone());
    put(&mut schema, "default", field.default.as_ref().map(Tree::to_value));
    put(&mut schema, "pattern", field.pattern.clone());
    put(
        &mut schema,
        "examples",
        field.placeholder.clone().map(|text| vec![text]),
    );
    let format = match field.kind {
        FieldKind::Url => Some("uri"),
        FieldKind::Email => Some("email"),
        _ => None,
    };
    put(&mut schema, "format", format);
    if !field.options.is_empty() {
        let choices: Vec<Value> = field.options.iter().map(|option| option.value.to_value()).collect();
        schema.insert("enum".to_owned(), choices.into());
    }
    if field.secret {
        schema.insert("writeOnly".to_owned(), Value::Bool(true));
    }
    Value::Object(schema)
}
