//! The handlers, one file per noun. They hold no rule: read, call one function of the library, answer.

pub(crate) mod action;
pub(crate) mod api_key;
pub(crate) mod audit;
pub(crate) mod call;
pub(crate) mod catalog;
pub(crate) mod connection;
pub(crate) mod credential;
pub(crate) mod docs;
pub(crate) mod health;
pub(crate) mod metrics;
mod moment;
pub(crate) mod page;
pub(crate) mod proxy;
pub(crate) mod session;
pub(crate) mod setup;
pub(crate) mod tenant;
pub(crate) mod usage;
pub(crate) mod user;
