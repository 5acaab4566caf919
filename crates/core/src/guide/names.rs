//! The words of `@igniter-js/connectors`, and ours.
//!
//! For whoever knows that library, or moves a program from it. The documentation is built with broken links forbidden, so
//! what stands here exists.
//!
//! # Putting a connector together
//!
//! | there | here |
//! |---|---|
//! | `Connector.create()` | [`Connector::builder`](crate::Connector::builder); [`Connector::parse`](crate::Connector::parse) for a manifest |
//! | `.withConfig(schema)` | [`config`](crate::connector::CodedBuilder::config), by a type; [`config_schema`](crate::connector::CodedBuilder::config_schema), by a JSON Schema |
//! | `.withMetadata(schema, value)` | [`metadata`](crate::connector::CodedBuilder::metadata), [`metadata_value`](crate::connector::CodedBuilder::metadata_value) |
//! | `.withDefaultConfig(config)` | [`default_config`](crate::connector::CodedBuilder::default_config) |
//! | `.withOAuth(options)` | [`oauth`](crate::connector::CodedBuilder::oauth) with an [`OAuth`](crate::connector::OAuth) |
//! | `.withWebhook(options)` | [`webhook`](crate::connector::CodedBuilder::webhook) with a [`Webhook`](crate::connector::Webhook) |
//! | `.onContext(hook)` | [`on_context`](crate::connector::CodedBuilder::on_context) |
//! | `.onValidate(hook)` | [`on_validate`](crate::connector::CodedBuilder::on_validate) |
//! | `.addAction(key, options)` | [`action`](crate::connector::CodedBuilder::action) with an [`ActionInput`](crate::ActionInput) |
//! | `.build()` | [`build`](crate::connector::CodedBuilder::build) |
//!
//! A handler's `input` is its second argument; `config`, `context`, `oauth`, `scope` and `identity` are methods of its
//! [`ActionContext`](crate::action::ActionContext).
//!
//! # Putting the house together
//!
//! | there | here |
//! |---|---|
//! | `IgniterConnector.create()` | [`Connectors::builder`](crate::Connectors::builder) |
//! | `.withDatabase(adapter)` | [`store`](crate::ConnectorsBuilder::store), or [`adapter`](crate::ConnectorsBuilder::adapter) |
//! | `.withLogger(logger)` | the crate `tracing`: whatever subscriber the program has; [`TracingTransport`](crate::telemetry::TracingTransport) for events |
//! | `.withTelemetry(telemetry)` | [`telemetry`](crate::ConnectorsBuilder::telemetry) |
//! | `.withEncrypt(fields)` | [`encrypt`](crate::ConnectorsBuilder::encrypt); declared secrets are sealed anyway |
//! | `.withCustomEncrypt(encrypt, decrypt)` | [`vault`](crate::ConnectorsBuilder::vault) with a [`Vault`](crate::vault::Vault) |
//! | `.addScope(key, options)` | [`scope`](crate::ConnectorsBuilder::scope) with a [`ScopeRule`](crate::ScopeRule) |
//! | `.addConnector(key, connector)` | [`connector`](crate::ConnectorsBuilder::connector), [`manifest`](crate::ConnectorsBuilder::manifest) |
//! | `.onConnect(hook)` | [`on_connect`](crate::ConnectorsBuilder::on_connect) |
//! | `.onDisconnect(hook)` | [`on_disconnect`](crate::ConnectorsBuilder::on_disconnect) |
//! | `.onError(hook)` | [`on_error`](crate::ConnectorsBuilder::on_error) |
//! | `.onEvent(handler)` | [`on_event`](crate::ConnectorsBuilder::on_event), [`Connectors::on`](crate::Connectors::on) |
//! | `connectors.scope(key, id)` | [`scope`](crate::Connectors::scope) |
//! | `connectors.handle(key, path, params)` | [`handle`](crate::Connectors::handle); see [`webhooks`](super::webhooks), and [`oauth`](super::oauth), which comes |
//!
//! # In a scope
//!
//! | there | here |
//! |---|---|
//! | `IgniterConnectorScoped` | [`Scoped`](crate::connectors::Scoped) |
//! | `.list(options?)` | [`list`](crate::connectors::Scoped::list), [`count`](crate::connectors::Scoped::count) |
//! | `.get(key)` | [`get`](crate::connectors::Scoped::get) |
//! | `.connect(key, config)` | [`connect`](crate::connectors::Scoped::connect) |
//! | `.update(key, config)` | [`update`](crate::connectors::Scoped::update) |
//! | `.enable(key)` | [`enable`](crate::connectors::Scoped::enable) |
//! | `.disable(key)` | [`disable`](crate::connectors::Scoped::disable); [`toggle`](crate::connectors::Scoped::toggle) for either |
//! | `.disconnect(key)` | [`disconnect`](crate::connectors::Scoped::disconnect) |
//! | `.action(key, action)` | [`action`](crate::connectors::Scoped::action), and [`call`](crate::connectors::Scoped::call) by type |
//! | `.call(input)` | [`ActionCall::call`](crate::connectors::ActionCall::call), a `Result` in the place of `{ data, error }` |
//! | `.subscribe(handler)` | [`subscribe`](crate::connectors::Scoped::subscribe), [`on`](crate::connectors::Scoped::on); dropping ends it |
//!
//! # Keeping connections
//!
//! | there | here |
//! |---|---|
//! | `PrismaAdapter.create(prisma)` | `tieline_store::SqliteAdapter`, `tieline_store::PostgresAdapter`: a [`MemoryAdapter`](crate::MemoryAdapter) for tables |
//! | `PrismaAdapter.create(prisma, { model })` | `SqliteAdapter::options(path).table(name)` |
//! | `IgniterConnectorBaseAdapter` | [`Adapter`](crate::store::Adapter) |
//! | `IgniterConnectorRecord` | [`Record`](crate::store::adapter::Record) with its [`Key`](crate::store::adapter::Key) |
//! | `IgniterConnectorUpdateData` | [`Change`](crate::store::adapter::Change) |
//! | `get(scope, identity, provider)` | [`get`](crate::store::Adapter::get) |
//! | `list(scope, identity)` | [`list`](crate::store::Adapter::list) with a [`Filter`](crate::store::adapter::Filter) |
//! | `upsert(…)` | [`upsert`](crate::store::Adapter::upsert), which never overwrites |
//! | `update(…)` | [`update`](crate::store::Adapter::update), from the version it was made from |
//! | `delete(…)` | [`delete`](crate::store::Adapter::delete) |
//!
//! # Events
//!
//! Names as they are there, behind the prefix `igniter.connectors` or ours, and the short ones of `onEvent`.
//!
//! | there | here |
//! |---|---|
//! | `connector.connected`, `connected` | [`ConnectorConnected`](crate::EventKind::ConnectorConnected) |
//! | `connector.disconnected`, `disconnected` | [`ConnectorDisconnected`](crate::EventKind::ConnectorDisconnected) |
//! | `connector.enabled` | [`ConnectorEnabled`](crate::EventKind::ConnectorEnabled) |
//! | `connector.disabled` | [`ConnectorDisabled`](crate::EventKind::ConnectorDisabled) |
//! | `connector.updated` | [`ConnectorUpdated`](crate::EventKind::ConnectorUpdated) |
//! | `oauth.started` | [`OauthStarted`](crate::EventKind::OauthStarted) |
//! | `oauth.completed`, `oauth:completed` | [`OauthCompleted`](crate::EventKind::OauthCompleted) |
//! | `oauth.refreshed` | [`OauthRefreshed`](crate::EventKind::OauthRefreshed) |
//! | `oauth.failed` | [`OauthFailed`](crate::EventKind::OauthFailed) |
//! | `action.started` | [`ActionStarted`](crate::EventKind::ActionStarted) |
//! | `action.completed`, `action` | [`ActionCompleted`](crate::EventKind::ActionCompleted) |
//! | `action.failed`, `action` | [`ActionFailed`](crate::EventKind::ActionFailed) |
//! | `webhook.received`, `webhook:received` | [`WebhookReceived`](crate::EventKind::WebhookReceived) |
//! | `webhook.processed` | [`WebhookProcessed`](crate::EventKind::WebhookProcessed) |
//! | `webhook.failed` | [`WebhookFailed`](crate::EventKind::WebhookFailed) |
//! | `adapter.get` | [`AdapterGet`](crate::EventKind::AdapterGet) |
//! | `adapter.list` | [`AdapterList`](crate::EventKind::AdapterList) |
//! | `adapter.upsert` | [`AdapterUpsert`](crate::EventKind::AdapterUpsert) |
//! | `adapter.update` | [`AdapterUpdate`](crate::EventKind::AdapterUpdate) |
//! | `adapter.delete` | [`AdapterDelete`](crate::EventKind::AdapterDelete) |
//! | `error.occurred`, `error` | [`ErrorOccurred`](crate::EventKind::ErrorOccurred) |
//!
//! # Telemetry
//!
//! | there | here |
//! |---|---|
//! | `IgniterTelemetry.create()` | [`Telemetry::builder`](crate::Telemetry::builder) |
//! | `.withService(name)` | [`service`](crate::telemetry::TelemetryBuilder::service) |
//! | `.withEnvironment(name)` | [`environment`](crate::telemetry::TelemetryBuilder::environment) |
//! | `.addEvents(ConnectorsTelemetryEvents)` | nothing: all [kinds](crate::EventKind::ALL) are told |
//! | `.withRedaction(options)` | [`redaction`](crate::telemetry::TelemetryBuilder::redaction), on without it |
//! | `denylistKeys` | [`deny`](crate::telemetry::Redaction::deny) |
//! | `hashKeys` | [`hash`](crate::telemetry::Redaction::hash) |
//! | `maxStringLength` | [`max_chars`](crate::telemetry::Redaction::max_chars) |
//! | `.withSampling(options)` | [`sampling`](crate::telemetry::TelemetryBuilder::sampling) |
//! | `debugRate` | [`debug`](crate::telemetry::Sampling::debug) |
//! | `infoRate` | [`info`](crate::telemetry::Sampling::info) |
//! | `warnRate` | [`warn`](crate::telemetry::Sampling::warn) |
//! | `errorRate` | [`error`](crate::telemetry::Sampling::error) |
//! | `.addTransport(name, transport)` | [`transport`](crate::telemetry::TelemetryBuilder::transport) |
//! | `LoggerTransportAdapter.create()` | [`TracingTransport`](crate::telemetry::TracingTransport) |
//! | `StoreStreamTransportAdapter.create({ redis })` | [`RedisTransport`](crate::telemetry::RedisTransport) |
//! | `telemetry.session().run(work)` | [`session`](crate::Telemetry::session) and [`run`](crate::telemetry::SessionBuilder::run) |
//!
//! # Types
//!
//! | there | here |
//! |---|---|
//! | `$InferConnectorKey` | [`ActionInput::CONNECTOR`](crate::ActionInput::CONNECTOR), [`Registry::list`](crate::registry::Registry::list) |
//! | `$InferScopeKey` | an enum of the program's: see [`types`](super::types) |
//! | `$InferScoped` | [`Scoped`](crate::connectors::Scoped) |
//! | `$InferConfig` | the type given to [`config`](crate::connector::CodedBuilder::config) |
//! | `$InferActionKeys` | [`ActionInput::ACTION`](crate::ActionInput::ACTION) |
//!
//! # Errors
//!
//! | there | here |
//! |---|---|
//! | `IgniterConnectorError` | [`Error`](crate::Error) |
//! | `IGNITER_CONNECTOR_ERROR_CODES` | [`Code`](crate::Code) |
//! | `CONNECTOR_NOT_FOUND` | [`ConnectorNotFound`](crate::Code::ConnectorNotFound) |
//! | `CONNECTOR_NOT_CONNECTED` | [`ConnectorNotConnected`](crate::Code::ConnectorNotConnected); switched off is [`ConnectionDisabled`](crate::Code::ConnectionDisabled) |
//! | `CONNECTOR_ALREADY_CONNECTED` | [`ConnectorAlreadyConnected`](crate::Code::ConnectorAlreadyConnected) |
//! | `CONNECTOR_CONFIG_INVALID` | [`ConnectorConfigInvalid`](crate::Code::ConnectorConfigInvalid) |
//! | `CONNECTOR_DEFAULT_CONFIG_REQUIRED` | [`ConnectorDefaultConfigRequired`](crate::Code::ConnectorDefaultConfigRequired) |
//! | `CONNECTOR_ACTION_NOT_FOUND` | [`ConnectorActionNotFound`](crate::Code::ConnectorActionNotFound) |
//! | `CONNECTOR_ACTION_INPUT_INVALID` | [`ConnectorActionInputInvalid`](crate::Code::ConnectorActionInputInvalid) |
//! | `CONNECTOR_ACTION_OUTPUT_INVALID` | [`ConnectorActionOutputInvalid`](crate::Code::ConnectorActionOutputInvalid) |
//! | `CONNECTOR_ACTION_FAILED` | [`ConnectorActionFailed`](crate::Code::ConnectorActionFailed), and more exactly `UPSTREAM_…` |
//! | `CONNECTOR_SCOPE_INVALID` | [`ConnectorScopeInvalid`](crate::Code::ConnectorScopeInvalid) |
//! | `CONNECTOR_SCOPE_IDENTIFIER_REQUIRED` | [`ConnectorScopeIdentifierRequired`](crate::Code::ConnectorScopeIdentifierRequired) |
//! | `CONNECTOR_DATABASE_REQUIRED` | [`ConnectorDatabaseRequired`](crate::Code::ConnectorDatabaseRequired) |
//! | `CONNECTOR_DATABASE_FAILED` | [`ConnectorDatabaseFailed`](crate::Code::ConnectorDatabaseFailed) |
//! | `CONNECTOR_OAUTH_NOT_CONFIGURED` | [`ConnectorOauthNotConfigured`](crate::Code::ConnectorOauthNotConfigured) |
//! | `CONNECTOR_OAUTH_STATE_INVALID` | [`ConnectorOauthStateInvalid`](crate::Code::ConnectorOauthStateInvalid) |
//! | `CONNECTOR_OAUTH_TOKEN_FAILED` | [`ConnectorOauthTokenFailed`](crate::Code::ConnectorOauthTokenFailed) |
//! | `CONNECTOR_OAUTH_PARSE_TOKEN_FAILED` | [`ConnectorOauthParseTokenFailed`](crate::Code::ConnectorOauthParseTokenFailed) |
//! | `CONNECTOR_OAUTH_PARSE_USERINFO_FAILED` | [`ConnectorOauthParseUserinfoFailed`](crate::Code::ConnectorOauthParseUserinfoFailed) |
//! | `CONNECTOR_OAUTH_REFRESH_FAILED` | [`ConnectorOauthRefreshFailed`](crate::Code::ConnectorOauthRefreshFailed) |
//! | `CONNECTOR_WEBHOOK_NOT_CONFIGURED` | [`ConnectorWebhookNotConfigured`](crate::Code::ConnectorWebhookNotConfigured) |
//! | `CONNECTOR_WEBHOOK_VALIDATION_FAILED` | [`ConnectorWebhookValidationFailed`](crate::Code::ConnectorWebhookValidationFailed) |
//! | `CONNECTOR_WEBHOOK_VERIFICATION_FAILED` | [`ConnectorWebhookVerificationFailed`](crate::Code::ConnectorWebhookVerificationFailed) |
//! | `CONNECTOR_ENCRYPT_FAILED` | [`ConnectorEncryptFailed`](crate::Code::ConnectorEncryptFailed) |
//! | `CONNECTOR_DECRYPT_FAILED` | [`ConnectorDecryptFailed`](crate::Code::ConnectorDecryptFailed) |
//! | `CONNECTOR_ENCRYPTION_SECRET_REQUIRED` | [`ConnectorEncryptionSecretRequired`](crate::Code::ConnectorEncryptionSecretRequired) |
//! | `CONNECTOR_BUILD_CONFIG_REQUIRED` | [`ConnectorBuildConfigRequired`](crate::Code::ConnectorBuildConfigRequired) |
//! | `CONNECTOR_BUILD_SCOPES_REQUIRED` | [`ConnectorBuildScopesRequired`](crate::Code::ConnectorBuildScopesRequired) |
//! | `CONNECTOR_BUILD_CONNECTORS_REQUIRED` | [`ConnectorBuildConnectorsRequired`](crate::Code::ConnectorBuildConnectorsRequired) |
//!
//! # Environment
//!
//! | there | here |
//! |---|---|
//! | `IGNITER_SECRET` | [`MasterKey::from_env`](crate::MasterKey::from_env), of a variable you name; [`iv_tag_text`](crate::vault::import::iv_tag_text) opens what was sealed with it |
