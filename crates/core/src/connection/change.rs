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
    environment::{Environment, mismatch},
    error::{Code, Error, Result},
    event::EventKind,
    http::redact::Redactor,
    id::{ConnectionId, CredentialId},
    lent::{Lent, by_own_names, laid_over},
    merged::{Held, Merged, config_text, stored},
    scope::Scope,
    secret::Secret,
    store::{ConnectionRow, Health, HealthState, Inserted, Updated},
    veiled::{is_veiled, parted},
};

/// What lies in a connection beside what its connector's fields say: what came of signing in.
#[derive(Default)]
pub(crate) struct Beside {
    /// Public fields that the sign-in told.
    pub(crate) kept: Vec<(String, Tree)>,
    /// The tokens, to be sealed.
    pub(crate) secret: Option<(&'static str, Secret)>,
    /// What is known of them without opening them.
    pub(crate) oauth: Option<String>,
}

impl Beside {
    fn lay(&self, fields: &mut Accepted) {
        if let Tree::Object(public) = &mut fields.public {
            public.retain(|(name, _)| self.kept.iter().all(|(kept, _)| kept != name));
            public.extend(self.kept.iter().cloned());
        }
        let secret = self.secret.iter();
        let secret = secret.map(|(name, secret)| ((*name).to_owned(), Secret::new(secret.reveal().clone())));
        fields.secrets.extend(secret);
    }
}

/// A row as it shall be, and what to say of the change.
pub(super) struct Change {
    pub(super) row: ConnectionRow,
    pub(super) action: &'static str,
    pub(super) detail: Value,
    pub(super) events: Vec<EventKind>,
}

impl Change {
    pub(super) fn is_nothing(&self) -> bool {
        self.events.is_empty()
    }
}

impl Connectors {
    /// Writes a new row; `None` when its name is taken.
    pub(crate) async fn insert(
        &self,
        by: &Actor,
        connect: &Connect,
        name: &str,
        beside: &Beside,
    ) -> Result<Option<ConnectionRow>> {
        let connector = self.registry().get(&connect.connector)?;
        let display_name = connect
            .display_name
            .clone()
            .unwrap_or_else(|| connector.descriptor().name.clone());
        let (environment, mut fields) = self.fields_of(by, &connector, connect).await?;
        beside.lay(&mut fields);
        let mut config = config_text(&fields.public)?;
        if connect.credential.is_none()
            && let Some((open, veiled)) = self.veil(connector.id(), &fields.auth, &config)?
        {
            config = open;
            fields.secrets.extend(veiled);
        }
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
            config,
            credential: connect.credential,
            secrets: BTreeMap::new(),
            secret_version: 1,
            oauth: beside.oauth.clone(),
            enabled: true,
            health: Health {
                state: HealthState::Untested,
                reason: None,
                since: now,
            },
            webhook: None,
            last_delivery: None,
            version: 1,
            created_by: by.name.clone(),
            created_at: now,
            updated_at: now,
        };
        self.seal_into(&mut row, &fields.secrets).await?;
        if connector.takes_webhooks() {
            row.webhook = Some(self.new_webhook(&row).await?);
        }
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
        let written = row.clone();
        // To the end, so that it is told of even if the caller is gone before.
        let outcome = self
            .to_the_end(async move |connectors| connectors.inner.store.insert_connection(written, trail).await)
            .await?;
        match outcome {
            Inserted::Inserted => Ok(Some(row)),
            Inserted::Taken(_) => Ok(None),
        }
    }

    /// Connects an existing row anew; `None` when somebody changed it meanwhile.
    pub(crate) async fn replace(
        &self,
        by: &Actor,
        old: ConnectionRow,
        connect: &Connect,
        beside: &Beside,
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
        let (_, mut fields) = self.fields_of(by, &connector, &within).await?;
        beside.lay(&mut fields);
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
        row.oauth = beside.oauth.clone();
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
                let own = self.lay_over_own(&connector, old, row, config).await?;
                if own.is_empty() {
                    return Ok(changed);
                }
                changed.extend(own);
            }
            None => {
                let config = patch.config.clone().unwrap_or_else(|| Json::from_value(&json!({})));
                let accepted = connector.accept(None, &config)?;
                judge_accepted(&connector, &accepted, &old.scope).await?;
                row.auth = accepted.auth;
                row.config = config_text(&accepted.public)?;
                row.oauth = None;
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
                judge_accepted(&connector, &accepted, &old.scope).await?;
                let over = laid_over(&connector, &accepted.auth, &over)?;
                row.config = config_text(&Tree::Object(over.into_iter().collect()))?;
                if row.config != old.config {
                    changed.push("config".to_owned());
                }
                if changed.is_empty() {
                    return Ok(changed);
                }
                row.auth = accepted.auth;
                row.oauth = None;
                self.reseal(row, BTreeMap::new(), &BTreeSet::new()).await?;
            }
        }
        row.credential = credential;
        row.health = self.untested();
        Ok(changed)
    }

    /// Asks the connector's own judge about a wish, before anything is stored.
    pub(crate) async fn judge_wish(&self, by: &Actor, connect: &Connect) -> Result<()> {
        let connector = self.registry().get(&connect.connector)?;
        if !connector.judges() {
            return Ok(());
        }
        let accepted = match connect.credential {
            None => connector.accept(connect.auth.as_deref(), &connect.config)?,
            Some(credential) => {
                let lent = self.lent_afresh(by, credential).await?;
                lent.accepted(&connector, Some(&connect.config))?
            }
        };
        judge_accepted(&connector, &accepted, &connect.scope).await
    }

    /// The same for a row's fields as a patch wants them, with the secrets that stay.
    async fn judge_merged(&self, connector: &Connector, old: &ConnectionRow, merged: &Merged) -> Result<()> {
        if !connector.judges() {
            return Ok(());
        }
        let stored = self.open_secrets(old).await?;
        let secret = |name: &str| {
            let kept = merged.kept.contains(name).then(|| stored.get(name)).flatten();
            merged.secrets.get(name).or(kept)
        };
        let judged = connector.judge(&old.auth, &merged.public, secret, &old.scope).await;
        let secrets = merged.secrets.values().chain(stored.values());
        judged.map_err(|error| without(error, secrets))
    }

    /// The same for fields that the connection holds itself.
    async fn lay_over_own(
        &self,
        connector: &Connector,
        old: &ConnectionRow,
        row: &mut ConnectionRow,
        patch: &Json,
    ) -> Result<Vec<String>> {
        // What is no secret is laid over as it is, however it lies there.
        let (veiled, secrets): (BTreeMap<_, _>, BTreeMap<_, _>) = old
            .secrets
            .clone()
            .into_iter()
            .partition(|(name, _)| is_veiled(connector, &old.auth, name));
        let open = match veiled.is_empty() {
            true => None,
            false => Some(self.unveiled(connector, old).await?.config),
        };
        let veiled: BTreeSet<String> = veiled.into_keys().collect();
        let held = Held {
            auth: &old.auth,
            config: open.as_ref().map_or(&old.config, |open| open.text()),
            secrets: &secrets,
            veiled: &veiled,
        };
        let merged = Merged::of(connector, &held, patch)?;
        if merged.changed.is_empty() {
            return Ok(merged.changed);
        }
        self.judge_merged(connector, old, &merged).await?;
        // What lay sealed stays sealed, whoever lists it no more.
        let (open, mut new) = parted(merged.public.as_object().unwrap_or_default(), &veiled);
        new.extend(merged.secrets);
        row.config = config_text(&open)?;
        let is_new = !new.is_empty() || merged.kept.len() != secrets.len();
        row.secrets = secrets;
        if is_new {
            self.reseal(row, new, &merged.kept).await?;
        }
        Ok(merged.changed)
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

    /// Gives a row's webhooks a new address; `None` when somebody changed the row meanwhile.
    pub(crate) async fn rotated(&self, by: &Actor, mut row: ConnectionRow) -> Result<Option<ConnectionRow>> {
        let version = row.version;
        let webhook = self.new_webhook(&row).await?;
        let detail = json!({ "connector": row.connector, "name": row.name, "address": webhook.version });
        row.webhook = Some(webhook);
        let change = Change {
            row,
            action: "connection.webhook_rotated",
            detail,
            events: vec![EventKind::ConnectorUpdated],
        };
        self.write(by, change, version).await
    }

    /// Writes a changed row, if the stored one still has `version`.
    pub(super) async fn write(&self, by: &Actor, change: Change, version: u64) -> Result<Option<ConnectionRow>> {
        let mut row = change.row;
        self.veil_row(&mut row).await?;
        // Its connector may take webhooks only since the row was written last.
        let takes_webhooks = self
            .registry()
            .get(&row.connector)
            .is_ok_and(|connector| connector.takes_webhooks());
        if takes_webhooks && row.webhook.is_none() {
            row.webhook = Some(self.new_webhook(&row).await?);
        }
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

    /// Writes a row whose tokens say more than before; `false` when somebody changed it meanwhile.
    pub(crate) async fn write_row(&self, by: &Actor, row: ConnectionRow, action: &'static str) -> Result<bool> {
        let version = row.version;
        let change = Change {
            row,
            action,
            detail: json!({}),
            events: vec![EventKind::ConnectorUpdated],
        };
        Ok(self.write(by, change, version).await?.is_some())
    }
}

async fn judge_accepted(connector: &Connector, accepted: &Accepted, scope: &Scope) -> Result<()> {
    let secret = |name: &str| accepted.secrets.get(name);
    let judged = connector.judge(&accepted.auth, &accepted.public, secret, scope).await;
    judged.map_err(|error| without(error, accepted.secrets.values()))
}

/// What a judge says may quote what he judged.
fn without<'a>(error: Error, secrets: impl Iterator<Item = &'a Secret>) -> Error {
    error.scrubbed(&Redactor::new(secrets.map(|secret| secret.reveal().as_str())))
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
