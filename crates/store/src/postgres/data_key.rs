//! Wrapped data keys and the master key's fingerprint.

use tieline::{
    Result,
    audit::Trail,
    id::TenantId,
    store::{DataKeyRow, DataKeyStore, Inserted, StoreFuture},
};
use tokio_postgres::Row;

use super::{
    PostgresStore,
    tx::ReadTx,
    value::{Columns, Id, Read, Time, number, values},
};
use crate::outcome::Outcome::{Changed, Unchanged};

fn read(row: &Row) -> Read<DataKeyRow> {
    Ok(DataKeyRow {
        tenant: row.id("tenant")?,
        id: row.number("id")?,
        wrapped: row.try_get("wrapped")?,
        created_at: row.time("created_at")?,
    })
}

async fn fingerprint(tx: &ReadTx) -> Result<Option<[u8; 32]>> {
    let select = "SELECT value FROM meta WHERE name = 'master_fingerprint'";
    tx.one(select, &[], |row| row.array("value")).await
}

impl DataKeyStore for PostgresStore {
    fn data_keys(&self, tenant: TenantId) -> StoreFuture<'_, Vec<DataKeyRow>> {
        self.read(tenant, tenant, |tx, tenant| {
            Box::pin(async move {
                let select = "SELECT tenant, id, wrapped, created_at FROM data_keys WHERE tenant = $1 ORDER BY id";
                tx.all(select, values![Id(*tenant)], read).await
            })
        })
    }

    fn add_data_key(&self, row: DataKeyRow, trail: Trail) -> StoreFuture<'_, Inserted<DataKeyRow>> {
        self.change(row.tenant, trail, row, |tx, row| {
            Box::pin(async move {
                let (tenant, id) = (Id(row.tenant), number(row.id));
                let insert = "INSERT INTO data_keys (tenant, id, wrapped, created_at) VALUES ($1, $2, $3, $4) \
                              ON CONFLICT DO NOTHING";
                let written = tx
                    .execute(insert, values![tenant, id, row.wrapped, Time(row.created_at)])
                    .await?;
                if written == 1 {
                    return Ok(Changed(Inserted::Inserted));
                }
                let select = "SELECT tenant, id, wrapped, created_at FROM data_keys WHERE tenant = $1 AND id = $2";
                let standing = tx.one(select, values![tenant, id], read).await?;
                let standing = standing.ok_or_else(|| tx.begin_anew())?;
                Ok(Unchanged(Inserted::Taken(standing)))
            })
        })
    }

    fn keep_master_fingerprint(&self, given: [u8; 32]) -> StoreFuture<'_, [u8; 32]> {
        self.journal(None, given, |tx, given| {
            Box::pin(async move {
                let insert = "INSERT INTO meta (name, value) VALUES ('master_fingerprint', $1) ON CONFLICT DO NOTHING";
                if tx.execute(insert, values![&given[..]]).await? == 1 {
                    return Ok(Changed(*given));
                }
                let kept = fingerprint(tx).await?;
                Ok(Unchanged(kept.ok_or_else(|| tx.begin_anew())?))
            })
        })
    }

    fn master_fingerprint(&self) -> StoreFuture<'_, Option<[u8; 32]>> {
        self.read(None, (), |tx, ()| Box::pin(fingerprint(tx)))
    }
}
