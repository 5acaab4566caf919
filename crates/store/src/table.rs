//! The table of an adapter: a name of the embedding program's choosing, and the statements over it.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use tieline::{Code, Error, Result};

use crate::limits::MAX_TABLE_NAME_BYTES;

/// The table's name, unless given.
pub(crate) const DEFAULT_TABLE: &str = "tieline_connections";

/// Stands for the table's name in the text of a statement.
const PLACE: &str = "{table}";

/// A name that may stand in a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TableName(String);

impl TableName {
    /// Letters, digits and underscores of ASCII, not beginning with a digit. Nothing else, so that the name says the same in
    /// every database, quoted or not, but for the case of its letters.
    ///
    /// # Errors
    /// `CONFIG_INVALID`.
    pub(crate) fn parse(name: &str) -> Result<Self> {
        let begins = name.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_');
        let goes_on = name
            .bytes()
            .all(|letter| letter.is_ascii_alphanumeric() || letter == b'_');
        let is_ours = !name.to_ascii_lowercase().starts_with("sqlite_");
        if begins && goes_on && is_ours && name.len() <= MAX_TABLE_NAME_BYTES {
            return Ok(Self(name.to_owned()));
        }
        Err(Error::new(
            Code::ConfigInvalid,
            format!(
                "The name of the adapter's table is not usable: it has letters, digits and underscores, begins with no digit \
                 and not with `sqlite_`, and has {MAX_TABLE_NAME_BYTES} characters at most, such as `integrations`."
            ),
        ))
    }

    /// As it was given.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// A statement over this table. Statements are constants everywhere in this crate (Q1). This one is a constant with a
    /// checked name in it, made once for each name and kept for good: names are the program's own words, and few.
    pub(crate) fn statement(&self, text: &'static str) -> &'static str {
        static MADE: Mutex<BTreeMap<(String, &'static str), &'static str>> = Mutex::new(BTreeMap::new());
        let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
        made.entry((self.0.clone(), text))
            .or_insert_with(|| Box::leak(text.replace(PLACE, &format!("\"{}\"", self.0)).into_boxed_str()))
    }
}

/// Says that a table is there and has other columns than it should.
pub(crate) fn unfit(table: &TableName, why: &Error) -> Error {
    Error::new(
        Code::ConfigInvalid,
        format!(
            "The table `{}` is there and does not have the columns that an adapter needs: make it as the documentation of the \
             adapter says, or choose another name.",
            table.as_str()
        ),
    )
    .caused_by(format!("{why:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn q1_only_plain_names_come_into_a_statement() {
        for name in [
            "integrations",
            "_x",
            "Connector",
            "t1",
            &"x".repeat(MAX_TABLE_NAME_BYTES),
        ] {
            let table = TableName::parse(name).unwrap();
            let statement = table.statement("SELECT 1 FROM {table}");
            assert_eq!(statement, format!("SELECT 1 FROM \"{name}\""));
            assert!(
                std::ptr::eq(statement, table.statement("SELECT 1 FROM {table}")),
                "made once"
            );
        }
        for name in [
            "",
            "1x",
            "a b",
            "a\"b",
            "a;DROP TABLE x",
            "main.x",
            "é",
            "x\0",
            "sqlite_master",
            "SQLITE_x",
            "{table}",
            &"x".repeat(MAX_TABLE_NAME_BYTES + 1),
        ] {
            assert_eq!(
                TableName::parse(name).unwrap_err().code(),
                Code::ConfigInvalid,
                "{name:?}"
            );
        }
    }
}
