//! A gibibyte through the proxy in each direction, and what is held of it.

use std::{net::SocketAddr, time::Instant};

use tieline_testkit::{flood, process};

use crate::{table::mebibytes, tieline::Tieline};

const BYTES: u64 = 1024 * 1024 * 1024;

/// What may be held: the pieces under way in both directions.
const MOST_GROWTH: u64 = 32 * 1024 * 1024;

/// Server, path, key and bytes; answers how many bytes came.
type Way = fn(SocketAddr, &str, &str, u64) -> u64;

/// Says whether the growth stayed within its bound.
pub(crate) async fn run() -> bool {
    let tieline = Tieline::start(flood::service()).await;
    let path = format!("/api/v1/connections/{}/proxy", tieline.connection);
    let (address, pid, key) = (tieline.address, tieline.pid(), tieline.key.clone());
    let measured = tokio::task::spawn_blocking(move || {
        flood::both(address, &path, &key, 1024);
        let idle = process::resident(pid);
        let ways: [(&str, Way); 3] = [
            ("down", flood::down),
            ("up", flood::up),
            ("both ways at once", flood::both),
        ];
        println!(
            "Streams through the proxy: 1 GiB each, {} resident before",
            mebibytes(idle)
        );
        let mut worst = 0;
        for (name, pass) in ways {
            process::forget_peak(pid);
            let begun = Instant::now();
            assert_eq!(pass(address, &path, &key, BYTES), BYTES);
            let growth = process::peak(pid).saturating_sub(idle);
            let rate = BYTES as f64 / begun.elapsed().as_secs_f64();
            println!(
                "{name:<20} {:>12}/s, {:>9} of growth",
                mebibytes(rate as u64),
                mebibytes(growth)
            );
            worst = worst.max(growth);
        }
        worst
    });
    let worst = measured.await.expect("a measurement that does not panic");
    let good = worst < MOST_GROWTH;
    if !good {
        println!("TOO MUCH: {} is the most that may be held.", mebibytes(MOST_GROWTH));
    }
    println!();
    good
}
