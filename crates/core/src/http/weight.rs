//! What an answer that is read whole takes of the memory there is.

use crate::{
    id::TenantId,
    limits::{MEMORY_PIECE, SMALL_BYTES},
    shares::{Share, Shares},
};

/// A tenant's draw on the supply, given back on drop. Without a supply nothing is weighed.
#[derive(Debug, Default)]
pub(crate) struct Weight {
    from: Option<(Shares<TenantId>, TenantId)>,
    share: Option<Share<TenantId>>,
}

impl Weight {
    /// Nothing yet, to be drawn from here.
    pub(crate) fn of(supply: &Shares<TenantId>, tenant: TenantId) -> Self {
        Self {
            from: Some((supply.clone(), tenant)),
            share: None,
        }
    }

    /// Whether there is a supply that it is drawn from.
    pub(crate) fn has_supply(&self) -> bool {
        self.from.is_some()
    }

    /// Makes it enough for so many bytes; says whether there was as much. What is small is not weighed.
    pub(crate) fn grow(&mut self, bytes: usize) -> bool {
        let Some((supply, tenant)) = &self.from else {
            return true;
        };
        if bytes <= SMALL_BYTES {
            return true;
        }
        let units = bytes.next_multiple_of(MEMORY_PIECE);
        if let Some(share) = &mut self.share {
            return share.grow(units);
        }
        self.share = supply.take(*tenant, units);
        self.share.is_some()
    }
}
