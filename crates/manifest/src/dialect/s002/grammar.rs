//! The schema of connector modules, with its lengths.

use crate::grammar::{Form, List, Object, TEXT, TEXTS, Tagged, Value, may, need};

/// A connector module.
pub(super) static DEFINITION: Object = Object {
    name: "connectorModule",
    doc: "A connector module.",
    fields: &[
        need("id", Value::Text(&ID), "Such as `eventbrite`."),
        need("name", Value::Text(&NAME), "Display name shown in settings."),
        need("summary", Value::Text(&SUMMARY), "One-line summary."),
        need(
            "description",
            Value::Text(&DESCRIPTION),
            "Longer explanation for the card.",
        ),
        need("category", Value::Words(&CATEGORIES), "Where it stands in the list."),
        need("status", Value::Words(&STATUSES), "The release stage."),
        need("auth", Value::Tagged(&AUTH), "How one signs in."),
        need(
            "capabilities",
            Value::List(&CAPABILITIES),
            "Short list of supported features.",
        ),
        may("setup", Value::List(&STEPS), "Setup steps."),
        may("tags", TEXTS, "Tags for filtering."),
        may(
            "docsPath",
            TEXT,
            "Public URL of hosted documentation, or a path in the repository.",
        ),
        may("links", Value::List(&LINKS), "Further addresses."),
        may("publisher", Value::Object(&PUBLISHER), "Who made it."),
        may("icon", TEXT, "Such as cloud, calendar, key, link or puzzle."),
        may(
            "connection",
            Value::Object(&CONNECTION),
            "Server paths to connect, ask and disconnect.",
        ),
    ],
    required: &[],
    later: &[],
};

const CATEGORIES: &[&str] = &["events", "ticketing", "marketing", "assets", "analytics", "custom"];
const STATUSES: &[&str] = &["available", "beta", "coming-soon", "deprecated"];
const PKCE: &[&str] = &["required"];
const GRANTS: &[&str] = &["authorization_code", "refresh_token"];

static ID: Form = Form {
    min: 2,
    max: 48,
    pattern: Some(("^[a-z0-9-]+$", is_id)),
    says: "an id is 2 to 48 of a-z, 0-9 and `-`",
};

fn is_id(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.bytes().all(fits)
}

const fn at_least(min: usize, says: &'static str) -> Form {
    Form {
        min,
        max: crate::limits::MANIFEST_BYTES,
        pattern: None,
        says,
    }
}
static NAME: Form = at_least(2, "a name has at least 2 characters");
static SUMMARY: Form = at_least(5, "a summary has at least 5 characters");
static DESCRIPTION: Form = at_least(10, "a description has at least 10 characters");

static AUTH: Tagged = Tagged {
    name: "auth",
    tag: "type",
    variants: &[("oauth", &OAUTH), ("api-key", &API_KEY), ("none", &NONE)],
    later: &[],
};

macro_rules! objects {
    ($($name:ident, $schema:literal, $fields:expr;)*) => {
        $(static $name: Object = Object {
            name: $schema,
            doc: "",
            fields: $fields,
            required: &[],
            later: &[],
        };)*
    };
}
macro_rules! lists {
    ($($name:ident, $of:expr, $min:literal;)*) => {
        $(static $name: List = List { of: $of, min: $min };)*
    };
}

objects! {
    OAUTH, "authOauth", &[
        need("type", TEXT, ""),
        need("description", TEXT, "For people."),
        need("pkce", Value::Words(&PKCE), "PKCE is required."),
        need("grantTypes", Value::List(&GRANT_LIST), "What the client may do."),
        need("scopes", Value::List(&SCOPE_LIST), "The permissions that are asked for."),
        may("endpoints", Value::Object(&ENDPOINTS), "Where people sign in, by environment."),
        may("redirectUris", Value::Object(&REDIRECTS), "Where they are sent back to, by environment."),
        may("notes", TEXTS, "For who sets it up."),
    ];
    API_KEY, "authApiKey", &[
        need("type", TEXT, ""),
        need("description", TEXT, "For people."),
        may("headerName", TEXT, "The header that carries the key."),
    ];
    NONE, "authNone", &[
        need("type", TEXT, ""),
        may("description", TEXT, "For people."),
    ];
    ENDPOINTS, "oauthEndpoints", &[
        may("dev", Value::Object(&ADDRESSES), "For development."),
        may("prod", Value::Object(&ADDRESSES), "For production."),
    ];
    ADDRESSES, "oauthAddresses", &[
        need("authorize", TEXT, "Where people sign in: a URL."),
        need("token", TEXT, "Where tokens are got: a URL."),
        may("jwks", TEXT, "Where keys are published: a URL."),
    ];
    REDIRECTS, "redirectUris", &[
        may("dev", TEXTS, "For development."),
        may("prod", TEXTS, "For production."),
    ];
    CAPABILITY, "capability", &[
        need("id", TEXT, "Its identifier."),
        need("label", TEXT, "For people."),
        may("description", TEXT, "For people."),
    ];
    STEP, "setupStep", &[
        need("title", TEXT, "For people."),
        may("description", TEXT, "For people."),
        may("bullets", TEXTS, "In detail."),
    ];
    LINK, "link", &[
        need("label", TEXT, "For people."),
        need("href", TEXT, "The address."),
    ];
    PUBLISHER, "publisher", &[
        need("name", TEXT, "For people."),
        may("url", TEXT, "A URL."),
        may("email", TEXT, "A mail address."),
    ];
    CONNECTION, "connectionPaths", &[
        need("startPath", TEXT, "Begins a sign-in."),
        may("statusPath", TEXT, "Tells whether it is connected."),
        may("disconnectPath", TEXT, "Ends it."),
    ];
}
lists! {
    GRANT_LIST, Value::Words(&GRANTS), 1;
    SCOPE_LIST, TEXT, 1;
    CAPABILITIES, Value::Object(&CAPABILITY), 1;
    STEPS, Value::Object(&STEP), 0;
    LINKS, Value::Object(&LINK), 0;
}
