//! The one setting of the allocator that a server needs (decision 16).

use std::{env, os::unix::process::CommandExt, process::Command};

use crate::{config, limits::LARGE_ALLOCATION_BYTES};

/// From which size on glibc gives memory back to the system as soon as it is free.
const THRESHOLD: &str = "MALLOC_MMAP_THRESHOLD_";

/// Where an operator may have set it in another way.
const TUNABLES: &str = "GLIBC_TUNABLES";

/// Begins this program anew in its own process, with the setting: glibc reads it before anything of ours runs. Comes back
/// where it is set already, where there is no glibc, and where it cannot be done, which costs memory and nothing else.
pub(super) fn settle() {
    if !cfg!(target_env = "gnu") || config::is_set(THRESHOLD) || config::is_set(TUNABLES) {
        return;
    }
    let mut args = env::args_os();
    let (Ok(own), Some(name)) = (env::current_exe(), args.next()) else {
        return;
    };
    let size = LARGE_ALLOCATION_BYTES.to_string();
    // An error is all that this can come back with.
    let _not_begun = Command::new(own).arg0(name).args(args).env(THRESHOLD, size).exec();
}
