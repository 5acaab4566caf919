//! Settings as they may be shown.

use std::path::Path;

use super::{Config, Value, is_set, settings::Settings};

/// The settings that name where a key or a passphrase lies. People put the secret itself there.
const PLACES_OF_SECRETS: [(&str, Named); 4] = [
    ("master_key.env", Named::Variable),
    ("master_key.file", Named::File),
    ("master_key.passphrase_env", Named::Variable),
    ("master_key.passphrase_file", Named::File),
];

/// What such a setting names.
#[derive(Clone, Copy)]
enum Named {
    Variable,
    File,
}

impl Config {
    /// A setting's value as it may be shown: what should name a file or a variable, and names none, may be the secret itself.
    pub fn shown(&self, name: &str) -> Value {
        let setting = &self.settings[name];
        let place = PLACES_OF_SECRETS.iter().find(|(place, _)| *place == name);
        let (Value::Text(text), Some((_, named))) = (&setting.value, place) else {
            return setting.value.clone();
        };
        let absent = match named {
            Named::Variable => (!is_set(text)).then_some("(not shown: no such variable is set)"),
            Named::File => (!Path::new(text).exists()).then_some("(not shown: there is no such file)"),
        };
        match absent {
            Some(instead) if !text.is_empty() && !is_default(name, &setting.value) => Value::Text(instead.to_owned()),
            _ => setting.value.clone(),
        }
    }
}

fn is_default(name: &str, value: &Value) -> bool {
    Settings::defaults()
        .all
        .get(name)
        .is_some_and(|default| default.value == *value)
}
