//! How a catalog of cards shows a connector, where that differs from what the manifest says of it elsewhere.

use crate::node::Spot;

/// What stands on a connector's card. What is absent follows from the rest of the manifest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Card {
    /// The name on it.
    pub display_name: Option<String>,
    /// A word of the catalog's own, such as `finance`.
    pub category: Option<String>,
    /// The name of a picture that the catalog has, such as `CreditCard`.
    pub icon: Option<String>,
    /// What data the service holds, such as `invoices`.
    pub data_types: Vec<String>,
    /// How one signs in: `oauth2`, `api_key`, `basic_auth`, `custom` or `none`.
    pub auth_type: Option<String>,
    /// Where the service is at home, such as `UK`.
    pub region: Option<String>,
}

/// The words of [`Card::auth_type`].
pub(crate) const AUTH_TYPES: &[&str] = &["oauth2", "api_key", "basic_auth", "custom", "none"];

impl Card {
    pub(super) fn read(spot: &Spot<'_>) -> Self {
        let Some(fields) = spot.fields() else {
            return Self::default();
        };
        Self {
            display_name: fields.text("displayName"),
            category: fields.text("category"),
            icon: fields.text("icon"),
            data_types: fields.texts("dataTypes"),
            auth_type: fields.text("authType"),
            region: fields.text("region"),
        }
    }
}
