//! Actions: what a connector can do, each told once in its descriptor.

mod context;
mod failure;
mod handler;
mod http;

pub use context::{ActionContext, OAuthTokens};
pub use http::{Http, HttpAnswer, HttpRequest};

pub(crate) use context::{read, whole};
pub(crate) use failure::{caught, coded};
pub use handler::HandlerFault;
pub(crate) use handler::{Handling, action as handler, handling};

use std::{future::Future, marker::PhantomData, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tieline_manifest::{Json, JsonErrorKind, JsonLimits};

use crate::{
    admit::Admitted,
    error::{Code, Error, Result},
    limits::MAX_INPUT_BYTES,
    rate::PerConnection,
    schema::{Check, closed},
};

/// An action as everybody sees it: catalog, OpenAPI, forms, command line and documentation are views of this.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ActionDescriptor {
    /// Its identifier within the connector.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What it does.
    pub description: String,
    /// What it does outside.
    pub effect: Effect,
    /// Whether a repeat has the effect of one call.
    pub idempotent: bool,
    /// Whether it needs a connection, or runs with nothing but its input.
    pub requires_connection: bool,
    /// The ids of the auth methods it works with; left out where any will do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Option<Vec<String>>")]
    pub auth_methods: Vec<String>,
    /// JSON Schema of the input. Secret inputs are marked `writeOnly`.
    pub input: Value,
    /// JSON Schema of the output.
    pub output: Value,
    /// Words to find it by.
    pub tags: Vec<String>,
}

/// What an action does outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// It only looks.
    Read,
    /// It makes or changes something.
    Write,
    /// It removes something.
    Destroy,
}

/// The work of an action, behind the first gate.
pub trait Action: Send + Sync + 'static {
    /// Does it. The input fits the descriptor's schema; secret inputs are in [`Admitted::secret_input`].
    fn run<'a>(&'a self, admitted: &'a Arc<Admitted>, input: Json) -> BoxFuture<'a, Result<Json>>;

    /// Whether the service is sent a key by which it knows a repeat as one.
    fn keyed(&self) -> bool {
        false
    }
}

/// An action in Rust: its input type, from which the output type follows.
///
/// The type's doc comment is the action's description and its fields' are the parameters' descriptions.
/// `#[derive(ActionInput)]` writes this from one attribute:
///
/// ```
/// use schemars::JsonSchema;
/// use serde::{Deserialize, Serialize};
/// use tieline::ActionInput;
///
/// /// Sends a message.
/// #[derive(Serialize, Deserialize, JsonSchema, ActionInput)]
/// #[action(connector = "acme", id = "sendMessage", output = Sent, effect = "write")]
/// struct SendMessage {
///     /// What it says.
///     message: String,
/// }
///
/// #[derive(Serialize, Deserialize, JsonSchema)]
/// struct Sent {
///     message_id: i64,
/// }
///
/// async fn send(org: &tieline::connectors::Scoped) -> tieline::Result<i64> {
///     let sent = org.call(SendMessage { message: "Hello".to_owned() }).await?;
///     Ok(sent.message_id)
/// }
/// ```
///
/// So the compiler knows what a call takes and what it answers. A field that there is not,
///
/// ```compile_fail,E0560
/// # use tieline::ActionInput;
/// # #[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema, ActionInput)]
/// # #[action(connector = "acme", id = "sendMessage", output = Sent, effect = "write")]
/// # struct SendMessage { message: String }
/// # #[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
/// # struct Sent { message_id: i64 }
/// # async fn send(org: &tieline::connectors::Scoped) -> tieline::Result<i64> {
/// let sent = org.call(SendMessage { message: "Hello".to_owned(), loud: true }).await?;
/// # Ok(sent.message_id) }
/// ```
///
/// one that is missing,
///
/// ```compile_fail,E0063
/// # use tieline::ActionInput;
/// # #[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema, ActionInput)]
/// # #[action(connector = "acme", id = "sendMessage", output = Sent, effect = "write")]
/// # struct SendMessage { message: String }
/// # #[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
/// # struct Sent { message_id: i64 }
/// # async fn send(org: &tieline::connectors::Scoped) -> tieline::Result<i64> {
/// let sent = org.call(SendMessage {}).await?;
/// # Ok(sent.message_id) }
/// ```
///
/// one of another type,
///
/// ```compile_fail,E0308
/// # use tieline::ActionInput;
/// # #[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema, ActionInput)]
/// # #[action(connector = "acme", id = "sendMessage", output = Sent, effect = "write")]
/// # struct SendMessage { message: String }
/// # #[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
/// # struct Sent { message_id: i64 }
/// # async fn send(org: &tieline::connectors::Scoped) -> tieline::Result<i64> {
/// let sent = org.call(SendMessage { message: 7 }).await?;
/// # Ok(sent.message_id) }
/// ```
///
/// a field that the output does not have,
///
/// ```compile_fail,E0609
/// # use tieline::ActionInput;
/// # #[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema, ActionInput)]
/// # #[action(connector = "acme", id = "sendMessage", output = Sent, effect = "write")]
/// # struct SendMessage { message: String }
/// # #[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
/// # struct Sent { message_id: i64 }
/// # async fn send(org: &tieline::connectors::Scoped) -> tieline::Result<i64> {
/// let sent = org.call(SendMessage { message: "Hello".to_owned() }).await?;
/// # Ok(sent.id) }
/// ```
///
/// and a type that is no action's input do not compile.
///
/// ```compile_fail,E0277
/// # use tieline::ActionInput;
/// # #[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
/// # struct SendMessage { message: String }
/// # #[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
/// # struct Sent { message_id: i64 }
/// # async fn send(org: &tieline::connectors::Scoped) -> tieline::Result<()> {
/// org.call(SendMessage { message: "Hello".to_owned() }).await?;
/// # Ok(()) }
/// ```
pub trait ActionInput: Serialize + DeserializeOwned + JsonSchema + Send + 'static {
    /// What the action answers.
    type Output: Serialize + DeserializeOwned + JsonSchema + Send + 'static;
    /// The connector's identifier.
    const CONNECTOR: &'static str;
    /// The action's identifier.
    const ACTION: &'static str;
    /// What people call it.
    const NAME: &'static str;
    /// What it does outside.
    const EFFECT: Effect;
    /// Whether a repeat has the effect of one call.
    const IDEMPOTENT: bool = false;
    /// Whether it needs a connection, or runs with nothing but its input too.
    const REQUIRES_CONNECTION: bool = true;
}

/// An action whose input does the work, with nothing but what the first gate admitted. An action that has state, or asks
/// for its connector's typed configuration, is a handler instead: see [`CodedBuilder`](crate::connector::CodedBuilder).
pub trait RunAction: ActionInput {
    /// Does it.
    fn run(self, admitted: &Admitted) -> impl Future<Output = Result<Self::Output>> + Send;
}

/// Runs a typed action behind the untyped border.
struct Typed<I>(PhantomData<fn(I)>);

impl<I: RunAction> Action for Typed<I> {
    fn run<'a>(&'a self, admitted: &'a Arc<Admitted>, input: Json) -> BoxFuture<'a, Result<Json>> {
        Box::pin(async move {
            let input: I = typed_input(&input)?;
            let output = input.run(admitted).await?;
            output_json::<I>(&output)
        })
    }
}

/// An input that fits its schema, as its type.
pub(crate) fn typed_input<I: ActionInput>(input: &Json) -> Result<I> {
    input.into_type().map_err(|error| {
        Error::new(
            Code::ConnectorActionInputInvalid,
            format!("The input does not fit `{}`: {error}", I::ACTION),
        )
    })
}

/// An output as JSON, within the bounds of answers.
pub(crate) fn output_json<I: ActionInput>(output: &I::Output) -> Result<Json> {
    Json::from_type(output).map_err(|error| match error.kind {
        JsonErrorKind::TooLarge | JsonErrorKind::TooComplex => Error::new(
            Code::UpstreamAnswerTooLarge,
            format!(
                "`{}` was answered with more than we hand on: {}. Ask for less.",
                I::ACTION,
                error.message
            ),
        ),
        _ => Error::internal("an output does not serialise", error),
    })
}

/// An input as JSON, within the bounds of inputs.
pub(crate) fn input_json<I: ActionInput>(input: &I) -> Result<Json> {
    Json::from_type_with(input, &JsonLimits::input()).map_err(|error| match error.kind {
        JsonErrorKind::Syntax | JsonErrorKind::DuplicateKey => Error::internal("an input does not serialise", error),
        _ => input_refused(error.message),
    })
}

fn input_refused(why: String) -> Error {
    Error::new(
        Code::ConnectorActionInputInvalid,
        format!("The input cannot be taken: {why}. Send less."),
    )
}

/// A connector's action with all that was derived from its declaration.
pub(crate) struct Entry {
    pub(crate) descriptor: ActionDescriptor,
    pub(crate) action: Arc<dyn Action>,
    /// Top-level inputs that are secret.
    pub(crate) secret_inputs: Vec<String>,
    /// How long a call may take, where the manifest says it.
    pub(crate) timeout: Option<Duration>,
    /// How often it may be called over one connection.
    pub(crate) rate: Option<PerConnection>,
    input: Check,
    output: Check,
}

impl Entry {
    pub(crate) fn new(
        descriptor: ActionDescriptor,
        timeout: Option<Duration>,
        secret_inputs: Vec<String>,
        action: Arc<dyn Action>,
    ) -> Self {
        Self {
            input: Check::new(descriptor.input.clone()),
            output: Check::new(descriptor.output.clone()),
            descriptor,
            action,
            secret_inputs,
            timeout,
            rate: None,
        }
    }

    /// The same, called so often over one connection at most.
    pub(crate) fn at_most(mut self, rate: Option<PerConnection>) -> Self {
        self.rate = rate;
        self
    }

    /// An action whose input does the work, with this long for a call.
    pub(crate) fn typed<I: RunAction>(timeout: Option<Duration>) -> Self {
        Self::declared::<I>(timeout, Arc::new(Typed::<I>(PhantomData)))
    }

    /// An action in Rust, described by its input and output types.
    pub(crate) fn declared<I: ActionInput>(timeout: Option<Duration>, action: Arc<dyn Action>) -> Self {
        let input = closed(schemars::schema_for!(I).to_value());
        let description = input
            .get("description")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        let descriptor = ActionDescriptor {
            id: I::ACTION.to_owned(),
            name: I::NAME.to_owned(),
            description,
            effect: I::EFFECT,
            idempotent: I::IDEMPOTENT,
            requires_connection: I::REQUIRES_CONNECTION,
            auth_methods: Vec::new(),
            input,
            output: schemars::schema_for!(I::Output).to_value(),
            tags: Vec::new(),
        };
        Self::new(descriptor, timeout, Vec::new(), action)
    }

    /// Does the work. What panics in it fails this call and no other.
    pub(crate) async fn run(&self, admitted: &Arc<Admitted>, input: Json) -> Result<Json> {
        let what = || format!("`{}` of `{}`", self.descriptor.id, admitted.connector.id());
        caught(Code::ConnectorActionFailed, self.action.run(admitted, input), what).await
    }

    /// Whether it may be run again without having its effect twice.
    pub(crate) fn repeatable(&self) -> bool {
        self.descriptor.idempotent || self.action.keyed()
    }

    pub(crate) fn check_input(&self, input: &Json) -> Result<()> {
        let bytes = input.text().len();
        if bytes > MAX_INPUT_BYTES {
            return Err(input_refused(format!(
                "it has {bytes} bytes; {MAX_INPUT_BYTES} are the most"
            )));
        }
        let wrong = self.input.errors(input)?;
        if wrong.is_empty() {
            return Ok(());
        }
        Err(Error::new(
            Code::ConnectorActionInputInvalid,
            format!(
                "The input does not fit `{}`: see `fields`, and the action's schema in the catalog.",
                self.descriptor.id
            ),
        )
        .fields_from(wrong))
    }

    /// The effect has happened by now, so the error carries the output.
    pub(crate) fn check_output(&self, output: Json) -> Result<Json> {
        let wrong = self.output.errors(&output)?;
        if wrong.is_empty() {
            return Ok(output);
        }
        Err(Error::new(
            Code::ConnectorActionOutputInvalid,
            format!(
                "`{}` took effect, but its answer does not fit the declared output. Do not repeat the call; the answer is in `output`.",
                self.descriptor.id
            ),
        )
        .fields_from(wrong)
        .output(output))
    }
}
