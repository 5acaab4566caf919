use std::{
    collections::HashSet,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::*;
use crate::{
    audit::{GENESIS, Trail},
    clock::{SystemClock, SystemRandom},
    store::StoreFuture,
    vault::check_master,
};

/// Data keys in memory, with the trails they came with.
#[derive(Default)]
struct Kept {
    rows: Mutex<Vec<DataKeyRow>>,
    trails: Mutex<Vec<Trail>>,
    fingerprint: Mutex<Option<[u8; 32]>>,
    reads: AtomicUsize,
    /// A row that somebody else adds just before the next one.
    faster: Mutex<Option<DataKeyRow>>,
}

impl DataKeyStore for Kept {
    fn data_keys(&self, tenant: TenantId) -> StoreFuture<'_, Vec<DataKeyRow>> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let rows = self.rows.lock().unwrap();
        let mut own: Vec<_> = rows.iter().filter(|row| row.tenant == tenant).cloned().collect();
        own.sort_by_key(|row| row.id);
        Box::pin(async { Ok(own) })
    }

    fn add_data_key(&self, row: DataKeyRow, trail: Trail) -> StoreFuture<'_, Inserted<DataKeyRow>> {
        let mut rows = self.rows.lock().unwrap();
        rows.extend(self.faster.lock().unwrap().take());
        let taken = rows
            .iter()
            .find(|old| old.tenant == row.tenant && old.id == row.id)
            .cloned();
        let answer = taken.map_or_else(
            || {
                rows.push(row);
                self.trails.lock().unwrap().push(trail);
                Inserted::Inserted
            },
            Inserted::Taken,
        );
        Box::pin(async { Ok(answer) })
    }

    fn keep_master_fingerprint(&self, fingerprint: [u8; 32]) -> StoreFuture<'_, [u8; 32]> {
        let kept = *self.fingerprint.lock().unwrap().get_or_insert(fingerprint);
        Box::pin(async move { Ok(kept) })
    }

    fn master_fingerprint(&self) -> StoreFuture<'_, Option<[u8; 32]>> {
        let kept = *self.fingerprint.lock().unwrap();
        Box::pin(async move { Ok(kept) })
    }
}

const ROW: &[u8; 16] = &[5; 16];

fn tenant(number: u8) -> TenantId {
    TenantId::from_bytes([number; 16])
}

fn place() -> Place<'static> {
    Place {
        tenant: tenant(1),
        table: "connection",
        row: ROW,
        field: "botToken",
        secret_version: 3,
    }
}

/// A master key that each call makes again.
fn master(seed: u8) -> MasterKey {
    let bytes: [u8; KEY_BYTES] = std::array::from_fn(|at| (at * at * 7) as u8 ^ seed);
    struct Fixed([u8; KEY_BYTES]);
    impl Random for Fixed {
        fn fill(&self, buffer: &mut [u8]) -> Result<()> {
            buffer.copy_from_slice(&self.0);
            Ok(())
        }
    }
    MasterKey::generate(&Fixed(bytes)).unwrap()
}

fn stored(seed: u8, store: &Arc<Kept>) -> EnvelopeVault {
    EnvelopeVault::stored(
        master(seed),
        store.clone(),
        Arc::new(SystemClock),
        Arc::new(SystemRandom),
    )
}

fn derived(seed: u8) -> EnvelopeVault {
    EnvelopeVault::derived(master(seed), Arc::new(SystemRandom))
}

async fn refusal(vault: &EnvelopeVault, place: Place<'_>, sealed: &[u8]) -> (Code, String) {
    match vault.open(place, sealed).await {
        Ok(_) => panic!("it opened"),
        Err(error) => (error.code(), format!("{} {:?}", error.detail(), error.log_context())),
    }
}

#[tokio::test]
async fn e1_opens_what_it_sealed() {
    let store = Arc::new(Kept::default());
    for vault in [derived(1), stored(1, &store)] {
        for plain in ["", "s3cret", "päßwörd\0\n", &"x".repeat(100_000)] {
            let sealed = vault.seal(place(), plain.as_bytes()).await.unwrap();
            assert_eq!(sealed.len(), 1 + 4 + 12 + plain.len() + 16);
            assert!(plain.len() < 4 || !sealed.windows(plain.len()).any(|part| part == plain.as_bytes()));
            assert_eq!(vault.open(place(), &sealed).await.unwrap().reveal(), plain);
        }
        let bytes = vault.seal(place(), &[0xff, 0]).await.unwrap();
        assert_eq!(vault.open_bytes(place(), &bytes).await.unwrap().reveal(), &[0xff, 0]);
        assert_eq!(refusal(&vault, place(), &bytes).await.0, Code::ConnectorDecryptFailed);
    }
}

#[tokio::test]
async fn e1_another_process_opens_it_and_another_master_key_does_not() {
    let store = Arc::new(Kept::default());
    let sealed = stored(1, &store).seal(place(), b"s3cret").await.unwrap();
    assert_eq!(
        stored(1, &store).open(place(), &sealed).await.unwrap().reveal(),
        "s3cret"
    );
    assert_eq!(
        refusal(&stored(2, &store), place(), &sealed).await.0,
        Code::ConnectorDecryptFailed
    );

    let sealed = derived(1).seal(place(), b"s3cret").await.unwrap();
    assert_eq!(derived(1).open(place(), &sealed).await.unwrap().reveal(), "s3cret");
    assert_eq!(
        refusal(&derived(2), place(), &sealed).await.0,
        Code::ConnectorDecryptFailed
    );
    assert_eq!(
        refusal(&stored(1, &store), place(), &sealed).await.0,
        Code::ConnectorDecryptFailed
    );
}

#[tokio::test]
async fn e2_a_value_opens_in_its_place_only() {
    let store = Arc::new(Kept::default());
    let other_row = [6; 16];
    let moves = [
        Place {
            tenant: tenant(2),
            ..place()
        },
        Place {
            table: "credential",
            ..place()
        },
        Place {
            row: &other_row,
            ..place()
        },
        Place {
            field: "signingSecret",
            ..place()
        },
        Place {
            secret_version: 2,
            ..place()
        },
        Place {
            secret_version: 4,
            ..place()
        },
    ];
    for vault in [derived(1), stored(1, &store)] {
        let sealed = vault.seal(place(), b"s3cret").await.unwrap();
        for moved in moves {
            // The other tenant has a key of its own, so that the refusal is not for want of one.
            vault.seal(moved, b"another").await.unwrap();
            assert_eq!(
                refusal(&vault, moved, &sealed).await.0,
                Code::ConnectorDecryptFailed,
                "{moved:?}"
            );
        }
        assert!(
            vault.open(place(), &sealed).await.is_ok(),
            "it still opens where it belongs"
        );
    }
}

#[tokio::test]
async fn e2_an_altered_value_does_not_open_and_every_refusal_reads_the_same() {
    let store = Arc::new(Kept::default());
    for vault in [derived(1), stored(1, &store)] {
        let sealed = vault.seal(place(), b"s3cret").await.unwrap();
        let mut altered: Vec<Vec<u8>> = Vec::new();
        for at in 0..sealed.len() {
            for bit in 0..8 {
                let mut flipped = sealed.clone();
                flipped[at] ^= 1 << bit;
                altered.push(flipped);
            }
            altered.push(sealed[..at].to_vec());
            altered.push(sealed[at + 1..].to_vec());
        }
        altered.push([sealed.as_slice(), &[0]].concat());
        altered.push([&[0], sealed.as_slice()].concat());
        altered.push([sealed.as_slice(), sealed.as_slice()].concat());
        let first = refusal(&vault, place(), b"").await;
        assert_eq!(first.0, Code::ConnectorDecryptFailed);
        for value in &altered {
            assert_eq!(refusal(&vault, place(), value).await, first, "{value:?}");
        }
        assert!(vault.open(place(), &sealed).await.is_ok());
    }
}

#[tokio::test]
async fn e1_a_wrapped_key_works_for_its_tenant_and_number_only() {
    let store = Arc::new(Kept::default());
    let vault = stored(1, &store);
    let sealed = vault.seal(place(), b"s3cret").await.unwrap();
    vault
        .seal(
            Place {
                tenant: tenant(2),
                ..place()
            },
            b"other",
        )
        .await
        .unwrap();
    let rows = store.rows.lock().unwrap().clone();
    assert_ne!(rows[0].wrapped, rows[1].wrapped);

    let spoiled = |spoil: fn(&mut Vec<DataKeyRow>)| {
        let mut rows = rows.clone();
        spoil(&mut rows);
        let store = Arc::new(Kept::default());
        *store.rows.lock().unwrap() = rows;
        stored(1, &store)
    };
    assert!(spoiled(|_| ()).open(place(), &sealed).await.is_ok());
    let swapped = spoiled(|rows| {
        let (one, two) = rows.split_at_mut(1);
        std::mem::swap(&mut one[0].wrapped, &mut two[0].wrapped);
    });
    let renumbered = spoiled(|rows| rows[0].id = 2);
    let flipped = spoiled(|rows| rows[0].wrapped[20] ^= 1);
    let cut = spoiled(|rows| rows[0].wrapped.truncate(20));
    for vault in [swapped, renumbered, flipped, cut] {
        assert_eq!(refusal(&vault, place(), &sealed).await.0, Code::ConnectorDecryptFailed);
        let seal = vault.seal(place(), b"new").await;
        assert_eq!(
            seal.err().unwrap().code(),
            Code::ConnectorDecryptFailed,
            "nor is anything sealed with it"
        );
    }
    let gone = spoiled(Vec::clear);
    assert_eq!(refusal(&gone, place(), &sealed).await.0, Code::ConnectorDecryptFailed);
}

#[tokio::test]
async fn e1_the_first_seal_makes_the_key_once_and_leaves_a_trail() {
    let store = Arc::new(Kept::default());
    let vault = stored(1, &store);
    let sealed = vault.seal(place(), b"one").await.unwrap();
    vault.seal(place(), b"two").await.unwrap();
    assert_eq!(sealed[1..5], 1_u32.to_be_bytes());
    let reads = store.reads.load(Ordering::Relaxed);
    vault.open(place(), &sealed).await.unwrap();
    vault.seal(place(), b"three").await.unwrap();
    assert_eq!(store.reads.load(Ordering::Relaxed), reads, "the key is kept");

    let rows = store.rows.lock().unwrap();
    assert_eq!(rows.len(), 1);
    let trails = store.trails.lock().unwrap();
    assert_eq!(trails.len(), 1);
    let entry = &trails[0].entries[0];
    assert_eq!(
        (entry.action.as_str(), entry.actor.as_str()),
        ("data_key.created", "server")
    );
    assert_eq!((entry.tenant, entry.detail.as_str()), (tenant(1), r#"{"key":1}"#));
    assert_eq!(
        trails[0].link.hash(&GENESIS, 1, entry),
        stored(1, &store).link(tenant(1)).hash(&GENESIS, 1, entry)
    );
}

#[tokio::test]
async fn e1_when_two_make_the_first_key_both_use_the_one_that_was_stored() {
    let theirs = Arc::new(Kept::default());
    let sealed_by_them = stored(1, &theirs).seal(place(), b"theirs").await.unwrap();
    let store = Arc::new(Kept::default());
    *store.faster.lock().unwrap() = theirs.rows.lock().unwrap().first().cloned();

    let vault = stored(1, &store);
    let sealed = vault.seal(place(), b"ours").await.unwrap();
    assert_eq!(store.rows.lock().unwrap().len(), 1);
    assert_eq!(vault.open(place(), &sealed_by_them).await.unwrap().reveal(), "theirs");
    assert_eq!(
        stored(1, &theirs).open(place(), &sealed).await.unwrap().reveal(),
        "ours"
    );
}

#[tokio::test]
async fn e4_a_second_key_seals_and_the_first_still_opens() {
    let store = Arc::new(Kept::default());
    let vault = stored(1, &store);
    let old = vault.seal(place(), b"old").await.unwrap();
    let wrapping = DataKey::new(DERIVED_KEY, &master(1).derive(Purpose::Wrapping));
    let wrapped = wrapping.seal(&wrapping_place(tenant(1), 2), &[8; KEY_BYTES], &SystemRandom, 1);
    store.rows.lock().unwrap().push(DataKeyRow {
        tenant: tenant(1),
        id: 2,
        wrapped: wrapped.ok().unwrap(),
        created_at: SystemClock.now(),
    });

    let other = stored(1, &store);
    let new = other.seal(place(), b"new").await.unwrap();
    assert_eq!(new[1..5], 2_u32.to_be_bytes());
    assert_eq!(other.open(place(), &old).await.unwrap().reveal(), "old");
    assert_eq!(
        vault.open(place(), &new).await.unwrap().reveal(),
        "new",
        "a key it had not met is looked up"
    );
    let mut renamed = new.clone();
    renamed[1..5].copy_from_slice(&1_u32.to_be_bytes());
    assert_eq!(refusal(&vault, place(), &renamed).await.0, Code::ConnectorDecryptFailed);
}

#[tokio::test]
async fn e3_no_nonce_comes_twice() {
    const SEALS: usize = 100_000;
    let vault = derived(1);
    let mut nonces = HashSet::with_capacity(SEALS);
    for _ in 0..SEALS {
        let sealed = vault.seal(place(), b"").await.unwrap();
        assert!(nonces.insert(<[u8; 12]>::try_from(&sealed[5..17]).unwrap()));
    }
}

#[tokio::test]
async fn e3_a_used_up_key_seals_nothing_more_but_opens() {
    let store = Arc::new(Kept::default());
    let limited = |mut vault: EnvelopeVault| {
        vault.seal_limit = 2;
        vault
    };
    for vault in [limited(derived(1)), limited(stored(1, &store))] {
        let sealed = vault.seal(place(), b"one").await.unwrap();
        vault.seal(place(), b"two").await.unwrap();
        let error = vault.seal(place(), b"three").await.err().unwrap();
        assert_eq!(error.code(), Code::ConnectorEncryptFailed);
        // Asking for a key that is not there reads the ring anew, and must not begin the count anew.
        let mut stranger = sealed.clone();
        stranger[4] = 77;
        refusal(&vault, place(), &stranger).await;
        assert!(vault.seal(place(), b"three").await.is_err());
        assert!(vault.open(place(), &sealed).await.is_ok());
        assert!(
            vault
                .seal(
                    Place {
                        tenant: tenant(2),
                        ..place()
                    },
                    b"one"
                )
                .await
                .is_ok()
        );
    }
}

#[tokio::test]
async fn refuses_what_is_too_large() {
    let vault = derived(1);
    let error = vault
        .seal(place(), &vec![0; MAX_SEALED_PLAIN_BYTES + 1])
        .await
        .err()
        .unwrap();
    assert_eq!(error.code(), Code::ConnectorEncryptFailed);
    assert!(vault.seal(place(), &vec![0; MAX_SEALED_PLAIN_BYTES]).await.is_ok());
}

#[tokio::test]
async fn e5_another_master_key_is_refused_at_the_door() {
    let store = Kept::default();
    assert!(
        check_master(&master(1), &store).await.is_ok(),
        "fresh data takes any key"
    );
    assert!(check_master(&master(1), &store).await.is_ok());
    let error = check_master(&master(2), &store).await.err().unwrap();
    assert_eq!(error.code(), Code::MasterKeyMismatch);
    assert!(
        check_master(&master(1), &store).await.is_ok(),
        "the refusal changed nothing"
    );
}

#[test]
fn links_belong_to_tenant_and_master_key() {
    let entry = crate::audit::AuditEntry {
        id: crate::id::AuditId::from_bytes([1; 16]),
        tenant: tenant(1),
        at: SystemClock.now(),
        actor: "cli".to_owned(),
        action: "connection.created".to_owned(),
        subject: "conn_1".to_owned(),
        detail: "{}".to_owned(),
    };
    let hash = |seed, number| derived(seed).link(tenant(number)).hash(&GENESIS, 1, &entry);
    assert_eq!(hash(1, 1), hash(1, 1));
    assert_ne!(hash(1, 1), hash(1, 2));
    assert_ne!(hash(1, 1), hash(2, 1));
}
