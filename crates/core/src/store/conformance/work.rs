//! What a store of work that is due must keep.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use super::{race, sample};
use crate::{
    clock::Timestamp,
    id::{ConnectionId, TenantId},
    store::{Claim, Store, WorkKind},
};

const KIND: WorkKind = WorkKind::Health;

/// A lease that does not run out within a check.
const LONG: Duration = Duration::from_secs(3600);

/// A lease that has run out as soon as somebody looks, whoever's clock measures it.
const NONE: Duration = Duration::ZERO;

/// A connection that was made then; its work is due since.
async fn made(store: &Arc<dyn Store>, tenant: TenantId, at: i64) -> ConnectionId {
    let mut row = sample::connection(tenant, "any");
    row.name = row.id.to_string();
    row.created_at = sample::at(at);
    let (id, trail) = (row.id, sample::trail(tenant, "made"));
    store.insert_connection(row, trail).await.unwrap();
    id
}

async fn claim(store: &Arc<dyn Store>, lease: Duration, most: usize, now: i64) -> Vec<Claim> {
    store
        .claim_due(KIND, "checker", lease, most, sample::at(now))
        .await
        .unwrap()
}

async fn next(store: &Arc<dyn Store>, tenant: TenantId, id: ConnectionId) -> Option<Timestamp> {
    store.next_work(tenant, KIND, *id.as_bytes()).await.unwrap()
}

/// A connection's work comes with it, is due from its birth on, and is handed out whole; no chain or feed hears of it.
pub async fn comes_with_its_row(store: Arc<dyn Store>) {
    let tenant = sample::tenant_id();
    let id = made(&store, tenant, 5).await;
    let taken = sample::connection(tenant, "taken");
    let mut twin = sample::connection(tenant, "taken");
    twin.created_at = sample::at(0);
    for row in [taken.clone(), twin] {
        store
            .insert_connection(row, sample::trail(tenant, "made"))
            .await
            .unwrap();
    }
    let entries = store.audit_entries(tenant, 0, 10).await.unwrap();
    assert_eq!(next(&store, tenant, id).await, None, "nobody ever took it");
    assert_eq!(claim(&store, LONG, 10, 1).await, []);
    let claims = claim(&store, LONG, 10, 5).await;
    let expected = |id: ConnectionId, due| Claim {
        kind: KIND,
        tenant,
        key: *id.as_bytes(),
        epoch: 1,
        due: sample::at(due),
    };
    assert_eq!(claims, [expected(taken.id, 2), expected(id, 5)]);
    assert!(claims.iter().all(Claim::is_first));
    assert_eq!(next(&store, tenant, id).await, Some(sample::at(5)));
    assert!(store.finish_work(&claims[1], sample::at(60)).await.unwrap());
    assert_eq!(next(&store, tenant, id).await, Some(sample::at(60)));
    assert_eq!(
        next(&store, sample::tenant_id(), id).await,
        None,
        "T2: a stranger sees nothing"
    );
    assert_eq!(store.audit_entries(tenant, 0, 10).await.unwrap(), entries);
}

/// T6: a turn for every tenant, and within a tenant what was due first.
pub async fn is_handed_out_in_turns(store: Arc<dyn Store>) {
    let [busy, other, last] = [0; 3].map(|_| sample::tenant_id());
    let mut busys = Vec::new();
    for n in 0..20 {
        busys.push(made(&store, busy, n).await);
    }
    made(&store, other, 30).await;
    made(&store, other, 31).await;
    made(&store, last, 40).await;
    let tenants = async |most, now| {
        let claims = claim(&store, LONG, most, now).await;
        let mut tenants: Vec<_> = claims.iter().map(|claim| claim.tenant).collect();
        tenants.sort_unstable();
        let count = |tenant| tenants.iter().filter(|of| **of == tenant).count();
        (count(busy), count(other), count(last))
    };
    assert_eq!(tenants(5, 50).await, (2, 2, 1));
    assert_eq!(tenants(3, 50).await, (3, 0, 0));
    let claims = claim(&store, LONG, 2, 50).await;
    let keys: BTreeSet<_> = claims.iter().map(|claim| ConnectionId::from_bytes(claim.key)).collect();
    assert_eq!(
        keys,
        busys[5..7].iter().copied().collect(),
        "what was due first comes first"
    );
}

/// Of many who claim at once no two are given the same.
pub async fn is_shared_by_no_two(store: Arc<dyn Store>) {
    let tenants = [sample::tenant_id(), sample::tenant_id()];
    for n in 0..60 {
        made(&store, tenants[n % 2], 0).await;
    }
    let claims = race(20, |_| {
        let store = store.clone();
        async move {
            let mut all = Vec::new();
            for _ in 0..3 {
                all.extend(claim(&store, LONG, 5, 10).await);
            }
            all
        }
    });
    let mut claims: Vec<Claim> = claims.await.into_iter().flatten().collect();
    // Whoever met others at a row may have left it.
    claims.extend(claim(&store, LONG, 100, 10).await);
    assert!(claims.iter().all(|claim| claim.epoch == 1));
    let keys: BTreeSet<_> = claims.iter().map(|claim| (claim.tenant, claim.key)).collect();
    assert_eq!((claims.len(), keys.len()), (60, 60));
}

/// What was claimed and not finished in time is claimed again, and whoever comes late writes nothing.
pub async fn is_taken_over_when_its_lease_ran_out(store: Arc<dyn Store>) {
    let tenant = sample::tenant_id();
    let id = made(&store, tenant, 0).await;
    let [lost] = claim(&store, NONE, 10, 10).await.try_into().unwrap();
    let [taken] = claim(&store, LONG, 10, 10).await.try_into().unwrap();
    assert_eq!((taken.key, taken.epoch, taken.due), (lost.key, 2, lost.due));
    assert_eq!(claim(&store, LONG, 10, 11).await, [], "somebody is at it");
    assert!(!store.finish_work(&lost, sample::at(99)).await.unwrap());
    assert_eq!(
        next(&store, tenant, id).await,
        Some(sample::at(0)),
        "the late one wrote nothing"
    );
    let stranger = Claim {
        tenant: sample::tenant_id(),
        ..taken.clone()
    };
    assert!(!store.finish_work(&stranger, sample::at(99)).await.unwrap());
    assert!(store.finish_work(&taken, sample::at(60)).await.unwrap());
    assert!(
        !store.finish_work(&taken, sample::at(99)).await.unwrap(),
        "it was given back"
    );
    assert_eq!(claim(&store, LONG, 10, 59).await, []);
    let [again] = claim(&store, NONE, 10, 60).await.try_into().unwrap();
    assert_eq!((again.epoch, again.due), (3, sample::at(60)));
    assert!(
        store.finish_work(&again, sample::at(70)).await.unwrap(),
        "a lease that ran out and was taken by nobody is still held"
    );
}

/// What is hastened is due then, and never later than before; it is no first time any more.
pub async fn is_hastened(store: Arc<dyn Store>) {
    let tenant = sample::tenant_id();
    let [fresh, known] = [made(&store, tenant, 5).await, made(&store, tenant, 0).await];
    let hasten = |tenant, id: ConnectionId, at| store.hasten_work(tenant, KIND, *id.as_bytes(), sample::at(at));
    let [claimed] = claim(&store, LONG, 10, 0).await.try_into().unwrap();
    assert!(store.finish_work(&claimed, sample::at(1000)).await.unwrap());
    hasten(sample::tenant_id(), known, 10).await.unwrap();
    hasten(tenant, known, 2000).await.unwrap();
    assert_eq!(next(&store, tenant, known).await, Some(sample::at(1000)));
    hasten(tenant, known, 20).await.unwrap();
    hasten(tenant, fresh, 30).await.unwrap();
    hasten(tenant, sample::connection_id(), 0).await.unwrap();
    assert_eq!(next(&store, tenant, known).await, Some(sample::at(20)));
    assert_eq!(next(&store, tenant, fresh).await, Some(sample::at(5)));
    let claims = claim(&store, LONG, 10, 20).await;
    assert_eq!(claims.iter().map(|claim| claim.epoch).collect::<Vec<_>>(), [2, 2]);
    assert!(!claims.iter().any(Claim::is_first));
    // What comes while somebody is at it is not lost, and holds once.
    hasten(tenant, known, 40).await.unwrap();
    let [of_known] = claims
        .iter()
        .filter(|claim| claim.key == *known.as_bytes())
        .collect::<Vec<_>>()[..]
    else {
        panic!("it was claimed");
    };
    assert!(store.finish_work(of_known, sample::at(1000)).await.unwrap());
    assert_eq!(next(&store, tenant, known).await, Some(sample::at(40)));
    let [again] = claim(&store, LONG, 10, 40).await.try_into().unwrap();
    assert!(store.finish_work(&again, sample::at(1000)).await.unwrap());
    assert_eq!(next(&store, tenant, known).await, Some(sample::at(1000)));
}

/// The work of what is deleted is gone, and whoever is at it writes nothing.
pub async fn goes_with_its_row(store: Arc<dyn Store>) {
    let tenant = sample::tenant("gone");
    let other = sample::tenant_id();
    let key = sample::api_key(tenant.id);
    let trail = |tenant| sample::trail(tenant, "row");
    store
        .create_tenant(tenant.clone(), key, trail(tenant.id))
        .await
        .unwrap();
    let (deleted, theirs) = (made(&store, other, 0).await, made(&store, tenant.id, 0).await);
    let stays = made(&store, other, 0).await;
    let claims = claim(&store, NONE, 10, 0).await;
    assert_eq!(claims.len(), 3);
    assert!(store.delete_connection(other, deleted, trail(other)).await.unwrap());
    assert!(
        store
            .delete_tenant(tenant.id, sample::at(9), trail(tenant.id))
            .await
            .unwrap()
    );
    for claim in &claims {
        let stands = store.finish_work(claim, sample::at(5)).await.unwrap();
        assert_eq!(stands, claim.key == *stays.as_bytes());
    }
    for (tenant, id) in [(other, deleted), (tenant.id, theirs)] {
        assert_eq!(next(&store, tenant, id).await, None);
    }
    let left = claim(&store, LONG, 10, 100).await;
    assert_eq!(
        left.iter().map(|claim| claim.key).collect::<Vec<_>>(),
        [*stays.as_bytes()]
    );
}
