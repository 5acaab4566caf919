//! The page behind a one-time link, and what it sends: the first person of a deployment, an invitation, a new password.

mod page;

use std::net::IpAddr;

use axum::response::Response;
use schemars::JsonSchema;
use serde::Deserialize;
use tieline::{Code, Error, Result, secret::Secret, session::StartedSession, setup::NewPerson};

use self::page::Filled;
use super::session::{SignedInView, Typed, WithCookie, begun};
use crate::{
    app::App,
    browser::{self, OwnForm, Shown},
    openapi::Operation,
    page::Page,
    problem,
    route::{Answer, Query, Reply, Submitted, WantsPage},
    source::Source,
};

/// How a link can fail beyond what its arguments say.
pub(crate) const OPENING: &[Code] = &[Code::LinkInvalid, Code::ConnectorDatabaseFailed];

/// How using one can.
pub(crate) const ACCEPTING: &[Code] = &[
    Code::LimitReached,
    Code::TenantDeleted,
    Code::LinkInvalid,
    Code::SignInThrottled,
    Code::ConnectionConflict,
    Code::Overloaded,
    Code::ConnectorDatabaseFailed,
];

/// What a link is for, as its page says it.
pub(crate) enum Purpose {
    /// The first person comes.
    First,
    /// Somebody joins a tenant.
    Join {
        tenant: String,
        email: String,
        name: String,
    },
    /// Somebody sets a new password.
    Reset { email: String },
}

/// Which link.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Link {
    /// The token of the link.
    #[schemars(example = &"the link's token")]
    token: String,
}

/// What the page sends.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({ "token": "the link's token", "name": "Grace", "password": "several random words" }))]
pub(crate) struct Sent {
    /// The token of the link.
    token: String,
    /// The e-mail address; only the first person chooses one.
    #[serde(default)]
    email: String,
    /// What people shall call them; of somebody new.
    #[serde(default)]
    name: String,
    /// The password: a new one, or of an account that is there its own.
    password: Typed,
}

/// A page for those who came by one, and JSON for programs.
pub(crate) enum Outcome {
    Page(WithCookie<Page>),
    Json(WithCookie<Reply<SignedInView>>),
}

impl Answer for Outcome {
    fn answer(self) -> Result<Response> {
        match self {
            Self::Page(page) => page.answer(),
            Self::Json(json) => json.answer(),
        }
    }

    fn describe(operation: &mut Operation<'_>) {
        WithCookie::<Reply<SignedInView>>::describe(operation);
        operation.answers_page_too();
    }
}

pub(crate) async fn open(app: App, WantsPage(wanted): WantsPage, Query(link): Query<Link>) -> Result<Page> {
    match purpose(&app, &link.token).await {
        Ok(purpose) => Ok(page::form(&purpose, &link.token, &Filled::default(), None)),
        Err(error) if wanted && error.code() == Code::LinkInvalid => Ok(page::invalid(&error)),
        Err(error) => Err(error),
    }
}

pub(crate) async fn accept(
    app: App,
    _: OwnForm,
    Source(from): Source,
    Shown(replaces): Shown,
    sent: Submitted<Sent>,
) -> Result<Outcome> {
    let Submitted { value: sent, by_page } = sent;
    let (token, filled) = (sent.token.clone(), Filled::of(&sent));
    let done = use_link(&app, sent, replaces, from).await;
    if !by_page {
        return begun(&app, done?).await.map(Outcome::Json);
    }
    let page = match done {
        Ok(started) => WithCookie {
            cookie: Some(browser::set(&started.token)?),
            answer: page::done(&started.person),
        },
        Err(error) => WithCookie {
            cookie: None,
            answer: failed(&app, error, &token, &filled).await?,
        },
    };
    Ok(Outcome::Page(page))
}

/// The form again, with what was typed and what is wrong with it.
async fn failed(app: &App, error: Error, token: &str, filled: &Filled) -> Result<Page> {
    let status = problem::status(error.code());
    if status.is_server_error() && error.code() != Code::Overloaded {
        return Err(error);
    }
    match purpose(app, token).await {
        Ok(purpose) => Ok(page::form(&purpose, token, filled, Some(&error)).under(status)),
        Err(error) => Ok(page::invalid(&error)),
    }
}

async fn purpose(app: &App, token: &str) -> Result<Purpose> {
    use tieline::store::LinkPurpose;
    if is_first(app, token).await? {
        return Ok(Purpose::First);
    }
    let link = app.connectors.open_link(token).await?;
    Ok(match link.purpose {
        LinkPurpose::Join(_) => Purpose::Join {
            tenant: link.tenant,
            email: link.email,
            name: link.name,
        },
        LinkPurpose::Reset(_) => Purpose::Reset { email: link.email },
    })
}

async fn use_link(app: &App, sent: Sent, replaces: Option<Secret>, from: IpAddr) -> Result<StartedSession> {
    let person = NewPerson {
        email: sent.email,
        name: sent.name,
        password: sent.password.secret(),
        replaces,
    };
    match &app.setup {
        Some(link) if is_first(app, &sent.token).await? => app.connectors.set_up(link, &sent.token, person).await,
        _ => app.connectors.accept_link(&sent.token, person, from).await,
    }
}

/// Whether this is the link of this start.
async fn is_first(app: &App, token: &str) -> Result<bool> {
    let Some(link) = &app.setup else { return Ok(false) };
    match app.connectors.check_setup(link, token).await {
        Ok(()) => Ok(true),
        Err(error) if error.code() == Code::LinkInvalid => Ok(false),
        Err(error) => Err(error),
    }
}
