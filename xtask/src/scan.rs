//! Looks for the secrets that tests used in what the tests left behind (`tieline-testkit`'s `evidence` says where).

mod forms;
mod needles;

use std::{
    collections::BTreeSet,
    fmt,
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
};

use self::needles::Needles;
use crate::project::root;

/// The list of secrets, in the folder of evidence.
const LIST: &str = "canaries";

/// Folders of the evidence. Each must hold something: a scan that looked at nothing proves nothing.
const ANSWERS: &str = "answers";
const DATABASES: &str = "databases";
const LOGS: &str = "logs";

/// What every SQLite database begins with (its file format, section 1.3).
const SQLITE: &[u8] = b"SQLite format 3\0";

/// Shorter secrets, cut in halves, could be found by chance.
const SHORTEST: usize = 24;

/// A secret to look for.
struct Canary {
    name: String,
    secret: Vec<u8>,
    /// Whether answers may hold it.
    told: bool,
}

/// A secret where none may be.
#[derive(Debug, PartialEq, Eq)]
struct Leak {
    file: PathBuf,
    offset: u64,
    form: &'static str,
    canary: String,
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (file, offset) = (self.file.display(), self.offset);
        write!(f, "{file}: the {} ({}) at byte {offset}", self.canary, self.form)
    }
}

/// What was looked at.
#[derive(Debug, Default)]
struct Seen {
    files: usize,
    bytes: u64,
    databases: usize,
    logs: usize,
    answers: usize,
}

/// Scans the evidence in this folder, or where tests put it unless they are told otherwise.
pub(crate) fn run(folder: &[&str]) -> Result<(), String> {
    let evidence = match folder {
        [] => root()?.join("target/test-evidence"),
        [folder] => PathBuf::from(folder),
        _ => return Err("scan: one folder at a time".to_owned()),
    };
    println!("{}", scan(&evidence)?);
    Ok(())
}

/// Scans a folder of evidence; answers what was looked at, or what is wrong.
fn scan(evidence: &Path) -> Result<String, String> {
    let list = evidence.join(LIST);
    let text = fs::read_to_string(&list).map_err(|error| {
        format!(
            "scan: {}: {error}. `make test` leaves what there is to scan.",
            list.display()
        )
    })?;
    let canaries = parse(&text)?;
    let (leaks, seen) = walk(evidence, &canaries).map_err(|error| format!("scan: {}: {error}", evidence.display()))?;
    for (what, count) in [
        ("secret", canaries.len()),
        ("database", seen.databases),
        ("log", seen.logs),
        ("answer", seen.answers),
    ] {
        if count == 0 {
            let folder = evidence.display();
            return Err(format!("scan: the tests left no {what} in {folder}: nothing is proven"));
        }
    }
    if leaks.is_empty() {
        return Ok(format!(
            "scan: none of {} secrets in {} files ({} MB): {} databases, {} logs, {} answers",
            canaries.len(),
            seen.files,
            seen.bytes / 1_000_000,
            seen.databases,
            seen.logs,
            seen.answers
        ));
    }
    let lines: Vec<String> = leaks.iter().map(|leak| format!("  {leak}")).collect();
    Err(format!("scan: secrets where none may be:\n{}", lines.join("\n")))
}

/// Reads the list: on each line where the secret may be shown (`never`, `answers`), its name, its bytes in hexadecimal.
fn parse(text: &str) -> Result<Vec<Canary>, String> {
    text.lines()
        .enumerate()
        .map(|(index, line)| {
            // The line itself is not shown: it holds a secret.
            let wrong = |what: &str| format!("scan: line {} of the list of secrets {what}", index + 1);
            let mut columns = line.split('\t');
            let told = match columns.next() {
                Some("never") => false,
                Some("answers") => true,
                _ => return Err(wrong("says neither `never` nor `answers` first")),
            };
            let name = columns.next().ok_or_else(|| wrong("has no name"))?.to_owned();
            let secret = columns.next().and_then(from_hex);
            let secret = secret.ok_or_else(|| wrong("has no bytes in hexadecimal"))?;
            if secret.len() < SHORTEST {
                return Err(format!(
                    "scan: the {name} has fewer than {SHORTEST} bytes: chance could make it"
                ));
            }
            Ok(Canary { name, secret, told })
        })
        .collect()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

fn walk(evidence: &Path, canaries: &[Canary]) -> std::io::Result<(Vec<Leak>, Seen)> {
    let all = Needles::new(canaries.iter().map(|canary| canary.secret.as_slice()));
    let mut files = Vec::new();
    collect(evidence, &mut files)?;
    files.sort();
    let (mut leaks, mut seen) = (Vec::new(), Seen::default());
    for path in files {
        let inside = path.strip_prefix(evidence).unwrap_or(&path).to_path_buf();
        if inside == Path::new(LIST) {
            continue;
        }
        let is_answer = inside.starts_with(ANSWERS);
        let mut reported = BTreeSet::new();
        let (mut file, mut head) = (File::open(&path)?, Vec::new());
        file.by_ref().take(SQLITE.len() as u64).read_to_end(&mut head)?;
        let bytes = all.find(head.as_slice().chain(file), |offset, owner, form| {
            let canary = &canaries[owner];
            if !(canary.told && is_answer) && reported.insert(owner) {
                leaks.push(Leak {
                    file: inside.clone(),
                    offset,
                    form,
                    canary: canary.name.clone(),
                });
            }
        })?;
        seen.files += 1;
        seen.bytes += bytes;
        seen.answers += usize::from(is_answer && bytes > 0);
        seen.logs += usize::from(inside.starts_with(LOGS) && bytes > 0);
        seen.databases += usize::from(inside.starts_with(DATABASES) && head == SQLITE);
    }
    Ok((leaks, seen))
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), found)?;
        } else if entry.file_type()?.is_file() {
            found.push(entry.path());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    const SECRET: &str = "first-half-6b0c1/+and-second-half-77";
    const KEY: &str = "sk_0123456789abcdef0123456789abcdef";

    /// Evidence of one secret that is never told and one that answers may hold, without a leak.
    fn evidence() -> TempDir {
        let dir = TempDir::new().unwrap();
        let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
        let list = format!("never\ttoken\t{}\nanswers\tkey\t{}\n", hex(SECRET), hex(KEY));
        put(&dir, LIST, &list);
        put(&dir, "databases/one/tieline.db", "SQLite format 3\0 and pages");
        put(&dir, "logs/one", "INFO started\n");
        put(&dir, "answers/one", &format!("200 {{\"key\":\"{KEY}\"}}\n"));
        dir
    }

    fn put(dir: &TempDir, path: &str, text: &str) {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn e8_clean_evidence_passes_and_says_what_it_was() {
        let told = scan(evidence().path()).unwrap();
        assert!(told.contains("none of 2 secrets in 3 files"), "{told}");
    }

    #[test]
    fn e8_a_secret_is_found_anywhere_and_not_repeated_in_the_report() {
        for file in [
            "databases/one/tieline.db",
            "databases/one/tieline.db-wal-kept",
            "logs/two",
            "answers/one",
            "elsewhere",
        ] {
            let dir = evidence();
            put(&dir, file, &format!("xxxx{SECRET} {SECRET}"));
            // Written over or not, the database is one.
            put(&dir, "databases/two/tieline.db", "SQLite format 3\0");
            let told = scan(dir.path()).unwrap_err();
            let lines: Vec<&str> = told.lines().skip(1).collect();
            assert_eq!(lines, [format!("  {file}: the token (raw) at byte 4")]);
            assert!(!told.contains(&SECRET[..8]), "{told}");
        }
    }

    #[test]
    fn e8_half_a_secret_is_found() {
        for half in [&SECRET[..SECRET.len() / 2], &SECRET[SECRET.len() / 2..]] {
            let dir = evidence();
            put(&dir, "logs/one", &format!("cut {half}…"));
            assert!(scan(dir.path()).unwrap_err().contains("the token (raw)"), "{half}");
        }
    }

    #[test]
    fn k1_a_key_may_stand_in_answers_only() {
        for (file, allowed) in [("answers/two", true), ("logs/two", false), ("databases/one/x", false)] {
            let dir = evidence();
            put(&dir, file, KEY);
            assert_eq!(scan(dir.path()).is_ok(), allowed, "{file}");
        }
    }

    #[test]
    fn a_scan_of_nothing_fails() {
        for (file, missing) in [
            ("databases/one/tieline.db", "no database"),
            ("logs/one", "no log"),
            ("answers/one", "no answer"),
            (LIST, "no secret"),
        ] {
            let dir = evidence();
            put(&dir, file, "");
            let told = scan(dir.path()).unwrap_err();
            assert!(told.contains(missing), "{told}");
        }
        let dir = evidence();
        fs::remove_file(dir.path().join(LIST)).unwrap();
        assert!(scan(dir.path()).unwrap_err().contains("make test"));
    }

    #[test]
    fn a_list_that_cannot_be_read_or_trusted_fails_without_showing_it() {
        for list in [
            "sometimes\ttoken\t00",
            "never",
            "never\ttoken",
            "never\ttoken\t6g",
            "never\ttoken\t6162",
        ] {
            let dir = evidence();
            put(&dir, LIST, list);
            let told = scan(dir.path()).unwrap_err();
            assert!(!told.contains("\t") && !told.contains("6162"), "{told}");
        }
    }
}
