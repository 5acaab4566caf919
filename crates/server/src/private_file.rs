//! Files that only their owner may read: keys, and where the running server is.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use tieline::{Code, Error, Result, secret::Secret};

/// Read and written by the owner alone.
const OWNER_ONLY: u32 = 0o600;

/// What we read from such a file, at most: keys and addresses are a few hundred bytes, a wrong path may name anything.
const MAX_BYTES: u64 = 16 * 1024;

/// Writes a file whole or not at all: it appears under its name only when every byte is on disk.
pub(crate) fn write(path: &Path, content: &str) -> Result<()> {
    put(path, content).map_err(|error| {
        let detail = format!(
            "{} cannot be written: {error}. Check that the folder belongs to the user who runs this, and has space.",
            path.display()
        );
        Error::new(Code::ConnectorDatabaseFailed, detail).caused_by(error)
    })
}

fn put(path: &Path, content: &str) -> io::Result<()> {
    let half = half_written(path);
    // Whatever a crash left behind may have other permissions.
    remove(&half)?;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(OWNER_ONLY)
        .open(&half)?;
    file.write_all(content.as_bytes())?;
    file.sync_all()?;
    fs::rename(&half, path)?;
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// Removes a file. That there is none is fine.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Reads such a file.
pub(crate) fn read(path: &Path) -> io::Result<Secret<String>> {
    let about = fs::metadata(path)?;
    if !about.is_file() || about.len() > MAX_BYTES {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "it is no file of a few bytes",
        ));
    }
    fs::read_to_string(path).map(Secret::new)
}

/// Whether others than the owner may read it.
pub(crate) fn is_open_to_others(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|about| about.permissions().mode() & 0o077 != 0)
}

fn half_written(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_owner_reads_it_even_after_a_crash_left_something() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(half_written(&path), "half").unwrap();
        write(&path, "one").unwrap();
        write(&path, "two").unwrap();
        assert_eq!(read(&path).unwrap().reveal(), "two");
        assert!(!is_open_to_others(&path));
        assert!(!half_written(&path).exists());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(is_open_to_others(&path));
    }

    #[test]
    fn what_is_no_small_file_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        assert!(read(folder.path()).is_err());
        let path = folder.path().join("large");
        fs::write(&path, vec![b'a'; MAX_BYTES as usize + 1]).unwrap();
        assert!(read(&path).is_err());
    }
}
