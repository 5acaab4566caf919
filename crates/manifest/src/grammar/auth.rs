//! Auth methods and their fields.

use super::{HEADERS, List, NAME, Object, TEXT, TEXTS, Tagged, Value, connector::TEST, may, need};
use crate::auth::{CLIENT_AUTH, FIELD_KINDS, GRANTS, KEPT_FROM, KEY_LOCATIONS, NO_TEST, PKCE};

/// A way to sign in.
pub(super) static AUTH: Tagged = Tagged {
    name: "auth",
    tag: "type",
    variants: &[
        ("none", &NONE),
        ("api_key", &API_KEY),
        ("bearer", &BEARER),
        ("basic", &BASIC),
        ("custom_headers", &CUSTOM_HEADERS),
        ("oauth2", &OAUTH2),
        ("custom", &CUSTOM),
    ],
    later: &["jwt", "mtls"],
};

macro_rules! method {
    ($name:ident, $schema:literal, $doc:literal, $($own:expr),*) => {
        static $name: Object = Object {
            name: $schema,
            doc: $doc,
            fields: &[
                may("id", NAME, "Unique in the manifest; the type unless given."),
                need("type", TEXT, ""),
                may("label", TEXT, "For people."),
                may("description", TEXT, "For people."),
                may("fields", Value::List(&FIELD_LIST), "What a person types in."),
                may("test", Value::WordOr(&NO_TEST, &TEST_VALUE), "The credential test; wins over the connector's. `none`: nothing can prove it without an effect."),
                $($own),*
            ],
            required: &[],
            later: &[],
        };
    };
}

method!(NONE, "authNone", "No credentials.",);
method!(CUSTOM, "authCustom", "Rust code uses the fields.",);
method!(
    API_KEY,
    "authApiKey",
    "One value under one name.",
    may("keyName", TEXT, "The header, parameter or body key."),
    need("keyLocation", Value::Words(&KEY_LOCATIONS), "Where that is."),
    may("keyValue", Value::Scalar, "A template over the method's fields.")
);
method!(
    BEARER,
    "authBearer",
    "`Authorization: Bearer …`",
    need("token", Value::Scalar, "A template over the method's fields.")
);
method!(
    BASIC,
    "authBasic",
    "`Authorization: Basic …` (RFC 7617)",
    need("username", Value::Scalar, "A template over the method's fields."),
    may(
        "password",
        Value::Scalar,
        "A template over the method's fields; empty unless given."
    )
);
method!(
    CUSTOM_HEADERS,
    "authCustomHeaders",
    "Any headers.",
    need("headers", HEADERS, "Header to template over the method's fields.")
);
method!(
    OAUTH2,
    "authOauth2",
    "OAuth 2.0 (RFC 6749). Addresses are templates over the method's public fields.",
    may(
        "grantType",
        Value::Words(&GRANTS),
        "How the first token is got; `authorization_code` unless given."
    ),
    may("authorizationUrl", TEXT, "Where a person signs in."),
    may("tokenUrl", TEXT, "Where tokens are got."),
    may("refreshUrl", TEXT, "Where they are refreshed, if elsewhere."),
    may("revocationUrl", TEXT, "Where they are given back (RFC 7009)."),
    may("jwksUrl", TEXT, "Where the service publishes its keys (RFC 7517)."),
    may(
        "environments",
        Value::Object(&ENVIRONMENTS),
        "Other addresses for connections of an environment."
    ),
    may(
        "clientId",
        Value::Scalar,
        "A template over the method's fields; the operator's client unless given."
    ),
    may(
        "clientSecret",
        Value::Scalar,
        "A template over the method's secret fields."
    ),
    may(
        "clientAuth",
        Value::Words(&CLIENT_AUTH),
        "How the client proves itself to the token address."
    ),
    may("oauthScopes", TEXTS, "The permissions that are asked for."),
    may(
        "scopeSeparator",
        Value::Scalar,
        "What stands between them; a blank unless given."
    ),
    may("pkce", Value::Words(&PKCE), "`required` unless given (RFC 7636)."),
    may("pkceReason", TEXT, "Why it is `unsupported`."),
    may("authorizeParams", HEADERS, "Further parameters of the sign-in address."),
    may("tokenParams", HEADERS, "Further parameters of the token request."),
    may(
        "tokenPaths",
        Value::Object(&TOKEN_PATHS),
        "Where the token answer tells what, if not where RFC 6749 says."
    ),
    may(
        "rotatingRefresh",
        Value::Boolean,
        "Whether a refresh token works once only."
    ),
    may(
        "expiresIn",
        Value::Integer(1, crate::limits::TOKEN_LIFE_MAX_SECONDS),
        "Seconds a token lives, where the answer does not tell."
    ),
    may(
        "issuer",
        TEXT,
        "Who the service says it is when it sends people back (RFC 9207)."
    ),
    may(
        "issuerInCallback",
        Value::Boolean,
        "Whether it says so each time: who comes back without is refused."
    ),
    may(
        "tokenHeader",
        TEXT,
        "The header that carries the token; `authorization` unless given."
    ),
    may(
        "tokenPrefix",
        Value::Scalar,
        "What stands before it; `Bearer ` unless given."
    ),
    may(
        "keep",
        Value::List(&KEEP_LIST),
        "Values that the sign-in tells and that are kept as public fields."
    ),
    may(
        "redirectUri",
        TEXT,
        "Where the service sends people back to; the server's own address unless given."
    ),
    may(
        "redirectUris",
        Value::Object(&REDIRECTS),
        "The same for environments, to be registered with the service."
    ),
    may("notes", TEXTS, "For who registers the client.")
);

static TEST_VALUE: Value = Value::Object(&TEST);
static FIELD_LIST: List = List {
    of: Value::Object(&FIELD),
    min: 0,
};
static FIELD: Object = Object {
    name: "field",
    doc: "What a person types in.",
    fields: &[
        need("name", NAME, "Its key, never re-cased."),
        may("label", TEXT, "For people; the name unless given."),
        may("description", TEXT, "For people."),
        may("type", Value::Words(&FIELD_KINDS), "`string` unless given."),
        may("secret", Value::Boolean, "Sealed, and never shown again."),
        may("target", Value::Boolean, "Whether it decides where secrets are sent."),
        may("required", Value::Boolean, "Whether it must be given."),
        may("default", Value::Any, "Used when it is not given."),
        may("pattern", TEXT, "A regular expression that it must match."),
        may("aliases", Value::List(&NAME_LIST), "Other names it is accepted under."),
        may("placeholder", TEXT, "An example for an empty form."),
        may("options", Value::List(&OPTION_LIST), "The only values allowed."),
    ],
    required: &[],
    later: &[],
};
static NAME_LIST: List = List { of: NAME, min: 0 };
static OPTION_LIST: List = List {
    of: Value::ScalarOr(&OPTION_VALUE),
    min: 0,
};
static OPTION_VALUE: Value = Value::Object(&OPTION);
static OPTION: Object = Object {
    name: "option",
    doc: "One of a field's values.",
    fields: &[
        need("value", Value::Scalar, "What is stored."),
        may("label", TEXT, "What people read."),
    ],
    required: &[],
    later: &[],
};

static ENVIRONMENTS: Object = Object {
    name: "oauthEnvironments",
    doc: "Addresses by environment.",
    fields: &[
        may("development", Value::Object(&ADDRESSES), ""),
        may("staging", Value::Object(&ADDRESSES), ""),
        may("production", Value::Object(&ADDRESSES), ""),
    ],
    required: &[],
    later: &[],
};
static ADDRESSES: Object = Object {
    name: "oauthAddresses",
    doc: "The addresses of an environment.",
    fields: &[
        need("authorizationUrl", TEXT, "Where a person signs in."),
        need("tokenUrl", TEXT, "Where tokens are got."),
        may("jwksUrl", TEXT, "Where the service publishes its keys (RFC 7517)."),
    ],
    required: &[],
    later: &[],
};
static REDIRECTS: Object = Object {
    name: "redirectUris",
    doc: "Where the service sends people back to, by environment.",
    fields: &[
        may("development", TEXTS, ""),
        may("staging", TEXTS, ""),
        may("production", TEXTS, ""),
    ],
    required: &[],
    later: &[],
};
static TOKEN_PATHS: Object = Object {
    name: "tokenPaths",
    doc: "JSONPaths into the token answer.",
    fields: &[
        may("accessToken", TEXT, "`$.access_token` unless given."),
        may("refreshToken", TEXT, "`$.refresh_token` unless given."),
        may("expiresIn", TEXT, "Seconds; `$.expires_in` unless given."),
        may("scope", TEXT, "`$.scope` unless given."),
        may("tokenType", TEXT, "`$.token_type` unless given."),
    ],
    required: &[],
    later: &[],
};
static KEEP_LIST: List = List {
    of: Value::Object(&KEEP),
    min: 0,
};
static KEEP: Object = Object {
    name: "keptValue",
    doc: "A value that the sign-in tells.",
    fields: &[
        need("name", NAME, "The public field it becomes."),
        need(
            "from",
            Value::Words(&KEPT_FROM),
            "Where it is told: the callback's query, the token answer, or the answer to the test.",
        ),
        need("path", TEXT, "The query's parameter, or a JSONPath."),
    ],
    required: &[],
    later: &[],
};
