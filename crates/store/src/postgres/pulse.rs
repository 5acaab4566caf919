//! Tells other processes that something changed, and hears it from them. Only a hint: what is lost here is seen by the
//! followers' own looks.
//!
//! Changes do not notify in their own transactions, because PostgreSQL lets only one of those commit at a time.

use std::{future::poll_fn, pin::pin, sync::Arc};

use futures_util::future::{Either, select};
use tieline::Result;
use tokio::{sync::Notify, task::AbortHandle};
use tokio_postgres::{AsyncMessage, Client, Connection, Socket};

use super::{address::Address, tls::Stream, trouble::refused};
use crate::limits::LISTEN_AGAIN;

/// The task that keeps one connection for this.
pub(super) struct Pulse(AbortHandle);

impl Pulse {
    /// Listens before it returns, so that nothing is missed from then on.
    pub(super) async fn start(address: &Address, moved: Arc<Notify>, tell: Arc<Notify>) -> Result<Self> {
        let (client, connection) = connect(address).await.map_err(|error| refused(&error))?;
        let mut line = Line { client, connection };
        line.listen(&moved).await.map_err(|error| refused(&error))?;
        let address = address.clone();
        let task = tokio::spawn(async move {
            loop {
                if let Err(error) = line.keep(&moved, &tell).await {
                    tracing::warn!(%error, "changes of other processes are not heard for a while");
                }
                line = reconnect(&address, &moved).await;
            }
        });
        Ok(Self(task.abort_handle()))
    }

    pub(super) fn stop(&self) {
        self.0.abort();
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.stop();
    }
}

struct Line {
    client: Client,
    connection: Connection<Socket, Stream>,
}

impl Line {
    async fn listen(&mut self, moved: &Notify) -> Result<(), tokio_postgres::Error> {
        let listening = pin!(self.client.batch_execute("LISTEN tieline_feed"));
        match select(listening, pin!(hear(&mut self.connection, moved))).await {
            Either::Left((listening, _)) => listening,
            Either::Right((ended, _)) => ended,
        }
    }

    /// Works until the connection ends.
    async fn keep(&mut self, moved: &Notify, tell: &Notify) -> Result<(), tokio_postgres::Error> {
        let client = &self.client;
        let telling = pin!(async {
            loop {
                tell.notified().await;
                client.batch_execute("NOTIFY tieline_feed").await?;
            }
        });
        match select(telling, pin!(hear(&mut self.connection, moved))).await {
            Either::Left((ended, _)) => ended,
            Either::Right((ended, _)) => ended,
        }
    }
}

/// Moves the connection on, and passes on what it hears. Ends with it.
async fn hear(connection: &mut Connection<Socket, Stream>, moved: &Notify) -> Result<(), tokio_postgres::Error> {
    while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
        if let AsyncMessage::Notification(_) = message? {
            moved.notify_waiters();
        }
    }
    Ok(())
}

async fn connect(address: &Address) -> Result<(Client, Connection<Socket, Stream>), tokio_postgres::Error> {
    address.config.connect(address.tls.clone()).await
}

/// Tries until it has a line again.
async fn reconnect(address: &Address, moved: &Notify) -> Line {
    loop {
        tokio::time::sleep(LISTEN_AGAIN).await;
        if let Ok((client, connection)) = connect(address).await {
            let mut line = Line { client, connection };
            if line.listen(moved).await.is_ok() {
                // Who knows what was missed.
                moved.notify_waiters();
                return line;
            }
        }
    }
}
