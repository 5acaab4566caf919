//! Tenants that were deleted lately: what runs for them ends at once, and nothing more begins.
//!
//! Their rows are gone from the store by then. This is for what needs none of them any more, such as a call under way.

use std::collections::VecDeque;

use tokio::sync::watch;

use crate::{
    error::{Code, Error},
    id::TenantId,
    limits::MAX_GONE_TENANTS,
};

/// The tenants that this process knows to be deleted, the latest last.
pub(crate) struct GoneTenants(watch::Sender<VecDeque<TenantId>>);

/// Tells when one tenant is gone.
#[derive(Clone)]
pub(crate) struct Gone {
    tenant: TenantId,
    latest: watch::Receiver<VecDeque<TenantId>>,
}

impl Default for GoneTenants {
    fn default() -> Self {
        Self(watch::Sender::new(VecDeque::new()))
    }
}

impl GoneTenants {
    /// Ends what runs for a tenant.
    pub(crate) fn add(&self, tenant: TenantId) {
        self.0.send_if_modified(|latest| {
            if latest.contains(&tenant) {
                return false;
            }
            if latest.len() >= MAX_GONE_TENANTS {
                latest.pop_front();
            }
            latest.push_back(tenant);
            true
        });
    }

    /// What tells when this tenant is gone; an error when it is.
    pub(crate) fn watch(&self, tenant: TenantId) -> Result<Gone, Error> {
        let latest = self.0.subscribe();
        if latest.borrow().contains(&tenant) {
            return Err(cut().before_sending());
        }
        Ok(Gone { tenant, latest })
    }
}

impl Gone {
    /// Over when the tenant is gone.
    pub(crate) async fn wait(mut self) {
        let tenant = self.tenant;
        if self.latest.wait_for(|latest| latest.contains(&tenant)).await.is_err() {
            // Nobody is there any more to tell.
            std::future::pending::<()>().await;
        }
    }
}

/// What is told to whoever is cut.
pub(crate) fn cut() -> Error {
    let detail = "The tenant was deleted, and with it what ran for it. What was under way may have taken effect.";
    Error::new(Code::TenantDeleted, detail)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn tenant(number: usize) -> TenantId {
        TenantId::from_bytes((number as u128).to_be_bytes())
    }

    #[tokio::test]
    async fn what_waits_for_one_tenant_ends_with_it_alone() {
        let gone = GoneTenants::default();
        let [one, other] = [1, 2].map(|number| gone.watch(tenant(number)).unwrap().wait());
        let (mut one, mut other) = (Box::pin(one), Box::pin(other));
        assert!((&mut one).now_or_never().is_none());
        gone.add(tenant(1));
        assert!((&mut one).now_or_never().is_some());
        assert!((&mut other).now_or_never().is_none());
        let refused = gone.watch(tenant(1)).err().unwrap();
        assert_eq!((refused.code(), refused.nothing_sent()), (Code::TenantDeleted, true));
        assert!(gone.watch(tenant(2)).is_ok());
    }

    #[test]
    fn no_more_are_remembered_than_a_few() {
        let gone = GoneTenants::default();
        for number in 0..=MAX_GONE_TENANTS {
            gone.add(tenant(number));
            gone.add(tenant(number));
        }
        assert_eq!(gone.0.borrow().len(), MAX_GONE_TENANTS);
        assert!(gone.watch(tenant(0)).is_ok() && gone.watch(tenant(MAX_GONE_TENANTS)).is_err());
    }
}
