//! Sending a person to the service.

use serde_json::json;
use url::Url;

use super::{
    client::{Fields, Service, declared, needs_nobody, not_configured},
    pending::{self, Pending},
    pkce,
    request::addresses,
    standing::after,
};
use crate::{
    audit::Actor,
    clock::Timestamp,
    connection::Connect,
    connector::Connector,
    connectors::Connectors,
    error::{Code, Error, Result},
    event::{EventKind, Facts, Happened},
    id::OAuthStateId,
    limits::OAUTH_STATE_LIFE,
    name::DEFAULT_NAME,
    secret::Secret,
    store::Countable,
    token,
};

/// A sign-in that is wished for.
#[derive(Debug, Clone)]
pub struct BeginOAuth {
    /// What to connect, with the fields that are typed in beside the sign-in. A connection of this name is connected anew.
    pub connect: Connect,
    /// Where the service sends people back to: an address that is configured and registered with the service, never one
    /// that a request names. The connector's own declaration wins.
    pub redirect_uri: String,
    /// A secret that only this browser has, such as its session's: who comes back without it is refused. It may be empty
    /// where nothing is stored, because the cookie is such a secret.
    pub browser: Vec<u8>,
    /// Where the person goes after that: a path of the same origin. Anything else is left out.
    pub return_to: Option<String>,
}

/// A sign-in that was begun.
#[derive(Debug, Clone)]
pub struct OAuthBegun {
    /// Where to send the person.
    pub authorize_url: String,
    /// What comes back with them.
    pub state: String,
    /// Until when.
    pub ends_at: Timestamp,
    /// What the browser has to keep, as the value of the cookie [`COOKIE`](super::COOKIE), where nothing is stored.
    pub cookie: Option<String>,
}

/// Parameters that are ours alone.
const OWN: &[&str] = &[
    "response_type",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "code_challenge",
    "code_challenge_method",
];

impl Connectors {
    /// Begins a sign-in: the person is sent to the service, and comes back to
    /// [`finish_oauth`](Self::finish_oauth) within ten minutes, once, in the same browser.
    ///
    /// # Errors
    /// `CONNECTOR_OAUTH_NOT_CONFIGURED`, and those of [`connect`](Self::connect).
    pub async fn begin_oauth(&self, by: &Actor, begin: BeginOAuth) -> Result<OAuthBegun> {
        let about = self.about(by.tenant, "oauth.begin", |about| {
            about.connector(&begin.connect.connector).scope(&begin.connect.scope)
        });
        self.heed(about, self.sent_away(by, begin)).await
    }

    async fn sent_away(&self, by: &Actor, begin: BeginOAuth) -> Result<OAuthBegun> {
        self.check(&begin.connect)?;
        let connector = self.registry().get(&begin.connect.connector)?;
        let connect = Connect {
            auth: Some(method_of(&connector, &begin.connect)?),
            ..begin.connect
        };
        if connect.credential.is_some() {
            let detail = "Tokens lie in their connection: sign in without a shared credential.";
            return Err(
                Error::new(Code::ConnectorConfigInvalid, detail).field("/credentialId", "cannot be signed in with")
            );
        }
        if begin.browser.is_empty() && !self.inner.store.keeps_connections_only() {
            let detail = "A sign-in is bound to the browser that begins it: give a secret that only this browser has.";
            return Err(Error::new(Code::RequestInvalid, detail).field("/browser", "is required"));
        }
        let environment = by.home_for(connect.environment, "connection")?;
        let accepted = connector.accept(connect.auth.as_deref(), &connect.config)?;
        let fields = Fields {
            auth: &accepted.auth,
            environment,
            config: &accepted.public,
            secrets: &accepted.secrets,
        };
        let service = self.service(&connector, fields)?;
        let authorize = service
            .authorize
            .clone()
            .ok_or_else(|| not_configured(format!("`{}` does not say where people sign in.", connector.id())))?;
        self.has_room_for(by.tenant, Countable::Connections).await?;
        self.judge_wish(by, &connect).await?;

        let redirect_uri = service.declared.redirect_uri.clone().unwrap_or(begin.redirect_uri);
        check_redirect(&redirect_uri)?;
        let (state, hash) = token::new(&*self.inner.random)?;
        let verifier = match service.declared.without_pkce {
            Some(_) => None,
            None => Some(pkce::verifier(&*self.inner.random)?),
        };
        let authorize_url = authorize_url(&service, &authorize, &redirect_uri, &state, verifier.as_ref())?;
        let pending = Pending {
            connector: connect.connector,
            scope: connect.scope.clone(),
            name: connect.name.unwrap_or_else(|| DEFAULT_NAME.to_owned()),
            display_name: connect.display_name,
            description: connect.description,
            environment,
            auth: accepted.auth.clone(),
            config: connect.config.text().to_owned(),
            verifier: verifier.map(|verifier| verifier.reveal().clone()),
            redirect_uri,
            addresses: addresses(&service),
            browser: pending::browser(&begin.browser),
            return_to: begin.return_to.filter(|path| is_own_path(path)),
            by: by.name.clone(),
            ends_at: after(self.inner.clock.now(), OAUTH_STATE_LIFE),
        };
        let id = OAuthStateId::new(&*self.inner.clock, &*self.inner.random)?;
        let detail = json!({ "connector": pending.connector, "name": pending.name, "scope": pending.scope });
        let trail = self.trail(by, "oauth.started", id, detail, &[])?;
        let cookie = self.keep_pending(by.tenant, id, hash, &pending, trail).await?;
        self.inner.events.tell(EventKind::OauthStarted, || {
            let about = Happened::to(by.tenant)
                .connector(&pending.connector)
                .scope(&pending.scope);
            about.facts(facts(&service, true))
        });
        Ok(OAuthBegun {
            authorize_url,
            state: state.reveal().clone(),
            ends_at: pending.ends_at,
            cookie,
        })
    }
}

/// What events tell of a sign-in.
pub(super) fn facts(service: &Service<'_>, has_state: bool) -> Facts {
    let bare = |url: &str| url.split(['?', '#']).next().unwrap_or_default().to_owned();
    Facts::OAuth {
        authorization_url: service.authorize.as_deref().map(bare),
        token_url: Some(bare(&service.token)),
        pkce: service.declared.without_pkce.is_none(),
        scopes: service.declared.oauth_scopes.clone(),
        has_state,
    }
}

/// The method that was named, else the first that sends people away.
fn method_of(connector: &Connector, connect: &Connect) -> Result<String> {
    let sends_away = |id: &str| declared(connector, id).is_some_and(|declared| !needs_nobody(declared));
    let methods = || connector.manifest().auth.iter().map(|auth| auth.id.as_str());
    let found = match &connect.auth {
        Some(named) => Some(named.as_str()).filter(|named| sends_away(named)),
        None => methods().find(|id| sends_away(id)),
    };
    found.map(str::to_owned).ok_or_else(|| {
        let known: Vec<&str> = methods().collect();
        not_configured(format!(
            "`{}` is not connected by sending somebody to sign in: it takes {}.",
            connector.id(),
            known.join(", ")
        ))
    })
}

fn authorize_url(
    service: &Service<'_>,
    address: &str,
    redirect_uri: &str,
    state: &Secret,
    verifier: Option<&Secret>,
) -> Result<String> {
    let mut url = parsed(address)?;
    let scopes = service.declared.oauth_scopes.join(&service.declared.scope_separator);
    {
        let mut query = url.query_pairs_mut();
        query.append_pair("response_type", "code");
        query.append_pair("client_id", &service.client_id);
        query.append_pair("redirect_uri", redirect_uri);
        if !scopes.is_empty() {
            query.append_pair("scope", &scopes);
        }
        query.append_pair("state", state.reveal());
        if let Some(verifier) = verifier {
            query.append_pair("code_challenge", &pkce::challenge(verifier.reveal()));
            query.append_pair("code_challenge_method", "S256");
        }
        let others = service
            .authorize_params
            .iter()
            .filter(|(name, _)| !OWN.contains(&name.as_str()));
        for (name, value) in others {
            query.append_pair(name, value);
        }
    }
    Ok(url.into())
}

fn parsed(address: &str) -> Result<Url> {
    let url = Url::parse(address)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    url.ok_or_else(|| not_configured("The address where people sign in is no http or https URL.".to_owned()))
}

/// O4: it comes from a configuration, and goes to the service as it is.
fn check_redirect(uri: &str) -> Result<()> {
    let url = Url::parse(uri).ok();
    let fits = url.is_some_and(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.fragment().is_none()
            && url.password().is_none()
    });
    match fits {
        true => Ok(()),
        false => {
            let detail = "The address to come back to is an absolute http or https URL without a fragment.";
            Err(Error::new(Code::RequestInvalid, detail).field("/redirectUri", "is no such URL"))
        }
    }
}

/// O4: whether a text is a path of the same origin and nothing else, whoever parses it.
fn is_own_path(path: &str) -> bool {
    const HERE: &str = "https://here.invalid";
    let plain = path.starts_with('/')
        && path.len() <= 2048
        && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let joined = Url::parse(HERE).and_then(|here| here.join(path)).ok();
    plain && !path.starts_with("//") && joined.is_some_and(|url| url.origin().ascii_serialization() == HERE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o4_defect_6_only_a_path_of_the_same_origin_is_returned_to() {
        for good in ["/", "/connections?tab=1#top", "/a//b", "/a/https://b.example"] {
            assert!(is_own_path(good), "{good}");
        }
        for bad in [
            "",
            "connections",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "https://evil.example",
            "javascript:alert(1)",
            "/\tx",
            "/\r\nSet-Cookie: a=b",
            " /x",
            "/é",
        ] {
            assert!(!is_own_path(bad), "{bad}");
        }
    }

    #[test]
    fn o4_an_address_to_come_back_to_is_whole() {
        assert!(check_redirect("https://app.example/oauth/callback/acme").is_ok());
        for bad in [
            "/callback",
            "https://",
            "ftp://a.example/",
            "https://a.example/#x",
            "https://u:p@a.example/",
        ] {
            assert!(check_redirect(bad).is_err(), "{bad}");
        }
    }
}
