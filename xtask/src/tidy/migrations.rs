//! Migrations come in twins, one for each database, under one number.

use std::collections::BTreeMap;

use super::Finding;
use crate::project::SourceFile;

const MIGRATIONS: &str = "crates/store/migrations/";

/// Badly named or doubled migrations, and those that one database lacks. A database without any has no store yet.
pub(super) fn twins(files: &[SourceFile]) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut databases: BTreeMap<&str, BTreeMap<&str, &str>> = BTreeMap::new();
    for file in files {
        let Some((database, name)) = file.path.strip_prefix(MIGRATIONS).and_then(|path| path.split_once('/')) else {
            continue;
        };
        let Some(number) = number(name) else {
            found.push(Finding::new(&file.path, 1, "a migration is called `V0001__name.sql`"));
            continue;
        };
        if let Some(other) = databases.entry(database).or_default().insert(number, name) {
            found.push(Finding::new(&file.path, 1, format!("has the number of {other}")));
        }
    }
    for (database, migrations) in &databases {
        for (other, others) in &databases {
            for (number, name) in migrations {
                if others.get(number) != Some(name) {
                    let what = format!("has no twin {MIGRATIONS}{other}/{name}");
                    found.push(Finding::new(format!("{MIGRATIONS}{database}/{name}"), 1, what));
                }
            }
        }
    }
    found
}

/// The four digits of `V0001__name.sql`.
fn number(name: &str) -> Option<&str> {
    let (number, rest) = name.strip_prefix('V')?.split_once("__")?;
    let words = rest.strip_suffix(".sql")?;
    let fits = number.len() == 4 && number.bytes().all(|digit| digit.is_ascii_digit()) && !words.is_empty();
    fits.then_some(number)
}

#[cfg(test)]
mod tests {
    use super::{super::tests::file, *};

    fn migrations(names: &[&str]) -> Vec<SourceFile> {
        names
            .iter()
            .map(|name| file(&format!("{MIGRATIONS}{name}"), ""))
            .collect()
    }

    #[test]
    fn twins_and_only_children_of_the_only_database_are_fine() {
        assert_eq!(twins(&migrations(&["sqlite/V0001__a.sql", "sqlite/V0002__b.sql"])), []);
        assert_eq!(
            twins(&migrations(&["sqlite/V0001__a.sql", "postgres/V0001__a.sql"])),
            []
        );
    }

    #[test]
    fn a_lonely_doubled_or_badly_named_migration_is_found() {
        let lonely = twins(&migrations(&[
            "sqlite/V0001__a.sql",
            "sqlite/V0002__b.sql",
            "postgres/V0001__a.sql",
        ]));
        assert_eq!(lonely.len(), 1);
        assert!(lonely[0].what.contains("postgres/V0002__b.sql"));
        assert_eq!(
            twins(&migrations(&["sqlite/V0001__a.sql", "sqlite/V0001__b.sql"])).len(),
            1
        );
        assert_eq!(twins(&migrations(&["sqlite/1-a.sql"])).len(), 1);
    }
}
