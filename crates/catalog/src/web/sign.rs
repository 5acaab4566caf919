//! What credentials add to a request. Values are slots that are filled just before sending.

use tieline_manifest::request::{Encode, Part, Request, SecretRef, Slot, Text};

/// What is added.
#[derive(Default)]
pub(crate) struct Sign<'a> {
    headers: Vec<(String, Text)>,
    query: Vec<(&'a str, Text)>,
    /// A key at the top of the body, and the secret that is its value.
    pub(super) body: Option<(&'a str, String)>,
}

impl<'a> Sign<'a> {
    /// `Authorization: Bearer …`
    pub(crate) fn bearer(self, secret: &str) -> Self {
        let mut value = Text::literal("Bearer ");
        value.append(slot(secret, Encode::Raw));
        self.header("authorization", value)
    }

    /// `Authorization: Basic …` (RFC 7617). Without a secret, the password is empty.
    pub(crate) fn basic(self, username: &str, secret: Option<&str>) -> Self {
        let mut parts = vec![Part::Literal(format!("{username}:"))];
        parts.extend(secret.map(|secret| Part::Secret(SecretRef::Config(secret.to_owned()))));
        let mut value = Text::literal("Basic ");
        value.push_slot(Slot {
            parts,
            encode: Encode::Base64,
        });
        self.header("authorization", value)
    }

    /// A secret as a header's value.
    pub(crate) fn header_of(self, name: &str, secret: &str) -> Self {
        self.header(&name.to_ascii_lowercase(), slot(secret, Encode::Raw))
    }

    /// A secret as a query parameter.
    pub(crate) fn query_of(mut self, name: &'a str, secret: &str) -> Self {
        self.query.push((name, slot(secret, Encode::Percent)));
        self
    }

    /// A secret as a value at the top of a JSON or form body.
    pub(crate) fn body_of(mut self, name: &'a str, secret: &str) -> Self {
        self.body = Some((name, secret.to_owned()));
        self
    }

    fn header(mut self, name: &str, value: Text) -> Self {
        self.headers.push((name.to_owned(), value));
        self
    }

    /// Adds it. What stands in the request under the same names gives way: a caller does not sign in the place of the
    /// credential.
    pub(super) fn put_on(&self, request: &mut Request) {
        for (name, value) in &self.headers {
            request.headers.retain(|(other, _)| other != name);
            request.headers.push((name.clone(), value.clone()));
        }
        for (name, value) in &self.query {
            let mark = if request.url.to_string().contains('?') {
                '&'
            } else {
                '?'
            };
            request.url.push_str(&format!("{mark}{}=", super::percent(name)));
            request.url.append(value.clone());
        }
    }
}

impl Sign<'_> {
    /// The text of a body with the secret put into its top, where one belongs there. `bare` is the body without a value
    /// of that name.
    pub(super) fn body_text(&self, bare: &str, encode: Encode) -> Text {
        let mut text = Text::default();
        let Some((name, secret)) = &self.body else {
            return Text::literal(bare);
        };
        let mut key = String::new();
        encode.write(name, &mut key);
        if encode == Encode::Json {
            // A compact object, so that it ends with its brace.
            let open = bare.strip_suffix('}').unwrap_or(bare);
            let comma = if open == "{" { "" } else { "," };
            text.push_str(&format!("{open}{comma}\"{key}\":\""));
            text.append(slot(secret, encode));
            text.push_str("\"}");
        } else {
            let mark = if bare.is_empty() { "" } else { "&" };
            text.push_str(&format!("{bare}{mark}{key}="));
            text.append(slot(secret, encode));
        }
        text
    }
}

fn slot(secret: &str, encode: Encode) -> Text {
    let mut text = Text::default();
    text.push_slot(Slot {
        parts: vec![Part::Secret(SecretRef::Config(secret.to_owned()))],
        encode,
    });
    text
}
