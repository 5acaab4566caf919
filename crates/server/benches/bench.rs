//! What we cost beside the limit, in one run: W1 (a call, a proxied request), streams, and W5 (start, memory, size).
//!
//! Everything that is measured is a process of its own: the upstream, the limit, nginx where it is installed, and the
//! real binary. They are driven by one driver over the same number of connections, in turns, so that a machine whose
//! speed drifts drifts for all. Read the ratios and the processor time; the rates include driver and upstream, which
//! share the machine.
//!
//! `make bench` builds all of it as it is shipped. `cargo bench -p tieline-server -- proxy` measures one part.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(
    clippy::disallowed_methods,
    reason = "driver and limits talk to loopback without a guard, on purpose"
)]

mod call;
mod child;
mod driver;
mod footprint;
mod limit;
mod nginx;
mod proxy;
mod stream;
mod table;
mod tieline;

use std::process::ExitCode;

/// The parts, in the order of the report.
const PARTS: [&str; 4] = ["call", "proxy", "stream", "footprint"];

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    if let Some(role) = arguments.first().and_then(|first| first.strip_prefix("role=")) {
        limit::play(role, &arguments[1..]).await;
        return ExitCode::SUCCESS;
    }
    let asked = |part: &str| arguments.is_empty() || arguments.iter().any(|argument| argument == part);
    let mut good = true;
    for part in PARTS.into_iter().filter(|part| asked(part)) {
        match part {
            "call" => call::run().await,
            "proxy" => proxy::run().await,
            "stream" => good = stream::run().await,
            _ => footprint::run().await,
        }
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
