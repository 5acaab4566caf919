//! Noticing that a request came back to where it was sent from (N3).
//!
//! The judge of addresses refuses this machine's known addresses, but not every way leads there openly: a name may point
//! at a proxy in front of us. So every request we send carries a mark of this process, and a front door refuses what
//! carries its own. A request that is passed on keeps the marks it came with, so that two processes which pass to each
//! other notice it too.

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::{
    clock::Random,
    error::{Error, Result},
    limits,
};

/// The header that carries the mark.
pub const LOOP_HEADER: HeaderName = HeaderName::from_static("tieline-loop");

/// A mark of this process, random and no secret: who receives a request reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoopMark(HeaderValue);

impl LoopMark {
    /// A mark that no other process has.
    pub fn new(random: &dyn Random) -> Result<Self> {
        let mut bytes = [0; 16];
        random.fill(&mut bytes)?;
        let text = format!("{:032x}", u128::from_be_bytes(bytes));
        let value = HeaderValue::try_from(text).map_err(|error| Error::internal("a mark is no header", error))?;
        Ok(Self(value))
    }

    /// Whether a request with these headers was sent by this process, or came through too many of its kind.
    pub fn is_on(&self, headers: &HeaderMap) -> bool {
        let marks = headers.get_all(LOOP_HEADER);
        marks.iter().any(|value| *value == self.0) || marks.iter().count() > limits::HOPS
    }

    /// Marks a request that is about to be sent.
    pub(super) fn put_on(&self, headers: &mut HeaderMap) {
        headers.append(LOOP_HEADER, self.0.clone());
    }
}
