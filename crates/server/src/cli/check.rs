//! `check`: what holds, where it comes from, and whether a start would find what it needs.

use std::{
    collections::BTreeMap,
    fs, io,
    net::TcpListener,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use tieline::{Code, Error, Result};
use tieline_manifest::Json;

use super::output::{Failure, Output, table};
use crate::{
    config::{Config, Database},
    local::Running,
    start::{self, find_key},
};

/// One thing that a start needs, and how it is found.
struct Finding {
    /// Its name for machines, and for people.
    name: &'static str,
    what: &'static str,
    found: Result<String>,
}

pub(super) async fn check(config: &Config, output: Output) -> Result<(), Failure> {
    let (shelf, notices) = match start::shelf(config) {
        Ok((connectors, notices)) => (Ok(format!("{} can be used", connectors.len())), notices),
        Err(error) => (Err(error), Vec::new()),
    };
    let findings = [
        ("dataFolder", "data folder", data_folder(config)),
        ("masterKey", "master key", master_key(config).await),
        ("database", "database", database(config).await),
        ("address", "address", address(config)),
        (
            "authorities",
            "authorities",
            start::tls_roots(config).map(|roots| match roots.extra_pem.len() {
                0 => "the system's".to_owned(),
                more => format!("the system's and those of {more} more files"),
            }),
        ),
        ("connectors", "connectors", shelf),
    ]
    .map(|(name, what, found)| Finding { name, what, found });
    tell(config, &findings, output);
    notices.iter().for_each(|notice| output.note(notice));
    let mut good = notices.is_empty();
    for error in findings.into_iter().filter_map(|finding| finding.found.err()) {
        output.failure(&error.into());
        good = false;
    }
    if good { Ok(()) } else { Err(Failure::Told) }
}

/// Where the master key is, once it is known to be the one of the data, if there is data and nobody holds it.
async fn master_key(config: &Config) -> Result<String> {
    let (place, key) = find_key(config)?;
    let Some(key) = key else {
        return Ok(format!("{place} (there is none yet: the first start makes it)"));
    };
    match start::judge(config, &key).await {
        Ok(_) => Ok(place.to_string()),
        Err(error) if error.code() == Code::DataFolderLocked => Ok(format!(
            "{place} (not compared with the data, which a running process holds)"
        )),
        Err(error) if error.code() == Code::MasterKeyMismatch => Err(Error::new(
            error.code(),
            format!("{} (Looked in {place}.)", error.detail()),
        )),
        // What is wrong with the database is told where it is looked at.
        Err(_) => Ok(format!(
            "{place} (not compared with the data, which cannot be looked at)"
        )),
    }
}

/// What a start would do with the database. It is looked at and left as it is.
async fn database(config: &Config) -> Result<String> {
    let at = match &config.database {
        Database::DataFolder => String::new(),
        Database::Postgres(database) => {
            let places = database.places.iter().map(|(host, port)| format!("{host}:{port}"));
            format!("PostgreSQL at {}, ", places.collect::<Vec<_>>().join(", "))
        }
    };
    match start::look(config).await {
        Ok(None) if at.is_empty() => Ok("there is none yet: the first start makes it".to_owned()),
        Ok(None) => Ok(format!("{at}where nothing of ours is yet: the first start makes it")),
        Ok(Some(seen)) if seen.is_behind => Ok(format!(
            "{at}of an earlier version: a start brings it to this one, and no earlier version reads it after that"
        )),
        Ok(Some(_)) => Ok(format!("{at}of this version")),
        Err(error) if error.code() == Code::DataFolderLocked => {
            Ok("not looked at: a running process holds it".to_owned())
        }
        Err(error) => Err(error),
    }
}

fn tell(config: &Config, findings: &[Finding], output: Output) {
    let settings: BTreeMap<_, _> = config
        .settings
        .iter()
        .map(|(name, setting)| {
            let told = json!({ "value": config.shown(name), "from": setting.origin.to_string() });
            (name, told)
        })
        .collect();
    let found: BTreeMap<_, Value> = findings
        .iter()
        .map(|Finding { name, found, .. }| {
            let told = match found {
                Ok(said) => json!({ "good": true, "found": said }),
                Err(error) => json!({ "good": false, "code": error.code().as_str() }),
            };
            (*name, told)
        })
        .collect();
    let told = json!({ "settings": settings, "needs": found });
    output.result(&Json::from(told), || {
        let rows = config
            .settings
            .iter()
            .map(|(name, setting)| [name.clone(), config.shown(name).to_string(), setting.origin.to_string()]);
        let needs = findings.iter().map(|Finding { what, found, .. }| {
            let said = found.as_ref().map_or("see below", String::as_str);
            [(*what).to_owned(), said.to_owned()]
        });
        format!(
            "{}\n\n{}",
            table(["SETTING", "VALUE", "FROM"], rows),
            table(["A START NEEDS", "FOUND"], needs)
        )
    });
}

/// Whether files can be made in the data folder, or in the folder that it would be made in.
fn data_folder(config: &Config) -> Result<String> {
    let folder = &config.data;
    let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let there = absolute
        .ancestors()
        .find(|folder| folder.exists())
        .unwrap_or(Path::new("/"));
    let shown = if there == absolute { folder.as_path() } else { there };
    if let Err(error) = try_file(there) {
        let detail = format!(
            "`data.dir`: nothing can be written in {}: {error}. Check that the folder belongs to the user who runs this, \
             or choose another.",
            shown.display()
        );
        return Err(Error::new(Code::ConfigInvalid, detail));
    }
    let holds_data = matches!(config.database, Database::DataFolder) && start::has_data(config);
    let state = match (holds_data, there == absolute) {
        (true, _) => "has data in it",
        (false, true) => "is empty",
        (false, false) => "will be made",
    };
    Ok(format!("{} {state}", folder.display()))
}

/// Makes an empty file and takes it away again: permissions alone do not tell of full or read-only disks.
fn try_file(folder: &Path) -> io::Result<()> {
    let path: PathBuf = folder.join(format!(".tieline-check-{}", std::process::id()));
    fs::File::create_new(&path)?;
    fs::remove_file(&path)
}

/// Whether a server could listen. That the server of this very data folder does is as good.
fn address(config: &Config) -> Result<String> {
    match TcpListener::bind(config.listen) {
        Ok(_) => Ok(format!("{} is free", config.listen)),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && runs_there(config) => Ok(format!(
            "{} is held by the server that runs on this data",
            config.listen
        )),
        Err(error) => Err(start::cannot_listen(config, &error)),
    }
}

fn runs_there(config: &Config) -> bool {
    Running::find(&config.data).is_ok_and(|running| running.address.port() == config.listen.port())
}
