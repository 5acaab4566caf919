//! Connections: a connector connected for a scope, named, with state and health.

mod batch;
mod change;
mod found;
mod frequency;
mod view;

pub use batch::{BatchAction, Done};
pub(crate) use change::Beside;
pub use frequency::SyncFrequency;
pub use view::{Connection, DeliveryResult, HealthView, SecretView, Status, WebhookView};

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use tieline_manifest::Json;

use crate::{
    audit::Actor,
    connectors::Connectors,
    environment::Environment,
    error::{Code, Error, Result, Retry},
    event::EventKind,
    health::TestResult,
    id::{ConnectionId, CredentialId},
    limits::{MAX_NAME_ATTEMPTS, MAX_UPDATE_ATTEMPTS},
    name::{DEFAULT_NAME, check_description, check_name, slug},
    page::{self, Page},
    scope::{Scope, ScopeRule},
    store::{ConnectionFilter, ConnectionRow, Countable, HealthState, TestCause},
};

/// What to connect.
#[derive(Debug, Clone)]
pub struct Connect {
    /// Which connector.
    pub connector: String,
    /// For whom inside the tenant.
    pub scope: Scope,
    /// Where it belongs; where its maker acts, and else production, unless given.
    pub environment: Option<Environment>,
    /// Its name; derived from the display name unless given.
    pub name: Option<String>,
    /// What people call it; the connector's name unless given.
    pub display_name: Option<String>,
    /// More about it.
    pub description: Option<String>,
    /// How often its records are wanted.
    pub sync_frequency: SyncFrequency,
    /// Which auth method; the first that knows the fields, unless given.
    pub auth: Option<String>,
    /// The credential that holds the secrets; they stand in the connection itself, unless given.
    pub credential: Option<CredentialId>,
    /// All fields, secret and not; with a credential, those laid over its own.
    pub config: Json,
}

impl Connect {
    /// A connector for a scope, with everything else left to defaults.
    pub fn new(connector: impl Into<String>, scope: Scope) -> Self {
        Self {
            connector: connector.into(),
            scope,
            environment: None,
            name: None,
            display_name: None,
            description: None,
            sync_frequency: SyncFrequency::default(),
            auth: None,
            credential: None,
            config: Json::from_value(&json!({})),
        }
    }
}

/// What to change of a connection; what is absent stays.
#[derive(Debug, Clone, Default)]
pub struct ConnectionPatch {
    /// What people call it.
    pub display_name: Option<String>,
    /// More about it; `Some(None)` for nothing.
    pub description: Option<Option<String>>,
    /// How often its records are wanted.
    pub sync_frequency: Option<SyncFrequency>,
    /// The credential that holds the secrets; `Some(None)` for none, and then `config` names all fields anew.
    pub credential: Option<Option<CredentialId>>,
    /// Fields to change. An absent field keeps its value, `null` removes it; a secret keeps its value when it is sent
    /// back as it was shown.
    pub config: Option<Json>,
    /// Whether calls may use it.
    pub enabled: Option<bool>,
}

/// Which connections to list.
#[derive(Debug, Clone, Default)]
pub struct ConnectionQuery {
    /// For whom inside the tenant.
    pub scope: Option<Scope>,
    /// Of which connector.
    pub connector: Option<String>,
    /// Switched on or off.
    pub enabled: Option<bool>,
    /// Of one of these healths; of any, when there is none.
    pub health: Vec<HealthState>,
    /// Belonging there.
    pub environment: Option<Environment>,
    /// From the newest on.
    pub newest_first: bool,
    /// Only those behind this one.
    pub after: Option<ConnectionId>,
    /// At most this many.
    pub limit: usize,
}

impl From<Json> for ConnectionPatch {
    /// Changes fields of the configuration.
    fn from(config: Json) -> Self {
        Self {
            config: Some(config),
            ..Self::default()
        }
    }
}

impl From<serde_json::Value> for ConnectionPatch {
    /// Changes fields of the configuration.
    fn from(config: serde_json::Value) -> Self {
        Json::from(config).into()
    }
}

impl ConnectionQuery {
    fn filter(self, by: &Actor, limit: usize) -> ConnectionFilter {
        ConnectionFilter {
            tenant: by.tenant,
            scope: self.scope,
            connector: self.connector,
            enabled: self.enabled,
            health: self.health,
            environment: self.environment,
            newest_first: self.newest_first,
            after: self.after,
            limit,
        }
    }
}

/// A connection that was just made, and what its first test found out.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreatedConnection {
    /// The connection.
    #[serde(flatten)]
    pub connection: Connection,
    /// Its first test.
    pub test: TestResult,
}

impl Connectors {
    /// Connects, or connects anew what has this name already: identifier and history stay, configuration and secrets
    /// are replaced, and it is switched on.
    pub async fn connect(&self, by: &Actor, connect: Connect) -> Result<Connection> {
        let about = self.about(by.tenant, "connect", |about| {
            about.connector(&connect.connector).scope(&connect.scope)
        });
        self.heed(about, async {
            let name = connect.name.clone().unwrap_or_else(|| DEFAULT_NAME.to_owned());
            self.check(&connect)?;
            self.judge_wish(by, &connect).await?;
            for _ in 0..MAX_UPDATE_ATTEMPTS {
                let found = self
                    .inner
                    .store
                    .connection(by.tenant, &connect.scope, &connect.connector, &name)
                    .await?;
                let done = match found {
                    Some(row) => self.replace(by, row, &connect, &Beside::default()).await?,
                    None => {
                        self.has_room_for(by.tenant, Countable::Connections).await?;
                        self.insert(by, &connect, &name, &Beside::default()).await?
                    }
                };
                if let Some(row) = done {
                    return Connection::of(&row);
                }
            }
            Err(conflict())
        })
        .await
    }

    /// Makes a new connection and tests it: it is active only when the test worked, and kept when it did not.
    ///
    /// # Errors
    /// `CONNECTOR_ALREADY_CONNECTED` when the name was given and is taken; a derived name gets `-2`, `-3` … `LIMIT_REACHED`.
    pub async fn create_connection(&self, by: &Actor, connect: Connect) -> Result<CreatedConnection> {
        let about = self.about(by.tenant, "connect", |about| {
            about.connector(&connect.connector).scope(&connect.scope)
        });
        self.heed(about, async {
            self.check(&connect)?;
            self.has_room_for(by.tenant, Countable::Connections).await?;
            self.judge_wish(by, &connect).await?;
            let row = self.insert_named(by, &connect).await?;
            // The connection stands from here on: trouble with its test is told as the test's result, not instead of it.
            let test = self
                .test_because(by, row.id, TestCause::Created)
                .await
                .unwrap_or_else(|error| TestResult::failed(&error));
            let connection = self.connection(by, row.id).await.or_else(|_| Connection::of(&row))?;
            Ok(CreatedConnection { connection, test })
        })
        .await
    }

    async fn insert_named(&self, by: &Actor, connect: &Connect) -> Result<ConnectionRow> {
        let derived = connect
            .display_name
            .as_deref()
            .map_or_else(|| DEFAULT_NAME.to_owned(), slug);
        let base = connect.name.clone().unwrap_or(derived);
        for attempt in 1..=MAX_NAME_ATTEMPTS {
            let name = if attempt == 1 {
                base.clone()
            } else {
                format!("{base}-{attempt}")
            };
            if let Some(row) = self.insert(by, connect, &name, &Beside::default()).await? {
                return Ok(row);
            }
            if connect.name.is_some() {
                break;
            }
        }
        let detail = format!(
            "There is a connection `{base}` of this connector and scope already: choose another name, or change that one."
        );
        Err(Error::new(Code::ConnectorAlreadyConnected, detail).field("/name", "is taken"))
    }

    /// One connection.
    pub async fn connection(&self, by: &Actor, id: ConnectionId) -> Result<Connection> {
        let about = self.about(by.tenant, "get", |about| about.connection(id));
        self.heed(about, async { Connection::of(&self.connection_row(by, id).await?) })
            .await
    }

    /// Connections by identifier.
    pub async fn connections(&self, by: &Actor, query: ConnectionQuery) -> Result<Page<Connection, ConnectionId>> {
        let about = self.about(by.tenant, "list", |about| about);
        self.heed(about, async {
            let limit = page::bounded(query.limit);
            let filter = query.filter(by, limit + 1);
            let rows = self.inner.store.connections(filter).await?;
            let connections = rows.iter().map(Connection::of).collect::<Result<Vec<_>>>()?;
            Ok(Page::cut(connections, limit, |connection| connection.id))
        })
        .await
    }

    /// How many connections there are on all pages of a query.
    pub async fn count_connections(&self, by: &Actor, query: ConnectionQuery) -> Result<u64> {
        let about = self.about(by.tenant, "list", |about| about);
        self.heed(about, async {
            self.inner.store.count_connections(query.filter(by, 0)).await
        })
        .await
    }

    /// Changes a connection. New secrets make it untested.
    pub async fn update_connection(&self, by: &Actor, id: ConnectionId, patch: ConnectionPatch) -> Result<Connection> {
        let about = self.about(by.tenant, "update", |about| about.connection(id));
        self.heed(about, async {
            if let Some(name) = &patch.display_name {
                check_name("/displayName", name)?;
            }
            check_description(patch.description.as_ref().and_then(Option::as_deref))?;
            self.rewrite(by, id, |_| patch.clone()).await
        })
        .await
    }

    /// Switches a connection on or off, or the other way round where it is not said which. Nothing is written where it is so
    /// already.
    pub async fn toggle_connection(&self, by: &Actor, id: ConnectionId, enabled: Option<bool>) -> Result<Connection> {
        let about = self.about(by.tenant, "toggle", |about| about.connection(id));
        // Of two that flip it at once, the second one flips what the first one wrote.
        let toggled = self.rewrite(by, id, |old| ConnectionPatch {
            enabled: Some(enabled.unwrap_or(!old.enabled)),
            ..ConnectionPatch::default()
        });
        self.heed(about, toggled).await
    }

    /// Writes what a patch makes of the row that stands, again where somebody else was faster.
    async fn rewrite(
        &self,
        by: &Actor,
        id: ConnectionId,
        patch: impl Fn(&ConnectionRow) -> ConnectionPatch,
    ) -> Result<Connection> {
        for _ in 0..MAX_UPDATE_ATTEMPTS {
            let old = self.own_connection_row(by, id).await?;
            let change = self.patched(by, &old, &patch(&old)).await?;
            if change.is_nothing() {
                return Connection::of(&old);
            }
            if let Some(row) = self.write(by, change, old.version).await? {
                // Nobody knows how it fares now.
                let unsure = !old.enabled || row.health.state == HealthState::Untested;
                if row.enabled && unsure {
                    self.hasten_test(by.tenant, id).await;
                }
                return Connection::of(&row);
            }
        }
        Err(conflict())
    }

    /// Deletes a connection and its secrets.
    pub async fn delete_connection(&self, by: &Actor, id: ConnectionId) -> Result<()> {
        let about = self.about(by.tenant, "disconnect", |about| about.connection(id));
        self.heed(about, async {
            let row = self.own_connection_row(by, id).await?;
            let detail = json!({ "connector": row.connector, "name": row.name });
            let trail = self.trail(
                by,
                "connection.deleted",
                id,
                detail,
                &[EventKind::ConnectorDisconnected],
            )?;
            let tenant = by.tenant;
            let deleted = self
                .to_the_end(async move |connectors| {
                    let deleted = connectors.inner.store.delete_connection(&row, trail).await;
                    connectors.inner.opened.forget(tenant, &id);
                    deleted
                })
                .await?;
            if deleted { Ok(()) } else { Err(Error::not_found()) }
        })
        .await
    }

    /// What can be judged of a wish before anything is looked up.
    pub(crate) fn check(&self, connect: &Connect) -> Result<()> {
        self.check_scope(&connect.scope)?;
        self.registry().get(&connect.connector)?;
        if let Some(name) = &connect.name {
            check_name("/name", name)?;
        }
        check_description(connect.description.as_deref())?;
        connect
            .display_name
            .as_ref()
            .map_or(Ok(()), |name| check_name("/displayName", name))
    }

    /// Whether this kind of scope was declared, and has the identity it needs.
    pub(crate) fn check_scope(&self, scope: &Scope) -> Result<()> {
        match self.inner.scopes.get(&scope.kind) {
            None => {
                let known: Vec<&str> = self.inner.scopes.keys().map(String::as_str).collect();
                let detail = format!(
                    "There is no scope `{}`. Declared are: {}.",
                    scope.kind,
                    known.join(", ")
                );
                Err(Error::new(Code::ConnectorScopeInvalid, detail).field("/scope/kind", "is not declared"))
            }
            Some(ScopeRule::Required) if scope.identity.is_empty() => {
                let detail = format!(
                    "The scope `{0}` needs an identity, such as the id of the {0} in your program.",
                    scope.kind
                );
                Err(Error::new(Code::ConnectorScopeIdentifierRequired, detail).field("/scope/identity", "is required"))
            }
            Some(_) => Ok(()),
        }
    }

    /// The row, for whoever changes it: it has to belong where they act.
    pub(crate) async fn own_connection_row(&self, by: &Actor, id: ConnectionId) -> Result<ConnectionRow> {
        let row = self.connection_row(by, id).await?;
        by.may_use(row.environment, "connection")?;
        Ok(row)
    }

    pub(crate) async fn connection_row(&self, by: &Actor, id: ConnectionId) -> Result<ConnectionRow> {
        self.inner
            .store
            .connection_by_id(by.tenant, id)
            .await?
            .ok_or_else(Error::not_found)
    }
}

/// Whoever changes a row was overtaken as often as they tried.
pub(crate) fn conflict() -> Error {
    Error::new(
        Code::ConnectionConflict,
        "Others kept changing this connection at the same moment: try again.",
    )
    .retry(Retry::Backoff)
}
