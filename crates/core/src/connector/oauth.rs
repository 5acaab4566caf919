//! How one signs in for a connector that is code, as it is declared.

use std::{collections::BTreeMap, fmt, sync::Arc};

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use tieline_manifest::Json;

use crate::{action::OAuthTokens, error::Result, secret::Secret};

/// Reads tokens from a service's answer.
pub type ReadTokens = Arc<dyn Fn(&Json) -> Result<OAuthTokens> + Send + Sync>;

/// Reads from a service's answer who signed in.
pub type ReadAccount = Arc<dyn Fn(&Json) -> Result<Account> + Send + Sync>;

/// Who signed in, as the service tells it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Account {
    /// The service's identifier of the account.
    pub id: String,
    /// What people call it.
    pub name: Option<String>,
    /// Its mail address.
    pub email: Option<String>,
    /// The address of its picture.
    pub avatar: Option<String>,
}

/// How one signs in with OAuth 2.0: the authorization code, with PKCE.
///
/// ```
/// use tieline::connector::OAuth;
///
/// let oauth = OAuth::new("https://login.acme.example/authorize", "https://login.acme.example/token")
///     .client("our-client-id", std::env::var("ACME_CLIENT_SECRET").unwrap_or_default())
///     .scopes(["contacts.read"])
///     .user_info_url("https://login.acme.example/me");
/// ```
pub struct OAuth {
    pub(super) authorization_url: String,
    pub(super) token_url: String,
    pub(super) client_id: Option<String>,
    pub(super) client_secret: Option<Secret>,
    pub(super) scopes: Vec<String>,
    pub(super) user_info_url: Option<String>,
    pub(super) extra_params: BTreeMap<String, String>,
    pub(super) without_pkce: Option<String>,
    pub(super) client_auth_in_body: bool,
    pub(super) issuer: Option<(String, bool)>,
    pub(super) read_tokens: Option<ReadTokens>,
    pub(super) read_account: Option<ReadAccount>,
}

impl OAuth {
    /// A declaration: where a person signs in, and where tokens are got.
    pub fn new(authorization_url: impl Into<String>, token_url: impl Into<String>) -> Self {
        Self {
            authorization_url: authorization_url.into(),
            token_url: token_url.into(),
            client_id: None,
            client_secret: None,
            scopes: Vec::new(),
            user_info_url: None,
            extra_params: BTreeMap::new(),
            without_pkce: None,
            client_auth_in_body: false,
            issuer: None,
            read_tokens: None,
            read_account: None,
        }
    }

    /// The client that is registered with the service. Its secret is in no descriptor.
    #[must_use]
    pub fn client(mut self, id: impl Into<String>, secret: impl Into<String>) -> Self {
        self.client_id = Some(id.into());
        self.client_secret = Some(Secret::new(secret.into()));
        self
    }

    /// The permissions that are asked for.
    #[must_use]
    pub fn scopes(mut self, scopes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.scopes.extend(scopes.into_iter().map(Into::into));
        self
    }

    /// Where the service tells who signed in.
    #[must_use]
    pub fn user_info_url(mut self, url: impl Into<String>) -> Self {
        self.user_info_url = Some(url.into());
        self
    }

    /// Adds a parameter to the address where a person signs in.
    #[must_use]
    pub fn extra_param(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.extra_params.insert(name.into(), value.into());
        self
    }

    /// Leaves PKCE out, for a service that does not know it. Say so in the reason.
    #[must_use]
    pub fn without_pkce(mut self, reason: impl Into<String>) -> Self {
        self.without_pkce = Some(reason.into());
        self
    }

    /// Sends the client's identifier and secret in the body of token requests, for a service that does not take them in a
    /// header as the standard wants it.
    #[must_use]
    pub fn client_auth_in_body(mut self) -> Self {
        self.client_auth_in_body = true;
        self
    }

    /// Who the service says it is when it sends people back (RFC 9207): another is refused, and where it says so each time,
    /// who comes back without is refused too.
    #[must_use]
    pub fn issuer(mut self, issuer: impl Into<String>, each_time: bool) -> Self {
        self.issuer = Some((issuer.into(), each_time));
        self
    }

    /// Reads the tokens from an answer that is not the standard's.
    #[must_use]
    pub fn read_tokens(mut self, read: impl Fn(&Json) -> Result<OAuthTokens> + Send + Sync + 'static) -> Self {
        self.read_tokens = Some(Arc::new(read));
        self
    }

    /// Reads who signed in from an answer that is not the usual one.
    #[must_use]
    pub fn read_account(mut self, read: impl Fn(&Json) -> Result<Account> + Send + Sync + 'static) -> Self {
        self.read_account = Some(Arc::new(read));
        self
    }

    /// Where the service tells who signed in.
    pub fn account_address(&self) -> Option<&str> {
        self.user_info_url.as_deref()
    }

    /// The client's secret.
    pub fn client_secret(&self) -> Option<&Secret> {
        self.client_secret.as_ref()
    }

    /// Who reads the tokens, unless they come as the standard has them.
    pub fn tokens_reader(&self) -> Option<&ReadTokens> {
        self.read_tokens.as_ref()
    }

    /// Who reads who signed in, unless it is told as usual.
    pub fn account_reader(&self) -> Option<&ReadAccount> {
        self.read_account.as_ref()
    }

    /// The auth method of a manifest that says the same, without the client's secret.
    pub(super) fn method(&self) -> Value {
        let mut method = json!({
            "type": "oauth2",
            "authorizationUrl": self.authorization_url,
            "tokenUrl": self.token_url,
        });
        if let Some(id) = &self.client_id {
            method["clientId"] = id.as_str().into();
        }
        if !self.scopes.is_empty() {
            method["oauthScopes"] = self.scopes.clone().into();
        }
        if !self.extra_params.is_empty() {
            method["authorizeParams"] = json!(self.extra_params);
        }
        if self.client_auth_in_body {
            method["clientAuth"] = "body".into();
        }
        if let Some((issuer, each_time)) = &self.issuer {
            method["issuer"] = issuer.as_str().into();
            method["issuerInCallback"] = (*each_time).into();
        }
        if let Some(reason) = &self.without_pkce {
            method["pkce"] = "unsupported".into();
            method["pkceReason"] = reason.as_str().into();
        }
        method
    }

    /// What may be told of it.
    pub(super) fn descriptor(&self) -> OAuthDescriptor {
        OAuthDescriptor {
            authorization_url: self.authorization_url.clone(),
            token_url: self.token_url.clone(),
            user_info_url: self.user_info_url.clone(),
            oauth_scopes: self.scopes.clone(),
            pkce: self.without_pkce.is_none(),
        }
    }
}

impl fmt::Debug for OAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuth")
            .field("authorization_url", &self.authorization_url)
            .finish_non_exhaustive()
    }
}

/// How one signs in, as everybody may see it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OAuthDescriptor {
    /// Where a person signs in.
    pub authorization_url: String,
    /// Where tokens are got.
    pub token_url: String,
    /// Where the service tells who signed in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_info_url: Option<String>,
    /// The permissions that are asked for.
    pub oauth_scopes: Vec<String>,
    /// Whether the code is bound to who asked for it (RFC 7636).
    pub pkce: bool,
}
