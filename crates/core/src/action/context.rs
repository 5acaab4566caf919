//! What a handler is given: the connection it works for, opened, and the ways out.

use std::{any::Any, fmt, sync::Arc};

use serde::de::DeserializeOwned;
use tieline_manifest::{Auth, FieldKind, Json, Tree};
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::Http;
use crate::{
    admit::Admitted,
    clock::Timestamp,
    error::{Code, Error, Result},
    id::CallId,
    scope::Scope,
    secret::Secret,
};

/// What a handler is given, beside its input: the connection's configuration as its type, secrets included; what
/// `on_context` made of it; for whom it works; and an HTTP client that passes the one door out.
///
/// It has no way to print the configuration, and takes its time from the call: when that is over, so is the handler.
pub struct ActionContext<C = Json, X = ()> {
    admitted: Arc<Admitted>,
    config: Box<C>,
    context: Arc<X>,
}

impl<C, X> ActionContext<C, X> {
    /// The connection's configuration, secrets included.
    pub fn config(&self) -> &C {
        &self.config
    }

    /// What `on_context` made.
    pub fn context(&self) -> &X {
        &self.context
    }

    /// For whom inside the tenant the connection is held. A connector's default configuration is nobody's: its kind is
    /// `default` and its identity is empty.
    pub fn scope(&self) -> &Scope {
        self.admitted.scope()
    }

    /// The tokens that somebody signed in for, where the connector has them.
    ///
    /// Send the access token as it is: where the service refuses it meanwhile, the request is sent once more with a new one.
    pub fn oauth(&self) -> Option<&OAuthTokens> {
        self.admitted.opened.as_ref().and_then(|opened| opened.tokens.as_ref())
    }

    /// Requests to the hosts that the connector may speak to.
    pub fn http(&self) -> Http<'_> {
        Http::of(&self.admitted)
    }

    /// What makes this call one with its repeats, for services that know such keys.
    pub fn idempotency_key(&self) -> String {
        self.admitted.idempotency_key()
    }

    /// The call's identifier.
    pub fn call(&self) -> CallId {
        self.admitted.call()
    }

    /// The time, from the one clock.
    pub fn now(&self) -> Timestamp {
        self.admitted.now()
    }

    /// When the call has to be over.
    pub fn deadline(&self) -> Instant {
        self.admitted.deadline()
    }

    /// What the first gate admitted, for what is not HTTP.
    pub fn admitted(&self) -> &Admitted {
        &self.admitted
    }
}

impl<C, X> fmt::Debug for ActionContext<C, X> {
    /// For whom, and nothing of the configuration.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ActionContext")
            .field("call", &self.call())
            .field("scope", self.scope())
            .finish_non_exhaustive()
    }
}

impl<C: DeserializeOwned> ActionContext<C> {
    /// What `on_context` itself is given.
    pub(crate) fn before(admitted: Arc<Admitted>) -> Result<Self> {
        Ok(Self {
            config: Box::new(config_of(&admitted)?),
            context: Arc::new(()),
            admitted,
        })
    }
}

impl<C: DeserializeOwned, X: Send + Sync + 'static> ActionContext<C, X> {
    /// With what the connector's `on_context` makes.
    pub(crate) async fn made(admitted: Arc<Admitted>) -> Result<Self> {
        let config = Box::new(config_of(&admitted)?);
        let made: Arc<dyn Any + Send + Sync> = match admitted.connector.context() {
            Some(make) => make(admitted.clone()).await?,
            None => Arc::new(()),
        };
        // Who asks for none is given none. Anything else was judged when the connector was built.
        let nothing = |_| (Arc::new(()) as Arc<dyn Any + Send + Sync>).downcast::<X>();
        let context = made.downcast::<X>().or_else(nothing);
        Ok(Self {
            config,
            context: context.map_err(|_| Error::internal("make a context", "it is of another type"))?,
            admitted,
        })
    }
}

/// The tokens that somebody signed in for.
pub struct OAuthTokens {
    /// What requests carry.
    pub access_token: Secret,
    /// What gets a new one.
    pub refresh_token: Option<Secret>,
    /// Until when the access token works, where the service says it.
    pub expires_at: Option<Timestamp>,
    /// Who signed in, as the service calls them.
    pub account: Option<String>,
}

fn config_of<C: DeserializeOwned>(admitted: &Admitted) -> Result<C> {
    let opened = admitted.opened.as_deref();
    let text = match (opened, admitted.auth()) {
        (Some(opened), Some(auth)) => whole(auth, opened.config.tree(), |name| opened.secrets.get(name)),
        _ => Zeroizing::new("{}".to_owned()),
    };
    read(admitted.connector.id(), &text)
}

/// All fields of a configuration as one JSON text, secrets included.
pub(crate) fn whole<'s>(auth: &Auth, public: &Tree, secret: impl Fn(&str) -> Option<&'s Secret>) -> Zeroizing<String> {
    let mut parts: Vec<(&str, Zeroizing<String>)> = Vec::new();
    for (name, value) in public.as_object().unwrap_or_default() {
        parts.push((name, Zeroizing::new(value.to_text())));
    }
    for field in auth.fields.iter().filter(|field| field.secret) {
        let Some(value) = secret(&field.name) else { continue };
        let text = value.reveal();
        let json = match field.kind {
            FieldKind::Json => text.clone(),
            _ => quoted(text),
        };
        parts.push((&field.name, Zeroizing::new(json)));
    }
    // At its full size first: a text that grows leaves its former copies behind.
    let bytes: usize = parts.iter().map(|(name, value)| name.len() * 6 + value.len() + 4).sum();
    let mut text = Zeroizing::new(String::with_capacity(bytes + 2));
    for (name, value) in &parts {
        let mark = if text.is_empty() { '{' } else { ',' };
        text.push(mark);
        text.push_str(&quoted(name));
        text.push(':');
        text.push_str(value);
    }
    if text.is_empty() {
        text.push('{');
    }
    text.push('}');
    text
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A configuration as its type. The schema was judged before, so a type that refuses it all the same is one that asks
/// for more than its schema says; what it says may quote a value, and is told to nobody.
pub(crate) fn read<C: DeserializeOwned>(connector: &str, text: &str) -> Result<C> {
    serde_json::from_str(text).map_err(|error| {
        let detail = format!(
            "The configuration fits the schema of `{connector}`, and its type `{}` refuses it: put into the schema what \
             the type asks for, or connect with other values.",
            std::any::type_name::<C>()
        );
        Error::new(Code::ConnectorConfigInvalid, detail)
            .field("/config", "is refused by the connector's type")
            .context("column", error.column())
            .before_sending()
    })
}
