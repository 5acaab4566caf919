//! What happens inside, under its public dotted name.
//!
//! An [`Event`] is told in this process, after what it tells of was committed: to [subscriptions](Subscription), to
//! handlers, to hooks and to [telemetry](crate::telemetry). Nobody who listens can hold anybody up: what does not fit into
//! a listener's queue is dropped and counted. A [`FeedEvent`] is what the store keeps, so that other processes hear of it.

mod bus;
mod filter;
mod handler;
mod happened;
mod heed;
mod kind;
mod queue;
mod rows;
mod running;
mod subscription;

pub(crate) use self::{
    bus::Events,
    handler::{Handler, handler, run},
    happened::Happened,
    heed::{is_within, within},
    rows::Rows,
    running::Running,
};
pub use self::{
    filter::EventFilter,
    handler::{HandlerResult, Listening},
    kind::EventKind,
    subscription::{Subscription, Told},
};

use std::{sync::Arc, time::Duration};

use crate::{
    clock::Timestamp,
    error::Retry,
    id::{CallId, ConnectionId, EventId, TenantId},
    scope::Scope,
};

/// The prefix of public event names, unless the deployment chose another.
pub const DEFAULT_PREFIX: &str = "tieline.connectors";

/// What the store keeps of an event, for the feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedEvent {
    /// Its identifier.
    pub id: EventId,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub kind: EventKind,
    /// The identifier of the row it happened to, in text form.
    pub subject: String,
}

/// Something that happened in this process. It never holds a secret.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Event {
    /// Its identifier; that of the feed, where it is in the feed.
    pub id: EventId,
    /// What happened.
    pub kind: EventKind,
    /// When it happened.
    pub at: Timestamp,
    /// Whose it is.
    pub tenant: TenantId,
    /// Which connector, where one is known.
    pub connector: Option<String>,
    /// For whom inside the tenant, where that is known.
    pub scope: Option<Scope>,
    /// Which connection, where one is known.
    pub connection: Option<ConnectionId>,
    /// Which action.
    pub action: Option<String>,
    /// Which call, once it was admitted.
    pub call: Option<CallId>,
    /// How long it took.
    pub duration: Option<Duration>,
    /// Why it failed, if it did.
    pub failure: Option<Failure>,
    /// More, by kind.
    pub facts: Facts,
    prefix: Arc<str>,
    /// Told because a handler or a hook failed: whoever fails at this one too is only logged.
    echo: bool,
}

impl Event {
    /// The public name: prefix and dotted name, such as `tieline.connectors.action.completed`.
    pub fn name(&self) -> String {
        format!("{}.{}", self.prefix, self.kind.as_str())
    }

    /// Whether it happened to this tenant and scope: `a` is not `a:b`.
    fn is_of(&self, of: &(TenantId, Scope)) -> bool {
        self.tenant == of.0 && self.scope.as_ref() == Some(&of.1)
    }

    /// The identity of the scope; empty where there is none.
    pub fn identity(&self) -> &str {
        self.scope.as_ref().map_or("", |scope| &scope.identity)
    }
}

/// Why something failed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// The error's code; `CANCELLED` of a call whose caller left before its end.
    pub code: &'static str,
    /// The error's sentence, without secrets.
    pub message: String,
    /// What was asked for, such as `connect`, `call`, `update`.
    pub operation: &'static str,
    /// Whether trying again may help.
    pub retry: Retry,
}

/// What an event tells beside the rest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Facts {
    /// Nothing.
    #[default]
    Nothing,
    /// Of a connection.
    Connection {
        /// How many of its fields are sealed.
        encrypted_fields: usize,
    },
    /// Of signing in at a service.
    OAuth {
        /// Where people sign in, without the query.
        authorization_url: Option<String>,
        /// Where tokens come from.
        token_url: Option<String>,
        /// Whether a proof of possession goes with it (PKCE).
        pkce: bool,
        /// What was asked for.
        scopes: Vec<String>,
        /// Whether a state goes with it.
        has_state: bool,
    },
    /// Of a webhook.
    Webhook {
        /// Its method.
        method: String,
        /// Its path, without the token: see [`without_token`].
        path: String,
        /// Whether its signature was checked and good; nothing before that is known.
        verified: Option<bool>,
    },
    /// Of an operation of the store.
    Adapter {
        /// Whether there was such a connection.
        found: Option<bool>,
        /// How many there were.
        count: Option<usize>,
        /// Whether the connection is a new one.
        inserted: Option<bool>,
    },
}

/// A webhook's path as it may be told: what stands in its last part is the address's token, a secret. A query is left out.
pub fn without_token(path: &str) -> String {
    let bare = path.split(['?', '#']).next().unwrap_or_default();
    match bare.trim_end_matches('/').rsplit_once('/') {
        Some((before, _)) => format!("{before}/{{token}}"),
        None => "{token}".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r3_a_webhooks_path_is_told_without_its_token() {
        for (path, told) in [
            ("/webhooks/acme/s3cret", "/webhooks/acme/{token}"),
            ("/webhooks/acme/s3cret/", "/webhooks/acme/{token}"),
            ("/webhooks/acme/s3cret?x=s3cret#s3cret", "/webhooks/acme/{token}"),
            ("s3cret", "{token}"),
            ("", "{token}"),
        ] {
            assert_eq!(without_token(path), told, "{path}");
        }
    }
}
