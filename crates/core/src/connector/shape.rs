//! The schema of a configuration whose connector is code: judged beside the fields, which are read from it.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tieline_manifest::{Json, Tree};

use crate::{
    error::{FieldError, Result},
    schema::{Check, closed, referred},
};

/// A configuration's schema.
pub(super) struct Shape(Check);

impl Shape {
    pub(super) fn new(schema: Value) -> Result<Self> {
        let check = Check::new(closed(schema));
        check.compile()?;
        Ok(Self(check))
    }

    /// The schema, which takes nothing but what it names.
    pub(super) fn schema(&self) -> &Value {
        self.0.schema()
    }

    /// What of a configuration does not fit, beside secrets that are kept as they were. Null counts as not given.
    pub(super) fn errors(&self, config: &Json, kept: &BTreeSet<String>) -> Result<Vec<FieldError>> {
        let fields = config.tree().as_object().unwrap_or_default().iter();
        let mut given: Vec<(String, Tree)> = fields.filter(|(_, value)| !value.is_null()).cloned().collect();
        let names: Vec<&String> = given.iter().map(|(name, _)| name).collect();
        let kept: Vec<&String> = kept.iter().filter(|name| !names.contains(name)).collect();
        if kept.is_empty() {
            return self.0.errors(&Json::from_tree(Tree::Object(given)));
        }
        // They were judged when they came: here they are there, whatever they are.
        let mut schema = self.schema().clone();
        if let Some(place) = schema
            .get("$ref")
            .and_then(Value::as_str)
            .and_then(|place| place.strip_prefix('#'))
            && referred(&schema, &schema).is_some_and(|root| root.get("properties").is_some())
        {
            let place = format!("{place}/properties");
            set(schema.pointer_mut(&place), &kept);
        }
        set(schema.get_mut("properties"), &kept);
        given.extend(kept.into_iter().map(|name| (name.clone(), Tree::Null)));
        Check::new(schema).errors(&Json::from_tree(Tree::Object(given)))
    }
}

fn set(properties: Option<&mut Value>, kept: &[&String]) {
    let Some(Value::Object(properties)) = properties else {
        return;
    };
    for name in kept {
        if let Some(property) = properties.get_mut(*name) {
            *property = json!(true);
        }
    }
}
