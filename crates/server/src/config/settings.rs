//! Settings by name, laid over one another, each knowing where it came from.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    num::IntErrorKind,
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

/// The variable that many platforms set, for `database.url`. Its value is a secret and is shown nowhere.
pub(super) const DATABASE_VARIABLE: &str = "DATABASE_URL";

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
    /// A whole number. One that is too large for the type is its largest, which no range holds.
    Number(i64),
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
        if let Some(url) = variables.get(DATABASE_VARIABLE) {
            let name = ["database", "url"].map(str::to_owned);
            let origin = Origin::Environment(DATABASE_VARIABLE.to_owned());
            self.set(&name, Some(Value::Text(url.clone())), origin);
        }
        for (variable, text) in variables {
            let Some(rest) = variable.strip_prefix(ENVIRONMENT_PREFIX) else {
                continue;
            };
            let name: Vec<String> = rest.split(ENVIRONMENT_SEPARATOR).map(str::to_lowercase).collect();
            let known = self.all.get(&name.join(".")).map(|setting| &setting.value);
            let value = match known {
                Some(Value::Switch(_)) => text.parse().ok().map(Value::Switch),
                Some(Value::Number(_)) => whole_number(text.trim(), 10).map(Value::Number),
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
            // A name in quotes is one word, dots and all.
            Some(_) if name.len() != 2 => {
                let what = format!(
                    "`{full}` is written as one name, in quotes; write it without them, or its key under its section"
                );
                return self.problem(&full, &origin, &what);
            }
            Some(setting) => setting.value.kind(),
            None if own => "text",
            None => return self.problem(&full, &origin, &self.unknown(name, &full)),
        };
        match value {
            Some(value) if value.kind() == expected => {
                self.all.insert(full, Setting { value, origin });
            }
            _ => self.problem(&full, &origin, &format!("`{full}` must be {expected}")),
        }
    }

    /// Says of a name that means nothing what it may have been meant to be.
    fn unknown(&self, name: &[String], full: &str) -> String {
        let names = || self.all.keys().map(String::as_str);
        let sections: BTreeSet<&str> = names().filter_map(|name| Some(name.split_once('.')?.0)).collect();
        let section = name[0].as_str();
        let example = names().find(|known| known.split_once('.').is_some_and(|(of, _)| of == section));
        match (name, example) {
            ([_], Some(example)) => {
                format!("`{section}` is a section, not a setting; its settings have names such as `{example}`")
            }
            ([_, _, ..], None) => {
                format!("there is no section `{section}`{}", lint::hint(section, sections))
            }
            _ => {
                let key = name.last().map(String::as_str).unwrap_or_default();
                let hint = match lint::hint(full, names()) {
                    // The right key in the wrong section, or in none.
                    hint if hint.is_empty() => names()
                        .find(|known| known.rsplit_once('.').is_some_and(|(_, known)| known == key))
                        .map_or(hint, |known| format!("; did you mean `{known}`?")),
                    hint => hint,
                };
                format!("there is no setting `{full}`{hint}")
            }
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
            DeValue::Integer(number) => whole_number(number.as_str(), number.radix()).map(Self::Number),
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
            Self::Number(_) => "a whole number",
            Self::List(_) => "a list of texts",
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Switch(on) => on.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::List(items) => f.write_str(&items.join(", ")),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Environment(variable) => f.write_str(variable),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}

/// Reads a whole number; what is beyond the type becomes its end.
fn whole_number(text: &str, radix: u32) -> Option<i64> {
    i64::from_str_radix(text, radix)
        .or_else(|error| match error.kind() {
            IntErrorKind::PosOverflow => Ok(i64::MAX),
            IntErrorKind::NegOverflow => Ok(i64::MIN),
            _ => Err(error),
        })
        .ok()
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
