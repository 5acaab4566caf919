//! The whole of a manifest: who it is, how it is reached, and what all its endpoints share.

use super::{
    ByKind, Field, Form, HEADERS, List, Object, STATUSES, TEXT, TEXTS, Value,
    auth::AUTH,
    card::{CARD, TEST_CODES},
    endpoint::ANSWERS,
    endpoint::ENDPOINT,
    mapping::MAPPING,
    may, need,
    webhook::WEBHOOK,
};
use crate::{
    endpoint::METHODS,
    limits,
    manifest::{Arrays, CATEGORIES, IntegrationType, ResetFormat, Status, Use, is_connector_id},
};

/// The grammar of a manifest, by what it is for.
pub(crate) fn root(use_: Use) -> &'static Object {
    match use_ {
        Use::Shipped => &SHIPPED,
        Use::Tenant => &TENANT,
        Use::Coded => &CODED,
    }
}

static SHIPPED: Object = Object {
    name: "shippedManifest",
    doc: "A connector that comes with the product.",
    fields: FIELDS,
    required: &[
        "id",
        "name",
        "summary",
        "description",
        "category",
        "status",
        "capabilities",
        "auth",
    ],
    later: LATER,
};
static TENANT: Object = Object {
    name: "tenantManifest",
    doc: "A tenant's own integration.",
    fields: FIELDS,
    required: &["name", "baseUrl", "endpoints"],
    later: LATER,
};

static CODED: Object = Object {
    name: "codedManifest",
    doc: "What stands beside a connector's code.",
    fields: FIELDS,
    required: &["id", "name"],
    later: LATER,
};

/// Words that later versions of the language have.
const LATER: &[&str] = &["syncs", "sync", "records", "variables"];

static ID_FORM: Form = Form {
    min: 2,
    max: 48,
    pattern: Some(("^[a-z0-9_-]+$", is_connector_id)),
    says: "an id is 2 to 48 of a-z, 0-9, `_` and `-`",
};

/// Milliseconds for a call.
pub(super) const TIMEOUT: Value = Value::Integer(limits::TIMEOUT_MIN_MS, limits::TIMEOUT_MAX_MS);

const FIELDS: &[Field] = &[
    may("id", Value::Text(&ID_FORM), "The connector's id; `custom` is reserved."),
    may("name", TEXT, "For people."),
    may("summary", TEXT, "One line."),
    may("description", TEXT, "A paragraph."),
    may("category", Value::Words(&CATEGORIES), "Where it stands in the catalog."),
    may("status", Value::Words(&Status::WORDS), "The release stage."),
    may("tags", TEXTS, "Words to find it by."),
    may(
        "docs",
        TEXT,
        "Where the service is documented: an http(s) URL, or a path in a repository.",
    ),
    may("links", Value::List(&LINK_LIST), "Further addresses."),
    may("publisher", Value::Object(&PUBLISHER), "Who made the manifest."),
    may(
        "icon",
        TEXT,
        "A file beside the manifest, or a word or sign that stands for it.",
    ),
    may("color", TEXT, "A colour to show it in, such as #2563eb."),
    may(
        "card",
        Value::Object(&CARD),
        "How a catalog of cards shows it, where that differs from what follows from the rest.",
    ),
    may(
        "capabilities",
        Value::List(&CAPABILITY_LIST),
        "What it can do, in words.",
    ),
    may("setup", Value::List(&STEP_LIST), "How to get connected, step by step."),
    may(
        "connection",
        Value::Object(&CONNECTION),
        "The host application's own paths to connect and disconnect.",
    ),
    may(
        "integrationType",
        Value::Words(&IntegrationType::WORDS),
        "What a tenant's integration is mostly; `rest_api` unless given.",
    ),
    may(
        "baseUrl",
        TEXT,
        "An absolute http(s) URL without query, from a template.",
    ),
    may(
        "allowedHosts",
        TEXTS,
        "Hosts a credential may be sent to; the host of `baseUrl` unless given.",
    ),
    may(
        "defaultHeaders",
        HEADERS,
        "Header to template; sent with every request.",
    ),
    may("timeout", TIMEOUT, "Milliseconds for a call with its repeats."),
    may("retryConfig", Value::Object(&RETRY), "How a call is repeated."),
    may(
        "idempotencyHeader",
        TEXT,
        "The header that carries an idempotency key, for every POST.",
    ),
    may(
        "queryArrays",
        Value::Words(&Arrays::WORDS),
        "How an array stands in a query; `repeat` unless given.",
    ),
    may("auth", Value::List(&AUTH_LIST), "The ways to sign in."),
    may(
        "test",
        Value::Object(&TEST),
        "The cheapest request that proves a credential.",
    ),
    may(
        "testCodes",
        Value::Object(&TEST_CODES),
        "The connector's own words for what a test found.",
    ),
    may("endpoints", Value::List(&ENDPOINT_LIST), "The actions."),
    may("answers", Value::Object(&ANSWERS), "How answers are judged."),
    may("errors", Value::Object(&ERRORS), "Where an error answer tells what."),
    may(
        "rateLimit",
        Value::Object(&RATE),
        "How often one connection may be used, and how the service tells that it was too much.",
    ),
    may(
        "responseMapping",
        Value::Object(&MAPPING),
        "The default for all endpoints.",
    ),
    may(
        "webhookConfig",
        Value::Object(&WEBHOOK),
        "What is done with webhooks that arrive.",
    ),
];

macro_rules! list {
    ($name:ident, $of:expr) => {
        static $name: List = List { of: $of, min: 0 };
    };
}
list!(LINK_LIST, Value::Object(&LINK));
list!(CAPABILITY_LIST, Value::Object(&CAPABILITY));
list!(STEP_LIST, Value::Object(&STEP));
list!(AUTH_LIST, Value::Tagged(&AUTH));
list!(ENDPOINT_LIST, Value::Object(&ENDPOINT));

macro_rules! object {
    ($visible:vis $name:ident, $schema:literal, $doc:literal, $fields:expr) => {
        $visible static $name: Object = Object {
            name: $schema,
            doc: $doc,
            fields: $fields,
            required: &[],
            later: &[],
        };
    };
}

object!(
    LINK,
    "link",
    "An address with its text.",
    &[
        need("label", TEXT, "For people."),
        need("url", TEXT, "An http(s) URL, or a path in a repository."),
    ]
);
object!(
    PUBLISHER,
    "publisher",
    "Who made the manifest.",
    &[
        need("name", TEXT, "For people."),
        may("url", TEXT, "An http(s) URL."),
        may("email", TEXT, "A mail address."),
    ]
);
object!(
    CAPABILITY,
    "capability",
    "Something it can do, in words.",
    &[
        need("id", TEXT, "Unique in the manifest."),
        need("label", TEXT, "For people."),
        may("description", TEXT, "For people."),
    ]
);
object!(
    STEP,
    "setupStep",
    "A step of getting connected.",
    &[
        need("title", TEXT, "For people."),
        may("description", TEXT, "For people."),
        may("bullets", TEXTS, "In detail."),
    ]
);
object!(
    CONNECTION,
    "connectionPaths",
    "Paths of the host application.",
    &[
        need("startPath", TEXT, "Begins a sign-in."),
        may("statusPath", TEXT, "Tells whether it is connected."),
        may("disconnectPath", TEXT, "Ends it."),
    ]
);
object!(
    RETRY,
    "retryConfig",
    "How a call is repeated.",
    &[
        need(
            "maxRetries",
            Value::Integer(0, limits::RETRIES_MAX),
            "Repeats after the first try."
        ),
        need(
            "retryDelay",
            Value::Integer(0, limits::RETRY_DELAY_MAX_MS),
            "Milliseconds before the first repeat."
        ),
        may("retryOn", STATUSES, "Statuses that are worth a repeat."),
        may(
            "retryHeader",
            TEXT,
            "The header in which the service says `true` or `false` to a repeat."
        ),
    ]
);
object!(pub(super) TEST, "test", "The cheapest request that proves a credential.", &[
    may("method", Value::Words(&METHODS), "GET unless given."),
    need("path", TEXT, "Below `baseUrl`."),
    may("queryParams", HEADERS, "Param to template."),
    may("headers", HEADERS, "Header to template."),
    may("label", Value::ByKind(&TOLD), "The account's label: a JSONPath, several, {count: <JSONPath>}, or a template over public fields."),
    may("labels", Value::Map(&TEXT_VALUE), "What is shown in place of a value."),
    may("details", Value::Map(&TOLD_VALUE), "Further values by name, each told like a label."),
    may("expect", Value::Object(&EXPECT), "What passes; every 2xx unless given."),
    may("then", Value::Object(&TEST), "A second request of the same form that only tells more of the account."),
]);
static TOLD: ByKind = ByKind {
    text: TEXT,
    list: TEXTS,
    map: Value::Object(&COUNT),
};
static TOLD_VALUE: Value = Value::ByKind(&TOLD);
object!(
    COUNT,
    "count",
    "How many there are.",
    &[need("count", TEXT, "JSONPath of them."),]
);
static TEXT_VALUE: Value = TEXT;
object!(
    EXPECT,
    "testExpect",
    "What passes.",
    &[
        may("status", STATUSES, "These statuses."),
        may(
            "jsonPath",
            Value::OneOrMore(&TEXT_VALUE),
            "Each of these JSONPaths finds something."
        ),
        may("exceptCodes", TEXTS, "Codes with which they do not."),
    ]
);
object!(
    ERRORS,
    "errors",
    "Where an error answer tells what.",
    &[
        may(
            "codePath",
            Value::OneOrMore(&TEXT_VALUE),
            "JSONPath of its code, or several of which the first that finds something counts."
        ),
        may("messagePath", TEXT, "JSONPath of its sentence."),
        may(
            "codes",
            Value::Object(&CODES),
            "What codes mean where the status says something else."
        ),
        may(
            "details",
            Value::Map(&TEXT_VALUE),
            "What else an error tells: name to JSONPath."
        ),
        may("paramPath", TEXT, "JSONPath of the refused input's name."),
        may(
            "requestIdHeader",
            TEXT,
            "The header with the service's id of the request."
        ),
    ]
);
object!(
    CODES,
    "errorCodes",
    "Codes of the service by what they mean.",
    &[
        may("rejected", TEXTS, "It understood and refused."),
        may("unauthorized", TEXTS, "The connection needs new credentials."),
        may("access_missing", TEXTS, "The credential is good and lacks access."),
        may("rate_limited", TEXTS, "It was too much."),
        may("unavailable", TEXTS, "The service is in trouble."),
    ]
);
const REQUESTS: Value = Value::Integer(1, limits::REQUESTS_PER_MINUTE_MAX);
object!(
    RATE,
    "rateLimit",
    "How often one connection may be used, and how the service tells that it was too much.",
    &[
        may("requestsPerMinute", REQUESTS, "Requests a minute."),
        may(
            "burstLimit",
            REQUESTS,
            "How many of them may come at once; all unless given."
        ),
        may("retryAfterHeader", TEXT, "`retry-after` unless given."),
        may("retryAfterPath", TEXT, "JSONPath of the same in the body."),
        may("remainingHeader", TEXT, "How many requests are left."),
        may("resetHeader", TEXT, "Until when."),
        may(
            "resetFormat",
            Value::Words(&ResetFormat::WORDS),
            "How that is told; `seconds` unless given."
        ),
    ]
);
object!(pub(super) ENDPOINT_RATE, "endpointRateLimit", "How often an action may be called over one connection.", &[
    need("requestsPerMinute", REQUESTS, "Requests a minute."),
    may("burstLimit", REQUESTS, "How many of them may come at once; all unless given."),
]);
