//! The first gate: whose is it, may it run, with which keys, is it our turn, how long may it take.
//!
//! It answers an owned [`Admitted`]; dropping that writes down what happened.

mod bounds;
mod dial;
mod dialled;
mod exchange;
mod fresh;
mod repeats;
mod scrub;
mod tally;
mod turn;

pub use self::dialled::Dialled;
pub use self::exchange::{Answered, Sending};
pub(crate) use self::{repeats::Repeats, tally::Tally, turn::Turns};

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError, atomic::Ordering},
    time::Duration,
};

use tieline_manifest::{Auth, Tree, request::SecretRef};
use tokio::time::Instant;

use self::turn::Turn;
use crate::{
    audit::Actor,
    call::{IdempotencyKey, Via},
    clock::Timestamp,
    connector::Connector,
    connectors::Connectors,
    error::{Code, Error, Result, Retry},
    http::{Allotted, Secrets, Weight},
    id::{CallId, TenantId},
    ledger::Room,
    limits::{OPENING_TIMEOUT, OVERLOAD_RETRY_AFTER, PASSED_ON, WEBHOOK_TIMEOUT},
    opened::{Name, Opened},
    scope::Scope,
    secret::Secret,
    store::{CallEntry, CallKind},
    tenant::Gone,
};

/// The fields of a call that needs no connection.
static NO_FIELDS: Tree = Tree::Object(Vec::new());

/// For whom a call is made that needs no connection.
static NOBODY: LazyLock<Scope> = LazyLock::new(Scope::tenant);

/// What was admitted: everything a call needs, and nothing of the caller's that it does not.
pub struct Admitted {
    pub(crate) connectors: Connectors,
    pub(crate) by: Actor,
    pub(crate) call: CallId,
    pub(crate) connector: Arc<Connector>,
    pub(crate) opened: Option<Arc<Opened>>,
    /// The same with other tokens, where the service refused those meanwhile.
    renewed: OnceLock<Arc<Opened>>,
    /// Where this call may go.
    pub(crate) hosts: Arc<[String]>,
    pub(crate) input_secrets: BTreeMap<String, Secret>,
    pub(crate) idempotency_key: Option<IdempotencyKey>,
    pub(crate) deadline: Instant,
    /// How long the call may take in all.
    pub(crate) allotted: Allotted,
    /// What it costs.
    pub(crate) tally: Tally,
    kind: CallKind,
    action: Option<String>,
    at: Timestamp,
    started: Instant,
    outcome: OnceLock<Option<Code>>,
    /// What the last answer takes of the memory.
    weight: Mutex<Weight>,
    /// Room in the ledger for what is written down on drop.
    room: Option<Room>,
    /// Tells when the tenant is gone.
    gone: Gone,
    turn: Mutex<Option<Turn>>,
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
    /// A request that is passed on, which a disabled connection refuses too.
    Proxy,
    /// The test of the connection, which may find out about a disabled one too.
    Test(Duration),
    /// The same when nobody asked for it: it is no caller's, and counts against no caller's limit.
    ScheduledTest(Duration),
    /// A webhook that arrived, which a disabled connection refuses.
    Webhook,
}

impl Connectors {
    pub(crate) async fn admit(&self, by: &Actor, ask: Ask<'_>) -> Result<Admitted> {
        if let Purpose::Test(_) = ask.purpose {
            self.inner.rates.test(by.tenant, self.inner.clock.now())?;
        }
        let gone = self.inner.gone.watch(by.tenant)?;
        let (turn, started) = (self.inner.turns.take(by.tenant)?, Instant::now());
        let room = self.room(by.tenant).await?;
        let opened = tokio::time::timeout(OPENING_TIMEOUT, self.whose(by, &ask)).await;
        let opened = opened.unwrap_or_else(|_| {
            let detail = "The store did not answer in time: try again in a moment.";
            Err(Error::new(Code::ConnectorDatabaseFailed, detail).retry(Retry::Backoff))
        })?;
        if let Some(opened) = &opened {
            opened.environment.map_or(Ok(()), |own| by.may_use(own, "connection"))?;
            let expiry = opened.loan.as_ref().map(|loan| loan.check(self.inner.clock.now()));
            expiry.unwrap_or(Ok(()))?;
        }
        let connector = self.which(&ask, opened.as_deref())?;
        let (kind, action, allotted) = match ask.purpose {
            Purpose::Action(id) => {
                let entry = connector.action(id)?;
                may_run(
                    &connector,
                    entry.descriptor.requires_connection.then_some(id),
                    opened.as_deref(),
                )?;
                let allotted = Allotted::new(entry.timeout, &self.inner.timeouts);
                (CallKind::Action, Some(id.to_owned()), allotted)
            }
            Purpose::Proxy => {
                may_run(&connector, None, opened.as_deref())?;
                (CallKind::Proxy, None, Allotted::Fixed(PASSED_ON))
            }
            Purpose::Webhook => {
                may_run(&connector, None, opened.as_deref())?;
                (CallKind::Webhook, None, Allotted::Fixed(WEBHOOK_TIMEOUT))
            }
            Purpose::Test(timeout) | Purpose::ScheduledTest(timeout) => {
                (CallKind::Test, None, Allotted::Fixed(timeout))
            }
        };
        let afresh = matches!(ask.purpose, Purpose::Test(_) | Purpose::ScheduledTest(_));
        let opened = match opened {
            Some(opened) => Some(self.fresh(by, opened, afresh).await?),
            None => None,
        };
        let at = self.inner.clock.now();
        Ok(Admitted {
            connectors: self.clone(),
            by: by.clone(),
            call: CallId::new_at(at, &*self.inner.random)?,
            hosts: opened
                .as_ref()
                .map_or_else(|| connector.hosts(&NO_FIELDS), |opened| opened.hosts.clone()),
            connector,
            opened,
            renewed: OnceLock::new(),
            input_secrets: BTreeMap::new(),
            idempotency_key: None,
            deadline: started + allotted.total(),
            allotted,
            tally: Tally::default(),
            kind,
            action,
            at,
            started,
            outcome: OnceLock::new(),
            weight: Mutex::default(),
            room: Some(room),
            gone,
            turn: Mutex::new(Some(turn)),
        })
    }

    /// Room for the call's row. Where nobody keeps the ledger, calls write it down themselves, many at a time.
    async fn room(&self, tenant: TenantId) -> Result<Room> {
        if self.inner.ledger.is_due()
            && let Err(error) = self.flush_calls().await
        {
            tracing::warn!(?error, "calls cannot be written down; they are kept and tried again");
        }
        self.inner.ledger.room(tenant)
    }

    /// The keys that the ask names, if it names any.
    async fn whose(&self, by: &Actor, ask: &Ask<'_>) -> Result<Option<Arc<Opened>>> {
        match (ask.via, ask.connector) {
            (Via::Nothing, _) => Ok(None),
            (Via::Connection(id), _) => match ask.purpose {
                Purpose::Action(_) | Purpose::Proxy | Purpose::Webhook => self.opened(by, *id).await.map(Some),
                Purpose::Test(_) | Purpose::ScheduledTest(_) => self.opened_afresh(by, *id).await.map(Some),
            },
            (Via::Default, Some(connector)) => Ok(self.knows(connector, ask)?.default_config().cloned()),
            (Via::Named { scope, name }, Some(connector)) => {
                self.check_scope(scope)?;
                self.knows(connector, ask)?;
                let (scope, connector, name) = (scope.clone(), connector.to_owned(), name.clone());
                self.opened_by_name(by, Name { scope, connector, name }).await.map(Some)
            }
            (Via::Inline { auth, config }, Some(connector)) => {
                let connector = self.knows(connector, ask)?;
                let accepted = connector.accept(auth.as_deref(), config)?;
                Ok(Some(Opened::inline(&connector, accepted)))
            }
            (Via::Credential { credential, config }, connector) => {
                let lent = match ask.purpose {
                    Purpose::Action(_) | Purpose::Proxy | Purpose::Webhook => self.lent(by, *credential).await?,
                    Purpose::Test(_) | Purpose::ScheduledTest(_) => self.lent_afresh(by, *credential).await?,
                };
                let connector = connector.or(lent.connector()).ok_or_else(unnamed)?;
                let connector = self.registry().get(connector)?;
                lent.opened(&connector, config.as_ref()).map(Some)
            }
            (Via::Default | Via::Named { .. } | Via::Inline { .. }, None) => Err(unnamed()),
        }
    }

    /// The connector, which has the action that is asked for: that is said before anything is looked up.
    fn knows(&self, connector: &str, ask: &Ask<'_>) -> Result<Arc<Connector>> {
        let connector = self.registry().get(connector)?;
        if let Purpose::Action(id) = ask.purpose {
            connector.action(id)?;
        }
        Ok(connector)
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

fn unnamed() -> Error {
    Error::new(Code::RequestInvalid, "Name the connector.").field("/connector", "is required")
}

fn may_run(connector: &Connector, needs_connection: Option<&str>, opened: Option<&Opened>) -> Result<()> {
    match (opened, needs_connection) {
        (None, Some(action)) => Err(Error::new(
            Code::ConnectorDefaultConfigRequired,
            format!(
                "`{action}` of `{}` needs a connection: name one. In a program, a connector may have a default configuration instead.",
                connector.id()
            ),
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

    /// For whom inside the tenant.
    pub fn scope(&self) -> &Scope {
        let scope = self.opened.as_ref().and_then(|opened| opened.scope.as_ref());
        scope.unwrap_or(&NOBODY)
    }

    /// A text field.
    pub fn config_str(&self, name: &str) -> Option<&str> {
        self.config().get(name)?.as_str()
    }

    /// A secret field.
    pub fn secret(&self, name: &str) -> Option<&str> {
        self.current()?.secrets.get(name).map(|secret| secret.reveal().as_str())
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

    /// What makes this call one with its repeats: the caller's key, else the call's id.
    pub fn idempotency_key(&self) -> String {
        match &self.idempotency_key {
            Some(key) => key.as_str().to_owned(),
            None => self.call.to_string(),
        }
    }

    /// The identifier of the auth method in use.
    pub fn auth_id(&self) -> Option<&str> {
        self.opened.as_ref().map(|opened| opened.auth.as_str())
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

    /// Counts a use of the connection, unless it rests or was used too often: the first attempt and every repeat is a
    /// request to its service like any other. While a repeat slept, another call may have been asked for a pause.
    pub(crate) fn uses(&self) -> Result<()> {
        let Some(id) = self.opened.as_ref().and_then(|opened| opened.counted_as()) else {
            return Ok(());
        };
        let entry = self
            .action
            .as_deref()
            .and_then(|action| self.connector.action(action).ok());
        let rate = entry.and_then(|entry| entry.rate);
        self.connectors.inner.rates.call(id, &self.connector, rate, self.now())
    }

    /// The service asked for a pause: nothing goes over this connection until it is over.
    pub(crate) fn rest(&self, pause: Duration) {
        if let Some(id) = self.opened.as_ref().and_then(|opened| opened.counted_as()) {
            self.connectors.inner.rates.hold(id, pause, self.now());
        }
    }

    /// Counts the memory of an answer until the call is over: its output is made of it. The one before it gave way.
    pub(crate) fn carries(&self, weight: Weight) {
        *self.weight.lock().unwrap_or_else(PoisonError::into_inner) = weight;
    }

    /// Counts the memory that this call's data takes by now, until the call is over. What does not come over HTTP says so
    /// itself, each time there is more.
    ///
    /// # Errors
    /// `OVERLOADED` where there is no more.
    pub fn weigh(&self, bytes: usize) -> Result<()> {
        let mut weight = self.weight.lock().unwrap_or_else(PoisonError::into_inner);
        if !weight.has_supply() {
            *weight = Weight::of(&self.connectors.inner.memory, self.by.tenant);
        }
        if weight.grow(bytes) {
            return Ok(());
        }
        let detail = "There is no memory left for this answer now: try again in a moment, or ask for less.";
        Err(Error::new(Code::Overloaded, detail).retry(Retry::After(OVERLOAD_RETRY_AFTER)))
    }

    /// Notes how it ended, for the one line written on drop.
    pub(crate) fn ended<T>(&self, result: &Result<T>) {
        let code = result.as_ref().err().map(Error::code);
        let _ = self.outcome.set(code);
        if code == Some(Code::UpstreamUnauthorized) && self.kind != CallKind::Test {
            self.doubt();
        }
    }

    /// A healthy connection whose service refuses it is tested before its time: once, until it is opened anew.
    fn doubt(&self) {
        let opened = self
            .opened
            .as_ref()
            .filter(|opened| opened.is_sound.swap(false, Ordering::Relaxed));
        let Some(id) = opened.and_then(|opened| opened.id) else {
            return;
        };
        let (connectors, tenant) = (self.connectors.clone(), self.by.tenant);
        drop(
            self.connectors
                .begin(async move { connectors.hasten_test(tenant, id).await }),
        );
    }
}

impl Secrets for Admitted {
    fn get(&self, secret: &SecretRef) -> Option<&str> {
        match secret {
            SecretRef::Config(name) => self.secret(name),
            SecretRef::Input(name) => self.secret_input(name),
        }
    }
}

/// How a call ended that did what it was asked for.
pub(crate) const OK: &str = "ok";

/// How a call ended that was cut: its caller left before the end, or the server stopped.
const CANCELLED: &str = "cancelled";

impl Drop for Admitted {
    fn drop(&mut self) {
        let ending = self.outcome.get().copied();
        let took = self.started.elapsed();
        self.connector.counts().add(ending, took);
        let outcome = match ending {
            None => CANCELLED,
            Some(None) => OK,
            Some(Some(code)) => code.as_str(),
        };
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let connection = self.opened.as_ref().and_then(|opened| opened.id);
        let loan = self.opened.as_ref().and_then(|opened| opened.loan.as_ref());
        let credential = loan.map(|loan| loan.credential);
        tracing::info!(
            target: "tieline::call",
            call = %self.call,
            tenant = %self.by.tenant,
            connector = self.connector.id(),
            kind = self.kind.as_str(),
            action = self.action,
            connection = connection.map(tracing::field::display),
            credential = credential.map(tracing::field::display),
            outcome,
            micros,
        );
        let Some(room) = self.room.take() else { return };
        room.fill(CallEntry {
            id: self.call,
            tenant: self.by.tenant,
            at: self.at,
            actor: std::mem::take(&mut self.by.name),
            kind: self.kind,
            connector: self.connector.id().to_owned(),
            action: self.action.take(),
            connection,
            credential,
            outcome: outcome.to_owned(),
            status: self.tally.status(),
            micros,
            attempts: self.tally.attempts(),
            sent: self.tally.sent(),
            received: self.tally.received(),
        });
    }
}
