//! Auth methods: what a person types in, and where it goes in a request.

mod accept;
mod field;
mod oauth2;
mod several;

use std::collections::BTreeMap;

pub use accept::{Accepted, GivenSecret};
pub use field::{Choice, Field, FieldKind};
pub use oauth2::{Addresses, ClientAuth, Door, Grant, Kept, KeptFrom, OAuth2, TokenPaths};
pub use several::{headers, hosts};

pub(crate) use field::{KINDS as FIELD_KINDS, is_mailbox};
pub(crate) use oauth2::{CLIENT_AUTH, GRANTS, KEPT_FROM, PKCE};

use crate::{
    endpoint::{Header, Test, read_headers},
    lint::{self, Lints},
    node::{Fields, Spot},
    template::{Names, Origin, Template},
};

/// One way to sign in.
#[derive(Debug, Clone)]
pub struct Auth {
    /// Unique in the manifest; the type unless given.
    pub id: String,
    /// The type and where its values go.
    pub kind: AuthKind,
    /// For people.
    pub label: Option<String>,
    /// For people.
    pub description: Option<String>,
    /// What a person types in.
    pub fields: Vec<Field>,
    pub(crate) test: AuthTest,
}

/// Which credential test an auth method has.
#[derive(Debug, Clone)]
pub(crate) enum AuthTest {
    /// The manifest's, if there is one.
    Common,
    /// None: whatever proves it would have an effect.
    None,
    /// Its own.
    Own(Box<Test>),
}

/// Where the values of an auth method go.
#[derive(Debug, Clone)]
pub enum AuthKind {
    /// Nowhere: endpoints name the fields themselves, if there are any.
    None,
    /// One value under one name.
    ApiKey {
        /// The header, parameter or body key.
        name: String,
        /// Where that is.
        location: KeyLocation,
        /// Its value.
        value: Template,
    },
    /// `Authorization: Bearer …`
    Bearer {
        /// The token.
        token: Template,
    },
    /// `Authorization: Basic …` (RFC 7617)
    Basic {
        /// The user.
        username: Template,
        /// The password.
        password: Template,
    },
    /// Any headers.
    CustomHeaders {
        /// Names in lower case.
        headers: Vec<Header>,
    },
    /// A token that somebody signed in for.
    OAuth2(Box<OAuth2>),
    /// Rust code uses the fields.
    Custom,
}

pub(crate) const KEY_LOCATIONS: &[(&str, KeyLocation)] = &[
    ("header", KeyLocation::Header),
    ("query", KeyLocation::Query),
    ("body", KeyLocation::Body),
    ("url", KeyLocation::Url),
];

/// Where an API key goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyLocation {
    /// A header.
    Header,
    /// The query of the URL.
    Query,
    /// A key at the top of the body.
    Body,
    /// A place that the base URL, or the URL of an endpoint, names by itself.
    Url,
}

impl AuthKind {
    /// The word of the language.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::ApiKey { .. } => "api_key",
            Self::Bearer { .. } => "bearer",
            Self::Basic { .. } => "basic",
            Self::CustomHeaders { .. } => "custom_headers",
            Self::OAuth2(_) => "oauth2",
            Self::Custom => "custom",
        }
    }
}

impl Auth {
    pub(crate) fn read(spot: &Spot<'_>, lints: &mut Lints) -> Option<Self> {
        let fields = spot.fields()?;
        let own_fields = field::read_all(&fields, lints);
        let names: BTreeMap<String, bool> = own_fields
            .iter()
            .map(|field| (field.name.clone(), field.secret))
            .collect();
        let mut scope = Names {
            local: Origin::Config,
            config: &names,
            inputs: None,
            strict: true,
        };
        let id = fields.text("id");
        let label = fields.text("label");
        let description = fields.text("description");
        let test = read_test(&fields, &mut scope, lints);
        let kind = read_kind(&fields.text("type")?, &fields, &mut scope, lints);
        let kind = kind?;
        Some(Self {
            id: id.unwrap_or_else(|| kind.as_str().to_owned()),
            kind,
            label,
            description,
            fields: own_fields,
            test,
        })
    }

    /// Names of the public fields that a sign-in tells.
    pub fn kept(&self) -> impl Iterator<Item = &str> {
        let kept = match &self.kind {
            AuthKind::OAuth2(oauth) => oauth.keep.as_slice(),
            _ => &[],
        };
        kept.iter().map(|kept| kept.name.as_str())
    }

    /// A field by its name or an alias.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name).or_else(|| {
            self.fields
                .iter()
                .find(|field| field.aliases.iter().any(|alias| alias == name))
        })
    }
}

fn read_test(fields: &Fields<'_>, names: &mut Names<'_>, lints: &mut Lints) -> AuthTest {
    let Some(spot) = fields.get("test") else {
        return AuthTest::Common;
    };
    if spot.text().is_some() {
        return AuthTest::None;
    }
    let own = Test::from_spot(&spot, names, lints).map(Box::new);
    own.map_or(AuthTest::Common, AuthTest::Own)
}

/// In place of a credential test: nothing can prove it without an effect.
pub(crate) const NO_TEST: &[&str] = &["none"];

fn read_kind(word: &str, fields: &Fields<'_>, names: &mut Names<'_>, lints: &mut Lints) -> Option<AuthKind> {
    match word {
        "none" => Some(AuthKind::None),
        "custom" => Some(AuthKind::Custom),
        "api_key" => read_api_key(fields, names, lints),
        "bearer" => {
            let token = read_secret(fields, "token", names, lints)?;
            Some(AuthKind::Bearer { token })
        }
        "basic" => read_basic(fields, names, lints),
        "custom_headers" => {
            let spot = fields.get("headers")?;
            let headers = read_headers(&spot, names, lints);
            if headers.is_empty() || !headers.iter().any(|header| header.value.has_secret()) {
                no_secret(&spot, lints);
            }
            Some(AuthKind::CustomHeaders { headers })
        }
        "oauth2" => OAuth2::read(fields, names, lints).map(|oauth| AuthKind::OAuth2(Box::new(oauth))),
        _ => None,
    }
}

fn read_api_key(fields: &Fields<'_>, names: &mut Names<'_>, lints: &mut Lints) -> Option<AuthKind> {
    let location = fields.get("keyLocation").and_then(|spot| spot.one_of(KEY_LOCATIONS));
    if location == Some(KeyLocation::Url) {
        for key in ["keyName", "keyValue"] {
            if let Some(spot) = fields.get(key) {
                let message = format!("the URL itself names the key's field; leave `{key}` out");
                spot.lint(lints, lint::CONTRADICTION, message);
            }
        }
        return Some(AuthKind::ApiKey {
            name: String::new(),
            location: KeyLocation::Url,
            value: Template::default(),
        });
    }
    for key in ["keyName", "keyValue"] {
        if fields.get(key).is_none() {
            let message = format!("the field `{key}` is missing: only `keyLocation: url` does without");
            fields.lint(lints, lint::MISSING_FIELD, message);
        }
    }
    let name_spot = fields.get("keyName");
    let value = read_secret(fields, "keyValue", names, lints);
    let name_spot = name_spot?;
    let (location, mut name) = (location?, name_spot.text()?);
    if location == KeyLocation::Header {
        name = crate::endpoint::header_name(&name, &name_spot, lints)?;
    }
    Some(AuthKind::ApiKey {
        name,
        location,
        value: value?,
    })
}

fn read_basic(fields: &Fields<'_>, names: &mut Names<'_>, lints: &mut Lints) -> Option<AuthKind> {
    let spot = fields.get("username");
    let username = spot.as_ref().and_then(|spot| names.template(spot, lints));
    let password = match fields.get("password") {
        Some(spot) => names.template(&spot, lints),
        None => Some(Template::default()),
    };
    let (spot, username, password) = (spot?, username?, password?);
    if !username.has_secret() && !password.has_secret() {
        no_secret(&spot, lints);
    }
    if username.literals().any(|text| text.contains(':')) {
        spot.lint(lints, lint::BAD_VALUE, "a user name cannot hold a colon (RFC 7617)");
    }
    Some(AuthKind::Basic { username, password })
}

fn read_secret(fields: &Fields<'_>, key: &'static str, names: &mut Names<'_>, lints: &mut Lints) -> Option<Template> {
    let spot = fields.get(key)?;
    let template = names.template(&spot, lints)?;
    if !template.has_secret() {
        no_secret(&spot, lints);
    }
    Some(template)
}

fn no_secret(spot: &Spot<'_>, lints: &mut Lints) {
    spot.lint(
        lints,
        lint::SECRET_IN_MANIFEST,
        "a credential never stands in a manifest; name a field that is `secret: true`, such as {{token}}",
    );
}
