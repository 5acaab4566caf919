//! A connector as a card, for catalogs that show cards.

use schemars::JsonSchema;
use serde::Serialize;
use tieline_manifest::Manifest;

use super::Connector;

/// The picture on a card that names none.
const PICTURE: &str = "Plug";

/// What stands on a connector's card: what its manifest says there, and else what follows from the rest of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Card {
    /// The connector's identifier.
    pub id: String,
    /// The service's name.
    pub name: String,
    /// The name on the card, which may say more.
    pub display_name: String,
    /// What it belongs to, in the cards' own words, such as `finance`.
    pub category: String,
    /// The name of a picture, such as `CreditCard`.
    pub icon: String,
    /// What data the service holds, such as `invoices`.
    pub data_types: Vec<String>,
    /// How one signs in: `oauth2`, `api_key`, `basic_auth`, `custom` or `none`.
    pub auth_type: String,
    /// Where the service is at home, such as `UK`.
    pub region: String,
}

impl Connector {
    /// Its card.
    pub fn card(&self) -> Card {
        let manifest = self.manifest();
        let card = manifest.card.clone();
        let category = card.category.or_else(|| manifest.category.clone());
        Card {
            id: self.id().to_owned(),
            name: manifest.name.clone(),
            display_name: card.display_name.unwrap_or_else(|| manifest.name.clone()),
            category: category.unwrap_or_else(|| "custom".to_owned()),
            icon: card.icon.unwrap_or_else(|| PICTURE.to_owned()),
            data_types: card.data_types,
            auth_type: card.auth_type.unwrap_or_else(|| auth_type(manifest).to_owned()),
            region: card.region.unwrap_or_else(|| "Global".to_owned()),
        }
    }
}

/// How one signs in by the first of the auth methods, which is the one that people take.
fn auth_type(manifest: &Manifest) -> &'static str {
    match manifest.auth.first().map_or("none", |auth| auth.kind.as_str()) {
        "api_key" | "bearer" | "custom_headers" => "api_key",
        "basic" => "basic_auth",
        "oauth2" => "oauth2",
        "none" => "none",
        _ => "custom",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_follows_from_the_manifest_unless_it_says_otherwise() {
        let text = "
id: acme
name: Acme
category: accounting
baseUrl: https://api.acme.example
auth: [{ type: basic, username: '{{user}}', fields: [{ name: user, secret: true }] }]
endpoints: []
";
        let card = Connector::parse(text).unwrap().card();
        let derived = Card {
            id: "acme".to_owned(),
            name: "Acme".to_owned(),
            display_name: "Acme".to_owned(),
            category: "accounting".to_owned(),
            icon: "Plug".to_owned(),
            data_types: Vec::new(),
            auth_type: "basic_auth".to_owned(),
            region: "Global".to_owned(),
        };
        assert_eq!(card, derived);
        let told = "card: { displayName: Acme Books, category: finance, icon: DollarSign, dataTypes: [invoices], \
                    authType: api_key, region: UK }";
        let card = Connector::parse(&format!("{text}{told}\n")).unwrap().card();
        let expected = Card {
            display_name: "Acme Books".to_owned(),
            category: "finance".to_owned(),
            icon: "DollarSign".to_owned(),
            data_types: vec!["invoices".to_owned()],
            auth_type: "api_key".to_owned(),
            region: "UK".to_owned(),
            ..derived
        };
        assert_eq!(card, expected);
    }
}
