//! A vault that the embedding program wrote: bounded in size and time, its trouble in our words.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::time::timeout;

use super::{LedgerVault, MasterKey, Place, Vault, does_not_open, envelope::check_size};
use crate::{
    audit::Link,
    error::{Code, Error, Result, Retry},
    id::TenantId,
    ledger::Marker,
    limits::VAULT_TIMEOUT,
    secret::Secret,
};

/// A program's own vault beside the key of the ledgers.
pub(crate) struct ForeignVault {
    vault: Arc<dyn Vault>,
    ledgers: MasterKey,
}

impl ForeignVault {
    pub(crate) fn new(vault: Arc<dyn Vault>, ledgers: MasterKey) -> Self {
        Self { vault, ledgers }
    }
}

impl Vault for ForeignVault {
    fn seal<'a>(&'a self, place: Place<'a>, plain: &'a [u8]) -> BoxFuture<'a, Result<Vec<u8>>> {
        Box::pin(async move {
            check_size(&place, plain)?;
            in_time(self.vault.seal(place, plain)).await.map_err(|error| {
                let failed = Error::new(
                    Code::ConnectorEncryptFailed,
                    "A secret could not be sealed, so it was not stored.",
                );
                told(error, place.locate(failed))
            })
        })
    }

    fn open_bytes<'a>(&'a self, place: Place<'a>, sealed: &'a [u8]) -> BoxFuture<'a, Result<Secret<Vec<u8>>>> {
        Box::pin(async move {
            in_time(self.vault.open_bytes(place, sealed))
                .await
                .map_err(|error| told(error, does_not_open(&place)))
        })
    }

    fn forget(&self, tenant: TenantId) {
        self.vault.forget(tenant);
    }
}

impl LedgerVault for ForeignVault {
    fn link(&self, tenant: TenantId) -> Link {
        self.ledgers.link(tenant)
    }

    fn marker(&self, tenant: TenantId) -> Marker {
        self.ledgers.marker(tenant)
    }
}

async fn in_time<T>(answer: impl Future<Output = Result<T>>) -> Result<T> {
    timeout(VAULT_TIMEOUT, answer).await.unwrap_or_else(|_| {
        let late = format!("the vault did not answer within {VAULT_TIMEOUT:?}");
        Err(Error::internal("the vault is late", late).retry(Retry::Backoff))
    })
}

/// Whatever the vault says becomes the one code, but for a secret that is missing: that is mended elsewhere.
fn told(error: Error, as_ours: Error) -> Error {
    match error.code() {
        Code::ConnectorEncryptionSecretRequired => error,
        code if code == as_ours.code() => error,
        _ => {
            // The log prints an error with all that is behind it; as a cause it would be one line.
            let why = format!("{error:?}");
            as_ours.retry(error.retry_hint()).caused_by(why)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::clock::SystemRandom;

    /// Says what a test tells it to.
    enum Says {
        Trouble,
        Missing,
        Nothing,
    }

    impl Says {
        fn answer<T: Send>(&self) -> BoxFuture<'_, Result<T>> {
            Box::pin(async move {
                match self {
                    Self::Trouble => Err(Error::internal("kms", io::Error::other("quota of key 7"))),
                    Self::Missing => Err(Error::new(Code::ConnectorEncryptionSecretRequired, "Set KMS_KEY.")),
                    Self::Nothing => std::future::pending().await,
                }
            })
        }
    }

    impl Vault for Says {
        fn seal<'a>(&'a self, _: Place<'a>, _: &'a [u8]) -> BoxFuture<'a, Result<Vec<u8>>> {
            self.answer()
        }

        fn open_bytes<'a>(&'a self, _: Place<'a>, _: &'a [u8]) -> BoxFuture<'a, Result<Secret<Vec<u8>>>> {
            self.answer()
        }
    }

    async fn both(says: Says) -> [Error; 2] {
        let vault = ForeignVault::new(Arc::new(says), MasterKey::generate(&SystemRandom).unwrap());
        let place = Place {
            tenant: TenantId::from_bytes([1; 16]),
            table: "connections",
            row: &[2; 16],
            field: "token",
            secret_version: 1,
        };
        let sealed = vault.seal(place, b"x").await.err().unwrap();
        let opened = vault.open_bytes(place, b"x").await.err().unwrap();
        [sealed, opened]
    }

    #[tokio::test(start_paused = true)]
    async fn its_trouble_has_our_codes_and_its_words_are_for_the_log() {
        for says in [Says::Trouble, Says::Nothing] {
            let waits = matches!(says, Says::Nothing);
            let [sealed, opened] = both(says).await;
            assert_eq!(sealed.code(), Code::ConnectorEncryptFailed);
            assert_eq!(opened.code(), Code::ConnectorDecryptFailed);
            for error in [sealed, opened] {
                let why = if waits { "did not answer" } else { "quota of key 7" };
                assert!(!error.to_string().contains(why), "{error}");
                assert!(format!("{error:?}").contains(why), "{error:?}");
                assert_eq!(error.retry_hint() == Retry::Backoff, waits);
            }
        }
    }

    #[tokio::test]
    async fn a_missing_secret_is_said_to_be_missing() {
        for error in both(Says::Missing).await {
            assert_eq!(error.code(), Code::ConnectorEncryptionSecretRequired);
        }
    }
}
