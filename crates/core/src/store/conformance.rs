//! What every store must keep: run it against yours.
//!
//! [`store_conformance!`](crate::store_conformance) makes one test of each check for a whole [`Store`](super::Store),
//! [`connection_store_conformance!`](crate::connection_store_conformance) does the same for its part that keeps
//! connections, [`ConnectionStore`](super::ConnectionStore). An [`Adapter`](super::Adapter) is proved by
//! [`testing::adapter`](crate::testing::adapter). Both take an async function that makes an empty store, and
//! whatever must live as long as it does (or, where that cannot be had on this machine, an `Option` of both):
//!
//! ```
//! use std::sync::Arc;
//! use tieline::store::{ConnectionStore, MemoryStore};
//!
//! async fn fresh() -> (Arc<dyn ConnectionStore>, ()) {
//!     (Arc::new(MemoryStore::new()), ())
//! }
//!
//! tieline::connection_store_conformance!(fresh);
//! # fn main() {}
//! ```
//!
//! The tests need `tokio` with `macros` and `rt-multi-thread` among the dev-dependencies. A check panics when the
//! store fails it.

#![allow(clippy::unwrap_used, reason = "a check that fails panics, as any test does")]

pub mod api_key;
pub mod audit;
pub mod call;
pub mod connection;
pub mod credential;
pub mod data_key;
pub mod delivery;
pub mod feed;
pub mod health;
pub mod idempotency;
pub mod link;
pub mod membership;
pub mod oauth;
pub mod process;
pub mod sample;
pub mod session;
pub mod setting;
pub mod tenant;
pub mod trail;
pub mod usage;
pub mod user;
pub mod work;

use std::future::Future;

use tokio::task::JoinSet;

/// Makes a test of every check for a whole store. Takes an async function `fn() -> (Arc<dyn Store>, guard)`.
#[macro_export]
macro_rules! store_conformance {
    ($fresh:path) => {
        $crate::connection_store_conformance!($fresh);
        $crate::conformance_tests!($fresh;
            tenant {
                comes_with_its_first_key
                name_is_given_once
                name_race_has_one_winner
                refuses_the_key_of_another
                fails_whole_when_its_key_fails
                pages_by_identifier
                is_renamed
                is_deleted_with_all_that_is_its
                never_changes_again
                is_swept_some_rows_at_a_time
                counts_what_it_has
                deletion_and_changes_race
            }
            user {
                keeps_every_field
                the_first_is_one
                a_password_changes_from_its_version
                is_locked_out_once
            }
            membership {
                keeps_every_field
                lists_members_and_invited
                roles_change
                the_last_owner_stays
                a_locked_owner_does_not_count
                changes_from_the_role_it_was_decided_on
                owners_race_leaves_one
                removal_takes_sessions_and_links
                belongs_to_its_tenant
            }
            link {
                is_found_by_its_door_only
                a_newer_one_replaces_it
                knows_addresses
                is_used_once
                a_stale_one_stays_good
                sets_a_password
                belongs_to_its_tenant
                a_reset_stands_on_its_ground
                links_go_with_their_maker
                links_go_with_the_key_that_made_them
                what_is_over_is_swept
            }
            session {
                is_found_by_its_door_only
                fails_whole_on_a_known_hash
                ends_once
                is_seen_forward_only
                takes_the_place_of_others
                belongs_to_its_tenant
            }
            oauth {
                is_found_by_its_door_and_taken_once
                race_has_one_winner
                fails_whole_on_a_known_hash
                makes_room
                belongs_to_its_tenant
            }
            api_key {
                is_found_by_its_door_only
                keeps_every_field
                fails_whole_on_a_known_hash
                changes_only_from_the_expected_version
                the_latest_use_stands
                revokes_once
                revocation_race_has_one_winner
                pages_by_identifier
                belongs_to_its_tenant
            }
            credential {
                keeps_every_field
                name_is_given_once
                changes_only_from_the_expected_version
                version_race_has_one_winner
                tells_its_users_of_a_change
                stays_while_it_is_pointed_to
                is_pointed_to_only_while_it_stands
                deletion_and_pointing_race
                filters_combine
                due_ones_come_oldest_first
                belongs_to_its_tenant
            }
            data_key {
                are_listed_oldest_first
                race_has_one_winner
                belong_to_their_tenant
                fingerprint_is_kept_once
            }
            audit {
                chain_continues_and_verifies
                pages_by_place
                is_gapless_under_concurrency
                belongs_to_its_tenant
                is_searched_by_what_it_tells
                search_pages_and_stops
                tells_its_heads
            }
            feed {
                is_complete_and_in_order
                keeps_every_field
                pages_by_place
                tells_when_it_moved
                keeps_the_order_of_each_writer
                is_pruned_from_the_beginning
            }
            setting {
                are_kept_with_their_trail
            }
            process {
                alone_is_one
            }
            idempotency {
                begins_once_and_keeps_every_field
                race_has_one_winner
                is_finished_by_its_latest_run_once
                resume_race_has_one_winner
                released_key_begins_anew
                expired_key_begins_anew
                oldest_answers_make_room
                is_pruned_in_batches
                belongs_to_its_tenant
            }
            call {
                keeps_every_field
                are_written_with_their_trails
                fail_whole
                filters_combine
                pages_and_stops
                are_gapless_under_concurrency
                are_pruned_from_the_beginning
                belong_to_their_tenant
            }
            usage {
                adds_up
                conditions_combine
                keeps_every_sum_and_day
                belongs_to_its_tenant
            }
            work {
                comes_with_its_row
                is_handed_out_in_turns
                is_shared_by_no_two
                is_taken_over_when_its_lease_ran_out
                is_hastened
                goes_with_its_row
            }
            health {
                keeps_every_field
                is_bounded_by_connection
                is_pruned_in_batches
                goes_with_its_connection
                belongs_to_its_tenant
            }
            trail {
                goes_with_every_change
                stays_away_when_nothing_changed
                of_another_tenant_changes_nothing
                that_panics_changes_nothing
                strangers_cost_what_unknown_ids_cost
            }
        );
    };
}

/// Makes a test of every check for a connection store. Takes an async function
/// `fn() -> (Arc<dyn ConnectionStore>, guard)`; an `Arc<dyn Store>` will do.
#[macro_export]
macro_rules! connection_store_conformance {
    ($fresh:path) => {
        $crate::conformance_tests!($fresh;
            connection {
                keeps_every_field
                keeps_text_as_it_came
                is_unique_by_five_values
                reports_who_took_the_name
                insert_race_has_one_winner
                changes_only_from_the_expected_version
                keeps_its_identity
                version_race_has_one_winner
                is_deleted_once
                filters_combine
                filters_by_health_and_counts
                pages_by_identifier
                belongs_to_its_tenant
                shares_no_row_with_the_same_id_elsewhere
            }
            delivery {
                notes_deliveries_beside_changes
            }
        );
    };
}

/// The tests themselves.
#[doc(hidden)]
#[macro_export]
macro_rules! conformance_tests {
    ($fresh:path; $($noun:ident { $($check:ident)+ })+) => { $(
        mod $noun {
            #[allow(unused_imports, reason = "the function may be named by its full path")]
            use super::*;

            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $check() {
                    let fresh = $crate::store::conformance::Fresh::made($fresh().await);
                    if let Some((store, _guard)) = fresh {
                        $crate::store::conformance::$noun::$check(store).await;
                    }
                }
            )+
        }
    )+ };
}

/// What an async function made for a check: a store and its guard, or nothing where the store's server is missing and the
/// function has said so.
#[doc(hidden)]
pub trait Fresh {
    type Store;
    type Guard;

    fn made(self) -> Option<(Self::Store, Self::Guard)>;
}

impl<S, G> Fresh for (S, G) {
    type Store = S;
    type Guard = G;

    fn made(self) -> Option<(S, G)> {
        Some(self)
    }
}

impl<S, G> Fresh for Option<(S, G)> {
    type Store = S;
    type Guard = G;

    fn made(self) -> Option<(S, G)> {
        self
    }
}

/// How many tasks take part in a race.
const RACERS: usize = 100;

/// Runs `racer(0)`, `racer(1)`, … at the same time and gives what they answered, in no order.
async fn race<T, F>(racers: usize, racer: impl Fn(usize) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    (0..racers).map(racer).collect::<JoinSet<_>>().join_all().await
}

#[cfg(test)]
mod tests {
    /// Each check is in a macro, and each name in a macro is a check (or the tests would not compile).
    #[test]
    fn no_check_is_forgotten() {
        let macros = include_str!("conformance.rs");
        let nouns = [
            ("tenant", include_str!("conformance/tenant.rs")),
            ("user", include_str!("conformance/user.rs")),
            ("membership", include_str!("conformance/membership.rs")),
            ("link", include_str!("conformance/link.rs")),
            ("session", include_str!("conformance/session.rs")),
            ("oauth", include_str!("conformance/oauth.rs")),
            ("api_key", include_str!("conformance/api_key.rs")),
            ("credential", include_str!("conformance/credential.rs")),
            ("data_key", include_str!("conformance/data_key.rs")),
            ("audit", include_str!("conformance/audit.rs")),
            ("feed", include_str!("conformance/feed.rs")),
            ("idempotency", include_str!("conformance/idempotency.rs")),
            ("call", include_str!("conformance/call.rs")),
            ("setting", include_str!("conformance/setting.rs")),
            ("process", include_str!("conformance/process.rs")),
            ("usage", include_str!("conformance/usage.rs")),
            ("work", include_str!("conformance/work.rs")),
            ("health", include_str!("conformance/health.rs")),
            ("trail", include_str!("conformance/trail.rs")),
            ("connection", include_str!("conformance/connection.rs")),
            ("delivery", include_str!("conformance/delivery.rs")),
        ];
        for (noun, source) in nouns {
            let (_, list) = macros.split_once(&format!("\n            {noun} {{\n")).unwrap();
            let listed: Vec<&str> = list.split_once('}').unwrap().0.split_whitespace().collect();
            let checks = source.split("pub async fn ").skip(1);
            let checks: Vec<&str> = checks.map(|rest| rest.split_once('(').unwrap().0).collect();
            assert_eq!(listed, checks, "{noun}");
        }
    }
}
