//! Calling an action, from the question to the answer.

use std::collections::BTreeMap;

use tieline_manifest::{Json, Tree};

use crate::{
    action::Entry,
    admit::{Admitted, Ask, Purpose, in_time},
    audit::Actor,
    connectors::Connectors,
    error::Result,
    id::{CallId, ConnectionId},
    scope::Scope,
    secret::Secret,
};

/// A call of an action.
#[derive(Debug, Clone)]
pub struct Call {
    /// Which connector; the connection tells, unless given.
    pub connector: Option<String>,
    /// Which action.
    pub action: String,
    /// Its input.
    pub input: Json,
    /// With whose keys.
    pub via: Via,
}

/// With whose keys an action is called.
#[derive(Debug, Clone)]
pub enum Via {
    /// Those of a connection.
    Connection(ConnectionId),
    /// Those of the connection with this name for a scope.
    Named {
        /// For whom inside the tenant.
        scope: Scope,
        /// The connection's name.
        name: String,
    },
    /// Those that come with the call and are not kept.
    Inline {
        /// Which auth method; the first that knows the fields, unless given.
        auth: Option<String>,
        /// All fields, secret and not.
        config: Json,
    },
    /// None: the action needs no credentials.
    Nothing,
}

/// What came of a call.
#[derive(Debug, Clone)]
pub struct Called {
    /// The call's identifier.
    pub call: CallId,
    /// The action's output.
    pub output: Json,
}

impl Connectors {
    /// Calls an action.
    ///
    /// # Errors
    /// `CONNECTOR_NOT_FOUND`, `CONNECTOR_ACTION_NOT_FOUND`, `NOT_FOUND` and `CONNECTION_DISABLED` before anything
    /// happens; `CONNECTOR_ACTION_INPUT_INVALID` with pointers; `UPSTREAM_…` and `CONNECTOR_ACTION_FAILED` from the
    /// service; `CONNECTOR_ACTION_OUTPUT_INVALID`, which carries the output of an effect that did happen.
    pub async fn call(&self, by: &Actor, call: Call) -> Result<Called> {
        let purpose = Purpose::Action(&call.action);
        let mut admitted = self
            .admit(
                by,
                Ask {
                    connector: call.connector.as_deref(),
                    via: &call.via,
                    purpose,
                },
            )
            .await?;
        let result = in_time(admitted.deadline, run(&mut admitted, &call.action, call.input)).await;
        let result = admitted.scrubbed(result);
        admitted.ended(&result);
        Ok(Called {
            call: admitted.call,
            output: result?,
        })
    }
}

async fn run(admitted: &mut Admitted, action: &str, input: Json) -> Result<Json> {
    let connector = admitted.connector.clone();
    let entry = connector.action(action)?;
    entry.check_input(&input)?;
    let input = take_secrets(entry, input, &mut admitted.input_secrets);
    let output = entry.action.run(admitted, input).await?;
    entry.check_output(output)
}

/// Secret inputs leave the input before anything is rendered from it: what is rendered can be shown.
fn take_secrets(entry: &Entry, input: Json, secrets: &mut BTreeMap<String, Secret>) -> Json {
    let Tree::Object(fields) = input.tree() else {
        return input;
    };
    if !fields.iter().any(|(name, _)| entry.secret_inputs.contains(name)) {
        return input;
    }
    let (secret, public): (Vec<_>, Vec<_>) = fields
        .iter()
        .cloned()
        .partition(|(name, _)| entry.secret_inputs.contains(name));
    secrets.extend(secret.into_iter().filter_map(|(name, value)| match value {
        Tree::String(text) => Some((name, Secret::new(text))),
        _ => None,
    }));
    Json::from_tree(Tree::Object(public))
}
