//! What is limited, and what whoever comes too often reads.

use std::{net::IpAddr, time::Duration};

use super::{Limit, Processes, Rates, Spent, Standing};
use crate::{
    audit::Actor,
    clock::Timestamp,
    connector::Connector,
    connectors::Connectors,
    error::{Code, Error, Result, Retry},
    id::{ConnectionId, TenantId},
    limits::{COUNTED_CONNECTIONS, COUNTED_KEYS, COUNTED_SOURCES, COUNTED_TENANTS},
};

/// How often things may be asked for; what is absent is not limited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RateLimits {
    /// Requests with one API key or in one session (`limits.requests_per_key`).
    pub requests_per_key: Option<Limit>,
    /// Requests of all callers of a tenant together (`limits.requests_per_tenant`).
    pub requests_per_tenant: Option<Limit>,
    /// Tests of connections, kept or not, of a tenant (`limits.tests_per_tenant`).
    pub tests_per_tenant: Option<Limit>,
    /// Calls over one connection whose manifest says nothing of its own (`limits.calls_per_connection`).
    pub calls_per_connection: Option<Limit>,
    /// Attempts with keys that open nothing, from one address (`limits.wrong_keys_per_source`).
    pub wrong_keys_per_source: Option<Limit>,
}

/// The counters of one process, each of which keeps this process's share of its limit.
pub(crate) struct RateGate {
    limits: RateLimits,
    processes: Processes,
    keys: Rates<String>,
    tenants: Rates<TenantId>,
    tests: Rates<TenantId>,
    sources: Rates<IpAddr>,
    /// By connection, and 0 for all of it or the number of an action with a limit of its own.
    connections: Rates<(ConnectionId, u32)>,
}

/// The limit of an action over one connection, and the action's number in its connector, from 1.
pub(crate) type PerConnection = (u32, Limit);

impl RateGate {
    pub(crate) fn new(limits: RateLimits) -> Self {
        let processes = Processes::default();
        Self {
            limits,
            keys: Rates::shared(COUNTED_KEYS, &processes),
            tenants: Rates::shared(COUNTED_TENANTS, &processes),
            tests: Rates::shared(COUNTED_TENANTS, &processes),
            sources: Rates::shared(COUNTED_SOURCES, &processes),
            connections: Rates::shared(COUNTED_CONNECTIONS, &processes),
            processes,
        }
    }

    /// Keeps the share of each limit from now on that falls to one of so many processes; answers of how many it was.
    pub(crate) fn share_among(&self, processes: u32) -> u32 {
        self.processes.set(processes)
    }

    fn often(&self, limit: Limit) -> String {
        match self.processes.count() {
            1 => often(limit),
            many => format!("{}, by all {many} processes together", often(limit)),
        }
    }

    fn refused(&self, what: &str, limit: Limit, setting: &str, wait: Duration) -> Error {
        let detail = format!(
            "{what}: the limit is {}. Try again in {}; an operator can change it (`limits.{setting}`).",
            self.often(limit),
            seconds(wait)
        );
        Error::new(Code::RateLimited, detail).retry(Retry::After(wait))
    }

    /// Whether a tenant may test a connection now.
    pub(crate) fn test(&self, tenant: TenantId, now: Timestamp) -> Result<()> {
        let Some(limit) = self.limits.tests_per_tenant else {
            return Ok(());
        };
        let taken = self.tests.take(&tenant, limit, now);
        taken.map(drop).map_err(|spent| {
            let what = "Too many tests of connections were asked for";
            self.refused(what, limit, "tests_per_tenant", spent.wait)
        })
    }

    /// Whether the connection may be used now: its service may have asked for a pause. A use is counted, as often as its
    /// connector and the action declare that it can be asked.
    pub(crate) fn call(
        &self,
        id: ConnectionId,
        connector: &Connector,
        action: Option<PerConnection>,
        now: Timestamp,
    ) -> Result<()> {
        let name = &connector.descriptor().name;
        if let Some(wait) = self.connections.held(&(id, 0), now) {
            let detail = format!(
                "{name} asked us to slow down: this connection rests for {}.",
                seconds(wait)
            );
            return Err(rests(detail, wait));
        }
        self.count(id, connector, action, now)
    }

    fn count(
        &self,
        id: ConnectionId,
        connector: &Connector,
        action: Option<PerConnection>,
        now: Timestamp,
    ) -> Result<()> {
        let name = &connector.descriptor().name;
        if let Some((action, limit)) = action {
            let taken = self.connections.take(&(id, action), limit, now);
            taken.map_err(|spent| {
                let detail = format!(
                    "Over one connection {name} takes this action {}, as its manifest says (`rateLimit` of the endpoint): \
                     try again in {}.",
                    self.often(limit),
                    seconds(spent.wait)
                );
                rests(detail, spent.wait)
            })?;
        }
        let declared = connector.rate();
        let Some(limit) = declared.or(self.limits.calls_per_connection) else {
            return Ok(());
        };
        let taken = self.connections.take(&(id, 0), limit, now);
        taken.map(drop).map_err(|spent| {
            // Refused for the other actions' sake, it is not held against this one.
            if let Some((action, _)) = action {
                self.connections.give_back(&(id, action));
            }
            let says = if declared.is_some() {
                "as its manifest says (`rateLimit`)"
            } else {
                "which an operator can change (`limits.calls_per_connection`)"
            };
            let detail = format!(
                "One connection of {name} is used {}, {says}: try again in {}.",
                self.often(limit),
                seconds(spent.wait)
            );
            rests(detail, spent.wait)
        })
    }

    /// Lets a connection rest, because its service asked for it.
    pub(crate) fn hold(&self, id: ConnectionId, pause: Duration, now: Timestamp) {
        self.connections.hold(&(id, 0), pause, now);
    }
}

impl Connectors {
    /// Counts a request of this caller. How they stand is told also to who is refused; it is the tighter one of their
    /// own limit and their tenant's, and nothing where there is none.
    ///
    /// # Errors
    /// `RATE_LIMITED` with when to come back.
    pub fn count_request(&self, by: &Actor) -> (Option<Standing>, Result<()>) {
        let (rates, now) = (&self.inner.rates, self.inner.clock.now());
        let own = match rates.limits.requests_per_key {
            None => None,
            Some(limit) => match rates.keys.take(by.name.as_str(), limit, now) {
                Ok(standing) => Some(standing),
                Err(Spent { standing, wait }) => {
                    let what = "This caller sent too many requests";
                    return (
                        Some(standing),
                        Err(rates.refused(what, limit, "requests_per_key", wait)),
                    );
                }
            },
        };
        let Some(limit) = rates.limits.requests_per_tenant else {
            return (own, Ok(()));
        };
        match rates.tenants.take(&by.tenant, limit, now) {
            Ok(shared) => {
                let own = own.filter(|own| own.remaining <= shared.remaining);
                (own.or(Some(shared)), Ok(()))
            }
            Err(Spent { standing, wait }) => {
                // Refused for the others' haste, it is not held against this one.
                rates.keys.give_back(by.name.as_str());
                let what = "All callers of this tenant together sent too many requests";
                (
                    Some(standing),
                    Err(rates.refused(what, limit, "requests_per_tenant", wait)),
                )
            }
        }
    }

    /// Counts a wrong key from this address.
    ///
    /// # Errors
    /// `RATE_LIMITED` when too many were wrong; such a one is not counted again.
    pub(crate) fn tried_wrong_key(&self, from: IpAddr) -> Result<()> {
        let rates = &self.inner.rates;
        let Some(limit) = rates.limits.wrong_keys_per_source else {
            return Ok(());
        };
        let taken = rates.sources.take(&from, limit, self.inner.clock.now());
        taken.map(drop).map_err(|spent| {
            let what = "Too many wrong API keys came from this address";
            rates.refused(what, limit, "wrong_keys_per_source", spent.wait)
        })
    }
}

/// A connection that rests. Nothing was sent.
fn rests(detail: String, wait: Duration) -> Error {
    Error::new(Code::ConnectorRateLimited, detail)
        .retry(Retry::After(wait))
        .before_sending()
}

fn often(limit: Limit) -> String {
    let Limit { per_minute, burst } = limit;
    if burst == per_minute {
        format!("{per_minute} times a minute")
    } else {
        format!("{per_minute} times a minute, {burst} of them at once")
    }
}

/// Whole seconds, rounded up: who comes a moment early is refused again.
fn seconds(wait: Duration) -> String {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    format!("{seconds} s")
}
