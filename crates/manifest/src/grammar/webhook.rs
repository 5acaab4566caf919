//! What a connector does with webhooks that arrive.

use super::{List, Object, TEXT, Value, mapping::FIELD_MAPPINGS, may, need};
use crate::{
    limits,
    webhook::{ACTIONS, ALGORITHMS, ENCODINGS, KEY_ENCODINGS, SEPARATORS},
};

/// What a connector does with webhooks.
pub(super) static WEBHOOK: Object = Object {
    name: "webhookConfig",
    doc: "What is done with webhooks that arrive. The signing secret is the connection's and never stands here.",
    fields: &[
        may(
            "signatureConfig",
            Value::Object(&SIGNATURE),
            "How a delivery proves where it comes from.",
        ),
        may(
            "eventRouting",
            Value::List(&ROUTING_LIST),
            "What is done with which event.",
        ),
        may(
            "responseStatus",
            Value::Integer(200, 299),
            "What is answered; 200 unless given.",
        ),
        may(
            "responseBody",
            TEXT,
            "What is answered; `{\"status\":\"received\"}` unless given.",
        ),
    ],
    required: &[],
    later: &[],
};
static SIGNATURE: Object = Object {
    name: "signatureConfig",
    doc: "How a delivery proves where it comes from. Left out: X-Webhook-Signature, hmac-sha256, hex.",
    fields: &[
        need("header", TEXT, "The header with the signature."),
        need(
            "algorithm",
            Value::Words(&ALGORITHMS),
            "How it is made. `none` takes an operator's switch.",
        ),
        may(
            "signaturePrefix",
            Value::Scalar,
            "What stands before it, such as `sha256=`.",
        ),
        may(
            "encoding",
            Value::Words(&ENCODINGS),
            "How it is written; hex unless given.",
        ),
        may(
            "signedContent",
            TEXT,
            "What is signed: {body}, {timestamp}, {url}, {method} and {id} in a text; {body} unless given.",
        ),
        may(
            "timestampHeader",
            TEXT,
            "The header with the time, where one is signed.",
        ),
        may("idHeader", TEXT, "The header with the delivery's id."),
        may(
            "tolerance",
            Value::Integer(1, limits::TOLERANCE_MAX_SECONDS),
            "Seconds that the time may be off; 300 unless given.",
        ),
        may(
            "signatureSeparator",
            Value::Words(&SEPARATORS),
            "What stands between the parts of the header, where it holds several signatures, or a time too.",
        ),
        may(
            "timestampPrefix",
            TEXT,
            "What the time begins with, such as `t=`: a part of the signature's header, or `timestampHeader`.",
        ),
        may(
            "keyField",
            TEXT,
            "The field of the connection that holds the signing secret; the auth methods declare it.",
        ),
        may(
            "keyPrefix",
            TEXT,
            "What the secret begins with that is no part of the key, such as `whsec_`.",
        ),
        may(
            "keyEncoding",
            Value::Words(&KEY_ENCODINGS),
            "How the key is written in the secret; as text unless given.",
        ),
    ],
    required: &[],
    later: &[],
};
static ROUTING_LIST: List = List {
    of: Value::Object(&ROUTING),
    min: 0,
};
static ROUTING: Object = Object {
    name: "eventRoute",
    doc: "What is done with one kind of event.",
    fields: &[
        may("eventTypePath", TEXT, "JSONPath of the event's name."),
        may("eventTypeHeader", TEXT, "Instead: the header with it."),
        need("eventTypeValue", TEXT, "The name that is meant."),
        need("action", Value::Words(&ACTIONS), "What is done."),
        may("recordType", TEXT, "What kind of record it is about."),
        may("dataPath", TEXT, "JSONPath of the data; the whole unless given."),
        may("fieldMappings", FIELD_MAPPINGS, "How the record's fields are made."),
        may(
            "identifierPath",
            TEXT,
            "JSONPath, from the whole, of what tells the record from others.",
        ),
    ],
    required: &[],
    later: &[],
};
