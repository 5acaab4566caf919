//! A request under an idempotency key is run once: whoever repeats it is told the answer of the first again.
//!
//! The key is bound to tenant, principal, route and the rows in its path; the body under it is kept as a fingerprint.
//! What is known to have done nothing frees the key, so that the same request may be tried again. What was answered is
//! kept for a day, sealed: it may hold an API key that is told once. Where a tenant's answers are too many, the oldest make
//! room, and only that there was one stays known. What ended without anybody knowing whether it took
//! effect is never run again silently: the repeat is told so, unless the upstream itself knows a repeat as one.

mod fate;
mod kept;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use aws_lc_rs::digest;

pub(crate) use self::fate::outcome_is_unknown;
use self::{fate::Fate, kept::Kept};
use crate::{
    audit::Actor,
    call::IdempotencyKey,
    clock::SignedDuration,
    connectors::Connectors,
    error::{Code, Error, Result, Retry},
    framed::Framed,
    limits::{
        IDEMPOTENCY_KEPT, IDEMPOTENCY_LEASE, IDEMPOTENCY_RETRY_AFTER, MAX_KEPT_ANSWER_BYTES,
        MAX_KEPT_ANSWERS_PER_TENANT, PRUNE_BATCH,
    },
    secret::Secret,
    store::{Begun, IdempotencyRow},
    vault::Place,
};

/// What is asked for under a key.
pub struct Asked<'a> {
    /// The caller's key.
    pub key: &'a IdempotencyKey,
    /// Method and path of the route, with `{name}` for parameters.
    pub route: &'a str,
    /// What stands in the parameters, in the order of the path.
    pub params: Vec<&'a str>,
    /// The query and the body as they came: a repeat must not differ in them.
    pub query: &'a str,
    /// See `query`.
    pub body: &'a [u8],
    /// Whether the request is a call, which knows by itself whether it may be run again after its first run was lost.
    pub call: bool,
}

/// What came of asking.
pub enum Once {
    /// It is ours to run.
    Run(Ticket),
    /// It was run before, with this answer.
    Answered(Secret<Vec<u8>>),
    /// It was run before, and refused like this.
    Refused(Error),
}

/// One run of a request: what a call has to know of it.
#[derive(Debug)]
pub struct Attempt {
    key: IdempotencyKey,
    resumed: bool,
    repeatable: AtomicBool,
}

impl Attempt {
    /// The key for the upstream, the same for every run of this request.
    pub(crate) fn upstream_key(&self) -> IdempotencyKey {
        self.key.clone()
    }

    /// Before an action runs: notes whether the upstream knows a repeat as one, and refuses where it does not and an
    /// earlier run was lost.
    pub(crate) fn admit(&self, repeatable: bool) -> Result<()> {
        self.repeatable.store(repeatable, Ordering::Relaxed);
        if self.resumed && !repeatable {
            return Err(outcome_unknown(None));
        }
        Ok(())
    }
}

/// The right to run a request, and to write down how it ended.
pub struct Ticket {
    connectors: Connectors,
    row: IdempotencyRow,
    attempt: Arc<Attempt>,
}

impl Ticket {
    /// What a call has to know.
    pub fn attempt(&self) -> Arc<Attempt> {
        self.attempt.clone()
    }

    /// Keeps the answer for repeats, which has at most [`MAX_KEPT_ANSWER_BYTES`]; of a larger one, which is none here, only
    /// that there was one.
    ///
    /// # Errors
    /// Trouble with vault or store: then repeats are told that the outcome is unknown.
    pub async fn answered(self, answer: Option<&[u8]>) -> Result<()> {
        let small = answer.filter(|answer| answer.len() <= MAX_KEPT_ANSWER_BYTES);
        self.keep(small.map_or(Kept::TooLarge, Kept::Answer)).await
    }

    /// Writes down how it failed, or frees the key when nothing can have happened.
    ///
    /// # Errors
    /// As [`answered`](Self::answered).
    pub async fn failed(self, error: &Error) -> Result<()> {
        let repeatable = self.attempt.repeatable.load(Ordering::Relaxed);
        match fate::of(error) {
            // That this run did nothing says nothing of the one that was lost: the key stays as it is, for another try.
            Fate::Nothing if self.attempt.resumed && !repeatable => Ok(()),
            Fate::Nothing => self.free().await,
            Fate::Unknown if repeatable => self.free().await,
            Fate::Refused if output_bytes(error) > MAX_KEPT_ANSWER_BYTES => self.keep(Kept::TooLarge).await,
            Fate::Refused => self.keep(Kept::Refused(error)).await,
            Fate::Unknown => self.keep(Kept::Unknown(error.code())).await,
        }
    }

    async fn free(self) -> Result<()> {
        let (tenant, id, attempt) = (self.row.tenant, self.row.id, self.row.attempt);
        let store = &self.connectors.inner.store;
        store.release_idempotent(tenant, id, attempt).await.map(drop)
    }

    async fn keep(self, kept: Kept<'_>) -> Result<()> {
        let plain = kept.write();
        let vault = &self.connectors.inner.vault;
        let sealed = vault.seal(place(&self.row, "answer"), plain.reveal()).await?;
        let (tenant, id, attempt) = (self.row.tenant, self.row.id, self.row.attempt);
        let store = &self.connectors.inner.store;
        let finished = store.finish_idempotent(tenant, id, attempt, sealed, MAX_KEPT_ANSWERS_PER_TENANT);
        finished.await.map(drop)
    }
}

/// Bytes of what happened, where an error tells it.
fn output_bytes(error: &Error) -> usize {
    error.effect_output().map_or(0, |output| output.text().len())
}

impl Connectors {
    /// Asks whether a request is to be run, or was run before.
    ///
    /// # Errors
    /// `IDEMPOTENCY_KEY_REUSED` for another body under a known key, `IDEMPOTENCY_IN_PROGRESS` while the first run is
    /// under way, `IDEMPOTENCY_OUTCOME_UNKNOWN` when it ended or was lost without anybody knowing what it did,
    /// `IDEMPOTENCY_ANSWER_NOT_KEPT` when its answer was too large to be kept, or made room for later ones.
    pub async fn once(&self, by: &Actor, asked: &Asked<'_>) -> Result<Once> {
        let now = self.inner.clock.now();
        let fingerprint = fingerprint(asked);
        let mut row = IdempotencyRow {
            tenant: by.tenant,
            id: id(by, asked),
            request: Vec::new(),
            attempt: 1,
            until: now + span(IDEMPOTENCY_LEASE),
            expires_at: now + span(IDEMPOTENCY_KEPT),
            answer: None,
        };
        row.request = self.inner.vault.seal(place(&row, "request"), &fingerprint).await?;
        let standing = match self.inner.store.begin_idempotent(row.clone(), now).await? {
            Begun::Begun => return Ok(Once::Run(self.ticket(row, false, &fingerprint))),
            Begun::Standing(standing) => standing,
        };
        let first = self
            .inner
            .vault
            .open_bytes(place(&standing, "request"), &standing.request)
            .await?;
        if first.reveal() != &fingerprint {
            return Err(reused());
        }
        if let Some(answer) = &standing.answer {
            if answer.is_empty() {
                return Err(gave_way());
            }
            let answer = self.inner.vault.open_bytes(place(&standing, "answer"), answer).await?;
            return kept::read(answer);
        }
        if now < standing.until {
            return Err(in_progress());
        }
        if !asked.call {
            return Err(outcome_unknown(None));
        }
        // Its first run was lost: of all who come now, one goes on.
        let (id, attempt, until) = (standing.id, standing.attempt, row.until);
        if !self
            .inner
            .store
            .resume_idempotent(by.tenant, id, attempt, until)
            .await?
        {
            return Err(in_progress());
        }
        row.attempt = attempt + 1;
        Ok(Once::Run(self.ticket(row, true, &fingerprint)))
    }

    fn ticket(&self, row: IdempotencyRow, resumed: bool, fingerprint: &[u8]) -> Ticket {
        let key = Framed::new("tieline upstream idempotency key")
            .with(&row.id)
            .with(fingerprint);
        let attempt = Attempt {
            key: IdempotencyKey::of(u128::from_be_bytes(half(&sha256(&key.into_bytes())))),
            resumed,
            repeatable: AtomicBool::new(false),
        };
        Ticket {
            connectors: self.clone(),
            row,
            attempt: Arc::new(attempt),
        }
    }

    /// Removes kept answers whose day is over, for ever: a program that runs for long spawns it.
    pub async fn prune(&self) {
        loop {
            loop {
                match self
                    .inner
                    .store
                    .prune_idempotency(self.inner.clock.now(), PRUNE_BATCH)
                    .await
                {
                    Ok(PRUNE_BATCH..) => {}
                    Ok(_) => break,
                    Err(error) => {
                        tracing::warn!(code = %error.code(), "kept answers cannot be removed");
                        break;
                    }
                }
            }
            tokio::time::sleep(crate::limits::PRUNE_INTERVAL).await;
        }
    }
}

/// What a key is looked up by.
fn id(by: &Actor, asked: &Asked<'_>) -> [u8; 16] {
    let framed = Framed::new("tieline idempotency key")
        .with(by.tenant.as_bytes())
        .with(by.name.as_bytes())
        .with(asked.key.as_str().as_bytes())
        .with(asked.route.as_bytes());
    let framed = asked
        .params
        .iter()
        .fold(framed, |framed, param| framed.with(param.as_bytes()));
    half(&sha256(&framed.into_bytes()))
}

/// What a repeat has in common with the first. Kept sealed: a body may hold short secrets, which a bare hash gives away.
fn fingerprint(asked: &Asked<'_>) -> Vec<u8> {
    let framed = Framed::new("tieline idempotent request").with(asked.query.as_bytes());
    sha256(&framed.with(asked.body).into_bytes()).to_vec()
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let digest = digest::digest(&digest::SHA256, bytes);
    digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
}

fn half(hash: &[u8; 32]) -> [u8; 16] {
    *hash.first_chunk().expect("16 is less than 32")
}

fn place<'a>(row: &'a IdempotencyRow, field: &'static str) -> Place<'a> {
    Place {
        tenant: row.tenant,
        table: "idempotency",
        row: &row.id,
        field,
        secret_version: 0,
    }
}

fn span(duration: std::time::Duration) -> SignedDuration {
    SignedDuration::try_from(duration).expect("our own spans are hours")
}

fn reused() -> Error {
    Error::new(
        Code::IdempotencyKeyReused,
        "This `Idempotency-Key` was used with another body or query: send a new key with a new request, and the same \
         bytes with the same key.",
    )
}

fn in_progress() -> Error {
    Error::new(
        Code::IdempotencyInProgress,
        "The first request with this `Idempotency-Key` is still running: ask again in a moment.",
    )
    .retry(Retry::After(IDEMPOTENCY_RETRY_AFTER))
}

fn outcome_unknown(ended: Option<&str>) -> Error {
    let how = ended.map_or_else(|| "was cut off".to_owned(), |code| format!("ended with {code}"));
    Error::new(
        Code::IdempotencyOutcomeUnknown,
        format!(
            "The first request with this `Idempotency-Key` {how}, and whether it took effect is not known. Look whether \
             it did; to do it again, send a new key."
        ),
    )
}

fn not_kept() -> Error {
    Error::new(
        Code::IdempotencyAnswerNotKept,
        format!(
            "The first request with this `Idempotency-Key` was carried out, and its answer was over \
             {MAX_KEPT_ANSWER_BYTES} bytes, which is more than is kept for repeats. It was not run again."
        ),
    )
}

fn gave_way() -> Error {
    Error::new(
        Code::IdempotencyAnswerNotKept,
        format!(
            "The first request with this `Idempotency-Key` was carried out, and its answer made room for later ones: a \
             tenant's answers are kept up to {MAX_KEPT_ANSWERS_PER_TENANT} bytes together. It was not run again."
        ),
    )
}
