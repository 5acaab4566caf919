//! Names to addresses.

use std::{io, net::IpAddr};

use futures_util::future::BoxFuture;

/// Looks up the addresses of a name.
pub trait Resolve: Send + Sync {
    /// All addresses of the name, in the order to try them. Never asked for address literals.
    fn resolve<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>>;
}

/// Asks the operating system. Whoever asks gives up when the time for connecting is over.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

impl Resolve for SystemResolver {
    #[expect(clippy::disallowed_methods, reason = "the one place that looks up names")]
    fn resolve<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((host, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}
