//! What a connector declares, and the pure functions that follow from it.
//!
//! [`Manifest::parse`] reads YAML or JSON once and compiles it. [`Endpoint::render`] turns values into a
//! [`request::Request`] with slots where secrets belong, and [`Endpoint::read`] turns an answer into its result. Nothing
//! here waits, and nothing here ever holds a secret. The language itself is described in `LANGUAGE.md`.

mod auth;
pub mod case;
pub mod dialect;
mod encode;
mod endpoint;
mod grammar;
mod json;
pub mod limits;
pub mod lint;
mod manifest;
mod mapping;
mod node;
mod parse;
mod path;
mod property;
pub mod request;
mod response;
mod schema;
mod template;
mod values;
mod webhook;

pub use auth::{
    Accepted, Addresses, Auth, AuthKind, Choice, ClientAuth, Door, Field, FieldKind, GivenSecret, Grant, Kept,
    KeptFrom, KeyLocation, OAuth2, TokenPaths, headers, hosts,
};
pub use endpoint::{Below, Effect, Endpoint, Expected, Format, Header, Test, Tested, Trial};
pub use json::{Json, JsonError, JsonErrorKind, JsonLimits, Tree};
pub use lint::Lint;
pub use manifest::{
    CATEGORIES, Capability, Card, ConnectionPaths, Exhausted, FieldCodes, HostRule, IntegrationType, Link, Manifest,
    Publisher, Rate, ResetFormat, RetryConfig, SetupStep, Status, TestCodes, Use,
};
pub use mapping::{End, FieldMapping, NextLink, Pagination, Paging, PathTemplate, ResponseMapping, Transform};
pub use path::Path;
pub use property::{Input, Kind, Property};
pub use response::{Failure, FailureKind, Head, Repeat};
pub use schema::DIALECT;
pub use template::Template;
pub use values::{FieldProblem, Values};
pub use webhook::{
    Algorithm, Delivery, Encoding, EventAction, EventName, EventRoute, KeyEncoding, Signature, SignaturePlan, Unproved,
    WebhookConfig,
};
