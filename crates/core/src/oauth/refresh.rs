//! Renewing tokens: one process at a time, its answer written down before anything else is done with it, and an answer
//! that was lost known to be.
//!
//! The connection's row is lease and journal in one. Who wants to renew writes itself into it, conditionally on its
//! version, and commits; then asks; then seals and commits what came, conditionally on the tokens that were renewed. Who
//! finds another's name there waits; who finds one whose time is over knows that an answer may be lost, tries once more
//! with the tokens that stand, and says so if the service refuses them.

use std::{collections::BTreeMap, time::Duration};

use serde_json::json;
use tieline_manifest::Grant;
use tokio::time::{Instant, sleep};

use super::{
    answer::Fresh,
    client::{Fields, declared},
    refusal::{Refusal, RefusalKind},
    request::Asking,
    standing::{Attempt, Issued, Next, Standing},
    tokens::{FIELD, TokenSet},
};
use crate::{
    audit::{Actor, Trail},
    connection::{Connection, conflict},
    connectors::Connectors,
    error::{Code, Error, Result, Retry},
    event::{EventKind, Happened},
    id::{ConnectionId, TenantId},
    limits::{MAX_UPDATE_ATTEMPTS, NEW_TOKENS_KEPT, RENEWAL_LOOK, RENEWAL_PATIENCE},
    secret::Secret,
    store::{ConnectionRow, Health, HealthState, Updated},
};

/// Why tokens shall be renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// Their end is near.
    Due,
    /// The service refused them.
    Refused,
    /// Somebody asked for it.
    Asked,
}

/// What a health says of tokens whose renewal the service refused after an answer of it was lost.
const OUTCOME_UNKNOWN: &str = "The answer to a renewal of the tokens was lost, and the service refuses the old ones since \
                               (refresh_outcome_unknown): sign in again.";

/// The same where nothing was lost.
const TAKEN_BACK: &str = "The service says that the sign-in is over or was taken back (invalid_grant): sign in again.";

impl Connectors {
    /// Renews a connection's tokens now, whether they are due or not.
    ///
    /// # Errors
    /// `NOT_FOUND`, `CONNECTOR_OAUTH_NOT_CONFIGURED` of a connection without tokens, `CONNECTOR_OAUTH_REFRESH_FAILED` where
    /// somebody has to sign in again; `UPSTREAM_…` and `CONNECTOR_OAUTH_TOKEN_FAILED` from the service.
    pub async fn refresh_connection(&self, by: &Actor, id: ConnectionId) -> Result<Connection> {
        let about = self.about(by.tenant, "oauth.refresh", |about| about.connection(id));
        self.heed(about, async {
            let row = self.connection_row(by, id).await?;
            by.may_use(row.environment, "connection")?;
            let standing = self.standing(&row)?.ok_or_else(|| {
                let detail = "This connection has no tokens that could be renewed: nobody signed in for it.";
                Error::new(Code::ConnectorOauthNotConfigured, detail)
            })?;
            self.renew((by.tenant, id), &standing.fingerprint, Why::Asked).await?;
            Connection::of(&self.connection_row(by, id).await?)
        })
        .await
    }

    /// What is known of a row's tokens; of a connector that gets them without a person, before there are any, too.
    pub(crate) fn standing(&self, row: &ConnectionRow) -> Result<Option<Standing>> {
        if let Some(standing) = Standing::of(row)? {
            return Ok(Some(standing));
        }
        let connector = self.registry().get(&row.connector)?;
        let alone = declared(&connector, &row.auth).is_some_and(super::client::needs_nobody);
        Ok((alone && row.credential.is_none()).then(Standing::awaited))
    }

    /// Sees to it that tokens are others than those of the fingerprint that was seen.
    pub(super) async fn see_renewed(&self, key: (TenantId, ConnectionId), seen: &str, why: Why) -> Result<()> {
        let by = Actor::server(key.0);
        let give_up = Instant::now() + RENEWAL_PATIENCE;
        let mut taken_anew = 0;
        loop {
            let row = self.connection_row(&by, key.1).await?;
            let standing = self.standing(&row)?.unwrap_or_default();
            match standing.next(seen, why, self.inner.process, self.inner.clock.now()) {
                Next::Nothing => {
                    self.inner.opened.forget(key.0, &key.1);
                    return Ok(());
                }
                Next::Over => return Err(over(&standing)),
                Next::Rest(rest) => return Err(rests(rest)),
                Next::Wait if Instant::now() >= give_up => return Err(rests(RENEWAL_LOOK)),
                Next::Wait => sleep(self.look_again()?).await,
                Next::Begin(_) if taken_anew == MAX_UPDATE_ATTEMPTS => return Err(conflict()),
                Next::Begin(begun) => {
                    taken_anew += 1;
                    if let Some(row) = self.take(row, &begun).await? {
                        return self.carry_out_renewal(row, begun, why == Why::Refused).await;
                    }
                }
            }
        }
    }

    /// Writes us into the row, if nobody was faster.
    async fn take(&self, row: ConnectionRow, begun: &Standing) -> Result<Option<ConnectionRow>> {
        let trail = self.quiet_trail(row.tenant)?;
        self.write_standing(row, begun, trail).await
    }

    async fn carry_out_renewal(&self, row: ConnectionRow, begun: Standing, forced: bool) -> Result<()> {
        let attempt = begun
            .attempt
            .ok_or_else(|| Error::internal("a renewal", "nobody is at it"))?;
        match self.ask_anew(&row).await {
            // First of all the new tokens are written down: until then they are nowhere but here.
            Ok(fresh) => self.commit(&row, &attempt, fresh, forced).await,
            Err(refusal) => self.settle(&row, &attempt, refusal).await,
        }
    }

    /// Asks for new tokens with what the row holds.
    async fn ask_anew(&self, row: &ConnectionRow) -> Result<Fresh, Refusal> {
        let ours = |error| Refusal {
            kind: RefusalKind::Transient { is_known: true },
            error,
        };
        let connector = self.registry().get(&row.connector).map_err(ours)?;
        let mut unveiled = self.unveiled(&connector, row).await.map_err(ours)?;
        let set = tokens_of(&mut unveiled.secrets).map_err(ours)?;
        let fields = Fields {
            auth: &row.auth,
            environment: row.environment,
            config: unveiled.config.tree(),
            secrets: &unveiled.secrets,
        };
        let service = self.service(&connector, fields).map_err(|error| Refusal {
            kind: RefusalKind::Other,
            error,
        })?;
        let own = set.as_ref().and_then(|set| set.refresh_token.as_ref());
        let typed_in = unveiled.secrets.get("refreshToken");
        let asking = match (service.declared.grant, own.or(typed_in)) {
            (Grant::ClientCredentials, _) => Asking::Client,
            (_, Some(token)) => Asking::Refresh(token.reveal()),
            (_, None) => {
                return Err(Refusal {
                    kind: RefusalKind::Other,
                    error: over(&Standing::default()),
                });
            }
        };
        self.ask_for_tokens(row.tenant, &service, asking).await
    }

    /// Writes new tokens down, for as long as it takes a store to come back.
    async fn commit(&self, row: &ConnectionRow, attempt: &Attempt, fresh: Fresh, forced: bool) -> Result<()> {
        let give_up = Instant::now() + NEW_TOKENS_KEPT;
        let mut fresh = Some(fresh);
        loop {
            let committed = self.try_commit(row, attempt, &mut fresh, forced).await;
            match committed {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(error) if !is_storage(error.code()) || Instant::now() >= give_up => {
                    tracing::error!(?error, connection = %row.id, "new tokens cannot be written down");
                    return Err(error);
                }
                Err(error) => {
                    tracing::warn!(code = %error.code(), connection = %row.id, "new tokens wait for the store");
                    sleep(self.look_again()?).await;
                }
            }
        }
    }

    /// Writes new tokens over those they were made from; `false` when somebody changed the row meanwhile.
    async fn try_commit(
        &self,
        of: &ConnectionRow,
        attempt: &Attempt,
        fresh: &mut Option<Fresh>,
        forced: bool,
    ) -> Result<bool> {
        let by = Actor::server(of.tenant);
        let mut row = self.connection_row(&by, of.id).await?;
        let standing = Standing::of(&row)?.unwrap_or_default();
        if !standing.holds_what(attempt) {
            // Somebody signed in anew, or another renewal was faster: these were made from tokens that stand no more.
            self.inner.opened.forget(row.tenant, &row.id);
            return Ok(true);
        }
        let old = self.open_tokens(&row).await?;
        let new = match fresh.take() {
            Some(new) => new.after(old),
            None => return Err(Error::internal("new tokens", "they were written already")),
        };
        let written = self.write_tokens(&by, &mut row, &standing, &new, forced).await;
        *fresh = Some(new);
        written
    }

    async fn write_tokens(
        &self,
        by: &Actor,
        row: &mut ConnectionRow,
        standing: &Standing,
        new: &Fresh,
        forced: bool,
    ) -> Result<bool> {
        let now = self.inner.clock.now();
        let kept = row.secrets.keys().filter(|name| *name != FIELD).cloned().collect();
        self.reseal(row, BTreeMap::from([(FIELD.to_owned(), new.set.text())]), &kept)
            .await?;
        let issued = Issued {
            expires_at: new.expires_at,
            renews: standing.renews || new.set.refresh_token.is_some(),
            forced,
        };
        let renewed = standing.with(issued, now, &*self.inner.random)?;
        if row.health.state == HealthState::NeedsReauth {
            row.health = self.untested();
        }
        let detail = json!({ "epoch": renewed.epoch });
        let trail = self.trail(by, "oauth.refreshed", row.id, detail, &[EventKind::OauthRefreshed])?;
        Ok(self.write_standing(row.clone(), &renewed, trail).await?.is_some())
    }

    /// Writes down that a renewal came to nothing, and answers why.
    async fn settle(&self, of: &ConnectionRow, attempt: &Attempt, refusal: Refusal) -> Result<()> {
        let by = Actor::server(of.tenant);
        for _ in 0..MAX_UPDATE_ATTEMPTS {
            let row = self.connection_row(&by, of.id).await?;
            let standing = Standing::of(&row)?.unwrap_or_default();
            if !standing.holds_what(attempt) {
                // Others are there already: nothing of what was refused stands any more.
                self.inner.opened.forget(row.tenant, &row.id);
                return Ok(());
            }
            if standing.epoch != attempt.epoch {
                // Somebody took it over: what we heard late is not ours to say.
                return Err(refusal.error);
            }
            let (settled, health) = self.settled(&standing, attempt, &refusal);
            let mut events = Vec::new();
            let mut row = row;
            if let Some(health) = health {
                events.push(EventKind::ConnectorHealthChanged);
                row.health = health;
            }
            let detail = json!({ "code": refusal.error.code(), "epoch": attempt.epoch });
            let trail = self.trail(&by, "oauth.refresh_failed", row.id, detail, &events)?;
            if self.write_standing(row, &settled, trail).await?.is_some() {
                self.inner.events.tell(EventKind::OauthFailed, || {
                    let about = Happened::to(of.tenant).connector(&of.connector).scope(&of.scope);
                    about
                        .connection(of.id)
                        .operation("oauth.refresh")
                        .failed(&refusal.error)
                });
                return Err(match refusal.kind {
                    RefusalKind::Grant => over(&settled),
                    _ => refusal.error,
                });
            }
        }
        Err(conflict())
    }

    /// What becomes of the row (O9): only the word of the service that the grant is over makes somebody sign in again.
    fn settled(&self, standing: &Standing, attempt: &Attempt, refusal: &Refusal) -> (Standing, Option<Health>) {
        let now = self.inner.clock.now();
        match refusal.kind {
            RefusalKind::Grant => {
                let reason = if attempt.in_doubt { OUTCOME_UNKNOWN } else { TAKEN_BACK };
                let health = Health {
                    state: HealthState::NeedsReauth,
                    reason: Some(reason.to_owned()),
                    since: now,
                };
                (standing.given_up(), Some(health))
            }
            RefusalKind::Transient { is_known } => {
                let in_doubt = attempt.in_doubt || !is_known;
                (standing.rested(in_doubt, refusal.pause(), now), None)
            }
            RefusalKind::Client | RefusalKind::Other => {
                tracing::error!(error = ?refusal.error, "tokens cannot be renewed until the client is put in order");
                (standing.rested(attempt.in_doubt, None, now), None)
            }
        }
    }

    /// Writes what is known of tokens, if the row still has its version.
    async fn write_standing(
        &self,
        mut row: ConnectionRow,
        standing: &Standing,
        trail: Trail,
    ) -> Result<Option<ConnectionRow>> {
        let version = row.version;
        row.oauth = Some(standing.text()?);
        row.version = version + 1;
        row.updated_at = self.inner.clock.now();
        let updated = self.inner.store.update_connection(row.clone(), version, trail).await;
        self.inner.opened.forget(row.tenant, &row.id);
        Ok((updated? == Updated::Updated).then_some(row))
    }

    async fn open_tokens(&self, row: &ConnectionRow) -> Result<Option<TokenSet>> {
        tokens_of(&mut self.open_secrets(row).await?)
    }

    /// How long to wait before another look, so that not all who wait look at once.
    fn look_again(&self) -> Result<Duration> {
        let mut byte = [0];
        self.inner.random.fill(&mut byte)?;
        Ok(RENEWAL_LOOK + RENEWAL_LOOK.mul_f64(f64::from(byte[0]) / 255.0))
    }

    /// A trail of what nobody looks for: bookkeeping that is no change to anybody.
    pub(super) fn quiet_trail(&self, tenant: TenantId) -> Result<Trail> {
        self.inner.trails.by(&Actor::server(tenant)).finish()
    }
}

/// Takes the tokens out of a row's secrets.
pub(crate) fn tokens_of(secrets: &mut BTreeMap<String, Secret>) -> Result<Option<TokenSet>> {
    secrets.remove(FIELD).map(|text| TokenSet::read(&text)).transpose()
}

/// Trouble with the store, which passes.
fn is_storage(code: Code) -> bool {
    matches!(
        code,
        Code::ConnectorDatabaseFailed | Code::Overloaded | Code::ConnectorEncryptFailed
    )
}

fn over(standing: &Standing) -> Error {
    let detail = match standing.refused {
        true => "The service does not renew the tokens any more: sign in again.",
        false => "The access token is over, and there is nothing to renew it with: sign in again.",
    };
    Error::new(Code::ConnectorOauthRefreshFailed, detail)
}

fn rests(rest: Duration) -> Error {
    let detail = "The tokens could not be renewed a moment ago, and it is tried again soon: try again then.";
    Error::new(Code::UpstreamUnavailable, detail)
        .retry(Retry::After(rest))
        .before_sending()
}
