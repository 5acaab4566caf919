//! The configuration: defaults, file, environment, flags; what comes later wins.
//!
//! `config.default.toml` is the manual and the list of what can be set. This is the one place that reads the
//! environment, besides [`MasterKey::from_env`](tieline::vault::MasterKey::from_env).

mod settings;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    env::VarError,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};

use tieline::{
    Code, Error, Result,
    egress::{Allow, EgressPolicy},
    scope::ScopeRule,
    secret::Secret,
};
use tracing_subscriber::EnvFilter;
use url::{Host, Url};

use self::settings::Settings;
pub use self::settings::{Origin, Setting, Value};

/// The file that is read when none is named.
pub const DEFAULT_FILE: &str = "tieline.toml";

/// A configuration file, at most: ours are a few kilobytes, and a wrong path may name anything.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// What holds for this process.
#[derive(Debug)]
pub struct Config {
    /// Where the server listens.
    pub listen: SocketAddr,
    /// Where people reach it, when that is another address.
    pub public_url: Option<Url>,
    /// The data folder.
    pub data: PathBuf,
    /// The environment variable that may hold the master key.
    pub master_key_env: String,
    /// The file that holds the master key, when one is named.
    pub master_key_file: Option<PathBuf>,
    /// The environment variable that holds a passphrase in place of a key, when one is named.
    pub passphrase_env: Option<String>,
    /// The file that holds a passphrase in place of a key, when one is named.
    pub passphrase_file: Option<PathBuf>,
    /// Which addresses connectors may reach besides the public internet.
    pub egress: EgressPolicy,
    /// Certificate authorities to trust besides the system's.
    pub extra_ca_files: Vec<PathBuf>,
    /// The kinds of scope.
    pub scopes: BTreeMap<String, ScopeRule>,
    /// The log is for machines.
    pub log_json: bool,
    /// What is logged.
    pub log_level: String,
    /// The folder with the operator's own manifests.
    pub catalog: Option<PathBuf>,
    /// Every setting as written, with its origin.
    pub settings: BTreeMap<String, Setting>,
}

/// What the command line says of the configuration.
#[derive(Debug, Default)]
pub struct Flags {
    /// `--config`: the file, which must then exist.
    pub config: Option<PathBuf>,
    /// `--data`: the data folder.
    pub data: Option<PathBuf>,
    /// `--listen`: the address.
    pub listen: Option<String>,
}

impl Config {
    /// The configuration of this process.
    ///
    /// # Errors
    /// `CONFIG_INVALID`, with every mistake and where it stands.
    pub fn load(flags: Flags) -> Result<Self> {
        let file = match &flags.config {
            Some(path) => Some((path.clone(), read(path)?)),
            None if Path::new(DEFAULT_FILE).exists() => Some((DEFAULT_FILE.into(), read(Path::new(DEFAULT_FILE))?)),
            None => None,
        };
        Self::compose(file, &environment()?, flags)
    }

    /// The configuration from its layers: a file with its text, environment variables, flags.
    fn compose(file: Option<(PathBuf, String)>, variables: &BTreeMap<String, String>, flags: Flags) -> Result<Self> {
        let mut settings = Settings::defaults();
        if let Some((path, text)) = file {
            settings.file(&path, &text);
        }
        settings.environment(variables);
        if let Some(data) = flags.data {
            settings.flag("--data", "data.dir", data.to_string_lossy().into_owned());
        }
        if let Some(listen) = flags.listen {
            settings.flag("--listen", "server.listen", listen);
        }
        Reader(settings).config()
    }
}

/// Whether an environment variable is set, even to nothing.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub(crate) fn is_set(variable: &str) -> bool {
    std::env::var_os(variable).is_some()
}

/// A secret in an environment variable; nothing when it is not set.
///
/// # Errors
/// `CONFIG_INVALID` for bytes that are no text.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub(crate) fn secret(variable: &str) -> Result<Option<Secret<String>>> {
    match std::env::var(variable) {
        Ok(text) => Ok(Some(Secret::new(text))),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => {
            let detail = format!("The variable {variable} holds bytes that are no text.");
            Err(Error::new(Code::ConfigInvalid, detail))
        }
    }
}

/// The settings in the environment, by variable.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
fn environment() -> Result<BTreeMap<String, String>> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .filter(|(name, _)| name.starts_with(settings::ENVIRONMENT_PREFIX))
        .map(|(name, value)| match value.into_string() {
            Ok(value) => Ok((name, value)),
            Err(_) => Err(Error::new(
                Code::ConfigInvalid,
                format!("{name}: the value is not UTF-8 text."),
            )),
        })
        .collect()
}

fn read(path: &Path) -> Result<String> {
    let refused = |what: &str| {
        let detail = format!("The configuration file {} {what}.", path.display());
        Error::new(Code::ConfigInvalid, detail)
    };
    let about = std::fs::metadata(path).map_err(|error| refused(&format!("cannot be read: {error}")))?;
    if !about.is_file() || about.len() > MAX_FILE_BYTES {
        return Err(refused("is no file of at most 1 MiB"));
    }
    std::fs::read_to_string(path).map_err(|error| refused(&format!("cannot be read: {error}")))
}

/// Reads typed values out of settings and notes every mistake.
struct Reader(Settings);

impl Reader {
    fn config(mut self) -> Result<Config> {
        let listen = self.text(
            "server.listen",
            "an IP address with a port, such as `127.0.0.1:8080`",
            |text| text.parse().ok(),
        );
        let public_url = self.optional(
            "server.public_url",
            "an http or https URL without user, query and fragment",
            public_url,
        );
        let data = self.text("data.dir", "a path", path);
        let master_key_env = self.text("master_key.env", "the name of an environment variable", variable_name);
        let master_key_file = self.optional("master_key.file", "a path", path);
        let passphrase_env = self.optional(
            "master_key.passphrase_env",
            "the name of an environment variable",
            variable_name,
        );
        let passphrase_file = self.optional("master_key.passphrase_file", "a path", path);
        let places = [
            ("master_key.file", master_key_file.is_some()),
            ("master_key.passphrase_env", passphrase_env.is_some()),
            ("master_key.passphrase_file", passphrase_file.is_some()),
        ];
        for (name, _) in places.iter().filter(|(_, named)| *named).skip(1) {
            let what = format!("`{name}` names a second place for the master key: name one");
            self.mistaken(name, &what);
        }
        let allow = self.list("egress.allow", "networks, such as `10.1.0.0/16` or `fd00::5`", |text| {
            Allow::net(text).ok()
        });
        let own = self.list("egress.own", "IP addresses", |text| text.parse::<IpAddr>().ok());
        let loopback = self.switch("egress.loopback");
        let extra_ca_files = self.list("tls.extra_ca_files", "paths", path);
        let scopes = self.scopes();
        let log_json = self.text("log.format", "`plain` or `json`", |text| match text {
            "plain" => Some(false),
            "json" => Some(true),
            _ => None,
        });
        let log_level = self.text(
            "log.level",
            "a level or a filter, such as `info` or `info,tieline=debug`",
            |text| EnvFilter::try_new(text).ok().map(|_| text.to_owned()),
        );
        let catalog = self.optional("catalog.dir", "a path", path);
        if loopback && listen.is_some_and(|listen: SocketAddr| !listen.ip().is_loopback()) {
            self.mistaken(
                "egress.loopback",
                "`egress.loopback` opens this machine's own services to everyone who can call this server, so it needs \
                 `server.listen` to be a loopback address, such as `127.0.0.1:8080`",
            );
        }
        let Settings {
            all: settings,
            problems,
        } = self.0;
        let (Some(listen), Some(data), Some(master_key_env), Some(log_json), Some(log_level), true) =
            (listen, data, master_key_env, log_json, log_level, problems.is_empty())
        else {
            let detail = match problems.as_slice() {
                [one] if one.message.ends_with('?') => one.message.clone(),
                [one] => format!("{}.", one.message),
                several => format!("The configuration has {} mistakes: see each.", several.len()),
            };
            return Err(Error::new(Code::ConfigInvalid, detail).fields_from(problems));
        };
        let own = own_addresses(own, listen, public_url.as_ref());
        Ok(Config {
            listen,
            public_url,
            data,
            master_key_env,
            master_key_file,
            passphrase_env,
            passphrase_file,
            egress: EgressPolicy { allow, loopback, own },
            extra_ca_files,
            scopes,
            log_json,
            log_level,
            catalog,
            settings,
        })
    }

    fn scopes(&mut self) -> BTreeMap<String, ScopeRule> {
        let kinds: Vec<String> = self
            .0
            .all
            .keys()
            .filter(|name| name.starts_with("scopes."))
            .cloned()
            .collect();
        let mut scopes = BTreeMap::new();
        for name in kinds {
            let rule = self.text(&name, "`required`, `optional` or `off`", |text| match text {
                "required" => Some(Some(ScopeRule::Required)),
                "optional" => Some(Some(ScopeRule::Optional)),
                "off" => Some(None),
                _ => None,
            });
            if let Some(Some(rule)) = rule {
                scopes.insert(name["scopes.".len()..].to_owned(), rule);
            }
        }
        scopes
    }

    fn value(&self, name: &str) -> &Value {
        &self.0.all[name].value
    }

    fn text<T>(&mut self, name: &str, expected: &str, read: impl Fn(&str) -> Option<T>) -> Option<T> {
        let Value::Text(text) = self.value(name) else {
            return None;
        };
        let read = read(text);
        if read.is_none() {
            self.mistaken(name, &format!("`{name}` must be {expected}"));
        }
        read
    }

    fn optional<T>(&mut self, name: &str, expected: &str, read: impl Fn(&str) -> Option<T>) -> Option<T> {
        match self.value(name) {
            Value::Text(text) if text.is_empty() => None,
            _ => self.text(name, expected, read),
        }
    }

    fn list<T>(&mut self, name: &str, expected: &str, read: impl Fn(&str) -> Option<T>) -> Vec<T> {
        let Value::List(items) = self.value(name) else {
            return Vec::new();
        };
        let read: Option<Vec<T>> = items.iter().map(|item| read(item)).collect();
        if read.is_none() {
            self.mistaken(name, &format!("`{name}` must list {expected}"));
        }
        read.unwrap_or_default()
    }

    fn switch(&self, name: &str) -> bool {
        matches!(self.value(name), Value::Switch(true))
    }

    fn mistaken(&mut self, name: &str, what: &str) {
        let origin = self.0.all[name].origin.clone();
        self.0.problem(name, &origin, what);
    }
}

/// The addresses listed as ours, and those that are plain to see: where we listen, and where people reach us.
fn own_addresses(mut listed: Vec<IpAddr>, listen: SocketAddr, public_url: Option<&Url>) -> Vec<IpAddr> {
    let public = public_url.and_then(|url| match url.host()? {
        Host::Ipv4(address) => Some(IpAddr::from(address)),
        Host::Ipv6(address) => Some(IpAddr::from(address)),
        Host::Domain(_) => None,
    });
    for address in [Some(listen.ip()), public].into_iter().flatten() {
        if !address.is_unspecified() && !listed.contains(&address) {
            listed.push(address);
        }
    }
    listed
}

fn path(text: &str) -> Option<PathBuf> {
    (!text.is_empty() && !text.contains('\0')).then(|| text.into())
}

fn variable_name(text: &str) -> Option<String> {
    (!text.is_empty() && !text.contains(['=', '\0'])).then(|| text.to_owned())
}

fn public_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let plain =
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    (matches!(url.scheme(), "http" | "https") && plain).then_some(url)
}
