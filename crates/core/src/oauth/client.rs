//! Who asks, and where: a connector's declaration with a connection's fields filled in.

use std::collections::{BTreeMap, BTreeSet};

use tieline_manifest::{
    AuthKind, Door, FieldProblem, Grant, OAuth2, Tree, Values,
    request::{SecretRef, Text},
};
use zeroize::Zeroizing;

use super::answer::Reading;
use crate::{
    connector::{Connector, OAuth},
    connectors::Connectors,
    environment::Environment,
    error::{Code, Error, FieldError, Result},
    http::{Secrets, fill},
    secret::Secret,
};

/// A client that is registered with a service.
pub struct OAuthClient {
    /// What the service knows it by.
    pub id: String,
    /// Its secret, where it has one.
    pub secret: Option<Secret>,
}

/// The fields that a sign-in is made with.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a> {
    pub(super) auth: &'a str,
    pub(super) environment: Environment,
    pub(super) config: &'a Tree,
    pub(super) secrets: &'a BTreeMap<String, Secret>,
}

/// The service, as it is asked for tokens with these fields.
pub(super) struct Service<'a> {
    pub(super) connector: &'a Connector,
    pub(super) declared: &'a OAuth2,
    pub(super) client_id: Zeroizing<String>,
    pub(super) client_secret: Option<Zeroizing<String>>,
    /// Where people sign in; nothing, where nobody does.
    pub(super) authorize: Option<String>,
    pub(super) token: String,
    pub(super) refresh: String,
    pub(super) authorize_params: Vec<(String, String)>,
    /// Their values are encoded for a form already.
    pub(super) token_params: Vec<(String, Zeroizing<String>)>,
}

/// How a connector signs in with OAuth 2.0, if it does.
pub(crate) fn declared<'a>(connector: &'a Connector, auth: &str) -> Option<&'a OAuth2> {
    match &connector.auth(auth)?.kind {
        AuthKind::OAuth2(oauth) => Some(oauth),
        _ => None,
    }
}

/// Whether tokens are got without a person.
pub(crate) fn needs_nobody(declared: &OAuth2) -> bool {
    declared.grant != Grant::AuthorizationCode
}

pub(super) fn not_configured(detail: String) -> Error {
    Error::new(Code::ConnectorOauthNotConfigured, detail)
}

impl Secrets for Fields<'_> {
    fn get(&self, secret: &SecretRef) -> Option<&str> {
        match secret {
            SecretRef::Config(name) => self.secrets.get(name).map(|secret| secret.reveal().as_str()),
            SecretRef::Input(_) => None,
        }
    }
}

impl Connectors {
    /// The service of a connector with these fields.
    pub(super) fn service<'a>(&'a self, connector: &'a Connector, fields: Fields<'_>) -> Result<Service<'a>> {
        let id = connector.id();
        let declared = declared(connector, fields.auth).ok_or_else(|| {
            let method = fields.auth;
            not_configured(format!("`{id}` is not connected by signing in: it takes `{method}`."))
        })?;
        let present: BTreeSet<SecretRef> = fields.secrets.keys().cloned().map(SecretRef::Config).collect();
        let values = Values {
            input: &Tree::Null,
            config: fields.config,
            auth: connector.auth(fields.auth),
            secrets: &present,
        };
        let address = |door| {
            let found = declared.address(door, fields.environment.as_str(), &values);
            found.transpose().map_err(unfit)
        };
        let token = address(Door::Token)?
            .ok_or_else(|| not_configured(format!("`{id}` does not say where tokens are got: set its `tokenUrl`.")))?;
        let operator = self.inner.oauth_clients.get(id);
        let client_id = match (declared.client_id(&values), operator) {
            (Some(text), _) => fill(&text.map_err(unfit)?, &fields)?,
            (None, Some(operator)) => Zeroizing::new(operator.id.clone()),
            (None, None) => {
                return Err(not_configured(format!(
                    "No client is known for `{id}`: register one with the service, and give its identifier and secret."
                )));
            }
        };
        let of_code = connector.oauth().and_then(OAuth::client_secret);
        let given = of_code.or(operator.and_then(|operator| operator.secret.as_ref()));
        let client_secret = match (declared.client_secret(&values), given) {
            (Some(text), _) => Some(fill(&text.map_err(unfit)?, &fields)?),
            (None, given) => given.map(|secret| Zeroizing::new(secret.reveal().clone())),
        };
        Ok(Service {
            connector,
            declared,
            client_id,
            client_secret: client_secret.filter(|secret| !secret.is_empty()),
            authorize: address(Door::Authorize)?,
            refresh: address(Door::Refresh)?.unwrap_or_else(|| token.clone()),
            token,
            authorize_params: declared.authorize_params(&values).map_err(unfit)?,
            token_params: filled(declared.token_params(&values).map_err(unfit)?, &fields)?,
        })
    }
}

impl Service<'_> {
    /// How its answers are read.
    pub(super) fn reading(&self) -> Reading<'_> {
        Reading {
            service: self.name(),
            declared: self.declared,
            coded: self.connector.oauth(),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.connector.descriptor().name
    }
}

fn filled(params: Vec<(String, Text)>, fields: &Fields<'_>) -> Result<Vec<(String, Zeroizing<String>)>> {
    let fill = |(name, text)| Ok((name, fill(&text, fields)?));
    params.into_iter().map(fill).collect()
}

/// A field that an address or the client is made of is missing or does not fit.
fn unfit(problems: Vec<FieldProblem>) -> Error {
    let detail = "One cannot sign in with this configuration: see `fields`.";
    Error::new(Code::ConnectorConfigInvalid, detail).fields_from(problems.into_iter().map(|problem| FieldError {
        pointer: format!("/config{}", problem.pointer),
        message: problem.message,
    }))
}
