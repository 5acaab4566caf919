//! How a command on this machine finds the running server, and is let in.
//!
//! The server writes its address and a key of this one run into `server.json` in the data folder, readable by its owner
//! alone. Whoever can read that file could read the database beside it, so the key may do everything.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use tieline::{
    Code, Connectors, Error, Result,
    api_key::ApiKey,
    audit::Actor,
    clock::{Random, SystemRandom},
    id::{ApiKeyId, TenantId},
    secret::Secret,
};

use crate::{caller::Permission, private_file};

/// The file's name in the data folder.
const FILE: &str = "server.json";

/// Random bytes of the key.
const KEY_BYTES: usize = 32;

/// How the audit log names what was done with it.
const ACTOR: &str = "cli";

/// The key of one run, kept in memory and in `server.json` only.
pub struct LocalKey {
    text: Secret<String>,
    actor: Actor,
    key: Arc<ApiKey>,
}

impl LocalKey {
    /// A new key that may do everything within a tenant, and make tenants.
    pub fn new(connectors: &Connectors, tenant: TenantId) -> Result<Self> {
        let mut bytes = [0; KEY_BYTES];
        SystemRandom.fill(&mut bytes)?;
        let digits = bytes
            .iter()
            .fold("local_".to_owned(), |text, byte| text + &format!("{byte:02x}"));
        let permissions = [Permission::Admin, Permission::Operator];
        let key = ApiKey {
            id: ApiKeyId::from_bytes([0; 16]),
            tenant,
            name: ACTOR.to_owned(),
            prefix: String::new(),
            permissions: permissions
                .map(|permission| (permission.as_str().to_owned(), true))
                .into(),
            environment: None,
            allowed_networks: None,
            version: 1,
            created_by: "server".to_owned(),
            created_at: connectors.clock().now(),
            expires_at: None,
            revoked_at: None,
            last_used_at: None,
        };
        Ok(Self {
            text: Secret::new(digits),
            actor: Actor::new(tenant, ACTOR).writing_credentials(true),
            key: Arc::new(key),
        })
    }

    /// The key itself.
    pub fn text(&self) -> &str {
        self.text.reveal()
    }

    /// Who comes with this text, if it is the key.
    pub(crate) fn admits(&self, text: &str) -> Option<(Actor, Arc<ApiKey>)> {
        let same: bool = self.text.reveal().as_bytes().ct_eq(text.as_bytes()).into();
        same.then(|| (self.actor.clone(), self.key.clone()))
    }
}

/// Where the running server is.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// Its address, for this machine.
    url: String,
    /// Its process.
    pid: u32,
    /// The key of this run.
    key: String,
}

/// The announcement of a running server; taken back when dropped.
pub struct Announced(PathBuf);

impl Announced {
    /// Tells where the server is, once it listens.
    pub fn new(folder: &Path, address: SocketAddr, key: &LocalKey) -> Result<Self> {
        let path = folder.join(FILE);
        let file = File {
            url: format!("http://{}", for_this_machine(address)),
            pid: std::process::id(),
            key: key.text().to_owned(),
        };
        let text = Secret::new(
            serde_json::to_string(&file)
                .map_err(|error| Error::internal("an announcement does not serialise", error))?,
        );
        private_file::write(&path, text.reveal())?;
        Ok(Self(path))
    }
}

impl Drop for Announced {
    fn drop(&mut self) {
        // Should it stand, the folder's next holder removes it.
        let _ = private_file::remove(&self.0);
    }
}

/// Forgets a server that ended without taking its announcement back, once its data folder is ours. A command that found
/// it would send its request, secrets and all, to whoever has the address now.
pub(crate) fn forget_dead_server(folder: &Path) {
    if let Err(error) = private_file::remove(&folder.join(FILE)) {
        tracing::warn!(%error, "a dead server's announcement cannot be removed");
    }
}

/// The server that holds a data folder, as it announced itself.
pub struct Running {
    /// Where it is.
    pub address: SocketAddr,
    /// The key of its run.
    pub key: Secret<String>,
}

impl Running {
    /// Finds it.
    ///
    /// # Errors
    /// `DATA_FOLDER_LOCKED` when there is no announcement, `SERVER_UNREACHABLE` when it cannot be used.
    pub fn find(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let text = private_file::read(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Error::new(
                Code::DataFolderLocked,
                format!(
                    "Another process uses the data folder {}, and it is no server that takes commands (or none yet). \
                     Try again when it has started or ended.",
                    folder.display()
                ),
            ),
            _ => unusable(&path, &error.to_string()),
        })?;
        let file: File =
            serde_json::from_str(text.reveal()).map_err(|_| unusable(&path, "it is not what a server writes"))?;
        let address = file
            .url
            .strip_prefix("http://")
            .and_then(|address| address.parse().ok());
        let address = address.ok_or_else(|| unusable(&path, "its `url` is no address of ours"))?;
        Ok(Self {
            address,
            key: Secret::new(file.key),
        })
    }
}

fn unusable(path: &Path, why: &str) -> Error {
    let detail = format!(
        "{} does not tell where the running server is: {why}. Restart the server.",
        path.display()
    );
    Error::new(Code::ServerUnreachable, detail)
}

/// The address under which this machine reaches a listener.
pub(crate) fn for_this_machine(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
