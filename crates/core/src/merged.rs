//! A row's fields with a patch laid over them.

use std::collections::{BTreeMap, BTreeSet};

use tieline_manifest::{Json, Tree};

use crate::{
    connector::Connector,
    error::{Code, Error, Result},
    limits::MAX_CONFIG_BYTES,
    secret::Secret,
    store::SealedField,
};

/// What a row holds.
pub(crate) struct Held<'a> {
    /// The auth method.
    pub(crate) auth: &'a str,
    /// The fields that are no secret, as JSON text.
    pub(crate) config: &'a str,
    /// Those that are.
    pub(crate) secrets: &'a BTreeMap<String, SealedField>,
    /// Fields that are no secret and lie sealed all the same: they are shown as secrets are.
    pub(crate) veiled: &'a BTreeSet<String>,
}

/// The fields as the patch wants them.
pub(crate) struct Merged {
    pub(crate) public: Tree,
    /// Secrets that the patch brings.
    pub(crate) secrets: BTreeMap<String, Secret>,
    /// Names of secrets that stay as they are.
    pub(crate) kept: BTreeSet<String>,
    /// Names of fields that change.
    pub(crate) changed: Vec<String>,
}

impl Merged {
    pub(crate) fn of(connector: &Connector, held: &Held<'_>, patch: &Json) -> Result<Self> {
        let entries = entries_of(patch)?;
        let stored = stored(held.config)?;
        let mut fields: BTreeMap<String, Tree> =
            stored.tree().as_object().unwrap_or_default().iter().cloned().collect();
        let mut kept: BTreeSet<String> = held.secrets.keys().cloned().collect();
        let mut changed = Vec::new();
        for (given, value) in entries {
            let name = connector.field_name(held.auth, given);
            let sealed = kept.contains(&name) || held.veiled.contains(&name);
            let shown = sealed && connector.is_shown(held.auth, &name, value);
            if shown || fields.get(&name) == Some(value) {
                continue;
            }
            kept.remove(&name);
            match value {
                Tree::Null => fields.remove(&name),
                value => fields.insert(name.clone(), value.clone()),
            };
            changed.push(name);
        }
        // What a sign-in told is no field that anybody types in.
        let is_told = |name: &String| connector.tells(held.auth, name);
        let (told, fields): (Vec<_>, Vec<_>) = fields.into_iter().partition(|(name, _)| is_told(name));
        let merged = Json::from_tree(Tree::Object(fields));
        let accepted = connector.accept_beside(Some(held.auth), &merged, &kept)?;
        let mut public = accepted.public;
        if let Tree::Object(fields) = &mut public {
            fields.extend(told);
        }
        let merged = Self {
            public,
            secrets: accepted.secrets,
            kept,
            changed,
        };
        merged.check_target(connector, held.auth, stored.tree())?;
        Ok(merged)
    }

    /// Whoever may change a row may not thereby have its secrets sent to a place of his own.
    fn check_target(&self, connector: &Connector, auth: &str, stored: &Tree) -> Result<()> {
        let origin = |config: &Tree| connector.manifest().origin(config);
        let moved =
            origin(stored) != origin(&self.public) || self.changed.iter().any(|name| connector.is_target(auth, name));
        if !moved || self.kept.is_empty() {
            return Ok(());
        }
        Err(again(&self.kept))
    }
}

/// Asks for secrets that would otherwise be sent to another place than they were entered for.
pub(crate) fn again<'a>(kept: impl IntoIterator<Item = &'a String>) -> Error {
    let detail = "This change decides where the secrets are sent, so they have to be entered again with it.";
    let again = |error: Error, name| error.field(format!("/config/{name}"), "has to be entered again");
    kept.into_iter()
        .fold(Error::new(Code::ConnectorConfigInvalid, detail), again)
}

/// The fields of a configuration.
pub(crate) fn entries_of(config: &Json) -> Result<&[(String, Tree)]> {
    config.tree().as_object().ok_or_else(|| {
        let detail = "The configuration must be an object of fields.";
        Error::new(Code::RequestInvalid, detail).field("/config", "must be an object")
    })
}

/// A configuration as it was stored.
pub(crate) fn stored(config: &str) -> Result<Json> {
    Json::parse(config).map_err(|error| Error::internal("a stored config does not parse", error))
}

/// A configuration as it is stored.
pub(crate) fn config_text(public: &Tree) -> Result<String> {
    let text = public.to_text();
    if text.len() > MAX_CONFIG_BYTES {
        let detail = format!(
            "The configuration has {} bytes; {MAX_CONFIG_BYTES} are the most.",
            text.len()
        );
        return Err(Error::new(Code::ConnectorConfigInvalid, detail).field("/config", "is too large"));
    }
    Ok(text)
}
