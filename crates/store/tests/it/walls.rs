//! T3: what the database's own catalog says of the walls between tenants.

use std::collections::BTreeSet;

use tokio_postgres::Client;

use crate::postgres::{fresh, raw};

/// Tables with a tenant that are not behind the one policy, forced and in both its parts; `claim` may have one besides.
const HOLES: &str = "\
    SELECT c.relname::text FROM pg_class c \
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relnamespace = 'tieline'::regnamespace \
    AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname ~ 'tenant' AND NOT a.attisdropped) \
    AND NOT (c.relrowsecurity AND c.relforcerowsecurity AND (\
        SELECT coalesce(bool_and(CASE p.policyname \
            WHEN 'tenant' THEN p.permissive = 'PERMISSIVE' AND p.roles = '{public}' AND p.cmd = 'ALL' \
                AND p.qual = $1 AND p.with_check = $1 \
            WHEN 'claim' THEN p.roles = ARRAY[(SELECT claim FROM roles)]::name[] AND p.qual = 'true' \
            ELSE false END), false) AND bool_or(p.policyname = 'tenant') \
        FROM pg_policies p WHERE p.schemaname = 'tieline' AND p.tablename = c.relname)) \
    ORDER BY 1";

/// As the catalog writes it.
const POLICY: &str = "(tenant = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid)";

async fn names(client: &Client, sql: &str, values: &[&(dyn tokio_postgres::types::ToSql + Sync)]) -> Vec<String> {
    let rows = client.query(sql, values).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn t3_every_table_of_tenants_is_behind_the_policy() {
    let Some((_store, database)) = fresh().await else {
        return;
    };
    let owner = raw(&database).await;
    let holes = async || names(&owner, HOLES, &[&POLICY]).await;
    assert_eq!(holes().await, [""; 0]);
    // It finds what it looks for.
    let make = "CREATE TABLE bare (tenant uuid); CREATE TABLE half (tenant_id uuid); \
                ALTER TABLE half ENABLE ROW LEVEL SECURITY; \
                CREATE VIEW through AS SELECT tenant FROM connections; \
                ALTER TABLE calls NO FORCE ROW LEVEL SECURITY; \
                DROP POLICY tenant ON feed; CREATE POLICY more ON audit USING (true); \
                ALTER POLICY tenant ON links WITH CHECK (true)";
    owner.batch_execute(make).await.unwrap();
    assert_eq!(
        holes().await,
        ["audit", "bare", "calls", "feed", "half", "links", "through"]
    );
}

/// T4: no constraint of one tenant's rows is told by another's. A door's hash is found before any tenant is known, and it
/// is a secret's.
#[tokio::test]
async fn t4_every_key_of_a_tenants_table_begins_with_the_tenant() {
    let Some((_store, database)) = fresh().await else {
        return;
    };
    let sql = "SELECT i.indexrelid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid \
               JOIN pg_attribute t ON t.attrelid = c.oid AND t.attname = 'tenant' \
               WHERE c.relnamespace = 'tieline'::regnamespace AND i.indisunique AND i.indkey[0] <> t.attnum ORDER BY 1";
    assert_eq!(names(&raw(&database).await, sql, &[]).await, ["doors_pkey"]);
}

/// Functions that look across tenants: these, pinned, of the one role for it, and nobody's but the store's.
#[tokio::test]
async fn t3_what_looks_across_tenants_is_listed_and_pinned() {
    let Some((_store, database)) = fresh().await else {
        return;
    };
    let owner = raw(&database).await;
    let sql = "SELECT proname::text FROM pg_proc WHERE pronamespace = 'tieline'::regnamespace AND prosecdef ORDER BY 1";
    let expected = [
        "calling_tenants",
        "claim_due",
        "due_credentials",
        "ends_of_feed",
        "heads_of_chains",
        "memberships_of",
        "newest_in_feed",
        "open_door",
        "prune_feed",
        "prune_idempotency",
        "prune_tests",
        "read_feed",
    ];
    assert_eq!(names(&owner, sql, &[]).await, expected);
    let loose = "SELECT proname::text FROM pg_proc p WHERE pronamespace = 'tieline'::regnamespace AND (\
                 proconfig IS DISTINCT FROM ARRAY['search_path=pg_catalog, pg_temp'] \
                 OR (prosecdef AND proowner::regrole::text <> (SELECT claim FROM roles)) \
                 OR (prosecdef AND EXISTS (SELECT FROM aclexplode(p.proacl) a WHERE a.grantee = 0)))";
    assert_eq!(names(&owner, loose, &[]).await, [""; 0]);
}

/// What the role behind those functions may see and do: no column that holds a payload.
#[tokio::test]
async fn t5_claims_see_no_payload() {
    let Some((_store, database)) = fresh().await else {
        return;
    };
    let owner = raw(&database).await;
    let sql = "SELECT table_name || '.' || column_name || ' ' || lower(privilege_type) \
               FROM information_schema.column_privileges WHERE grantee = (SELECT claim FROM roles) ORDER BY 1";
    let seen: BTreeSet<String> = names(&owner, sql, &[]).await.into_iter().collect();
    let mut expected = BTreeSet::new();
    for (table, columns, right) in [
        ("audit_heads", "tenant seq hash", "select"),
        ("call_heads", "tenant", "select"),
        ("credentials", "tenant id notice_at", "select"),
        ("doors", "kind hash tenant id", "select"),
        ("feed", "seq id at kind tenant subject", "select"),
        ("idempotency", "tenant id expires_at", "select"),
        ("idempotency_kept", "tenant bytes", "select"),
        ("idempotency_kept", "bytes", "update"),
        ("memberships", "tenant user_id role created_by created_at", "select"),
        ("tests", "tenant connection id at", "select"),
        ("work", "tenant kind key due owner epoch until hastened", "select"),
        ("work", "owner epoch until", "update"),
    ] {
        expected.extend(columns.split(' ').map(|column| format!("{table}.{column} {right}")));
    }
    assert_eq!(seen, expected);
    let sql = "SELECT table_name || ' ' || lower(privilege_type) FROM information_schema.table_privileges \
               WHERE grantee = (SELECT claim FROM roles) AND privilege_type <> 'SELECT' ORDER BY 1";
    assert_eq!(
        names(&owner, sql, &[]).await,
        ["feed delete", "idempotency delete", "tests delete"]
    );
}

/// Names that are given once have a wall behind the turns that changes of them take.
#[tokio::test]
async fn what_is_given_once_is_unique_in_the_database_too() {
    let Some((_store, database)) = fresh().await else {
        return;
    };
    let sql = "SELECT c.relname || ' ' || string_agg(a.attname, ' ' ORDER BY array_position(i.indkey::int2[], a.attnum)) \
               FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid \
               JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey) \
               WHERE c.relnamespace = 'tieline'::regnamespace AND i.indisunique AND NOT i.indisprimary \
               AND c.relname <> 'refinery_schema_history' GROUP BY c.relname, i.indexrelid ORDER BY 1";
    assert_eq!(
        names(&raw(&database).await, sql, &[]).await,
        [
            "calls tenant seq",
            "connections tenant scope_kind scope_identity connector name",
            "credentials tenant name",
            "links tenant email",
            "tenants name",
            "users email",
        ]
    );
}
