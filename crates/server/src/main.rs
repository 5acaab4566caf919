//! The `tieline` binary.

fn main() -> std::process::ExitCode {
    tieline_server::cli::main()
}
