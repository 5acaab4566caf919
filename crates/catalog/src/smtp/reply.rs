//! Replies of a mail server (RFC 5321, 4.2), and what they mean to us.

use std::fmt;

use tieline::{Code, Error, error::Retry};

use super::limits::{
    ENCRYPTION_REQUIRED, MAX_REPLY_LINE_BYTES, MAX_REPLY_LINES, MAX_SHOWN_CHARS, SIGN_IN_OR_TLS_REQUIRED,
    SIGN_IN_REFUSED, TRANSIENT,
};

/// One reply, all its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    /// The three digits.
    pub(super) code: u16,
    /// The text of each line, without code.
    pub(super) lines: Vec<String>,
}

/// Why bytes are no reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoReply;

impl Reply {
    /// Takes one reply off the front of `buffer`. Nothing yet when its last line is not there whole.
    pub(super) fn take(buffer: &mut Vec<u8>) -> Result<Option<Self>, NoReply> {
        let mut lines = Vec::new();
        let mut code = None;
        let mut rest = buffer.as_slice();
        while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
            let (line, after) = (&rest[..end], &rest[end + 1..]);
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let (digits, more, text) = read_line(line)?;
            if line.len() > MAX_REPLY_LINE_BYTES
                || lines.len() == MAX_REPLY_LINES
                || code.is_some_and(|code| code != digits)
            {
                return Err(NoReply);
            }
            code = Some(digits);
            lines.push(text);
            rest = after;
            if !more {
                let taken = buffer.len() - rest.len();
                buffer.drain(..taken);
                return Ok(Some(Self { code: digits, lines }));
            }
        }
        if rest.len() > MAX_REPLY_LINE_BYTES {
            Err(NoReply)
        } else {
            Ok(None)
        }
    }

    /// Whether the server did what was asked.
    pub(super) fn is_success(&self) -> bool {
        (200..=299).contains(&self.code)
    }

    /// Whether it may do so later.
    pub(super) fn is_transient(&self) -> bool {
        TRANSIENT.contains(&self.code)
    }

    /// The error that a refusal is. `what` says what was refused, as the beginning of a sentence. A server that refuses
    /// has taken nothing, so the mail may be sent again: to one that greylists, it must be.
    pub(super) fn refused(&self, what: &str) -> Error {
        let (code, retry, mend) = match self.code {
            SIGN_IN_OR_TLS_REQUIRED => (
                Code::UpstreamUnauthorized,
                Retry::Never,
                "It wants a sign-in or TLS first: give user and password, and connect with `secure: true`.",
            ),
            code if SIGN_IN_REFUSED.contains(&code) => (
                Code::UpstreamUnauthorized,
                Retry::Never,
                "Check user and password; some providers want a password made for one application.",
            ),
            ENCRYPTION_REQUIRED => (Code::SmtpTlsRequired, Retry::Never, "Connect with `secure: true`."),
            _ if self.is_transient() => (Code::UpstreamUnavailable, Retry::Backoff, "Try again later."),
            _ => (
                Code::ConnectorActionFailed,
                Retry::Never,
                "The same again will be refused again.",
            ),
        };
        Error::new(code, format!("{what}. The server said: {self}. {mend}"))
            .retry(retry)
            .before_sending()
    }
}

fn read_line(line: &[u8]) -> Result<(u16, bool, String), NoReply> {
    let (digits, rest) = line.split_at_checked(3).ok_or(NoReply)?;
    let code = std::str::from_utf8(digits)
        .ok()
        .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    let code: u16 = code.and_then(|digits| digits.parse().ok()).ok_or(NoReply)?;
    let more = match rest.first() {
        None | Some(b' ') => false,
        Some(b'-') => true,
        Some(_) => return Err(NoReply),
    };
    if !(200..=599).contains(&code) {
        return Err(NoReply);
    }
    let text = String::from_utf8_lossy(rest.get(1..).unwrap_or_default());
    Ok((code, more, text.chars().filter(|letter| !letter.is_control()).collect()))
}

/// Code and last line, cut to a length fit to show.
impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.lines.last().map_or("", |line| line.trim());
        let shown = text
            .char_indices()
            .nth(MAX_SHOWN_CHARS)
            .map_or(text, |(end, _)| &text[..end]);
        write!(f, "{} {shown}", self.code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(text: &str) -> (Result<Option<Reply>, NoReply>, String) {
        let mut buffer = text.as_bytes().to_vec();
        let taken = Reply::take(&mut buffer);
        (taken, String::from_utf8(buffer).unwrap())
    }

    #[test]
    fn one_line_and_many() {
        let (reply, rest) = take("250 2.0.0 Ok\r\n220 next");
        let reply = reply.unwrap().unwrap();
        assert_eq!(
            (reply.code, reply.to_string().as_str(), rest.as_str()),
            (250, "250 2.0.0 Ok", "220 next")
        );
        let (reply, rest) = take("250-mail.example.com\r\n250-STARTTLS\r\n250 SIZE 1000\r\n");
        assert_eq!(
            reply.unwrap().unwrap().lines,
            ["mail.example.com", "STARTTLS", "SIZE 1000"]
        );
        assert_eq!(rest, "");
        assert_eq!(take("250\r\n").0.unwrap().unwrap().lines, [""]);
    }

    #[test]
    fn half_a_reply_waits() {
        for half in ["", "25", "250 Ok", "250-first\r\n", "250-first\r\n250 sec"] {
            assert_eq!(take(half), (Ok(None), half.to_owned()));
        }
    }

    #[test]
    fn what_is_no_reply() {
        let long = format!("250 {}\r\n", "x".repeat(MAX_REPLY_LINE_BYTES));
        let endless = "x".repeat(MAX_REPLY_LINE_BYTES + 1);
        let many = "250-x\r\n".repeat(MAX_REPLY_LINES + 1);
        for text in [
            "HTTP/1.1 200 OK\r\n",
            "25\r\n",
            "250_Ok\r\n",
            "999 x\r\n",
            "+50 x\r\n",
            "250-a\r\n550 b\r\n",
            "\r\n",
            &long,
            &endless,
            &many,
        ] {
            assert_eq!(take(text).0, Err(NoReply), "{text:?}");
        }
    }

    #[test]
    fn meanings() {
        let meaning = |code| {
            let error = Reply {
                code,
                lines: vec!["why".to_owned()],
            }
            .refused("No");
            assert!(error.nothing_sent(), "{code}");
            (error.code(), error.retry_hint())
        };
        assert_eq!(meaning(451), (Code::UpstreamUnavailable, Retry::Backoff));
        assert_eq!(meaning(421), (Code::UpstreamUnavailable, Retry::Backoff));
        assert_eq!(meaning(454), (Code::UpstreamUnavailable, Retry::Backoff));
        assert_eq!(meaning(534), (Code::UpstreamUnauthorized, Retry::Never));
        assert_eq!(meaning(535), (Code::UpstreamUnauthorized, Retry::Never));
        assert_eq!(meaning(538), (Code::SmtpTlsRequired, Retry::Never));
        assert_eq!(meaning(550), (Code::ConnectorActionFailed, Retry::Never));
        assert_eq!(meaning(552), (Code::ConnectorActionFailed, Retry::Never));
    }

    #[test]
    fn who_must_begin_tls_is_not_told_to_check_the_password() {
        let reply = take("530 5.7.0 Must issue a STARTTLS command first\r\n")
            .0
            .unwrap()
            .unwrap();
        let error = reply.refused("The mail server refused the sender");
        assert_eq!(error.code(), Code::UpstreamUnauthorized);
        assert!(error.detail().contains("sign-in or TLS"), "{error}");
        assert!(!error.detail().contains("Check user"), "{error}");
    }

    #[test]
    fn shown_words_are_short_and_plain() {
        let (reply, _) = take(&format!("550 bad\x1b[31m{}\r\n", "y".repeat(1000)));
        let shown = reply.unwrap().unwrap().to_string();
        assert!(shown.len() <= MAX_SHOWN_CHARS + 4 && !shown.contains('\x1b'), "{shown}");
    }
}
