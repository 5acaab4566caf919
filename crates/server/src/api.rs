//! The handlers, one file per noun. They hold no rule: read, call one function of the library, answer.

pub(crate) mod action;
pub(crate) mod api_key;
pub(crate) mod audit;
pub(crate) mod catalog;
pub(crate) mod connection;
pub(crate) mod docs;
pub(crate) mod health;
mod page;
pub(crate) mod tenant;
