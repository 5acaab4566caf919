//! What a connector declares, and the pure functions that follow from it.
//!
//! [`Manifest::parse`] reads YAML or JSON once and compiles it. [`Endpoint::render`] turns values into a
//! [`request::Request`] with slots where secrets belong, and [`Endpoint::read`] turns an answer into its result. Nothing
//! here waits, and nothing here ever holds a secret. The language itself is described in `LANGUAGE.md`.

mod auth;
pub mod case;
mod encode;
mod endpoint;
mod json;
pub mod limits;
pub mod lint;
mod manifest;
mod node;
mod parse;
mod path;
mod property;
pub mod request;
mod response;
mod schema;
mod template;
mod values;

pub use auth::{Accepted, Auth, AuthKind, Choice, Field, FieldKind, GivenSecret, KeyLocation, headers, hosts};
pub use endpoint::{Below, Effect, Endpoint, Format, Header, ResponseMapping, Test, Tested};
pub use json::{Json, JsonError, JsonErrorKind, JsonLimits, Tree};
pub use lint::Lint;
pub use manifest::{
    CATEGORIES, Capability, Exhausted, HostRule, Link, Manifest, Publisher, Rate, ResetFormat, RetryConfig, SetupStep,
    Status, Use,
};
pub use path::Path;
pub use property::{Input, Kind, Property};
pub use response::{Failure, FailureKind, Head, Repeat};
pub use schema::DIALECT;
pub use template::Template;
pub use values::{FieldProblem, Values};
