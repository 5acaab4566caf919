//! Calling an action, from the question to the answer.

use std::{collections::BTreeMap, sync::Arc};

use tieline_manifest::{Json, Tree};

use crate::{
    action::Entry,
    admit::{Admitted, Ask, Purpose},
    audit::Actor,
    connectors::Connectors,
    error::{Code, Error, Result},
    event::{Running, within},
    id::{CallId, ConnectionId, CredentialId},
    idempotency::Attempt,
    limits::MAX_IDEMPOTENCY_KEY_BYTES,
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
    /// What makes this call one with its repeats, where the service knows such keys: two calls with the same key have one
    /// effect there. Without it, the attempts of this one call share a key of their own.
    pub idempotency_key: Option<IdempotencyKey>,
}

/// A key under which a service knows a repeat: what its header carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Reads a key: 1 to 255 visible ASCII characters.
    ///
    /// # Errors
    /// `REQUEST_INVALID`.
    pub fn parse(text: &str) -> Result<Self> {
        let fits = (1..=MAX_IDEMPOTENCY_KEY_BYTES).contains(&text.len());
        if fits && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Ok(Self(text.to_owned()));
        }
        let detail =
            format!("An idempotency key is 1 to {MAX_IDEMPOTENCY_KEY_BYTES} visible ASCII characters, such as a UUID.");
        Err(Error::new(Code::RequestInvalid, detail))
    }

    /// A key of our own: 32 hexadecimal digits.
    pub(crate) fn of(number: u128) -> Self {
        Self(format!("{number:032x}"))
    }

    /// The key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
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
    /// Those of a shared credential.
    Credential {
        /// Which.
        credential: CredentialId,
        /// Fields laid over its own: none that is secret or decides where secrets are sent.
        config: Option<Json>,
    },
    /// Those that the connector works with where nobody connected it.
    Default,
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
        self.call_once(by, call, None).await
    }

    /// The same under an idempotency key of the caller: the upstream gets a key that follows from it, and an action that
    /// cannot be repeated is not run again after its first run was lost.
    ///
    /// # Errors
    /// Those of [`call`](Self::call), and `IDEMPOTENCY_OUTCOME_UNKNOWN`.
    pub async fn call_once(&self, by: &Actor, call: Call, attempt: Option<Arc<Attempt>>) -> Result<Called> {
        let mut running = self.running(by, &call);
        let called = within(running.is_some(), self.carry_out(by, call, attempt, running.as_mut())).await;
        if let Some(running) = running {
            running.ended(called.as_ref().err());
        }
        called
    }

    async fn carry_out(
        &self,
        by: &Actor,
        call: Call,
        attempt: Option<Arc<Attempt>>,
        mut told: Option<&mut Running>,
    ) -> Result<Called> {
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
        if let Some(told) = told.as_mut() {
            told.admitted(&admitted);
        }
        admitted.idempotency_key = call
            .idempotency_key
            .or(attempt.as_ref().map(|attempt| attempt.upstream_key()));
        let bounds = admitted.bounds();
        let taken = take(
            &mut admitted,
            &call.action,
            call.input,
            attempt.as_deref(),
            told.as_deref(),
        );
        let admitted = Arc::new(admitted);
        let result = match taken {
            Ok(input) => bounds.hold(run(&admitted, &call.action, input)).await,
            Err(error) => Err(error),
        };
        let result = admitted.scrubbed(result);
        admitted.ended(&result);
        Ok(Called {
            call: admitted.call,
            output: result?,
        })
    }
}

/// Takes the input: nothing was sent so far, and every wrong place of it is told.
fn take(
    admitted: &mut Admitted,
    action: &str,
    input: Json,
    attempt: Option<&Attempt>,
    told: Option<&Running>,
) -> Result<Json> {
    let connector = admitted.connector.clone();
    let entry = connector.action(action)?;
    entry.check_input(&input)?;
    if let Some(attempt) = attempt {
        attempt.admit(entry.repeatable())?;
    }
    admitted.uses()?;
    if let Some(told) = told {
        told.started();
    }
    Ok(take_secrets(entry, input, &mut admitted.input_secrets))
}

async fn run(admitted: &Arc<Admitted>, action: &str, input: Json) -> Result<Json> {
    let entry = admitted.connector.action(action)?;
    let output = entry.run(admitted, input).await?;
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
