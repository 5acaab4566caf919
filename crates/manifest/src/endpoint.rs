//! An action described as HTTP.

mod address;
mod body;
mod read;
mod render;
mod test;
mod trial;

use crate::{
    manifest::{Arrays, Rate},
    mapping::{Pagination, ResponseMapping},
    property::{Input, Property},
    response::Rules,
    template::{Place, Template},
};

pub(crate) use address::{Address, Segments, is_plain_url};
pub(crate) use body::{BODY_TYPES, CONTENT_TYPES, SCHEMA_KINDS};
pub(crate) use read::{
    EFFECTS, METHODS, header_name, is_endpoint_id, read_headers, read_json_path, read_statuses, read_templates,
    read_timeout,
};

pub use render::Below;
pub use test::{Test, Tested};
pub use trial::{Expected, Trial};

use body::{BodyPlan, Shape};

/// An action described as HTTP, compiled.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Unique in the manifest.
    pub id: String,
    /// For people; the id unless given.
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// What it does outside.
    pub effect: Effect,
    /// Whether it may be repeated blindly.
    pub idempotent: bool,
    /// The header that carries an idempotency key, in lower case.
    pub idempotency_header: Option<String>,
    /// In upper case.
    pub method: String,
    /// Whether the auth method's values are sent.
    pub needs_auth: bool,
    /// The ids of the auth methods it works with; any when empty.
    pub auth_methods: Vec<String>,
    /// Everything a caller may give, as one flat object.
    pub inputs: Vec<Input>,
    /// Names of inputs of which one must be there; empty when that is not asked.
    pub at_least_one: Vec<String>,
    /// The shape of the result.
    pub output: Option<Property>,
    /// Milliseconds, when it differs from the manifest's.
    pub timeout_ms: Option<u64>,
    /// How often it may be called over one connection, within what the manifest says for all.
    pub rate: Option<Rate>,
    /// For people.
    pub tags: Vec<String>,
    pub(crate) target: Target,
    pub(crate) query: Vec<QueryParam>,
    pub(crate) headers: Vec<Header>,
    /// Headers whose values are inputs, by their names in lower case.
    pub(crate) header_params: Vec<(String, Shape)>,
    /// Names in the path whose value an expression makes.
    pub(crate) expressions: Vec<String>,
    pub(crate) body: Option<BodyPlan>,
    /// How answers are judged, where that differs from the manifest's.
    pub(crate) rules: Rules,
    /// Where the result is, and how records are made of it; what is absent is the manifest's.
    pub mapping: ResponseMapping,
    /// How it gives its elements page by page.
    pub pagination: Option<Pagination>,
    /// A trial call.
    pub trial: Option<Trial>,
}

/// What an action does outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It changes nothing.
    Read,
    /// It makes or changes something.
    Write,
    /// It takes something away.
    Destroy,
}

impl Effect {
    /// The word of the language.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Destroy => "destroy",
        }
    }
}

/// Where a request goes.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    /// Below the manifest's base URL.
    Path(Segments),
    /// Anywhere the hosts allow.
    Url(Address),
}

impl Target {
    /// The placeholders in it.
    pub(crate) fn places(&self) -> Box<dyn Iterator<Item = &Place> + '_> {
        match self {
            Self::Path(segments) => Box::new(segments.iter().flat_map(Template::places)),
            Self::Url(address) => address.places(),
        }
    }
}

/// A header of a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    /// In lower case.
    pub name: String,
    pub(crate) value: Template,
}

/// A param of the query.
#[derive(Debug, Clone)]
pub(crate) struct QueryParam {
    pub(crate) name: String,
    pub(crate) shape: Shape,
    /// How an array stands there, where it differs from the manifest's.
    pub(crate) arrays: Option<Arrays>,
}

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The result is what is in it.
    Json,
    /// The result is the text itself, and so is what it says of an error.
    Text,
}

impl Format {
    pub(crate) const WORDS: &[(&'static str, Self)] = &[("json", Self::Json), ("text", Self::Text)];
}

impl Endpoint {
    /// Names of the secret inputs.
    pub fn secret_inputs(&self) -> impl Iterator<Item = &str> {
        self.inputs
            .iter()
            .filter(|input| input.property.secret)
            .map(|input| input.name.as_str())
    }

    /// An input by its name.
    pub fn input(&self, name: &str) -> Option<&Input> {
        self.inputs.iter().find(|input| input.name == name)
    }

    /// Whether it works with an auth method.
    pub fn takes(&self, auth: &str) -> bool {
        self.needs_auth && (self.auth_methods.is_empty() || self.auth_methods.iter().any(|id| id == auth))
    }

    /// Whether it goes to a URL of its own and not below the base URL.
    pub fn has_own_url(&self) -> bool {
        matches!(self.target, Target::Url(_))
    }
}

/// Whether a text would end a header line or be refused by who reads it (RFC 9110 section 5.5).
pub(crate) fn has_control(text: &str) -> bool {
    text.bytes().any(|byte| (byte < 0x20 && byte != b'\t') || byte == 0x7f)
}
