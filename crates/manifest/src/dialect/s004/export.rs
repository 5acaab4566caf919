//! From manifests to definitions.

use std::collections::BTreeSet;

use super::{ROW, WEBHOOK_SECRET, auth::mask, grammar, words};
use crate::{
    grammar::{Object, Value},
    json::Tree,
    lint::Position,
    node::Node,
};

/// A definition made of a manifest.
#[derive(Debug, Clone, PartialEq)]
pub struct Exported {
    /// The definition; secrets stand in it as `{{encrypted:<field>}}`.
    pub definition: Tree,
    /// What the manifest says and a definition has no word for: paths such as `endpoints[0].output`, in the manifest's
    /// spelling or the definition's.
    pub lost: Vec<String>,
}

/// What a definition tells beside its manifest.
#[derive(Debug, Clone, Copy)]
pub struct Connection<'c> {
    /// What belongs to the integration: an object as [`super::Imported::row`].
    pub row: &'c Tree,
    /// The auth method's public fields: an object.
    pub config: &'c Tree,
    /// Names of the secrets that are stored; `webhookSecret` is that of its webhook.
    pub present: &'c BTreeSet<String>,
}

/// Writes a canonical manifest as a definition.
pub fn to_s004(manifest: &Tree, connection: &Connection<'_>) -> Exported {
    let row = connection.row;
    let mut lost = Vec::new();
    let mut out: Vec<(String, Tree)> = Vec::new();
    let mut put = |key: &str, value: Option<Tree>| out.extend(value.map(|value| (key.to_owned(), value)));
    let own = |key: &str| manifest.get(key).filter(|tree| !tree.is_null()).cloned();
    for key in ROW {
        put(key, row.get(key).cloned());
    }
    if row.get("name").is_none() {
        put("name", own("id").or_else(|| own("name")));
    }
    put("displayName", own("name"));
    for same in ["description", "icon", "color"] {
        put(same, own(same));
    }
    put(
        "integrationType",
        own("integrationType").or_else(|| Some(Tree::from("rest_api"))),
    );
    for same in ["baseUrl", "defaultHeaders", "timeout"] {
        put(same, own(same));
    }
    put(
        "retryConfig",
        own("retryConfig").map(|retry| with_defaults(retry, &[("retryOn", Tree::Array(Vec::new()))])),
    );
    put("auth", Some(auth(manifest, connection, &mut lost)));
    let endpoints = manifest.get("endpoints").and_then(Tree::as_array).unwrap_or_default();
    put(
        "endpoints",
        Some(Tree::Array(
            endpoints.iter().map(|tree| endpoint(tree, manifest)).collect(),
        )),
    );
    put(
        "webhookConfig",
        own("webhookConfig").map(|tree| webhook(&tree, connection)),
    );
    for (key, value) in manifest.as_object().unwrap_or_default() {
        let said = value.is_null() || ["id", "name", "auth", "responseMapping"].contains(&key.as_str());
        if !said && !grammar::DEFINITION.fields.iter().any(|field| field.name == key) {
            lost.push(key.clone());
        }
    }
    let definition = object(&Tree::Object(out), &grammar::DEFINITION, "", &mut lost).unwrap_or_default();
    Exported { definition, lost }
}

fn changed(tree: &Tree, change: impl Fn(&Node) -> Node) -> Tree {
    change(&Node::from_tree(tree, Position::default())).to_tree()
}

/// The same object with what is missing behind it.
fn with_defaults(tree: Tree, defaults: &[(&str, Tree)]) -> Tree {
    let Tree::Object(mut entries) = tree else { return tree };
    for (key, value) in defaults {
        if !entries.iter().any(|(own, _)| own == key) {
            entries.push(((*key).to_owned(), value.clone()));
        }
    }
    Tree::Object(entries)
}

/// The same object with one value changed.
fn with(tree: Tree, key: &str, mut change: impl FnMut(Tree) -> Tree) -> Tree {
    let Tree::Object(mut entries) = tree else { return tree };
    for (own, value) in &mut entries {
        if own == key {
            *value = change(std::mem::take(value));
        }
    }
    Tree::Object(entries)
}

/// The same object with a key under another name.
fn renamed(tree: Tree, from: &str, to: &str) -> Tree {
    let Tree::Object(entries) = tree else { return tree };
    let entry = |(key, value): (String, Tree)| (if key == from { to.to_owned() } else { key }, value);
    Tree::Object(entries.into_iter().map(entry).collect())
}

fn each(tree: Tree, change: impl Fn(Tree) -> Tree) -> Tree {
    match tree {
        Tree::Array(items) => Tree::Array(items.into_iter().map(change).collect()),
        other => other,
    }
}

fn endpoint(tree: &Tree, manifest: &Tree) -> Tree {
    let id = tree.get("id").cloned().unwrap_or_default();
    let common = || {
        manifest
            .get("responseMapping")
            .map(|tree| changed(tree, |node| words::OUT.mapping(node)))
    };
    let tree = changed(tree, |node| words::OUT.endpoint(node));
    let tree = with_defaults(
        tree,
        &[
            ("name", id),
            ("responseMapping", common().unwrap_or(Tree::Object(Vec::new()))),
        ],
    );
    let param = |param: Tree| {
        let param = with(renamed(param, "source", "valueSource"), "type", plain_type);
        with_defaults(
            param,
            &[("required", Tree::Bool(false)), ("type", Tree::from("string"))],
        )
    };
    let tree = with(tree, "queryParams", |list| each(list, param));
    let tree = with(tree, "pathParams", |list| each(list, param));
    let tree = with(tree, "body", body);
    let tree = with(tree, "pagination", |pagination| {
        let end = Tree::Object(vec![("type".to_owned(), Tree::from("empty_array"))]);
        with_defaults(pagination, &[("endCondition", end)])
    });
    let nothing = Tree::Array(Vec::new());
    with(tree, "responseMapping", |mapping| {
        let usual = [
            ("dataPath", Tree::from("$")),
            ("fieldMappings", nothing.clone()),
            ("identifierField", Tree::from("id")),
        ];
        with_defaults(mapping, &usual)
    })
}

/// A definition knows numbers only.
fn plain_type(kind: Tree) -> Tree {
    match kind.as_str() {
        Some("integer") => Tree::from("number"),
        _ => kind,
    }
}

fn body(tree: Tree) -> Tree {
    let kinds = ["schema", "template", "raw"];
    let kind = kinds.into_iter().find(|kind| tree.get(kind).is_some()).unwrap_or("raw");
    let tree = with(tree, "template", |template| match template {
        Tree::String(text) => Tree::String(text),
        tree => Tree::String(tree.to_text()),
    });
    let tree = with(tree, "schema", |schema| {
        with_defaults(property(schema), &[("type", Tree::from("object"))])
    });
    with_defaults(
        tree,
        &[
            ("contentType", Tree::from("application/json")),
            ("bodyType", Tree::from(kind)),
        ],
    )
}

fn property(tree: Tree) -> Tree {
    let tree = with(tree, "type", plain_type);
    let tree = with(tree, "properties", |properties| match properties {
        Tree::Object(entries) => Tree::Object(
            entries
                .into_iter()
                .map(|(name, inner)| (name, with_defaults(property(inner), &[("type", Tree::from("object"))])))
                .collect(),
        ),
        other => other,
    });
    with(tree, "items", |items| {
        with_defaults(property(items), &[("type", Tree::from("object"))])
    })
}

fn webhook(tree: &Tree, connection: &Connection<'_>) -> Tree {
    let tree = changed(tree, |node| words::OUT.webhook(node));
    let mut usual = vec![
        ("eventRouting", Tree::Array(Vec::new())),
        ("responseStatus", Tree::number(200)),
    ];
    if connection.present.contains(WEBHOOK_SECRET) {
        usual.push((WEBHOOK_SECRET, Tree::from(mask(WEBHOOK_SECRET).as_str())));
    }
    with_defaults(tree, &usual)
}

/// The first auth method. Its public values are the connection's again; secrets are masked.
fn auth(manifest: &Tree, connection: &Connection<'_>, lost: &mut Vec<String>) -> Tree {
    let methods = manifest.get("auth").and_then(Tree::as_array).unwrap_or_default();
    lost.extend((1..methods.len()).map(|index| format!("auth[{index}]")));
    let mut out = vec![("type".to_owned(), Tree::from("none"))];
    let Some(method) = methods.first() else {
        return Tree::Object(out);
    };
    let kind = method.get("type").and_then(Tree::as_str).unwrap_or("none");
    let method = Method { method, connection };
    let (same, values, kept): (&[&str], &[&str], &[&str]) = match kind {
        "none" => (&[], &[], &[]),
        "api_key" => (&["keyName", "keyLocation"], &["keyValue"], &[]),
        "bearer" => (&[], &["token"], &[]),
        "basic" => (&[], &["username", "password"], &[]),
        "oauth2" => (
            &["grantType", "tokenUrl", "authorizationUrl", "redirectUri"],
            &["clientId", "clientSecret"],
            &["accessToken", "refreshToken"],
        ),
        "custom_headers" => (&["headers"], &[], &[]),
        _ => {
            lost.push("auth[0]".to_owned());
            return Tree::Object(out);
        }
    };
    out[0].1 = Tree::from(kind);
    for key in same {
        out.extend(method.method.get(key).map(|tree| ((*key).to_owned(), tree.clone())));
    }
    for key in values {
        let template = method.method.get(key).and_then(Tree::as_str).unwrap_or_default();
        out.push((
            (*key).to_owned(),
            method.value(template, &format!("auth[0].{key}"), lost),
        ));
    }
    for key in kept.iter().filter(|key| connection.present.contains(**key)) {
        out.push(((*key).to_owned(), Tree::from(mask(key).as_str())));
    }
    let mut tree = Tree::Object(out);
    if kind == "oauth2" {
        tree = with_defaults(tree, &[("grantType", Tree::from("authorization_code"))]);
        let scopes: Vec<&str> = method.list("oauthScopes").iter().filter_map(Tree::as_str).collect();
        let mut more = Vec::new();
        if !scopes.is_empty() {
            more.push(("scope", Tree::from(scopes.join(" ").as_str())));
        }
        more.extend(
            connection
                .config
                .get("expiresAt")
                .map(|value| ("expiresAt", value.clone())),
        );
        tree = with_defaults(tree, &more);
    }
    method.tell_lost(same, values, lost);
    with(tree, "headers", |headers| match headers {
        Tree::Object(entries) => Tree::Object(
            entries
                .into_iter()
                .map(|(name, value)| {
                    let place = format!("auth[0].headers.{name}");
                    let value = method.value(value.as_str().unwrap_or_default(), &place, lost);
                    (name, value)
                })
                .collect(),
        ),
        other => other,
    })
}

struct Method<'m> {
    method: &'m Tree,
    connection: &'m Connection<'m>,
}

impl Method<'_> {
    fn list(&self, key: &str) -> &[Tree] {
        self.method.get(key).and_then(Tree::as_array).unwrap_or_default()
    }

    /// The value of a template: a definition holds values, so only one that is a single field can be said.
    fn value(&self, template: &str, place: &str, lost: &mut Vec<String>) -> Tree {
        let name = template
            .trim()
            .strip_prefix("{{")
            .and_then(|rest| rest.strip_suffix("}}"));
        let name = name.map(|name| name.trim().trim_start_matches("config."));
        let Some(name) = name.filter(|name| !name.contains(['{', '}'])) else {
            if template.contains("{{") {
                lost.push(place.to_owned());
            }
            return Tree::from(template);
        };
        let is_field = |field: &&Tree| field.get("name").and_then(Tree::as_str) == Some(name);
        let field = self.list("fields").iter().find(is_field);
        if field.and_then(|field| field.get("secret")).and_then(Tree::as_bool) == Some(true) {
            return Tree::from(mask(name).as_str());
        }
        self.connection
            .config
            .get(name)
            .cloned()
            .unwrap_or_else(|| Tree::from(template))
    }

    fn tell_lost(&self, same: &[&str], values: &[&str], lost: &mut Vec<String>) {
        for (key, _) in self.method.as_object().unwrap_or_default() {
            let key = key.as_str();
            if !["id", "type", "fields", "oauthScopes"].contains(&key) && !same.contains(&key) && !values.contains(&key)
            {
                lost.push(format!("auth[0].{key}"));
            }
        }
    }
}

/// What of an object a definition can say. Nothing where something that it must say cannot be said.
fn object(tree: &Tree, shape: &Object, path: &str, lost: &mut Vec<String>) -> Option<Tree> {
    let mut out = Vec::new();
    for (key, value) in tree.as_object()? {
        let place = if path.is_empty() {
            key.clone()
        } else {
            format!("{path}.{key}")
        };
        let Some(field) = shape.fields.iter().find(|field| field.name == key) else {
            lost.push(place);
            continue;
        };
        match said(value, field.value, &place, lost) {
            Some(value) => out.push((key.clone(), value)),
            None => {
                lost.push(place);
                if shape.requires(field) {
                    return None;
                }
            }
        }
    }
    Some(Tree::Object(out))
}

fn said(tree: &Tree, value: Value, path: &str, lost: &mut Vec<String>) -> Option<Tree> {
    match value {
        Value::Words(words) => tree
            .as_str()
            .is_some_and(|text| words.words().contains(&text))
            .then(|| tree.clone()),
        Value::Object(shape) => object(tree, shape, path, lost),
        Value::Tagged(tagged) => {
            let tag = tree.get(tagged.tag).and_then(Tree::as_str)?;
            let (_, shape) = tagged.variants.iter().find(|(word, _)| *word == tag)?;
            object(tree, shape, path, lost)
        }
        Value::List(list) => {
            let items = tree.as_array()?.iter().enumerate();
            let item = |(index, item)| {
                let place = format!("{path}[{index}]");
                let kept = said(item, list.of, &place, lost);
                if kept.is_none() {
                    lost.push(place);
                }
                kept
            };
            Some(Tree::Array(items.filter_map(item).collect()))
        }
        Value::Map(of) => {
            let entries = tree.as_object()?.iter();
            let entry = |(key, value): &(String, Tree)| {
                let place = format!("{path}.{key}");
                let kept = said(value, *of, &place, lost);
                if kept.is_none() {
                    lost.push(place);
                }
                Some((key.clone(), kept?))
            };
            Some(Tree::Object(entries.filter_map(entry).collect()))
        }
        _ => Some(tree.clone()),
    }
}
