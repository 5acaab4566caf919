//! Bodies of any size go through, and next to nothing of them is held. Through the real binary, because only a process
//! of its own has memory of its own.

use tieline_testkit::{flood, process};

use super::flooded;

/// What may be held while bodies pass: the pieces that are under way in both directions.
const MOST_GROWTH: u64 = 32 * 1024 * 1024;

const GIB: u64 = 1024 * 1024 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn l3_a_gibibyte_passes_in_both_directions_and_is_not_held() {
    let (_folder, server, path, key) = flooded().await;
    let (address, pid) = (server.address, server.pid());
    let passes = move || {
        // One of each first, so that what is made once is made.
        assert_eq!(flood::both(address, &path, &key, 1024), 1024);
        let idle = process::resident(pid);
        process::forget_peak(pid);
        assert_eq!(flood::down(address, &path, &key, GIB), GIB);
        assert_eq!(flood::up(address, &path, &key, GIB), GIB);
        assert_eq!(flood::both(address, &path, &key, GIB), GIB);
        let growth = process::peak(pid).saturating_sub(idle);
        assert!(growth < MOST_GROWTH, "{growth} bytes more than the {idle} of before");
    };
    tokio::task::spawn_blocking(passes).await.unwrap();
    assert_eq!(server.stop().0, 0);
}
