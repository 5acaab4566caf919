//! What is done with webhooks that arrive, as it is declared.

mod plan;
mod signature;

pub use plan::{Delivery, SignaturePlan, Unproved};
pub(crate) use signature::{ALGORITHMS, ENCODINGS, KEY_ENCODINGS, SEPARATORS};
pub use signature::{Algorithm, Encoding, KeyEncoding, Signature};

use crate::{
    endpoint::{header_name, read_json_path},
    limits,
    lint::{self, Lints},
    mapping::FieldMapping,
    node::Spot,
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

pub(crate) const ACTIONS: &[(&str, EventAction)] = &[
    ("create_record", EventAction::CreateRecord),
    ("update_record", EventAction::UpdateRecord),
    ("delete_record", EventAction::DeleteRecord),
    ("run_sync", EventAction::RunSync),
    ("custom", EventAction::Custom),
];

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
