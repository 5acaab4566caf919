//! A connection made ready for calls: its fields, and its secrets opened.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use tieline_manifest::{Json, Tree, headers, request::SecretRef};

use crate::{
    audit::Actor,
    connector::{Accepted, Connector},
    connectors::Connectors,
    environment::Environment,
    error::{Code, Error, Result},
    http::redact::Redactor,
    id::ConnectionId,
    lent::{Lent, Loan},
    merged::stored,
    scope::Scope,
    secret::Secret,
    store::ConnectionRow,
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
    /// Where they belong, unless they came with the call.
    pub(crate) environment: Option<Environment>,
    pub(crate) auth: String,
    pub(crate) enabled: bool,
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
}

impl Opened {
    /// Fields that came with the call.
    pub(crate) fn inline(connector: &Connector, accepted: Accepted) -> Arc<Self> {
        let config = Json::from_tree(accepted.public);
        let secrets = unfolded(connector, &accepted.auth, accepted.secrets);
        Arc::new(Self {
            id: None,
            connector: connector.id().to_owned(),
            environment: None,
            auth: accepted.auth,
            enabled: true,
            loan: None,
            secret_version: 0,
            hosts: connector.hosts(config.tree()),
            config,
            redactor: redactor(&secrets),
            present: present(&secrets),
            secrets,
        })
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
            environment: Some(lent.environment),
            auth: accepted.auth,
            enabled: true,
            loan: Some(lent.loan()),
            secret_version: 0,
            hosts: connector.hosts(config.tree()),
            config,
            redactor,
            present: present(&accepted.secrets),
            secrets: accepted.secrets,
        })
    }
}

/// The secrets, and beside a field that holds headers each of its values as `field.Name`: they are sent, and scrubbed, one
/// by one.
fn unfolded(connector: &Connector, auth: &str, mut secrets: BTreeMap<String, Secret>) -> BTreeMap<String, Secret> {
    let mut values = Vec::new();
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

fn redactor(secrets: &BTreeMap<String, Secret>) -> Redactor {
    Redactor::new(secrets.values().map(|secret| secret.reveal().as_str()))
}

fn present(secrets: &BTreeMap<String, Secret>) -> BTreeSet<SecretRef> {
    secrets.keys().cloned().map(SecretRef::Config).collect()
}

impl Connectors {
    /// A connection by identifier, from the cache when it is warm.
    pub(crate) async fn opened(&self, by: &Actor, id: ConnectionId) -> Result<Arc<Opened>> {
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
        if let Some(id) = self.inner.names.get(by.tenant, &name) {
            match self.opened(by, *id).await {
                // The name may have a new bearer since.
                Err(error) if error.code() == Code::NotFound => self.inner.names.forget(by.tenant, &name),
                opened => return opened,
            }
        }
        let ticket = self.inner.names.ticket(by.tenant, &name);
        let (scope, connector) = (&name.scope, &name.connector);
        let row = self
            .inner
            .store
            .connection(by.tenant, scope, connector, &name.name)
            .await?;
        let row = row.ok_or_else(|| {
            let detail = format!("`{connector}` is not connected for this scope: connect it first.");
            Error::new(Code::ConnectorNotConnected, detail)
        })?;
        self.inner.names.insert(ticket, Arc::new(row.id));
        self.opened(by, row.id).await
    }

    /// Whether the tenant has this connection. Opens nothing; a warm answer runs no statement.
    ///
    /// # Errors
    /// `NOT_FOUND`.
    pub async fn has_connection(&self, by: &Actor, id: ConnectionId) -> Result<()> {
        match self.inner.opened.get(by.tenant, &id) {
            Some(_) => Ok(()),
            None => self.connection_row(by, id).await.map(drop),
        }
    }

    async fn open(&self, row: &ConnectionRow) -> Result<Arc<Opened>> {
        let connector = self.registry().get(&row.connector)?;
        let secrets = unfolded(&connector, &row.auth, self.open_secrets(row).await?);
        let config = stored(&row.config)?;
        Ok(Arc::new(Opened {
            id: Some(row.id),
            connector: row.connector.clone(),
            environment: Some(row.environment),
            auth: row.auth.clone(),
            enabled: row.enabled,
            loan: None,
            secret_version: row.secret_version,
            hosts: connector.hosts(config.tree()),
            config,
            redactor: redactor(&secrets),
            present: present(&secrets),
            secrets,
        }))
    }

    /// A connection that points to a credential.
    fn open_lent(&self, row: &ConnectionRow, lent: &Arc<Lent>) -> Result<Arc<Opened>> {
        let connector = self.registry().get(&row.connector)?;
        Ok(Arc::new(Opened {
            id: Some(row.id),
            environment: Some(row.environment),
            enabled: row.enabled,
            ..Opened::lent(&connector, lent, Some(&stored(&row.config)?))?
        }))
    }
}
