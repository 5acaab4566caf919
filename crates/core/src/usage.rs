//! Usage: how often which connections were called, by whom, and what that cost.

use crate::{
    audit::Actor,
    clock::Date,
    connectors::Connectors,
    error::{Code, Error, Result},
    id::ConnectionId,
    limits::MAX_USAGE_DAYS,
    page::{self, Page},
    store::{Sums, UsageBy, UsageFilter},
};

/// Which usage to sum up. All that are given must hold.
#[derive(Debug, Clone)]
pub struct UsageQuery {
    /// From this day on (UTC); as many days back as a month has, unless given.
    pub from: Option<Date>,
    /// Up to and with this day; today, unless given.
    pub to: Option<Date>,
    /// What it is summed up by.
    pub by: UsageBy,
    /// Of this connector.
    pub connector: Option<String>,
    /// Of this connection.
    pub connection: Option<ConnectionId>,
    /// Of this actor.
    pub actor: Option<String>,
    /// Groups after this one.
    pub after: Option<String>,
    /// How many groups at most; a page's default if zero.
    pub limit: usize,
}

/// Days looked at unless the question says otherwise: the last one and those before it.
const USUAL_DAYS: i64 = 30;

impl Connectors {
    /// The tenant's usage by group, in the groups' order. Calls count from when they are written down, within a second or
    /// so; the sums stay when the calls themselves are pruned.
    ///
    /// # Errors
    /// `REQUEST_INVALID` for days that run backwards or are too many; `NOT_FOUND` for a connection that is none of the
    /// tenant's and never was called with.
    pub async fn usage(&self, by: &Actor, query: UsageQuery) -> Result<Page<(String, Sums), String>> {
        let limit = page::bounded(query.limit);
        let today = self.inner.clock.now().to_zoned(jiff::tz::TimeZone::UTC).date();
        let to = query.to.unwrap_or(today);
        let usual = || to.saturating_sub(jiff::Span::new().days(USUAL_DAYS - 1));
        let from = query.from.unwrap_or_else(usual);
        check_days(from, to)?;
        let is_first = query.after.is_none();
        let filter = UsageFilter {
            tenant: by.tenant,
            from,
            to,
            connector: query.connector,
            connection: query.connection,
            actor: query.actor,
            by: query.by,
            after: query.after,
            limit: limit + 1,
        };
        let groups = self.inner.store.usage(filter).await?;
        if let (Some(connection), true, true) = (query.connection, is_first, groups.is_empty()) {
            self.connection_row(by, connection).await?;
        }
        Ok(Page::cut(groups, limit, |(group, _)| group.clone()))
    }
}

fn check_days(from: Date, to: Date) -> Result<()> {
    let wrong = |message: String| {
        let detail = format!("The days of `from` and `to` do not fit: `from` {message}.");
        Err(Error::new(Code::RequestInvalid, detail).field("/from", message))
    };
    if from > to {
        return wrong("must not be after `to`".to_owned());
    }
    if i64::from((to - from).get_days()) >= MAX_USAGE_DAYS {
        return wrong(format!("must be less than {MAX_USAGE_DAYS} days before `to`"));
    }
    Ok(())
}
