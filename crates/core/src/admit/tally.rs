//! What a call costs, counted while it runs.

use std::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering::Relaxed};

/// Counts of one call. Bytes are those of bodies, as they came over the wire or as they were read, and only over HTTP.
#[derive(Default)]
pub(crate) struct Tally {
    attempts: AtomicU32,
    /// 0 while no answer came, which is no status of HTTP.
    status: AtomicU16,
    sent: AtomicU64,
    received: AtomicU64,
}

impl Tally {
    /// A request goes out.
    pub(crate) fn attempt(&self) {
        self.attempts.fetch_add(1, Relaxed);
    }

    /// An answer came, with this status, to a body of so many bytes.
    pub(crate) fn answered(&self, status: u16, sent: u64) {
        self.status.store(status, Relaxed);
        self.sent.fetch_add(sent, Relaxed);
    }

    /// So many bytes of an answer's body came.
    pub(crate) fn received_bytes(&self, bytes: u64) {
        self.received.fetch_add(bytes, Relaxed);
    }

    pub(super) fn attempts(&self) -> u32 {
        self.attempts.load(Relaxed)
    }

    pub(super) fn status(&self) -> Option<u16> {
        Some(self.status.load(Relaxed)).filter(|status| *status != 0)
    }

    /// Known once an answer came: before that nobody can tell how much of a body left.
    pub(super) fn sent(&self) -> Option<u64> {
        self.status().map(|_| self.sent.load(Relaxed))
    }

    pub(super) fn received(&self) -> Option<u64> {
        self.status().map(|_| self.received.load(Relaxed))
    }
}
