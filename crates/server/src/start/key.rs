//! Where the master key comes from, and when one may be made.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use tieline::{Code, Error, MasterKey, Result, clock::SystemRandom, secret::Secret};

use super::{
    has_data,
    passphrase::{self, Salt},
};
use crate::{
    config::{self, Config, Database},
    private_file,
};

/// The key's name in the data folder.
const KEY_FILE: &str = "master.key";

/// Where a master key lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyPlace {
    /// In an environment variable.
    Environment(String),
    /// In a file.
    File(PathBuf),
    /// It is made from a passphrase, which lies there.
    Passphrase(Box<KeyPlace>),
}

impl KeyPlace {
    /// The file that holds it, if one does.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Environment(_) => None,
            Self::File(path) => Some(path),
            Self::Passphrase(place) => place.file(),
        }
    }
}

impl fmt::Display for KeyPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment(variable) => write!(f, "the environment variable {variable}"),
            Self::File(path) => path.display().fmt(f),
            Self::Passphrase(place) => write!(f, "a passphrase in {place}"),
        }
    }
}

/// Where the key is looked for. A variable that is set counts even when it is empty: whoever sets it means it.
fn place(config: &Config) -> KeyPlace {
    if config::is_set(&config.master_key_env) {
        return KeyPlace::Environment(config.master_key_env.clone());
    }
    let passphrase = match (&config.passphrase_env, &config.passphrase_file) {
        (Some(variable), _) => Some(KeyPlace::Environment(variable.clone())),
        (None, Some(path)) => Some(KeyPlace::File(path.clone())),
        (None, None) => None,
    };
    if let Some(place) = passphrase {
        return KeyPlace::Passphrase(Box::new(place));
    }
    KeyPlace::File(
        config
            .master_key_file
            .clone()
            .unwrap_or_else(|| config.data.join(KEY_FILE)),
    )
}

/// The master key and where it is; nothing when there is none and one would be made.
///
/// # Errors
/// `MASTER_KEY_MISSING`, `MASTER_KEY_INVALID`.
pub fn find_key(config: &Config) -> Result<(KeyPlace, Option<MasterKey>)> {
    let place = place(config);
    let key = match &place {
        KeyPlace::Environment(variable) => MasterKey::from_env(variable).map_err(|error| from(&place, &error))?,
        KeyPlace::File(path) => match private_file::read(path) {
            Ok(text) => MasterKey::parse(text.reveal()).map_err(|error| from(&place, &error))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound && may_make(config) => return Ok((place, None)),
            Err(error) => return Err(missing(config, &place, &error.to_string())),
        },
        KeyPlace::Passphrase(holder) => {
            let text = passphrase(config, holder)?;
            match Salt::find(&config.data)? {
                Some(salt) => passphrase::derive(text.reveal(), &salt)?,
                None if has_data(config) => return Err(salt_missing(config)),
                None => return Ok((place, None)),
            }
        }
    };
    Ok((place, Some(key)))
}

/// The passphrase that lies there, checked.
fn passphrase(config: &Config, holder: &KeyPlace) -> Result<Secret<String>> {
    let text = match holder {
        KeyPlace::File(path) => {
            private_file::read(path).map_err(|error| missing(config, holder, &error.to_string()))?
        }
        KeyPlace::Environment(variable) => {
            config::secret(variable)?.ok_or_else(|| missing(config, holder, "it is not set"))?
        }
        KeyPlace::Passphrase(holder) => return passphrase(config, holder),
    };
    // Editors and `echo` end a file with a line break that nobody typed as part of the passphrase.
    let text = Secret::new(text.reveal().trim_end_matches(['\r', '\n']).to_owned());
    passphrase::check(text.reveal()).map_err(|error| from(holder, &error))?;
    Ok(text)
}

/// The master key and where it is; a new one, which is then on disk, for a data folder that is still empty.
pub(super) fn find_or_make(config: &Config) -> Result<(MasterKey, KeyPlace, bool)> {
    match find_key(config)? {
        (place, Some(key)) => Ok((key, place, false)),
        (place, None) => {
            let key = match &place {
                KeyPlace::Passphrase(holder) => {
                    let text = passphrase(config, holder)?;
                    passphrase::derive(text.reveal(), &Salt::make(&config.data)?)?
                }
                KeyPlace::Environment(_) | KeyPlace::File(_) => MasterKey::generate(&SystemRandom)?,
            };
            if let KeyPlace::File(path) = &place {
                let line = Secret::new(format!("{}\n", key.to_text().reveal()));
                private_file::write(path, line.reveal())?;
            }
            Ok((key, place, true))
        }
    }
}

/// A key is made only where the operator named no place for it and nothing was sealed yet.
fn may_make(config: &Config) -> bool {
    config.master_key_file.is_none() && !has_data(config)
}

fn from(place: &KeyPlace, error: &Error) -> Error {
    Error::new(error.code(), format!("{} (Looked in {place}.)", error.detail()))
}

fn salt_missing(config: &Config) -> Error {
    let folder = config.data.display();
    let detail = match config.database {
        Database::DataFolder => format!(
            "The data in {folder} was sealed with a passphrase and a salt, and the salt is gone: put the file \
             `master.salt` back."
        ),
        Database::Postgres(_) => format!(
            "There is no salt for the passphrase in {folder}. Servers that share a database need the same one, so none is \
             made: copy `master.salt` from the data folder of another, or use a key instead (`tieline key new` makes one)."
        ),
    };
    Error::new(Code::MasterKeyMissing, detail)
}

/// A place that is not there, as it may be shown: its name may be the secret itself.
fn told(config: &Config, place: &KeyPlace) -> String {
    let setting = match place {
        KeyPlace::Environment(_) => "master_key.passphrase_env",
        KeyPlace::File(path) if config.passphrase_file.as_ref() == Some(path) => "master_key.passphrase_file",
        KeyPlace::File(path) if config.master_key_file.as_ref() == Some(path) => "master_key.file",
        KeyPlace::File(_) | KeyPlace::Passphrase(_) => return place.to_string(),
    };
    if config.shown(setting) == config.settings[setting].value {
        return place.to_string();
    }
    format!("the place that `{setting}` names ({})", config.settings[setting].origin)
}

fn missing(config: &Config, place: &KeyPlace, error: &str) -> Error {
    let (place, variable) = (told(config, place), config.shown("master_key.env"));
    let consequence = if let Database::Postgres(_) = config.database {
        // A key that one server made would be missing in the others.
        format!(
            "Servers that share a database need the same key, so none is made: put it there (`tieline key new` makes one for \
             a new database), or set {variable} to it"
        )
    } else if has_data(config) {
        format!(
            "The data in {} was sealed with it and cannot be read without it: put that key back, or set {variable} to it",
            config.data.display()
        )
    } else {
        format!("Put a key there (`tieline key new` makes one), or set {variable} to it")
    };
    Error::new(
        Code::MasterKeyMissing,
        format!("There is no master key in {place} ({error}). {consequence}."),
    )
}
