//! Taking what a person comes back with.

use std::collections::BTreeMap;

use serde_json::json;
use tieline_manifest::{KeptFrom, Tree};
use url::form_urlencoded;

use super::{
    answer::{Fresh, is_word, kept_of_tokens},
    begin::facts,
    client::{Fields, Service},
    pending::{self, Pending, not_under_way},
    refusal::Refusal,
    request::{Asking, addresses},
    tokens::TokenSet,
};
use crate::{
    audit::Actor,
    connection::Connection,
    connector::{Connector, OAuth},
    connectors::Connectors,
    error::{Code, Error, Result},
    event::{EventKind, Happened},
    id::{ConnectionId, TenantId},
    limits::OAUTH_CALLBACK_BYTES,
    store::ConnectionRow,
    token,
};

/// What a person comes back with.
#[derive(Clone, Copy)]
pub struct CameBack<'a> {
    /// The query of the address, as it stands.
    pub query: &'a str,
    /// What [`BeginOAuth::browser`](super::BeginOAuth::browser) was.
    pub browser: &'a [u8],
    /// The value of the cookie [`COOKIE`](super::COOKIE), where nothing is stored.
    pub cookie: Option<&'a str>,
    /// The connector whose address it is, where each has its own: a sign-in of another one is refused.
    pub connector: Option<&'a str>,
}

/// How a sign-in ended.
#[derive(Debug)]
pub struct OAuthFinished {
    /// Which connector it was for, where the sign-in was under way.
    pub connector: Option<String>,
    /// Where its person wanted to go after it.
    pub return_to: Option<String>,
    /// The connection, or why there is none. What it says holds no word of the service beside a code.
    pub outcome: Result<Connection>,
}

/// The parameters of a callback. One that stands there twice is none (O2).
struct Told(BTreeMap<String, String>);

impl Told {
    fn read(query: &str) -> Option<Self> {
        if query.len() > OAUTH_CALLBACK_BYTES {
            return None;
        }
        let mut told = BTreeMap::new();
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        let are_single = pairs.all(|(name, value)| told.insert(name.into_owned(), value.into_owned()).is_none());
        are_single.then_some(Self(told))
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

impl Connectors {
    /// Ends a sign-in: takes its state out, asks the service for tokens, and connects.
    ///
    /// Nothing is asked of the service unless the state is one that this browser began within ten minutes, and that did not
    /// come back before.
    pub async fn finish_oauth(&self, came: CameBack<'_>) -> OAuthFinished {
        let found = self.under_way(&came).await;
        let (told, tenant, pending) = match found {
            Ok(found) => found,
            Err(error) => {
                return OAuthFinished {
                    connector: None,
                    return_to: None,
                    outcome: Err(error),
                };
            }
        };
        let by = Actor::new(tenant, &pending.by);
        let ended = self.signed_in(&by, &told, &pending).await;
        if let Err(error) = &ended {
            self.sign_in_failed(&by, &pending, error).await;
        }
        OAuthFinished {
            connector: Some(pending.connector.clone()),
            return_to: pending.return_to.clone(),
            outcome: ended,
        }
    }

    /// The sign-in that somebody comes back to (O1, O2).
    async fn under_way(&self, came: &CameBack<'_>) -> Result<(Told, TenantId, Pending)> {
        let told = Told::read(came.query).ok_or_else(not_under_way)?;
        let hash = told.get("state").and_then(token::hash_of).ok_or_else(not_under_way)?;
        let (tenant, pending) = self.take_pending(hash, came.cookie).await?;
        let is_theirs = pending.browser == pending::browser(came.browser);
        let is_its = came.connector.is_none_or(|connector| connector == pending.connector);
        match is_theirs && is_its {
            true => Ok((told, tenant, pending)),
            false => Err(not_under_way()),
        }
    }

    async fn signed_in(&self, by: &Actor, told: &Told, pending: &Pending) -> Result<Connection> {
        let connector = self.registry().get(&pending.connector)?;
        let connect = pending.connect()?;
        let accepted = connector.accept(connect.auth.as_deref(), &connect.config)?;
        let fields = Fields {
            auth: &accepted.auth,
            environment: pending.environment,
            config: &accepted.public,
            secrets: &accepted.secrets,
        };
        let service = self.service(&connector, fields)?;
        if addresses(&service) != pending.addresses {
            // O5: it was begun with other addresses than the connector has now.
            return Err(not_under_way());
        }
        let code = code_of(&service, told)?;
        let asking = Asking::Code {
            code,
            redirect_uri: &pending.redirect_uri,
            verifier: pending.verifier.as_deref(),
        };
        let fresh = self.ask_for_tokens(by.tenant, &service, asking).await;
        let Fresh { set, expires_at, json } = fresh.map_err(no_tokens)?;
        let mut kept = kept_of_tokens(service.declared, &json);
        kept.extend(kept_of_callback(&service, told));
        let beside = self.beside(&set, expires_at, service.reading().renews(&set), kept)?;
        let row = self.connect_beside(by, &connect, &beside).await?;
        self.inner.events.tell(EventKind::OauthCompleted, || {
            let about = Happened::to(by.tenant).connector(connector.id()).scope(&row.scope);
            about.connection(row.id).facts(facts(&service, true))
        });
        self.meet(by, &connector, &row, set).await;
        self.hasten_test(by.tenant, row.id).await;
        self.connection_row(by, row.id)
            .await
            .and_then(|row| Connection::of(&row))
    }

    /// Asks who signed in, where the service tells it. The connection stands, whatever comes of it.
    async fn meet(&self, by: &Actor, connector: &Connector, row: &ConnectionRow, mut set: TokenSet) {
        let Some(address) = connector.oauth().and_then(OAuth::account_address) else {
            return;
        };
        let met = async {
            let answer = self.ask_who(by.tenant, address, set.access_token.reveal()).await?;
            let declared = super::client::declared(connector, &row.auth);
            let declared = declared.ok_or_else(|| Error::internal("who signed in", "its method is gone"))?;
            let reading = super::answer::Reading {
                service: &connector.descriptor().name,
                declared,
                coded: connector.oauth(),
            };
            set.account = Some(reading.account(&answer.body)?);
            self.keep_account(by, row, &set).await
        };
        if let Err(error) = met.await {
            tracing::warn!(code = %error.code(), connection = %row.id, "who signed in is not known");
        }
    }

    async fn sign_in_failed(&self, by: &Actor, pending: &Pending, error: &Error) {
        self.inner.events.tell(EventKind::OauthFailed, || {
            let about = Happened::to(by.tenant)
                .connector(&pending.connector)
                .scope(&pending.scope);
            about.operation("oauth.finish").failed(error)
        });
        let detail = json!({ "connector": pending.connector, "name": pending.name, "code": error.code() });
        let recorded = async {
            let nobody = ConnectionId::from_bytes([0; 16]);
            let trail = self.trail(by, "oauth.failed", nobody, detail, &[])?;
            self.inner.store.record(by.tenant, trail).await
        };
        if let Err(error) = recorded.await {
            tracing::warn!(code = %error.code(), "a sign-in that failed cannot be written down");
        }
    }
}

/// The code that somebody came back with, from the service that they were sent to.
fn code_of<'t>(service: &Service<'_>, told: &'t Told) -> Result<&'t str> {
    let name = service.name();
    let failed = |detail: String| Error::new(Code::ConnectorOauthTokenFailed, detail);
    let declared = service.declared;
    // RFC 9207 section 2.4: compared as it stands, and before anything else is believed.
    let is_them = match (told.get("iss"), &declared.issuer) {
        (Some(iss), Some(issuer)) => iss == issuer,
        (None, Some(_)) => !declared.issuer_is_told,
        (_, None) => true,
    };
    if !is_them {
        let detail =
            format!("What came back is not {name}'s: begin again, and tell an operator if it happens once more.");
        return Err(Error::new(Code::ConnectorOauthStateInvalid, detail));
    }
    match (told.get("error"), told.get("code")) {
        (Some("access_denied"), _) => Err(failed(format!("{name} was not allowed to let us in (access_denied)."))),
        (Some(word), _) if is_word(word) => Err(failed(format!("{name} did not let us in ({word}): begin again."))),
        (Some(_), _) => Err(failed(format!("{name} did not let us in: begin again."))),
        (None, Some(code)) if !code.is_empty() => Ok(code),
        (None, _) => Err(failed(format!("{name} sent you back without a code: begin again."))),
    }
}

/// There are no tokens: what was wrong on the way counts as that, too.
fn no_tokens(refusal: Refusal) -> Error {
    let error = refusal.error;
    match error.code() {
        Code::ConnectorOauthParseTokenFailed | Code::ConnectorOauthTokenFailed => error,
        Code::Overloaded | Code::Internal => error,
        _ => Error::new(Code::ConnectorOauthTokenFailed, error.detail().to_owned())
            .retry(error.retry_hint())
            .caused_by(error),
    }
}

fn kept_of_callback(service: &Service<'_>, told: &Told) -> Vec<(String, Tree)> {
    let kept = service.declared.keep.iter().filter_map(|kept| match &kept.from {
        KeptFrom::Callback(name) => Some((kept.name.clone(), Tree::String(told.get(name)?.to_owned()))),
        _ => None,
    });
    kept.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o2_a_parameter_that_stands_there_twice_is_refused() {
        assert!(Told::read("state=a&code=b").is_some());
        for doubled in ["state=a&state=a", "code=a&state=b&code=c", "a&a=", "iss=x&%69ss=y"] {
            assert!(Told::read(doubled).is_none(), "{doubled}");
        }
        assert!(Told::read(&"a".repeat(OAUTH_CALLBACK_BYTES + 1)).is_none());
    }
}
