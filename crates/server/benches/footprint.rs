//! W5: from an empty folder to the first answer, and what it costs to be there.

use std::time::{Duration, Instant};

use tieline_testkit::process;

use crate::{
    driver::{Ask, ask},
    table::{mebibytes, middle},
    tieline::{BINARY, serve},
};

const STARTS: usize = 9;
const SETTLE: Duration = Duration::from_secs(5);
const IDLE: Duration = Duration::from_secs(20);

pub(crate) async fn run() {
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        let folder = folder();
        let begun = Instant::now();
        let running = serve(folder.path());
        ask(running.address, &Ask::get("/health", "none")).await;
        starts.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    let slowest = starts.iter().copied().fold(0.0, f64::max);
    let folder = folder();
    let running = serve(folder.path());
    ask(running.address, &Ask::get("/health", "none")).await;
    tokio::time::sleep(SETTLE).await;
    let (resident, before) = (process::resident(running.pid()), process::running_time(running.pid()));
    tokio::time::sleep(IDLE).await;
    let busy = (process::running_time(running.pid()) - before).as_secs_f64() / IDLE.as_secs_f64();
    let size = std::fs::metadata(BINARY).map_or(0, |file| file.len());

    println!("W5 footprint");
    println!(
        "empty folder to first 200: {:.0} ms (the middle of {STARTS}; the slowest {slowest:.0} ms)",
        middle(starts)
    );
    println!("resident after {} s idle:    {}", SETTLE.as_secs(), mebibytes(resident));
    println!(
        "processor when idle:       {:.2} % of a core over {} s",
        busy * 100.0,
        IDLE.as_secs()
    );
    println!("binary:                    {}\n", mebibytes(size));
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    // Set by `serve` for all; nothing is on it.
    std::fs::create_dir(folder.path().join("shelf")).expect("a writable folder");
    folder
}
