//! What has to hold of a connection before anything is done with it (T3).

use tieline::{Code, Error, Result};
use tokio_postgres::Client;

use super::trouble::refused;
use crate::limits::{IDLE_TRANSACTION_TIMEOUT, STATEMENT_TIMEOUT};

/// Puts a new connection into the role that does the work, and bounds what it does.
pub(super) async fn step_down(client: &Client, role: &str) -> Result<(), tokio_postgres::Error> {
    bound(client).await?;
    let sql = "SELECT set_config('search_path', 'tieline', false), set_config('role', $1, false)";
    client.query_one(sql, &[&role]).await.map(drop)
}

/// Bounds what a new connection does. A commit that is answered is on disk, whatever the database's default.
pub(super) async fn bound(client: &Client) -> Result<(), tokio_postgres::Error> {
    let sql = "SELECT set_config('statement_timeout', $1, false), \
               set_config('idle_in_transaction_session_timeout', $2, false), \
               CASE current_setting('synchronous_commit') WHEN 'off' THEN set_config('synchronous_commit', 'on', false) END";
    let milliseconds = |bound: std::time::Duration| bound.as_millis().to_string();
    let (statement, idle) = (milliseconds(STATEMENT_TIMEOUT), milliseconds(IDLE_TRANSACTION_TIMEOUT));
    client.query_one(sql, &[&statement, &idle]).await.map(drop)
}

/// What the role on a connection could do that it must not.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Walls {
    superuser: bool,
    bypasses: bool,
    owns: bool,
    claims: bool,
}

impl Walls {
    /// Asks for the role that is in effect.
    pub(super) async fn look(client: &Client) -> Result<Self> {
        let sql = "SELECT r.rolsuper, r.rolbypassrls, \
                   EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = 'tieline'::regnamespace \
                   AND pg_has_role(r.oid, c.relowner, 'MEMBER')), \
                   EXISTS (SELECT FROM pg_proc p WHERE p.pronamespace = 'tieline'::regnamespace AND p.prosecdef \
                   AND pg_has_role(r.oid, p.proowner, 'MEMBER')) \
                   FROM pg_roles r WHERE r.rolname = current_user";
        let row = client.query_one(sql, &[]).await.map_err(|error| refused(&error))?;
        Ok(Self {
            superuser: row.get(0),
            bypasses: row.get(1),
            owns: row.get(2),
            claims: row.get(3),
        })
    }

    /// Refuses to work where row level security would be none.
    pub(super) fn refuse_holes(&self, role: &str) -> Result<()> {
        let (what, mend) = if self.superuser {
            ("is a superuser", "ALTER ROLE … NOSUPERUSER")
        } else if self.bypasses {
            ("may bypass row level security", "ALTER ROLE … NOBYPASSRLS")
        } else if self.owns {
            ("owns the tables", "REVOKE the owner's role from it")
        } else if self.claims {
            (
                "may look across tenants",
                "REVOKE the role that ends in `_claim` from it",
            )
        } else {
            return Ok(());
        };
        Err(Error::new(
            Code::ConfigInvalid,
            format!(
                "The role `{role}`, in which all work is done, {what}: nothing would keep tenants apart. Mend it \
                 ({mend}) and start again."
            ),
        ))
    }
}

#[cfg(test)]
mod tests {
    //! With the tenant's filters left out of the statements, through the store's own pool.

    use std::{collections::BTreeSet, sync::Arc};

    use tieline::{
        id::TenantId,
        store::{
            ApiKeyStore, CallStore, ConnectionStore, CredentialStore, DataKeyStore, HealthStore, IdempotencyRow,
            IdempotencyStore, LinkStore, OAuthStateStore, SessionStore, conformance::sample,
        },
    };
    use tieline_testkit::postgres::Database;

    use crate::{
        PostgresOptions, PostgresStore,
        outcome::Outcome::{Changed, Unchanged},
        postgres::value::{Columns, Id, values},
    };

    async fn fresh(connections: usize) -> Option<(Arc<PostgresStore>, Database)> {
        let database = Database::fresh().await?;
        let store = PostgresStore::open(&database.url(), PostgresOptions { connections }).await;
        Some((Arc::new(store.unwrap()), database))
    }

    /// Something in every table.
    async fn fill(store: &PostgresStore, tenant: TenantId) {
        let trail = || sample::trail(tenant, "made");
        store.create_api_key(sample::api_key(tenant), trail()).await.unwrap();
        let key = sample::data_key(tenant, 1, b"wrapped");
        store.add_data_key(key, trail()).await.unwrap();
        let row = sample::connection(tenant, "default");
        let test = sample::test(&row, 1);
        store.insert_connection(row, trail()).await.unwrap();
        store.note_test(test, 1).await.unwrap();
        let row = sample::credential(tenant, "default");
        store.insert_credential(row, trail()).await.unwrap();
        let call = sample::call(tenant);
        store.append_calls(vec![sample::call_batch(vec![call])]).await.unwrap();
        store
            .put_link(sample::invitation(tenant, "ada"), trail())
            .await
            .unwrap();
        let session = sample::session(tenant, sample::user_id());
        store.create_session(session, Vec::new(), trail()).await.unwrap();
        let state = sample::oauth_state(tenant);
        store.begin_oauth(state, 1, trail()).await.unwrap();
        let request = IdempotencyRow {
            tenant,
            id: [7; 16],
            request: vec![1],
            attempt: 1,
            until: sample::at(1),
            expires_at: sample::at(2),
            answer: None,
        };
        store.begin_idempotent(request, sample::at(0)).await.unwrap();
        let answer = store
            .finish_idempotent(tenant, [7; 16], 1, b"answer".to_vec(), 100)
            .await;
        assert!(answer.unwrap());
        let joined = store.journal(tenant, tenant, |tx, tenant| {
            Box::pin(async move {
                let user = sample::user(&tenant.to_string());
                super::super::user::insert(tx, &user).await?;
                super::super::membership::insert(tx, &sample::membership(*tenant, user.id)).await?;
                let work = "INSERT INTO work (tenant, kind, key, due) VALUES ($1, 'sample', $1, now())";
                tx.execute(work, values![Id(*tenant)]).await?;
                Ok(Changed(()))
            })
        });
        joined.await.unwrap();
    }

    macro_rules! tables {
        ($($table:literal)+) => {
            &[$(($table, concat!("SELECT tenant FROM ", $table), concat!("UPDATE ", $table, " SET tenant = $1"))),+]
        };
    }

    /// Every table of tenants that the store's role reads: its name, all of it, and all of it handed to somebody.
    const TABLES: &[(&str, &str, &str)] = tables!(
        "api_keys" "audit" "audit_heads" "call_heads" "calls" "connection_secrets" "connections" "credential_secrets"
        "credentials" "data_keys" "doors" "idempotency" "idempotency_kept" "links" "memberships" "oauth_states" "sessions"
        "tests" "usage" "usage_totals" "work"
    );

    async fn seen(store: &PostgresStore, tenant: Option<TenantId>, select: &'static str) -> Vec<TenantId> {
        let seen = store.read(tenant, select, |tx, select| {
            Box::pin(async move { tx.all(select, &[], |row| row.id("tenant")).await })
        });
        seen.await.unwrap()
    }

    #[tokio::test]
    async fn t3_without_the_filters_no_foreign_row_is_seen_or_written() {
        let Some((store, database)) = fresh(4).await else {
            return;
        };
        let tenants = [sample::tenant_id(), sample::tenant_id()];
        for tenant in tenants {
            fill(&store, tenant).await;
        }
        for (table, select, hand_over) in TABLES {
            for tenant in tenants {
                let seen = seen(&store, Some(tenant), select).await;
                assert!(!seen.is_empty(), "{table}");
                assert!(seen.iter().all(|seen| *seen == tenant), "{table}");
            }
            assert_eq!(seen(&store, None, select).await, [], "{table} without a tenant");
            assert_eq!(seen(&store, Some(sample::tenant_id()), select).await, [], "{table}");
            let given = store.journal(tenants[0], (*hand_over, tenants[1]), |tx, (hand_over, other)| {
                Box::pin(async move { tx.execute(hand_over, values![Id(*other)]).await.map(Changed) })
            });
            given.await.expect_err(table);
        }
        // No table was forgotten. The feed is written only, and read through its function.
        let owner = database.owner().await;
        let sql = "SELECT c.relname::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant' \
                   WHERE c.relnamespace = 'tieline'::regnamespace AND c.relkind = 'r'";
        let rows = owner.query(sql, &[]).await.unwrap();
        let there: BTreeSet<String> = rows.iter().map(|row| row.get(0)).collect();
        let mut listed: BTreeSet<String> = TABLES.iter().map(|(table, ..)| (*table).to_owned()).collect();
        listed.insert("feed".to_owned());
        assert_eq!(there, listed);
        let feed = store.read(tenants[0], (), |tx, ()| Box::pin(tx.any("SELECT 1 FROM feed", &[])));
        feed.await.expect_err("the feed is read through its function only");
    }

    /// L1: every connection of the pool is in the role that works, and bounded in what it does.
    #[tokio::test]
    async fn l1_a_connection_is_stepped_down_and_bounded() {
        let Some((store, database)) = fresh(1).await else {
            return;
        };
        let setting = "SELECT current_user::text || ' ' || current_setting('search_path') AS role, \
                       current_setting('statement_timeout') AS statement, \
                       current_setting('idle_in_transaction_session_timeout') AS idle, \
                       current_setting('synchronous_commit') AS commit";
        let look = async |store: &PostgresStore| {
            let set = store.read(None, setting, |tx, setting| {
                Box::pin(async move {
                    let read = |row: &tokio_postgres::Row| {
                        ["role", "statement", "idle", "commit"]
                            .into_iter()
                            .map(|name| row.try_get::<_, String>(name))
                            .collect::<Result<Vec<_>, _>>()
                    };
                    tx.one(setting, &[], read).await
                })
            });
            set.await.unwrap().unwrap()
        };
        let role = format!("{}_app tieline", database.name());
        let bounded = [role.as_str(), "30s", "30s", "on"];
        assert_eq!(look(&store).await, bounded);
        // Whatever an operator has set for the database: a commit that is answered is on disk.
        let set = format!("ALTER DATABASE {} SET synchronous_commit = off", database.name());
        database.owner().await.batch_execute(&set).await.unwrap();
        let store = PostgresStore::open(&database.url(), PostgresOptions { connections: 1 }).await;
        assert_eq!(look(&store.unwrap()).await, bounded);
    }

    /// Requests that end well, fail, panic or are left by their callers: the next on the connection is in its own tenant.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn t3_two_thousand_requests_of_fifty_tenants_over_four_connections() {
        let Some((store, _database)) = fresh(4).await else {
            return;
        };
        let tenants: Vec<TenantId> = (0..50).map(|_| sample::tenant_id()).collect();
        for tenant in &tenants {
            let row = sample::connection(*tenant, "default");
            store
                .insert_connection(row, sample::trail(*tenant, "row"))
                .await
                .unwrap();
        }
        let select = "SELECT tenant FROM connections";
        let requests: Vec<_> = (0..2_000)
            .map(|n| {
                let (store, tenant) = (store.clone(), tenants[n * 31 % tenants.len()]);
                tokio::spawn(async move {
                    match n % 20 {
                        0 => assert_eq!(seen(&store, None, select).await, []),
                        1 => drop(tokio::spawn(async move { seen(&store, Some(tenant), select).await })),
                        2 => drop(
                            store
                                .journal(tenant, (), |tx, ()| {
                                    Box::pin(async {
                                        tx.any("SELECT 1 FROM connections", &[]).await?;
                                        panic!("on purpose")
                                    })
                                })
                                .await
                                .map(|()| unreachable!()),
                        ),
                        3 => drop(
                            store
                                .read(tenant, (), |tx, ()| Box::pin(tx.any("SELECT 1 / 0", &[])))
                                .await
                                .unwrap_err(),
                        ),
                        4 => {
                            let left = store.journal(tenant, tenant, |tx, tenant| {
                                Box::pin(async move {
                                    let touch = "UPDATE connections SET version = version + 1";
                                    let touched = tx.execute(touch, &[]).await?;
                                    assert_eq!(touched, 1, "{tenant}");
                                    Ok(Unchanged(()))
                                })
                            });
                            left.await.unwrap();
                        }
                        _ => assert_eq!(seen(&store, Some(tenant), select).await, [tenant]),
                    }
                })
            })
            .collect();
        for request in requests {
            request.await.unwrap();
        }
    }
}
