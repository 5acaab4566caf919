//! Looking at a database without changing it: for whoever judges it before anything is started.

use tieline::Result;
use tokio_postgres::Client;

use super::{
    PostgresStore,
    address::Address,
    migrate,
    trouble::{refused, trouble},
    value::Columns,
    walls::Walls,
};
use crate::{limits::STATEMENT_TIMEOUT, peek::Peek};

impl PostgresStore {
    /// Looks at the database at this address, in a transaction that can only read; nothing when none of ours is there yet.
    /// Whoever uses it meanwhile is not held up.
    ///
    /// Fails where [`open`](Self::open) would: when the server cannot be reached or used, when a newer version wrote the
    /// data, and when the role that does the work could look past row level security.
    pub async fn peek(url: &str) -> Result<Option<Peek>> {
        let address = Address::parse(url)?;
        let connected = address.config.connect(address.tls.clone()).await;
        let (client, connection) = connected.map_err(|error| refused(&error))?;
        let connection = tokio::spawn(connection);
        let looked = look(&client).await;
        drop(client);
        let _ = connection.await;
        looked
    }
}

async fn look(client: &Client) -> Result<Option<Peek>> {
    let begin = format!(
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL search_path = tieline; \
         SET LOCAL statement_timeout = {}",
        STATEMENT_TIMEOUT.as_millis()
    );
    client.batch_execute(&begin).await.map_err(|error| trouble(&error))?;
    let Some(is_behind) = migrate::standing(client).await? else {
        return Ok(None);
    };
    let seen = async {
        let step_down = "SELECT app, set_config('role', app, true) FROM roles";
        let role: String = client.query_one(step_down, &[]).await?.get(0);
        let kept = "SELECT value FROM meta WHERE name = 'master_fingerprint'";
        let kept = client.query_opt(kept, &[]).await?;
        let kept = kept.map(|row| row.array("value")).transpose()?;
        Ok((role, kept))
    };
    let (role, master_fingerprint) = seen.await.map_err(|error| trouble(&error))?;
    Walls::look(client).await?.refuse_holes(&role)?;
    Ok(Some(Peek {
        master_fingerprint,
        is_behind,
    }))
}
