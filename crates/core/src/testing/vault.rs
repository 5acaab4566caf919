//! What a vault must keep.

use std::{collections::BTreeSet, future::Future};

use super::{Proof, judge, must};
use crate::{
    id::TenantId,
    vault::{Place, Vault},
};

/// How many values are sealed to see that no two are the same.
const SEALS: usize = 100;

/// A large value: a private key with its certificates.
const LARGE: usize = 64 * 1024;

/// Proves a vault: give a function that makes one. All that it makes must share their keys, for what one sealed another
/// opens after the next start.
///
/// # Panics
/// With every rule that it breaks, and how.
pub async fn vault<V: Vault, F: Future<Output = V>>(make: impl Fn() -> F) {
    let vault = make().await;
    let proofs = vec![
        ("what was sealed opens in its place", opens(&vault).await),
        ("E3: no two sealed values are the same", differs(&vault).await),
        ("E2: what was moved does not open", stays(&vault).await),
        ("E2: what was altered does not open", holds(&vault).await),
        (
            "another vault of the same keys opens it",
            endures(&vault, &make().await).await,
        ),
    ];
    judge("vault", proofs);
}

const PLAIN: &[u8] = b"a secret of the test, long enough to be seen \0\xff";

fn place() -> Place<'static> {
    Place {
        tenant: TenantId::from_bytes([1; 16]),
        table: "connections",
        row: &[2; 16],
        field: "token",
        secret_version: 3,
    }
}

async fn seal(vault: &impl Vault, plain: &[u8]) -> Result<Vec<u8>, String> {
    vault
        .seal(place(), plain)
        .await
        .map_err(|error| format!("`seal` failed: {error:?}"))
}

async fn open(vault: &impl Vault, place: Place<'_>, sealed: &[u8]) -> Option<Vec<u8>> {
    let opened = vault.open_bytes(place, sealed).await;
    opened.ok().map(|plain| plain.reveal().clone())
}

async fn opens(vault: &impl Vault) -> Proof {
    for plain in [b"".as_slice(), PLAIN, &vec![b'x'; LARGE]] {
        let sealed = seal(vault, plain).await?;
        must!(
            open(vault, place(), &sealed).await.as_deref() == Some(plain),
            "a value of {} bytes does not come back",
            plain.len()
        );
    }
    let sealed = seal(vault, PLAIN).await?;
    let is_open = sealed
        .windows(8)
        .any(|part| PLAIN.windows(8).any(|plain| plain == part));
    must!(!is_open, "the sealed value shows the plain one");
    Ok(())
}

async fn differs(vault: &impl Vault) -> Proof {
    let mut seen = BTreeSet::new();
    for _ in 0..SEALS {
        must!(
            seen.insert(seal(vault, PLAIN).await?),
            "one value was sealed twice to the same bytes"
        );
    }
    Ok(())
}

async fn stays(vault: &impl Vault) -> Proof {
    let sealed = seal(vault, PLAIN).await?;
    let here = place();
    let elsewhere = [
        (
            "tenant",
            Place {
                tenant: TenantId::from_bytes([9; 16]),
                ..here
            },
        ),
        (
            "table",
            Place {
                table: "credentials",
                ..here
            },
        ),
        ("row", Place { row: &[9; 16], ..here }),
        (
            "field",
            Place {
                field: "token2",
                ..here
            },
        ),
        (
            "secret version",
            Place {
                secret_version: 2,
                ..here
            },
        ),
    ];
    for (what, place) in elsewhere {
        let opened = open(vault, place, &sealed).await;
        must!(opened.is_none(), "it opens in another {what}");
    }
    Ok(())
}

async fn holds(vault: &impl Vault) -> Proof {
    let sealed = seal(vault, PLAIN).await?;
    for at in 0..sealed.len() {
        let mut flipped = sealed.clone();
        flipped[at] ^= 1;
        must!(
            open(vault, place(), &flipped).await.is_none(),
            "it opens with byte {at} of {} altered",
            sealed.len()
        );
        must!(
            open(vault, place(), &sealed[..at]).await.is_none(),
            "it opens cut to {at} bytes"
        );
    }
    let longer = [&sealed[..], b"x"].concat();
    must!(
        open(vault, place(), &longer).await.is_none(),
        "it opens with a byte more"
    );
    Ok(())
}

async fn endures(one: &impl Vault, other: &impl Vault) -> Proof {
    let sealed = seal(one, PLAIN).await?;
    let opened = open(other, place(), &sealed).await;
    must!(
        opened.as_deref() == Some(PLAIN),
        "what one sealed the other does not open"
    );
    Ok(())
}
