//! Verifying a tenant's ledgers: the audit chain, and with it the calls that its entries tell of.
//!
//! It reads what is stored in steps, so it works beside a running server and on a chain of any length. What it is told
//! while it reads is taken into account: entries that are added, calls that are pruned.

mod calls;

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use serde::Serialize;

use self::calls::Calls;
use super::chain::{Fault, Verified, Verifier};
use crate::{
    connectors::Connectors,
    error::{Code, Error, Result, Retry},
    id::TenantId,
    limits::{VERIFICATIONS_AT_ONCE, VERIFY_RETRY_AFTER, VERIFY_STEP},
    store::{AuditFilter, AuditRow},
};

/// What was found out about a tenant's ledgers.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// Whose.
    pub tenant: TenantId,
    /// How far the audit chain holds.
    pub head: Verified,
    /// Calls that are as they were written.
    pub calls: u64,
    /// Calls that were pruned, as the chain tells.
    pub pruned: u64,
    /// The first place that is not as it was written.
    pub tampered: Option<Tampered>,
}

/// A place that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tampered {
    /// In which ledger.
    pub ledger: LedgerName,
    /// The place.
    pub seq: u64,
    /// What is wrong, in a sentence.
    pub what: String,
}

/// Which ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LedgerName {
    /// The audit chain.
    Audit,
    /// The calls.
    Calls,
}

impl Tampered {
    fn audit(seq: u64, fault: Fault) -> Self {
        Self {
            ledger: LedgerName::Audit,
            seq,
            what: format!("Entry {seq} of the audit log {fault}."),
        }
    }

    fn call(seq: u64, what: &str) -> Self {
        Self {
            ledger: LedgerName::Calls,
            seq,
            what: format!("Call {seq} {what}."),
        }
    }
}

/// The tenants whose ledgers are being verified: it reads all there is, so once at a time is enough.
#[derive(Default)]
pub(crate) struct Verifications(Mutex<BTreeSet<TenantId>>);

/// The right to verify a tenant's ledgers, given back on drop: also when whoever asked is gone.
struct Verification<'a> {
    all: &'a Verifications,
    tenant: TenantId,
}

impl Verifications {
    fn begin(&self, tenant: TenantId) -> Result<Verification<'_>> {
        let mut tenants = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if tenants.contains(&tenant) {
            let detail = "The ledgers of this tenant are being verified right now: ask again when that is done.";
            return Err(Error::new(Code::AuditVerifyInProgress, detail).retry(Retry::After(VERIFY_RETRY_AFTER)));
        }
        if tenants.len() >= VERIFICATIONS_AT_ONCE {
            let detail = "Other tenants' ledgers are being verified, as many as may be at once: ask again in a moment.";
            return Err(Error::new(Code::Overloaded, detail).retry(Retry::After(VERIFY_RETRY_AFTER)));
        }
        tenants.insert(tenant);
        Ok(Verification { all: self, tenant })
    }
}

impl Drop for Verification<'_> {
    fn drop(&mut self) {
        let mut tenants = self.all.0.lock().unwrap_or_else(PoisonError::into_inner);
        tenants.remove(&self.tenant);
    }
}

impl Connectors {
    /// Verifies a tenant's audit chain and its ledger of calls. `known` is a head that was published before: without one, a
    /// tail that was cut off together with the head that is stored beside it is not seen.
    ///
    /// # Errors
    /// `AUDIT_VERIFY_IN_PROGRESS` while the same is under way; `OVERLOADED` while too many tenants' are; trouble with the
    /// store. That something was tampered with is an answer.
    pub async fn verify_ledgers(&self, tenant: TenantId, known: Option<Verified>) -> Result<Verdict> {
        let _once_at_a_time = self.inner.verifications.begin(tenant)?;
        let link = self.audit_link(tenant);
        let stored = self.inner.store.audit_head(tenant).await?;
        let mut walk = Walk {
            connectors: self,
            tenant,
            verifier: Verifier::new(&link, known.into_iter().chain(stored)),
            calls: Calls::new(self, tenant).await?,
        };
        let tampered = walk.follow().await?;
        let (mut tampered, head) = match tampered {
            Some(tampered) => (Some(tampered), walk.verifier.head()),
            None => {
                let head = walk.verifier.head();
                let ended = walk.verifier.finish().err();
                (ended.map(|broken| Tampered::audit(broken.seq, broken.fault)), head)
            }
        };
        if tampered.is_none() && head.seq > 0 && self.inner.store.audit_head(tenant).await?.is_none() {
            tampered = Some(Tampered {
                ledger: LedgerName::Audit,
                seq: head.seq,
                what: "The head that is kept beside the audit log is missing.".to_owned(),
            });
        }
        Ok(Verdict {
            tenant,
            head,
            calls: walk.calls.verified,
            pruned: walk.calls.pruned,
            tampered,
        })
    }
}

/// The way through a chain.
struct Walk<'a> {
    connectors: &'a Connectors,
    tenant: TenantId,
    verifier: Verifier<'a>,
    calls: Calls<'a>,
}

impl Walk<'_> {
    /// Follows the chain as far as it holds.
    async fn follow(&mut self) -> Result<Option<Tampered>> {
        loop {
            // A call that no entry told of so far: its entry is written with it, so it is there by now.
            let untold = self.calls.untold().await?;
            let before = self.verifier.head().seq;
            if let Some(tampered) = self.step().await? {
                return Ok(Some(tampered));
            }
            if self.verifier.head().seq > before {
                continue;
            }
            return Ok(untold.map(|seq| Tampered::call(seq, "stands in the ledger, and no audit entry tells of it")));
        }
    }

    /// Follows the chain for a while.
    async fn step(&mut self) -> Result<Option<Tampered>> {
        let after = self.verifier.head().seq;
        let store = &self.connectors.inner.store;
        let rows = store.audit_entries(self.tenant, after, VERIFY_STEP).await?;
        for row in &rows {
            if let Err(broken) = self.verifier.check(row) {
                return Ok(Some(Tampered::audit(broken.seq, broken.fault)));
            }
            if let Some(tampered) = self.calls.follow(row).await? {
                return Ok(Some(tampered));
            }
        }
        Ok(None)
    }
}

/// The newest entry of this action, if there is one.
async fn newest(connectors: &Connectors, tenant: TenantId, action: &str) -> Result<Option<AuditRow>> {
    let filter = AuditFilter {
        action: Some(action.to_owned()),
        newest_first: true,
        limit: 1,
        ..AuditFilter::all(tenant)
    };
    let found = connectors.inner.store.find_audit(filter).await?;
    Ok(found.rows.into_iter().next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t6_a_tenants_ledgers_are_verified_once_at_a_time_and_few_at_once() {
        let all = Verifications::default();
        let tenant = |n: usize| TenantId::from_bytes([n as u8; 16]);
        let code = |n| all.begin(tenant(n)).err().map(|error| error.code());
        let mut begun: Vec<_> = (0..VERIFICATIONS_AT_ONCE)
            .map(|n| all.begin(tenant(n)).unwrap())
            .collect();
        assert_eq!(code(0), Some(Code::AuditVerifyInProgress));
        assert_eq!(code(99), Some(Code::Overloaded));
        drop(begun.remove(0));
        assert_eq!(code(99), None);
        assert_eq!(code(1), Some(Code::AuditVerifyInProgress));
        drop(begun);
        assert_eq!(code(1), None);
    }
}
