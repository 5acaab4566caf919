//! `call`: an action, once, or what it takes.

use clap::Args;
use tieline::{Code, Error};
use tieline_manifest::{Json, Tree};

use super::{
    Configured,
    api::Api,
    connection,
    connectors::{action, descriptor, is, items, text},
    describe,
    input::{self, Fields, Pair},
    output::{Failure, Output, pretty, printable},
};

#[derive(Args)]
pub(super) struct Call {
    /// The connector's id.
    connector: String,
    /// The action's id; `tieline connectors <ID>` lists them with their inputs.
    action: String,
    /// The connection to use; the connector's only one, unless given.
    #[arg(long, value_name = "ID")]
    connection: Option<String>,
    /// The input: a JSON object, `@file`, or `-` for standard input.
    #[arg(long, value_name = "JSON|@FILE|-")]
    input: Option<String>,
    /// Sets one entry of the input.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = input::pair)]
    set: Vec<Pair>,
    #[command(flatten)]
    configured: Configured,
}

/// The help of an action. `command` is the grammar of `call`, whose options it takes.
pub(super) async fn help(call: Call, command: clap::Command, output: Output) -> Result<(), Failure> {
    let api = Api::look(&call.configured.load()?, output).await?;
    let connector = descriptor(&api, &call.connector).await?;
    let action = action(&connector, &call.action)?;
    let inputs = match describe::inputs(action) {
        none if none.is_empty() => "It takes no input.".to_owned(),
        some => format!("Input, as a JSON object (--input) or one by one (--set NAME=VALUE):\n{some}"),
    };
    output.result(&Json::from(action.clone()), || {
        let help = command
            .about(printable(&format!(
                "{}: {}",
                text(action, "name"),
                text(action, "description")
            )))
            .override_usage(format!("tieline call {} {} [OPTIONS]", call.connector, call.action))
            .mut_args(|argument| {
                let hidden = argument.is_positional();
                argument.hide(hidden)
            })
            .after_help(printable(&inputs))
            .render_help();
        help.to_string().trim_end().to_owned()
    });
    Ok(())
}

pub(super) async fn call(call: Call, output: Output) -> Result<(), Failure> {
    let api = Api::open(&call.configured.load()?, output).await?;
    let connector = descriptor(&api, &call.connector).await?;
    let action = items(connector.get("actions"))
        .iter()
        .find(|action| text(action, "id") == call.action);
    let mut fields = match &call.input {
        Some(given) => Fields::of(&input::json(given, "The input")?, "The input")?,
        None => Fields::none(),
    };
    for Pair { name, text } in &call.set {
        let property = action.and_then(|action| action.get("input")?.get("properties")?.get(name));
        if property.is_some_and(|property| is(property, "writeOnly")) {
            output.note(&input::seen_by_others(name, "with `--input -` or `--input @file`"));
        }
        fields.set(
            name,
            input::typed(action.and_then(|action| action.get("input")), name, text),
        );
    }
    let mut body = Fields::none();
    body.set("connectorType", Tree::from(call.connector.as_str()));
    body.set("action", Tree::from(call.action.as_str()));
    body.set("input", fields.into_tree());
    let connection = match call.connection {
        Some(id) => Some(id),
        None if action.is_some_and(|action| is(action, "requiresConnection")) => only(&api, &call.connector).await?,
        None => None,
    };
    if let Some(id) = connection {
        body.set("connectionId", Tree::from(id));
    }
    let called = api.post("/actions", &Json::from(body.into_tree())).await?;
    output.result(&called, || pretty(called.get("output").unwrap_or(&Tree::Null)));
    Ok(())
}

/// The only connection of a connector. That there is none is left to whoever judges the call.
async fn only(api: &Api, connector: &str) -> Result<Option<String>, Failure> {
    match connection::all(api, Some(connector)).await?.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(text(one, "id"))),
        several => {
            let listed: Vec<String> = several
                .iter()
                .map(|one| format!("{} ({})", text(one, "id"), text(one, "name")))
                .collect();
            let detail = format!(
                "`{connector}` has several connections: name one with --connection. There are {}.",
                listed.join(", ")
            );
            Err(Error::new(Code::RequestInvalid, detail).into())
        }
    }
}
