//! The command line. Its help is made from these types; what connectors and actions take comes from their descriptors.

mod allocator;
mod api;
mod audit;
mod call;
mod check;
mod connection;
mod connectors;
mod describe;
mod input;
mod key;
mod manifest;
mod output;
mod remote;
mod serve;
mod user;

use std::{env, ffi::OsString, path::PathBuf, process::ExitCode};

use clap::{
    Args, CommandFactory, Parser, Subcommand,
    error::{ContextKind, ContextValue, ErrorKind},
};
use tieline::{Code, Error};
use tieline_manifest::Json;

use self::{
    key::Key,
    output::{Failure, Output},
};
use crate::{
    config::{Config, Flags},
    openapi, router, telemetry,
};

/// The exit code of a command line that was not understood; clap's own.
const NOT_UNDERSTOOD: u8 = 2;

/// Connections to the services your customers use: sealed credentials, guarded calls, one language for connectors.
#[derive(Parser)]
#[command(name = "tieline", version, propagate_version = true)]
struct Cli {
    /// Print results and errors as JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    asked: Asked,
}

/// The server stands apart: how many threads it works on is a setting, so its configuration is read first.
#[derive(Subcommand)]
enum Asked {
    /// Start the server.
    Serve(Listen),
    #[command(flatten)]
    Command(Command),
}

/// Where the configuration comes from.
#[derive(Args)]
struct Configured {
    /// The data folder; `data` unless configured.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The configuration file; `tieline.toml` in the working directory, if there is one.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    /// Show the configuration that holds and where each setting comes from. Starts and makes nothing.
    Check(Listen),
    /// List the connectors, or show one: how it is connected and what it can do.
    Connectors {
        /// The connector's id.
        id: Option<String>,
        #[command(flatten)]
        from: Configured,
    },
    /// List the connections.
    Connections {
        /// Only those of this connector.
        #[arg(long, value_name = "ID")]
        connector: Option<String>,
        #[command(flatten)]
        from: Configured,
    },
    /// Connect a connector and test it. On a terminal, required fields that are not given are asked for.
    Connect(connection::Connect),
    /// Call an action and print its output. `tieline call <CONNECTOR> <ACTION> --help` tells what it takes.
    Call(call::Call),
    /// What `--help` asks for after a connector and an action.
    #[command(skip)]
    CallHelp(call::Call),
    /// Test a connection.
    Test {
        /// The connection's id.
        connection: String,
        #[command(flatten)]
        from: Configured,
    },
    /// The people of the tenant: list, invite, reset a password.
    #[command(subcommand)]
    User(user::User),
    /// Check and try manifests.
    #[command(subcommand)]
    Manifest(manifest::Manifest),
    /// Make and check master keys.
    #[command(subcommand)]
    Key(Key),
    /// Verify what was written down.
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Print the HTTP API's description (OpenAPI 3.1, JSON).
    Openapi,
}

#[derive(Args)]
struct Listen {
    /// The address and port to listen on; port 0 takes any free one.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    #[command(flatten)]
    from: Configured,
}

impl Configured {
    fn load(&self) -> Result<Config, Error> {
        self.load_with(None)
    }

    fn load_with(&self, listen: Option<String>) -> Result<Config, Error> {
        Config::load(Flags {
            config: self.config.clone(),
            data: self.data.clone(),
            listen,
        })
    }
}

/// Does what the command line asks for. The exit code is 0 when it worked, 1 when it failed, 2 when it was not understood.
pub fn main() -> ExitCode {
    let cli = match parse(env::args_os().collect()) {
        Ok(cli) => cli,
        Err(error) => return not_understood(error),
    };
    let output = Output { json: cli.json };
    let done = match cli.asked {
        Asked::Serve(Listen { listen, from }) => {
            allocator::settle();
            let config = from.load_with(listen).map_err(Failure::from);
            config.and_then(|config| on_threads(config.threads, serve::serve(config, output)))
        }
        Asked::Command(command) => on_threads(0, run(command, output)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output.failure(&failure);
            ExitCode::FAILURE
        }
    }
}

/// Works to the end on so many threads, or on one per processor when it is 0.
fn on_threads(threads: usize, work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if threads > 0 {
        builder.worker_threads(threads);
    }
    let runtime = builder
        .enable_all()
        .build()
        .map_err(|error| Error::internal("the runtime cannot be started", error))?;
    let done = runtime.block_on(work);
    // A name that is still being looked up must not hold us.
    runtime.shutdown_background();
    done
}

/// Reads the command line. Of an action's inputs the grammar knows nothing, so `--help` after one is a command of its own.
fn parse(args: Vec<OsString>) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(&args).or_else(|error| {
        let others = args.iter().filter(|arg| *arg != "--help" && *arg != "-h");
        match Cli::try_parse_from(others) {
            Ok(Cli {
                json,
                asked: Asked::Command(Command::Call(call)),
            }) if error.kind() == ErrorKind::DisplayHelp => Ok(Cli {
                json,
                asked: Asked::Command(Command::CallHelp(call)),
            }),
            _ => Err(error),
        }
    })
}

/// Tells how the command line is written, as what it could not read asked for it.
fn not_understood(mut error: clap::Error) -> ExitCode {
    // A value may be a secret, written in the wrong place.
    if error.get(ContextKind::InvalidValue).is_some() {
        error.insert(ContextKind::InvalidValue, ContextValue::String("…".to_owned()));
    }
    // Nothing was read, so what was asked for is looked up in the words themselves.
    let json = env::args_os().take_while(|arg| arg != "--").any(|arg| arg == "--json");
    if !(json && error.use_stderr()) {
        error.exit();
    }
    let text = error.render().to_string();
    let detail = text.strip_prefix("error: ").unwrap_or(&text).trim();
    Output { json }.failure(&Error::new(Code::RequestInvalid, detail).into());
    ExitCode::from(NOT_UNDERSTOOD)
}

async fn run(command: Command, output: Output) -> Result<(), Failure> {
    telemetry::start_quiet();
    match command {
        Command::Check(Listen { listen, from }) => check::check(&from.load_with(listen)?, output).await,
        Command::Connectors { id: None, from } => connectors::list(&from.load()?, output).await,
        Command::Connectors { id: Some(id), from } => connectors::show(&from.load()?, &id, output).await,
        Command::Connections { connector, from } => connection::list(&from.load()?, connector.as_deref(), output).await,
        Command::Connect(connect) => connection::connect(connect, output).await,
        Command::Call(call) => call::call(call, output).await,
        Command::CallHelp(call) => {
            let mut cli = Cli::command();
            cli.build();
            let grammar = cli.find_subcommand("call").cloned().unwrap_or(cli);
            call::help(call, grammar, output).await
        }
        Command::Test { connection, from } => connection::test(&from.load()?, &connection, output).await,
        Command::User(command) => user::run(command, output).await,
        Command::Manifest(command) => manifest::run(command, output).await,
        Command::Key(Key::New) => key::new(output),
        Command::Key(Key::Status(from)) => key::status(&from.load()?, output).await,
        Command::Audit(audit::Audit::Verify(verify)) => audit::verify(verify, output).await,
        Command::Openapi => {
            let document = Json::from(openapi::document(&router::routes()));
            output.result(&document, || output::pretty(document.tree()));
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_grammar_holds_together() {
        Cli::command().debug_assert();
    }
}
