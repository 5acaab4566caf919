//! Signing in with OAuth 2.0, and the tokens that come of it.
//!
//! [`Connectors::begin_oauth`](crate::Connectors::begin_oauth) sends a person to the service, and
//! [`Connectors::finish_oauth`](crate::Connectors::finish_oauth) takes what they come back with. From then on tokens are
//! renewed by themselves, by one process at a time, before they are over or when the service says that they are.

mod answer;
mod begin;
mod client;
mod finish;
mod keep;
mod pending;
mod pkce;
mod refresh;
mod refusal;
mod renewal;
mod request;
mod standing;

mod tokens;

pub use self::{
    begin::{BeginOAuth, OAuthBegun},
    client::OAuthClient,
    finish::{CameBack, OAuthFinished},
    pending::COOKIE,
    tokens::PastedTokens,
};

pub(crate) use self::{
    answer::clashes,
    pending::Spent,
    refresh::{Why, tokens_of},
    renewal::Renewals,
    standing::{Standing, Urgency},
    tokens::{FIELD, TokenSet},
};
