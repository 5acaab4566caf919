//! Which processes share the store.

use std::time::Duration;

use super::StoreFuture;
use crate::id::ProcessId;

/// Counts who lives. A store that only one process can use at a time need not: it is always one.
pub trait ProcessStore: Send + Sync + 'static {
    /// Notes that a process lives, forgets the others that were not heard of for `silence`, and says how many are left, this
    /// one with them. The store's own clock counts, for those of the processes differ.
    fn keep_alive(&self, process: ProcessId, silence: Duration) -> StoreFuture<'_, u32> {
        let _ = (process, silence);
        Box::pin(async { Ok(1) })
    }

    /// Forgets a process that ends, so that the others need not wait until it was silent for long enough.
    fn end_process(&self, process: ProcessId) -> StoreFuture<'_, ()> {
        let _ = process;
        Box::pin(async { Ok(()) })
    }
}
