//! The ledger of calls: every call that was admitted leaves one row, and no statement on its way.
//!
//! Room for the row is taken when a call is admitted, so that nothing is ever dropped to make room: while there is none, new
//! calls are refused. What ended waits in memory and is written in batches by [`keep_ledger`](crate::Connectors::keep_ledger); where nobody
//! runs that, by the calls themselves once enough wait, and by [`close`](crate::Connectors::close).
//!
//! What the store refuses of one tenant, because its chain was tampered with, is set aside and tried again later; those of
//! others are written.
//!
//! Each batch leaves one entry in the audit chain, with the range of its places and a digest over the marks of its rows. A
//! mark is a keyed hash of one row and its place, so a row that is altered later is found by itself, and one that is taken
//! out or put in by its place.

mod aside;
mod keep;
mod marks;
mod prune;
mod queue;
mod read;

pub(crate) use self::{
    marks::RECORDED,
    prune::PRUNED,
    queue::{Ledger, Room},
};
pub use self::{
    marks::{Marker, digest},
    read::CallQuery,
};
