//! Into a file, a line of JSON each.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::future::BoxFuture;

use super::{Envelope, Transport, line};
use crate::{
    error::{Error, Result},
    limits::{TELEMETRY_FILE_BYTES, TELEMETRY_FILES},
};

/// Appends envelopes to a file, a line of JSON each. A file that is full is put aside under its name and `.1`, the one
/// that had this name becomes `.2`, and the oldest is removed: so they have a bound together.
pub struct FileTransport(Arc<Mutex<Files>>);

struct Files {
    path: PathBuf,
    max_bytes: u64,
    /// The one that is written to, and those put aside.
    count: usize,
    open: Option<(File, u64)>,
}

impl FileTransport {
    /// Appends to this file, which only the program's own user may read. It is opened with the first envelope.
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self(Arc::new(Mutex::new(Files {
            path: path.as_ref().to_owned(),
            max_bytes: TELEMETRY_FILE_BYTES,
            count: TELEMETRY_FILES,
            open: None,
        })))
    }

    /// The same with so many files of so many bytes each, at least one.
    #[must_use]
    pub fn rotated(self, max_bytes: u64, count: usize) -> Self {
        {
            let mut files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            (files.max_bytes, files.count) = (max_bytes, count.max(1));
        }
        self
    }
}

impl Transport for FileTransport {
    fn send<'a>(&'a self, batch: &'a [Arc<Envelope>]) -> BoxFuture<'a, Result<()>> {
        let lines: Vec<String> = batch.iter().map(|envelope| line(envelope) + "\n").collect();
        let files = self.0.clone();
        Box::pin(async move {
            let written = tokio::task::spawn_blocking(move || {
                let mut files = files.lock().unwrap_or_else(PoisonError::into_inner);
                lines.iter().try_for_each(|line| files.write(line))
            });
            let written = written.await.map_err(io::Error::other).flatten();
            written.map_err(|error| Error::internal("telemetry cannot be written to its file", error))
        })
    }
}

impl Files {
    fn write(&mut self, line: &str) -> io::Result<()> {
        let length = line.len() as u64;
        if let Some((_, size)) = &self.open
            && *size > 0
            && size + length > self.max_bytes
        {
            self.open = None;
            self.rotate()?;
        }
        let (file, size) = match &mut self.open {
            Some(open) => open,
            none => none.insert(open(&self.path)?),
        };
        if let Err(error) = file.write_all(line.as_bytes()) {
            // Opened anew the next time: it may have been moved away, or the disk may have room again.
            self.open = None;
            return Err(error);
        }
        *size += length;
        Ok(())
    }

    fn rotate(&self) -> io::Result<()> {
        for aside in (1..self.count).rev() {
            let from = if aside == 1 {
                self.path.clone()
            } else {
                self.aside(aside - 1)
            };
            match fs::rename(from, self.aside(aside)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        if self.count == 1 {
            fs::remove_file(&self.path)?;
        }
        Ok(())
    }

    fn aside(&self, nth: usize) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{nth}"));
        name.into()
    }
}

fn open(path: &Path) -> io::Result<(File, u64)> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    let size = file.metadata()?.len();
    Ok((file, size))
}
