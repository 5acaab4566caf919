//! Cases of a connector.

use super::{HEADERS, Object, TEXT, Value, may, need};

/// A case.
pub(crate) static CASE: Object = Object {
    name: "case",
    doc: "An action with what it should send and what it makes of an answer.",
    fields: &[
        need("action", TEXT, "The endpoint's id, or `test`."),
        may("auth", TEXT, "The auth method; the first unless given."),
        may("config", Value::Any, "The connection's fields."),
        may("input", Value::Any, "The call's input."),
        may("request", Value::Object(&REQUEST), "What is to be sent."),
        may("response", Value::Object(&RESPONSE), "What is answered."),
        may("output", Value::Any, "What the answer is read to."),
        may("error", Value::Object(&ERROR), "How reading it fails."),
    ],
    required: &[],
    later: &[],
};
static REQUEST: Object = Object {
    name: "caseRequest",
    doc: "What is to be sent.",
    fields: &[
        need("method", TEXT, "The HTTP method."),
        need("url", TEXT, "Secrets are written as {{config.name}}."),
        may("headers", HEADERS, "Those that must be there."),
        may("body", Value::Any, "A tree for JSON, a text otherwise."),
    ],
    required: &[],
    later: &[],
};
static RESPONSE: Object = Object {
    name: "caseResponse",
    doc: "What is answered.",
    fields: &[
        need("status", Value::Integer(100, 599), "The HTTP status."),
        may("headers", HEADERS, "Its headers."),
        may("body", Value::Any, "A tree for JSON, a text otherwise."),
    ],
    required: &[],
    later: &[],
};
static ERROR: Object = Object {
    name: "caseError",
    doc: "How it fails.",
    fields: &[
        need("kind", Value::Words(&crate::case::KINDS), "What kind of failure it is."),
        may("code", Value::Any, "The service's code."),
        may("message", Value::Any, "The service's sentence."),
        may("pointer", Value::Any, "The refused input."),
        may("retry", Value::Any, "Whether it may pass."),
        may("details", Value::Any, "What else the error tells."),
        may("retryAfter", Value::Any, "How long the answer asks to wait."),
    ],
    required: &[],
    later: &[],
};
