//! Whether the server works.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use tieline::Result;

use crate::route::Reply;

/// The state of the server.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Health {
    /// `healthy` whenever there is an answer at all.
    status: &'static str,
    /// Which service this is.
    service: &'static str,
    /// Its version.
    version: &'static str,
    /// What it offers.
    features: BTreeMap<&'static str, bool>,
}

/// What there is, and what a client may look for that is not there yet.
const FEATURES: [(&str, bool); 5] = [
    ("actions", true),
    ("encryption", true),
    ("oauth", false),
    ("tenants", true),
    ("testing", true),
];

pub(crate) async fn read() -> Result<Reply<Health>> {
    Ok(Reply(Health {
        status: "healthy",
        service: "tieline",
        version: env!("CARGO_PKG_VERSION"),
        features: BTreeMap::from(FEATURES),
    }))
}
