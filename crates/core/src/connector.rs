//! Connectors: what can be done, and how one signs in for it.

mod card;
mod coded;
mod declared;
mod descriptor;
mod fields;
mod hooks;
mod oauth;
mod shape;
mod webhook;

pub use card::Card;
pub use coded::CodedBuilder;
pub use declared::ConnectorBuilder;
pub use descriptor::{
    AuthDescriptor, Capability, ConnectionPaths, ConnectorDescriptor, FieldDescriptor, Link, Publisher, SetupStep,
};
pub use hooks::Validation;
pub use oauth::{Account, OAuth, OAuthDescriptor, ReadAccount, ReadTokens};
pub use webhook::{Arrived, Delivered, Webhook, WebhookDescriptor};

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use futures_util::future::BoxFuture;
use serde_json::Value;
use tieline_manifest::{Auth, Field, FieldKind, FieldProblem, GivenSecret, Json, Lint, Manifest, Tree, Use};
use zeroize::Zeroizing;

use self::{coded::Coded, declared::limit, hooks::MakeContext};
use crate::{
    action::{Entry, whole},
    admit::Admitted,
    error::{Code, Error, FieldError, Result},
    limits::{MAX_SECRET_BYTES, VALIDATION_TIMEOUT},
    metrics::CallCounts,
    opened::Opened,
    rate::Limit,
    scope::Scope,
    secret::Secret,
};

/// A connector.
pub struct Connector {
    manifest: Arc<Manifest>,
    descriptor: ConnectorDescriptor,
    actions: BTreeMap<String, Entry>,
    tester: Option<Tester>,
    coded: Coded,
    counts: CallCounts,
}

/// The test of a connection, in Rust.
pub type Tester = for<'a> fn(&'a Admitted) -> BoxFuture<'a, Result<TestReport>>;

/// What a test that worked found out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TestReport {
    /// The account's label at the service, fit to show.
    pub label: Option<String>,
    /// What there is to say, where it is not that the service was connected.
    pub message: Option<String>,
    /// Facts for programs, by name: none is a secret.
    pub details: BTreeMap<String, Value>,
}

/// The fields of a connection, checked and parted.
pub(crate) struct Accepted {
    /// The auth method.
    pub(crate) auth: String,
    /// The fields that are no secret.
    pub(crate) public: Tree,
    /// Those that are.
    pub(crate) secrets: BTreeMap<String, Secret>,
}

impl Connector {
    /// Its calls in this process.
    pub fn counts(&self) -> &CallCounts {
        &self.counts
    }

    /// A connector declared by a manifest, in YAML or JSON, as a tenant would write one.
    ///
    /// # Errors
    /// `MANIFEST_INVALID` with every wrong place.
    pub fn parse(text: &str) -> Result<Self> {
        Self::from_manifest(parse_manifest(text, Use::Tenant)?).build()
    }

    /// A connector of our own, which must say more about itself.
    ///
    /// # Errors
    /// `MANIFEST_INVALID` with every wrong place.
    pub fn shipped(text: &str) -> Result<ConnectorBuilder> {
        Ok(Self::from_manifest(parse_manifest(text, Use::Shipped)?))
    }

    /// A connector from a manifest, to which actions in Rust can be added.
    pub fn from_manifest(manifest: Manifest) -> ConnectorBuilder {
        ConnectorBuilder {
            manifest: Arc::new(manifest),
            actions: Vec::new(),
            tester: None,
        }
    }

    /// A connector that is code, without a manifest.
    pub fn builder(id: impl Into<String>) -> CodedBuilder {
        CodedBuilder::new(id.into())
    }

    /// Its identifier.
    pub fn id(&self) -> &str {
        &self.descriptor.id
    }

    /// Everything that may be told of it.
    pub fn descriptor(&self) -> &ConnectorDescriptor {
        &self.descriptor
    }

    /// The manifest behind it.
    pub fn manifest(&self) -> &Arc<Manifest> {
        &self.manifest
    }

    /// How often one connection of it may be used.
    pub(crate) fn rate(&self) -> Option<Limit> {
        self.manifest.rate.and_then(limit)
    }

    /// Whether there is anything to try over a connection that signs in so.
    pub(crate) fn has_test(&self, auth: &str) -> bool {
        self.coded.test.is_some() || self.tester.is_some() || self.manifest.test_of(self.auth(auth)).is_some()
    }

    /// Its test, where that is code.
    pub(crate) fn tested<'a>(&'a self, admitted: &'a Arc<Admitted>) -> Option<BoxFuture<'a, Result<TestReport>>> {
        match (&self.coded.test, self.tester) {
            (Some(test), _) => Some(test(admitted.clone())),
            (None, Some(tester)) => Some(tester(admitted)),
            (None, None) => None,
        }
    }

    /// What makes its handlers' context.
    pub(crate) fn context(&self) -> Option<&MakeContext> {
        self.coded.context.as_ref().map(|context| &context.make)
    }

    /// Its default configuration, opened.
    pub(crate) fn default_config(&self) -> Option<&Arc<Opened>> {
        self.coded.default.as_ref()
    }

    /// How one signs in, where that was declared in code.
    pub fn oauth(&self) -> Option<&OAuth> {
        self.coded.oauth.as_ref()
    }

    /// Asks the connector's own judge about fields that fit, before anything is stored.
    pub(crate) async fn judge<'s>(
        &self,
        auth: &str,
        public: &Tree,
        secret: impl Fn(&str) -> Option<&'s Secret>,
        scope: &Scope,
    ) -> Result<()> {
        let (Some(judge), Some(auth)) = (&self.coded.judge, self.auth(auth)) else {
            return Ok(());
        };
        let config: Zeroizing<String> = whole(auth, public, secret);
        let judging = judge(self.id().to_owned(), config, scope.clone());
        let judged = tokio::time::timeout(VALIDATION_TIMEOUT, judging).await;
        judged.unwrap_or_else(|_| {
            let detail = format!(
                "`{}` did not judge the configuration within {} s: try again later.",
                self.id(),
                VALIDATION_TIMEOUT.as_secs()
            );
            Err(Error::new(Code::UpstreamTimeout, detail))
        })
    }

    /// Whether it judges configurations itself.
    pub(crate) fn judges(&self) -> bool {
        self.coded.judge.is_some()
    }

    pub(crate) fn action(&self, id: &str) -> Result<&Entry> {
        self.actions.get(id).ok_or_else(|| {
            let known: Vec<&str> = self.actions.keys().map(String::as_str).collect();
            let detail = format!("`{}` has no action `{id}`. It has: {}.", self.id(), known.join(", "));
            Error::new(Code::ConnectorActionNotFound, detail)
        })
    }

    /// The auth method with this identifier.
    pub(crate) fn auth(&self, id: &str) -> Option<&Auth> {
        self.manifest.auth.iter().find(|auth| auth.id == id)
    }

    /// Whether a public field is one that a sign-in tells, and nobody types in.
    pub(crate) fn tells(&self, auth: &str, name: &str) -> bool {
        let told = |auth: &Auth| auth.field(name).is_none() && auth.kept().any(|kept| kept == name);
        self.auth(auth).is_some_and(told)
    }

    /// Whether a field decides where secrets are sent.
    pub(crate) fn is_target(&self, auth: &str, name: &str) -> bool {
        let field = self.auth(auth).and_then(|auth| auth.field(name));
        field.is_some_and(|field| field.target)
    }

    /// Whether a value that came for a field is what is shown in the place of a secret: sent back so, it stays.
    pub(crate) fn is_shown(&self, auth: &str, name: &str, value: &Tree) -> bool {
        let Some(entries) = value.as_object() else { return false };
        let says_set = || value.get("set").is_some_and(|set| set.as_bool().is_some());
        match self.field(auth, name).map(|field| field.kind) {
            Some(FieldKind::Headers) => says_set(),
            // It could be an object of its own with a word of these.
            Some(FieldKind::Json) => {
                let shown = |(word, _): &(String, Tree)| ["set", "last4", "updatedAt"].contains(&word.as_str());
                says_set() && value.get("updatedAt").is_some() && entries.iter().all(shown)
            }
            _ => true,
        }
    }

    fn field(&self, auth: &str, name: &str) -> Option<&Field> {
        self.auth(auth).and_then(|auth| auth.field(name))
    }

    /// Whether a field holds any JSON.
    pub(crate) fn is_json(&self, auth: &str, name: &str) -> bool {
        self.field(auth, name)
            .is_some_and(|field| field.kind == FieldKind::Json)
    }

    /// Whether a field holds headers, each of which is a secret by itself.
    pub(crate) fn is_headers(&self, auth: &str, name: &str) -> bool {
        let field = self.auth(auth).and_then(|auth| auth.field(name));
        field.is_some_and(|field| field.kind == FieldKind::Headers)
    }

    /// Whether a field's value is a text, and nothing else.
    pub(crate) fn is_text(&self, auth: &str, name: &str) -> bool {
        let field = self.auth(auth).and_then(|auth| auth.field(name));
        field.is_none_or(|field| {
            matches!(
                field.kind,
                FieldKind::String | FieldKind::Text | FieldKind::Url | FieldKind::Email
            )
        })
    }

    /// Whether a field is a secret.
    pub(crate) fn is_secret(&self, auth: &str, name: &str) -> bool {
        let field = self.auth(auth).and_then(|auth| auth.field(name));
        field.is_some_and(|field| field.secret)
    }

    /// The hosts that a connection's credentials may be sent to.
    pub(crate) fn hosts(&self, config: &Tree) -> Arc<[String]> {
        self.manifest.hosts(config).iter().map(ToString::to_string).collect()
    }

    /// The name of a field that may have been given by one of its aliases.
    pub(crate) fn field_name(&self, auth: &str, given: &str) -> String {
        let field = self.auth(auth).and_then(|auth| auth.field(given));
        field.map_or_else(|| given.to_owned(), |field| field.name.clone())
    }

    /// Checks a connection's fields and parts the secret ones from the rest.
    pub(crate) fn accept(&self, auth: Option<&str>, config: &Json) -> Result<Accepted> {
        self.accept_beside(auth, config, &BTreeSet::new())
    }

    /// The same beside secrets that are kept as they were.
    pub(crate) fn accept_beside(&self, auth: Option<&str>, config: &Json, kept: &BTreeSet<String>) -> Result<Accepted> {
        let auth = self.method_for(auth, config)?;
        let accepted = auth.accept_beside(config, kept);
        // The schema sees more than the fields do: what lies inside of one, and how they go together.
        let mut wrong: Vec<FieldError> = accepted.as_ref().err().into_iter().flatten().map(in_config).collect();
        if let Some(shape) = &self.coded.shape {
            let more = shape.errors(config, kept)?.into_iter().map(|field| FieldError {
                pointer: format!("/config{}", field.pointer),
                message: field.message,
            });
            let more: Vec<FieldError> = more
                .filter(|field| wrong.iter().all(|known| known.pointer != field.pointer))
                .collect();
            wrong.extend(more);
        }
        let Some(accepted) = accepted.ok().filter(|_| wrong.is_empty()) else {
            let detail = format!(
                "The configuration does not fit `{}` ({}): see `fields`.",
                self.id(),
                auth.id
            );
            return Err(Error::new(Code::ConnectorConfigInvalid, detail).fields_from(wrong));
        };
        // A secret is a text, or several that are kept as one.
        let text = |given: &GivenSecret| match config.get(&given.key) {
            Some(json) if self.is_json(&auth.id, &given.name) => json.to_text(),
            Some(Tree::String(text)) => text.clone(),
            Some(several) => several.to_text(),
            None => String::new(),
        };
        for given in &accepted.secrets {
            let bytes = text(given).len();
            if bytes > MAX_SECRET_BYTES {
                let detail = format!("A secret has {bytes} bytes; {MAX_SECRET_BYTES} are the most.");
                let pointer = format!("/config/{}", given.key);
                return Err(Error::new(Code::ConnectorConfigInvalid, detail).field(pointer, "is too large"));
            }
        }
        let secrets = accepted
            .secrets
            .iter()
            .map(|given| (given.name.clone(), Secret::new(text(given))));
        Ok(Accepted {
            auth: auth.id.clone(),
            public: accepted.public,
            secrets: secrets.collect(),
        })
    }

    /// The method that was named, else the first whose fields know every given one and its choice, else the first that
    /// knows them, else the first.
    fn method_for(&self, named: Option<&str>, config: &Json) -> Result<&Auth> {
        let methods = &self.manifest.auth;
        if let Some(id) = named {
            return self.auth(id).ok_or_else(|| {
                let known: Vec<&str> = methods.iter().map(|auth| auth.id.as_str()).collect();
                let detail = format!(
                    "`{}` has no auth method `{id}`. It has: {}.",
                    self.id(),
                    known.join(", ")
                );
                Error::new(Code::ConnectorConfigInvalid, detail).field("/auth", "is not a method of this connector")
            });
        }
        let given = config.tree().as_object().unwrap_or_default();
        let knows_all = |auth: &&Auth| given.iter().all(|(name, _)| auth.field(name).is_some());
        // A field that says which method is meant has one option in each.
        let chooses = |auth: &Auth, (name, value): &(String, Tree)| {
            let options = auth.field(name).map_or(&[][..], |field| &field.options);
            options.is_empty() || options.iter().any(|option| option.value == *value)
        };
        let fits = |auth: &&Auth| knows_all(auth) && given.iter().all(|entry| chooses(auth, entry));
        let found = methods.iter().find(fits).or(methods.iter().find(knows_all));
        found.or(methods.first()).ok_or_else(|| {
            Error::new(
                Code::ConnectorConfigInvalid,
                format!("`{}` declares no way to connect it.", self.id()),
            )
        })
    }
}

fn in_config(problem: &FieldProblem) -> FieldError {
    FieldError {
        pointer: format!("/config{}", problem.pointer),
        message: problem.message.clone(),
    }
}

fn parse_manifest(text: &str, use_: Use) -> Result<Manifest> {
    Manifest::parse(text, use_).map_err(|lints| mistakes(lints, "manifest"))
}

fn mistakes(lints: Vec<Lint>, of: &str) -> Error {
    let first = lints.first().map(ToString::to_string).unwrap_or_default();
    let detail = format!("Mistakes in the {of}: {}. The first: {first}", lints.len());
    let fields = lints.into_iter().map(|lint| FieldError {
        pointer: lint.path.clone(),
        message: lint.to_string(),
    });
    Error::new(Code::ManifestInvalid, detail).fields_from(fields)
}
