//! The vault: seals secrets for the place they stand in, and opens them nowhere else.

mod data_key;
mod envelope;
mod master;

pub use self::{
    envelope::EnvelopeVault,
    master::{MasterKey, check_fingerprint, check_master, looks_like_a_placeholder},
};

use futures_util::future::BoxFuture;

use crate::{
    audit,
    error::{Code, Error, Result},
    framed::Framed,
    id::TenantId,
    ledger::Marker,
    secret::Secret,
};

/// Where a sealed value stands. All of it is bound to the value, so moved elsewhere it does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// Whose it is.
    pub tenant: TenantId,
    /// The table.
    pub table: &'static str,
    /// The row's identifier.
    pub row: &'a [u8; 16],
    /// The field's name.
    pub field: &'a str,
    /// The row's `secret_version`: an older value put back does not open.
    pub secret_version: u32,
}

/// Seals and opens.
pub trait Vault: Send + Sync {
    /// Seals a value for its place.
    ///
    /// # Errors
    /// `CONNECTOR_ENCRYPT_FAILED`, and trouble with the store that keeps the data keys.
    fn seal<'a>(&'a self, place: Place<'a>, plain: &'a [u8]) -> BoxFuture<'a, Result<Vec<u8>>>;

    /// Opens a value that was sealed for this place.
    ///
    /// # Errors
    /// `CONNECTOR_DECRYPT_FAILED`, the same whatever is wrong with the value; and trouble with the store.
    fn open_bytes<'a>(&'a self, place: Place<'a>, sealed: &'a [u8]) -> BoxFuture<'a, Result<Secret<Vec<u8>>>>;

    /// Lets go of a tenant's keys that are held in memory.
    fn forget(&self, tenant: TenantId);

    /// Computes the links of a tenant's audit chain.
    fn link(&self, tenant: TenantId) -> audit::Link;

    /// Computes the marks of a tenant's ledger of calls.
    fn marker(&self, tenant: TenantId) -> Marker;

    /// Opens a value that is text.
    ///
    /// # Errors
    /// Those of [`open_bytes`](Self::open_bytes).
    fn open<'a>(&'a self, place: Place<'a>, sealed: &'a [u8]) -> BoxFuture<'a, Result<Secret<String>>> {
        Box::pin(async move {
            let bytes = self.open_bytes(place, sealed).await?;
            bytes.into_text().ok_or_else(|| does_not_open(&place))
        })
    }
}

impl Place<'_> {
    /// The associated data: each part behind its length, so that no two places read the same.
    fn associated_data(&self, format: u8, key: u32) -> Vec<u8> {
        Framed::new("tieline sealed field")
            .with(&[format])
            .with(self.tenant.as_bytes())
            .with(self.table.as_bytes())
            .with(self.row)
            .with(self.field.as_bytes())
            .with(&key.to_be_bytes())
            .with(&self.secret_version.to_be_bytes())
            .into_bytes()
    }

    /// Says where, for the log.
    fn locate(&self, error: Error) -> Error {
        error
            .context("tenant", self.tenant)
            .context("table", self.table)
            .context("field", self.field)
    }
}

/// One answer for every cause, so that nobody who alters sealed values learns from it.
fn does_not_open(place: &Place<'_>) -> Error {
    place.locate(Error::new(
        Code::ConnectorDecryptFailed,
        "A stored secret does not open: it was moved or altered, or sealed with another key. Enter the secret again, \
         or give the master key this data was written with.",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e2_no_two_places_have_the_same_associated_data() {
        let place = |tenant: u8, table, row, field, secret_version| Place {
            tenant: TenantId::from_bytes([tenant; 16]),
            table,
            row,
            field,
            secret_version,
        };
        let (row, other_row) = (&[1; 16], &[2; 16]);
        let all = [
            place(1, "connection", row, "token", 1).associated_data(1, 1),
            place(2, "connection", row, "token", 1).associated_data(1, 1),
            place(1, "credential", row, "token", 1).associated_data(1, 1),
            place(1, "connection", other_row, "token", 1).associated_data(1, 1),
            place(1, "connection", row, "token2", 1).associated_data(1, 1),
            place(1, "connection", row, "token", 2).associated_data(1, 1),
            place(1, "connection", row, "token", 1).associated_data(1, 2),
            place(1, "connection", row, "token", 1).associated_data(2, 1),
            place(1, "connection", row, "a|b", 1).associated_data(1, 1),
            place(1, "connection", row, "a,|b", 1).associated_data(1, 1),
        ];
        for (index, one) in all.iter().enumerate() {
            for other in &all[index + 1..] {
                assert_ne!(one, other);
            }
        }
    }
}
