//! From a connector module to the canonical tree.

use super::super::build::{Mapping, list};
use crate::{
    json::Tree,
    node::{Fields, Node, Spot},
};

/// The header of an API key whose module names none: the usual one.
const KEY_HEADER: &str = "X-API-Key";

/// A tree that the schema's grammar was satisfied with, in the language's words.
pub(super) fn canonical(root: &Spot<'_>) -> Node {
    let mut out = Mapping::at(root.node.at);
    let Some(fields) = root.fields() else { return out.node() };
    for same in [
        "id",
        "name",
        "summary",
        "description",
        "category",
        "status",
        "capabilities",
        "setup",
        "tags",
        "publisher",
        "icon",
        "connection",
    ] {
        out.take(same, fields.get(same));
    }
    out.take("docs", fields.get("docsPath"));
    if let Some(links) = fields.get("links") {
        out.put("links", list(links.node.at, links.list().iter().map(link).collect()));
    }
    if let Some(auth) = fields.get("auth") {
        out.put("auth", list(auth.node.at, vec![method(&auth)]));
    }
    out.node()
}

fn link(spot: &Spot<'_>) -> Node {
    let mut out = Mapping::at(spot.node.at);
    let fields = spot.fields();
    out.take("label", fields.as_ref().and_then(|fields| fields.get("label")));
    out.take("url", fields.as_ref().and_then(|fields| fields.get("href")));
    out.node()
}

fn method(spot: &Spot<'_>) -> Node {
    let mut out = Mapping::at(spot.node.at);
    let Some(fields) = spot.fields() else { return out.node() };
    out.take("description", fields.get("description"));
    match fields.text("type").as_deref() {
        Some("oauth") => oauth(&fields, &mut out),
        Some("api-key") => api_key(&fields, &mut out),
        _ => out.text("type", "none"),
    }
    out.node()
}

fn api_key(fields: &Fields<'_>, out: &mut Mapping) {
    out.text("type", "api_key");
    match fields.get("headerName") {
        Some(spot) => out.take("keyName", Some(spot)),
        None => out.text("keyName", KEY_HEADER),
    }
    out.text("keyLocation", "header");
    out.text("keyValue", "{{apiKey}}");
    let entry = |key: &str, value: Tree| (key.to_owned(), value);
    let field = Tree::Object(vec![
        entry("name", Tree::from("apiKey")),
        entry("label", Tree::from("API key")),
        entry("secret", Tree::Bool(true)),
        entry("required", Tree::Bool(true)),
        entry("aliases", Tree::Array(vec![Tree::from("api_key"), Tree::from("key")])),
    ]);
    out.tree("fields", &Tree::Array(vec![field]));
}

fn oauth(fields: &Fields<'_>, out: &mut Mapping) {
    out.text("type", "oauth2");
    // Refreshing is what follows from signing in; alone it says that somebody signed in elsewhere.
    let grants = fields.texts("grantTypes");
    let signs_in = grants.iter().any(|grant| grant == "authorization_code");
    out.text(
        "grantType",
        if signs_in {
            "authorization_code"
        } else {
            "refresh_token"
        },
    );
    out.take("pkce", fields.get("pkce"));
    out.take("oauthScopes", fields.get("scopes"));
    out.take("notes", fields.get("notes"));
    if let Some(spot) = fields.get("endpoints") {
        out.put("environments", by_environment(&spot, addresses));
    }
    if let Some(spot) = fields.get("redirectUris") {
        out.put("redirectUris", by_environment(&spot, |spot| spot.node.clone()));
    }
}

fn by_environment(spot: &Spot<'_>, value: impl Fn(&Spot<'_>) -> Node) -> Node {
    let mut out = Mapping::at(spot.node.at);
    for (theirs, ours) in [("dev", "development"), ("prod", "production")] {
        if let Some(spot) = spot.fields().and_then(|fields| fields.get(theirs)) {
            out.put(ours, value(&spot));
        }
    }
    out.node()
}

fn addresses(spot: &Spot<'_>) -> Node {
    let mut out = Mapping::at(spot.node.at);
    for (theirs, ours) in [
        ("authorize", "authorizationUrl"),
        ("token", "tokenUrl"),
        ("jwks", "jwksUrl"),
    ] {
        out.take(ours, spot.fields().and_then(|fields| fields.get(theirs)));
    }
    out.node()
}
