//! The test of a connection.

use futures_util::future::BoxFuture;
use tieline::{Result, admit::Admitted, connector::TestReport};

use super::{
    mailbox,
    server::{Server, config},
};

/// Signs in without sending anything.
pub(super) fn test(admitted: &Admitted) -> BoxFuture<'_, Result<TestReport>> {
    Box::pin(async move {
        let server = Server::of(admitted)?;
        mailbox::parse(server.from, "/config/from").map_err(|error| config(error.detail()))?;
        let mut session = server.open(admitted).await?;
        session.noop().await?;
        session.quit().await;
        let label = match server.login {
            Some((user, _)) => format!("{user} at {}", server.host),
            None => server.host.to_owned(),
        };
        Ok(TestReport {
            label: Some(label),
            ..TestReport::default()
        })
    })
}
