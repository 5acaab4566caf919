//! Tokens that are good for a call: renewed before they are over, and once more when the service refuses them.

use std::sync::Arc;

use super::Admitted;
use crate::{
    audit::Actor,
    connectors::Connectors,
    error::Result,
    limits::MAX_UPDATE_ATTEMPTS,
    oauth::{Urgency, Why},
    opened::Opened,
};

impl Connectors {
    /// A connection with tokens that a call can begin with. Where they work for a while yet, somebody renews them beside;
    /// where they do not, the call waits for that.
    pub(super) async fn fresh(&self, by: &Actor, opened: Arc<Opened>, afresh: bool) -> Result<Arc<Opened>> {
        let mut opened = opened;
        // What another process renewed meanwhile may be over by now, too.
        for _ in 0..MAX_UPDATE_ATTEMPTS {
            let (Some(standing), Some(id)) = (&opened.standing, opened.id) else {
                return Ok(opened);
            };
            let (key, now) = ((by.tenant, id), self.inner.clock.now());
            match standing.urgency(now) {
                Urgency::Fresh => return Ok(opened),
                Urgency::Soon => {
                    if standing.rest_until.is_none_or(|until| until <= now) {
                        drop(self.renewal(key, &standing.fingerprint, Why::Due));
                    }
                    return Ok(opened);
                }
                Urgency::Over => {}
            }
            opened = match self.renew(key, &standing.fingerprint, Why::Due).await {
                Ok(()) if afresh => self.opened_afresh(by, id).await?,
                Ok(()) => self.opened(by, id).await?,
                // The end is near and not there yet: trouble with the renewal is no trouble of this call's.
                Err(_) if standing.works(self.inner.clock.now()) => return Ok(opened),
                Err(error) => return Err(error),
            };
        }
        Ok(opened)
    }
}

impl Admitted {
    /// The connection as it is used now.
    pub(crate) fn current(&self) -> Option<&Arc<Opened>> {
        self.renewed.get().or(self.opened.as_ref())
    }

    /// Which tokens are sent now; nothing where there are none.
    pub(crate) fn tokens_in_use(&self) -> Option<String> {
        let standing = self.current()?.standing.as_ref()?;
        Some(standing.fingerprint.clone())
    }

    /// Whether other tokens are sent from now on than those that the service refused. They are renewed for that once in a
    /// call, unless another process did so already.
    pub(crate) async fn has_other_tokens(&self, refused: Option<&str>) -> bool {
        let Some(refused) = refused else { return false };
        if self.tokens_in_use().as_deref() != Some(refused) {
            return true;
        }
        let Some(id) = self.opened.as_ref().and_then(|opened| opened.id) else {
            return false;
        };
        if self.renewed.get().is_some() {
            return false;
        }
        let renewed = self.connectors.renew((self.by.tenant, id), refused, Why::Refused).await;
        let opened = match renewed {
            Ok(()) => self.connectors.opened_afresh(&self.by, id).await,
            Err(error) => Err(error),
        };
        match opened {
            Ok(opened)
                if opened
                    .standing
                    .as_ref()
                    .is_some_and(|standing| standing.fingerprint != refused) =>
            {
                // Whoever else asked in this call may have been faster.
                let _ = self.renewed.set(opened);
                true
            }
            Ok(_) => false,
            Err(error) => {
                tracing::debug!(code = %error.code(), "refused tokens are not renewed");
                false
            }
        }
    }
}
