//! The secrets of a connection's row: sealed field by field, each for its place.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    connectors::Connectors,
    error::Result,
    secret::Secret,
    store::{ConnectionRow, SealedField},
    vault::Place,
};

/// The table that sealed fields are bound to.
const TABLE: &str = "connections";

impl Connectors {
    /// Adds secrets to a row, sealed under its secret version.
    pub(super) async fn seal_into(&self, row: &mut ConnectionRow, secrets: &BTreeMap<String, Secret>) -> Result<()> {
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
            row.secrets.insert(field.clone(), sealed);
        }
        Ok(())
    }

    /// New secrets for a row, beside some that are kept: all are sealed under a higher secret version, so that none of
    /// before opens any more.
    pub(super) async fn reseal(
        &self,
        row: &mut ConnectionRow,
        secrets: BTreeMap<String, Secret>,
        kept: &BTreeSet<String>,
    ) -> Result<()> {
        let mut old = std::mem::take(&mut row.secrets);
        old.retain(|field, _| kept.contains(field));
        let opened = self.open_fields(row, &old).await?;
        row.secret_version += 1;
        self.seal_into(row, &opened).await?;
        for (field, old) in old {
            row.secrets
                .entry(field)
                .and_modify(|field| field.updated_at = old.updated_at);
        }
        self.seal_into(row, &secrets).await
    }

    /// The secrets of a row, opened.
    pub(crate) async fn open_secrets(&self, row: &ConnectionRow) -> Result<BTreeMap<String, Secret>> {
        self.open_fields(row, &row.secrets).await
    }

    async fn open_fields(
        &self,
        row: &ConnectionRow,
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

/// Where a secret of this row stands, which is part of what it is sealed with.
fn place<'a>(row: &'a ConnectionRow, field: &'a str) -> Place<'a> {
    Place {
        tenant: row.tenant,
        table: TABLE,
        row: row.id.as_bytes(),
        field,
        secret_version: row.secret_version,
    }
}
