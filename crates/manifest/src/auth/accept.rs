//! Judging what a person typed in.

use std::collections::BTreeSet;

use super::{Auth, Field};
use crate::{
    json::{Json, Tree},
    lint,
    values::{FieldProblem, pointer_token},
};

/// A configuration that fits. Secrets stay in the caller's object: they are named here, never copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The public fields under their own names, with defaults: an object.
    pub public: Tree,
    /// Which secrets were given, and where.
    pub secrets: Vec<GivenSecret>,
}

/// A secret in the caller's object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenSecret {
    /// The field's own name.
    pub name: String,
    /// The key it was given under: the name or an alias.
    pub key: String,
}

impl Auth {
    /// Checks a caller's configuration (an object of field names or aliases): types, patterns, options, required and
    /// unknown fields. Null counts as not given. Pointers in the problems are into that object.
    pub fn accept(&self, config: &Json) -> Result<Accepted, Vec<FieldProblem>> {
        self.accept_beside(config, &BTreeSet::new())
    }

    /// The same for a configuration beside which some fields, named here, are kept as they were.
    pub fn accept_beside(&self, config: &Json, kept: &BTreeSet<String>) -> Result<Accepted, Vec<FieldProblem>> {
        let Some(entries) = config.tree().as_object() else {
            return Err(vec![FieldProblem::new("", "an object of fields is expected")]);
        };
        let mut problems = Vec::new();
        let mut given: Vec<(&Field, &str, &Tree)> = Vec::new();
        for (key, value) in entries {
            let pointer = format!("/{}", pointer_token(key));
            let Some(field) = self.field(key) else {
                problems.push(FieldProblem::new(pointer, self.unknown(key)));
                continue;
            };
            if value.is_null() {
                continue;
            }
            if given.iter().any(|(other, _, _)| other.name == field.name) {
                let message = format!("`{}` is given twice, under two of its names", field.name);
                problems.push(FieldProblem::new(pointer, message));
            } else if let Some(message) = field.refuse(value) {
                problems.push(FieldProblem::new(pointer, message));
            } else {
                given.push((field, key, value));
            }
        }
        for field in &self.fields {
            let pointers = std::iter::once(&field.name).chain(&field.aliases);
            let has_problem = pointers
                .map(|name| format!("/{}", pointer_token(name)))
                .any(|pointer| problems.iter().any(|problem| problem.pointer == pointer));
            let absent = !kept.contains(&field.name) && !given.iter().any(|(other, _, _)| other.name == field.name);
            if field.required && field.default.is_none() && absent && !has_problem {
                let message = format!("{} is required", field.label);
                problems.push(FieldProblem::new(format!("/{}", pointer_token(&field.name)), message));
            }
        }
        if problems.is_empty() {
            Ok(self.sort(&given))
        } else {
            Err(problems)
        }
    }

    fn unknown(&self, key: &str) -> String {
        let names = || self.fields.iter().map(|field| field.name.as_str());
        let known: Vec<&str> = names().collect();
        let shown: String = key.chars().take(80).collect();
        let hint = lint::hint_then(&shown, names());
        if known.is_empty() {
            format!("there is no field `{shown}`: this auth method has none")
        } else {
            format!("there is no field `{shown}`{hint}The fields are {}", known.join(", "))
        }
    }

    fn sort(&self, given: &[(&Field, &str, &Tree)]) -> Accepted {
        let mut public = Vec::new();
        let mut secrets = Vec::new();
        for field in &self.fields {
            let found = given.iter().find(|(other, _, _)| other.name == field.name);
            match (found, field.secret) {
                (Some((_, key, _)), true) => secrets.push(GivenSecret {
                    name: field.name.clone(),
                    key: (*key).to_owned(),
                }),
                (Some((_, _, value)), false) => public.push((field.name.clone(), (*value).clone())),
                (None, _) => {
                    public.extend(field.default.iter().map(|value| (field.name.clone(), value.clone())));
                }
            }
        }
        Accepted {
            public: Tree::Object(public),
            secrets,
        }
    }
}

impl Field {
    /// Why a value does not fit. Never tells the value.
    fn refuse(&self, value: &Tree) -> Option<String> {
        if let Some(message) = self.kind.refuse(value) {
            return Some(format!("{}: {message}", self.label));
        }
        if self.required && value.as_str().is_some_and(|text| text.trim().is_empty()) {
            return Some(format!("{} is required and must not be empty", self.label));
        }
        if !self.options.is_empty() && !self.options.iter().any(|option| option.value == *value) {
            let all: Vec<String> = self.options.iter().map(|option| option.value.to_text()).collect();
            return Some(format!("{} is one of {}", self.label, all.join(", ")));
        }
        let text = value.as_str().unwrap_or_default();
        match &self.regex {
            Some(regex) if !regex.is_match(text) => Some(format!(
                "{} does not have the expected form ({})",
                self.label,
                regex.as_str()
            )),
            _ => None,
        }
    }
}
