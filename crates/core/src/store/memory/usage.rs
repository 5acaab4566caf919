//! Usage.

use std::collections::BTreeMap;

use super::{
    super::{StoreFuture, Sums, UsageBy, UsageFilter, UsageRow, UsageStore},
    MemoryStore, State,
};
use crate::{
    clock::Date,
    id::{ConnectionId, TenantId},
};

/// What usage is kept by: day, connector, connection, actor.
pub(super) type Key = (Date, String, Option<ConnectionId>, String);

impl State {
    pub(super) fn add_usage(&mut self, tenant: TenantId, rows: Vec<UsageRow>) {
        for row in rows {
            let key = (row.day, row.connector, row.connection, row.actor);
            self.usage.entry((tenant, key)).or_default().add(&row.sums);
        }
    }
}

fn group(by: UsageBy, (day, connector, connection, actor): &Key) -> String {
    match by {
        UsageBy::Day => day.to_string(),
        UsageBy::Connector => connector.clone(),
        UsageBy::Connection => connection.map(|id| id.to_string()).unwrap_or_default(),
        UsageBy::Actor => actor.clone(),
    }
}

impl UsageStore for MemoryStore {
    fn usage(&self, filter: UsageFilter) -> StoreFuture<'_, Vec<(String, Sums)>> {
        self.read(move |state| {
            let mut groups = BTreeMap::<String, Sums>::new();
            for ((tenant, key), sums) in &state.usage {
                let (day, connector, connection, actor) = key;
                let group = group(filter.by, key);
                if *tenant == filter.tenant
                    && (filter.from..=filter.to).contains(day)
                    && filter.connector.as_ref().is_none_or(|wanted| connector == wanted)
                    && filter.connection.is_none_or(|wanted| *connection == Some(wanted))
                    && filter.actor.as_ref().is_none_or(|wanted| actor == wanted)
                    && filter.after.as_ref().is_none_or(|after| group > *after)
                {
                    groups.entry(group).or_default().add(sums);
                }
            }
            groups.into_iter().take(filter.limit).collect()
        })
    }
}
