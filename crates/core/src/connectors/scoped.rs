//! Operations for one scope, as an embedding program uses them.

use tieline_manifest::Json;

use super::Connectors;
use crate::{
    action::{ActionInput, input_json},
    audit::Actor,
    call::{Call, IdempotencyKey, Via},
    connection::{Connect, Connection, ConnectionPatch, ConnectionQuery},
    error::{Code, Error, Result},
    event::Happened,
    id::ConnectionId,
    limits::MAX_PAGE,
    page::{self, Page},
    scope::Scope,
    store::ConnectionRow,
    webhook::WebhookAddress,
};

/// Operations for one scope. Two scopes never meet, whatever their names look like, and nothing read here holds a secret.
///
/// ```
/// # use serde_json::json;
/// # use tieline::{Connectors, MasterKey, MemoryStore, Result, ScopeRule, clock::SystemRandom, connectors::ScopedQuery};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// # let acme = "{ id: acme, name: Acme, baseUrl: 'https://api.acme.example', endpoints: [], \
/// #     auth: [{ type: bearer, token: '{{token}}', fields: [{ name: token, secret: true }, { name: region }] }] }";
/// # let connectors = Connectors::builder()
/// #     .store(MemoryStore::new())
/// #     .key(MasterKey::generate(&SystemRandom)?)
/// #     .scope("organization", ScopeRule::Required)
/// #     .manifest(acme)
/// #     .build()?;
/// let org = connectors.scope("organization", "org_123")?;
/// org.connect("acme", json!({ "token": "a-token", "region": "eu" })).await?;
/// org.update("acme", json!({ "region": "us" })).await?; // the token stays
/// org.disable("acme").await?;
///
/// // A second account of the same service has a name of its own.
/// org.named("second").connect("acme", json!({ "token": "another" })).await?;
/// let on = ScopedQuery { enabled: Some(true), ..ScopedQuery::default() };
/// assert_eq!(org.list(on).await?.rows[0].name, "second");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Scoped {
    pub(super) connectors: Connectors,
    pub(super) actor: Actor,
    pub(super) scope: Scope,
    pub(super) name: String,
}

/// Which connections of a scope to list.
#[derive(Debug, Clone, Default)]
pub struct ScopedQuery {
    /// Of which connector.
    pub connector: Option<String>,
    /// With this name.
    pub name: Option<String>,
    /// Switched on or off.
    pub enabled: Option<bool>,
    /// Only those behind this one: what the page before calls `next`.
    pub after: Option<ConnectionId>,
    /// At most this many.
    pub limit: usize,
}

impl Scoped {
    /// The same for connections with another name than `default`.
    #[must_use]
    pub fn named(&self, name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..self.clone()
        }
    }

    /// For whom.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Connections of this scope, of every name, by identifier.
    ///
    /// # Errors
    /// Trouble with the store.
    pub async fn list(&self, query: ScopedQuery) -> Result<Page<Connection, ConnectionId>> {
        let limit = page::bounded(query.limit);
        let mut found = Vec::new();
        let mut after = query.after;
        // Names have no index of their own: pages are read until there are enough. A tenant's connections are bounded.
        loop {
            let asked = ConnectionQuery {
                after,
                limit: if query.name.is_some() { MAX_PAGE } else { limit },
                ..self.query(&query)
            };
            let page = self.connectors.connections(&self.actor, asked).await?;
            if query.name.is_none() {
                return Ok(page);
            }
            let is_meant = |connection: &Connection| query.name.as_ref().is_none_or(|name| connection.name == *name);
            found.extend(page.rows.into_iter().filter(is_meant));
            after = page.next;
            if found.len() > limit || after.is_none() {
                return Ok(Page::cut(found, limit, |connection| connection.id));
            }
        }
    }

    /// How many connections there are on all pages of a list.
    ///
    /// # Errors
    /// Trouble with the store.
    pub async fn count(&self, query: ScopedQuery) -> Result<u64> {
        if query.name.is_none() {
            let asked = self.query(&query);
            return self.connectors.count_connections(&self.actor, asked).await;
        }
        let (mut count, mut after) = (0, None);
        loop {
            let page = ScopedQuery {
                after,
                limit: MAX_PAGE,
                ..query.clone()
            };
            let page = self.list(page).await?;
            count += page.rows.len() as u64;
            after = page.next;
            if after.is_none() {
                return Ok(count);
            }
        }
    }

    fn query(&self, query: &ScopedQuery) -> ConnectionQuery {
        ConnectionQuery {
            scope: Some(self.scope.clone()),
            connector: query.connector.clone(),
            enabled: query.enabled,
            ..ConnectionQuery::default()
        }
    }

    /// The connection of a connector, if there is one.
    ///
    /// # Errors
    /// Trouble with the store.
    pub async fn get(&self, connector: &str) -> Result<Option<Connection>> {
        self.heed("get", connector, async {
            let row = self.row(connector).await?;
            row.as_ref().map(Connection::of).transpose()
        })
        .await
    }

    /// Connects a connector, or connects it anew: identifier, address and history stay, the configuration is replaced. Of a
    /// connector that takes webhooks, what is answered has the address that they arrive at.
    ///
    /// # Errors
    /// `CONNECTOR_NOT_FOUND`, `CONNECTOR_CONFIG_INVALID` with the wrong fields, what the connector's own judgement says,
    /// `CONNECTOR_DATABASE_FAILED`.
    pub async fn connect(&self, connector: &str, config: impl Into<Json>) -> Result<Connection> {
        let connect = Connect {
            config: config.into(),
            name: Some(self.name.clone()),
            ..Connect::new(connector, self.scope.clone())
        };
        let connection = self.connectors.connect(&self.actor, connect).await?;
        Ok(self.connectors.with_address(&self.actor, connection).await)
    }

    /// The address that webhooks for a connection arrive at: the service is told it once. It stays when the connection is
    /// changed, connected anew or switched off.
    ///
    /// # Errors
    /// `CONNECTOR_NOT_CONNECTED`; `CONNECTOR_WEBHOOK_NOT_CONFIGURED` where the connector takes none.
    pub async fn webhook(&self, connector: &str) -> Result<WebhookAddress> {
        let id = self.connected(connector).await?;
        let address = self.connectors.webhook(&self.actor, id).await;
        address.map_err(|error| gone(connector, error))
    }

    /// Gives a connection's webhooks a new address. Nothing arrives at the old one any more.
    ///
    /// # Errors
    /// Those of [`webhook`](Self::webhook).
    pub async fn rotate_webhook(&self, connector: &str) -> Result<WebhookAddress> {
        let id = self.connected(connector).await?;
        let address = self.connectors.rotate_webhook(&self.actor, id).await;
        address.map_err(|error| gone(connector, error))
    }

    /// Changes a connection. JSON changes those fields of its configuration that it names: an absent one keeps its value,
    /// `null` removes it.
    ///
    /// # Errors
    /// `CONNECTOR_NOT_CONNECTED`, and those of [`connect`](Self::connect).
    pub async fn update(&self, connector: &str, patch: impl Into<ConnectionPatch>) -> Result<Connection> {
        let patch = patch.into();
        self.heed("update", connector, async {
            let id = self.connected(connector).await?;
            let updated = self.connectors.update_connection(&self.actor, id, patch).await;
            updated.map_err(|error| gone(connector, error))
        })
        .await
    }

    /// Switches a connection on.
    ///
    /// # Errors
    /// `CONNECTOR_NOT_CONNECTED`.
    pub async fn enable(&self, connector: &str) -> Result<Connection> {
        self.toggle(connector, Some(true)).await
    }

    /// Switches a connection off: nothing goes over it until it is on again.
    ///
    /// # Errors
    /// `CONNECTOR_NOT_CONNECTED`.
    pub async fn disable(&self, connector: &str) -> Result<Connection> {
        self.toggle(connector, Some(false)).await
    }

    /// Switches a connection on or off, or the other way round where it is not said which. Where it is so already, nothing
    /// is written and nothing is told.
    ///
    /// # Errors
    /// `CONNECTOR_NOT_CONNECTED`.
    pub async fn toggle(&self, connector: &str, enabled: Option<bool>) -> Result<Connection> {
        self.heed("toggle", connector, async {
            let id = self.connected(connector).await?;
            let toggled = self.connectors.toggle_connection(&self.actor, id, enabled).await;
            toggled.map_err(|error| gone(connector, error))
        })
        .await
    }

    /// Removes a connection. Removing what is not there is fine, and nothing is told of it.
    ///
    /// # Errors
    /// Trouble with the store.
    pub async fn disconnect(&self, connector: &str) -> Result<()> {
        self.heed("disconnect", connector, async {
            let Some(row) = self.row(connector).await? else {
                return Ok(());
            };
            let deleted = self.connectors.delete_connection(&self.actor, row.id).await;
            deleted.or_else(|error| match error.code() {
                Code::NotFound => Ok(()),
                _ => Err(error),
            })
        })
        .await
    }

    /// Calls an action by its input type; the output type follows.
    ///
    /// # Errors
    /// Those of [`Connectors::call`].
    pub async fn call<I: ActionInput>(&self, input: I) -> Result<I::Output> {
        let input = input_json(&input)?;
        let output = self.action(I::CONNECTOR, I::ACTION).call(input).await?;
        output
            .into_type()
            .map_err(|error| Error::internal("an output does not fit its own type", error.to_string()))
    }

    /// An action by name.
    pub fn action<'a>(&self, connector: &'a str, action: &'a str) -> ActionCall<'a> {
        let via = Via::Named {
            scope: self.scope.clone(),
            name: self.name.clone(),
        };
        ActionCall::new(self.connectors.clone(), self.actor.clone(), connector, action, via)
    }

    /// Carries out an operation, and tells of the error that it ends with, to this scope's listeners too.
    async fn heed<T>(
        &self,
        operation: &'static str,
        connector: &str,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let more = |about: Happened| about.connector(connector).scope(&self.scope);
        let about = self.connectors.about(self.actor.tenant, operation, more);
        self.connectors.heed(about, work).await
    }

    async fn row(&self, connector: &str) -> Result<Option<ConnectionRow>> {
        let store = &self.connectors.inner.store;
        store
            .connection(self.actor.tenant, &self.scope, connector, &self.name)
            .await
    }

    async fn connected(&self, connector: &str) -> Result<ConnectionId> {
        self.connectors.registry().get(connector)?;
        let row = self.row(connector).await?;
        row.map(|row| row.id).ok_or_else(|| not_connected(connector))
    }
}

fn not_connected(connector: &str) -> Error {
    let detail = format!("`{connector}` is not connected for this scope: connect it first.");
    Error::new(Code::ConnectorNotConnected, detail)
}

/// What was connected a moment ago may be gone by now.
fn gone(connector: &str, error: Error) -> Error {
    match error.code() {
        Code::NotFound => not_connected(connector),
        _ => error,
    }
}

/// An action, about to be called.
pub struct ActionCall<'a> {
    connectors: Connectors,
    actor: Actor,
    connector: &'a str,
    action: &'a str,
    via: Via,
    idempotency_key: Option<IdempotencyKey>,
}

impl<'a> ActionCall<'a> {
    pub(super) fn new(connectors: Connectors, actor: Actor, connector: &'a str, action: &'a str, via: Via) -> Self {
        Self {
            connectors,
            actor,
            connector,
            action,
            via,
            idempotency_key: None,
        }
    }

    /// Makes repeats of this call one with it, where the service knows such keys.
    #[must_use]
    pub fn idempotency_key(mut self, key: IdempotencyKey) -> Self {
        self.idempotency_key = Some(key);
        self
    }

    /// Calls it.
    ///
    /// # Errors
    /// Those of [`Connectors::call`].
    pub async fn call(&self, input: impl Into<Json>) -> Result<Json> {
        let call = Call {
            connector: Some(self.connector.to_owned()),
            action: self.action.to_owned(),
            input: input.into(),
            via: self.via.clone(),
            idempotency_key: self.idempotency_key.clone(),
        };
        Ok(self.connectors.call(&self.actor, call).await?.output)
    }
}
