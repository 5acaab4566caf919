//! Fields that the program wants sealed although no manifest declares them secret: sealed at rest, fields again in use.

use std::collections::{BTreeMap, BTreeSet};

use tieline_manifest::{Json, Tree};

use crate::{
    connector::Connector,
    connectors::Connectors,
    error::Result,
    merged::{config_text, stored},
    secret::Secret,
    store::ConnectionRow,
};

/// A connection's fields as its connector declares them, however they lie in the row.
pub(crate) struct Unveiled {
    /// The fields that are no secret, with those that were sealed all the same.
    pub(crate) config: Json,
    /// Those that are.
    pub(crate) secrets: BTreeMap<String, Secret>,
    /// The texts of those that were sealed all the same: nothing that a call produces shows them.
    pub(crate) texts: Vec<Secret>,
}

/// Whether a field that lies sealed is one that its connector declares, and no secret to it.
pub(crate) fn is_veiled(connector: &Connector, auth: &str, name: &str) -> bool {
    connector.auth(auth).is_some_and(|auth| auth.field(name).is_some()) && !connector.is_secret(auth, name)
}

impl Connectors {
    /// The row's fields, opened.
    pub(crate) async fn unveiled(&self, connector: &Connector, row: &ConnectionRow) -> Result<Unveiled> {
        let config = stored(&row.config)?;
        let (veiled, secrets): (BTreeMap<_, _>, BTreeMap<_, _>) = self
            .open_secrets(row)
            .await?
            .into_iter()
            .partition(|(name, _)| is_veiled(connector, &row.auth, name));
        if veiled.is_empty() {
            return Ok(Unveiled {
                config,
                secrets,
                texts: Vec::new(),
            });
        }
        let mut fields = config.tree().as_object().unwrap_or_default().to_vec();
        for (name, value) in &veiled {
            let value = tree_of(connector.is_text(&row.auth, name), value);
            fields.retain(|(other, _)| other != name);
            fields.push((name.clone(), value));
        }
        Ok(Unveiled {
            config: Json::from_tree(Tree::Object(fields)),
            secrets,
            texts: veiled.into_values().collect(),
        })
    }

    /// Takes the fields out of an open configuration that the program wants sealed; nothing when it holds none.
    pub(crate) fn veil(
        &self,
        connector: &str,
        auth: &str,
        config: &str,
    ) -> Result<Option<(String, BTreeMap<String, Secret>)>> {
        let listed = &self.inner.sealed_fields;
        if listed.is_empty() {
            return Ok(None);
        }
        // Of a connector that is gone the names count as they are: its rows are still written to.
        let connector = self.registry().get(connector).ok();
        let own_name = |name: &String| match &connector {
            Some(connector) => connector.field_name(auth, name),
            None => name.clone(),
        };
        let listed: BTreeSet<String> = listed.iter().map(own_name).collect();
        let config = stored(config)?;
        let (open, veiled) = parted(config.tree().as_object().unwrap_or_default(), &listed);
        match veiled.is_empty() {
            true => Ok(None),
            false => Ok(Some((config_text(&open)?, veiled))),
        }
    }

    /// The same for a row that is about to be written: what comes newly sealed raises its secret version.
    pub(crate) async fn veil_row(&self, row: &mut ConnectionRow) -> Result<()> {
        if row.credential.is_some() {
            // What a connection lays over a credential is no secret, and it has none of its own.
            return Ok(());
        }
        let Some((open, veiled)) = self.veil(&row.connector, &row.auth, &row.config)? else {
            return Ok(());
        };
        row.config = open;
        let kept = row.secrets.keys().filter(|name| !veiled.contains_key(*name)).cloned();
        let kept = kept.collect();
        self.reseal(row, veiled, &kept).await
    }
}

/// A field's value, ready to be sealed: a text as it is, like any secret; of anything else its JSON.
fn sealable(value: Tree) -> Secret {
    Secret::new(match value {
        Tree::String(text) => text,
        other => other.to_text(),
    })
}

/// Parts the fields that are to lie sealed from those that lie open.
pub(crate) fn parted(fields: &[(String, Tree)], veiled: &BTreeSet<String>) -> (Tree, BTreeMap<String, Secret>) {
    let fields = fields.iter().cloned();
    let (sealed, open): (Vec<_>, Vec<_>) = fields.partition(|(name, value)| veiled.contains(name) && !value.is_null());
    let sealed = sealed.into_iter().map(|(name, value)| (name, sealable(value)));
    (Tree::Object(open), sealed.collect())
}

fn tree_of(is_text: bool, value: &Secret) -> Tree {
    let text = || Tree::String(value.reveal().clone());
    match is_text {
        true => text(),
        false => Json::parse(value.reveal()).map_or_else(|_| text(), |json| json.tree().clone()),
    }
}
