//! Settings by name, laid over one another, each knowing where it came from.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use tieline::error::FieldError;
use tieline_manifest::lint;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// The defaults, which are also the list of what can be set.
pub(super) const DEFAULTS: &str = include_str!("../config.default.toml");

/// What environment variables with settings begin with, and what stands between section and key.
pub(super) const ENVIRONMENT_PREFIX: &str = "TIELINE__";
const ENVIRONMENT_SEPARATOR: &str = "__";

/// The section whose keys are the operator's own.
const OPEN_SECTION: &str = "scopes";

/// A setting's value, as written.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(untagged)]
pub enum Value {
    /// Text.
    Text(String),
    /// Yes or no.
    Switch(bool),
    /// Several texts.
    List(Vec<String>),
}

/// Where a value came from. The last of these wins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Built in.
    Default,
    /// A file, at this line.
    File(PathBuf, usize),
    /// An environment variable.
    Environment(String),
    /// A flag of the command line.
    Flag(&'static str),
}

/// A value and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The value.
    pub value: Value,
    /// Where it came from.
    pub origin: Origin,
}

/// All settings, by `section.key`.
pub(super) struct Settings {
    pub(super) all: BTreeMap<String, Setting>,
    pub(super) problems: Vec<FieldError>,
}

impl Settings {
    /// The defaults.
    pub(super) fn defaults() -> Self {
        let mut settings = Self {
            all: BTreeMap::new(),
            problems: Vec::new(),
        };
        let defaults = DeTable::parse(DEFAULTS).expect("a test reads the defaults");
        for (name, value) in entries(defaults.get_ref()) {
            let value = Value::read(value.get_ref()).expect("a test reads the defaults");
            settings.all.insert(
                name.join("."),
                Setting {
                    value,
                    origin: Origin::Default,
                },
            );
        }
        settings
    }

    /// Lays a file's settings over what there is.
    pub(super) fn file(&mut self, path: &Path, text: &str) {
        let line = |offset: usize| text[..offset].matches('\n').count() + 1;
        let table = match DeTable::parse(text) {
            Ok(table) => table,
            Err(error) => {
                // Only the message: the error's own text would quote the file.
                let origin = Origin::File(path.to_owned(), error.span().map_or(1, |span| line(span.start)));
                return self.problem("", &origin, &format!("this is not TOML: {}", error.message()));
            }
        };
        for (name, value) in entries(table.get_ref()) {
            let origin = Origin::File(path.to_owned(), line(value.span().start));
            self.set(&name, Value::read(value.get_ref()), origin);
        }
    }

    /// Lays the settings among environment variables over what there is.
    pub(super) fn environment(&mut self, variables: &BTreeMap<String, String>) {
        for (variable, text) in variables {
            let Some(rest) = variable.strip_prefix(ENVIRONMENT_PREFIX) else {
                continue;
            };
            let name: Vec<String> = rest.split(ENVIRONMENT_SEPARATOR).map(str::to_lowercase).collect();
            let known = self.all.get(&name.join(".")).map(|setting| &setting.value);
            let value = match known {
                Some(Value::Switch(_)) => text.parse().ok().map(Value::Switch),
                Some(Value::List(_)) => Some(Value::List(
                    text.split(',')
                        .map(str::trim)
                        .filter(|item| !item.is_empty())
                        .map(str::to_owned)
                        .collect(),
                )),
                Some(Value::Text(_)) | None => Some(Value::Text(text.clone())),
            };
            self.set(&name, value, Origin::Environment(variable.clone()));
        }
    }

    /// Lays one flag over what there is.
    pub(super) fn flag(&mut self, flag: &'static str, name: &'static str, value: String) {
        let setting = Setting {
            value: Value::Text(value),
            origin: Origin::Flag(flag),
        };
        self.all.insert(name.to_owned(), setting);
    }

    fn set(&mut self, name: &[String], value: Option<Value>, origin: Origin) {
        let full = name.join(".");
        let own = name.len() == 2 && name[0] == OPEN_SECTION;
        let expected = match self.all.get(&full) {
            Some(setting) => setting.value.kind(),
            None if own => "text",
            None => {
                let hint = lint::hint(&full, self.all.keys().map(String::as_str));
                return self.problem(&full, &origin, &format!("there is no setting `{full}`{hint}"));
            }
        };
        match value {
            Some(value) if value.kind() == expected => {
                self.all.insert(full, Setting { value, origin });
            }
            _ => self.problem(&full, &origin, &format!("`{full}` must be {expected}")),
        }
    }

    /// Notes a mistake. The value itself is not quoted: people put secrets in the wrong places.
    pub(super) fn problem(&mut self, name: &str, origin: &Origin, what: &str) {
        let pointer = if name.is_empty() {
            String::new()
        } else {
            format!("/{}", name.replace('.', "/"))
        };
        self.problems.push(FieldError {
            pointer,
            message: format!("{origin}: {what}"),
        });
    }
}

impl Value {
    fn read(value: &DeValue<'_>) -> Option<Self> {
        match value {
            DeValue::String(text) => Some(Self::Text(text.to_string())),
            DeValue::Boolean(on) => Some(Self::Switch(*on)),
            DeValue::Array(items) => {
                let texts = items.iter().map(|item| item.get_ref().as_str().map(str::to_owned));
                texts.collect::<Option<_>>().map(Self::List)
            }
            _ => None,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Switch(_) => "true or false",
            Self::List(_) => "a list of texts",
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Switch(on) => on.fmt(f),
            Self::List(items) => f.write_str(&items.join(", ")),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path, line) => write!(f, "{}, line {line}", path.display()),
            Self::Environment(variable) => f.write_str(variable),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}

/// The values of a table with their names, section by section.
fn entries<'t, 'i>(table: &'t DeTable<'i>) -> Vec<(Vec<String>, &'t Spanned<DeValue<'i>>)> {
    let mut entries = Vec::new();
    for (section, value) in table {
        let section = section.get_ref().to_string();
        match value.get_ref() {
            DeValue::Table(table) => {
                entries.extend(
                    table
                        .iter()
                        .map(|(key, value)| (vec![section.clone(), key.get_ref().to_string()], value)),
                );
            }
            _ => entries.push((vec![section], value)),
        }
    }
    entries
}
