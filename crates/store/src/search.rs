//! How a search goes about it, whatever the database: which index it walks, and how many rows it may look at.

use tieline::{
    clock::Timestamp,
    id::CallId,
    store::{AuditFilter, CallFilter, Scanned},
};

/// How many rows of an index a search looks at.
#[derive(Clone, Copy)]
pub(crate) struct Window {
    /// Whether rows in the order of the index may still not fit.
    rare: bool,
    pub(crate) scan: usize,
    limit: usize,
}

impl Window {
    fn new(rare: bool, scan: usize, limit: usize) -> Self {
        // Where every row fits, a page is all that has to be looked at.
        let scan = if rare { scan } else { scan.min(limit) };
        Self { rare, scan, limit }
    }

    /// Whether so many rows found leave nothing to ask of where the search stopped.
    pub(crate) fn is_told_by(&self, found: usize) -> bool {
        found >= self.limit || (found < self.scan && !self.rare)
    }

    /// How many rows are passed over to come to the last that was looked at, and to one beyond it if there is one.
    pub(crate) fn before_last(&self) -> usize {
        self.scan.saturating_sub(1)
    }
}

/// What was found, when the last row that was looked at and those beyond it are known.
pub(crate) fn stopped_at<T, K: Copy>(rows: Vec<T>, last: &[K]) -> Scanned<T, K> {
    let stopped = match *last {
        [stopped, _] => Some(stopped),
        _ => None,
    };
    Scanned { rows, stopped }
}

/// The index of calls that fits the fewest rows.
#[derive(Clone, Copy)]
pub(crate) enum CallIndex {
    Connection,
    Failed,
    Time,
}

pub(crate) fn of_calls(filter: &CallFilter) -> (CallIndex, Window) {
    let failed = filter.outcome.as_ref().is_some_and(|outcome| outcome != "ok");
    let (index, holds_outcome) = match (filter.connection, failed) {
        (Some(_), _) => (CallIndex::Connection, false),
        (None, true) => (CallIndex::Failed, true),
        (None, false) => (CallIndex::Time, false),
    };
    let rare = filter.connector.is_some()
        || filter.actor.is_some()
        || !times_are_exact(filter)
        || (filter.outcome.is_some() && !holds_outcome);
    (index, Window::new(rare, filter.scan, filter.limit))
}

/// Whether the range of identifiers says exactly what the times of a filter say: identifiers hold milliseconds.
fn times_are_exact(filter: &CallFilter) -> bool {
    let is_whole = |at: &Timestamp| at.as_nanosecond() % 1_000_000 == 0;
    let is_above = |to: &Timestamp| filter.before.is_some_and(|before| before <= CallId::first_at(*to));
    filter.from.as_ref().is_none_or(is_whole) && filter.to.as_ref().is_none_or(|to| is_whole(to) && is_above(to))
}

/// How many rows of the audit log are looked at. Its indexes hold one of these each, and no time.
pub(crate) fn of_audit(filter: &AuditFilter) -> Window {
    let AuditFilter {
        subject,
        actor,
        action,
        entity,
        ..
    } = filter;
    let given = [subject, actor, action, entity];
    let given = given.into_iter().filter(|given| given.is_some()).count();
    let rare = given > 1 || filter.from.is_some() || filter.to.is_some();
    Window::new(rare, filter.scan, filter.limit)
}
