//! The catalog as cards: what we ship, for everybody.

use schemars::JsonSchema;
use serde::Serialize;
use tieline::{Result, connector::Card};

use crate::{app::App, route::Reply};

/// All cards.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "S003Catalog")]
pub(crate) struct Catalog {
    /// The connectors we ship.
    connectors: Vec<Card>,
    /// How many there are.
    total: usize,
}

/// Those that came with the server: what an operator or a tenant added is nobody else's business.
pub(crate) async fn list(app: App) -> Result<Reply<Catalog>> {
    let is_shipped = |id: &str| tieline_catalog::shipped().iter().any(|folder| folder.id == id);
    let known = app.connectors.registry().list();
    let shipped = known.iter().filter(|connector| is_shipped(connector.id()));
    let connectors: Vec<Card> = shipped.map(|connector| connector.card()).collect();
    let total = connectors.len();
    Ok(Reply(Catalog { connectors, total }))
}
