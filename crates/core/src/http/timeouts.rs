//! How long each wait may take, and what a caller reads when it was over: which wait it was, how long, and what changes it.

use std::time::Duration;

use crate::{
    error::{Code, Error, Retry},
    limits,
};

/// How long each wait may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Resolving, connecting and the TLS handshake together (`outbound.connect_seconds`).
    pub connect: Duration,
    /// From the last piece of the request to the head of the answer (`outbound.first_byte_seconds`).
    pub first_byte: Duration,
    /// Between two pieces of the answer's body (`outbound.idle_seconds`).
    pub idle: Duration,
    /// A whole call, with its repeats, where its manifest says nothing (`outbound.total_seconds`).
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: limits::CONNECT,
            first_byte: limits::FIRST_BYTE,
            idle: limits::IDLE_READ,
            total: limits::TOTAL,
        }
    }
}

/// How long a call may take in all, and who says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allotted {
    /// The manifest, with `timeout`. It says so of the wait for the first byte, too.
    Declared(Duration),
    /// The operator, or nobody.
    Default(Duration),
    /// The caller, in the input. It says so of the wait for the first byte, too.
    Asked(Duration),
    /// Nobody can change it: a test, for which a person waits.
    Fixed(Duration),
}

impl Allotted {
    /// What the manifest says, else the operator.
    pub(crate) fn new(declared: Option<Duration>, timeouts: &Timeouts) -> Self {
        declared.map_or(Self::Default(timeouts.total), Self::Declared)
    }

    /// How long.
    pub fn total(self) -> Duration {
        match self {
            Self::Declared(total) | Self::Default(total) | Self::Asked(total) | Self::Fixed(total) => total,
        }
    }

    /// How long the first byte may take: what is declared slow is not cut by the general limit before its time.
    pub(super) fn first_byte(self, general: Duration) -> Duration {
        match self {
            Self::Declared(total) | Self::Asked(total) => general.max(total),
            Self::Default(_) | Self::Fixed(_) => general,
        }
    }

    /// That the time was over.
    pub(crate) fn passed(self) -> String {
        let total = plain(self.total());
        match self {
            Self::Declared(_) => format!(
                "The call did not end within {total} (total), which the manifest's `timeout` gives it; it can give 120 s."
            ),
            Self::Default(_) => format!(
                "The call did not end within {total} (total). The endpoint's `timeout` in the manifest changes it, or an \
                 operator with `outbound.total_seconds`."
            ),
            Self::Asked(_) => format!(
                "The call did not end within {total} (total), which the input's `timeout` gives it; it can give 120 s."
            ),
            Self::Fixed(_) => format!("The test did not end within {total} (total), and it is given no more."),
        }
    }
}

/// Nothing was sent: the connection was not made in its time.
pub(crate) fn connect_timeout(what: &str, within: Duration) -> Error {
    let detail = format!(
        "The upstream did not {what} within {} (connect). Check host and port, or try again later; an operator can \
         change it (`outbound.connect_seconds`).",
        plain(within)
    );
    Error::new(Code::UpstreamTimeout, detail)
        .retry(Retry::Backoff)
        .before_sending()
}

/// The head of the answer did not come.
pub(super) fn no_first_byte(within: Duration) -> String {
    format!(
        "The upstream did not begin to answer within {} (first byte). The endpoint's `timeout` in the \
         manifest gives it longer, or an operator with `outbound.first_byte_seconds`.",
        plain(within)
    )
}

/// The answer's body stood still.
pub(super) fn stood_still(within: Duration) -> String {
    format!(
        "The upstream's answer stood still for {} (idle read); an operator can change it (`outbound.idle_seconds`).",
        plain(within)
    )
}

/// In seconds, where they are whole.
pub(crate) fn plain(time: Duration) -> String {
    if time.subsec_nanos() == 0 {
        format!("{} s", time.as_secs())
    } else {
        format!("{} ms", time.as_millis())
    }
}
