//! Proofs for what an embedding program writes itself: one line in a test of yours.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! use tieline::store::MemoryAdapter;
//!
//! tieline::testing::adapter(|| async { MemoryAdapter::new() }).await;
//! # }
//! ```
//!
//! Whole stores have a suite of their own, a test for each check: [`store_conformance!`](crate::store_conformance).

#![allow(clippy::unwrap_used, reason = "a proof that fails panics, as any test does")]

mod adapter;
mod vault;

pub use self::{adapter::adapter, vault::vault};

/// What is wrong, in a sentence.
type Proof = Result<(), String>;

/// Says what is wrong unless it holds.
macro_rules! must {
    ($holds:expr, $($wrong:tt)+) => {
        if !$holds {
            return Err(format!($($wrong)+));
        }
    };
}
use must;

/// Fails with everything that is wrong, each with the rule that it breaks.
fn judge(what: &str, proofs: Vec<(&'static str, Proof)>) {
    let count = proofs.len();
    let broken: Vec<String> = proofs
        .into_iter()
        .filter_map(|(rule, proof)| Some(format!("- {rule}: {}", proof.err()?)))
        .collect();
    assert!(
        broken.is_empty(),
        "this {what} breaks {} of {count} rules:\n{}",
        broken.len(),
        broken.join("\n")
    );
}
