//! The configuration: defaults, file, environment, flags; what comes later wins.
//!
//! `config.default.toml` is the manual and the list of what can be set. This is the one place that reads the
//! environment, besides [`MasterKey::from_env`](tieline::vault::MasterKey::from_env).

mod database;
mod interval;
mod read;
mod settings;
mod shown;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    env::VarError,
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    path::{Path, PathBuf},
    time::Duration,
};

use tieline::{
    Code, Error, MasterKey, Result,
    egress::{Allow, Detour, EgressPolicy, Network},
    http::Timeouts,
    rate::{Limit, RateLimits},
    scope::{MAX_SCOPE_BYTES, Scope, ScopeRule},
    secret::Secret,
};
use tieline_manifest::lint;
use tracing_subscriber::EnvFilter;
use url::Url;

pub use self::{
    database::{Database, Postgres},
    settings::{Origin, Setting, Value},
};
use self::{
    read::{VARIABLE_NAME, own_addresses, path, public_url, variable_name},
    settings::Settings,
};
use crate::{
    cors,
    limits::{MAX_CALL_SECONDS, MAX_CONNECT_SECONDS, MAX_RATE},
    source,
};

/// The file that is read when none is named.
pub const DEFAULT_FILE: &str = "tieline.toml";

/// A configuration file, at most: ours are a few kilobytes, and a wrong path may name anything.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// The levels of the log, the least talkative first.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// Threads that work: none is one per processor, and far more than processors only get in each other's way.
const THREADS: RangeInclusive<i64> = 0..=256;

/// Days that calls are kept: a century is as good as for ever.
const KEEP_DAYS: RangeInclusive<i64> = 0..=36_500;

/// Seconds of a day.
const DAY: u64 = 24 * 60 * 60;

/// What holds for this process.
#[derive(Debug)]
pub struct Config {
    /// Where the server listens.
    pub listen: SocketAddr,
    /// Where people reach it, when that is another address.
    pub public_url: Option<Url>,
    /// The networks of proxies in front of it.
    pub trusted_proxies: Vec<Network>,
    /// Threads that work; one per processor when it is 0.
    pub threads: usize,
    /// The data folder.
    pub data: PathBuf,
    /// Where the data lies.
    pub database: Database,
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
    /// Whose pages may read our answers.
    pub cors_origins: Vec<cors::Origin>,
    /// Certificate authorities to trust besides the system's.
    pub extra_ca_files: Vec<PathBuf>,
    /// The kinds of scope.
    pub scopes: BTreeMap<String, ScopeRule>,
    /// The log is for machines.
    pub log_json: bool,
    /// What is logged.
    pub log_level: String,
    /// How long calls are kept; for good, unless said.
    pub calls_kept: Option<Duration>,
    /// Everyone may read the numbers under `/metrics`.
    pub metrics_open: bool,
    /// The folder with the operator's own manifests.
    pub catalog: Option<PathBuf>,
    /// How often things may be asked for.
    pub rates: RateLimits,
    /// How long each wait for an upstream may take.
    pub timeouts: Timeouts,
    /// How often each connection is tested by itself; never, unless said.
    pub health_interval: Option<Duration>,
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
        .filter(|(name, _)| name.starts_with(settings::ENVIRONMENT_PREFIX) || name == settings::DATABASE_VARIABLE)
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
        let trusted_proxies = self.list(
            "server.trusted_proxies",
            "networks of your own proxies, such as `10.1.0.0/16` or `fd00::5`",
            source::proxies,
        );
        let threads = self.number("server.threads", THREADS, "a number of threads");
        let data = self.text("data.dir", "a path", path);
        let database = self.database();
        let master_key_env = self.text("master_key.env", VARIABLE_NAME, variable_name);
        let master_key_file = self.optional(
            "master_key.file",
            "the path of a file that holds the key, not the key",
            |text| path(text).filter(|_| MasterKey::parse(text).is_err()),
        );
        let passphrase_env = self.optional("master_key.passphrase_env", VARIABLE_NAME, variable_name);
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
        let allow = self.list(
            "egress.allow",
            "networks, such as `10.1.0.0/16`, each alone or with `port=`, `host=` and `tenant=` after it",
            |text| {
                Allow::parse(text).map_err(|error| {
                    let hint = error.fields().first().map(|field| format!("; {}", field.message));
                    hint.unwrap_or_default()
                })
            },
        );
        let own = self.list("egress.own", "IP addresses", |text| {
            text.parse::<IpAddr>().map_err(|_| String::new())
        });
        let detours = self.list(
            "egress.detours",
            "names with a port and the address where each is reached instead, such as `api.acme.example:443=10.1.2.3:8443`",
            |text| Detour::parse(text).map_err(|_| String::new()),
        );
        let loopback = self.switch("egress.loopback");
        let cors_origins = self.list(
            "cors.origins",
            "exact origins, such as `https://app.example.com` or `http://localhost:3000`: scheme and host in lower case, \
             the port only where it is not the scheme's own, no path, no slash at the end, neither `*` nor `null`",
            |text| cors::Origin::parse(text).ok_or_else(String::new),
        );
        let extra_ca_files = self.list("tls.extra_ca_files", "paths", |text| path(text).ok_or_else(String::new));
        let scopes = self.scopes();
        let log_json = self.text("log.format", "`plain` or `json`", |text| match text {
            "plain" => Some(false),
            "json" => Some(true),
            _ => None,
        });
        let log_level = self.log_level();
        let calls_kept = self.number("ledger.keep_days", KEEP_DAYS, "a number of days");
        let metrics_open = self.switch("metrics.open");
        let catalog = self.optional("catalog.dir", "a path", path);
        let rates = self.rates();
        let timeouts = self.timeouts();
        let health_interval = self.health_interval();
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
        let (Some(listen), Some(threads), Some(data), Some(master_key_env), Some(log_json), Some(log_level), true) = (
            listen,
            threads,
            data,
            master_key_env,
            log_json,
            log_level,
            problems.is_empty(),
        ) else {
            let detail = match problems.as_slice() {
                [one] if one.message.ends_with('?') => one.message.clone(),
                [one] => format!("{}.", one.message),
                several => format!("The configuration has {} mistakes: see each.", several.len()),
            };
            return Err(Error::new(Code::ConfigInvalid, detail).fields_from(problems));
        };
        let own = own_addresses(own, listen, public_url.as_ref());
        let own_database = database.places();
        Ok(Config {
            listen,
            public_url,
            trusted_proxies,
            threads,
            data,
            database,
            master_key_env,
            master_key_file,
            passphrase_env,
            passphrase_file,
            egress: EgressPolicy {
                allow,
                loopback,
                own,
                detours,
                own_database,
            },
            cors_origins,
            extra_ca_files,
            scopes,
            log_json,
            log_level,
            calls_kept: calls_kept
                .filter(|days| *days > 0)
                .map(|days: u64| Duration::from_secs(days * DAY)),
            metrics_open,
            catalog,
            rates,
            timeouts,
            health_interval,
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
            let kind = &name["scopes.".len()..];
            if Scope::new(kind, "").is_err() {
                let what =
                    format!("the name of a kind of scope has 1 to {MAX_SCOPE_BYTES} bytes and no control characters");
                self.mistaken(&name, &what);
            }
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

    /// A list; what is wrong with an item may come with a hint.
    fn list<T>(&mut self, name: &str, expected: &str, read: impl Fn(&str) -> Result<T, String>) -> Vec<T> {
        let Value::List(items) = self.value(name) else {
            return Vec::new();
        };
        let read: Result<Vec<T>, String> = items.iter().map(|item| read(item)).collect();
        read.unwrap_or_else(|hint| {
            self.mistaken(name, &format!("`{name}` must list {expected}{hint}"));
            Vec::new()
        })
    }

    /// What is logged. A filter takes a word that is no level for the name of a part to log, and then logs nothing else: who
    /// means a part writes its level too.
    fn log_level(&mut self) -> Option<String> {
        let Value::Text(text) = self.value("log.level") else {
            return None;
        };
        let text = text.clone();
        let mut directives = text.split(',').map(str::trim);
        let odd = directives.find(|word| {
            !word.is_empty()
                && !word.contains(['=', '['])
                && !LEVELS.iter().any(|level| word.eq_ignore_ascii_case(level))
        });
        if odd.is_none() && !text.trim().is_empty() && EnvFilter::try_new(&text).is_ok() {
            return Some(text);
        }
        let hint = match odd.map(str::to_lowercase).as_deref() {
            Some("warning") => "; did you mean `warn`?".to_owned(),
            Some(word) => lint::hint(word, LEVELS),
            None => String::new(),
        };
        let what = format!(
            "`log.level` must be one of {}, or a filter such as `info,tieline=debug`{hint}",
            LEVELS.map(|level| format!("`{level}`")).join(", ")
        );
        self.mistaken("log.level", &what);
        None
    }

    /// So many a minute; 0 is no limit.
    fn rate(&mut self, name: &str) -> Option<Limit> {
        self.number(name, 0..=MAX_RATE, "a whole number of requests a minute")
            .and_then(Limit::per_minute)
    }

    /// Waits for upstreams, each within what the machine and a patient caller bear.
    fn timeouts(&mut self) -> Timeouts {
        let mut seconds = |name: &str, most: i64, default: Duration| {
            let seconds = self.number(name, 1..=most, "a whole number of seconds");
            seconds.map_or(default, Duration::from_secs)
        };
        let default = Timeouts::default();
        Timeouts {
            connect: seconds("outbound.connect_seconds", MAX_CONNECT_SECONDS, default.connect),
            first_byte: seconds("outbound.first_byte_seconds", MAX_CALL_SECONDS, default.first_byte),
            idle: seconds("outbound.idle_seconds", MAX_CALL_SECONDS, default.idle),
            total: seconds("outbound.total_seconds", MAX_CALL_SECONDS, default.total),
        }
    }

    fn rates(&mut self) -> RateLimits {
        RateLimits {
            requests_per_key: self.rate("limits.requests_per_key"),
            requests_per_tenant: self.rate("limits.requests_per_tenant"),
            tests_per_tenant: self.rate("limits.tests_per_tenant"),
            calls_per_connection: self.rate("limits.calls_per_connection"),
            wrong_keys_per_source: self.rate("limits.wrong_keys_per_source"),
        }
    }

    fn switch(&self, name: &str) -> bool {
        matches!(self.value(name), Value::Switch(true))
    }

    /// A number with its bounds; `what` says what is counted and in which unit. A setting where 0 means something of its own
    /// has 0 in its range.
    fn number<T: TryFrom<i64>>(&mut self, name: &str, range: RangeInclusive<i64>, what: &str) -> Option<T> {
        let Value::Number(number) = *self.value(name) else {
            return None;
        };
        let read = range.contains(&number).then(|| T::try_from(number).ok()).flatten();
        if read.is_none() {
            let (least, most) = range.into_inner();
            self.mistaken(name, &format!("`{name}` must be {what} from {least} to {most}"));
        }
        read
    }

    fn mistaken(&mut self, name: &str, what: &str) {
        let origin = self.0.all[name].origin.clone();
        self.0.problem(name, &origin, what);
    }
}
