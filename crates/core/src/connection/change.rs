//! How a connection's row comes to be and changes: fields checked, trail written, caches told.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tieline_manifest::{Json, Tree};

use super::{Connect, ConnectionPatch};
use crate::{
    audit::Actor,
    connector::Connector,
    connectors::Connectors,
    error::{Code, Error, Result},
    event::EventKind,
    id::ConnectionId,
    limits::{MAX_CONFIG_BYTES, MAX_UPDATE_ATTEMPTS},
    secret::Secret,
    store::{ConnectionRow, Health, HealthState, Inserted, Updated},
};

/// A row as it shall be, and what to say of the change.
pub(super) struct Change {
    row: ConnectionRow,
    action: &'static str,
    detail: Value,
    events: Vec<EventKind>,
}

impl Change {
    pub(super) fn is_nothing(&self) -> bool {
        self.events.is_empty()
    }
}

impl Connectors {
    /// Writes a new row; `None` when its name is taken.
    pub(super) async fn insert(&self, by: &Actor, connect: &Connect, name: &str) -> Result<Option<ConnectionRow>> {
        let connector = self.registry().get(&connect.connector)?;
        let display_name = connect
            .display_name
            .clone()
            .unwrap_or_else(|| connector.descriptor().name.clone());
        let accepted = connector.accept(connect.auth.as_deref(), &connect.config)?;
        let now = self.inner.clock.now();
        let mut row = ConnectionRow {
            id: ConnectionId::new(&*self.inner.clock, &*self.inner.random)?,
            tenant: by.tenant,
            scope: connect.scope.clone(),
            connector: connector.id().to_owned(),
            name: name.to_owned(),
            display_name,
            auth: accepted.auth.clone(),
            config: config_text(&accepted.public)?,
            secrets: BTreeMap::new(),
            secret_version: 1,
            enabled: true,
            health: Health {
                state: HealthState::Untested,
                reason: None,
                since: now,
            },
            version: 1,
            created_by: by.name.clone(),
            created_at: now,
            updated_at: now,
        };
        self.seal_into(&mut row, &accepted.secrets).await?;
        let detail = json!({ "connector": row.connector, "name": row.name, "scope": row.scope });
        let trail = self.trail(
            by,
            "connection.created",
            row.id,
            detail,
            &[EventKind::ConnectorConnected],
        )?;
        match self.inner.store.insert_connection(row.clone(), trail).await? {
            Inserted::Inserted => Ok(Some(row)),
            Inserted::Taken(_) => Ok(None),
        }
    }

    /// Connects an existing row anew; `None` when somebody changed it meanwhile.
    pub(super) async fn replace(
        &self,
        by: &Actor,
        old: ConnectionRow,
        connect: &Connect,
    ) -> Result<Option<ConnectionRow>> {
        let connector = self.registry().get(&connect.connector)?;
        let accepted = connector.accept(connect.auth.as_deref(), &connect.config)?;
        let (version, mut row) = (old.version, old);
        if let Some(display_name) = &connect.display_name {
            row.display_name = display_name.clone();
        }
        row.enabled = true;
        row.auth = accepted.auth;
        row.config = config_text(&accepted.public)?;
        row.health = self.untested();
        self.reseal(&mut row, accepted.secrets, &BTreeSet::new()).await?;
        let detail = json!({ "connector": row.connector, "name": row.name, "again": true });
        let change = Change {
            row,
            action: "connection.connected",
            detail,
            events: vec![EventKind::ConnectorConnected],
        };
        self.write(by, change, version).await
    }

    /// The row as a patch wants it.
    pub(super) async fn patched(&self, old: &ConnectionRow, patch: &ConnectionPatch) -> Result<Change> {
        let mut row = old.clone();
        let (mut fields, mut events) = (Vec::new(), Vec::new());
        if let Some(name) = patch.display_name.as_ref().filter(|name| **name != row.display_name) {
            row.display_name = name.clone();
            fields.push("displayName".to_owned());
            events.push(EventKind::ConnectorUpdated);
        }
        if let Some(config) = &patch.config {
            let connector = self.registry().get(&row.connector)?;
            let merged = Merged::of(&connector, &row, config)?;
            if !merged.changed.is_empty() {
                row.config = config_text(&merged.public)?;
                row.health = self.untested();
                if !merged.secrets.is_empty() || merged.kept.len() != row.secrets.len() {
                    self.reseal(&mut row, merged.secrets, &merged.kept).await?;
                }
                fields.extend(merged.changed);
                events.push(EventKind::ConnectorUpdated);
            }
        }
        if let Some(enabled) = patch.enabled.filter(|enabled| *enabled != row.enabled) {
            row.enabled = enabled;
            fields.push("enabled".to_owned());
            events.push(if enabled {
                EventKind::ConnectorEnabled
            } else {
                EventKind::ConnectorDisabled
            });
        }
        events.dedup();
        Ok(Change {
            row,
            action: "connection.updated",
            detail: json!({ "fields": fields }),
            events,
        })
    }

    /// Writes a changed row, if the stored one still has `version`.
    pub(super) async fn write(&self, by: &Actor, change: Change, version: u64) -> Result<Option<ConnectionRow>> {
        let mut row = change.row;
        row.version = version + 1;
        row.updated_at = self.inner.clock.now();
        let trail = self.trail(by, change.action, row.id, change.detail, &change.events)?;
        let written = row.clone();
        let outcome = self
            .to_the_end(async move |connectors| {
                let (tenant, id) = (written.tenant, written.id);
                let outcome = connectors.inner.store.update_connection(written, version, trail).await;
                connectors.inner.opened.forget(tenant, &id);
                outcome
            })
            .await?;
        Ok((outcome == Updated::Updated).then_some(row))
    }

    /// Writes down what a test found out, unless the secrets changed while it ran: then it says nothing of the new ones.
    pub(crate) async fn save_health(
        &self,
        by: &Actor,
        id: ConnectionId,
        tested: u32,
        state: HealthState,
        reason: Option<&str>,
    ) -> Result<()> {
        for _ in 0..MAX_UPDATE_ATTEMPTS {
            let mut row = self.connection_row(by, id).await?;
            if row.secret_version != tested {
                return Ok(());
            }
            let changed = row.health.state != state;
            let since = if changed {
                self.inner.clock.now()
            } else {
                row.health.since
            };
            row.health = Health {
                state,
                reason: reason.map(str::to_owned),
                since,
            };
            let events = if changed {
                vec![EventKind::ConnectorHealthChanged]
            } else {
                Vec::new()
            };
            let version = row.version;
            let change = Change {
                row,
                action: "connection.tested",
                detail: json!({ "health": state }),
                events,
            };
            if self.write(by, change, version).await?.is_some() {
                return Ok(());
            }
        }
        Err(super::conflict())
    }

    fn untested(&self) -> Health {
        Health {
            state: HealthState::Untested,
            reason: None,
            since: self.inner.clock.now(),
        }
    }
}

/// A row's fields with a patch laid over them.
struct Merged {
    public: Tree,
    /// Secrets that the patch brings.
    secrets: BTreeMap<String, Secret>,
    /// Names of secrets that stay as they are.
    kept: BTreeSet<String>,
    /// Names of fields that change.
    changed: Vec<String>,
}

impl Merged {
    fn of(connector: &Connector, row: &ConnectionRow, patch: &Json) -> Result<Self> {
        let Tree::Object(entries) = patch.tree() else {
            let detail = "The configuration must be an object of fields.";
            return Err(Error::new(Code::RequestInvalid, detail).field("/config", "must be an object"));
        };
        let stored =
            Json::parse(&row.config).map_err(|error| Error::internal("a stored config does not parse", error))?;
        let mut fields: BTreeMap<String, Tree> =
            stored.tree().as_object().unwrap_or_default().iter().cloned().collect();
        let mut kept: BTreeSet<String> = row.secrets.keys().cloned().collect();
        let mut changed = Vec::new();
        for (given, value) in entries {
            let name = connector.field_name(&row.auth, given);
            // A secret is shown as an object; sent back so, it stays.
            let shown = kept.contains(&name) && matches!(value, Tree::Object(_));
            if shown || fields.get(&name) == Some(value) {
                continue;
            }
            kept.remove(&name);
            match value {
                Tree::Null => fields.remove(&name),
                value => fields.insert(name.clone(), value.clone()),
            };
            changed.push(name);
        }
        let merged = Json::from_tree(Tree::Object(fields.into_iter().collect()));
        let accepted = connector.accept_beside(Some(&row.auth), &merged, &kept)?;
        let merged = Self {
            public: accepted.public,
            secrets: accepted.secrets,
            kept,
            changed,
        };
        merged.check_target(connector, row, stored.tree())?;
        Ok(merged)
    }

    /// Whoever may change a connection may not thereby have its secrets sent to a place of his own.
    fn check_target(&self, connector: &Connector, row: &ConnectionRow, stored: &Tree) -> Result<()> {
        let origin = |config: &Tree| connector.manifest().origin(config);
        let moved = origin(stored) != origin(&self.public)
            || self.changed.iter().any(|name| connector.is_target(&row.auth, name));
        if !moved || self.kept.is_empty() {
            return Ok(());
        }
        let detail = "This change decides where the secrets are sent, so they have to be entered again with it.";
        let again = |error: Error, name| error.field(format!("/config/{name}"), "has to be entered again");
        Err(self
            .kept
            .iter()
            .fold(Error::new(Code::ConnectorConfigInvalid, detail), again))
    }
}

fn config_text(public: &Tree) -> Result<String> {
    let text = public.to_text();
    if text.len() > MAX_CONFIG_BYTES {
        let detail = format!(
            "The configuration has {} bytes; {MAX_CONFIG_BYTES} are the most.",
            text.len()
        );
        return Err(Error::new(Code::ConnectorConfigInvalid, detail).field("/config", "is too large"));
    }
    Ok(text)
}
