//! A shared credential made ready for calls, and what a connection or a call makes of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, OnceLock, Weak},
};

use tieline_manifest::{Json, Tree};

use crate::{
    audit::Actor,
    clock::Timestamp,
    connector::{Accepted, Connector},
    connectors::Connectors,
    environment::Environment,
    error::{Code, Error, Result},
    http::redact::Redactor,
    id::CredentialId,
    merged::{entries_of, stored},
    opened::Opened,
    secret::Secret,
    store::CredentialRow,
};

/// A credential, opened. Held by calls and by a bounded cache; secrets are wiped when the last holder lets go.
pub(crate) struct Lent {
    id: CredentialId,
    pub(crate) environment: Environment,
    expires_at: Option<Timestamp>,
    secret_version: u32,
    /// The connector it is for, and the auth method.
    of: Option<(String, String)>,
    config: Json,
    /// The secrets; of a credential that is for any connector every field, as JSON text.
    secrets: BTreeMap<String, Secret>,
    /// What a call by itself makes of it, if it is for one connector.
    ready: OnceLock<Arc<Opened>>,
}

/// Which credential an [`Opened`] comes from. It keeps nothing alive.
pub(crate) struct Loan {
    pub(crate) credential: CredentialId,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) secret_version: u32,
    lent: Weak<Lent>,
}

impl Lent {
    pub(crate) fn connector(&self) -> Option<&str> {
        self.of.as_ref().map(|(connector, _)| connector.as_str())
    }

    /// Its fields for a connector, with others laid over them that are no secret and do not decide where secrets go.
    pub(crate) fn accepted(&self, connector: &Connector, over: Option<&Json>) -> Result<Accepted> {
        let (auth, alone) = self.alone(connector)?;
        let over = over.map(|over| laid_over(connector, &auth, over)).transpose()?;
        let Some(over) = over.filter(|over| !over.is_empty()) else {
            return Ok(alone);
        };
        let mut fields: BTreeMap<String, Tree> = alone.public.as_object().unwrap_or_default().iter().cloned().collect();
        fields.extend(over.clone());
        let merged = Json::from_tree(Tree::Object(fields.into_iter().collect()));
        let kept: BTreeSet<String> = alone.secrets.keys().cloned().collect();
        let accepted = connector.accept_beside(Some(&auth), &merged, &kept)?;
        if connector.manifest().origin(&alone.public) != connector.manifest().origin(&accepted.public)
            || connector.hosts(&alone.public) != connector.hosts(&accepted.public)
        {
            return Err(over.keys().fold(elsewhere(), |error, name| {
                error.field(format!("/config/{name}"), "belongs into the credential")
            }));
        }
        Ok(Accepted {
            secrets: alone.secrets,
            ..accepted
        })
    }

    /// The auth method that it has for a connector.
    pub(crate) fn auth(&self, connector: &Connector) -> Result<String> {
        self.alone(connector).map(|(auth, _)| auth)
    }

    /// Its fields for a connector, as they are.
    fn alone(&self, connector: &Connector) -> Result<(String, Accepted)> {
        match &self.of {
            Some((own, _)) if own != connector.id() => {
                let detail = format!("This credential is for `{own}`, not for `{}`.", connector.id());
                Err(Error::new(Code::RequestInvalid, detail).field("/credentialId", "is for another connector"))
            }
            Some((_, auth)) => {
                let kept = self.secrets.keys().cloned().collect();
                let accepted = connector.accept_beside(Some(auth), &self.config, &kept);
                let accepted = accepted.map_err(|error| error.moved("/config", "/data"))?;
                let secrets = self.secrets.iter();
                let secrets = secrets.map(|(name, secret)| (name.clone(), Secret::new(secret.reveal().clone())));
                let secrets = secrets.collect();
                Ok((auth.clone(), Accepted { secrets, ..accepted }))
            }
            None => {
                let accepted = connector.accept(None, &self.fields()?);
                let accepted = accepted.map_err(|error| error.moved("/config", "/data"))?;
                Ok((accepted.auth.clone(), accepted))
            }
        }
    }

    /// All fields of a credential that is for any connector.
    fn fields(&self) -> Result<Json> {
        let field = |(name, secret): (&String, &Secret)| Ok((name.clone(), stored(secret.reveal())?.tree().clone()));
        let fields = self.secrets.iter().map(field).collect::<Result<_>>()?;
        Ok(Json::from_tree(Tree::Object(fields)))
    }

    /// Scrubs what this credential holds. Of one that is for any connector, that is every text: what is a secret for one
    /// connector may be none for another.
    pub(crate) fn redactor(&self, accepted: &Accepted) -> Result<Redactor> {
        let mut texts: Vec<String> = Vec::new();
        if self.of.is_none() {
            let fields = self.fields()?;
            let values = fields.tree().as_object().unwrap_or_default().iter();
            texts.extend(values.filter_map(|(_, value)| value.as_str().map(str::to_owned)));
        }
        let secrets = accepted.secrets.values().map(|secret| secret.reveal().as_str());
        let redactor = Redactor::new(secrets.chain(texts.iter().map(String::as_str)));
        texts.iter_mut().for_each(zeroize::Zeroize::zeroize);
        Ok(redactor)
    }

    pub(crate) fn loan(self: &Arc<Self>) -> Loan {
        Loan {
            credential: self.id,
            expires_at: self.expires_at,
            secret_version: self.secret_version,
            lent: Arc::downgrade(self),
        }
    }

    /// Ready for a call by itself.
    pub(crate) fn opened(self: &Arc<Self>, connector: &Connector, over: Option<&Json>) -> Result<Arc<Opened>> {
        let make = || Opened::lent(connector, self, over).map(Arc::new);
        if over.is_some() || self.of.is_none() {
            return make();
        }
        match self.ready.get() {
            Some(ready) if ready.connector == connector.id() => Ok(ready.clone()),
            _ => {
                let made = make()?;
                Ok(self.ready.get_or_init(|| made).clone())
            }
        }
    }
}

/// The fields that a connection or a call lays over a credential's.
pub(crate) fn laid_over(connector: &Connector, auth: &str, over: &Json) -> Result<BTreeMap<String, Tree>> {
    let mut fields = by_own_names(connector, auth, over)?;
    fields.retain(|_, value| !value.is_null());
    let mut wrong = Vec::new();
    for (given, _) in entries_of(over)?.iter().filter(|(_, value)| !value.is_null()) {
        let name = connector.field_name(auth, given);
        if connector.is_secret(auth, &name) || connector.is_target(auth, &name) {
            wrong.push(given);
        }
    }
    if wrong.is_empty() {
        return Ok(fields);
    }
    Err(wrong.into_iter().fold(elsewhere(), |error, name| {
        error.field(format!("/config/{name}"), "belongs into the credential")
    }))
}

/// The same fields, each under its own name in place of an alias; refuses one that is given under two of its names.
pub(crate) fn by_own_names(connector: &Connector, auth: &str, config: &Json) -> Result<BTreeMap<String, Tree>> {
    let mut fields = BTreeMap::new();
    for (given, value) in entries_of(config)? {
        let name = connector.field_name(auth, given);
        if fields.insert(name.clone(), value.clone()).is_some() {
            let detail = format!("`{name}` is given twice, under two of its names: give it once.");
            let error = Error::new(Code::ConnectorConfigInvalid, detail);
            return Err(error.field(format!("/config/{given}"), "is given under another name too"));
        }
    }
    Ok(fields)
}

fn elsewhere() -> Error {
    let detail = "Secrets, and what decides where they are sent, stand in the connection or in the credential it points to, never in both: \
                  leave them out, or leave out `credentialId`.";
    Error::new(Code::ConnectorConfigInvalid, detail)
}

impl Connectors {
    /// A credential by identifier, from the cache when it is warm.
    pub(crate) async fn lent(&self, by: &Actor, id: CredentialId) -> Result<Arc<Lent>> {
        if let Some(lent) = self.inner.lent.get(by.tenant, &id) {
            by.may_use(lent.environment, "credential")?;
            return Ok(lent);
        }
        let ticket = self.inner.lent.ticket(by.tenant, &id);
        let lent = self.lent_afresh(by, id).await?;
        self.inner.lent.insert(ticket, lent.clone());
        Ok(lent)
    }

    /// A credential by identifier, as it is stored now.
    pub(crate) async fn lent_afresh(&self, by: &Actor, id: CredentialId) -> Result<Arc<Lent>> {
        let row = self.credential_row(by, id).await?;
        by.may_use(row.environment, "credential")?;
        self.lend(&row).await.map(Arc::new)
    }

    async fn lend(&self, row: &CredentialRow) -> Result<Lent> {
        Ok(Lent {
            id: row.id,
            environment: row.environment,
            expires_at: row.expires_at,
            secret_version: row.secret_version,
            of: row.connector.clone().zip(row.auth.clone()),
            config: stored(&row.config)?,
            secrets: self.open_secrets(row).await?,
            ready: OnceLock::new(),
        })
    }

    /// Whether what was opened still comes from the credential as it is known now.
    pub(crate) fn is_current(&self, by: &Actor, opened: &Opened) -> bool {
        opened.loan.as_ref().is_none_or(|loan| {
            let now = self.inner.lent.get(by.tenant, &loan.credential);
            now.is_some_and(|now| Weak::ptr_eq(&Arc::downgrade(&now), &loan.lent))
        })
    }
}

impl Loan {
    /// Refuses a credential whose time is over.
    pub(crate) fn check(&self, now: Timestamp) -> Result<()> {
        match self.expires_at {
            Some(at) if at <= now => Err(expired(at)),
            _ => Ok(()),
        }
    }
}

/// What is told of a credential whose time is over.
pub(crate) fn expired(at: Timestamp) -> Error {
    let detail = format!(
        "The credential expired at {at}, and nothing is sent with it since: rotate it, or give it a later `expiresAt`."
    );
    Error::new(Code::CredentialExpired, detail).before_sending()
}
