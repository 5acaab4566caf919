//! The connectors known to a process. A registry is never changed while it is held: a new one takes its place.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    connector::Connector,
    error::{Code, Error, Result},
};

/// Connectors by identifier.
#[derive(Default)]
pub struct Registry(BTreeMap<String, Arc<Connector>>);

impl Registry {
    /// Adds a connector.
    ///
    /// # Errors
    /// `CONNECTOR_ID_TAKEN`.
    pub fn add(&mut self, connector: Connector) -> Result<()> {
        let id = connector.id().to_owned();
        if self.0.contains_key(&id) {
            let detail = format!("There are two connectors `{id}`: give one of them another id.");
            return Err(Error::new(Code::ConnectorIdTaken, detail));
        }
        self.0.insert(id, Arc::new(connector));
        Ok(())
    }

    /// The connector with this identifier.
    ///
    /// # Errors
    /// `CONNECTOR_NOT_FOUND`.
    pub fn get(&self, id: &str) -> Result<Arc<Connector>> {
        self.0.get(id).cloned().ok_or_else(|| {
            Error::new(
                Code::ConnectorNotFound,
                format!("There is no connector `{id}`. The catalog lists those there are."),
            )
        })
    }

    /// All connectors, by display name.
    pub fn list(&self) -> Vec<Arc<Connector>> {
        let mut all: Vec<_> = self.0.values().cloned().collect();
        all.sort_by_cached_key(|connector| connector.descriptor().name.to_lowercase());
        all
    }
}
