//! The first gate: whose is it, may it run, with which keys, is it our turn, how long may it take.
//!
//! It answers an owned [`Admitted`]; dropping that writes down what happened.

mod turn;

pub(crate) use turn::Turns;

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, OnceLock},
    time::Duration,
};

use tieline_manifest::{Auth, Json, Tree, request::SecretRef};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::Instant,
};

use self::turn::Turn;
use crate::{
    audit::Actor,
    call::Via,
    clock::Timestamp,
    connector::Connector,
    connectors::Connectors,
    error::{Code, Error, Result, Retry},
    http::{Secrets, redact::Redactor},
    id::CallId,
    limits::{MAX_LABEL_BYTES, OPENING_TIMEOUT},
    opened::{Name, Opened},
    secret::Secret,
};

/// The fields of a call that needs no connection.
static NO_FIELDS: Tree = Tree::Object(Vec::new());

/// What was admitted: everything a call needs, and nothing of the caller's that it does not.
pub struct Admitted {
    pub(crate) connectors: Connectors,
    pub(crate) by: Actor,
    pub(crate) call: CallId,
    pub(crate) connector: Arc<Connector>,
    pub(crate) opened: Option<Arc<Opened>>,
    /// Where this call may go.
    pub(crate) hosts: Arc<[String]>,
    pub(crate) input_secrets: BTreeMap<String, Secret>,
    pub(crate) deadline: Instant,
    work: String,
    started: Instant,
    outcome: OnceLock<Option<Code>>,
    _turn: Turn,
}

/// What asks to be admitted.
pub(crate) struct Ask<'a> {
    pub(crate) connector: Option<&'a str>,
    pub(crate) via: &'a Via,
    pub(crate) purpose: Purpose<'a>,
}

/// What it asks for.
pub(crate) enum Purpose<'a> {
    /// An action, which a disabled connection refuses.
    Action(&'a str),
    /// The test of the connection, which may find out about a disabled one too.
    Test(Duration),
}

impl Connectors {
    pub(crate) async fn admit(&self, by: &Actor, ask: Ask<'_>) -> Result<Admitted> {
        let (turn, started) = (self.inner.turns.take(by.tenant)?, Instant::now());
        let opened = tokio::time::timeout(OPENING_TIMEOUT, self.whose(by, &ask)).await;
        let opened = opened.unwrap_or_else(|_| {
            let detail = "The store did not answer in time: try again in a moment.";
            Err(Error::new(Code::ConnectorDatabaseFailed, detail).retry(Retry::Backoff))
        })?;
        let connector = self.which(&ask, opened.as_deref())?;
        let (work, timeout) = match ask.purpose {
            Purpose::Action(id) => {
                let entry = connector.action(id)?;
                may_run(
                    &connector,
                    entry.descriptor.requires_connection.then_some(id),
                    opened.as_deref(),
                )?;
                (id.to_owned(), entry.timeout)
            }
            Purpose::Test(timeout) => ("test".to_owned(), timeout),
        };
        Ok(Admitted {
            connectors: self.clone(),
            by: by.clone(),
            call: CallId::new(&*self.inner.clock, &*self.inner.random)?,
            hosts: opened
                .as_ref()
                .map_or_else(|| connector.hosts(&NO_FIELDS), |opened| opened.hosts.clone()),
            connector,
            opened,
            input_secrets: BTreeMap::new(),
            deadline: started + timeout,
            work,
            started,
            outcome: OnceLock::new(),
            _turn: turn,
        })
    }

    /// The keys that the ask names, if it names any.
    async fn whose(&self, by: &Actor, ask: &Ask<'_>) -> Result<Option<Arc<Opened>>> {
        match (ask.via, ask.connector) {
            (Via::Nothing, _) => Ok(None),
            (Via::Connection(id), _) => match ask.purpose {
                Purpose::Action(_) => self.opened(by, *id).await.map(Some),
                Purpose::Test(_) => self.opened_afresh(by, *id).await.map(Some),
            },
            (Via::Named { scope, name }, Some(connector)) => {
                self.check_scope(scope)?;
                self.registry().get(connector)?;
                let (scope, connector, name) = (scope.clone(), connector.to_owned(), name.clone());
                self.opened_by_name(by, Name { scope, connector, name }).await.map(Some)
            }
            (Via::Inline { auth, config }, Some(connector)) => {
                let connector = self.registry().get(connector)?;
                let accepted = connector.accept(auth.as_deref(), config)?;
                Ok(Some(Opened::inline(&connector, accepted)))
            }
            (Via::Named { .. } | Via::Inline { .. }, None) => {
                Err(Error::new(Code::RequestInvalid, "Name the connector.").field("/connector", "is required"))
            }
        }
    }

    fn which(&self, ask: &Ask<'_>, opened: Option<&Opened>) -> Result<Arc<Connector>> {
        let id = match (ask.connector, opened) {
            (Some(asked), Some(opened)) if asked != opened.connector => {
                let detail = format!("This connection is of `{}`, not of `{asked}`.", opened.connector);
                return Err(
                    Error::new(Code::RequestInvalid, detail).field("/connector", "is another than the connection's")
                );
            }
            (_, Some(opened)) => &opened.connector,
            (Some(asked), None) => asked,
            (None, None) => {
                return Err(Error::new(Code::RequestInvalid, "Name the connector, or a connection.")
                    .field("/connector", "is required"));
            }
        };
        self.registry().get(id)
    }
}

fn may_run(connector: &Connector, needs_connection: Option<&str>, opened: Option<&Opened>) -> Result<()> {
    match (opened, needs_connection) {
        (None, Some(action)) => Err(Error::new(
            Code::ConnectorDefaultConfigRequired,
            format!("`{action}` of `{}` needs a connection: name one.", connector.id()),
        )),
        (Some(opened), _) if !opened.enabled => Err(Error::new(
            Code::ConnectionDisabled,
            "This connection is switched off: enable it to use it.",
        )),
        _ => Ok(()),
    }
}

impl Admitted {
    /// The fields that are no secret, as one object.
    pub fn config(&self) -> &Tree {
        self.opened.as_ref().map_or(&NO_FIELDS, |opened| opened.config.tree())
    }

    /// A text field.
    pub fn config_str(&self, name: &str) -> Option<&str> {
        self.config().get(name)?.as_str()
    }

    /// A secret field.
    pub fn secret(&self, name: &str) -> Option<&str> {
        self.opened
            .as_ref()?
            .secrets
            .get(name)
            .map(|secret| secret.reveal().as_str())
    }

    /// A secret input of this call.
    pub fn secret_input(&self, name: &str) -> Option<&str> {
        self.input_secrets.get(name).map(|secret| secret.reveal().as_str())
    }

    /// The time, from the one clock.
    pub fn now(&self) -> Timestamp {
        self.connectors.inner.clock.now()
    }

    /// When the call has to be over.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The call's identifier.
    pub fn call(&self) -> CallId {
        self.call
    }

    /// A connection to a host that is not HTTP, through the one judge of addresses.
    ///
    /// # Errors
    /// `EGRESS_FORBIDDEN`, `UPSTREAM_UNREACHABLE`, `UPSTREAM_TIMEOUT`.
    pub async fn dial(&self, host: &str, port: u16) -> Result<TcpStream> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        self.connectors
            .inner
            .egress
            .dial(self.by.tenant, host, port, left.min(crate::limits::CONNECT))
            .await
    }

    /// TLS over a connection that was dialled, trusting whom the HTTP client trusts. `host` is what the certificate
    /// must be for.
    ///
    /// # Errors
    /// `UPSTREAM_UNREACHABLE` with the reason, `UPSTREAM_TIMEOUT`.
    pub async fn tls<S>(&self, host: &str, stream: S) -> Result<impl AsyncRead + AsyncWrite + Send + Unpin + use<S>>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin,
    {
        crate::http::tls::begin(self.connectors.inner.tls.clone(), host, stream, self.deadline).await
    }

    /// The auth method in use.
    pub(crate) fn auth(&self) -> Option<&Auth> {
        self.opened
            .as_ref()
            .and_then(|opened| self.connector.auth(&opened.auth))
    }

    /// Which secrets there are, for rendering.
    pub(crate) fn present(&self) -> Cow<'_, BTreeSet<SecretRef>> {
        let inputs = self.input_secrets.keys().cloned().map(SecretRef::Input);
        match &self.opened {
            None => Cow::Owned(inputs.collect()),
            Some(opened) if self.input_secrets.is_empty() => Cow::Borrowed(&opened.present),
            Some(opened) => Cow::Owned(opened.present.iter().cloned().chain(inputs).collect()),
        }
    }

    /// What the call produced, without its secrets: a service may echo them.
    pub(crate) fn scrubbed(&self, result: Result<Json>) -> Result<Json> {
        let fields = self.opened.iter().map(|opened| &opened.redactor);
        let inputs = (!self.input_secrets.is_empty())
            .then(|| Redactor::new(self.input_secrets.values().map(|secret| secret.reveal().as_str())));
        fields.chain(&inputs).fold(result, |result, redactor| match result {
            Ok(output) => scrub_output(redactor, output),
            Err(error) => Err(error.scrubbed(redactor)),
        })
    }

    /// The same for an error alone.
    pub(crate) fn scrub_error(&self, error: Error) -> Error {
        self.opened
            .iter()
            .fold(error, |error, opened| error.scrubbed(&opened.redactor))
    }

    /// The same for an account's label, cut to what fits a line.
    pub(crate) fn scrub_label(&self, label: &str) -> String {
        let clean = label.replace(char::is_control, " ");
        let redactor = self.opened.as_ref().map(|opened| &opened.redactor);
        redactor.map_or_else(
            || Redactor::default().scrub_and_cut(&clean, MAX_LABEL_BYTES),
            |redactor| redactor.scrub_and_cut(&clean, MAX_LABEL_BYTES),
        )
    }

    /// Notes how it ended, for the one line written on drop.
    pub(crate) fn ended<T>(&self, result: &Result<T>) {
        let _ = self.outcome.set(result.as_ref().err().map(Error::code));
    }
}

/// Ends work that its own waits did not end in time.
pub(crate) async fn in_time<T>(deadline: Instant, work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout_at(deadline, work).await.unwrap_or_else(|_| {
        let detail = "The call did not end in its time. What it did until then may have taken effect.";
        Err(Error::new(Code::UpstreamTimeout, detail))
    })
}

fn scrub_output(redactor: &Redactor, output: Json) -> Result<Json> {
    let scrubbed = match redactor.scrub_values(output.text()) {
        Cow::Borrowed(_) => return Ok(output),
        Cow::Owned(text) => text,
    };
    // A secret that stood where JSON has a number leaves no JSON behind: then strings only are scrubbed, as JSON.
    let json = Json::parse(&scrubbed).or_else(|_| Json::parse(&redactor.scrub_json(output.text())));
    json.map_err(|error| Error::internal("a scrubbed output does not parse", error))
}

impl Secrets for Admitted {
    fn get(&self, secret: &SecretRef) -> Option<&str> {
        match secret {
            SecretRef::Config(name) => self.secret(name),
            SecretRef::Input(name) => self.secret_input(name),
        }
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let outcome = match self.outcome.get() {
            None => "cancelled",
            Some(None) => "ok",
            Some(Some(code)) => code.as_str(),
        };
        tracing::info!(
            target: "tieline::call",
            call = %self.call,
            tenant = %self.by.tenant,
            connector = self.connector.id(),
            action = self.work,
            connection = self.opened.as_ref().and_then(|opened| opened.id).map(tracing::field::display),
            outcome,
            micros = self.started.elapsed().as_micros() as u64,
        );
    }
}
