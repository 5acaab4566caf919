//! What a test that failed is called, where a connector has words of its own for it.

use std::collections::BTreeMap;

use crate::{
    lint::{self, Lints},
    node::Spot,
};

/// A connector's own words for what a test found; what is absent has everybody's word.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TestCodes {
    /// A field that has to be there is not.
    pub missing: Option<String>,
    /// The credentials were refused, or cannot be any.
    pub refused: Option<String>,
    /// The service answered, and something else was wrong.
    pub failed: Option<String>,
    /// By the name of a field.
    pub fields: BTreeMap<String, FieldCodes>,
}

/// The words of one field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldCodes {
    /// It is not there.
    pub missing: Option<String>,
    /// It does not fit.
    pub invalid: Option<String>,
}

impl TestCodes {
    /// `known` are the fields of all auth methods.
    pub(super) fn read(spot: &Spot<'_>, known: &BTreeMap<String, bool>, lints: &mut Lints) -> Self {
        let Some(fields) = spot.fields() else {
            return Self::default();
        };
        let mut by_name = BTreeMap::new();
        for (name, spot) in fields.get("fields").map(|spot| spot.entries()).unwrap_or_default() {
            if !known.contains_key(name) {
                let hint = lint::hint(name, known.keys().map(String::as_str));
                spot.lint(lints, lint::UNKNOWN_NAME, format!("no field is named `{name}`{hint}"));
            }
            let Some(fields) = spot.fields() else { continue };
            let codes = FieldCodes {
                missing: fields.text("missing"),
                invalid: fields.text("invalid"),
            };
            by_name.insert(name.to_owned(), codes);
        }
        Self {
            missing: fields.text("missing"),
            refused: fields.text("refused"),
            failed: fields.text("failed"),
            fields: by_name,
        }
    }
}
