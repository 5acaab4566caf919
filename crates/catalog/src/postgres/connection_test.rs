//! The test of a connection.

use futures_util::future::BoxFuture;
use serde_json::json;
use tieline::{Result, admit::Admitted, connector::TestReport};
use tieline_manifest::Tree;

use super::{
    rows,
    server::{Access, Server},
};

/// Signs in and asks the server who it is.
pub(super) fn test(admitted: &Admitted) -> BoxFuture<'_, Result<TestReport>> {
    Box::pin(async move {
        let server = Server::of(admitted)?;
        let (user, host, database) = (server.user, server.host, server.database);
        let mut session = server.open(Access::Read, None).await?;
        let asked = "SELECT pg_catalog.version() AS version";
        let answer = session.statement(asked, Vec::new(), rows::at_most(Some(1))).await?;
        session.close().await;
        let row = answer.rows.tree().at(0).cloned().unwrap_or_default();
        let version = row.get("version").and_then(Tree::as_str).unwrap_or_default();
        Ok(TestReport {
            label: Some(format!("{user}@{host}/{database}")),
            details: [
                ("database".to_owned(), json!(database)),
                ("host".to_owned(), json!(host)),
                ("version".to_owned(), json!(version)),
            ]
            .into(),
            ..TestReport::default()
        })
    })
}
