//! What is done to a value on its way into a record.

use super::PathTemplate;
use crate::{
    endpoint::read_json_path,
    json::Tree,
    limits,
    lint::{self, Lints},
    node::{Fields, Spot},
    path::Path,
};

/// What is done to a value.
#[derive(Debug, Clone)]
pub enum Transform {
    /// Nothing.
    Direct,
    /// Several values in a row; what is missing or null is left out.
    Concat {
        /// From the element of the data.
        fields: Vec<Path>,
        /// What stands between them.
        separator: String,
    },
    /// A text becomes a list.
    Split {
        /// What parts it.
        delimiter: String,
    },
    /// One value for another.
    Map {
        /// The value as text, and what it becomes.
        mapping: Vec<(String, Tree)>,
        /// For a value that is not among them; it stays as it is when absent.
        default: Option<Tree>,
    },
    /// Read and written as a date.
    Date {
        /// The usual forms when absent.
        input_format: Option<String>,
        /// ISO 8601 when absent.
        output_format: Option<String>,
    },
    /// Read as a number.
    Number,
    /// Read as true or false.
    Boolean,
    /// A text made of values of the element.
    Template(PathTemplate),
    /// A JavaScript expression.
    Expression(String),
    /// A value of another record.
    Lookup {
        /// The kind of record that is looked for.
        record_type: String,
        /// The field that has the value; the record's identifier when absent.
        match_field: Option<String>,
        /// The field that is taken; the record's id when absent.
        return_field: Option<String>,
    },
}

impl Transform {
    pub(super) fn read(spot: &Spot<'_>, lints: &mut Lints) -> Option<Self> {
        let fields = spot.fields()?;
        let kind = fields.text("type")?;
        let config_spot = fields.get("config");
        let config = config_spot.as_ref().and_then(Spot::fields);
        let plain = |key: &str| config.as_ref()?.get(key)?.scalar();
        match kind.as_str() {
            "direct" => Some(Self::Direct),
            "number" => Some(Self::Number),
            "boolean" => Some(Self::Boolean),
            "split" => Some(Self::Split {
                delimiter: plain("delimiter")
                    .filter(|text| !text.is_empty())
                    .unwrap_or_else(|| ",".to_owned()),
            }),
            "date" => Some(Self::Date {
                input_format: plain("inputFormat"),
                output_format: plain("outputFormat"),
            }),
            _ => Self::read_configured(&kind, &config?, lints),
        }
    }

    /// Those that say nothing without a configuration.
    fn read_configured(kind: &str, config: &Fields<'_>, lints: &mut Lints) -> Option<Self> {
        match kind {
            "concat" => Some(Self::Concat {
                fields: config
                    .list("fields")
                    .iter()
                    .filter_map(|spot| read_json_path(spot, lints))
                    .collect(),
                separator: config
                    .get("separator")
                    .and_then(|spot| spot.scalar())
                    .unwrap_or_default(),
            }),
            "map" => Some(Self::Map {
                mapping: config
                    .get("mapping")?
                    .entries()
                    .into_iter()
                    .map(|(value, spot)| (value.to_owned(), spot.node.to_tree()))
                    .collect(),
                default: config.get_or_null("default").map(|spot| spot.node.to_tree()),
            }),
            "template" => {
                let spot = config.get("template")?;
                match PathTemplate::parse(&spot.text()?) {
                    Ok(template) => Some(Self::Template(template)),
                    Err(message) => {
                        spot.lint(lints, lint::BAD_TEMPLATE, message);
                        None
                    }
                }
            }
            "expression" => {
                let spot = config.get("expression")?;
                let text = spot.text()?;
                if text.len() > limits::EXPRESSION_BYTES {
                    let message = format!("an expression is at most {} bytes long", limits::EXPRESSION_BYTES);
                    spot.lint(lints, lint::TOO_COMPLEX, message);
                }
                Some(Self::Expression(text))
            }
            "lookup" => Some(Self::Lookup {
                record_type: config.text("recordType")?,
                match_field: config.text("matchField"),
                return_field: config.text("returnField"),
            }),
            _ => None,
        }
    }
}
