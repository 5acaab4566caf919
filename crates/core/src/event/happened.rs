//! What is to be told, before it is an event.

use std::time::Duration;

use super::{Facts, Failure};
use crate::{
    error::Error,
    http::redact::Redactor,
    id::{CallId, ConnectionId, TenantId},
    scope::Scope,
};

/// What happened, and to whom. Telling it is a line:
/// `events.tell(EventKind::OauthRefreshed, || Happened::to(tenant).connector(id).scope(&scope).connection(id))`.
#[derive(Debug, Clone)]
pub(crate) struct Happened {
    pub(super) tenant: TenantId,
    pub(super) connector: Option<String>,
    pub(super) scope: Option<Scope>,
    pub(super) connection: Option<ConnectionId>,
    pub(super) action: Option<String>,
    pub(super) call: Option<CallId>,
    pub(super) duration: Option<Duration>,
    pub(super) failure: Option<Failure>,
    pub(super) facts: Facts,
    pub(super) operation: &'static str,
}

impl Happened {
    pub(crate) fn to(tenant: TenantId) -> Self {
        Self {
            tenant,
            connector: None,
            scope: None,
            connection: None,
            action: None,
            call: None,
            duration: None,
            failure: None,
            facts: Facts::Nothing,
            operation: "",
        }
    }

    /// What was asked for, for whoever hears that it failed.
    pub(crate) fn operation(mut self, operation: &'static str) -> Self {
        self.operation = operation;
        self
    }

    pub(crate) fn connector(mut self, connector: impl Into<String>) -> Self {
        self.connector = Some(connector.into());
        self
    }

    pub(crate) fn scope(mut self, scope: &Scope) -> Self {
        self.scope = Some(scope.clone());
        self
    }

    pub(crate) fn connection(mut self, connection: ConnectionId) -> Self {
        self.connection = Some(connection);
        self
    }

    pub(crate) fn action(mut self, action: impl Into<String>) -> Self {
        self.action = Some(action.into());
        self
    }

    pub(crate) fn took(mut self, duration: Duration) -> Self {
        self.duration = Some(duration);
        self
    }

    pub(crate) fn facts(mut self, facts: Facts) -> Self {
        self.facts = facts;
        self
    }

    /// Its error has been scrubbed of the call's own secrets already; what only looks like one goes here.
    pub(crate) fn failed(mut self, error: &Error) -> Self {
        self.failure = Some(Failure {
            code: error.code().as_str(),
            message: Redactor::default().scrub(error.detail()).into_owned(),
            operation: self.operation,
            retry: error.retry_hint(),
        });
        self
    }

    /// Its caller left before the end.
    pub(super) fn cancelled(mut self) -> Self {
        self.failure = Some(Failure {
            code: "CANCELLED",
            message: "The caller left before the end.".to_owned(),
            operation: self.operation,
            retry: crate::error::Retry::Never,
        });
        self
    }
}
