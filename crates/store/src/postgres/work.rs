//! Work that is due. What is due is judged by the caller's clock, and leases by the database's, which all claimants share.

use std::time::Duration;

use tieline::{
    Result,
    clock::Timestamp,
    id::{ConnectionId, TenantId},
    store::{Claim, ConnectionRow, StoreFuture, WorkKind, WorkStore},
};

use super::{
    PostgresStore,
    tx::Tx,
    value::{Columns, Id, Time, number, values},
};
use crate::outcome::Outcome::{self, Changed, Unchanged};

/// A new connection's work.
pub(super) async fn insert(tx: &Tx, row: &ConnectionRow) -> Result<()> {
    let insert = "INSERT INTO work (tenant, kind, key, due) VALUES ($1, $2, $3, $4)";
    let kind = WorkKind::Health.as_str();
    tx.execute(insert, values![Id(row.tenant), kind, Id(row.id), Time(row.created_at)])
        .await
        .map(drop)
}

/// A deleted connection's work.
pub(super) async fn delete(tx: &Tx, tenant: TenantId, id: ConnectionId) -> Result<()> {
    let delete = "DELETE FROM work WHERE tenant = $1 AND kind = $2 AND key = $3";
    let values = values![Id(tenant), WorkKind::Health.as_str(), Id(id)];
    tx.execute(delete, values).await.map(drop)
}

impl WorkStore for PostgresStore {
    fn claim_due(
        &self,
        kind: WorkKind,
        claimant: &str,
        lease: Duration,
        most: usize,
        now: Timestamp,
    ) -> StoreFuture<'_, Vec<Claim>> {
        let given = (kind, claimant.to_owned(), lease, most, now);
        self.journal(None, given, |tx, (kind, claimant, lease, most, now)| {
            Box::pin(async move {
                let claim = "SELECT tenant, key, epoch, due \
                             FROM claim_due($1, $2, $3::bigint * interval '1 microsecond', $4, $5)";
                let (lease, most) = (number(lease.as_micros()), number(*most));
                let values = values![kind.as_str(), claimant, lease, most, Time(*now)];
                let mut claims = tx
                    .all(claim, values, |row| {
                        Ok(Claim {
                            kind: *kind,
                            tenant: row.id("tenant")?,
                            key: row.id("key")?,
                            epoch: row.number("epoch")?,
                            due: row.time("due")?,
                        })
                    })
                    .await?;
                // An update answers in no order.
                claims.sort_by_key(|claim| claim.due);
                Ok(match claims.is_empty() {
                    true => Unchanged(claims),
                    false => Changed(claims),
                })
            })
        })
    }

    fn finish_work(&self, claim: &Claim, next_due: Timestamp) -> StoreFuture<'_, bool> {
        self.journal(claim.tenant, (claim.clone(), next_due), |tx, (claim, next_due)| {
            Box::pin(async move {
                let finish = "UPDATE work SET due = least($5, hastened), hastened = NULL, owner = NULL, until = NULL \
                              WHERE tenant = $1 AND kind = $2 AND key = $3 AND epoch = $4 AND until IS NOT NULL";
                let values = values![
                    Id(claim.tenant),
                    claim.kind.as_str(),
                    Id(claim.key),
                    number(claim.epoch),
                    Time(*next_due),
                ];
                Ok(Outcome::of_rows(tx.execute(finish, values).await?))
            })
        })
    }

    fn hasten_work(&self, tenant: TenantId, kind: WorkKind, key: [u8; 16], due: Timestamp) -> StoreFuture<'_, ()> {
        self.journal(tenant, (tenant, kind, key, due), |tx, (tenant, kind, key, due)| {
            Box::pin(async move {
                let hasten = "UPDATE work SET due = least(due, $4), epoch = greatest(epoch, 1), \
                              hastened = CASE WHEN until IS NOT NULL THEN $4 END \
                              WHERE tenant = $1 AND kind = $2 AND key = $3 \
                              AND (due > $4 OR epoch = 0 OR until IS NOT NULL)";
                let values = values![Id(*tenant), kind.as_str(), Id(*key), Time(*due)];
                Ok(match tx.execute(hasten, values).await? {
                    0 => Unchanged(()),
                    _ => Changed(()),
                })
            })
        })
    }

    fn next_work(&self, tenant: TenantId, kind: WorkKind, key: [u8; 16]) -> StoreFuture<'_, Option<Timestamp>> {
        self.read(tenant, (tenant, kind, key), |tx, (tenant, kind, key)| {
            Box::pin(async move {
                let select = "SELECT due FROM work WHERE tenant = $1 AND kind = $2 AND key = $3 AND epoch > 0";
                let values = values![Id(*tenant), kind.as_str(), Id(*key)];
                tx.one(select, values, |row| row.time("due")).await
            })
        })
    }
}
