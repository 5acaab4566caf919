//! One thing done to many connections.

use std::collections::BTreeSet;

use futures_util::{StreamExt, future::BoxFuture, stream};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Connection, ConnectionPatch};
use crate::{
    audit::Actor,
    connectors::Connectors,
    error::{Code, Error, Result},
    health::TestResult,
    id::ConnectionId,
    limits::{BATCH_AT_ONCE, MAX_BATCH},
};

/// What is done to each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum BatchAction {
    /// It is tested.
    Test,
    /// It is switched on.
    Enable,
    /// It is switched off.
    Disable,
    /// It and its secrets are deleted.
    Delete,
}

/// What became of one.
#[derive(Debug, Clone)]
pub enum Done {
    /// It was tested; that it does not work is a result.
    Tested(TestResult),
    /// It is so now.
    Changed(Box<Connection>),
    /// It is gone.
    Deleted,
}

impl Connectors {
    /// Does one thing to many connections, a few at a time: a result for each, in their order. Each is looked up and judged
    /// by itself, as if it were asked for alone: one that fails stops no other, and of one that is not the caller's the
    /// result is `NOT_FOUND`.
    ///
    /// # Errors
    /// `REQUEST_INVALID` for none, for more than [`MAX_BATCH`], and for one that is named twice.
    pub async fn batch_connections(
        &self,
        by: &Actor,
        action: BatchAction,
        ids: &[ConnectionId],
    ) -> Result<Vec<Result<Done>>> {
        let about = self.about(by.tenant, "batch", |about| about);
        self.heeded(about, check(ids))?;
        let each = ids.iter().map(|id| self.do_one(by, action, *id)).collect::<Vec<_>>();
        Ok(stream::iter(each).buffered(BATCH_AT_ONCE).collect().await)
    }

    fn do_one<'a>(&'a self, by: &'a Actor, action: BatchAction, id: ConnectionId) -> BoxFuture<'a, Result<Done>> {
        let switch = move |on| {
            let patch = ConnectionPatch {
                enabled: Some(on),
                ..ConnectionPatch::default()
            };
            async move {
                let changed = self.update_connection(by, id, patch).await?;
                Ok(Done::Changed(Box::new(changed)))
            }
        };
        match action {
            BatchAction::Test => Box::pin(async move { self.test_connection(by, id).await.map(Done::Tested) }),
            BatchAction::Enable => Box::pin(switch(true)),
            BatchAction::Disable => Box::pin(switch(false)),
            BatchAction::Delete => Box::pin(async move {
                self.delete_connection(by, id).await?;
                Ok(Done::Deleted)
            }),
        }
    }
}

/// Whether there are as many as may be, each once.
fn check(ids: &[ConnectionId]) -> Result<()> {
    let refused = |pointer: String, message: String| {
        let detail = "The connections of a batch are not usable: see `fields`.";
        Err(Error::new(Code::RequestInvalid, detail).field(pointer, message))
    };
    if ids.is_empty() || ids.len() > MAX_BATCH {
        return refused("/connections".to_owned(), format!("must be 1 to {MAX_BATCH} of them"));
    }
    let mut seen = BTreeSet::new();
    if let Some(place) = ids.iter().position(|id| !seen.insert(*id)) {
        return refused(
            format!("/connections/{place}"),
            "is named twice; name it once".to_owned(),
        );
    }
    Ok(())
}
