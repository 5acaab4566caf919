//! Connectors that a manifest declares, with what code adds to them.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tieline_manifest::{Manifest, Rate};

use super::{Connector, ConnectorDescriptor, Tester, coded::Coded};
use crate::{
    action::{ActionDescriptor, Effect, Entry, RunAction},
    endpoint::EndpointAction,
    error::{Code, Error, Result},
    metrics::CallCounts,
    rate::Limit,
};

/// Puts a connector together from a manifest and actions in Rust.
pub struct ConnectorBuilder {
    pub(super) manifest: Arc<Manifest>,
    /// The connector each action was written for, and the action.
    pub(super) actions: Vec<(&'static str, Entry)>,
    pub(super) tester: Option<Tester>,
}

impl ConnectorBuilder {
    /// Adds an action in Rust.
    #[must_use]
    pub fn action<I: RunAction>(mut self) -> Self {
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
        Connector::whole(manifest, &id, coded, tester, Coded::default())
    }
}

impl Connector {
    /// A connector from all its parts.
    pub(super) fn whole(
        manifest: Arc<Manifest>,
        id: &str,
        in_rust: impl Iterator<Item = Entry>,
        tester: Option<Tester>,
        coded: Coded,
    ) -> Result<Self> {
        if crate::oauth::clashes(&manifest) {
            let detail = format!(
                "`{id}` signs in with OAuth 2.0 and has a field `{}`: that is where its tokens lie. Call the field otherwise.",
                crate::oauth::FIELD
            );
            return Err(Error::new(Code::ManifestInvalid, detail));
        }
        let declared = (0..manifest.endpoints.len()).map(|index| entry(&manifest, index));
        let mut actions = BTreeMap::new();
        let mut descriptors = Vec::new();
        for entry in declared.chain(in_rust) {
            descriptors.push(entry.descriptor.clone());
            if let Some(twin) = actions.insert(entry.descriptor.id.clone(), entry) {
                let detail = format!("`{id}` declares the action `{}` twice.", twin.descriptor.id);
                return Err(Error::new(Code::ManifestInvalid, detail));
            }
        }
        let descriptor = ConnectorDescriptor::of(id, &manifest, descriptors, &coded);
        Ok(Self {
            manifest,
            descriptor,
            actions,
            tester,
            coded,
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

pub(super) fn limit(rate: Rate) -> Option<Limit> {
    Limit::with_burst(rate.per_minute, rate.burst)
}
