//! OAuth 2.0, as it is declared. Signing in is done elsewhere.

mod client;

use crate::{
    endpoint::{Address, header_name, is_plain_url, read_json_path, read_templates},
    lint::{self, Lints},
    node::{Fields, Spot},
    path::Path,
    request::{SecretRef, Text},
    template::{Names, Place, Template, is_name},
    values::{FieldProblem, Scope, Values},
};

/// The secret field that holds the access token once somebody signed in.
pub(crate) const ACCESS_TOKEN: &str = "accessToken";

/// OAuth 2.0 (RFC 6749) with its services' habits.
#[derive(Debug, Clone)]
pub struct OAuth2 {
    /// How the first token is got.
    pub grant: Grant,
    /// Where people sign in and tokens are got, where that is the same in every environment.
    pub addresses: Addresses,
    /// The addresses for connections of an environment, by its word.
    pub environments: Vec<(&'static str, Addresses)>,
    /// The client; the operator's when absent.
    pub client_id: Option<Template>,
    /// The client's secret; the operator's when absent.
    pub client_secret: Option<Template>,
    /// How the client proves itself to the token address.
    pub client_auth: ClientAuth,
    /// The permissions that are asked for.
    pub oauth_scopes: Vec<String>,
    /// What stands between them.
    pub scope_separator: String,
    /// Why PKCE is left out; it is used when absent.
    pub without_pkce: Option<String>,
    /// Further parameters of the sign-in address.
    pub authorize_params: Vec<(String, Template)>,
    /// Further parameters of the token request.
    pub token_params: Vec<(String, Template)>,
    /// Where the token answer tells what.
    pub token_paths: TokenPaths,
    /// Whether a refresh token works once only.
    pub rotating_refresh: bool,
    /// Seconds a token lives where the answer does not tell.
    pub expires_in: Option<u64>,
    /// Who the service says it is when it sends people back (RFC 9207).
    pub issuer: Option<String>,
    /// Whether it says so each time.
    pub issuer_is_told: bool,
    /// The header that carries the token, in lower case.
    pub token_header: String,
    /// What stands before it.
    pub token_prefix: String,
    /// Values that the sign-in tells and that are kept as public fields.
    pub keep: Vec<Kept>,
    /// Where the service sends people back to; the server's own address when absent.
    pub redirect_uri: Option<String>,
    /// The same by environment, to be registered with the service.
    pub redirect_uris: Vec<(&'static str, Vec<String>)>,
    /// For who registers the client.
    pub notes: Vec<String>,
    pub(crate) token: Place,
}

/// How the first token is got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are RFC 6749's")]
pub enum Grant {
    AuthorizationCode,
    ClientCredentials,
    RefreshToken,
}

/// How the client proves itself to the token address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAuth {
    /// `Authorization: Basic …`
    Basic,
    /// In the body.
    Body,
    /// Not at all: it has no secret.
    None,
}

/// Addresses of a service.
#[derive(Debug, Clone, Default)]
pub struct Addresses {
    authorize: Option<Address>,
    token: Option<Address>,
    refresh: Option<Address>,
    revoke: Option<Address>,
    jwks: Option<Address>,
}

/// An address of OAuth 2.0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// Where a person signs in.
    Authorize,
    /// Where tokens are got.
    Token,
    /// Where they are refreshed.
    Refresh,
    /// Where they are given back (RFC 7009).
    Revoke,
    /// Where the service publishes its keys (RFC 7517).
    Jwks,
}

impl Addresses {
    fn at(&self, door: Door) -> Option<&Address> {
        match door {
            Door::Authorize => self.authorize.as_ref(),
            Door::Token => self.token.as_ref(),
            Door::Refresh => self.refresh.as_ref().or(self.token.as_ref()),
            Door::Revoke => self.revoke.as_ref(),
            Door::Jwks => self.jwks.as_ref(),
        }
    }
}

/// Where the token answer tells what, if not where RFC 6749 section 5.1 says.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "the names are RFC 6749's")]
pub struct TokenPaths {
    pub access_token: Option<Path>,
    pub refresh_token: Option<Path>,
    pub expires_in: Option<Path>,
    pub scope: Option<Path>,
    pub token_type: Option<Path>,
}

/// A value that the sign-in tells.
#[derive(Debug, Clone)]
pub struct Kept {
    /// The public field it becomes.
    pub name: String,
    /// Where it is told.
    pub from: KeptFrom,
}

/// Where a kept value is told.
#[derive(Debug, Clone)]
pub enum KeptFrom {
    /// In this parameter of the callback's query.
    Callback(String),
    /// In the token answer.
    Token(Path),
    /// In the answer to the credential test.
    Test(Path),
}

pub(crate) const GRANTS: &[(&str, Grant)] = &[
    ("authorization_code", Grant::AuthorizationCode),
    ("client_credentials", Grant::ClientCredentials),
    ("refresh_token", Grant::RefreshToken),
];
pub(crate) const CLIENT_AUTH: &[(&str, ClientAuth)] = &[
    ("basic", ClientAuth::Basic),
    ("body", ClientAuth::Body),
    ("none", ClientAuth::None),
];
/// Whether PKCE is used.
pub(crate) const PKCE: &[(&str, bool)] = &[("required", true), ("unsupported", false)];
pub(crate) const KEPT_FROM: &[&str] = &["callback", "token", "test"];
const ENVIRONMENTS: &[&str] = &["development", "staging", "production"];

impl OAuth2 {
    pub(super) fn read(fields: &Fields<'_>, names: &mut Names<'_>, lints: &mut Lints) -> Option<Self> {
        let grant = fields
            .get("grantType")
            .and_then(|spot| spot.one_of(GRANTS))
            .unwrap_or(Grant::AuthorizationCode);
        let template = |key, names: &mut Names<'_>, lints: &mut Lints| names.template(&fields.get(key)?, lints);
        let client_secret = template("clientSecret", names, lints);
        if client_secret.as_ref().is_some_and(|template| !template.has_secret())
            && let Some(spot) = fields.get("clientSecret")
        {
            super::no_secret(&spot, lints);
        }
        let params = |key, names: &mut Names<'_>, lints: &mut Lints| {
            fields
                .get(key)
                .map(|spot| read_templates(&spot, names, lints))
                .unwrap_or_default()
        };
        let oauth = Self {
            grant,
            addresses: Addresses::read(fields, names, lints),
            environments: read_environments(fields, names, lints),
            client_id: template("clientId", names, lints),
            client_secret,
            client_auth: fields
                .get("clientAuth")
                .and_then(|spot| spot.one_of(CLIENT_AUTH))
                .unwrap_or(ClientAuth::Basic),
            oauth_scopes: fields.texts("oauthScopes"),
            scope_separator: fields
                .get("scopeSeparator")
                .and_then(|spot| spot.scalar())
                .unwrap_or_else(|| " ".to_owned()),
            without_pkce: read_pkce(fields, lints),
            authorize_params: params("authorizeParams", names, lints),
            token_params: params("tokenParams", names, lints),
            token_paths: fields
                .get("tokenPaths")
                .map(|spot| TokenPaths::read(&spot, lints))
                .unwrap_or_default(),
            rotating_refresh: fields.boolean("rotatingRefresh").unwrap_or(false),
            expires_in: fields.get("expiresIn").and_then(|spot| spot.integer()),
            issuer: fields.text("issuer"),
            issuer_is_told: fields.boolean("issuerInCallback").unwrap_or(false),
            token_header: fields
                .get("tokenHeader")
                .and_then(|spot| header_name(&spot.text()?, &spot, lints))
                .unwrap_or_else(|| "authorization".to_owned()),
            token_prefix: fields
                .get("tokenPrefix")
                .and_then(|spot| spot.scalar())
                .unwrap_or_else(|| "Bearer ".to_owned()),
            keep: fields
                .list("keep")
                .iter()
                .filter_map(|spot| Kept::read(spot, names, lints))
                .collect(),
            redirect_uri: fields.get("redirectUri").and_then(|spot| read_redirect(&spot, lints)),
            redirect_uris: read_redirects(fields, lints),
            notes: fields.texts("notes"),
            token: Place::config(ACCESS_TOKEN, SecretRef::Config(ACCESS_TOKEN.to_owned())),
        };
        if oauth.authorize_params.iter().any(|(_, template)| template.has_secret()) {
            let message = "`authorizeParams` hold a secret: they are shown to the browser that is sent there";
            fields.lint(lints, lint::SECRET_EXPOSED, message);
        }
        oauth.check(fields, lints);
        Some(oauth)
    }

    /// An address with the connection's public fields filled in: that of the environment (by its word), else the common
    /// one. Nothing where none is declared. It holds no slot.
    pub fn address(
        &self,
        door: Door,
        environment: &str,
        values: &Values<'_>,
    ) -> Option<Result<String, Vec<FieldProblem>>> {
        let own = self.environments.iter().find(|(word, _)| *word == environment);
        let address = own
            .and_then(|(_, own)| own.at(door))
            .or_else(|| self.addresses.at(door))?;
        let (mut text, mut problems) = (Text::default(), Vec::new());
        address.write(&Scope::new(values, &[]), true, &mut problems, &mut text);
        Some(if problems.is_empty() {
            Ok(text.to_string())
        } else {
            Err(problems)
        })
    }

    fn check(&self, fields: &Fields<'_>, lints: &mut Lints) {
        if self.grant == Grant::ClientCredentials && self.addresses.token.is_none() && self.environments.is_empty() {
            fields.lint(
                lints,
                lint::MISSING_FIELD,
                "the field `tokenUrl` is missing: the grant needs it",
            );
        }
        if self.addresses.authorize.is_some() != self.addresses.token.is_some()
            && self.grant == Grant::AuthorizationCode
        {
            let message = "`authorizationUrl` and `tokenUrl` belong together; without both an operator sets them";
            fields.lint(lints, lint::CONTRADICTION, message);
        }
        if crate::endpoint::has_control(&self.token_prefix) {
            fields.lint(
                lints,
                lint::BAD_VALUE,
                "`tokenPrefix` stands in a header: it holds no control characters",
            );
        }
        if self.issuer_is_told && self.issuer.is_none() {
            let message = "`issuerInCallback` says that `issuer` comes back each time: say who that is";
            fields.lint(lints, lint::MISSING_FIELD, message);
        }
        if self.client_auth == ClientAuth::None && self.client_secret.is_some() {
            let message = "`clientAuth: none` says that there is no secret; leave `clientSecret` out";
            fields.lint(lints, lint::CONTRADICTION, message);
        }
    }
}

impl Addresses {
    fn read(fields: &Fields<'_>, names: &mut Names<'_>, lints: &mut Lints) -> Self {
        let mut read = |key| {
            let spot = fields.get(key)?;
            let address = Address::read(&spot, names, lints)?;
            // A secret in it would be shown to the browser that is sent there.
            if address.places().any(|place| place.secret.is_some()) {
                spot.lint(lints, lint::SECRET_EXPOSED, "an address of OAuth 2.0 holds no secret");
                return None;
            }
            Some(address)
        };
        Self {
            authorize: read("authorizationUrl"),
            token: read("tokenUrl"),
            refresh: read("refreshUrl"),
            revoke: read("revocationUrl"),
            jwks: read("jwksUrl"),
        }
    }
}

fn read_environments(fields: &Fields<'_>, names: &mut Names<'_>, lints: &mut Lints) -> Vec<(&'static str, Addresses)> {
    let Some(own) = fields.get("environments").and_then(|spot| spot.fields()) else {
        return Vec::new();
    };
    let mut out = Vec::new();
    for word in ENVIRONMENTS {
        if let Some(fields) = own.get(word).and_then(|spot| spot.fields()) {
            out.push((*word, Addresses::read(&fields, names, lints)));
        }
    }
    out
}

fn read_pkce(fields: &Fields<'_>, lints: &mut Lints) -> Option<String> {
    let used = fields.get("pkce").and_then(|spot| spot.one_of(PKCE)).unwrap_or(true);
    let reason = fields.get("pkceReason");
    match (used, &reason) {
        (true, Some(spot)) => {
            spot.lint(
                lints,
                lint::CONTRADICTION,
                "`pkceReason` says why PKCE is `unsupported`",
            );
            None
        }
        (false, None) => {
            let message = "the field `pkceReason` is missing: say why PKCE is left out, and where that is written";
            fields.lint(lints, lint::MISSING_FIELD, message);
            None
        }
        _ => reason.and_then(|spot| spot.text()),
    }
}

/// A fragment or a wildcard has no place in it (RFC 6749 section 3.1.2, RFC 9700 section 4.1.3).
fn read_redirect(spot: &Spot<'_>, lints: &mut Lints) -> Option<String> {
    let text = spot.text()?;
    if is_plain_url(&text) && !text.contains(['#', '*']) {
        return Some(text);
    }
    spot.lint(
        lints,
        lint::BAD_URL,
        "an http or https URL without fragment and wildcards is expected",
    );
    None
}

fn read_redirects(fields: &Fields<'_>, lints: &mut Lints) -> Vec<(&'static str, Vec<String>)> {
    let Some(own) = fields.get("redirectUris").and_then(|spot| spot.fields()) else {
        return Vec::new();
    };
    let mut out = Vec::new();
    for word in ENVIRONMENTS {
        if let Some(spot) = own.get(word) {
            let urls = spot.list();
            out.push((
                *word,
                urls.iter().filter_map(|spot| read_redirect(spot, lints)).collect(),
            ));
        }
    }
    out
}

impl TokenPaths {
    fn read(spot: &Spot<'_>, lints: &mut Lints) -> Self {
        let fields = spot.fields();
        let mut path = |key| read_json_path(&fields.as_ref()?.get(key)?, lints);
        Self {
            access_token: path("accessToken"),
            refresh_token: path("refreshToken"),
            expires_in: path("expiresIn"),
            scope: path("scope"),
            token_type: path("tokenType"),
        }
    }
}

impl Kept {
    fn read(spot: &Spot<'_>, names: &Names<'_>, lints: &mut Lints) -> Option<Self> {
        let fields = spot.fields()?;
        let name = fields.text("name").filter(|name| is_name(name))?;
        if names.config.get(&name) == Some(&true) {
            let message = format!("`{name}` is a secret field: what is kept is public");
            spot.lint(lints, lint::CONTRADICTION, message);
        }
        let path = fields.get("path")?;
        let from = match fields.text("from")?.as_str() {
            "callback" => KeptFrom::Callback(path.text()?),
            "token" => KeptFrom::Token(read_json_path(&path, lints)?),
            _ => KeptFrom::Test(read_json_path(&path, lints)?),
        };
        Some(Self { name, from })
    }
}
