//! A process that is measured. Dropping it ends it.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
};

/// A running process that listens.
pub(crate) struct Running {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Running {
    /// Starts a command, and reads its output until a line tells where it listens.
    pub(crate) fn start(command: &mut Command, told: impl Fn(&str) -> Option<SocketAddr>) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let stdout = child.stdout.take().expect("its output is piped");
        let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
        let address = lines
            .find_map(|line| told(&line))
            .expect("the program says where it listens");
        Self { child, address }
    }

    /// A process that is known to listen there.
    pub(crate) fn known(child: Child, address: SocketAddr) -> Self {
        Self { child, address }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
