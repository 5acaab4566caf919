//! Custom integrations: definitions with their secrets in them, rewritten to manifests, which hold none, and back.
//!
//! What comes back is the same but for this: a secret is `{{encrypted:<field>}}`; `authType` and `authConfig` are one
//! `auth`; `webhookUrl`, which the system makes, is left out; absent `endpoints`, `responseStatus` and a mapping's
//! parts are written with their defaults; empty texts that may be left out are; `items` is `$.items`; and the
//! permissions in `scope` have one blank between them.

mod auth;
mod export;
mod grammar;
mod words;

use crate::{
    grammar as language,
    json::Tree,
    lint::{self, Lint, Lints},
    manifest::{Manifest, Use},
    node::{Entry, Node, NodeKind, Spot},
    parse,
};

pub use export::{Connection, Exported, to_s004};

use super::build::{Mapping, list};

/// A definition taken apart. No secret is in it: where they stand in what came is named, and who does the work takes
/// them from there.
#[derive(Debug, Clone)]
pub struct Imported {
    /// The canonical manifest, as a tree.
    pub manifest: Tree,
    /// The same, read.
    pub read: Manifest,
    /// What belongs to the integration and not to its manifest: an object of `id`, `tenantId`, `name`, `status`,
    /// `lastTestedAt`, `lastTestResult`, `createdAt`, `updatedAt` and `createdBy`, as far as they were given.
    pub row: Tree,
    /// The auth method's public fields: an object.
    pub config: Tree,
    /// The auth method's secrets that were given.
    pub secrets: Vec<SecretAt>,
    /// The auth method's secrets that stay as they are stored: `{{encrypted:…}}` stands in their place.
    pub kept: Vec<SecretAt>,
    /// Where the signing secret of webhooks was given.
    pub webhook_secret: Option<String>,
}

/// A secret in the caller's object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretAt {
    /// The auth field that it is.
    pub name: String,
    /// JSON pointer (RFC 6901) into what came.
    pub pointer: String,
}

/// The name of the signing secret of webhooks.
pub const WEBHOOK_SECRET: &str = "webhookSecret";

/// What belongs to the row.
const ROW: &[&str] = &[
    "id",
    "tenantId",
    "name",
    "status",
    "lastTestedAt",
    "lastTestResult",
    "createdAt",
    "updatedAt",
    "createdBy",
];

/// Reads a definition (JSON or YAML) and reports every problem found, in the order of the text.
pub fn from_s004(text: &str) -> Result<Imported, Vec<Lint>> {
    let node = parse::parse(text).map_err(|lint| vec![lint])?;
    let mut lints = Lints::default();
    let (node, auth_at) = one_auth(node, &mut lints);
    let root = Spot::root(&node);
    language::check(&root, language::Value::Object(&grammar::DEFINITION), &mut lints);
    if !lints.is_empty() {
        return Err(lints.into_sorted());
    }
    let mut taken = auth::Taken::default();
    let manifest = canonical(&root, auth_at, &mut taken);
    let read = Manifest::from_node(&manifest, Use::Tenant)?;
    let webhook_secret = root
        .fields()
        .and_then(|fields| fields.get("webhookConfig")?.fields()?.text(WEBHOOK_SECRET))
        .filter(|text| !auth::is_kept(text))
        .map(|_| "/webhookConfig/webhookSecret".to_owned());
    let row = root
        .entries()
        .into_iter()
        .filter(|(key, spot)| ROW.contains(key) && !spot.is_null());
    Ok(Imported {
        row: Tree::Object(row.map(|(key, spot)| (key.to_owned(), spot.node.to_tree())).collect()),
        manifest: manifest.to_tree(),
        read,
        config: Tree::Object(taken.config),
        secrets: taken.secrets,
        kept: taken.kept,
        webhook_secret,
    })
}

/// The JSON Schema (2020-12) of a definition.
pub fn schema() -> serde_json::Value {
    language::schema::write("A custom integration", &grammar::DEFINITION)
}

/// The API writes `authType` and `authConfig` where the definition has one `auth`.
fn one_auth(mut node: Node, lints: &mut Lints) -> (Node, &'static str) {
    let NodeKind::Map(entries) = &mut node.kind else {
        return (node, "auth");
    };
    let Some(at) = entries.iter().position(|entry| entry.key == "authType") else {
        return (node, "auth");
    };
    let kind = entries.remove(at);
    if entries.iter().any(|entry| entry.key == "auth") {
        let message = "`auth` and `authType` are two forms of one thing; leave one out";
        lints.add(lint::CONTRADICTION, kind.at, "authType", message);
        return (node, "auth");
    }
    let config = entries.iter().position(|entry| entry.key == "authConfig");
    let config = config.map(|at| entries.remove(at).value);
    let mut own = vec![Entry {
        key: "type".to_owned(),
        ..kind.clone()
    }];
    let at = config.as_ref().map_or(kind.at, |config| config.at);
    match config.map(|config| config.kind) {
        Some(NodeKind::Map(rest)) => own.extend(rest.into_iter().filter(|entry| entry.key != "type")),
        None | Some(NodeKind::Null) => {}
        Some(_) => lints.add(lint::WRONG_TYPE, at, "authConfig", "a mapping is expected here"),
    }
    entries.push(Entry {
        key: "auth".to_owned(),
        at: kind.at,
        value: Node {
            kind: NodeKind::Map(own),
            at,
        },
    });
    (node, "authConfig")
}

/// A tree that the interfaces' grammar was satisfied with, in the language's words.
fn canonical(root: &Spot<'_>, auth_at: &str, taken: &mut auth::Taken) -> Node {
    let mut out = Mapping::at(root.node.at);
    let Some(fields) = root.fields() else { return out.node() };
    if let Some(id) = fields.text("name").and_then(|name| words::slug(&name)) {
        out.text("id", &id);
    }
    out.take("name", fields.get("displayName"));
    for same in ["description", "icon", "color"] {
        out.take(same, fields.get(same).filter(words::says_something));
    }
    for same in ["integrationType", "baseUrl", "defaultHeaders", "timeout", "retryConfig"] {
        out.take(same, fields.get(same));
    }
    if let Some(auth) = fields.get("auth") {
        out.put("auth", list(auth.node.at, vec![auth::method(&auth, auth_at, taken)]));
    }
    let endpoints = fields.list("endpoints");
    out.put(
        "endpoints",
        list(
            root.node.at,
            endpoints.iter().map(|spot| words::IN.endpoint(spot.node)).collect(),
        ),
    );
    if let Some(spot) = fields.get("webhookConfig") {
        out.put("webhookConfig", words::IN.webhook(spot.node));
    }
    out.node()
}
