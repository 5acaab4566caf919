//! The log: on standard error, plain for people or JSON for machines.
//!
//! Nothing here looks at bodies, headers or query strings; what may be logged is decided where it is logged.

use tieline::{Code, Error, Result};
use tracing_subscriber::{EnvFilter, filter::LevelFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::config::Config;

/// Starts the log of a server, as configured.
///
/// # Errors
/// `CONFIG_INVALID` for a filter that does not parse, `INTERNAL` when a log was started before.
pub fn start(config: &Config) -> Result<()> {
    let filter = EnvFilter::try_new(&config.log_level)
        .map_err(|_| Error::new(Code::ConfigInvalid, "`log.level` is neither a level nor a filter."))?;
    let log = fmt::layer().with_writer(std::io::stderr);
    let registry = tracing_subscriber::registry().with(filter);
    let started = if config.log_json {
        registry.with(log.json().flatten_event(true)).try_init()
    } else {
        registry
            .with(log.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())))
            .try_init()
    };
    started.map_err(|error| Error::internal("the log cannot be started", error))
}

/// Starts the log of a command that is no server: only what must not be missed, in few words.
pub fn start_quiet() {
    let log = fmt::layer()
        .with_writer(std::io::stderr)
        .without_time()
        .with_target(false)
        .with_ansi(false);
    // A second start can only be a test's; the first one's log serves both.
    let _ = tracing_subscriber::registry()
        .with(LevelFilter::WARN)
        .with(log)
        .try_init();
}
