//! Finding out whether a connection works.

mod finding;
mod history;
mod schedule;

pub(crate) use self::schedule::Schedule;
pub use self::{
    history::{ConnectionHealth, LastError, PastTest},
    schedule::ScheduleCounts,
};

use std::{collections::BTreeMap, sync::Arc};

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use tieline_manifest::{Manifest, Test, Tested, Tree};
use tokio::time::{Instant, timeout};

use crate::{
    admit::{Admitted, Ask, Purpose},
    audit::Actor,
    call::Via,
    connection::Connect,
    connector::TestReport,
    connectors::Connectors,
    endpoint::{advised, attempt, render},
    error::{Code, Error, Result},
    id::{CallId, ConnectionId, CredentialId},
    limits::CONNECTION_TEST_TIMEOUT,
    opened::Opened,
    store::{HealthState, TestCause},
};

/// What a test found out.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TestResult {
    /// Whether the connection works.
    pub success: bool,
    /// What was found out, in a sentence.
    pub message: String,
    /// The account's label at the service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Facts about the account and the service, by the names that the connector gives them: texts, numbers and booleans.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "Option<BTreeMap<String, Value>>")]
    pub details: BTreeMap<String, Value>,
    /// The code of what went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub error_code: Option<Code>,
    /// What went wrong in the connector's own word, such as `INVALID_KEY`, `OAUTH_REQUIRED` or `NETWORK_ERROR`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finding: Option<String>,
    /// How long it took, in milliseconds.
    pub latency_ms: u64,
}

impl TestResult {
    /// What went wrong, as a result; of trouble before the service was asked, the finding is that there was no test.
    pub(crate) fn failed(error: &Error) -> Self {
        Self {
            success: false,
            message: error.detail().to_owned(),
            label: None,
            details: BTreeMap::new(),
            error_code: Some(error.code()),
            finding: Some(finding::NO_TEST.to_owned()),
            latency_ms: 0,
        }
    }
}

/// What a test of a connection found out, not written down yet.
struct Found {
    result: TestResult,
    call: CallId,
    /// What was tested; nothing, where its credential had expired.
    tested: Option<Arc<Opened>>,
}

impl Found {
    /// What it says of the connection's health. A service that asks to slow down knows us and is busy: that says nothing
    /// new.
    fn says(&self) -> Option<HealthState> {
        match self.result.error_code {
            Some(Code::UpstreamRateLimited) => None,
            // Whoever could not renew the tokens wrote down what that says.
            Some(code) if self.tested.is_none() && is_of_renewal(code) => None,
            _ if self.result.success => Some(HealthState::Healthy),
            _ => Some(HealthState::Failing),
        }
    }
}

/// Whether what was found out still holds of what is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stood {
    Holds,
    /// Other secrets were stored while the old ones were tested.
    Outdated,
}

impl Connectors {
    /// Tests a connection and writes down its health. A failed test is an answer, not an error, and so is a credential that
    /// has expired. Of a service that only asks
    /// to slow down, the health is as it was.
    ///
    /// # Errors
    /// `NOT_FOUND`; trouble of our own, after which the health is as it was.
    pub async fn test_connection(&self, by: &Actor, id: ConnectionId) -> Result<TestResult> {
        let about = self.about(by.tenant, "test", |about| about.connection(id));
        self.heed(about, self.test_because(by, id, TestCause::Requested)).await
    }

    pub(crate) async fn test_because(&self, by: &Actor, id: ConnectionId, cause: TestCause) -> Result<TestResult> {
        let purpose = Purpose::Test(CONNECTION_TEST_TIMEOUT);
        let found = self.find_out(by, id, purpose).await?;
        self.keep(by, id, &found, cause).await?;
        Ok(found.result)
    }

    /// Tests a connection and writes nothing down.
    async fn find_out(&self, by: &Actor, id: ConnectionId, purpose: Purpose<'_>) -> Result<Found> {
        let admitted = match self.admit_test(by, None, &Via::Connection(id), purpose).await {
            Err(error) if error.code() == Code::CredentialExpired || is_of_renewal(error.code()) => {
                return Ok(Found {
                    result: TestResult::failed(&error),
                    call: CallId::new(&*self.inner.clock, &*self.inner.random)?,
                    tested: None,
                });
            }
            admitted => admitted?,
        };
        Ok(Found {
            result: found_out(&admitted).await?,
            call: admitted.call,
            tested: admitted.opened.clone(),
        })
    }

    /// Writes down what a test found out: the connection's health, and a line of its history. A test that nobody asked for
    /// changes the connection only when it found something new.
    async fn keep(&self, by: &Actor, id: ConnectionId, found: &Found, cause: TestCause) -> Result<Stood> {
        let result = &found.result;
        let reason = (!result.success).then_some(result.message.as_str());
        let news_only = cause == TestCause::Scheduled;
        let stood = match (found.says(), &found.tested) {
            (None, _) => Stood::Holds,
            (Some(_), None) => self.save_expired(by, id, &result.message, news_only).await?,
            (Some(state), Some(tested)) => self.save_health(by, id, tested, (state, reason), news_only).await?,
        };
        let state = found.says().filter(|_| stood == Stood::Holds);
        self.note_test(by, id, found, state, cause).await?;
        Ok(stood)
    }

    /// Tests fields without keeping them.
    ///
    /// # Errors
    /// Those of what is wished for, as if it were kept: `CONNECTOR_NOT_FOUND`, `CONNECTOR_SCOPE_INVALID`,
    /// `CONNECTOR_CONFIG_INVALID` and so on.
    pub async fn test_unsaved(&self, by: &Actor, connect: &Connect) -> Result<TestResult> {
        let about = self.about(by.tenant, "test", |about| {
            about.connector(&connect.connector).scope(&connect.scope)
        });
        self.heed(about, async {
            self.check(connect)?;
            let config = connect.config.clone();
            let via = match connect.credential {
                None => Via::Inline {
                    auth: connect.auth.clone(),
                    config,
                },
                Some(credential) => Via::Credential {
                    credential,
                    config: Some(config),
                },
            };
            let purpose = Purpose::Test(CONNECTION_TEST_TIMEOUT);
            let admitted = self.admit_test(by, Some(&connect.connector), &via, purpose).await?;
            found_out(&admitted).await
        })
        .await
    }

    /// The same, and what is wrong with the wish is what the test found, too: for whoever wants one answer, whatever stands
    /// in the form.
    ///
    /// # Errors
    /// What is no answer: a credential or a scope that the caller does not have, trouble of our own.
    pub async fn try_unsaved(&self, by: &Actor, connect: &Connect) -> Result<TestResult> {
        let about = self.about(by.tenant, "test", |about| {
            about.connector(&connect.connector).scope(&connect.scope)
        });
        self.heed(about, async {
            let tested = self.test_unsaved(by, connect).await;
            let Err(error) = &tested else { return tested };
            let found = match (error.code(), self.registry().get(&connect.connector)) {
                (Code::ConnectorNotFound, Err(_)) => finding::unsupported(&connect.connector),
                (Code::ConnectorConfigInvalid, Ok(connector)) => TestResult {
                    finding: Some(finding::of_config(&connector, &connect.config, error)),
                    ..TestResult::failed(error)
                },
                _ => return tested,
            };
            Ok(found)
        })
        .await
    }

    /// Tests a shared credential through the connector it is for.
    ///
    /// # Errors
    /// `REQUEST_INVALID` when it is for no connector in particular; `NOT_FOUND`, `CREDENTIAL_EXPIRED`,
    /// `ENVIRONMENT_MISMATCH`; trouble of our own.
    pub async fn test_credential(&self, by: &Actor, id: CredentialId) -> Result<TestResult> {
        let about = self.about(by.tenant, "credential.test", |about| about);
        self.heed(about, async {
        let row = self.credential_row(by, id).await?;
        by.may_use(row.environment, "credential")?;
        if row.connector.is_none() {
            let detail = "This credential is for no connector in particular, so nothing tells how to test it: test a connection that points to it.";
            return Err(Error::new(Code::RequestInvalid, detail));
        }
        let via = Via::Credential {
            credential: id,
            config: None,
        };
        let purpose = Purpose::Test(CONNECTION_TEST_TIMEOUT);
        let admitted = self.admit_test(by, None, &via, purpose).await?;
        let result = found_out(&admitted).await?;
        let detail = json!({ "success": result.success });
        let trail = self.trail(by, "credential.tested", id, detail, &[])?;
        self.inner.store.record(by.tenant, trail).await?;
        Ok(result)
        })
        .await
    }

    async fn admit_test(
        &self,
        by: &Actor,
        connector: Option<&str>,
        via: &Via,
        purpose: Purpose<'_>,
    ) -> Result<Arc<Admitted>> {
        self.admit(
            by,
            Ask {
                connector,
                via,
                purpose,
            },
        )
        .await
        .map(Arc::new)
    }
}

async fn found_out(admitted: &Arc<Admitted>) -> Result<TestResult> {
    let started = Instant::now();
    let report = admitted.bounds().hold(test(admitted)).await;
    let report = report
        .map(|report| report.scrubbed(admitted))
        .map_err(|error| admitted.scrub_error(error));
    admitted.ended(&report);
    let latency_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let name = &admitted.connector.descriptor().name;
    match report {
        Ok(Report::Nothing) => Ok(TestResult {
            success: true,
            message: format!("{name} declares no test for this way of signing in, so nothing was tried."),
            label: None,
            details: BTreeMap::new(),
            error_code: None,
            finding: None,
            latency_ms,
        }),
        Ok(Report::Works(TestReport {
            label,
            message,
            details,
        })) => Ok(TestResult {
            success: true,
            message: message.unwrap_or_else(|| match &label {
                Some(label) => format!("Successfully connected to {name}: {label}"),
                None => format!("Successfully connected to {name}"),
            }),
            label,
            details,
            error_code: None,
            finding: None,
            latency_ms,
        }),
        Err(error) if is_ours(error.code()) => Err(error),
        Err(error) => Ok(TestResult {
            finding: Some(finding::of(&admitted.connector, &error)),
            latency_ms,
            ..TestResult::failed(&error)
        }),
    }
}

/// What a test that did not fail has to say.
enum Report {
    Works(TestReport),
    /// There is nothing to try.
    Nothing,
}

impl Report {
    /// Label and details are whatever the service says they are: a secret that it echoes, or a book.
    fn scrubbed(self, admitted: &Admitted) -> Self {
        match self {
            Self::Nothing => Self::Nothing,
            Self::Works(report) => Self::Works(TestReport {
                label: report.label.map(|label| admitted.scrub_label(&label)),
                details: report
                    .details
                    .into_iter()
                    .map(|(name, fact)| match fact {
                        Value::String(text) => (name, Value::String(admitted.scrub_label(&text))),
                        fact => (name, fact),
                    })
                    .collect(),
                ..report
            }),
        }
    }
}

/// Before anything is tested, only the renewal of tokens asks a service.
fn is_of_renewal(code: Code) -> bool {
    matches!(
        code,
        Code::ConnectorOauthRefreshFailed
            | Code::ConnectorOauthTokenFailed
            | Code::ConnectorOauthParseTokenFailed
            | Code::ConnectorOauthNotConfigured
            | Code::UpstreamUnreachable
            | Code::UpstreamTimeout
            | Code::UpstreamUnavailable
            | Code::UpstreamRateLimited
            | Code::UpstreamAnswerTruncated
            | Code::UpstreamAnswerTooLarge
            | Code::UpstreamAnswerInvalid
    )
}

/// Trouble of our own says nothing about the connection.
fn is_ours(code: Code) -> bool {
    matches!(
        code,
        Code::Internal
            | Code::Overloaded
            | Code::TenantDeleted
            | Code::ConnectorRateLimited
            | Code::ConnectorDatabaseFailed
            | Code::ConnectorDecryptFailed
    )
}

async fn test(admitted: &Arc<Admitted>) -> Result<Report> {
    admitted.uses()?;
    if let Some(tested) = admitted.connector.tested(admitted) {
        return tested.await.map(Report::Works);
    }
    let manifest = admitted.connector.manifest();
    let Some(test) = manifest.test_of(admitted.auth()) else {
        return Ok(Report::Nothing);
    };
    let mut tested = ask(admitted, manifest, test).await?;
    if let Some(then) = test.then()
        && admitted.uses().is_ok()
    {
        // It may take half of what is left: a test that passed does not fail for what it only adds.
        let left = admitted.deadline.saturating_duration_since(Instant::now());
        if let Ok(Ok(more)) = timeout(left / 2, ask(admitted, manifest, then)).await {
            tested = tested.and(more);
        }
    }
    let details = tested.details.into_iter();
    Ok(Report::Works(TestReport {
        label: tested.label,
        details: details.map(|(name, value)| (name, value.to_value())).collect(),
        ..TestReport::default()
    }))
}

async fn ask(admitted: &Admitted, manifest: &Manifest, test: &Test) -> Result<Tested> {
    let request = render(admitted, &Tree::Null, |values| test.render(manifest, values))?;
    let asked = attempt(admitted, &request, true, |head, body| {
        test.read(manifest, admitted.config(), head, body)
    });
    asked.await.map_err(|failed| advised(failed.error, true))
}
