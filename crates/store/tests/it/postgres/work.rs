//! Work that is due is claimed across tenants, and by one claimant at a time.

use super::{fresh, raw};

/// T6: what is due is handed out in turns, a tenant with much of it, and for long, is not served before the others.
#[tokio::test]
async fn t6_work_that_is_due_is_claimed_in_turns() {
    let Some((_store, database)) = fresh().await else {
        return;
    };
    let owner = raw(&database).await;
    let fill = "INSERT INTO work (tenant, kind, key, due) \
                SELECT ('00000000-0000-0000-0000-00000000000' || t)::uuid, 'sample', gen_random_uuid(), \
                now() - hours * interval '1 hour' + n * interval '1 second' \
                FROM (VALUES (1, 500, 9), (2, 2, 2), (3, 1, 1)) AS busy (t, many, hours), generate_series(1, many) AS n; \
                INSERT INTO work (tenant, kind, key, due) VALUES \
                (gen_random_uuid(), 'sample', gen_random_uuid(), now() + interval '1 hour'), \
                (gen_random_uuid(), 'other', gen_random_uuid(), now())";
    owner.batch_execute(fill).await.unwrap();
    let enter = format!("SET ROLE {}_app", database.name());
    owner.batch_execute(&enter).await.unwrap();
    let claim = async |most: i64| {
        let claimed =
            "SELECT right(tenant::text, 1), epoch FROM claim_due('sample', 'me', interval '1 hour', $1, now())";
        let rows = owner.query(claimed, &[&most]).await.unwrap();
        let mut tenants: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        assert!(rows.iter().all(|row| row.get::<_, i64>(1) == 1), "nobody had it before");
        tenants.sort();
        tenants.join("")
    };
    assert_eq!(claim(5).await, "11223");
    assert_eq!(claim(3).await, "111", "what is claimed is left to its claimant");
    assert_eq!(
        claim(1000).await.len(),
        495,
        "what is due later, or is other work, stays"
    );
}

/// Whoever claims work again, after its first claimant was silent for too long, has another epoch: the first finds that its
/// own is over.
#[tokio::test]
async fn work_that_is_claimed_again_has_a_new_epoch() {
    let Some((_store, database)) = fresh().await else {
        return;
    };
    let owner = raw(&database).await;
    let make = "INSERT INTO work (tenant, kind, key, due) \
                VALUES (gen_random_uuid(), 'sample', gen_random_uuid(), now() - interval '1 hour')";
    owner.batch_execute(make).await.unwrap();
    let claim = async |claimant: &str| {
        let claimed = "SELECT epoch FROM claim_due('sample', $1, interval '1 hour', 10, now())";
        let rows = owner.query(claimed, &[&claimant]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect::<Vec<i64>>()
    };
    assert_eq!(claim("one").await, [1]);
    assert_eq!(claim("two").await, [0; 0], "it is somebody's");
    let silent = "UPDATE work SET until = now() - interval '1 second'";
    owner.batch_execute(silent).await.unwrap();
    assert_eq!(claim("two").await, [2]);
    let row = owner
        .query_one("SELECT owner, epoch, until > now() FROM work", &[])
        .await
        .unwrap();
    assert_eq!(
        (row.get::<_, &str>(0), row.get::<_, i64>(1), row.get::<_, bool>(2)),
        ("two", 2, true)
    );
}
