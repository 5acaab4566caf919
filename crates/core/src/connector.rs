//! Connectors: what can be done, and how one signs in for it.

mod card;
mod descriptor;

pub use card::Card;
pub use descriptor::{AuthDescriptor, Capability, ConnectorDescriptor, FieldDescriptor, SetupStep};

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use futures_util::future::BoxFuture;
use serde_json::Value;
use tieline_manifest::{Auth, FieldKind, GivenSecret, Json, Manifest, Rate, Tree, Use};

use crate::{
    action::{ActionDescriptor, ActionInput, Effect, Entry},
    admit::Admitted,
    endpoint::EndpointAction,
    error::{Code, Error, FieldError, Result},
    limits::MAX_SECRET_BYTES,
    metrics::CallCounts,
    rate::Limit,
    secret::Secret,
};

/// A connector.
pub struct Connector {
    manifest: Arc<Manifest>,
    descriptor: ConnectorDescriptor,
    actions: BTreeMap<String, Entry>,
    tester: Option<Tester>,
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

    pub(crate) fn tester(&self) -> Option<Tester> {
        self.tester
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

    /// Whether a field decides where secrets are sent.
    pub(crate) fn is_target(&self, auth: &str, name: &str) -> bool {
        let field = self.auth(auth).and_then(|auth| auth.field(name));
        field.is_some_and(|field| field.target)
    }

    /// Whether a field holds headers, each of which is a secret by itself.
    pub(crate) fn is_headers(&self, auth: &str, name: &str) -> bool {
        let field = self.auth(auth).and_then(|auth| auth.field(name));
        field.is_some_and(|field| field.kind == FieldKind::Headers)
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
        let accepted = auth.accept_beside(config, kept).map_err(|problems| {
            let detail = format!(
                "The configuration does not fit `{}` ({}): see `fields`.",
                self.id(),
                auth.id
            );
            Error::new(Code::ConnectorConfigInvalid, detail).fields_from(problems.into_iter().map(|problem| {
                FieldError {
                    pointer: format!("/config{}", problem.pointer),
                    message: problem.message,
                }
            }))
        })?;
        // A secret is a text, or several that are kept as one.
        let text = |given: &GivenSecret| match config.get(&given.key) {
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

/// Puts a connector together from a manifest and actions in Rust.
pub struct ConnectorBuilder {
    manifest: Arc<Manifest>,
    /// The connector each action was written for, and the action.
    actions: Vec<(&'static str, Entry)>,
    tester: Option<Tester>,
}

impl ConnectorBuilder {
    /// Adds an action in Rust.
    #[must_use]
    pub fn action<I: ActionInput>(mut self) -> Self {
        let timeout = self.manifest.timeout_ms.map(Duration::from_millis);
        self.actions.push((I::CONNECTOR, Entry::typed::<I>(timeout)));
        self
    }

    /// Sets the test of a connection.
    #[must_use]
    pub fn test(mut self, tester: Tester) -> Self {
        self.tester = Some(tester);
        self
    }

    /// The connector.
    ///
    /// # Errors
    /// `MANIFEST_INVALID` when the manifest has no id, or an action in Rust has the id of an endpoint.
    pub fn build(self) -> Result<Connector> {
        let Self {
            manifest,
            actions: coded,
            tester,
        } = self;
        let id = manifest.id.clone().ok_or_else(|| {
            let detail = format!(
                "The manifest of \"{}\" has no `id`: give it one, such as `acme-chat`.",
                manifest.name
            );
            Error::new(Code::ManifestInvalid, detail).field("id", "is required")
        })?;
        if let Some((other, entry)) = coded.iter().find(|(connector, _)| *connector != id) {
            let detail = format!(
                "`{id}` is given the action `{}`, which was written for `{other}`.",
                entry.descriptor.id
            );
            return Err(Error::new(Code::ManifestInvalid, detail));
        }
        let coded = coded.into_iter().map(|(_, entry)| entry);
        let declared = (0..manifest.endpoints.len()).map(|index| entry(&manifest, index));
        let mut actions = BTreeMap::new();
        let mut descriptors = Vec::new();
        for entry in declared.chain(coded) {
            descriptors.push(entry.descriptor.clone());
            if let Some(twin) = actions.insert(entry.descriptor.id.clone(), entry) {
                let detail = format!("`{id}` declares the action `{}` twice.", twin.descriptor.id);
                return Err(Error::new(Code::ManifestInvalid, detail));
            }
        }
        let descriptor = ConnectorDescriptor::of(&id, &manifest, descriptors);
        Ok(Connector {
            manifest,
            descriptor,
            actions,
            tester,
            counts: CallCounts::default(),
        })
    }
}

fn entry(manifest: &Arc<Manifest>, index: usize) -> Entry {
    let endpoint = &manifest.endpoints[index];
    let descriptor = ActionDescriptor {
        id: endpoint.id.clone(),
        name: endpoint.name.clone(),
        description: endpoint.description.clone().unwrap_or_default(),
        effect: match endpoint.effect {
            tieline_manifest::Effect::Read => Effect::Read,
            tieline_manifest::Effect::Write => Effect::Write,
            tieline_manifest::Effect::Destroy => Effect::Destroy,
        },
        idempotent: endpoint.idempotent,
        requires_connection: endpoint.needs_auth,
        auth_methods: endpoint.auth_methods.clone(),
        input: endpoint.input_schema(),
        output: endpoint.output_schema(),
        tags: endpoint.tags.clone(),
    };
    let timeout = endpoint.timeout_ms.or(manifest.timeout_ms).map(Duration::from_millis);
    let secret_inputs = endpoint.secret_inputs().map(str::to_owned).collect();
    let action = EndpointAction {
        manifest: manifest.clone(),
        index,
    };
    let number = u32::try_from(index + 1).expect("the number of endpoints is bounded");
    let rate = endpoint.rate.and_then(limit);
    Entry::new(descriptor, timeout, secret_inputs, Arc::new(action)).at_most(rate.map(|limit| (number, limit)))
}

fn limit(rate: Rate) -> Option<Limit> {
    Limit::with_burst(rate.per_minute, rate.burst)
}

fn parse_manifest(text: &str, use_: Use) -> Result<Manifest> {
    Manifest::parse(text, use_).map_err(|lints| {
        let first = lints.first().map(ToString::to_string).unwrap_or_default();
        let detail = format!("Mistakes in the manifest: {}. The first: {first}", lints.len());
        let fields = lints.into_iter().map(|lint| FieldError {
            pointer: lint.path.clone(),
            message: lint.to_string(),
        });
        Error::new(Code::ManifestInvalid, detail).fields_from(fields)
    })
}
