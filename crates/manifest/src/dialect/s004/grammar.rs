//! The interfaces of custom integrations.
//!
//! What the interfaces give to the system alone (`id`, `tenantId`, the dates, `webhookUrl`, `webhookSecret`) may be left
//! out, and so may what it has a default for (`endpoints`, `responseStatus`).

use crate::{
    grammar::{
        Field, Form, HEADERS, List, NAME, Object, STATUSES, TEXT, TEXTS, Tagged, Value,
        endpoint::{ID_FORM, TEST_CONFIG},
        mapping::{BOOLEAN, CONCAT, DATE, DIRECT, EXPRESSION, MAP, METADATA, NUMBER, SPLIT, TEMPLATE},
        may, need,
    },
    limits,
    manifest::IntegrationType,
    property::SOURCES,
};

macro_rules! objects {
    ($($name:ident, $schema:literal, $fields:expr;)*) => {
        $(pub(super) static $name: Object = Object {
            name: $schema,
            doc: "",
            fields: $fields,
            required: &[],
            later: &[],
        };)*
    };
}
macro_rules! lists {
    ($($name:ident, $of:expr;)*) => {
        $(static $name: List = List { of: $of, min: 0 };)*
    };
}
macro_rules! words {
    ($($name:ident, $words:expr;)*) => {
        $(const $name: &[&str] = &$words;)*
    };
}

words! {
    STATUS, ["active", "inactive", "error"];
    RESULT, ["success", "failure"];
    METHODS, ["GET", "POST", "PUT", "PATCH", "DELETE"];
    PARAM_TYPES, ["string", "number", "boolean", "array"];
    PROPERTY_TYPES, ["string", "number", "boolean", "object", "array"];
    SCHEMA_TYPES, ["object", "array"];
    CONTENT_TYPES, ["application/json", "application/x-www-form-urlencoded", "multipart/form-data", "text/plain"];
    BODY_TYPES, ["template", "schema", "raw"];
    KEY_LOCATIONS, ["header", "query", "body"];
    GRANTS, ["client_credentials", "authorization_code", "refresh_token"];
    PAGINATION_TYPES, ["offset", "cursor", "page", "link"];
    END_CONDITIONS, ["empty_array", "count_less_than_limit", "cursor_null", "has_more_field"];
    ALGORITHMS, ["hmac-sha256", "hmac-sha1", "none"];
    ACTIONS, ["create_shard", "update_shard", "delete_shard", "trigger_sync", "custom"];
}

static EXPRESSION_FORM: Form = Form {
    min: 1,
    max: limits::MANIFEST_BYTES,
    pattern: None,
    says: "it must not be empty",
};
const REQUIRED: Field = need("required", Value::Boolean, "Whether it must be there.");
const PARAM_TYPE: Field = need("type", Value::Words(&PARAM_TYPES), "Its type.");
const DEFAULT: Field = may("default", Value::Any, "Used when it is absent.");
const DESCRIPTION: Field = may("description", Value::Scalar, "For people.");
const VALUE_SOURCE: Field = may(
    "valueSource",
    Value::Words(&SOURCES),
    "Where the value comes from; the caller when left out.",
);
const VALUE: Field = may("value", Value::Any, "The value, a name, or an expression.");

/// A text that a system made: kept as it is.
const STAMP: Value = Value::Text(&EXPRESSION_FORM);

objects! {
    DEFINITION, "customIntegrationDefinition", &[
        may("id", STAMP, "Made by the system."),
        may("tenantId", STAMP, "Made by the system."),
        need("name", TEXT, "A technical name."),
        need("displayName", TEXT, "For people."),
        may("description", Value::Scalar, "For people."),
        may("icon", Value::Scalar, "A word or sign."),
        may("color", Value::Scalar, "A colour."),
        need("integrationType", Value::Words(&IntegrationType::WORDS), "What it is mostly."),
        need("baseUrl", TEXT, "Where requests go."),
        may("defaultHeaders", HEADERS, "Sent with every request."),
        may("timeout", Value::Integer(limits::TIMEOUT_MIN_MS, limits::TIMEOUT_MAX_MS), "Milliseconds; 30000 unless given."),
        may("retryConfig", Value::Object(&RETRY), "How a call is repeated."),
        need("auth", Value::Tagged(&AUTH), "How one signs in; or `authType` with `authConfig`."),
        may("endpoints", Value::List(&ENDPOINTS), "What it can do."),
        may("webhookConfig", Value::Object(&WEBHOOK), "What arrives."),
        may("status", Value::Words(&STATUS), "Whether it is used."),
        may("lastTestedAt", STAMP, "Made by the system."),
        may("lastTestResult", Value::Words(&RESULT), "Made by the system."),
        may("createdAt", STAMP, "Made by the system."),
        may("updatedAt", STAMP, "Made by the system."),
        may("createdBy", STAMP, "Made by the system."),
    ];
    RETRY, "retryConfig", &[
        need("maxRetries", Value::Integer(0, limits::RETRIES_MAX), "Repeats after the first try."),
        need("retryDelay", Value::Integer(0, limits::RETRY_DELAY_MAX_MS), "Milliseconds before the first."),
        need("retryOn", STATUSES, "HTTP statuses that are repeated."),
    ];
    NONE, "noAuth", &[need("type", TEXT, "")];
    API_KEY, "apiKeyAuth", &[
        need("type", TEXT, ""),
        need("keyName", TEXT, "Such as X-API-Key."),
        need("keyLocation", Value::Words(&KEY_LOCATIONS), "Where the key is sent."),
        need("keyValue", TEXT, "The key."),
    ];
    BEARER, "bearerTokenAuth", &[
        need("type", TEXT, ""),
        need("token", TEXT, "The token."),
    ];
    BASIC, "basicAuth", &[
        need("type", TEXT, ""),
        need("username", TEXT, "The user."),
        need("password", Value::Scalar, "The password."),
    ];
    OAUTH2, "oAuth2Auth", &[
        need("type", TEXT, ""),
        need("grantType", Value::Words(&GRANTS), "How the first token is got."),
        need("tokenUrl", TEXT, "Where tokens are got."),
        need("clientId", TEXT, "The client."),
        need("clientSecret", TEXT, "Its secret."),
        may("scope", Value::Scalar, "Permissions, with blanks between them."),
        may("authorizationUrl", TEXT, "Where people sign in."),
        may("redirectUri", TEXT, "Where they are sent back to."),
        may("accessToken", TEXT, "A token that was got already."),
        may("refreshToken", TEXT, "What it is refreshed with."),
        may("expiresAt", STAMP, "Until when it is good."),
    ];
    CUSTOM_HEADERS, "customHeaderAuth", &[
        need("type", TEXT, ""),
        need("headers", Value::Map(&SECRET_TEXT), "Header to secret."),
    ];
    ENDPOINT, "customEndpoint", &[
        need("id", Value::Text(&ID_FORM), "Unique in the integration."),
        need("name", TEXT, "Such as getContacts."),
        may("description", Value::Scalar, "For people."),
        need("method", Value::Words(&METHODS), "The HTTP method."),
        need("path", TEXT, "Such as /users/{id}."),
        may("queryParams", Value::List(&PARAMS), "Params of the query."),
        may("pathParams", Value::List(&PATH_PARAMS), "Params of the path."),
        may("headers", HEADERS, "Header to template."),
        may("body", Value::Object(&BODY), "What is sent."),
        need("responseMapping", Value::Object(&MAPPING), "What the answer becomes."),
        may("pagination", Value::Object(&PAGINATION), "How the next page is asked for."),
        may("rateLimit", Value::Object(&RATE), "How often it may be called."),
        may("tags", TEXTS, "For people."),
        may("testConfig", Value::Object(&TEST_CONFIG), "A trial call."),
    ];
    PARAM, "paramConfig", &[
        need("name", TEXT, "Its name."),
        REQUIRED,
        PARAM_TYPE,
        DEFAULT,
        DESCRIPTION,
        VALUE_SOURCE,
        VALUE,
    ];
    PATH_PARAM, "pathParamConfig", &[
        need("name", NAME, "Its name in the path."),
        REQUIRED,
        PARAM_TYPE,
        DEFAULT,
        DESCRIPTION,
        VALUE_SOURCE,
        VALUE,
    ];
    BODY, "requestBodyConfig", &[
        need("contentType", Value::Words(&CONTENT_TYPES), "Its media type."),
        need("bodyType", Value::Words(&BODY_TYPES), "Which of the following it is."),
        may("template", TEXT, "A text with {{placeholders}}."),
        may("schema", Value::Object(&SCHEMA), "Its structure."),
        may("raw", TEXT, "Sent as it stands."),
    ];
    SCHEMA, "bodySchema", &[
        need("type", Value::Words(&SCHEMA_TYPES), "What it is."),
        may("properties", Value::Map(&PROPERTY_VALUE), "Of an object."),
        may("items", Value::Object(&PROPERTY), "Of an array."),
    ];
    PROPERTY, "propertySchema", &[
        need("type", Value::Words(&PROPERTY_TYPES), "Its type."),
        may("required", Value::Boolean, "Whether it must be there."),
        may("source", Value::Words(&SOURCES), "Where the value comes from; the caller when left out."),
        may("value", Value::Any, "The value, a name, or an expression."),
        may("properties", Value::Map(&PROPERTY_VALUE), "Of an object."),
        may("items", Value::Object(&PROPERTY), "Of an array."),
    ];
    MAPPING, "responseMappingConfig", &[
        need("dataPath", TEXT, "Where the data is."),
        need("fieldMappings", Value::List(&FIELD_MAPPINGS), "How fields are made."),
        may("targetShardTypeId", TEXT, "What it becomes."),
        need("identifierField", TEXT, "What tells one from another."),
        may("errorPath", TEXT, "Where an error's sentence is."),
        may("metadataMapping", Value::Object(&METADATA), "What else is told."),
    ];
    FIELD_MAPPING, "fieldMapping", &[
        need("source", TEXT, "Where the value is."),
        need("target", TEXT, "The field it becomes."),
        may("transform", Value::Tagged(&TRANSFORM), "What is done to it."),
        may("default", Value::Any, "For a value that is missing or null."),
        may("skipIfEmpty", Value::Boolean, "Whether an empty one is left out."),
    ];
    LOOKUP, "lookupTransform", &[
        need("type", TEXT, ""),
        need("config", Value::Object(&LOOKUP_CONFIG), ""),
    ];
    LOOKUP_CONFIG, "lookupConfig", &[
        need("targetShardTypeId", TEXT, "What is looked for."),
        may("matchField", TEXT, "The field that has the value."),
        may("returnField", TEXT, "The field that is taken."),
    ];
    PAGINATION, "paginationConfig", &[
        need("type", Value::Words(&PAGINATION_TYPES), "What one page says of the next."),
        may("offsetParam", TEXT, "Param with how many are skipped."),
        may("limitParam", TEXT, "Param with how many are wanted."),
        may("maxLimit", Value::Integer(1, limits::PAGE_SIZE_MAX), "The most that may be asked for."),
        may("cursorParam", TEXT, "Param with the cursor."),
        may("cursorPath", TEXT, "Where the next cursor is."),
        may("pageParam", TEXT, "Param with the page's number."),
        may("pageSizeParam", TEXT, "Param with how many stand on it."),
        may("nextLinkPath", TEXT, "Where the next address is, or header:Link."),
        need("endCondition", Value::Object(&END), "How the end is known."),
    ];
    END, "endCondition", &[
        need("type", Value::Words(&END_CONDITIONS), "What it is known by."),
        may("field", TEXT, "Where the boolean is."),
    ];
    RATE, "rateLimit", &[
        need("requestsPerMinute", Value::Integer(1, limits::REQUESTS_PER_MINUTE_MAX), "Requests a minute."),
        may("burstLimit", Value::Integer(1, limits::REQUESTS_PER_MINUTE_MAX), "How many at once."),
    ];
    WEBHOOK, "webhookReceiverConfig", &[
        may("webhookUrl", STAMP, "Made by the system."),
        may("webhookSecret", STAMP, "The signing secret; made by the system unless given."),
        may("signatureConfig", Value::Object(&SIGNATURE), "How a delivery is signed."),
        need("eventRouting", Value::List(&ROUTES), "What is done with which event."),
        may("responseStatus", Value::Integer(200, 299), "What is answered; 200 unless given."),
        may("responseBody", Value::Scalar, "What is answered."),
    ];
    SIGNATURE, "signatureConfig", &[
        need("header", TEXT, "The header with the signature."),
        need("algorithm", Value::Words(&ALGORITHMS), "How it is made."),
        may("signaturePrefix", Value::Scalar, "What stands before it."),
    ];
    ROUTE, "webhookEventRouting", &[
        need("eventTypePath", TEXT, "Where the event's name is."),
        need("eventTypeValue", TEXT, "The name that is meant."),
        need("action", Value::Words(&ACTIONS), "What is done."),
        may("targetShardTypeId", TEXT, "What it is about."),
        may("dataPath", TEXT, "Where the data is."),
        may("fieldMappings", Value::List(&FIELD_MAPPINGS), "How fields are made."),
        may("identifierPath", TEXT, "What tells one from another."),
    ];
}
static SECRET_TEXT: Value = TEXT;
static PROPERTY_VALUE: Value = Value::Object(&PROPERTY);
lists! {
    ENDPOINTS, Value::Object(&ENDPOINT);
    PARAMS, Value::Object(&PARAM);
    PATH_PARAMS, Value::Object(&PATH_PARAM);
    FIELD_MAPPINGS, Value::Object(&FIELD_MAPPING);
    ROUTES, Value::Object(&ROUTE);
}

static AUTH: Tagged = Tagged {
    name: "customAuthConfig",
    tag: "type",
    variants: &[
        ("none", &NONE),
        ("api_key", &API_KEY),
        ("bearer", &BEARER),
        ("basic", &BASIC),
        ("oauth2", &OAUTH2),
        ("custom_headers", &CUSTOM_HEADERS),
    ],
    later: &[],
};
static TRANSFORM: Tagged = Tagged {
    name: "transformConfig",
    tag: "type",
    variants: &[
        ("direct", &DIRECT),
        ("concat", &CONCAT),
        ("split", &SPLIT),
        ("map", &MAP),
        ("date", &DATE),
        ("number", &NUMBER),
        ("boolean", &BOOLEAN),
        ("template", &TEMPLATE),
        ("expression", &EXPRESSION),
        ("lookup", &LOOKUP),
    ],
    later: &[],
};
