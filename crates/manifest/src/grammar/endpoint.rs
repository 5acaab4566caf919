//! Endpoints, bodies, and how answers are judged.

use super::{
    ANYTHINGS, Form, HEADERS, List, Object, STATUSES, TEXT, TEXTS, Value,
    connector::{ENDPOINT_RATE, TIMEOUT},
    mapping::{MAPPING, PAGINATION},
    may, need,
    property::{BODY_VALUE, ELEMENT, INPUTS, OUTPUT, PARAMS},
};
use crate::endpoint::{BODY_TYPES, CONTENT_TYPES, EFFECTS, METHODS, SCHEMA_KINDS, is_endpoint_id};

pub(crate) static ID_FORM: Form = Form {
    min: 1,
    max: 64,
    pattern: Some(("^[A-Za-z0-9][A-Za-z0-9_-]*$", is_endpoint_id)),
    says: "an id is made of letters, digits, `_` and `-`, begins with a letter or digit and has at most 64",
};

/// An action described as HTTP.
pub(super) static ENDPOINT: Object = Object {
    name: "endpoint",
    doc: "An action described as HTTP.",
    fields: &[
        need("id", Value::Text(&ID_FORM), "Unique in the manifest."),
        may("name", TEXT, "For people; the id unless given."),
        may("description", TEXT, "For people."),
        may("tags", TEXTS, "For people."),
        may(
            "effect",
            Value::Words(&EFFECTS),
            "What it does outside; the method tells unless given.",
        ),
        may(
            "idempotent",
            Value::Boolean,
            "Whether it may be repeated blindly; true for `effect: read`.",
        ),
        may("idempotencyHeader", TEXT, "The header that carries an idempotency key."),
        need("method", Value::Words(&METHODS), "The HTTP method."),
        may(
            "path",
            TEXT,
            "Below `baseUrl`; begins with `/`, `{name}` is a path parameter.",
        ),
        may("url", TEXT, "Instead of `path`: an absolute URL from a template."),
        may(
            "auth",
            Value::OneOrMore(&TEXT_VALUE),
            "`required`, `none`, or the ids of the auth methods it works with.",
        ),
        may("pathParams", INPUTS, "Inputs that stand in the path; always required."),
        may("queryParams", PARAMS, "Params of the query."),
        may("headerParams", PARAMS, "Params that are sent as headers."),
        may("input", INPUTS, "Inputs that only templates use."),
        may("headers", HEADERS, "Header to template."),
        may("body", Value::Object(&BODY), "What is sent."),
        may("atLeastOne", TEXTS, "Names of inputs of which one must be there."),
        may("output", Value::Object(&OUTPUT), "The shape of the result."),
        may(
            "answers",
            Value::Object(&ANSWERS),
            "How answers are judged, word by word in place of the connector's.",
        ),
        may(
            "responseMapping",
            Value::Object(&MAPPING),
            "Where the result is, and how records are made of it.",
        ),
        may(
            "pagination",
            Value::Object(&PAGINATION),
            "How the next page is asked for.",
        ),
        may("timeout", TIMEOUT, "Milliseconds for a call with its repeats."),
        may(
            "rateLimit",
            Value::Object(&ENDPOINT_RATE),
            "How often it may be called over one connection.",
        ),
        may(
            "testConfig",
            Value::Object(&TEST_CONFIG),
            "A trial call: what is sent, and what is expected.",
        ),
    ],
    required: &[],
    later: &["query", "graphql"],
};

static TEXT_VALUE: Value = TEXT;
static BODY: Object = Object {
    name: "body",
    doc: "The body of a request: one of `schema`, `template`, `raw` and `graphql`.",
    fields: &[
        may(
            "contentType",
            Value::Words(&CONTENT_TYPES),
            "Its media type; JSON unless given.",
        ),
        may(
            "bodyType",
            Value::Words(&BODY_TYPES),
            "Which of them it is; the field that is there tells.",
        ),
        may("schema", Value::Object(&SCHEMA), "Its structure, of inputs."),
        may("template", Value::Any, "A text or a tree with {{placeholders}}."),
        may("raw", TEXT, "Sent as it stands."),
        may("graphql", Value::Object(&GRAPHQL), "A GraphQL request."),
    ],
    required: &[],
    later: &["multipart", "parts"],
};

static SCHEMA: Object = Object {
    name: "bodySchema",
    doc: "The structure of a body.",
    fields: &[
        may("type", Value::Words(&SCHEMA_KINDS), "`object` unless given."),
        may(
            "properties",
            Value::Map(&BODY_VALUE),
            "Each is an input unless it has a `source`.",
        ),
        may(
            "items",
            Value::Object(&ELEMENT),
            "The shape of the elements of the input `items`.",
        ),
    ],
    required: &[],
    later: &[],
};

static GRAPHQL: Object = Object {
    name: "graphql",
    doc: "A GraphQL request. Values go into variables and never into the text.",
    fields: &[
        need("query", TEXT, "The document, sent as it stands."),
        may("operationName", TEXT, "Which of its operations is meant."),
        may(
            "variables",
            Value::Map(&BODY_VALUE),
            "Each is an input unless it has a `source`.",
        ),
    ],
    required: &[],
    later: &[],
};

/// How answers are judged.
pub(super) static ANSWERS: Object = Object {
    name: "answers",
    doc: "How answers are judged. One condition, or several of which one must hold.",
    fields: &[
        may(
            "success",
            CONDITIONS,
            "What a success is, of any 2xx where no status is named; every 2xx unless given.",
        ),
        may(
            "error",
            CONDITIONS,
            "What is a refusal although its status says otherwise.",
        ),
        may(
            "expired",
            CONDITIONS,
            "How the service says that a credential is no longer good; beside status 401.",
        ),
        may(
            "rateLimited",
            CONDITIONS,
            "How the service says that it was too much; beside status 429.",
        ),
        may(
            "unavailable",
            CONDITIONS,
            "How the service says that it is in trouble; beside 408 and 5xx.",
        ),
    ],
    required: &[],
    later: &[],
};
static CONDITION_VALUE: Value = Value::Object(&CONDITION);
const CONDITIONS: Value = Value::OneOrMore(&CONDITION_VALUE);

static CONDITION: Object = Object {
    name: "condition",
    doc: "What an answer must be like. Everything that is said must hold.",
    fields: &[
        may("status", STATUSES, "One of these HTTP statuses."),
        may("header", TEXT, "The header that is looked at."),
        may("path", TEXT, "The JSONPath into the body that is looked at."),
        may("equals", Value::Any, "It is this value."),
        may("oneOf", ANYTHINGS, "It is one of these values."),
        may(
            "matches",
            TEXT,
            "It is a text that this regular expression finds something in.",
        ),
        may(
            "exists",
            Value::Boolean,
            "Whether it is there at all, and not null; true unless something else is asked.",
        ),
    ],
    required: &[],
    later: &[],
};

pub(crate) static TEST_CONFIG: Object = Object {
    name: "testConfig",
    doc: "A trial call of an endpoint.",
    fields: &[
        may(
            "testParams",
            Value::Map(&Value::Any),
            "Inputs of path, query and headers.",
        ),
        may("testBody", Value::Map(&Value::Any), "Inputs of the body."),
        may(
            "expectations",
            Value::Object(&EXPECTATIONS),
            "What the answer must be like.",
        ),
    ],
    required: &[],
    later: &[],
};
static EXPECTATIONS: Object = Object {
    name: "expectations",
    doc: "What the answer to a trial call must be like.",
    fields: &[
        may("statusCode", Value::Integer(100, 599), "The HTTP status."),
        may("bodyContains", TEXTS, "Texts that stand in the body."),
        may("jsonPath", Value::List(&EXPECTED_LIST), "Values at places of the body."),
    ],
    required: &[],
    later: &[],
};
static EXPECTED_LIST: List = List {
    of: Value::Object(&EXPECTED),
    min: 0,
};
static EXPECTED: Object = Object {
    name: "expectedValue",
    doc: "A value at a place of the body.",
    fields: &[
        need("path", TEXT, "A JSONPath."),
        need("value", Value::Any, "What stands there."),
    ],
    required: &[],
    later: &[],
};
