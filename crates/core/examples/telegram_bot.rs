//! A Telegram bot in a web application: what is posted to `/send` goes to its chat, and all that happens is printed.
//!
//! ```sh
//! export TIELINE_SECRET="$(tieline key new)" TELEGRAM_BOT_TOKEN=… TELEGRAM_CHAT_ID=…
//! cargo run -p tieline --example telegram_bot
//! curl -d 'Hello' http://127.0.0.1:3000/send
//! ```
//!
//! `LISTEN` is where it listens. `TELEGRAM_API` is where the Bot API is, which one may run oneself.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "an example is a program of its own: it reads its environment, and prints"
)]

use std::error::Error as StdError;

use axum::{
    Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::post,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tieline::{
    ActionInput, Code, Connector, Connectors, Error, MasterKey, MemoryStore, Result, ScopeRule, action::ActionContext,
    connectors::Scoped, egress::EgressPolicy, error::Retry, event::Told, secret::Secret,
};

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Telegram {
    bot_token: Secret,
    chat_id: String,
}

/// Sends a message to the chat.
#[derive(Serialize, Deserialize, JsonSchema, ActionInput)]
#[action(connector = "telegram", id = "sendMessage", output = Sent, effect = "write")]
struct SendMessage {
    #[schemars(length(min = 1, max = 4096))]
    message: String,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Sent {
    message_id: i64,
}

#[derive(Deserialize)]
struct Answer {
    result: Message,
}

#[derive(Deserialize)]
struct Message {
    message_id: i64,
}

/// The connector, for a Bot API at this address.
fn telegram(api: String) -> Result<Connector> {
    let host = api.split("://").last().and_then(|rest| rest.split([':', '/']).next());
    Connector::builder("telegram")
        .name("Telegram")
        .config::<Telegram>()
        .allowed_hosts(host)
        .action(move |call: ActionContext<Telegram>, input: SendMessage| {
            let api = api.clone();
            async move {
                let Telegram { bot_token, chat_id } = call.config();
                let url = format!("{api}/bot{}/sendMessage", bot_token.reveal());
                let body = json!({ "chat_id": chat_id, "text": input.message });
                let answer: Answer = call.http().post(url).json(&body)?.send().await?.success()?.json()?;
                Ok::<_, Error>(Sent {
                    message_id: answer.result.message_id,
                })
            }
        })
        .build()
}

/// An error as this application answers it.
struct Refused(Error);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let Self(error) = self;
        let status = match error.code() {
            Code::ConnectorActionInputInvalid => StatusCode::BAD_REQUEST,
            Code::ConnectorNotConnected | Code::ConnectionDisabled => StatusCode::CONFLICT,
            _ if error.retry_hint() != Retry::Never => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_GATEWAY,
        };
        (status, format!("{}: {}\n", error.code(), error.detail())).into_response()
    }
}

async fn send(State(org): State<Scoped>, message: String) -> Result<String, Refused> {
    let sent = org.call(SendMessage { message }).await.map_err(Refused)?;
    Ok(format!("{}\n", sent.message_id))
}

/// Prints what happens until the connectors are gone.
async fn print(connectors: &Connectors) {
    let mut events = connectors.subscribe();
    while let Some(told) = events.next().await {
        match told {
            Told::Event(event) => match &event.failure {
                Some(failure) => println!("{} {}", event.name(), failure.code),
                None => println!("{}", event.name()),
            },
            Told::Missed(count) => println!("{count} events were missed"),
        }
    }
}

fn setting(name: &str, otherwise: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| otherwise.to_owned())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn StdError + Send + Sync>> {
    let api = setting("TELEGRAM_API", "https://api.telegram.org");
    let connectors = Connectors::builder()
        .store(MemoryStore::new()) // in earnest: SqliteStore::open("tieline.db")?
        .key(MasterKey::from_env("TIELINE_SECRET")?)
        .scope("organization", ScopeRule::Required)
        .egress(EgressPolicy {
            loopback: api.starts_with("http://127.0.0.1"),
            ..EgressPolicy::default()
        })
        .connector(telegram(api)?)
        .build()?;
    let printing = tokio::spawn({
        let connectors = connectors.clone();
        async move { print(&connectors).await }
    });

    let org = connectors.scope("organization", "org_123")?;
    let bot = json!({ "botToken": std::env::var("TELEGRAM_BOT_TOKEN")?, "chatId": std::env::var("TELEGRAM_CHAT_ID")? });
    org.connect("telegram", bot).await?;

    let listener = tokio::net::TcpListener::bind(setting("LISTEN", "127.0.0.1:3000")).await?;
    println!("listening on {}", listener.local_addr()?);
    let app = Router::new().route("/send", post(send)).with_state(org);
    let asked_to_stop = async { drop(tokio::signal::ctrl_c().await) };
    axum::serve(listener, app).with_graceful_shutdown(asked_to_stop).await?;

    connectors.close().await?;
    printing.abort();
    println!("closed");
    Ok(())
}
