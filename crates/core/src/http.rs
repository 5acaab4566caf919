//! The only HTTP client.
//!
//! [`exchange()`] is the gate that every HTTP call passes: it fills the secrets in, judges the host, sends through an
//! [`Outbound`] and bounds what is read of the answer.

mod body;
mod client;
mod connect;
mod decompress;
mod exchange;
mod failure;
mod fill;
mod loops;
pub mod redact;
mod retry_after;
pub(crate) mod timeouts;
pub(crate) mod tls;
mod weight;

pub(crate) use self::{body::passing, exchange::exchange_bytes};
pub use self::{
    body::{IncomingBody, OutgoingBody, bytes_body},
    client::{Client, Outbound, Outgoing},
    exchange::{Answer, AnswerLimits, TenantAndHost, With, exchange, pass},
    fill::{Secrets, fill},
    loops::{LOOP_HEADER, LoopMark},
    retry_after::{reset, retry_after},
    timeouts::{Allotted, Timeouts},
    tls::TlsRoots,
};

pub(crate) use self::{exchange::seat, weight::Weight};
