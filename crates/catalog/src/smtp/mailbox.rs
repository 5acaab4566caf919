//! Addresses as people write them: `ada@example.com`, `Ada <ada@example.com>`, several with commas between.

use lettre::{Address, message::Mailbox};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tieline::{Code, Error, Result};

use super::limits::MAX_HEADER_BYTES;

/// One or several mailboxes: a text (commas between them), or a list of texts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "OneOrMany", into = "Vec<String>")]
#[schemars(with = "OneOrMany")]
pub struct Mailboxes(Vec<String>);

/// A mailbox, several with commas between, or a list of them.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl Mailboxes {
    /// Whether nobody is named.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads them all; `pointer` says where they stand in the input.
    pub(super) fn parse(&self, pointer: &str) -> Result<Vec<Mailbox>> {
        let mut mailboxes = Vec::new();
        for text in &self.0 {
            for one in split(text) {
                mailboxes.push(parse(one, pointer)?);
            }
        }
        Ok(mailboxes)
    }
}

impl From<OneOrMany> for Mailboxes {
    fn from(given: OneOrMany) -> Self {
        match given {
            OneOrMany::One(text) => Self(vec![text]),
            OneOrMany::Many(texts) => Self(texts),
        }
    }
}

impl From<Mailboxes> for Vec<String> {
    fn from(mailboxes: Mailboxes) -> Self {
        mailboxes.0
    }
}

impl From<&str> for Mailboxes {
    fn from(text: &str) -> Self {
        Self(vec![text.to_owned()])
    }
}

impl From<String> for Mailboxes {
    fn from(text: String) -> Self {
        Self(vec![text])
    }
}

impl From<Vec<String>> for Mailboxes {
    fn from(texts: Vec<String>) -> Self {
        Self(texts)
    }
}

/// Reads one mailbox, whole: what is left over is an error, not ignored.
pub(super) fn parse(text: &str, pointer: &str) -> Result<Mailbox> {
    let text = text.trim();
    if text.len() > MAX_HEADER_BYTES || text.chars().any(char::is_control) {
        return Err(wrong(
            pointer,
            "holds a line break or control character, or is too long",
        ));
    }
    let (name, address) = match text.strip_suffix('>').and_then(|rest| rest.rsplit_once('<')) {
        Some((name, address)) => (display_name(name.trim(), pointer)?, address),
        None => (None, text),
    };
    let address = ascii_domain(address).and_then(|address| address.parse().ok());
    let address: Address = address.ok_or_else(|| wrong(pointer, "is not a mail address such as ada@example.com"))?;
    Ok(Mailbox::new(name, address))
}

fn display_name(name: &str, pointer: &str) -> Result<Option<String>> {
    if name.is_empty() {
        return Ok(None);
    }
    let Some(quoted) = name.strip_prefix('"') else {
        // Unquoted, these would make another header than the caller wrote.
        if name.contains(['<', '>', '"']) {
            return Err(wrong(pointer, "has a name with <, > or \"; put the name in quotes"));
        }
        return Ok(Some(name.to_owned()));
    };
    let mut plain = String::new();
    let mut letters = quoted.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => plain.extend(letters.next()),
            '"' if letters.as_str().is_empty() => return Ok(Some(plain)),
            '"' => break,
            other => plain.push(other),
        }
    }
    Err(wrong(pointer, "has a name whose quotes do not match"))
}

/// The address with its domain in the form that mail servers look up (RFC 5891).
fn ascii_domain(address: &str) -> Option<String> {
    let (local, domain) = address.rsplit_once('@')?;
    if domain.is_ascii() {
        return Some(address.to_owned());
    }
    match url::Host::parse(domain).ok()? {
        url::Host::Domain(domain) => Some(format!("{local}@{domain}")),
        url::Host::Ipv4(_) | url::Host::Ipv6(_) => None,
    }
}

/// Splits at commas outside quotes and angle brackets, dropping empty stretches.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut start) = (Vec::new(), 0);
    let (mut quoted, mut escaped, mut angled) = (false, false, false);
    for (index, letter) in text.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '<' if !quoted => angled = true,
            '>' if !quoted => angled = false,
            ',' if !quoted && !angled => {
                parts.push(&text[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts.retain(|part| !part.trim().is_empty());
    parts
}

fn wrong(pointer: &str, what: &str) -> Error {
    Error::new(
        Code::ConnectorActionInputInvalid,
        format!("A mailbox in `{}` {what}.", pointer.trim_start_matches('/')),
    )
    .field(pointer, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(Option<String>, String)> {
        let mailboxes = Mailboxes::from(text).parse("/to").unwrap();
        mailboxes
            .into_iter()
            .map(|mailbox| (mailbox.name, mailbox.email.to_string()))
            .collect()
    }

    #[test]
    fn names_and_commas() {
        assert_eq!(read("a@example.com"), [(None, "a@example.com".to_owned())]);
        assert_eq!(
            read("Ada L. <a@example.com>, \"Hopper, \\\"Grace\\\"\" <g@example.com>,b@example.com,"),
            [
                (Some("Ada L.".to_owned()), "a@example.com".to_owned()),
                (Some("Hopper, \"Grace\"".to_owned()), "g@example.com".to_owned()),
                (None, "b@example.com".to_owned()),
            ]
        );
    }

    #[test]
    fn domains_become_ascii() {
        assert_eq!(read("a@bücher.example"), [(None, "a@xn--bcher-kva.example".to_owned())]);
    }

    /// F3: addresses are read whole and hold no line breaks.
    #[test]
    fn f3_nothing_is_left_over() {
        for text in [
            "",
            "nobody",
            "a@example.com b@example.com",
            "a@example.com\r\nBcc: b@example.com",
            "Ada\r\nBcc: b@example.com <a@example.com>",
            "a@example.com\0",
            "Ada <a@example.com> trailing",
            "Ada <a@example.com",
            "<a@example.com>>",
            "a@example.com>\u{a0}SIZE=1",
            "\"Ada <a@example.com>",
            "\"Ada\" Lovelace <a@example.com>",
            "<x> <a@example.com>",
            "a@exa mple.com",
        ] {
            let error = parse(text, "/to").expect_err(text);
            assert_eq!(error.code(), Code::ConnectorActionInputInvalid, "{text:?}");
            assert_eq!(error.fields()[0].pointer, "/to");
        }
    }

    proptest::proptest! {
        /// F3: what is read as a mailbox can stand in an envelope and in a header.
        #[test]
        fn f3_any_text_is_a_mailbox_or_refused(text in "[a-z@<>\", .\\r\n\\[\\]:;()é\u{a0}-]{0,30}|\\PC{0,30}") {
            for one in split(&text) {
                if let Ok(mailbox) = parse(one, "/to") {
                    let address = mailbox.email.to_string();
                    proptest::prop_assert!(!address.chars().any(char::is_control), "{address:?}");
                    let quoted = mailbox.email.user().starts_with('"');
                    proptest::prop_assert!(quoted || !address.contains([' ', '<', '>', ',']), "{address:?}");
                }
            }
        }
    }

    #[test]
    fn json_text_or_list() {
        let one: Mailboxes = serde_json::from_str(r#""a@example.com""#).unwrap();
        let many: Mailboxes = serde_json::from_str(r#"["a@example.com"]"#).unwrap();
        assert_eq!(one, many);
        assert_eq!(serde_json::to_string(&one).unwrap(), r#"["a@example.com"]"#);
    }
}
