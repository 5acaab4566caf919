//! How an answer becomes records, as it is declared: where the data is, and how fields are made of it.

mod pagination;
mod template;
mod transform;

pub use pagination::{End, NextLink, Pagination, Paging};
pub use template::PathTemplate;
pub use transform::Transform;

pub(crate) use pagination::{END_CONDITIONS, KINDS as PAGINATION_KINDS, PLACES};

use crate::{
    endpoint::{Format, read_json_path},
    json::Tree,
    limits,
    lint::{self, Lints},
    node::Spot,
    path::Path,
};

/// Where the result is in an answer, and how records are made of it.
#[derive(Debug, Clone, Default)]
pub struct ResponseMapping {
    /// The whole when absent.
    pub data_path: Option<Path>,
    /// The result of an answer without a body; null when absent.
    pub when_empty: Option<Tree>,
    /// How the answer is written; JSON when absent.
    pub format: Option<Format>,
    /// How a record's fields are made.
    pub fields: Vec<FieldMapping>,
    /// What kind of record it becomes.
    pub record_type: Option<String>,
    /// What tells one element of the data from another.
    pub identifier: Option<Path>,
    /// An error's sentence.
    pub error_path: Option<Path>,
    /// How many there are in all.
    pub total_count: Option<Path>,
    /// What it says about pages.
    pub page_info: Option<Path>,
}

/// How one field of a record is made.
#[derive(Debug, Clone)]
pub struct FieldMapping {
    /// From the element of the data.
    pub source: Path,
    /// The field of the record.
    pub target: String,
    /// What is done to the value.
    pub transform: Transform,
    /// The value when there is none, or null.
    pub default: Option<Tree>,
    /// Whether null and an empty text leave the field out.
    pub skip_if_empty: bool,
}

impl ResponseMapping {
    pub(crate) fn read(spot: &Spot<'_>, lints: &mut Lints) -> Self {
        let Some(fields) = spot.fields() else {
            return Self::default();
        };
        let path = |key, lints: &mut Lints| fields.get(key).and_then(|spot: Spot<'_>| read_json_path(&spot, lints));
        let metadata = fields.get("metadataMapping").and_then(|spot| spot.fields());
        let told = |key, lints: &mut Lints| read_json_path(&metadata.as_ref()?.get(key)?, lints);
        let mappings = fields.get("fieldMappings");
        let format = fields.get("format").and_then(|spot| spot.one_of(Format::WORDS));
        if format == Some(Format::Text) && fields.get("dataPath").is_some() {
            let message = "a text has nothing inside; leave `dataPath` out";
            spot.lint(lints, lint::CONTRADICTION, message);
        }
        Self {
            data_path: path("dataPath", lints),
            when_empty: fields.get("whenEmpty").map(|spot| spot.node.to_tree()),
            format,
            record_type: fields.text("recordType"),
            identifier: fields
                .get("identifierField")
                .and_then(|spot| read_identifier(&spot, lints)),
            error_path: path("errorPath", lints),
            total_count: told("totalCount", lints),
            page_info: told("pageInfo", lints),
            fields: mappings
                .map(|spot| FieldMapping::read_all(&spot, lints))
                .unwrap_or_default(),
        }
    }
}

/// A field's name, or a path to it.
fn read_identifier(spot: &Spot<'_>, lints: &mut Lints) -> Option<Path> {
    let text = spot.text()?;
    if text.starts_with('$') {
        return read_json_path(spot, lints);
    }
    Some(Path::of_name(&text))
}

impl FieldMapping {
    /// Reads a list of mappings; a target is made once.
    pub(crate) fn read_all(spot: &Spot<'_>, lints: &mut Lints) -> Vec<Self> {
        let spots = spot.list();
        if spots.len() > limits::FIELD_MAPPINGS {
            let message = format!("at most {} field mappings are read", limits::FIELD_MAPPINGS);
            spot.lint(lints, lint::TOO_COMPLEX, message);
            return Vec::new();
        }
        let mut out: Vec<Self> = Vec::new();
        for spot in spots {
            let Some(mapping) = Self::read(&spot, lints) else {
                continue;
            };
            if out.iter().any(|other| other.target == mapping.target) {
                let message = format!("the field `{}` is made by another mapping already", mapping.target);
                spot.lint(lints, lint::DUPLICATE_NAME, message);
            }
            out.push(mapping);
        }
        out
    }

    fn read(spot: &Spot<'_>, lints: &mut Lints) -> Option<Self> {
        let fields = spot.fields()?;
        let source = fields.get("source").and_then(|spot| read_json_path(&spot, lints));
        let transform = match fields.get("transform") {
            Some(spot) => Transform::read(&spot, lints),
            None => Some(Transform::Direct),
        };
        Some(Self {
            source: source?,
            target: fields.text("target")?,
            transform: transform?,
            default: fields.get("default").map(|spot| spot.node.to_tree()),
            skip_if_empty: fields.boolean("skipIfEmpty").unwrap_or(false),
        })
    }
}
