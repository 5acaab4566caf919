//! What a store of sign-ins that are under way must keep.

use std::sync::Arc;

use super::{RACERS, race, sample};
use crate::store::{OAuthStateDoor, OAuthStateRow, Store};

async fn begin(store: &Arc<dyn Store>, state: &OAuthStateRow, most: usize) -> crate::Result<()> {
    let trail = sample::trail(state.tenant, "begun");
    store.begin_oauth(state.clone(), most, trail).await
}

async fn take(store: &Arc<dyn Store>, state: &OAuthStateRow) -> Option<OAuthStateRow> {
    let trail = sample::trail(state.tenant, "taken");
    store.take_oauth_state(state.tenant, state.id, trail).await.unwrap()
}

/// O1: one is found by its whole hash and nothing else, and is given out as it was written, once.
pub async fn is_found_by_its_door_and_taken_once(store: Arc<dyn Store>) {
    let state = sample::oauth_state(sample::tenant_id());
    assert_eq!(store.open_oauth_state(state.hash).await.unwrap(), None);
    begin(&store, &state, 10).await.unwrap();
    let door = OAuthStateDoor {
        tenant: state.tenant,
        state: state.id,
    };
    assert_eq!(store.open_oauth_state(state.hash).await.unwrap(), Some(door));
    let mut close = state.hash;
    close[31] ^= 1;
    assert_eq!(store.open_oauth_state(close).await.unwrap(), None);
    assert_eq!(take(&store, &state).await.as_ref(), Some(&state));
    assert_eq!(take(&store, &state).await, None);
    assert_eq!(store.open_oauth_state(state.hash).await.unwrap(), None);
    assert_eq!(store.audit_entries(state.tenant, 0, 10).await.unwrap().len(), 2);
}

/// O1: of many who come back with it at once, one is given it.
pub async fn race_has_one_winner(store: Arc<dyn Store>) {
    let state = sample::oauth_state(sample::tenant_id());
    begin(&store, &state, 10).await.unwrap();
    let taken = race(RACERS, |_| {
        let (store, state) = (store.clone(), state.clone());
        async move { take(&store, &state).await }
    });
    assert_eq!(taken.await.into_iter().flatten().count(), 1);
    assert_eq!(store.audit_entries(state.tenant, 0, 10).await.unwrap().len(), 2);
}

/// A hash or an identifier that is known already is an error; nothing of the new one is kept.
pub async fn fails_whole_on_a_known_hash(store: Arc<dyn Store>) {
    let known = sample::oauth_state(sample::tenant_id());
    begin(&store, &known, 10).await.unwrap();
    let same_hash = OAuthStateRow {
        hash: known.hash,
        ..sample::oauth_state(sample::tenant_id())
    };
    assert!(begin(&store, &same_hash, 10).await.is_err());
    assert_eq!(take(&store, &same_hash).await, None);
    assert_eq!(take(&store, &known).await, Some(known));
}

/// What is over goes when another begins, and so do the oldest beyond the bound; nobody else's.
pub async fn makes_room(store: Arc<dyn Store>) {
    let (tenant, stranger) = (sample::tenant_id(), sample::tenant_id());
    let [over, oldest, older, new] = [10, 11, 12, 50].map(|at| OAuthStateRow {
        created_at: sample::at(at),
        ends_at: sample::at(if at == 10 { 50 } else { 100 }),
        ..sample::oauth_state(tenant)
    });
    let foreign = OAuthStateRow {
        ends_at: sample::at(20),
        ..sample::oauth_state(stranger)
    };
    for state in [&over, &oldest, &older, &foreign, &new] {
        begin(&store, state, 2).await.unwrap();
    }
    for (state, stays) in [
        (&over, false),
        (&oldest, false),
        (&older, true),
        (&new, true),
        (&foreign, true),
    ] {
        let door = store.open_oauth_state(state.hash).await.unwrap();
        assert_eq!(door.is_some(), stays);
        assert_eq!(take(&store, state).await.is_some(), stays);
    }
}

/// T1: another tenant takes nothing.
pub async fn belongs_to_its_tenant(store: Arc<dyn Store>) {
    let state = sample::oauth_state(sample::tenant_id());
    begin(&store, &state, 10).await.unwrap();
    let theirs = OAuthStateRow {
        tenant: sample::tenant_id(),
        ..state.clone()
    };
    assert_eq!(take(&store, &theirs).await, None);
    assert_eq!(take(&store, &state).await, Some(state));
}
