//! From a configuration to a working library: data folder, master key, connectors, first tenant.

mod key;
mod passphrase;

use std::{
    collections::{BTreeMap, btree_map::Entry},
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use tieline::{
    Code, Connector, Connectors, ConnectorsBuilder, Error, MasterKey, MemoryStore, Result,
    api_key::NewApiKey,
    audit::Actor,
    clock::SystemRandom,
    http::TlsRoots,
    id::TenantId,
    secret::Secret,
    store::Store,
    tenant::DEFAULT_TENANT,
    vault::{check_fingerprint, check_master},
};
use tieline_manifest::{Lint, Manifest, Use};
use tieline_store::{DataFolder, Peek, PostgresOptions, PostgresStore, SqliteStore};

pub use self::key::{KeyPlace, find_key};
use crate::{
    caller::Permission,
    config::{Config, Database, Value},
    limits::{MAX_CA_BYTES, MAX_MANIFEST_BYTES, MAX_SHELF},
    local, private_file,
};

/// The database's name in the data folder.
const DATABASE: &str = "tieline.db";

/// The bootstrap key's name in the data folder.
pub const BOOTSTRAP_KEY: &str = "bootstrap-key";

/// Stands while the bootstrap key is being made.
const BOOTSTRAP_PENDING: &str = "bootstrap-key.pending";

/// Everything that was opened.
pub struct Opened {
    /// The library.
    pub connectors: Connectors,
    /// The tenant `default`.
    pub tenant: TenantId,
    /// Where the master key came from.
    pub key: KeyPlace,
    /// What the operator should read.
    pub notices: Vec<String>,
    // Declared last: the folder is let go after the store.
    _folder: DataFolder,
}

/// Whether there is data, or may be: of a database elsewhere nobody can tell before it is opened.
pub fn has_data(config: &Config) -> bool {
    match &config.database {
        Database::DataFolder => config.data.join(DATABASE).exists(),
        Database::Postgres(_) => true,
    }
}

/// Takes the data folder and opens what is in it, or makes a new one ready.
///
/// # Errors
/// `DATA_FOLDER_LOCKED`, `MASTER_KEY_…`, `DATA_FROM_NEWER_VERSION`, `CONFIG_INVALID`. Nothing is made before the key is
/// known to be good, and a key that is made is on disk before the data it seals.
pub async fn open(config: &Config) -> Result<Opened> {
    let folder = DataFolder::lock(&config.data)?;
    local::forget_dead_server(&config.data);
    let roots = tls_roots(config)?;
    let (shelf, mut notices) = shelf(config)?;
    let (key, place, made) = key::find_or_make(config)?;
    if made {
        notices.push(format!(
            "{}: {place}. Keep a copy apart from the data: without it the secrets in the data cannot be read.",
            match place {
                KeyPlace::Passphrase(_) =>
                    "A new master key was made from the passphrase and a new salt, `master.salt`",
                _ => "A new master key was made",
            }
        ));
    }
    if let Some(path) = place.file()
        && private_file::is_open_to_others(path)
    {
        notices.push(format!(
            "Others can read the master key file {}: `chmod 600` it.",
            path.display()
        ));
    }
    let store = store(config, &folder).await?;
    check_master(&key, &*store).await?;
    let connectors = configured(config, roots)
        .shared_store(store)
        .key(key)
        .connectors(shelf)
        .build()?;
    let tenant = bootstrap(&connectors, &config.data).await?;
    note_settings(&connectors, tenant, config).await?;
    Ok(Opened {
        connectors,
        tenant,
        key: place,
        notices,
        _folder: folder,
    })
}

/// What keeps the data.
async fn store(config: &Config, folder: &DataFolder) -> Result<Arc<dyn Store>> {
    match &config.database {
        Database::DataFolder => Ok(Arc::new(SqliteStore::open(folder.path(DATABASE))?)),
        Database::Postgres(database) => {
            let options = PostgresOptions {
                connections: database.connections,
            };
            Ok(Arc::new(PostgresStore::open(database.url.reveal(), options).await?))
        }
    }
}

/// What the database tells of itself, if there is one. Nothing of it is changed.
///
/// # Errors
/// `DATA_FOLDER_LOCKED`, `DATA_FROM_NEWER_VERSION`, trouble with the file or the server, `CONFIG_INVALID` for a server or
/// roles that a start refuses.
pub async fn look(config: &Config) -> Result<Option<Peek>> {
    if let Database::Postgres(database) = &config.database {
        return PostgresStore::peek(database.url.reveal()).await;
    }
    if !has_data(config) {
        return Ok(None);
    }
    let folder = DataFolder::lock(&config.data)?;
    SqliteStore::peek(folder.path(DATABASE)).map(Some)
}

/// Whether the data was sealed with this key; `false` while nothing was sealed yet. Changes nothing.
///
/// # Errors
/// `MASTER_KEY_MISMATCH`, and those of [`look`].
pub async fn judge(config: &Config, key: &MasterKey) -> Result<bool> {
    match look(config).await?.and_then(|seen| seen.master_fingerprint) {
        None => Ok(false),
        Some(kept) => check_fingerprint(key, kept).map(|()| true),
    }
}

/// A library that keeps nothing, with one connector or with all there are: for trying a manifest, and for the catalog
/// where there is no data. With it comes what the operator should read.
///
/// # Errors
/// `CONFIG_INVALID`.
pub fn scratch(config: &Config, only: Option<Connector>) -> Result<(Connectors, Vec<String>)> {
    let (connectors, notices) = match only {
        Some(connector) => (vec![connector], Vec::new()),
        None => shelf(config)?,
    };
    let key = MasterKey::generate(&SystemRandom)?;
    let builder = configured(config, tls_roots(config)?)
        .store(MemoryStore::new())
        .key(key);
    Ok((builder.connectors(connectors).build()?, notices))
}

/// A3: which private addresses connectors may reach is told in the operator's audit log whenever it changed.
async fn note_settings(connectors: &Connectors, operator: TenantId, config: &Config) -> Result<()> {
    let by = Actor::server(operator);
    for name in ["egress.allow", "egress.loopback", "egress.detours"] {
        let list = match config.settings.get(name).map(|setting| &setting.value) {
            Some(Value::List(items)) => items.clone(),
            Some(Value::Switch(true)) => vec!["true".to_owned()],
            _ => Vec::new(),
        };
        connectors.note_setting(&by, name, &list).await?;
    }
    Ok(())
}

fn configured(config: &Config, roots: TlsRoots) -> ConnectorsBuilder {
    let builder = Connectors::builder()
        .egress(config.egress.clone())
        .rate_limits(config.rates)
        .timeouts(config.timeouts)
        .tls_roots(roots);
    let builder = config
        .health_interval
        .into_iter()
        .fold(builder, ConnectorsBuilder::health_interval);
    config
        .scopes
        .iter()
        .fold(builder, |builder, (kind, rule)| builder.scope(kind, *rule))
}

/// Why a server cannot have the address it should listen on.
pub(crate) fn cannot_listen(config: &Config, error: &std::io::Error) -> Error {
    let origin = &config.settings["server.listen"].origin;
    let detail = format!(
        "{origin}: nothing can listen on {}: {error}. Choose another `server.listen`, or port 0 for any free one.",
        config.listen
    );
    Error::new(Code::ConfigInvalid, detail)
}

pub(crate) fn tls_roots(config: &Config) -> Result<TlsRoots> {
    let read = |path: &PathBuf| {
        read_bounded(path, MAX_CA_BYTES).map_err(|why| {
            let detail = format!("`tls.extra_ca_files`: {} cannot be read: {why}.", path.display());
            Error::new(Code::ConfigInvalid, detail)
        })
    };
    Ok(TlsRoots {
        extra_pem: config.extra_ca_files.iter().map(read).collect::<Result<_>>()?,
    })
}

/// The connectors we ship and the operator's own, and what is wrong with those of the latter that are left out.
pub(crate) fn shelf(config: &Config) -> Result<(Vec<Connector>, Vec<String>)> {
    let mut connectors = tieline_catalog::connectors();
    let mut notices = Vec::new();
    let Some(folder) = &config.catalog else {
        return Ok((connectors, notices));
    };
    let shipped = || "we ship one".to_owned();
    let mut ids: BTreeMap<String, String> = connectors.iter().map(|one| (one.id().to_owned(), shipped())).collect();
    for path in manifests(folder)? {
        match load(&path) {
            Ok(connector) => match ids.entry(connector.id().to_owned()) {
                Entry::Vacant(free) => {
                    free.insert(path.display().to_string());
                    connectors.push(connector);
                }
                Entry::Occupied(taken) => notices.push(format!(
                    "{}: left out: there is a connector `{}` already ({}); give this one another id.",
                    path.display(),
                    taken.key(),
                    taken.get()
                )),
            },
            Err(problems) => notices.extend(problems),
        }
    }
    Ok((connectors, notices))
}

/// The manifests of a folder, by name.
fn manifests(folder: &Path) -> Result<Vec<PathBuf>> {
    let unreadable = |error: std::io::Error| {
        let detail = format!("`catalog.dir`: {} cannot be read: {error}.", folder.display());
        Error::new(Code::ConfigInvalid, detail)
    };
    let mut paths = fs::read_dir(folder)
        .and_then(|entries| {
            entries
                .map(|entry| Ok(entry?.path()))
                .collect::<std::io::Result<Vec<_>>>()
        })
        .map_err(unreadable)?;
    paths.retain(|path| is_manifest(path));
    paths.sort();
    if paths.len() > MAX_SHELF {
        let detail = format!(
            "`catalog.dir`: {} holds more than {MAX_SHELF} manifests.",
            folder.display()
        );
        return Err(Error::new(Code::ConfigInvalid, detail));
    }
    Ok(paths)
}

/// By its name. Names that begin with a point are editors' and systems' own files.
fn is_manifest(path: &Path) -> bool {
    let hidden = path
        .file_name()
        .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    let known = path.extension().is_some_and(|extension| {
        ["yaml", "yml", "json"]
            .iter()
            .any(|known| extension.eq_ignore_ascii_case(known))
    });
    known && !hidden
}

/// A connector from a file, or what is wrong with it, a line for each mistake: `file:line:column what (rule)`.
fn load(path: &Path) -> Result<Connector, Vec<String>> {
    let manifest = lint(path, Use::Tenant)
        .map_err(|why| vec![format!("{}: {why}", path.display())])?
        .map_err(|lints| {
            lints
                .iter()
                .map(|lint| format!("{}:{lint}", path.display()))
                .collect::<Vec<_>>()
        })?;
    Connector::from_manifest(manifest)
        .build()
        .map_err(|error| vec![format!("{}: {}", path.display(), error.detail())])
}

/// What the linter says of a file; the outer error is that it cannot be read at all.
pub(crate) fn lint(path: &Path, use_: Use) -> Result<Result<Manifest, Vec<Lint>>, String> {
    let bytes = read_bounded(path, MAX_MANIFEST_BYTES)?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        format!("line {line} is not UTF-8 text")
    })?;
    Ok(Manifest::parse(&text, use_))
}

/// Reads a file of at most so many bytes.
pub(crate) fn read_bounded(path: &Path, limit: u64) -> Result<Vec<u8>, String> {
    let about = fs::metadata(path).map_err(|error| error.to_string())?;
    if !about.is_file() {
        return Err("it is no file".to_owned());
    }
    if about.len() > limit {
        return Err(format!("it is larger than {limit} bytes"));
    }
    fs::read(path).map_err(|error| error.to_string())
}

/// Makes the tenant `default` on the first start, and its key in a file.
///
/// The key is known to nobody but that file. A start that ended between the two is seen by the file that stands in
/// between, and the key is made anew; an operator who deleted the key on purpose is left alone.
async fn bootstrap(connectors: &Connectors, folder: &Path) -> Result<TenantId> {
    let pending = folder.join(BOOTSTRAP_PENDING);
    let (tenant, key) = match connectors.tenant_by_name(DEFAULT_TENANT).await? {
        Some(tenant) if !pending.exists() => return Ok(tenant.id),
        Some(tenant) => {
            let server = Actor::new(tenant.id, "server");
            (
                tenant.id,
                connectors.create_api_key(&server, bootstrap_key()).await?.text,
            )
        }
        None => {
            private_file::write(&pending, "")?;
            match connectors
                .create_tenant("server", DEFAULT_TENANT, bootstrap_key())
                .await
            {
                Ok(created) => (created.tenant.id, created.key.text),
                Err(error) if error.code() == Code::NameTaken => {
                    return made_elsewhere(connectors, &pending, error).await;
                }
                Err(error) => return Err(error),
            }
        }
    };
    let line = Secret::new(format!("{}\n", key.reveal()));
    private_file::write(&folder.join(BOOTSTRAP_KEY), line.reveal())?;
    // Should it stand, the next start makes the key anew: better than none.
    private_file::remove(&pending).map_err(|error| Error::internal("a marker cannot be removed", error))?;
    Ok(tenant)
}

/// Another server of the same database made the tenant first, and has its key.
async fn made_elsewhere(connectors: &Connectors, pending: &Path, error: Error) -> Result<TenantId> {
    private_file::remove(pending).map_err(|error| Error::internal("a marker cannot be removed", error))?;
    connectors
        .tenant_by_name(DEFAULT_TENANT)
        .await?
        .map(|tenant| tenant.id)
        .ok_or(error)
}

fn bootstrap_key() -> NewApiKey {
    let permissions = [Permission::Admin, Permission::Operator];
    NewApiKey {
        name: "bootstrap".to_owned(),
        permissions: permissions
            .map(|permission| (permission.as_str().to_owned(), true))
            .into(),
        expires_at: None,
        environment: None,
        allowed_networks: None,
    }
}
