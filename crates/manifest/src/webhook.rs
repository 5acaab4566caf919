//! What is done with webhooks that arrive, as it is declared.

use crate::{
    endpoint::{header_name, read_json_path},
    limits,
    lint::{self, Lints},
    mapping::FieldMapping,
    node::{Fields, Spot},
    path::Path,
};

/// What is done with webhooks that arrive. The signing secret is the connection's and never stands here.
#[derive(Debug, Clone)]
pub struct WebhookConfig {
    /// How a delivery proves where it comes from.
    pub signature: Signature,
    /// What is done with which event; every one that fits is done.
    pub routes: Vec<EventRoute>,
    /// What is answered: 200 to 299.
    pub response_status: u16,
    /// What is answered.
    pub response_body: Option<String>,
}

/// How a delivery proves where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The header with the signature, in lower case.
    pub header: String,
    /// How it is made.
    pub algorithm: Algorithm,
    /// What stands before it.
    pub prefix: String,
    /// How it is written.
    pub encoding: Encoding,
    /// What is signed: a text with `{body}`, `{timestamp}`, `{url}`, `{method}` and `{id}`.
    pub content: String,
    /// The header with the time, in lower case.
    pub timestamp_header: Option<String>,
    /// The header with the delivery's id, in lower case.
    pub id_header: Option<String>,
    /// Seconds that the time may be off.
    pub tolerance: u64,
}

/// How a signature is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the algorithms'")]
pub enum Algorithm {
    HmacSha256,
    HmacSha1,
    HmacSha512,
    /// The secret itself, compared in constant time.
    Token,
    /// No signature: only where the operator allows it.
    None,
}

/// How a signature is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Encoding {
    Hex,
    Base64,
}

/// What is done with one kind of event.
#[derive(Debug, Clone)]
pub struct EventRoute {
    /// Where the event's name is.
    pub event: EventName,
    /// The name that is meant.
    pub value: String,
    /// What is done.
    pub action: EventAction,
    /// What kind of record it is about.
    pub record_type: Option<String>,
    /// The data; the whole when absent.
    pub data_path: Option<Path>,
    /// How the record's fields are made.
    pub fields: Vec<FieldMapping>,
    /// From the whole: what tells the record from others.
    pub identifier: Option<Path>,
}

/// Where the name of an event is.
#[derive(Debug, Clone)]
pub enum EventName {
    /// In the body.
    Path(Path),
    /// In this header, in lower case.
    Header(String),
}

/// What is done with an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum EventAction {
    CreateRecord,
    UpdateRecord,
    DeleteRecord,
    RunSync,
    /// Handlers and workflows see it.
    Custom,
}

pub(crate) const ALGORITHMS: &[(&str, Algorithm)] = &[
    ("hmac-sha256", Algorithm::HmacSha256),
    ("hmac-sha1", Algorithm::HmacSha1),
    ("hmac-sha512", Algorithm::HmacSha512),
    ("token", Algorithm::Token),
    ("none", Algorithm::None),
];
pub(crate) const ENCODINGS: &[(&str, Encoding)] = &[("hex", Encoding::Hex), ("base64", Encoding::Base64)];
pub(crate) const ACTIONS: &[(&str, EventAction)] = &[
    ("create_record", EventAction::CreateRecord),
    ("update_record", EventAction::UpdateRecord),
    ("delete_record", EventAction::DeleteRecord),
    ("run_sync", EventAction::RunSync),
    ("custom", EventAction::Custom),
];

/// The placeholders of what is signed.
const SIGNED: &[&str] = &["body", "timestamp", "url", "method", "id"];

impl Default for Signature {
    fn default() -> Self {
        Self {
            header: "x-webhook-signature".to_owned(),
            algorithm: Algorithm::HmacSha256,
            prefix: String::new(),
            encoding: Encoding::Hex,
            content: "{body}".to_owned(),
            timestamp_header: None,
            id_header: None,
            tolerance: 300,
        }
    }
}

impl WebhookConfig {
    pub(crate) fn read(spot: &Spot<'_>, lints: &mut Lints) -> Option<Self> {
        let fields = spot.fields()?;
        let status = fields.get("responseStatus").and_then(|spot| spot.integer());
        let routes = fields.list("eventRouting");
        if routes.len() > limits::ROUTES {
            let message = format!("at most {} routes are read", limits::ROUTES);
            fields.lint(lints, lint::TOO_COMPLEX, message);
        }
        Some(Self {
            signature: fields
                .get("signatureConfig")
                .and_then(|spot| Signature::read(&spot, lints))
                .unwrap_or_default(),
            routes: routes
                .iter()
                .take(limits::ROUTES)
                .filter_map(|spot| EventRoute::read(spot, lints))
                .collect(),
            response_status: status.and_then(|status| u16::try_from(status).ok()).unwrap_or(200),
            response_body: fields.text("responseBody"),
        })
    }
}

impl Signature {
    fn read(spot: &Spot<'_>, lints: &mut Lints) -> Option<Self> {
        let fields = spot.fields()?;
        let header = |key, lints: &mut Lints| {
            let spot = fields.get(key)?;
            header_name(&spot.text()?, &spot, lints)
        };
        let usual = Self::default();
        let signature = Self {
            algorithm: fields.get("algorithm").and_then(|spot| spot.one_of(ALGORITHMS))?,
            prefix: fields
                .get("signaturePrefix")
                .and_then(|spot| spot.scalar())
                .unwrap_or_default(),
            encoding: fields
                .get("encoding")
                .and_then(|spot| spot.one_of(ENCODINGS))
                .unwrap_or(usual.encoding),
            content: fields.text("signedContent").unwrap_or(usual.content),
            timestamp_header: header("timestampHeader", lints),
            id_header: header("idHeader", lints),
            tolerance: fields
                .get("tolerance")
                .and_then(|spot| spot.integer())
                .unwrap_or(usual.tolerance),
            header: header("header", lints)?,
        };
        signature.check(&fields, lints);
        Some(signature)
    }

    /// What is signed must hold the body, and name nothing that cannot be had.
    fn check(&self, fields: &Fields<'_>, lints: &mut Lints) {
        let mut refuse = |message: String| fields.lint(lints, lint::CONTRADICTION, message);
        for piece in self.content.split('{').skip(1) {
            let name = piece.split('}').next().unwrap_or_default();
            if !SIGNED.contains(&name) {
                let hint = lint::hint(name, SIGNED.iter().copied());
                refuse(format!("`signedContent` has no place `{{{name}}}`{hint}"));
            }
        }
        let names = |place: &str| self.content.contains(place);
        if !names("{body}") {
            refuse("`signedContent` does not hold {body}: anybody could change it".to_owned());
        }
        if names("{timestamp}") != self.timestamp_header.is_some() {
            refuse("`timestampHeader` and {timestamp} in `signedContent` belong together: a time that is not signed proves nothing".to_owned());
        }
        if names("{id}") && self.id_header.is_none() {
            refuse("`signedContent` holds {id}: say in `idHeader` where it is".to_owned());
        }
    }
}

impl EventRoute {
    fn read(spot: &Spot<'_>, lints: &mut Lints) -> Option<Self> {
        let fields = spot.fields()?;
        let path = |key, lints: &mut Lints| fields.get(key).and_then(|spot: Spot<'_>| read_json_path(&spot, lints));
        let event = match (fields.get("eventTypePath"), fields.get("eventTypeHeader")) {
            (Some(spot), None) => read_json_path(&spot, lints).map(EventName::Path),
            (None, Some(spot)) => header_name(&spot.text()?, &spot, lints).map(EventName::Header),
            _ => {
                let message = "a route has either an `eventTypePath` or an `eventTypeHeader`";
                fields.lint(lints, lint::CONTRADICTION, message);
                None
            }
        };
        let action = fields.get("action").and_then(|spot| spot.one_of(ACTIONS))?;
        let mut needs = |key: &str, is_needed: bool| {
            if is_needed && fields.get(key).is_none() {
                let message = format!("the field `{key}` is missing: the action needs it");
                fields.lint(lints, lint::MISSING_FIELD, message);
            }
        };
        let known = matches!(action, EventAction::UpdateRecord | EventAction::DeleteRecord);
        needs("recordType", known || action == EventAction::CreateRecord);
        needs("identifierPath", known);
        Some(Self {
            value: fields.text("eventTypeValue")?,
            action,
            record_type: fields.text("recordType"),
            data_path: path("dataPath", lints),
            fields: fields
                .get("fieldMappings")
                .map(|spot| FieldMapping::read_all(&spot, lints))
                .unwrap_or_default(),
            identifier: path("identifierPath", lints),
            event: event?,
        })
    }
}
