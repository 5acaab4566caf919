//! Connectors that are code, without a manifest's text. What they declare becomes a manifest all the same, judged by the
//! same grammar: catalog, forms and command line see no difference.

use std::{any::TypeId, collections::BTreeMap, sync::Arc, time::Duration};

use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tieline_manifest::{Json, Manifest, Tree, Use};

use super::{
    Connector, OAuth, TestReport, Webhook,
    fields::fields,
    hooks::{self, CodedTest, Context, Judge, Validation},
    mistakes,
    shape::Shape,
};
use crate::{
    action::{ActionContext, ActionInput, Entry, HandlerFault, Handling, handler, handling},
    error::{Code, Error, FieldError, Result},
    opened::Opened,
    schema::Check,
};

/// What a connector is beside its manifest, where it is code.
#[derive(Default)]
pub(crate) struct Coded {
    pub(super) shape: Option<Shape>,
    pub(super) metadata: Option<Value>,
    pub(super) default: Option<Arc<Opened>>,
    pub(super) context: Option<Context>,
    pub(super) judge: Option<Judge>,
    pub(super) test: Option<CodedTest>,
    pub(super) oauth: Option<OAuth>,
    pub(super) webhook: Option<Webhook>,
}

/// Puts a connector together in code. The order of its words makes no difference.
///
/// ```
/// use schemars::JsonSchema;
/// use serde::{Deserialize, Serialize};
/// use tieline::{ActionInput, Connector, Result, action::ActionContext, secret::Secret};
///
/// #[derive(Deserialize, JsonSchema)]
/// #[serde(rename_all = "camelCase")]
/// struct AcmeConfig {
///     /// As Acme shows it once.
///     api_token: Secret, // sealed when it is stored, and never shown again
///     channel: String,
/// }
///
/// /// Sends a message.
/// #[derive(Serialize, Deserialize, JsonSchema, ActionInput)]
/// #[action(connector = "acme", id = "sendMessage", output = Sent, effect = "write")]
/// struct SendMessage {
///     message: String,
/// }
///
/// #[derive(Serialize, Deserialize, JsonSchema)]
/// struct Sent {
///     id: i64,
/// }
///
/// async fn send_message(call: ActionContext<AcmeConfig>, input: SendMessage) -> Result<Sent> {
///     let config = call.config();
///     let url = format!("https://api.acme.example/channels/{}/messages", config.channel);
///     let answer = call.http().post(url).bearer(&config.api_token).json(&input)?.send().await?;
///     answer.success()?.json()
/// }
///
/// # fn main() -> Result<()> {
/// let acme = Connector::builder("acme")
///     .name("Acme")
///     .config::<AcmeConfig>()
///     .allowed_hosts(["api.acme.example"])
///     .action(send_message)
///     .build()?;
///
/// let fields = &acme.descriptor().auth[0].fields;
/// assert!(fields.iter().any(|field| field.name == "apiToken" && field.secret));
/// # Ok(())
/// # }
/// ```
pub struct CodedBuilder {
    id: String,
    name: Option<String>,
    description: Option<String>,
    icon: Option<String>,
    metadata: Option<(Value, Result<Value>)>,
    config: Option<Value>,
    /// The configuration's type, where it has one.
    config_type: Option<(TypeId, &'static str)>,
    default: Option<Json>,
    hosts: Vec<String>,
    timeout: Option<Duration>,
    /// The connector each action was written for, and the action.
    actions: Vec<(&'static str, Entry)>,
    handlings: Vec<Handling>,
    context: Option<Context>,
    judge: Option<Judge>,
    test: Option<CodedTest>,
    oauth: Option<OAuth>,
    webhook: Option<Webhook>,
}

impl CodedBuilder {
    pub(super) fn new(id: String) -> Self {
        Self {
            id,
            name: None,
            description: None,
            icon: None,
            metadata: None,
            config: None,
            config_type: None,
            default: None,
            hosts: Vec::new(),
            timeout: None,
            actions: Vec::new(),
            handlings: Vec::new(),
            context: None,
            judge: None,
            test: None,
            oauth: None,
            webhook: None,
        }
    }

    /// What people call it; its identifier, unless given.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// More about it.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// A word or sign that stands for it.
    #[must_use]
    pub fn icon(mut self, icon: impl Into<String>) -> Self {
        self.icon = Some(icon.into());
        self
    }

    /// What it says of itself, by a type of yours. It stands in the descriptor for everybody to see.
    #[must_use]
    pub fn metadata<T: Serialize + JsonSchema>(mut self, value: &T) -> Self {
        let value = serde_json::to_value(value).map_err(|error| Error::internal("write a connector's metadata", error));
        self.metadata = Some((schemars::schema_for!(T).to_value(), value));
        self
    }

    /// The same, as a value and the JSON Schema that it fits.
    #[must_use]
    pub fn metadata_value(mut self, schema: Value, value: Value) -> Self {
        self.metadata = Some((schema, Ok(value)));
        self
    }

    /// What one connects it with, by a type of yours. Its fields are the form's; a field of type
    /// [`Secret`](crate::secret::Secret), or whose schema says `writeOnly`, is sealed when it is stored and never shown
    /// again. A secret that lies deeper seals the whole field at the top.
    ///
    /// A text is one line, unless its schema's format is `textarea`. Where the connector declares no hosts, a field of the
    /// format `uri` or `hostname`, or with `x-target`, decides where secrets are sent: whoever changes it enters them again.
    #[must_use]
    pub fn config<C: DeserializeOwned + JsonSchema + Send + Sync + 'static>(mut self) -> Self {
        self.config = Some(schemars::schema_for!(C).to_value());
        self.config_type = Some((TypeId::of::<C>(), std::any::type_name::<C>()));
        self
    }

    /// The same by a JSON Schema (2020-12) of an object. Handlers read it as [`Json`], or as any type that fits.
    #[must_use]
    pub fn config_schema(mut self, schema: Value) -> Self {
        self.config = Some(schema);
        self.config_type = None;
        self
    }

    /// What it works with where nobody connected it: see [`Connectors::action`](crate::Connectors::action).
    #[must_use]
    pub fn default_config(mut self, config: impl Into<Json>) -> Self {
        self.default = Some(config.into());
        self
    }

    /// Adds hosts that it may speak to: `api.acme.example` or `*.acme.example`.
    #[must_use]
    pub fn allowed_hosts(mut self, hosts: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.hosts.extend(hosts.into_iter().map(Into::into));
        self
    }

    /// How long a call may take; as long as the house says, unless given.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Adds an action: the type of its input declares it, and the handler does it. A handler is a function or a closure
    /// with whatever state it holds; it ends with an error of any type. One of ours keeps its code, any other is
    /// `CONNECTOR_ACTION_FAILED`.
    #[must_use]
    pub fn action<I, C, X, F, Fut, E>(mut self, run: F) -> Self
    where
        I: ActionInput,
        C: DeserializeOwned + Send + Sync + 'static,
        X: Send + Sync + 'static,
        F: Fn(ActionContext<C, X>, I) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<I::Output, E>> + Send + 'static,
        E: Into<HandlerFault>,
    {
        self.handlings
            .push(handling::<C, X>(format!("the handler of `{}`", I::ACTION)));
        self.actions
            .push((I::CONNECTOR, Entry::declared::<I>(None, handler(run))));
        self
    }

    /// Sets what makes the context that handlers take, from a connection's configuration and scope. It is asked in every
    /// call, after the input was checked.
    #[must_use]
    pub fn on_context<C, X, F, Fut, E>(mut self, hook: F) -> Self
    where
        C: DeserializeOwned + Send + Sync + 'static,
        X: Send + Sync + 'static,
        F: Fn(ActionContext<C>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<X, E>> + Send + 'static,
        E: Into<HandlerFault>,
    {
        self.handlings.push(handling::<C, ()>("`on_context`"));
        self.context = Some(hooks::context(hook));
        self
    }

    /// Sets what judges a configuration that fits its schema, before anything is stored. Its error reaches whoever
    /// connects: one of ours with its code, any other as `CONNECTOR_CONFIG_INVALID`.
    #[must_use]
    pub fn on_validate<C, F, Fut, E>(mut self, hook: F) -> Self
    where
        C: DeserializeOwned + Send + Sync + 'static,
        F: Fn(Validation<C>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<HandlerFault>,
    {
        self.handlings.push(handling::<C, ()>("`on_validate`"));
        self.judge = Some(hooks::judge(hook));
        self
    }

    /// Sets the test of a connection.
    #[must_use]
    pub fn test<C, X, F, Fut, E>(mut self, hook: F) -> Self
    where
        C: DeserializeOwned + Send + Sync + 'static,
        X: Send + Sync + 'static,
        F: Fn(ActionContext<C, X>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<TestReport, E>> + Send + 'static,
        E: Into<HandlerFault>,
    {
        self.handlings.push(handling::<C, X>("the test"));
        self.test = Some(hooks::test(hook));
        self
    }

    /// Declares how one signs in.
    #[must_use]
    pub fn oauth(mut self, oauth: OAuth) -> Self {
        self.oauth = Some(oauth);
        self
    }

    /// Declares what is done with webhooks.
    #[must_use]
    pub fn webhook(mut self, mut webhook: Webhook) -> Self {
        self.handlings.extend(webhook.handlings());
        self.webhook = Some(webhook);
        self
    }

    /// The connector.
    ///
    /// # Errors
    /// `CONNECTOR_BUILD_CONFIG_REQUIRED` without a configuration; `MANIFEST_INVALID` for what the manifest language
    /// refuses, for a schema that is none, for an action of another connector, and for a handler that takes other types
    /// than the connector has; `CONNECTOR_CONFIG_INVALID` for a default configuration that does not fit.
    pub fn build(mut self) -> Result<Connector> {
        let schema = self.config.take().ok_or_else(|| {
            let detail = format!(
                "`{0}` does not say what one connects it with: add `.config::<YourConfig>()`, a struct without fields if \
                 there is nothing to say.",
                self.id
            );
            Error::new(Code::ConnectorBuildConfigRequired, detail)
        })?;
        self.check_types()?;
        let manifest = self.manifest(&schema)?;
        let metadata = self.metadata.take().map(checked_metadata).transpose()?;
        self.webhook.as_ref().map_or(Ok(()), Webhook::check)?;
        let timeout = self.timeout;
        if let Some((other, entry)) = self.actions.iter().find(|(connector, _)| *connector != self.id) {
            let detail = format!(
                "`{}` is given the action `{}`, which was written for `{other}`.",
                self.id, entry.descriptor.id
            );
            return Err(Error::new(Code::ManifestInvalid, detail));
        }
        let actions = self.actions.into_iter().map(|(_, mut entry)| {
            entry.timeout = entry.timeout.or(timeout);
            entry
        });
        let shape = Shape::new(schema).map_err(|error| no_schema("the configuration", error))?;
        let coded = Coded {
            shape: Some(shape),
            metadata,
            default: None,
            context: self.context,
            judge: self.judge,
            test: self.test,
            oauth: self.oauth,
            webhook: self.webhook,
        };
        let mut connector = Connector::whole(Arc::new(manifest), &self.id, actions, None, coded)?;
        if let Some(config) = &self.default {
            let accepted = connector.accept(None, config)?;
            connector.coded.default = Some(Opened::by_default(&connector, accepted));
        }
        Ok(connector)
    }

    /// What a manifest would say.
    fn manifest(&self, schema: &Value) -> Result<Manifest> {
        let mut method = match &self.oauth {
            Some(oauth) => oauth.method(),
            None => json!({ "type": "custom" }),
        };
        method["fields"] = fields(schema, !self.hosts.is_empty())?.into();
        let mut manifest = BTreeMap::from([
            ("id", json!(self.id)),
            ("name", json!(self.name.as_ref().unwrap_or(&self.id))),
            ("auth", json!([method])),
        ]);
        let texts = [("description", &self.description), ("icon", &self.icon)];
        let texts = texts
            .into_iter()
            .filter_map(|(word, text)| Some((word, json!(text.as_ref()?))));
        manifest.extend(texts);
        if !self.hosts.is_empty() {
            manifest.insert("allowedHosts", json!(self.hosts));
        }
        let tree = Tree::from_value(&json!(manifest));
        Manifest::from_tree(&tree, Use::Coded)
            .map_err(|lints| mistakes(lints, &format!("declaration of `{}`", self.id)))
    }

    /// Whether each handler takes the types that the connector has.
    fn check_types(&self) -> Result<()> {
        let nothing = (TypeId::of::<()>(), "()");
        let made = self.context.as_ref().map_or(nothing, |context| context.made);
        for handling in &self.handlings {
            let wrong = |wants: &str, has: &str, word: &str| {
                let detail = format!(
                    "In `{}`, {} takes `{wants}`, and {word} is `{has}`.",
                    self.id, handling.what
                );
                Err(Error::new(Code::ManifestInvalid, detail))
            };
            if let Some((_, has)) = self
                .config_type
                .filter(|(id, _)| *id != handling.config.0 && !is_json(handling))
            {
                return wrong(handling.config.1, has, "the configuration");
            }
            if handling.context.0 != made.0 && handling.context.0 != nothing.0 {
                return wrong(handling.context.1, made.1, "what `on_context` makes");
            }
        }
        Ok(())
    }
}

/// Whatever its type, a configuration can be read as JSON.
fn is_json(handling: &Handling) -> bool {
    handling.config.0 == TypeId::of::<Json>()
}

fn no_schema(of: &str, error: Error) -> Error {
    let detail = format!("The schema of {of} is no JSON Schema (2020-12).");
    Error::new(Code::ManifestInvalid, detail).caused_by(error)
}

fn checked_metadata((schema, value): (Value, Result<Value>)) -> Result<Value> {
    let value = value?;
    let wrong = Check::new(schema)
        .errors(&Json::from_value(&value))
        .map_err(|error| no_schema("the metadata", error))?;
    if wrong.is_empty() {
        return Ok(value);
    }
    let fields = wrong.into_iter().map(|field| FieldError {
        pointer: format!("/metadata{}", field.pointer),
        message: field.message,
    });
    let detail = "The metadata does not fit its own schema: see `fields`.";
    Err(Error::new(Code::ManifestInvalid, detail).fields_from(fields))
}
