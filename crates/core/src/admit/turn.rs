//! Whose turn it is: calls at once are bounded for the process and for each tenant.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use crate::{
    error::{Code, Error, Result, Retry},
    id::TenantId,
    limits::{MAX_CALLS_IN_FLIGHT, MAX_CALLS_IN_FLIGHT_PER_TENANT, OVERLOAD_RETRY_AFTER},
};

/// The turns of one process.
#[derive(Default)]
pub(crate) struct Turns(Arc<Mutex<Taken>>);

#[derive(Default)]
struct Taken {
    all: usize,
    by_tenant: HashMap<TenantId, usize>,
}

/// A turn, given back on drop.
pub(crate) struct Turn {
    tenant: TenantId,
    taken: Arc<Mutex<Taken>>,
}

impl Turns {
    /// How many are taken.
    pub(crate) fn taken(&self) -> usize {
        self.0.lock().expect("nothing panics while counting").all
    }

    /// A turn at once or not at all: a queue would only hide that we are too slow.
    pub(crate) fn take(&self, tenant: TenantId) -> Result<Turn> {
        let mut taken = self.0.lock().expect("nothing panics while counting");
        let of_tenant = taken.by_tenant.get(&tenant).copied().unwrap_or(0);
        if taken.all >= MAX_CALLS_IN_FLIGHT || of_tenant >= MAX_CALLS_IN_FLIGHT_PER_TENANT {
            let detail = "Too many calls are running: try again in a moment.";
            return Err(Error::new(Code::Overloaded, detail)
                .retry(Retry::After(OVERLOAD_RETRY_AFTER))
                .before_sending());
        }
        taken.all += 1;
        *taken.by_tenant.entry(tenant).or_default() += 1;
        drop(taken);
        Ok(Turn {
            tenant,
            taken: self.0.clone(),
        })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().expect("nothing panics while counting");
        taken.all -= 1;
        if let Some(count) = taken.by_tenant.get_mut(&self.tenant) {
            *count -= 1;
            if *count == 0 {
                taken.by_tenant.remove(&self.tenant);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t6_one_tenant_cannot_take_every_turn() {
        let turns = Turns::default();
        let [greedy, other] = [1, 2].map(|byte| TenantId::from_bytes([byte; 16]));
        let held: Vec<Turn> = (0..MAX_CALLS_IN_FLIGHT_PER_TENANT)
            .map(|_| turns.take(greedy).unwrap())
            .collect();
        assert_eq!(turns.take(greedy).err().unwrap().code(), Code::Overloaded);
        assert!(turns.take(other).is_ok());
        drop(held);
        assert!(turns.take(greedy).is_ok());
        assert!(turns.0.lock().unwrap().by_tenant.is_empty());
    }
}
