//! The secrets of a row: sealed field by field, each for its place.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    connectors::Connectors,
    error::Result,
    id::TenantId,
    secret::Secret,
    store::{ConnectionRow, CredentialRow, SealedField},
    vault::Place,
};

/// A row that holds sealed fields. Where they stand is part of what they are sealed with.
pub(crate) trait Keeps: Sync {
    /// The table that they are bound to.
    const TABLE: &'static str;

    /// Whose they are, and the row's identifier.
    fn home(&self) -> (TenantId, &[u8; 16]);

    /// Under which version they are sealed.
    fn secret_version(&self) -> u32;

    /// The version and the fields, to be written anew.
    fn keeping(&mut self) -> (&mut u32, &mut BTreeMap<String, SealedField>);

    /// The fields.
    fn sealed(&self) -> &BTreeMap<String, SealedField>;
}

macro_rules! keeps {
    ($($row:ty: $table:literal,)+) => { $(
        impl Keeps for $row {
            const TABLE: &'static str = $table;

            fn home(&self) -> (TenantId, &[u8; 16]) {
                (self.tenant, self.id.as_bytes())
            }

            fn secret_version(&self) -> u32 {
                self.secret_version
            }

            fn keeping(&mut self) -> (&mut u32, &mut BTreeMap<String, SealedField>) {
                (&mut self.secret_version, &mut self.secrets)
            }

            fn sealed(&self) -> &BTreeMap<String, SealedField> {
                &self.secrets
            }
        }
    )+ };
}

keeps! {
    ConnectionRow: "connections",
    CredentialRow: "credentials",
}

impl Connectors {
    /// Adds secrets to a row, sealed under its secret version.
    pub(crate) async fn seal_into<R: Keeps>(&self, row: &mut R, secrets: &BTreeMap<String, Secret>) -> Result<()> {
        for (field, secret) in secrets {
            let sealed = SealedField {
                sealed: self
                    .inner
                    .vault
                    .seal(place(row, field), secret.reveal().as_bytes())
                    .await?,
                last4: secret.last4(),
                updated_at: self.inner.clock.now(),
            };
            row.keeping().1.insert(field.clone(), sealed);
        }
        Ok(())
    }

    /// New secrets for a row, beside some that are kept: all are sealed under a higher secret version, so that none of
    /// before opens any more.
    pub(crate) async fn reseal<R: Keeps>(
        &self,
        row: &mut R,
        secrets: BTreeMap<String, Secret>,
        kept: &BTreeSet<String>,
    ) -> Result<()> {
        let mut old = std::mem::take(row.keeping().1);
        old.retain(|field, _| kept.contains(field));
        let opened = self.open_fields(row, &old).await?;
        *row.keeping().0 += 1;
        self.seal_into(row, &opened).await?;
        for (field, old) in old {
            let entry = row.keeping().1.entry(field);
            entry.and_modify(|field| {
                *field = SealedField {
                    sealed: std::mem::take(&mut field.sealed),
                    ..old
                }
            });
        }
        self.seal_into(row, &secrets).await
    }

    /// The secrets of a row, opened.
    pub(crate) async fn open_secrets<R: Keeps>(&self, row: &R) -> Result<BTreeMap<String, Secret>> {
        self.open_fields(row, row.sealed()).await
    }

    async fn open_fields<R: Keeps>(
        &self,
        row: &R,
        fields: &BTreeMap<String, SealedField>,
    ) -> Result<BTreeMap<String, Secret>> {
        let mut secrets = BTreeMap::new();
        for (field, sealed) in fields {
            let secret = self.inner.vault.open(place(row, field), &sealed.sealed).await?;
            secrets.insert(field.clone(), secret);
        }
        Ok(secrets)
    }
}

/// Where a secret of this row stands.
fn place<'a, R: Keeps>(row: &'a R, field: &'a str) -> Place<'a> {
    let (tenant, id) = row.home();
    Place {
        tenant,
        table: R::TABLE,
        row: id,
        field,
        secret_version: row.secret_version(),
    }
}
