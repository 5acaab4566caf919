//! Other processes: this very binary, running one ignored test that reads its orders from stdin.

use std::{
    io::{BufRead, BufReader, Lines, Write},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

/// What begins a line that a child says; all else on its stdout is the test harness talking.
const MARK: &str = "child: ";

/// A running child, killed when dropped.
pub(crate) struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Process {
    /// Starts the ignored test of this full name and tells it a path.
    pub(crate) fn start(test: &str, path: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test, "--ignored", "--nocapture"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        writeln!(child.stdin.as_mut().unwrap(), "{}", path.display()).unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// The next thing it says, or nothing when it ended.
    pub(crate) fn hear(&mut self) -> Option<String> {
        self.lines
            .find_map(|line| line.unwrap().strip_prefix(MARK).map(str::to_owned))
    }

    /// SIGKILL: it gets no chance to tidy up. What it said before can still be heard.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have been killed before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// In the child: the path it was told, or nothing when a person ran the test by hand.
pub(crate) fn told() -> Option<String> {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    let path = line.trim_end();
    (!path.is_empty()).then(|| path.to_owned())
}

/// In the child: says something.
pub(crate) fn say(what: &str) {
    // The line break first, because the harness leaves its own line open.
    let mut stdout = std::io::stdout().lock();
    write!(stdout, "\n{MARK}{what}\n").unwrap();
    stdout.flush().unwrap();
}
