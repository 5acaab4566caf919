//! JSON Schema checks of inputs, outputs and configurations.

mod closed;

pub(crate) use closed::{MAX_REFERENCES, closed, referred};

use std::sync::OnceLock;

use jsonschema::{ValidationError, error::ValidationErrorKind};
use serde_json::Value;
use tieline_manifest::{Json, lint};

use crate::{
    error::{Error, FieldError, Result},
    limits::MAX_FIELD_ERRORS,
};

/// A JSON Schema (2020-12), compiled on first use: the first compilation costs a millisecond or two, and most actions
/// of most processes are never called.
#[derive(Debug)]
pub(crate) struct Check {
    schema: Value,
    /// Where anything fits there is nothing to convert and ask.
    accepts_all: bool,
    compiled: OnceLock<jsonschema::Validator>,
}

impl Check {
    pub(crate) fn new(schema: Value) -> Self {
        let says_nothing = |word: &String| ["$schema", "title", "description"].contains(&word.as_str());
        let accepts_all = match &schema {
            Value::Object(words) => words.keys().all(says_nothing),
            other => *other == Value::Bool(true),
        };
        Self {
            schema,
            accepts_all,
            compiled: OnceLock::new(),
        }
    }

    /// The wrong places of `json`, at most [`MAX_FIELD_ERRORS`].
    pub(crate) fn errors(&self, json: &Json) -> Result<Vec<FieldError>> {
        if self.accepts_all {
            return Ok(Vec::new());
        }
        let value = json.to_value();
        Ok(self
            .validator()?
            .iter_errors(&value)
            .flat_map(|error| self.mends(&error))
            .take(MAX_FIELD_ERRORS)
            .collect())
    }

    /// What to say of an error: the place is the field's own, also where it is missing or too much.
    fn mends(&self, error: &ValidationError<'_>) -> Vec<FieldError> {
        let at = error.instance_path().as_str();
        let below = |name: &str| format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
        let field = |pointer, message| vec![FieldError { pointer, message }];
        match error.kind() {
            ValidationErrorKind::Required { property } => {
                field(below(property.as_str().unwrap_or_default()), "is required".to_owned())
            }
            ValidationErrorKind::AdditionalProperties { unexpected }
            | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
                // Only the names at the top are at hand to guess from.
                let known = if at.is_empty() { self.known_names() } else { Vec::new() };
                let known = || known.iter().map(String::as_str);
                let said = |name: &String| FieldError {
                    pointer: below(name),
                    message: format!("there is no such field{}", lint::hint(name, known())),
                };
                unexpected.iter().map(said).collect()
            }
            ValidationErrorKind::AnyOf { .. } if !self.one_of_these().is_empty() => field(
                at.to_owned(),
                format!("give at least one of {}", self.one_of_these().join(", ")),
            ),
            // Messages never quote a value: it may be a secret.
            _ => field(at.to_owned(), error.masked_with("this value").to_string()),
        }
    }

    /// The fields at the top.
    fn known_names(&self) -> Vec<String> {
        let properties = self.schema.get("properties").and_then(Value::as_object);
        properties.map_or_else(Vec::new, |properties| properties.keys().cloned().collect())
    }

    /// The fields of which one must be there, as an endpoint's `atLeastOne` becomes `anyOf` of `required`.
    fn one_of_these(&self) -> Vec<&str> {
        let alternatives = self.schema.get("anyOf").and_then(Value::as_array);
        let all = alternatives.into_iter().flatten();
        all.filter_map(|alternative| alternative.pointer("/required/0")?.as_str())
            .collect()
    }

    /// Whether the schema is one.
    pub(crate) fn compile(&self) -> Result<()> {
        self.validator().map(drop)
    }

    /// The schema.
    pub(crate) fn schema(&self) -> &Value {
        &self.schema
    }

    fn validator(&self) -> Result<&jsonschema::Validator> {
        if let Some(validator) = self.compiled.get() {
            return Ok(validator);
        }
        let validator = jsonschema::draft202012::new(&self.schema)
            .map_err(|error| Error::internal("a schema of ours does not compile", error.to_string()))?;
        Ok(self.compiled.get_or_init(|| validator))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(input: Value) -> Vec<(String, String)> {
        let schema = json!({
            "type": "object",
            "properties": {
                "content": { "type": "string" },
                "embeds": { "type": "array" },
                "channel/id": { "type": "string" },
            },
            "required": ["channel/id"],
            "anyOf": [{ "required": ["content"] }, { "required": ["embeds"] }],
            "additionalProperties": false,
        });
        let errors = Check::new(schema).errors(&input.into()).unwrap();
        errors.into_iter().map(|error| (error.pointer, error.message)).collect()
    }

    #[test]
    fn errors_name_the_place_and_the_mend() {
        let pair = |pointer: &str, message: &str| (pointer.to_owned(), message.to_owned());
        assert_eq!(said(json!({ "channel/id": "1", "content": "x" })), []);
        assert_eq!(said(json!({ "content": "x" })), [pair("/channel~1id", "is required")]);
        assert_eq!(
            said(json!({ "channel/id": "1" })),
            [pair("", "give at least one of content, embeds")]
        );
        let misspelt = said(json!({ "channel/id": "1", "contnt": "x" }));
        assert!(
            misspelt.contains(&pair("/contnt", "there is no such field; did you mean `content`?")),
            "{misspelt:?}"
        );
    }

    #[test]
    fn messages_never_quote_a_value() {
        let wrong = said(json!({ "channel/id": "1", "content": { "secret": "canary-77" } }));
        assert_eq!(wrong[0].0, "/content");
        assert!(!wrong[0].1.contains("canary-77"), "{wrong:?}");
    }
}
