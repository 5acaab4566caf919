//! What can be connected, as an embedding program asks for it.

use std::sync::Arc;

use super::{ActionCall, Connectors};
use crate::{
    audit::Actor,
    call::Via,
    connection::ConnectionQuery,
    connector::{Connector, ConnectorDescriptor},
    error::Result,
    page::{self, Page},
};

/// Which connectors to list.
#[derive(Debug, Clone, Default)]
pub struct ConnectorQuery {
    /// With this name.
    pub name: Option<String>,
    /// Whether to count their connections.
    pub count: bool,
    /// Only those behind this one, by identifier.
    pub after: Option<String>,
    /// At most this many.
    pub limit: usize,
}

/// A connector, as a program looks it up.
#[derive(Clone)]
pub struct Known {
    /// The connector.
    pub connector: Arc<Connector>,
    /// How many connections of it there are, where that was asked for.
    pub connections: Option<u64>,
}

impl Known {
    /// Everything that may be told of it.
    pub fn descriptor(&self) -> &ConnectorDescriptor {
        self.connector.descriptor()
    }
}

impl Connectors {
    /// Connectors by identifier.
    ///
    /// # Errors
    /// Trouble with the store, if connections are counted.
    pub async fn list(&self, query: ConnectorQuery) -> Result<Page<Known, String>> {
        let limit = page::bounded(query.limit);
        let mut all = self.registry().list();
        all.sort_by(|a, b| a.id().cmp(b.id()));
        let is_behind =
            |connector: &Arc<Connector>| query.after.as_ref().is_none_or(|after| connector.id() > after.as_str());
        let is_meant = |connector: &Arc<Connector>| {
            let name = &connector.descriptor().name;
            query.name.as_ref().is_none_or(|wanted| wanted == name)
        };
        let some = all.into_iter().filter(is_behind).filter(is_meant).take(limit + 1);
        let page = Page::cut(some.collect(), limit, |connector| connector.id().to_owned());
        let mut rows = Vec::with_capacity(page.rows.len());
        for connector in page.rows {
            rows.push(self.known(connector, query.count).await?);
        }
        Ok(Page { rows, next: page.next })
    }

    /// A connector by its identifier, if there is one, with the number of its connections where that is asked for.
    ///
    /// # Errors
    /// Trouble with the store, if connections are counted.
    pub async fn get(&self, connector: &str, count: bool) -> Result<Option<Known>> {
        match self.registry().get(connector) {
            Ok(connector) => self.known(connector, count).await.map(Some),
            Err(_) => Ok(None),
        }
    }

    /// An action with its connector's default configuration: nobody has to be connected.
    pub fn action<'a>(&self, connector: &'a str, action: &'a str) -> ActionCall<'a> {
        ActionCall::new(self.clone(), self.library(), connector, action, Via::Default)
    }

    /// The program around the library, which makes credentials as it likes.
    pub(crate) fn library(&self) -> Actor {
        Actor::new(self.inner.library_tenant, "library").writing_credentials(true)
    }

    async fn known(&self, connector: Arc<Connector>, count: bool) -> Result<Known> {
        let connections = match count {
            false => None,
            true => {
                let query = ConnectionQuery {
                    connector: Some(connector.id().to_owned()),
                    ..ConnectionQuery::default()
                };
                Some(self.count_connections(&self.library(), query).await?)
            }
        };
        Ok(Known { connector, connections })
    }
}
