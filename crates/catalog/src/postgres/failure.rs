//! What goes wrong with a database, and what it means for our caller.

use fallible_iterator::FallibleIterator as _;
use postgres_protocol::message::backend::ErrorFields;
use tieline::{Code, Error, error::Retry};

use super::{limits::MAX_SHOWN_CHARS, sql};

/// Why a conversation did not go on.
pub(super) enum Trouble {
    /// Our patience is over.
    Late,
    /// The connection broke.
    Broken(std::io::ErrorKind),
    /// The server sends more than we read.
    TooLarge,
    /// The server says what it may not.
    Odd(&'static str),
    /// The server says no.
    Refused(Refusal),
    /// We say no.
    Ours(Error),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

impl From<std::io::Error> for Trouble {
    fn from(error: std::io::Error) -> Self {
        Self::Broken(error.kind())
    }
}

impl Trouble {
    /// What says more than any sign-in takes is another kind of server.
    pub(super) fn at_sign_in(self) -> Self {
        match self {
            Self::TooLarge => Self::Odd("it says more than a sign-in takes"),
            other => other,
        }
    }

    /// The error for our caller. `said` are the texts that the caller's values were sent as: none is repeated.
    pub(super) fn into_error(self, said: &[Option<String>]) -> Error {
        match self {
            Self::Ours(error) => error,
            Self::Refused(refusal) => refusal.into_error(said),
            Self::Late => Error::new(
                Code::UpstreamTimeout,
                "The database did not answer in the call's time. A longer `timeout` may help; the most are 120000 ms.",
            )
            .retry(Retry::Backoff),
            Self::Broken(kind) => Error::new(
                Code::UpstreamUnavailable,
                "The connection to the database broke. Try again; if it breaks again, ask who runs the database.",
            )
            .retry(Retry::Backoff)
            .caused_by(kind.to_string()),
            Self::TooLarge => Error::new(
                Code::UpstreamAnswerTooLarge,
                "The database answers with more than 8 MiB: ask for fewer rows or columns.",
            ),
            Self::Odd(what) => Error::new(
                Code::UpstreamAnswerInvalid,
                format!("The server does not speak as PostgreSQL does: {what}. Check host and port."),
            ),
        }
    }
}

/// An error of the server: its code and its sentence. What it adds (`DETAIL`, `CONTEXT`, `QUERY`) holds the data of rows
/// and is never read.
pub(super) struct Refusal {
    /// SQLSTATE (PostgreSQL, Appendix A).
    state: String,
    message: String,
    /// The character of the statement that it is about, counted from 1.
    position: Option<String>,
}

impl Refusal {
    pub(super) fn of(mut fields: ErrorFields<'_>) -> Self {
        let mut refusal = Self {
            state: String::new(),
            message: String::new(),
            position: None,
        };
        while let Ok(Some(field)) = fields.next() {
            let text = || String::from_utf8_lossy(field.value_bytes()).into_owned();
            match field.type_() {
                b'C' => refusal.state = text(),
                b'M' => refusal.message = text(),
                b'P' => refusal.position = Some(text()).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit())),
                _ => {}
            }
        }
        if refusal.state.len() != 5 || !refusal.state.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            refusal.state = "XX000".to_owned();
        }
        refusal
    }

    /// Whether the text of a statement could not be read.
    pub(super) fn is_syntax(&self) -> bool {
        self.state == "42601"
    }

    pub(super) fn into_error(self, said: &[Option<String>]) -> Error {
        let (state, words) = (self.state.as_str(), self.words(said));
        let (code, what, retry) = match (state, &state[..2]) {
            ("25006", _) => (
                Code::ConnectionReadOnly,
                "The statement would write, and here it may only read. Use `execute` over a connection with `readOnly: false`.",
                Retry::Never,
            ),
            ("57014", _) => (
                Code::UpstreamTimeout,
                "The statement was cancelled: it took too long. A longer `timeout` may help; the most are 120000 ms.",
                Retry::Backoff,
            ),
            (_, "28") => (
                Code::UpstreamUnauthorized,
                "The database refused the user or the password, or lets this user in only from elsewhere.",
                Retry::Never,
            ),
            ("40001" | "40P01" | "55P03", _) => (
                Code::UpstreamUnavailable,
                "Other transactions stood in the way, and nothing was changed: try again.",
                Retry::Backoff,
            ),
            (_, "08" | "53" | "57" | "58") => (
                Code::UpstreamUnavailable,
                "The database is in trouble: try again later.",
                Retry::Backoff,
            ),
            _ => (
                Code::ConnectorActionFailed,
                "The database refused it, and nothing was changed.",
                Retry::Never,
            ),
        };
        let at = self
            .position
            .map(|position| format!(", at character {position}"))
            .unwrap_or_default();
        let detail = format!("{what} It said: {words} (SQLSTATE {state}{at})");
        Error::new(code, detail).retry(retry).context("sqlstate", &self.state)
    }

    /// The server's words without values: those of data that does not fit (class 22) stand in quotation marks, and no
    /// value of the input is repeated wherever it stands.
    fn words(&self, said: &[Option<String>]) -> String {
        let mut words = self.message.clone();
        if self.state.starts_with("22") {
            words = without_quoted(&words);
        }
        let mut values: Vec<&str> = said
            .iter()
            .flatten()
            .map(String::as_str)
            .filter(|text| text.len() >= 3)
            .collect();
        // A value that holds another goes first.
        values.sort_by_key(|text| std::cmp::Reverse(text.len()));
        for value in values {
            words = words.replace(value, "…");
        }
        let plain = words
            .chars()
            .map(|letter| if letter.is_control() { ' ' } else { letter });
        plain.take(MAX_SHOWN_CHARS).collect()
    }
}

/// From the first quotation mark to the last: what stands between may hold some itself.
fn without_quoted(text: &str) -> String {
    match (text.find('"'), text.rfind('"')) {
        (Some(begin), Some(end)) if begin < end => format!("{}…{}", &text[..=begin], &text[end..]),
        _ => text.to_owned(),
    }
}

/// A statement that the server could not read because it is several.
pub(super) fn several(text: &str, refusal: &Refusal) -> Option<Error> {
    (refusal.is_syntax() && sql::is_several(text)).then(|| {
        let why = "holds several statements";
        let detail = format!("Nothing was run: `sql` {why}, and a call runs one. Send them one by one.");
        Error::new(Code::ConnectorActionInputInvalid, detail).field("/sql", why)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(state: &str, message: &str) -> Refusal {
        Refusal {
            state: state.to_owned(),
            message: message.to_owned(),
            position: None,
        }
    }

    #[test]
    fn every_class_has_its_code() {
        for (state, code, retry) in [
            ("28P01", Code::UpstreamUnauthorized, Retry::Never),
            ("28000", Code::UpstreamUnauthorized, Retry::Never),
            ("3D000", Code::ConnectorActionFailed, Retry::Never),
            ("42P01", Code::ConnectorActionFailed, Retry::Never),
            ("42501", Code::ConnectorActionFailed, Retry::Never),
            ("23505", Code::ConnectorActionFailed, Retry::Never),
            ("25006", Code::ConnectionReadOnly, Retry::Never),
            ("40001", Code::UpstreamUnavailable, Retry::Backoff),
            ("40P01", Code::UpstreamUnavailable, Retry::Backoff),
            ("53300", Code::UpstreamUnavailable, Retry::Backoff),
            ("57014", Code::UpstreamTimeout, Retry::Backoff),
            ("57P03", Code::UpstreamUnavailable, Retry::Backoff),
            ("08006", Code::UpstreamUnavailable, Retry::Backoff),
        ] {
            let error = refusal(state, "words").into_error(&[]);
            assert_eq!((error.code(), error.retry_hint()), (code, retry), "{state}");
            assert!(error.detail().contains(state) && error.detail().contains("words"));
        }
    }

    #[test]
    fn r3_values_are_not_repeated() {
        let said = [Some("4111-1111".to_owned()), None, Some("7".to_owned())];
        for (state, message, shown) in [
            (
                "22P02",
                "invalid input syntax for type integer: \"4111-\"quoted\"-1111\"",
                "invalid input syntax for type integer: \"…\"",
            ),
            ("P0001", "no card 4111-1111 of 7", "no card … of 7"),
            (
                "42P01",
                "relation \"cards\" does not exist",
                "relation \"cards\" does not exist",
            ),
        ] {
            let error = refusal(state, message).into_error(&said);
            assert!(error.detail().contains(&format!("It said: {shown} (")), "{error}");
        }
    }
}
