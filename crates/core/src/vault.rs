//! The vault: seals secrets for the place they stand in, and opens them nowhere else.

mod data_key;
mod envelope;
mod foreign;
pub mod import;
mod master;

pub(crate) use self::foreign::ForeignVault;
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

/// Seals and opens. A program that keeps its keys elsewhere, in a KMS or an HSM, writes one of its own and gives it to
/// [`ConnectorsBuilder::vault`](crate::ConnectorsBuilder::vault); two methods are all it needs, and
/// [`testing::vault`](crate::testing::vault) proves them.
///
/// ```
/// use futures_util::future::BoxFuture;
/// use tieline::{Error, Result, secret::Secret, vault::{Place, Vault}};
/// # struct Client;
/// # impl Client {
/// #     async fn encrypt(&self, _: &[u8], _: &[u8]) -> std::io::Result<Vec<u8>> { Ok(Vec::new()) }
/// #     async fn decrypt(&self, _: &[u8], _: &[u8]) -> std::io::Result<Vec<u8>> { Ok(Vec::new()) }
/// # }
///
/// struct Kms(Client);
///
/// impl Vault for Kms {
///     fn seal<'a>(&'a self, place: Place<'a>, plain: &'a [u8]) -> BoxFuture<'a, Result<Vec<u8>>> {
///         Box::pin(async move {
///             let sealed = self.0.encrypt(plain, &place.context()).await;
///             sealed.map_err(|error| Error::internal("the KMS does not seal", error))
///         })
///     }
///
///     fn open_bytes<'a>(&'a self, place: Place<'a>, sealed: &'a [u8]) -> BoxFuture<'a, Result<Secret<Vec<u8>>>> {
///         Box::pin(async move {
///             let plain = self.0.decrypt(sealed, &place.context()).await;
///             plain.map(Secret::new).map_err(|error| Error::internal("the KMS does not open", error))
///         })
///     }
/// }
/// ```
///
/// Opened secrets are kept in memory while their connection stands as it is, so a service is not asked for every call.
pub trait Vault: Send + Sync + 'static {
    /// Seals a value for its place, under a nonce of its own each time. The place has to be authenticated with it:
    /// [`Place::context`] is the whole of it as bytes.
    ///
    /// # Errors
    /// `CONNECTOR_ENCRYPT_FAILED`, and trouble with the store that keeps the data keys. Of a vault that the program wrote
    /// itself any error is that.
    fn seal<'a>(&'a self, place: Place<'a>, plain: &'a [u8]) -> BoxFuture<'a, Result<Vec<u8>>>;

    /// Opens a value that was sealed for this place.
    ///
    /// # Errors
    /// `CONNECTOR_DECRYPT_FAILED`, the same whatever is wrong with the value; and trouble with the store. Of a vault that
    /// the program wrote itself any error is that.
    fn open_bytes<'a>(&'a self, place: Place<'a>, sealed: &'a [u8]) -> BoxFuture<'a, Result<Secret<Vec<u8>>>>;

    /// Lets go of a tenant's keys, if any are held in memory.
    fn forget(&self, tenant: TenantId) {
        let _ = tenant;
    }

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

/// A vault that has the keys of the ledgers too. They come from a master key, whoever seals.
pub trait LedgerVault: Vault {
    /// Computes the links of a tenant's audit chain.
    fn link(&self, tenant: TenantId) -> audit::Link;

    /// Computes the marks of a tenant's ledger of calls.
    fn marker(&self, tenant: TenantId) -> Marker;
}

impl Place<'_> {
    /// The place as bytes, each part behind its length, so that no two places read the same: what a vault authenticates
    /// together with the value, as associated data or as an encryption context.
    pub fn context(&self) -> Vec<u8> {
        Framed::new("tieline 1 place")
            .with(self.tenant.as_bytes())
            .with(self.table.as_bytes())
            .with(self.row)
            .with(self.field.as_bytes())
            .with(&self.secret_version.to_be_bytes())
            .into_bytes()
    }

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
        let contexts = [
            place(1, "connection", row, "token", 1).context(),
            place(2, "connection", row, "token", 1).context(),
            place(1, "credential", row, "token", 1).context(),
            place(1, "connection", other_row, "token", 1).context(),
            place(1, "connection", row, "token2", 1).context(),
            place(1, "connection", row, "token", 2).context(),
            place(1, "connectiont", row, "oken", 1).context(),
        ];
        for all in [&all[..], &contexts] {
            for (index, one) in all.iter().enumerate() {
                for other in &all[index + 1..] {
                    assert_ne!(one, other);
                }
            }
        }
    }
}
