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
pub(crate) mod tls;

pub use self::{
    body::{IncomingBody, OutgoingBody, bytes_body},
    client::{Client, Outbound, Outgoing, Timeouts},
    exchange::{Answer, AnswerLimits, With, exchange},
    fill::{Secrets, fill},
    loops::{LOOP_HEADER, LoopMark},
    retry_after::retry_after,
    tls::TlsRoots,
};
