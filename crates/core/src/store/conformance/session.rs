//! What a store of sessions must keep.

use std::sync::Arc;

use super::sample;
use crate::store::{SessionDoor, SessionRow, Store};

async fn create(store: &Arc<dyn Store>, session: &SessionRow) -> crate::Result<()> {
    let trail = sample::trail(session.tenant, "session");
    store.create_session(session.clone(), Vec::new(), trail).await
}

/// K4: a session is found by its whole hash and nothing else, and reads as it was written.
pub async fn is_found_by_its_door_only(store: Arc<dyn Store>) {
    let mut session = sample::session(sample::tenant_id(), sample::user_id());
    session.ended_at = Some(sample::at(9));
    assert_eq!(store.open_session(session.hash).await.unwrap(), None);
    create(&store, &session).await.unwrap();
    let door = SessionDoor {
        tenant: session.tenant,
        session: session.id,
    };
    assert_eq!(store.open_session(session.hash).await.unwrap(), Some(door));
    assert_eq!(
        store.session(session.tenant, session.id).await.unwrap().as_ref(),
        Some(&session)
    );
    let mut close = session.hash;
    close[0] ^= 1;
    assert_eq!(store.open_session(close).await.unwrap(), None);
}

/// A hash or an identifier that is known already is an error; nothing of the new session is kept.
pub async fn fails_whole_on_a_known_hash(store: Arc<dyn Store>) {
    let known = sample::session(sample::tenant_id(), sample::user_id());
    create(&store, &known).await.unwrap();
    let end = store.feed_end().await.unwrap();
    let same_hash = SessionRow {
        hash: known.hash,
        ..sample::session(sample::tenant_id(), known.user)
    };
    assert!(create(&store, &same_hash).await.is_err());
    assert_eq!(store.session(same_hash.tenant, same_hash.id).await.unwrap(), None);
    assert_eq!(store.feed_end().await.unwrap(), end);
    assert!(store.open_session(known.hash).await.unwrap().is_some());
}

/// The first ending counts; its time stands, and so does the door.
pub async fn ends_once(store: Arc<dyn Store>) {
    let session = sample::session(sample::tenant_id(), sample::user_id());
    create(&store, &session).await.unwrap();
    let end = |at| store.end_session(session.tenant, session.id, at, sample::trail(session.tenant, "ended"));
    assert!(end(sample::at(50)).await.unwrap());
    assert!(!end(sample::at(51)).await.unwrap());
    let row = store.session(session.tenant, session.id).await.unwrap().unwrap();
    assert_eq!(row.ended_at, Some(sample::at(50)));
    assert!(store.open_session(session.hash).await.unwrap().is_some());
    assert_eq!(store.audit_entries(session.tenant, 0, 10).await.unwrap().len(), 2);
}

/// Being seen moves forward only, and leaves no entry.
pub async fn is_seen_forward_only(store: Arc<dyn Store>) {
    let session = sample::session(sample::tenant_id(), sample::user_id());
    create(&store, &session).await.unwrap();
    let see = |at| store.see_session(session.tenant, session.id, at, sample::no_trail());
    assert!(see(sample::at(50)).await.unwrap());
    assert!(!see(sample::at(49)).await.unwrap());
    let row = store.session(session.tenant, session.id).await.unwrap().unwrap();
    assert_eq!(row.seen_at, sample::at(50));
    assert_eq!(store.audit_entries(session.tenant, 0, 10).await.unwrap().len(), 1);
}

/// A new session ends those it is made instead of, and sweeps the same member's that are over; nobody else's.
pub async fn takes_the_place_of_others(store: Arc<dyn Store>) {
    let (tenant, user) = (sample::tenant_id(), sample::user_id());
    let [replaced, over, stays] = [(); 3].map(|()| sample::session(tenant, user));
    let [foreign, foreign_over] = [(); 2].map(|()| sample::session(tenant, sample::user_id()));
    let ends = |session: SessionRow, at| SessionRow {
        ends_at: sample::at(at),
        ..session
    };
    let (over, foreign_over) = (ends(over, 50), ends(foreign_over, 50));
    for session in [&replaced, &over, &stays, &foreign, &foreign_over] {
        create(&store, session).await.unwrap();
    }
    let mut new = sample::session(tenant, user);
    new.created_at = sample::at(50);
    let trail = sample::trail(tenant, "session");
    let instead_of = vec![replaced.id, foreign.id];
    store.create_session(new.clone(), instead_of, trail).await.unwrap();
    let ended = async |id| store.session(tenant, id).await.unwrap().map(|row| row.ended_at);
    assert_eq!(ended(replaced.id).await, Some(Some(new.created_at)));
    assert_eq!(ended(over.id).await, None);
    assert_eq!(store.open_session(over.hash).await.unwrap(), None);
    assert_eq!(ended(stays.id).await, Some(None));
    assert_eq!(ended(foreign.id).await, Some(None), "another person's");
    assert_eq!(ended(foreign_over.id).await, Some(None), "another person's");
    let mut expected = vec![stays.id, new.id];
    expected.sort();
    let listed = store.sessions_of(tenant, user, 10).await.unwrap();
    assert_eq!(listed.iter().map(|row| row.id).collect::<Vec<_>>(), expected);
    assert_eq!(store.sessions_of(tenant, user, 1).await.unwrap().len(), 1);
}

/// T1: another tenant neither reads, sees nor ends a session.
pub async fn belongs_to_its_tenant(store: Arc<dyn Store>) {
    let session = sample::session(sample::tenant_id(), sample::user_id());
    create(&store, &session).await.unwrap();
    let stranger = sample::tenant_id();
    assert_eq!(store.session(stranger, session.id).await.unwrap(), None);
    assert_eq!(store.sessions_of(stranger, session.user, 10).await.unwrap(), []);
    let see = store.see_session(stranger, session.id, sample::at(60), sample::no_trail());
    assert!(!see.await.unwrap());
    let end = store.end_session(stranger, session.id, sample::at(60), sample::trail(stranger, "x"));
    assert!(!end.await.unwrap());
    assert_eq!(store.session(session.tenant, session.id).await.unwrap(), Some(session));
}
