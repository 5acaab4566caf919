//! Operations for one scope, as an embedding program uses them.

use tieline_manifest::Json;

use super::Connectors;
use crate::{
    action::{ActionInput, input_json},
    audit::Actor,
    call::{Call, IdempotencyKey, Via},
    connection::{Connect, Connection},
    error::{Code, Error, Result},
    name::DEFAULT_NAME,
    scope::Scope,
};

/// Operations for one scope.
pub struct Scoped {
    pub(super) connectors: Connectors,
    pub(super) actor: Actor,
    pub(super) scope: Scope,
}

impl Scoped {
    /// Connects a connector, or connects it anew: identifier and history stay, the configuration is replaced.
    ///
    /// # Errors
    /// `CONNECTOR_NOT_FOUND`, `CONNECTOR_CONFIG_INVALID` with the wrong fields, `CONNECTOR_DATABASE_FAILED`.
    pub async fn connect(&self, connector: &str, config: impl Into<Json>) -> Result<Connection> {
        let connect = Connect {
            config: config.into(),
            ..Connect::new(connector, self.scope.clone())
        };
        self.connectors.connect(&self.actor, connect).await
    }

    /// Calls an action by its input type; the output type follows.
    ///
    /// # Errors
    /// Those of [`Connectors::call`].
    pub async fn call<I: ActionInput>(&self, input: I) -> Result<I::Output> {
        let input = input_json(&input)?;
        let output = self.action(I::CONNECTOR, I::ACTION).call(input).await?;
        output
            .into_type()
            .map_err(|error| Error::internal("an output does not fit its own type", error.to_string()))
    }

    /// An action by name.
    pub fn action<'a>(&'a self, connector: &'a str, action: &'a str) -> ActionCall<'a> {
        ActionCall {
            scoped: self,
            connector,
            action,
            name: DEFAULT_NAME,
            idempotency_key: None,
        }
    }

    /// Removes a connection. Removing what is not there is fine.
    pub async fn disconnect(&self, connector: &str) -> Result<()> {
        let inner = &self.connectors.inner;
        let found = inner
            .store
            .connection(self.actor.tenant, &self.scope, connector, DEFAULT_NAME)
            .await?;
        match found {
            Some(row) => self
                .connectors
                .delete_connection(&self.actor, row.id)
                .await
                .or_else(|error| match error.code() {
                    Code::NotFound => Ok(()),
                    _ => Err(error),
                }),
            None => Ok(()),
        }
    }

    /// The connection of a connector, if there is one.
    pub async fn get(&self, connector: &str) -> Result<Option<Connection>> {
        let row = self
            .connectors
            .inner
            .store
            .connection(self.actor.tenant, &self.scope, connector, DEFAULT_NAME)
            .await?;
        row.as_ref().map(Connection::of).transpose()
    }
}

/// An action of a scope, about to be called.
pub struct ActionCall<'a> {
    scoped: &'a Scoped,
    connector: &'a str,
    action: &'a str,
    name: &'a str,
    idempotency_key: Option<IdempotencyKey>,
}

impl ActionCall<'_> {
    /// Makes repeats of this call one with it, where the service knows such keys.
    #[must_use]
    pub fn idempotency_key(mut self, key: IdempotencyKey) -> Self {
        self.idempotency_key = Some(key);
        self
    }

    /// Calls it.
    ///
    /// # Errors
    /// Those of [`Connectors::call`].
    pub async fn call(&self, input: impl Into<Json>) -> Result<Json> {
        let call = Call {
            connector: Some(self.connector.to_owned()),
            action: self.action.to_owned(),
            input: input.into(),
            via: Via::Named {
                scope: self.scoped.scope.clone(),
                name: self.name.to_owned(),
            },
            idempotency_key: self.idempotency_key.clone(),
        };
        Ok(self.scoped.connectors.call(&self.scoped.actor, call).await?.output)
    }
}
