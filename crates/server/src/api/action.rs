//! Calling actions.

use std::sync::Arc;

use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tieline::{
    Code, Error, Result,
    call::{Call, Called, Via},
    error::FieldError,
    id::{CallId, ConnectionId, CredentialId},
};
use tieline_manifest::{Json, Tree};

use crate::{
    app::App,
    caller::Caller,
    openapi::Operation,
    route::{
        Body, Extract, Found, Input, Ref, Referable, Reply, Request, Row, id_schema, invalid, once::Run, read_input,
        typed,
    },
};

/// How a call can fail beyond what its arguments say.
pub(crate) const CALLING: &[Code] = &[
    Code::NotFound,
    Code::ConnectorNotFound,
    Code::ConnectorActionNotFound,
    Code::ConnectorActionInputInvalid,
    Code::ConnectorActionOutputInvalid,
    Code::ConnectorActionFailed,
    Code::ConnectorNotConnected,
    Code::ConnectorConfigInvalid,
    Code::ManifestInvalid,
    Code::ConnectorDefaultConfigRequired,
    Code::ConnectorDecryptFailed,
    Code::ConnectionDisabled,
    Code::ConnectionReadOnly,
    Code::CredentialExpired,
    Code::EnvironmentMismatch,
    Code::ConnectorRateLimited,
    Code::EgressForbidden,
    Code::HostNotAllowed,
    Code::UpstreamUnreachable,
    Code::UpstreamTimeout,
    Code::UpstreamUnauthorized,
    Code::UpstreamRateLimited,
    Code::UpstreamUnavailable,
    Code::UpstreamAnswerTruncated,
    Code::UpstreamAnswerTooLarge,
    Code::UpstreamAnswerInvalid,
    Code::AttachmentPathNotSupported,
    Code::SmtpTlsRequired,
    Code::SmtpOutcomeUnknown,
];

/// What came of a call.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Done {
    /// The call's identifier, for questions about it.
    call: CallId,
    /// The action's output, as its descriptor in the catalog declares it.
    #[schemars(with = "serde_json::Value")]
    output: Json,
}

impl From<Called> for Done {
    fn from(called: Called) -> Self {
        Self {
            call: called.call,
            output: called.output,
        }
    }
}

/// A connection that is about to be used: only whether the caller has it is asked here, and a warm answer runs no
/// statement. Its secrets are opened behind the first gate.
pub(crate) struct Usable(pub(super) ConnectionId);

impl Found for Usable {
    const PARAM: &'static str = "connection";
    const KIND: Option<&'static str> = Some(ConnectionId::KIND);
    const MISSING: Code = Code::NotFound;

    fn schema() -> Schema {
        id_schema::<ConnectionId>()
    }

    async fn find(app: &App, caller: &Caller, text: &str) -> Result<Self> {
        let id = text.parse()?;
        app.connectors.has_connection(&caller.actor, id).await?;
        Ok(Self(id))
    }
}

/// The name of an action in the path.
pub(crate) struct ActionName(String);

impl Extract for ActionName {
    async fn extract(request: &mut Request) -> Result<Self> {
        request.param("action").map(|name| Self(name.to_owned()))
    }

    fn describe(operation: &mut Operation<'_>) {
        operation.reads_param(
            "action",
            &schemars::json_schema!({ "type": "string", "examples": ["send"] }),
        );
    }
}

pub(crate) async fn call(
    app: App,
    caller: Arc<Caller>,
    Row(connection): Row<Usable>,
    ActionName(action): ActionName,
    run: Run,
    Input(input): Input,
) -> Result<Reply<Done>> {
    let call = Call {
        connector: None,
        action,
        input,
        via: Via::Connection(connection.0),
        idempotency_key: None,
    };
    let called = app.connectors.call_once(&caller.actor, call, run.attempt()).await?;
    Ok(Reply(called.into()))
}

/// A step as a workflow writes it. Everything besides these names is the action's input, unless `input` is given.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("additionalProperties" = true))]
#[schemars(example = json!({
    "connectorType": "acme",
    "action": "send",
    "connectionId": "conn_01jd3k9v7rf8pa0q2m5w8x4ynz",
    "content": "Hello",
}))]
#[schemars(example = json!({
    "connectorType": "acme",
    "action": "send",
    "credentialId": "cred_01jd3k9v7rf8pa0q2m5w8x4ynz",
    "content": "Hello",
}))]
#[schemars(example = json!({ "connectorType": "acme", "action": "open", "input": {} }))]
pub(crate) struct Step {
    /// Which connector.
    connector_type: String,
    /// Which action.
    action: String,
    /// With whose keys: a shared credential.
    #[serde(default)]
    credential_id: Option<Ref<CredentialId>>,
    /// With whose keys: a connection.
    #[serde(default)]
    connection_id: Option<Ref<ConnectionId>>,
    /// The action's input, if it is not written beside these names.
    #[serde(default)]
    #[schemars(with = "Option<std::collections::BTreeMap<String, serde_json::Value>>")]
    input: Option<Json>,
}

/// The names that are not input.
const RESERVED: [&str; 5] = ["connectorType", "action", "credentialId", "connectionId", "input"];

/// A step as the call it stands for.
pub(crate) struct StepCall(Call);

impl Extract for StepCall {
    const READS_BODY: bool = true;

    async fn extract(request: &mut Request) -> Result<Self> {
        let json = read_input(request).await?;
        let step: Step = typed(&json)?;
        let beside = match json.tree() {
            Tree::Object(fields) => fields
                .iter()
                .filter(|(name, _)| !RESERVED.contains(&name.as_str()))
                .cloned()
                .collect(),
            _ => Vec::new(),
        };
        step.call(beside).map(Self)
    }

    fn describe(operation: &mut Operation<'_>) {
        Body::<Step>::describe(operation);
    }
}

impl Step {
    fn call(self, beside: Vec<(String, Tree)>) -> Result<Call> {
        let via = match (self.credential_id, self.connection_id) {
            (Some(_), Some(_)) => {
                let detail = "A call uses the keys of a connection or those of a credential: name one of the two.";
                return Err(
                    Error::new(Code::RequestInvalid, detail).field("/credentialId", "stands beside `connectionId`")
                );
            }
            (Some(Ref(credential)), None) => Via::Credential {
                credential,
                config: None,
            },
            (None, Some(Ref(connection))) => Via::Connection(connection),
            (None, None) => Via::Nothing,
        };
        let input = match self.input {
            None => Json::from_tree(Tree::Object(beside)),
            Some(input) if beside.is_empty() => input,
            Some(_) => {
                let message = "stands beside `input`; move it into `input`, or leave `input` out";
                let fields = beside.into_iter().map(|(name, _)| FieldError {
                    pointer: format!("/{}", name.replace('~', "~0").replace('/', "~1")),
                    message: message.to_owned(),
                });
                return Err(invalid("The input is written twice: see `fields`.", fields));
            }
        };
        Ok(Call {
            connector: Some(self.connector_type),
            action: self.action,
            input,
            via,
            idempotency_key: None,
        })
    }
}

pub(crate) async fn step(app: App, caller: Arc<Caller>, run: Run, StepCall(call): StepCall) -> Result<Reply<Done>> {
    let called = app.connectors.call_once(&caller.actor, call, run.attempt()).await?;
    Ok(Reply(called.into()))
}
