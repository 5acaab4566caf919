//! Rounds in turns, and what came of them as a table.

use std::time::Duration;

use crate::driver::{CONNECTIONS, Round, Target};

const WARM_UP: Duration = Duration::from_secs(1);
const ROUND: Duration = Duration::from_secs(3);
const ROUNDS: usize = 5;

/// Measures the targets in turns. The first is the limit that the others are held against, and so is nginx.
pub(crate) async fn compare(what: &str, targets: &[Target]) {
    for target in targets {
        target.drive(WARM_UP).await;
    }
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let mut round = Vec::new();
        for target in targets {
            round.push(target.drive(ROUND).await);
        }
        rounds.push(round);
    }
    println!(
        "{what}: {CONNECTIONS} connections, {ROUNDS} rounds of {} s each in turns, the middle of each figure; CPU is the program's own",
        ROUND.as_secs()
    );
    println!(
        "{:<20} {:>9} {:>9} {:>9} {:>8} {:>9} {:>9} {:>9}",
        "", "/s", "× limit", "× nginx", "CPU µs", "× nginx", "p50 µs", "p99 µs"
    );
    let nginx = targets.iter().position(|target| target.name.starts_with("nginx"));
    for (place, target) in targets.iter().enumerate() {
        let middle = |figure: &dyn Fn(&[Round]) -> f64| middle(rounds.iter().map(|round| figure(round)).collect());
        let beside = |other: Option<usize>, figure: fn(&Round) -> f64| match other {
            Some(other) => format!("{:.2}", middle(&|round| figure(&round[place]) / figure(&round[other]))),
            None => "-".to_owned(),
        };
        println!(
            "{:<20} {:>9.0} {:>9} {:>9} {:>8.1} {:>9} {:>9.0} {:>9.0}",
            target.name,
            middle(&|round| round[place].per_second),
            beside(Some(0), |round| round.per_second),
            beside(nginx, |round| round.per_second),
            middle(&|round| round[place].cpu),
            beside(nginx, |round| round.cpu),
            middle(&|round| round[place].p50),
            middle(&|round| round[place].p99),
        );
    }
}

pub(crate) fn middle(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

pub(crate) fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / 1024.0 / 1024.0)
}
