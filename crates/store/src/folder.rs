//! The data folder, held by one process at a time.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
};

use tieline::{Code, Error, Result};

/// The file whose lock stands for the whole folder. It stays when the lock goes: only the lock means something.
const LOCK_FILE: &str = "tieline.lock";

/// A data folder that no other process uses while this value lives.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    _lock: File,
}

impl DataFolder {
    /// Takes the folder for this process, making it (mode 0700) if need be. The operating system gives it back when the
    /// value is dropped or the process ends, however it ends. Fails with `DATA_FOLDER_LOCKED` while another holds it.
    pub fn lock(path: impl AsRef<Path>) -> Result<Self> {
        let path = std::path::absolute(&path).map_err(|error| unusable(path.as_ref(), error))?;
        create_private_folder(&path).map_err(|error| unusable(&path, error))?;
        let lock = private()
            .create(true)
            .truncate(false)
            .open(path.join(LOCK_FILE))
            .map_err(|error| unusable(&path, error))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(Error::new(
                Code::DataFolderLocked,
                format!(
                    "Another process uses the data folder {}. Stop that process, or give this one a folder of its own.",
                    path.display()
                ),
            )),
            Err(TryLockError::Error(error)) => Err(unusable(&path, error)),
        }
    }

    /// Where the file of this name lies.
    pub fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

/// Makes an empty file that only its owner may read, unless there is a file. What lies beside a database (its log) gets
/// the database's mode from SQLite.
pub(crate) fn create_private_file(path: &Path) -> Result<()> {
    match private().create_new(true).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(unusable(path, error)),
    }
}

fn unusable(path: &Path, error: io::Error) -> Error {
    Error::new(
        Code::ConnectorDatabaseFailed,
        format!(
            "{} cannot be used: {error}. Check that the folder exists, belongs to the user who runs this, and has space.",
            path.display()
        ),
    )
    .caused_by(error)
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// A folder that stands keeps its mode: it may be mounted or shared with a group on purpose.
fn create_private_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_held_until_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/data");
        let held = DataFolder::lock(&path).unwrap();
        let refused = DataFolder::lock(&path).unwrap_err();
        assert_eq!(refused.code(), Code::DataFolderLocked);
        assert!(refused.detail().contains(&*path.to_string_lossy()), "{refused}");
        drop(held);
        DataFolder::lock(&path).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn is_closed_to_others() {
        use std::os::unix::fs::PermissionsExt;

        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data");
        let folder = DataFolder::lock(&path).unwrap();
        create_private_file(&folder.path("file")).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o700);
        assert_eq!(mode(&folder.path(LOCK_FILE)), 0o600);
        assert_eq!(mode(&folder.path("file")), 0o600);
    }

    #[test]
    fn says_what_is_in_the_way() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        create_private_file(&path).unwrap();
        create_private_file(&path).expect("a file that stands is left alone");
        let error = DataFolder::lock(&path).unwrap_err();
        assert_eq!(error.code(), Code::ConnectorDatabaseFailed);
        assert!(error.detail().contains(&*path.to_string_lossy()), "{error}");
    }
}
