//! `connect`, `connections` and `test`.

use std::{
    io::{BufRead, Write},
    path::PathBuf,
};

use clap::Args;
use serde_json::json;
use tieline::{Code, Error};
use tieline_manifest::{Json, Tree};

use super::{
    Configured,
    api::{Api, segment},
    connectors::{descriptor, is, items, text},
    describe,
    input::{self, Fields, Pair},
    output::{Failure, Output, is_terminal, printable, table},
};
use crate::config::Config;

#[derive(Args)]
pub(super) struct Connect {
    /// The connector's id; `tieline connectors <ID>` lists its fields.
    connector: String,
    /// The connection's name; `default` unless given or taken.
    #[arg(long)]
    name: Option<String>,
    /// For whom, as `kind/identity` such as `organization/org_123`; for the whole tenant, unless given.
    #[arg(long, value_name = "KIND/IDENTITY")]
    scope: Option<String>,
    /// The way to sign in, where the connector has several: without it nothing is asked for.
    #[arg(long, value_name = "ID")]
    auth: Option<String>,
    /// Sets a field. Other users of this machine can see it: give secrets in another way.
    #[arg(long, value_name = "NAME=VALUE", value_parser = input::pair)]
    field: Vec<Pair>,
    /// Sets a secret field to what a file holds.
    #[arg(long, value_name = "NAME=PATH", value_parser = input::path_pair)]
    secret_file: Vec<(String, PathBuf)>,
    /// `-` reads the fields from standard input, as a JSON object.
    #[arg(value_parser = ["-"], value_name = "-", hide_possible_values = true)]
    fields: Option<String>,
    #[command(flatten)]
    configured: Configured,
}

pub(super) async fn connect(connect: Connect, output: Output) -> Result<(), Failure> {
    let api = Api::open(&connect.configured.load()?, output).await?;
    let connector = descriptor(&api, &connect.connector).await?;
    let auth = method(&connector, connect.auth.as_deref());
    let fields = fields(&connect, auth, output)?;
    let mut body = Fields::none();
    body.set("connector", Tree::from(connect.connector.as_str()));
    body.set("config", fields.into_tree());
    for (name, value) in [("name", &connect.name), ("auth", &connect.auth)] {
        if let Some(value) = value {
            body.set(name, Tree::from(value.as_str()));
        }
    }
    if let Some(scope) = &connect.scope {
        let (kind, identity) = scope.split_once('/').unwrap_or((scope, ""));
        body.set(
            "scope",
            Json::from(json!({ "kind": kind, "identity": identity })).tree().clone(),
        );
    }
    let made = api.post("/connections", &Json::from(body.into_tree())).await?;
    output.result(&made, || {
        printable(&format!(
            "{} is connected as `{}`: {}\n{}",
            text(connector.tree(), "name"),
            text(made.tree(), "name"),
            text(made.tree(), "id"),
            told(made.get("test"))
        ))
    });
    worked(made.get("test"))
}

pub(super) async fn list(config: &Config, connector: Option<&str>, output: Output) -> Result<(), Failure> {
    let api = Api::look(config, output).await?;
    let rows = all(&api, connector).await?;
    let answer = Json::from(Tree::Object(vec![("data".to_owned(), Tree::Array(rows))]));
    output.result(&answer, || {
        let rows = items(answer.get("data")).iter().map(|connection| {
            let scope = connection.get("scope").unwrap_or(&Tree::Null);
            let reason = connection
                .get("health")
                .map(|health| text(health, "reason"))
                .unwrap_or_default();
            let scope = [text(scope, "kind"), text(scope, "identity")];
            let scope = scope
                .iter()
                .filter(|part| !part.is_empty())
                .cloned()
                .collect::<Vec<_>>()
                .join("/");
            let column = |name: &str| text(connection, name);
            [
                column("id"),
                column("connector"),
                column("name"),
                scope,
                column("status"),
                reason,
            ]
        });
        table(["ID", "CONNECTOR", "NAME", "SCOPE", "STATUS", "REASON"], rows)
    });
    Ok(())
}

pub(super) async fn test(config: &Config, connection: &str, output: Output) -> Result<(), Failure> {
    let api = Api::look(config, output).await?;
    let path = format!("/connections/{}/test", segment(connection));
    let result = api.post(&path, &Json::from(json!({}))).await?;
    output.result(&result, || printable(&told(Some(result.tree()))));
    worked(Some(result.tree()))
}

/// All connections, page by page.
pub(super) async fn all(api: &Api, connector: Option<&str>) -> Result<Vec<Tree>, Failure> {
    let filter = connector
        .map(|connector| format!("&connector={}", segment(connector)))
        .unwrap_or_default();
    let mut rows = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = api
            .get(&format!(
                "/connections?limit={}{filter}{cursor}",
                tieline::limits::MAX_PAGE
            ))
            .await?;
        rows.extend_from_slice(items(page.get("data")));
        match page.get("nextCursor").and_then(Tree::as_str) {
            Some(next) => cursor = format!("&cursor={}", segment(next)),
            None => return Ok(rows),
        }
    }
}

/// The auth method that is meant, where that is clear before anyone looks at the fields.
fn method<'c>(connector: &'c Json, named: Option<&str>) -> Option<&'c Tree> {
    let methods = items(connector.get("auth"));
    match (named, methods) {
        (Some(id), _) => methods.iter().find(|method| text(method, "id") == id),
        (None, [only]) => Some(only),
        (None, _) => None,
    }
}

/// The fields, from everywhere they can come from; what is required and still missing is asked for.
fn fields(connect: &Connect, auth: Option<&Tree>, output: Output) -> Result<Fields, Failure> {
    let mut fields = match &connect.fields {
        Some(_) => Fields::of(&input::json("-", "The fields")?, "The fields on standard input")?,
        None => Fields::none(),
    };
    let declared = items(auth.and_then(|auth| auth.get("fields")));
    for Pair { name, text: value } in &connect.field {
        let names = |field: &&Tree| names(field).any(|known| known == name);
        if declared.iter().find(names).is_some_and(|field| is(field, "secret")) {
            output.note(&input::seen_by_others(name, "with --secret-file, or when asked"));
        }
        fields.set(
            name,
            input::typed(auth.and_then(|auth| auth.get("schema")), name, value),
        );
    }
    for (name, path) in &connect.secret_file {
        fields.set(name, Tree::from(input::secret_file(path, name)?));
    }
    if connect.fields.is_none() && is_terminal() {
        let schema = auth.and_then(|auth| auth.get("schema"));
        for field in missing(declared, &fields) {
            let name = text(field, "name");
            let property = schema.and_then(|schema| schema.get("properties")?.get(&name));
            let answer = ask(field, describe::choices(property))?;
            fields.set(&name, input::typed(schema, &name, &answer));
        }
    }
    Ok(fields)
}

/// The fields that are required, have no default and were not given, secret or not.
fn missing<'f>(declared: &'f [Tree], given: &Fields) -> Vec<&'f Tree> {
    let has_default = |field: &Tree| field.get("default").is_some_and(|default| !default.is_null());
    declared
        .iter()
        .filter(|field| is(field, "required") && !has_default(field) && !given.has(names(field)))
        .collect()
}

/// The names a field answers to.
fn names(field: &Tree) -> impl Iterator<Item = &str> {
    field
        .get("name")
        .into_iter()
        .chain(items(field.get("aliases")))
        .filter_map(Tree::as_str)
}

/// Asks a person for a field, without showing what they type where it is a secret.
fn ask(field: &Tree, choices: Option<String>) -> Result<String, Failure> {
    let choices = choices.map(|choices| format!(" ({choices})")).unwrap_or_default();
    let label = printable(&format!("{}{choices}", text(field, "label")));
    let unanswered = |error: std::io::Error| {
        let detail = format!("`{}` is required and was not given: {error}.", text(field, "name"));
        Failure::Error(Error::new(Code::ConnectorConfigInvalid, detail))
    };
    if is(field, "secret") {
        return rpassword::prompt_password(format!("{label} (not shown): ")).map_err(unanswered);
    }
    let mut prompt = std::io::stderr().lock();
    write!(prompt, "{label}: ")
        .and_then(|()| prompt.flush())
        .map_err(unanswered)?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(unanswered)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// What a test found out, in a line.
fn told(test: Option<&Tree>) -> String {
    let Some(test) = test else { return String::new() };
    match text(test, "errorCode") {
        code if code.is_empty() => text(test, "message"),
        code => format!("The test failed: {} ({code})", text(test, "message")),
    }
}

/// A test that failed fails the command; what it found out was told.
fn worked(test: Option<&Tree>) -> Result<(), Failure> {
    match test {
        Some(test) if !is(test, "success") => Err(Failure::Told),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_required_and_not_given_is_asked_for() {
        let declared = Json::from(json!([
            { "name": "host", "required": true, "default": null },
            { "name": "port", "required": true, "default": 587 },
            { "name": "token", "required": true, "secret": true },
            { "name": "given", "required": true, "aliases": ["byAlias"] },
            { "name": "aside", "required": false },
        ]));
        let mut given = Fields::none();
        given.set("byAlias", Tree::from("x"));
        let missing = missing(items(Some(declared.tree())), &given);
        let names: Vec<String> = missing.into_iter().map(|field| text(field, "name")).collect();
        assert_eq!(names, ["host", "token"]);
    }
}
