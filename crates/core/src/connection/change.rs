//! How a connection's row comes to be and changes: fields checked, trail written, caches told.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde_json::{Value, json};
use tieline_manifest::{Json, Tree};

use super::{Connect, ConnectionPatch};
use crate::{
    audit::Actor,
    connector::{Accepted, Connector},
    connectors::Connectors,
    credential::expiry::is_over,
    environment::{Environment, mismatch},
    error::{Code, Error, Result},
    event::EventKind,
    id::{ConnectionId, CredentialId},
    lent::{Lent, by_own_names, laid_over},
    limits::MAX_UPDATE_ATTEMPTS,
    merged::{Held, Merged, config_text, stored},
    opened::Opened,
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
        let (environment, fields) = self.fields_of(by, &connector, connect).await?;
        let now = self.inner.clock.now();
        let mut row = ConnectionRow {
            id: ConnectionId::new(&*self.inner.clock, &*self.inner.random)?,
            tenant: by.tenant,
            scope: connect.scope.clone(),
            environment,
            connector: connector.id().to_owned(),
            name: name.to_owned(),
            display_name,
            description: connect.description.clone(),
            sync_frequency: connect.sync_frequency,
            auth: fields.auth,
            config: config_text(&fields.public)?,
            credential: connect.credential,
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
        self.seal_into(&mut row, &fields.secrets).await?;
        let detail = json!({
            "connector": row.connector, "name": row.name, "scope": row.scope, "environment": environment,
            "credential": row.credential,
        });
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
        by.may_use(old.environment, "connection")?;
        if let Some(asked) = connect.environment.filter(|asked| *asked != old.environment) {
            return Err(mismatch(&format!(
                "This connection belongs to `{}` and cannot be moved to `{asked}`: connect another one there.",
                old.environment
            )));
        }
        let connector = self.registry().get(&connect.connector)?;
        let within = Connect {
            environment: Some(old.environment),
            ..connect.clone()
        };
        let (_, fields) = self.fields_of(by, &connector, &within).await?;
        let (version, mut row) = (old.version, old);
        if let Some(display_name) = &connect.display_name {
            row.display_name = display_name.clone();
        }
        if connect.description.is_some() {
            row.description = connect.description.clone();
        }
        row.enabled = true;
        row.auth = fields.auth;
        row.config = config_text(&fields.public)?;
        row.credential = connect.credential;
        row.health = self.untested();
        self.reseal(&mut row, fields.secrets, &BTreeSet::new()).await?;
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
    pub(super) async fn patched(&self, by: &Actor, old: &ConnectionRow, patch: &ConnectionPatch) -> Result<Change> {
        let mut row = old.clone();
        let (mut fields, mut events) = (Vec::new(), Vec::new());
        if let Some(name) = patch.display_name.as_ref().filter(|name| **name != row.display_name) {
            row.display_name = name.clone();
            fields.push("displayName".to_owned());
            events.push(EventKind::ConnectorUpdated);
        }
        if let Some(description) = patch.description.as_ref().filter(|text| **text != row.description) {
            row.description = description.clone();
            fields.push("description".to_owned());
            events.push(EventKind::ConnectorUpdated);
        }
        if let Some(frequency) = patch.sync_frequency.filter(|wanted| *wanted != row.sync_frequency) {
            row.sync_frequency = frequency;
            fields.push("syncFrequency".to_owned());
            events.push(EventKind::ConnectorUpdated);
        }
        let changed = self.patch_fields(by, old, &mut row, patch).await?;
        if !changed.is_empty() {
            fields.extend(changed);
            events.push(EventKind::ConnectorUpdated);
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

    /// Lays a patch's fields over a row's, and says which changed. The secrets stand in the row or in the credential it
    /// points to: whoever switches between the two names all fields anew.
    async fn patch_fields(
        &self,
        by: &Actor,
        old: &ConnectionRow,
        row: &mut ConnectionRow,
        patch: &ConnectionPatch,
    ) -> Result<Vec<String>> {
        let connector = match (&patch.config, patch.credential) {
            (None, None) => return Ok(Vec::new()),
            _ => self.registry().get(&old.connector)?,
        };
        let credential = patch.credential.unwrap_or(old.credential);
        let mut changed = Vec::new();
        if credential != old.credential {
            changed.push("credentialId".to_owned());
        }
        match credential {
            None if old.credential.is_none() => {
                let Some(config) = &patch.config else {
                    return Ok(changed);
                };
                let held = Held {
                    auth: &old.auth,
                    config: &old.config,
                    secrets: &old.secrets,
                };
                let merged = Merged::of(&connector, &held, config)?;
                if merged.changed.is_empty() {
                    return Ok(changed);
                }
                row.config = config_text(&merged.public)?;
                if !merged.secrets.is_empty() || merged.kept.len() != row.secrets.len() {
                    self.reseal(row, merged.secrets, &merged.kept).await?;
                }
                changed.extend(merged.changed);
            }
            None => {
                let config = patch.config.clone().unwrap_or_else(|| Json::from_value(&json!({})));
                let accepted = connector.accept(None, &config)?;
                row.auth = accepted.auth;
                row.config = config_text(&accepted.public)?;
                self.reseal(row, accepted.secrets, &BTreeSet::new()).await?;
                changed.push("config".to_owned());
            }
            Some(credential) => {
                let lent = self.lent_for(by, credential, old.environment).await?;
                let given = match &patch.config {
                    None => BTreeMap::new(),
                    Some(config) => {
                        let auth = lent.auth(&connector)?;
                        // Refused under the names it came with, which the stored fields no longer have.
                        laid_over(&connector, &auth, config)?;
                        by_own_names(&connector, &auth, config)?
                    }
                };
                let over = over(old, credential, given)?;
                let accepted = lent.accepted(&connector, Some(&over))?;
                let over = laid_over(&connector, &accepted.auth, &over)?;
                row.config = config_text(&Tree::Object(over.into_iter().collect()))?;
                if row.config != old.config {
                    changed.push("config".to_owned());
                }
                if changed.is_empty() {
                    return Ok(changed);
                }
                row.auth = accepted.auth;
                self.reseal(row, BTreeMap::new(), &BTreeSet::new()).await?;
            }
        }
        row.credential = credential;
        row.health = self.untested();
        Ok(changed)
    }

    /// Where a new connection belongs, and its fields: its own, or what it lays over its credential's.
    async fn fields_of(&self, by: &Actor, connector: &Connector, connect: &Connect) -> Result<(Environment, Accepted)> {
        let Some(credential) = connect.credential else {
            let environment = by.home_for(connect.environment, "connection")?;
            return Ok((environment, connector.accept(connect.auth.as_deref(), &connect.config)?));
        };
        let lent = self.lent_afresh(by, credential).await?;
        let environment = by.home_for(connect.environment.or(Some(lent.environment)), "connection")?;
        belongs_with(environment, lent.environment)?;
        let accepted = lent.accepted(connector, Some(&connect.config))?;
        if let Some(auth) = connect.auth.as_ref().filter(|auth| **auth != accepted.auth) {
            let detail = format!(
                "The credential is for the auth method `{}`, not for `{auth}`.",
                accepted.auth
            );
            return Err(Error::new(Code::ConnectorConfigInvalid, detail).field("/auth", "is not the credential's"));
        }
        let over = laid_over(connector, &accepted.auth, &connect.config)?;
        let fields = Accepted {
            auth: accepted.auth,
            public: Tree::Object(over.into_iter().collect()),
            secrets: BTreeMap::new(),
        };
        Ok((environment, fields))
    }

    async fn lent_for(&self, by: &Actor, credential: CredentialId, environment: Environment) -> Result<Arc<Lent>> {
        let lent = self.lent_afresh(by, credential).await?;
        belongs_with(environment, lent.environment)?;
        Ok(lent)
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
        tested: &Opened,
        state: HealthState,
        reason: Option<&str>,
    ) -> Result<()> {
        for _ in 0..MAX_UPDATE_ATTEMPTS {
            let row = self.connection_row(by, id).await?;
            if !self.holds_what_was_tested(by, &row, tested).await? || self.write_health(by, row, state, reason).await?
            {
                return Ok(());
            }
        }
        Err(super::conflict())
    }

    /// Writes down that a test found the connection's credential expired, unless it was given more time or other secrets
    /// meanwhile: whoever does so raises the row's version too.
    pub(crate) async fn save_expired(&self, by: &Actor, id: ConnectionId, reason: &str) -> Result<()> {
        for _ in 0..MAX_UPDATE_ATTEMPTS {
            let row = self.connection_row(by, id).await?;
            let Some(credential) = row.credential else {
                return Ok(());
            };
            let expires_at = self.credential_row(by, credential).await?.expires_at;
            if !is_over(expires_at, self.inner.clock.now())
                || self.write_health(by, row, HealthState::Failing, Some(reason)).await?
            {
                return Ok(());
            }
        }
        Err(super::conflict())
    }

    /// Writes down a connection's health, with an event if its state is another; `false` when somebody changed the row.
    async fn write_health(
        &self,
        by: &Actor,
        mut row: ConnectionRow,
        state: HealthState,
        reason: Option<&str>,
    ) -> Result<bool> {
        let (changed, version) = (row.health.state != state, row.version);
        let since = match changed {
            true => self.inner.clock.now(),
            false => row.health.since,
        };
        row.health = Health {
            state,
            reason: reason.map(str::to_owned),
            since,
        };
        let change = Change {
            row,
            action: "connection.tested",
            detail: json!({ "health": state }),
            events: changed
                .then_some(EventKind::ConnectorHealthChanged)
                .into_iter()
                .collect(),
        };
        Ok(self.write(by, change, version).await?.is_some())
    }

    /// Asked after the row was read: whoever gives its credential new secrets raises the row's version too.
    async fn holds_what_was_tested(&self, by: &Actor, row: &ConnectionRow, tested: &Opened) -> Result<bool> {
        Ok(match (&tested.loan, row.credential) {
            (None, None) => row.secret_version == tested.secret_version,
            (Some(loan), Some(credential)) if loan.credential == credential => {
                self.credential_row(by, credential).await?.secret_version == loan.secret_version
            }
            _ => false,
        })
    }

    pub(crate) fn untested(&self) -> Health {
        Health {
            state: HealthState::Untested,
            reason: None,
            since: self.inner.clock.now(),
        }
    }
}

/// The fields that shall be laid over a credential's: those of before with the patch's over them, unless the credential
/// is another one. All stand under their own names.
fn over(old: &ConnectionRow, credential: CredentialId, patch: BTreeMap<String, Tree>) -> Result<Json> {
    let mut fields: BTreeMap<String, Tree> = match old.credential {
        Some(same) if same == credential => {
            let config = stored(&old.config)?;
            config.tree().as_object().unwrap_or_default().iter().cloned().collect()
        }
        _ => BTreeMap::new(),
    };
    fields.extend(patch);
    Ok(Json::from_tree(Tree::Object(fields.into_iter().collect())))
}

/// A connection and the credential it points to belong to the same environment.
fn belongs_with(connection: Environment, credential: Environment) -> Result<()> {
    if connection == credential {
        return Ok(());
    }
    Err(mismatch(&format!(
        "The connection belongs to `{connection}`, and the credential to `{credential}`: use a credential of `{connection}`."
    )))
}
