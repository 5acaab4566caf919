//! What a database tells of itself before anything is started.

/// What a look at a database finds, that changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peek {
    /// What its master key looks like from outside; none while nothing was sealed.
    pub master_fingerprint: Option<[u8; 32]>,
    /// Whether an earlier version wrote it, so that opening it would bring it to this one's form.
    pub is_behind: bool,
}
