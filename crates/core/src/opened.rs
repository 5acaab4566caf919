//! A connection made ready for calls: its fields, and its secrets opened.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, atomic::AtomicBool},
};

use tieline_manifest::{Json, Tree, headers, request::SecretRef};

use crate::{
    action::OAuthTokens,
    audit::Actor,
    connector::{Accepted, Connector},
    connectors::Connectors,
    environment::Environment,
    error::{Code, Error, Result},
    http::redact::Redactor,
    id::ConnectionId,
    lent::{Lent, Loan},
    merged::stored,
    oauth::{Standing, TokenSet, tokens_of},
    scope::Scope,
    secret::Secret,
    store::{ConnectionRow, HealthState},
};

/// What a connection is unique by, inside its tenant. It never changes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Name {
    pub(crate) scope: Scope,
    pub(crate) connector: String,
    pub(crate) name: String,
}

/// Fields and secrets, opened. Held by calls and by a bounded cache; secrets are wiped when the last holder lets go.
pub(crate) struct Opened {
    /// Which connection, unless the fields came with the call.
    pub(crate) id: Option<ConnectionId>,
    pub(crate) connector: String,
    /// For whom it is held, unless the fields came with the call.
    pub(crate) scope: Option<Scope>,
    /// Whether they are what the connector works with where nobody connected it.
    pub(crate) is_default: bool,
    /// Where they belong, unless they came with the call.
    pub(crate) environment: Option<Environment>,
    pub(crate) auth: String,
    pub(crate) enabled: bool,
    /// Whether it was healthy, and nothing spoke against it since.
    pub(crate) is_sound: AtomicBool,
    /// The version of the row, where there is one.
    pub(crate) version: u64,
    /// The credential they come from, if they do not stand in the connection itself.
    pub(crate) loan: Option<Loan>,
    /// Which version of the secrets this is.
    pub(crate) secret_version: u32,
    pub(crate) config: Json,
    /// Where the secrets may be sent.
    pub(crate) hosts: Arc<[String]>,
    /// Scrubs the secrets from whatever a call produces.
    pub(crate) redactor: Redactor,
    pub(crate) secrets: BTreeMap<String, Secret>,
    /// The secrets by name, as rendering asks for them.
    pub(crate) present: BTreeSet<SecretRef>,
    /// What is known of its tokens, where it has any or gets them without a person.
    pub(crate) standing: Option<Standing>,
    /// The tokens.
    pub(crate) tokens: Option<OAuthTokens>,
}

impl Opened {
    /// Fields that came with the call.
    pub(crate) fn inline(connector: &Connector, accepted: Accepted) -> Arc<Self> {
        Arc::new(Self::of(connector, accepted))
    }

    /// What a connector works with where nobody connected it.
    pub(crate) fn by_default(connector: &Connector, accepted: Accepted) -> Arc<Self> {
        let scope = Scope {
            kind: "default".to_owned(),
            identity: String::new(),
        };
        Arc::new(Self {
            scope: Some(scope),
            is_default: true,
            ..Self::of(connector, accepted)
        })
    }

    fn of(connector: &Connector, accepted: Accepted) -> Self {
        let config = Json::from_tree(accepted.public);
        let secrets = unfolded(connector, &accepted.auth, accepted.secrets);
        Self {
            id: None,
            connector: connector.id().to_owned(),
            scope: None,
            is_default: false,
            environment: None,
            auth: accepted.auth,
            enabled: true,
            is_sound: AtomicBool::new(false),
            version: 0,
            loan: None,
            secret_version: 0,
            hosts: connector.hosts(config.tree()),
            config,
            redactor: redactor(&secrets, &[]),
            present: present(&secrets),
            secrets,
            standing: None,
            tokens: None,
        }
    }

    /// As which connection its uses are counted. A credential that is used by itself counts like a connection; no
    /// connection has its identifier.
    pub(crate) fn counted_as(&self) -> Option<ConnectionId> {
        let lent = self.loan.as_ref().map(|loan| *loan.credential.as_bytes());
        self.id.or(lent.map(ConnectionId::from_bytes))
    }

    /// Those of a credential, with fields laid over them.
    pub(crate) fn lent(connector: &Connector, lent: &Arc<Lent>, over: Option<&Json>) -> Result<Self> {
        let mut accepted = lent.accepted(connector, over)?;
        accepted.secrets = unfolded(connector, &accepted.auth, accepted.secrets);
        let redactor = lent.redactor(&accepted)?;
        let config = Json::from_tree(accepted.public);
        Ok(Self {
            id: None,
            connector: connector.id().to_owned(),
            scope: None,
            is_default: false,
            environment: Some(lent.environment),
            auth: accepted.auth,
            enabled: true,
            is_sound: AtomicBool::new(false),
            version: 0,
            loan: Some(lent.loan()),
            secret_version: 0,
            hosts: connector.hosts(config.tree()),
            config,
            redactor,
            present: present(&accepted.secrets),
            secrets: accepted.secrets,
            standing: None,
            tokens: None,
        })
    }
}

/// The secrets, and beside a field that holds several each of its texts as `field.name`: they are sent, and scrubbed, one
/// by one.
fn unfolded(connector: &Connector, auth: &str, mut secrets: BTreeMap<String, Secret>) -> BTreeMap<String, Secret> {
    let mut values = Vec::new();
    for (field, secret) in secrets.iter().filter(|(field, _)| connector.is_json(auth, field)) {
        match Json::parse(secret.reveal()).as_ref().map(Json::tree) {
            // The field itself has the name already.
            Ok(Tree::String(text)) => values.push((format!("{field}."), Secret::new(text.clone()))),
            Ok(value) => texts(field, value, &mut values),
            Err(_) => {}
        }
    }
    for (field, secret) in secrets.iter().filter(|(field, _)| connector.is_headers(auth, field)) {
        let read = headers(&Tree::String(secret.reveal().clone())).unwrap_or_default();
        values.extend(
            read.into_iter()
                .map(|(name, value)| (format!("{field}.{name}"), Secret::new(value))),
        );
    }
    secrets.extend(values);
    secrets
}

/// The texts in a value, each with the way to it.
fn texts(way: &str, value: &Tree, out: &mut Vec<(String, Secret)>) {
    match value {
        Tree::String(text) => out.push((way.to_owned(), Secret::new(text.clone()))),
        Tree::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                texts(&format!("{way}.{index}"), item, out);
            }
        }
        Tree::Object(entries) => {
            for (name, value) in entries {
                texts(&format!("{way}.{name}"), value, out);
            }
        }
        _ => {}
    }
}

/// The tokens as handlers are given them; among the secrets they stand as requests name them, and are scrubbed as any.
fn tokens(set: TokenSet, standing: Option<&Standing>, secrets: &mut BTreeMap<String, Secret>) -> OAuthTokens {
    let again = |secret: &Secret| Secret::new(secret.reveal().clone());
    let all = [
        ("accessToken", Some(&set.access_token)),
        ("refreshToken", set.refresh_token.as_ref()),
    ];
    for (name, secret) in all {
        secrets.extend(secret.map(|secret| (name.to_owned(), again(secret))));
    }
    OAuthTokens {
        access_token: set.access_token,
        refresh_token: set.refresh_token,
        expires_at: standing.and_then(|standing| standing.expires_at),
        account: set.account.map(|account| account.label().to_owned()),
    }
}

fn is_sound(row: &ConnectionRow) -> AtomicBool {
    AtomicBool::new(row.health.state == HealthState::Healthy)
}

fn redactor(secrets: &BTreeMap<String, Secret>, besides: &[Secret]) -> Redactor {
    let all = secrets.values().chain(besides);
    Redactor::new(all.map(|secret| secret.reveal().as_str()))
}

fn present(secrets: &BTreeMap<String, Secret>) -> BTreeSet<SecretRef> {
    secrets.keys().cloned().map(SecretRef::Config).collect()
}

impl Connectors {
    /// A connection by identifier, from the cache when it is warm.
    pub(crate) async fn opened(&self, by: &Actor, id: ConnectionId) -> Result<Arc<Opened>> {
        if self.inner.store.keeps_connections_only() {
            return self.opened_as(&self.connection_row(by, id).await?).await;
        }
        if let Some(opened) = self.inner.opened.get(by.tenant, &id)
            && self.is_current(by, &opened)
        {
            return Ok(opened);
        }
        let ticket = self.inner.opened.ticket(by.tenant, &id);
        let row = self.connection_row(by, id).await?;
        let opened = match row.credential {
            None => self.open(&row).await?,
            Some(credential) => self.open_lent(&row, &self.lent(by, credential).await?)?,
        };
        self.inner.opened.insert(ticket, opened.clone());
        Ok(opened)
    }

    /// A row that was read just now: nothing tells of its changes, so what is ready of it is good while it has this version.
    async fn opened_as(&self, row: &ConnectionRow) -> Result<Arc<Opened>> {
        let (tenant, id) = (row.tenant, row.id);
        let ready = self.inner.opened.get(tenant, &id);
        if let Some(opened) = ready.filter(|opened| opened.version == row.version) {
            return Ok(opened);
        }
        let ticket = self.inner.opened.ticket(tenant, &id);
        let opened = self.open(row).await?;
        self.inner.opened.insert(ticket, opened.clone());
        Ok(opened)
    }

    /// A connection by identifier, as it is stored now: what a test finds out is said of these secrets and no others.
    pub(crate) async fn opened_afresh(&self, by: &Actor, id: ConnectionId) -> Result<Arc<Opened>> {
        let row = self.connection_row(by, id).await?;
        match row.credential {
            None => self.open(&row).await,
            Some(credential) => self.open_lent(&row, &self.lent_afresh(by, credential).await?),
        }
    }

    /// A connection by its name, from the caches when they are warm.
    pub(crate) async fn opened_by_name(&self, by: &Actor, name: Name) -> Result<Arc<Opened>> {
        if self.inner.store.keeps_connections_only() {
            return self.opened_as(&self.named_row(by, &name).await?).await;
        }
        if let Some(id) = self.inner.names.get(by.tenant, &name) {
            match self.opened(by, *id).await {
                // The name may have a new bearer since.
                Err(error) if error.code() == Code::NotFound => self.inner.names.forget(by.tenant, &name),
                opened => return opened,
            }
        }
        let ticket = self.inner.names.ticket(by.tenant, &name);
        let row = self.named_row(by, &name).await?;
        self.inner.names.insert(ticket, Arc::new(row.id));
        self.opened(by, row.id).await
    }

    async fn named_row(&self, by: &Actor, name: &Name) -> Result<ConnectionRow> {
        let (scope, connector) = (&name.scope, &name.connector);
        let store = &self.inner.store;
        let row = store.connection(by.tenant, scope, connector, &name.name).await?;
        row.ok_or_else(|| {
            let detail = format!("`{connector}` is not connected for this scope: connect it first.");
            Error::new(Code::ConnectorNotConnected, detail)
        })
    }

    /// Whether the tenant has this connection. Opens nothing; a warm answer runs no statement.
    ///
    /// # Errors
    /// `NOT_FOUND`.
    pub async fn has_connection(&self, by: &Actor, id: ConnectionId) -> Result<()> {
        match self.inner.opened.get(by.tenant, &id) {
            Some(_) if !self.inner.store.keeps_connections_only() => Ok(()),
            _ => self.connection_row(by, id).await.map(drop),
        }
    }

    async fn open(&self, row: &ConnectionRow) -> Result<Arc<Opened>> {
        let connector = self.registry().get(&row.connector)?;
        let mut unveiled = self.unveiled(&connector, row).await?;
        let standing = self.standing(row)?;
        let set = tokens_of(&mut unveiled.secrets)?;
        let tokens = set.map(|set| tokens(set, standing.as_ref(), &mut unveiled.secrets));
        let secrets = unfolded(&connector, &row.auth, unveiled.secrets);
        let config = unveiled.config;
        Ok(Arc::new(Opened {
            id: Some(row.id),
            connector: row.connector.clone(),
            scope: Some(row.scope.clone()),
            is_default: false,
            environment: Some(row.environment),
            auth: row.auth.clone(),
            enabled: row.enabled,
            is_sound: is_sound(row),
            version: row.version,
            loan: None,
            secret_version: row.secret_version,
            hosts: connector.hosts(config.tree()),
            config,
            redactor: redactor(&secrets, &unveiled.texts),
            present: present(&secrets),
            secrets,
            standing,
            tokens,
        }))
    }

    /// A connection that points to a credential.
    fn open_lent(&self, row: &ConnectionRow, lent: &Arc<Lent>) -> Result<Arc<Opened>> {
        let connector = self.registry().get(&row.connector)?;
        Ok(Arc::new(Opened {
            id: Some(row.id),
            scope: Some(row.scope.clone()),
            environment: Some(row.environment),
            enabled: row.enabled,
            is_sound: is_sound(row),
            version: row.version,
            ..Opened::lent(&connector, lent, Some(&stored(&row.config)?))?
        }))
    }
}
