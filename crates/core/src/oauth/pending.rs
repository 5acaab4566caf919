//! What a sign-in was begun with: sealed as one, found again by its state and by nothing else.

use aws_lc_rs::digest;
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};
use tieline_manifest::Json;
use zeroize::{Zeroize, Zeroizing};

use crate::{
    audit::Trail,
    clock::Timestamp,
    connection::{Connect, SyncFrequency},
    connectors::Connectors,
    environment::Environment,
    error::{Code, Error, Result},
    id::{OAuthStateId, TenantId},
    limits::{MAX_OAUTH_STATES, MAX_SPENT_STATES, OAUTH_COOKIE_BYTES},
    scope::Scope,
    store::OAuthStateRow,
    vault::Place,
};

/// The cookie that holds a sign-in where nothing is stored. Set it `Secure`, `HttpOnly`, `SameSite=Lax` and `Path=/`, as
/// its name asks for.
pub const COOKIE: &str = "__Host-tieline-oauth";

/// What a sign-in was begun with.
#[derive(Serialize, Deserialize)]
pub(super) struct Pending {
    pub(super) connector: String,
    pub(super) scope: Scope,
    pub(super) name: String,
    pub(super) display_name: Option<String>,
    pub(super) description: Option<String>,
    pub(super) environment: Environment,
    pub(super) auth: String,
    /// All fields, secret and not, as JSON text.
    pub(super) config: String,
    pub(super) verifier: Option<String>,
    pub(super) redirect_uri: String,
    /// The service's addresses and name, in short.
    pub(super) addresses: String,
    /// The browser that began, in short.
    pub(super) browser: String,
    pub(super) return_to: Option<String>,
    /// Who began.
    pub(super) by: String,
    pub(super) ends_at: Timestamp,
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.config.zeroize();
        self.verifier.zeroize();
    }
}

impl Pending {
    /// What to connect.
    pub(super) fn connect(&self) -> Result<Connect> {
        let config = Json::parse(&self.config).map_err(|error| Error::internal("a pending config", error))?;
        Ok(Connect {
            connector: self.connector.clone(),
            scope: self.scope.clone(),
            environment: Some(self.environment),
            name: Some(self.name.clone()),
            display_name: self.display_name.clone(),
            description: self.description.clone(),
            sync_frequency: SyncFrequency::default(),
            auth: Some(self.auth.clone()),
            credential: None,
            config,
        })
    }
}

/// A browser, in short: what it is told apart by is a secret of its own.
pub(super) fn browser(bytes: &[u8]) -> String {
    STANDARD.encode(digest::digest(&digest::SHA256, bytes))
}

/// One answer, whatever is wrong with what came back: who guesses learns nothing.
pub(super) fn not_under_way() -> Error {
    Error::new(
        Code::ConnectorOauthStateInvalid,
        "This sign-in is not under way: begin again, and end it in the same browser within ten minutes.",
    )
}

/// States that came back where nothing is stored: in this process each is taken once.
#[derive(Default)]
pub(crate) struct Spent(Mutex<HashMap<[u8; 32], Timestamp>>);

impl Spent {
    /// Whether it is the first time.
    fn take(&self, hash: [u8; 32], ends_at: Timestamp, now: Timestamp) -> bool {
        let mut spent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        spent.retain(|_, end| *end > now);
        spent.len() < MAX_SPENT_STATES && spent.insert(hash, ends_at).is_none()
    }
}

/// Where it is sealed for: its state is part of it, so that nothing else opens it.
fn place(tenant: TenantId, row: &[u8; 16]) -> Place<'_> {
    Place {
        tenant,
        table: "oauth_states",
        row,
        field: "pending",
        secret_version: 1,
    }
}

fn row_of(hash: &[u8; 32]) -> [u8; 16] {
    let mut row = [0; 16];
    row.copy_from_slice(&hash[..16]);
    row
}

impl Connectors {
    /// Keeps a sign-in until it comes back; where nothing is stored, answers what its browser has to bring along.
    pub(super) async fn keep_pending(
        &self,
        tenant: TenantId,
        id: OAuthStateId,
        hash: [u8; 32],
        pending: &Pending,
        trail: Trail,
    ) -> Result<Option<String>> {
        let text = serde_json::to_vec(pending).map(Zeroizing::new);
        let text = text.map_err(|error| Error::internal("a sign-in cannot be written", error))?;
        let sealed = self.inner.vault.seal(place(tenant, &row_of(&hash)), &text).await?;
        if self.inner.store.keeps_connections_only() {
            let cookie = URL_SAFE_NO_PAD.encode(sealed);
            if cookie.len() > OAUTH_COOKIE_BYTES {
                let detail = "This sign-in is made with more fields than a cookie holds, and nothing else keeps them here: give \
                              the builder a whole store, `.store(…)`, or sign in with less.";
                return Err(Error::new(Code::ConnectorConfigInvalid, detail).field("/config", "is too large"));
            }
            return Ok(Some(cookie));
        }
        let state = OAuthStateRow {
            id,
            tenant,
            hash,
            pending: sealed,
            created_at: self.inner.clock.now(),
            ends_at: pending.ends_at,
        };
        self.inner.store.begin_oauth(state, MAX_OAUTH_STATES, trail).await?;
        Ok(None)
    }

    /// Takes out the sign-in with this state: whoever comes with it again finds nothing.
    pub(super) async fn take_pending(&self, hash: [u8; 32], cookie: Option<&str>) -> Result<(TenantId, Pending)> {
        let now = self.inner.clock.now();
        let (tenant, sealed) = match self.inner.store.keeps_connections_only() {
            true => {
                let cookie = cookie.filter(|cookie| cookie.len() <= OAUTH_COOKIE_BYTES);
                let sealed = cookie.and_then(|cookie| URL_SAFE_NO_PAD.decode(cookie).ok());
                (self.inner.library_tenant, sealed.ok_or_else(not_under_way)?)
            }
            false => {
                let door = self.inner.store.open_oauth_state(hash).await?;
                let door = door.ok_or_else(not_under_way)?;
                let nothing = self.quiet_trail(door.tenant)?;
                let row = self
                    .inner
                    .store
                    .take_oauth_state(door.tenant, door.state, nothing)
                    .await?;
                (door.tenant, row.ok_or_else(not_under_way)?.pending)
            }
        };
        let opened = self.inner.vault.open(place(tenant, &row_of(&hash)), &sealed).await;
        let opened = opened.map_err(|error| match error.code() {
            Code::ConnectorDecryptFailed => not_under_way(),
            _ => error,
        })?;
        let pending: Pending = serde_json::from_str(opened.reveal()).map_err(|_| not_under_way())?;
        let is_over = pending.ends_at <= now;
        let is_new =
            || !self.inner.store.keeps_connections_only() || self.inner.spent_states.take(hash, pending.ends_at, now);
        match is_over || !is_new() {
            true => Err(not_under_way()),
            false => Ok((tenant, pending)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o1_a_state_is_taken_once_in_one_process_and_forgotten_when_it_is_over() {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let spent = Spent::default();
        assert!(spent.take([1; 32], at(10), at(0)));
        assert!(!spent.take([1; 32], at(10), at(9)));
        assert!(spent.take([2; 32], at(20), at(10)));
        assert_eq!(spent.0.lock().unwrap().len(), 1);
    }
}
