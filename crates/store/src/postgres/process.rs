//! The processes that share the database.

use std::time::Duration;

use tieline::{
    id::ProcessId,
    store::{ProcessStore, StoreFuture},
};

use super::{
    PostgresStore,
    value::{Columns, Id, values},
};
use crate::outcome::Outcome::Changed;

impl ProcessStore for PostgresStore {
    fn keep_alive(&self, process: ProcessId, silence: Duration) -> StoreFuture<'_, u32> {
        self.journal(None, (process, silence), |tx, (process, silence)| {
            Box::pin(async move {
                let show = "INSERT INTO processes (id, seen_at) VALUES ($1, clock_timestamp()) \
                            ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at";
                tx.execute(show, values![Id(*process)]).await?;
                // Several find the same one silent: who comes second leaves it to the first.
                let forget = "DELETE FROM processes WHERE id IN (SELECT id FROM processes WHERE id <> $1 \
                              AND seen_at <= clock_timestamp() - make_interval(secs => $2) FOR UPDATE SKIP LOCKED)";
                tx.execute(forget, values![Id(*process), silence.as_secs_f64()]).await?;
                let living = "SELECT count(*) FROM processes WHERE id = $1 \
                              OR seen_at > clock_timestamp() - make_interval(secs => $2)";
                let values = values![Id(*process), silence.as_secs_f64()];
                let living = tx.one(living, values, |row| row.number("count")).await?;
                Ok(Changed(living.unwrap_or(1)))
            })
        })
    }

    fn end_process(&self, process: ProcessId) -> StoreFuture<'_, ()> {
        self.journal(None, process, |tx, process| {
            Box::pin(async move {
                tx.execute("DELETE FROM processes WHERE id = $1", values![Id(*process)])
                    .await?;
                Ok(Changed(()))
            })
        })
    }
}
