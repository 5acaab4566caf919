//! `manifest`: checking manifests and trying them, without a server and without keeping anything.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use serde_json::json;
use tieline::{
    Code, Connector, Error,
    audit::Actor,
    call::{Call, Via},
    error::FieldError,
    id::TenantId,
};
use tieline_manifest::{
    Auth, Endpoint, FieldProblem, Json, Manifest as Declared, Tree, Use, Values,
    request::{Request, SecretRef},
};

use super::{
    input,
    output::{Failure, Output, pretty, printable},
};
use crate::{
    config::{Config, Flags},
    start,
};

#[derive(Subcommand)]
pub(super) enum Manifest {
    /// Tell every mistake, as `file:line:column what (rule)`.
    Lint(Lint),
    /// Print the request an action would send, with its secrets left open; with --send, send it and print the output. What
    /// may be reached is configured in `tieline.toml` and the environment, as for the server.
    Run(Run),
}

#[derive(Args)]
pub(super) struct Lint {
    /// The manifests.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Ask for everything that a connector in the shipped catalog must say.
    #[arg(long)]
    shipped: bool,
}

#[derive(Args)]
pub(super) struct Run {
    /// The manifest.
    file: PathBuf,
    /// The action's id.
    action: String,
    /// The connection's fields: a JSON object, `@file`, or `-` for standard input.
    #[arg(long, value_name = "JSON|@FILE|-")]
    config: Option<String>,
    /// The action's input: a JSON object, `@file`, or `-` for standard input.
    #[arg(long, value_name = "JSON|@FILE|-")]
    input: Option<String>,
    /// The way to sign in, where the manifest has several.
    #[arg(long, value_name = "ID")]
    auth: Option<String>,
    /// Send the request.
    #[arg(long)]
    send: bool,
}

pub(super) async fn run(command: Manifest, output: Output) -> Result<(), Failure> {
    match command {
        Manifest::Lint(lint) => self::lint(&lint, output),
        Manifest::Run(run) if run.send => send(run, output).await,
        Manifest::Run(run) => preview(&run, output),
    }
}

fn lint(lint: &Lint, output: Output) -> Result<(), Failure> {
    let use_ = if lint.shipped { Use::Shipped } else { Use::Tenant };
    let (mut told, mut lines) = (Vec::new(), Vec::new());
    for file in &lint.files {
        let lints = match start::lint(file, use_).map_err(|why| unreadable(file, &why))? {
            Ok(_) => Vec::new(),
            Err(lints) => lints,
        };
        lines.extend(
            lints
                .iter()
                .map(|lint| printable(&format!("{}:{lint}", file.display()))),
        );
        told.extend(lints.iter().map(|lint| {
            json!({
                "file": file.to_string_lossy(),
                "line": lint.line,
                "column": lint.column,
                "path": lint.path,
                "rule": lint.rule,
                "message": lint.message,
            })
        }));
    }
    output.result(&Json::from(json!({ "lints": told })), || {
        if lines.is_empty() {
            "No mistakes.".to_owned()
        } else {
            lines.join("\n")
        }
    });
    if lines.is_empty() { Ok(()) } else { Err(Failure::Told) }
}

/// Prints the request as it is before its secrets are filled in.
fn preview(run: &Run, output: Output) -> Result<(), Failure> {
    let manifest = read(&run.file)?;
    let endpoint = endpoint(&manifest, &run.action)?;
    let (config, input) = given(run)?;
    let auth = method(&manifest, endpoint, run.auth.as_deref(), config.as_ref())?;
    let request = render(&manifest, endpoint, auth, config.as_ref(), &input)?;
    let headers: Vec<_> = request
        .headers
        .iter()
        .map(|(name, value)| [name.clone(), value.to_string()])
        .collect();
    let body = request.body.as_ref().map(|body| body.text.to_string());
    let told = json!({
        "method": request.method,
        "url": request.url.to_string(),
        "headers": headers,
        "contentType": request.body.as_ref().map(|body| &body.content_type),
        "body": body,
    });
    output.result(&Json::from(told), || printable(&in_lines(&request)));
    Ok(())
}

/// The request as it goes over the wire, nearly.
fn in_lines(request: &Request) -> String {
    let mut lines = vec![format!("{} {}", request.method, request.url)];
    lines.extend(request.headers.iter().map(|(name, value)| format!("{name}: {value}")));
    if let Some(body) = &request.body {
        lines.push(format!("content-type: {}\n\n{}", body.content_type, body.text));
    }
    lines.join("\n")
}

/// Renders the request. Without a configuration the secrets are taken as given: they are left open anyway.
fn render(
    manifest: &Declared,
    endpoint: &Endpoint,
    auth: Option<&Auth>,
    config: Option<&Json>,
    input: &Json,
) -> Result<Request, Failure> {
    let (public, names): (_, Vec<String>) = match (auth, config) {
        (Some(auth), Some(config)) => {
            let accepted = auth.accept(config).map_err(|problems| {
                let detail = "The configuration does not fit the manifest.";
                wrong(Code::ConnectorConfigInvalid, detail, "/config", problems)
            })?;
            (
                accepted.public,
                accepted.secrets.into_iter().map(|secret| secret.name).collect(),
            )
        }
        (Some(auth), None) => {
            let secrets = auth.fields.iter().filter(|field| field.secret);
            (
                Tree::Object(Vec::new()),
                secrets.map(|field| field.name.clone()).collect(),
            )
        }
        (None, _) => (Tree::Object(Vec::new()), Vec::new()),
    };
    let mut secrets: BTreeSet<SecretRef> = names.into_iter().map(SecretRef::Config).collect();
    let hidden: BTreeSet<&str> = endpoint.secret_inputs().collect();
    let entries = input.tree().as_object().unwrap_or_default().iter();
    let (secret, open): (Vec<_>, Vec<_>) = entries.cloned().partition(|(name, _)| hidden.contains(name.as_str()));
    secrets.extend(secret.into_iter().map(|(name, _)| SecretRef::Input(name)));
    let values = Values {
        input: &Tree::Object(open),
        config: &public,
        auth,
        secrets: &secrets,
    };
    endpoint.render(manifest, &values).map_err(|problems| {
        wrong(
            Code::ConnectorActionInputInvalid,
            "The request cannot be made from this input.",
            "",
            problems,
        )
        .into()
    })
}

/// Sends the request, through the same gates as a call of a connection.
async fn send(run: Run, output: Output) -> Result<(), Failure> {
    let manifest = read(&run.file)?;
    endpoint(&manifest, &run.action)?;
    let (config, input) = given(&run)?;
    let connector = Connector::from_manifest(manifest).build()?;
    let id = connector.id().to_owned();
    let (connectors, _) = start::scratch(&Config::load(Flags::default())?, Some(connector))?;
    let actor = Actor::new(TenantId::from_bytes([0; 16]), "cli").writing_credentials(true);
    let via = match config {
        Some(config) => Via::Inline { auth: run.auth, config },
        None => Via::Nothing,
    };
    let called = connectors
        .call(
            &actor,
            Call {
                connector: Some(id),
                action: run.action,
                input,
                via,
                idempotency_key: None,
            },
        )
        .await?;
    output.result(&called.output, || pretty(called.output.tree()));
    Ok(())
}

fn read(file: &Path) -> Result<Declared, Failure> {
    let manifest = start::lint(file, Use::Tenant).map_err(|why| unreadable(file, &why))?;
    manifest.map_err(|lints| {
        let fields = lints.into_iter().map(|lint| FieldError {
            pointer: format!("{}:{}:{}", file.display(), lint.line, lint.column),
            message: format!("{} ({})", lint.message, lint.rule),
        });
        Error::new(Code::ManifestInvalid, "The manifest has mistakes.")
            .fields_from(fields)
            .into()
    })
}

fn endpoint<'m>(manifest: &'m Declared, action: &str) -> Result<&'m Endpoint, Failure> {
    manifest
        .endpoints
        .iter()
        .find(|endpoint| endpoint.id == action)
        .ok_or_else(|| {
            let known: Vec<&str> = manifest.endpoints.iter().map(|endpoint| endpoint.id.as_str()).collect();
            let detail = format!("The manifest has no action `{action}`. It has: {}.", known.join(", "));
            Error::new(Code::ConnectorActionNotFound, detail).into()
        })
}

/// The configuration, if there is one, and the input.
fn given(run: &Run) -> Result<(Option<Json>, Json), Failure> {
    if run.config.as_deref() == Some("-") && run.input.as_deref() == Some("-") {
        let detail = "Only one of --config and --input can come from standard input.";
        return Err(Error::new(Code::RequestInvalid, detail).into());
    }
    let config = run
        .config
        .as_deref()
        .map(|given| input::json(given, "The configuration"))
        .transpose()?;
    let input = run
        .input
        .as_deref()
        .map(|given| input::json(given, "The input"))
        .transpose()?;
    Ok((config, input.unwrap_or_else(none)))
}

/// The method that was named, else the first that accepts the configuration, else the first.
fn method<'m>(
    manifest: &'m Declared,
    endpoint: &Endpoint,
    named: Option<&str>,
    config: Option<&Json>,
) -> Result<Option<&'m Auth>, Failure> {
    let methods = &manifest.auth;
    match (named, config) {
        (Some(id), _) => methods.iter().find(|auth| auth.id == id).map(Some).ok_or_else(|| {
            let known: Vec<&str> = methods.iter().map(|auth| auth.id.as_str()).collect();
            let detail = format!("The manifest has no auth method `{id}`. It has: {}.", known.join(", "));
            Error::new(Code::ConnectorConfigInvalid, detail).into()
        }),
        (None, Some(config)) => Ok(methods
            .iter()
            .find(|auth| auth.accept(config).is_ok())
            .or(methods.first())),
        (None, None) => Ok(methods.iter().find(|auth| endpoint.takes(&auth.id))),
    }
}

fn none() -> Json {
    Json::from(json!({}))
}

fn wrong(code: Code, detail: &str, at: &str, problems: Vec<FieldProblem>) -> Error {
    Error::new(code, detail).fields_from(problems.into_iter().map(|problem| FieldError {
        pointer: format!("{at}{}", problem.pointer),
        message: problem.message,
    }))
}

fn unreadable(file: &Path, why: &str) -> Error {
    Error::new(
        Code::ManifestInvalid,
        format!("{} cannot be read: {why}.", file.display()),
    )
}
