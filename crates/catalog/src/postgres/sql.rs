//! What can be told of a statement before the server reads it.
//!
//! This is no parser. The server is told by the protocol that it gets one statement, and by the transaction that it may not
//! write; here a statement's first word is judged, which keeps out what is neither reading nor writing of tables.

use tieline::{Code, Error, Result};

use super::limits::{MAX_NAME_BYTES, MAX_SQL_BYTES};

/// What a statement is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Read,
    Write,
}

/// Statements that read. Of their forms that write (`WITH … INSERT`, `SELECT … INTO`) the transaction keeps watch.
const READS: &[&str] = &["EXPLAIN", "SELECT", "SHOW", "TABLE", "VALUES", "WITH"];

/// Statements that write. Not among them: those that end or begin transactions, `COPY`, which may write files and run
/// programs, and those that change the session, which ends with the call.
const WRITES: &[&str] = &[
    "ALTER", "ANALYZE", "CALL", "COMMENT", "CREATE", "DELETE", "DO", "DROP", "GRANT", "INSERT", "MERGE", "REFRESH",
    "REINDEX", "REVOKE", "TRUNCATE", "UPDATE",
];

/// Refuses what is no statement of this kind.
pub(super) fn check(sql: &str, kind: Kind) -> Result<()> {
    if sql.len() > MAX_SQL_BYTES {
        return Err(refused("is longer than 1 MiB"));
    }
    if sql.contains('\0') {
        return Err(refused("holds U+0000, which no text of PostgreSQL can"));
    }
    let word = first_word(sql).to_ascii_uppercase();
    let reads = READS.contains(&word.as_str());
    match kind {
        _ if word.is_empty() => Err(refused("holds no statement")),
        Kind::Read if reads => Ok(()),
        Kind::Read if WRITES.contains(&word.as_str()) => Err(refused(&format!(
            "begins with {word}, which is not reading: `query` takes {}. Use `execute`",
            READS.join(", ")
        ))),
        Kind::Write if reads || WRITES.contains(&word.as_str()) => Ok(()),
        _ => Err(refused(&format!(
            "begins with {}, which is neither reading nor writing of tables: `query` takes {}, and `execute` {} besides",
            shown(&word),
            READS.join(", "),
            WRITES.join(", ")
        ))),
    }
}

fn shown(word: &str) -> String {
    word.chars().take(20).collect()
}

fn refused(why: &str) -> Error {
    Error::new(
        Code::ConnectorActionInputInvalid,
        format!("The statement was not sent: `sql` {why}."),
    )
    .field("/sql", why)
    .before_sending()
}

/// The first word, behind space, comments and opening brackets.
fn first_word(sql: &str) -> &str {
    let mut rest = sql;
    loop {
        rest =
            rest.trim_start_matches(|letter: char| letter.is_ascii_whitespace() || letter == '(' || letter == '\x0b');
        match comment(rest) {
            Some(length) => rest = &rest[length..],
            None => break,
        }
    }
    let end = rest
        .find(|letter: char| !letter.is_ascii_alphabetic())
        .unwrap_or(rest.len());
    &rest[..end]
}

/// How long the comment is that stands here, if one does. Those in `/* */` lie inside each other.
fn comment(text: &str) -> Option<usize> {
    if text.starts_with("--") {
        return Some(text.find(['\n', '\r']).unwrap_or(text.len()));
    }
    if !text.starts_with("/*") {
        return None;
    }
    let (mut depth, mut at) = (0_usize, 0);
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest.starts_with(b"*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return Some(at);
            }
        } else {
            at += 1;
        }
    }
    Some(text.len())
}

/// Whether a text that the server could not read holds several statements. Only to say it better: the server has refused
/// it already.
pub(super) fn is_several(sql: &str) -> bool {
    let mut rest = sql;
    let mut ended = false;
    while let Some(letter) = rest.chars().next() {
        let length = match letter {
            ';' => {
                ended = true;
                1
            }
            '\'' | '"' => quoted(rest, letter),
            '$' => dollar_quoted(rest).unwrap_or(1),
            _ => match comment(rest) {
                Some(length) => {
                    rest = &rest[length..];
                    continue;
                }
                None => letter.len_utf8(),
            },
        };
        if ended && letter != ';' && !letter.is_whitespace() {
            return true;
        }
        rest = &rest[length..];
    }
    false
}

fn quoted(text: &str, mark: char) -> usize {
    text[1..].find(mark).map_or(text.len(), |end| end + 2)
}

/// `$tag$ … $tag$`
fn dollar_quoted(text: &str) -> Option<usize> {
    let tag = &text[..text[1..].find('$')? + 2];
    let inner = &tag[1..tag.len() - 1];
    if inner.starts_with(|letter: char| letter.is_ascii_digit())
        || !inner.chars().all(|letter| letter.is_alphanumeric() || letter == '_')
    {
        return None;
    }
    let end = text[tag.len()..].find(tag)?;
    Some(tag.len() + end + tag.len())
}

/// An identifier as SQL reads it back letter for letter.
pub(super) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Whether a name can be an identifier at all.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= MAX_NAME_BYTES && !name.contains('\0')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn q2_the_first_word_is_judged() {
        for sql in [
            "SELECT 1",
            " \n\t( (select 1))",
            "-- a\nwith x AS (SELECT 1) TABLE x",
            "/* a /* b */ c */ Values (1)",
            "table t",
            "EXPLAIN SELECT 1",
            "show server_version",
        ] {
            assert!(
                check(sql, Kind::Read).is_ok() && check(sql, Kind::Write).is_ok(),
                "{sql}"
            );
        }
        for sql in [
            "INSERT INTO t VALUES (1)",
            "/**/update t SET a = 1",
            "DO $$ BEGIN END $$",
            "call p()",
        ] {
            assert!(
                check(sql, Kind::Read).is_err() && check(sql, Kind::Write).is_ok(),
                "{sql}"
            );
        }
        for sql in [
            "",
            " -- nothing",
            "/* open",
            ";",
            "1",
            "\"select\"",
            "COPY t TO PROGRAM 'id'",
            "copy t FROM STDIN",
            "BEGIN",
            "commit",
            "ROLLBACK",
            "START TRANSACTION READ WRITE",
            "SET transaction_read_only = off",
            "RESET ALL",
            "PREPARE TRANSACTION 'x'",
            "EXECUTE x",
            "LISTEN x",
            "LOAD 'x'",
            "SELECTED",
            "SELECT 1\0",
        ] {
            for kind in [Kind::Read, Kind::Write] {
                let error = check(sql, kind).unwrap_err();
                assert_eq!(error.fields()[0].pointer, "/sql", "{sql}");
                assert!(error.nothing_sent());
            }
        }
    }

    #[test]
    fn q2_several_statements_are_known() {
        for sql in [
            "SELECT 1; DROP TABLE t",
            ";SELECT 1",
            "SELECT ';' ; x",
            "SELECT $a$;$a$;SELECT 1",
        ] {
            assert!(is_several(sql), "{sql}");
        }
        for sql in [
            "SELECT 1",
            "SELECT 1;",
            "SELECT 1 ; -- the end; of it",
            "SELECT ';', \";\", $$;$$, $a$ ; $$ ; $a$",
            "SELECT 'a''; b'",
            "SELECT 1 /* ; a */",
            "SELECT $1",
        ] {
            assert!(!is_several(sql), "{sql}");
        }
    }

    #[test]
    fn q2_identifiers_are_quoted() {
        for (name, quoted) in [
            ("a", r#""a""#),
            ("A b", r#""A b""#),
            (r#"a"b"#, r#""a""b""#),
            (r#""; DROP TABLE t; --"#, r#""""; DROP TABLE t; --""#),
        ] {
            assert_eq!(quote(name), quoted);
        }
        assert!(is_name("ü b") && !is_name("") && !is_name("a\0b") && !is_name(&"x".repeat(256)));
    }
}
