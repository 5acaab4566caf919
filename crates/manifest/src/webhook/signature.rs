//! How a delivery proves where it comes from, as it is declared.

use crate::{
    endpoint::header_name,
    lint::{self, Lints},
    node::{Fields, Spot},
};

/// How a delivery proves where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The header with the signature, in lower case.
    pub header: String,
    /// How it is made.
    pub algorithm: Algorithm,
    /// What stands before it.
    pub prefix: String,
    /// How it is written.
    pub encoding: Encoding,
    /// What is signed: a text with `{body}`, `{timestamp}`, `{url}`, `{method}` and `{id}`.
    pub content: String,
    /// The header with the time, in lower case.
    pub timestamp_header: Option<String>,
    /// The header with the delivery's id, in lower case.
    pub id_header: Option<String>,
    /// Seconds that the time may be off.
    pub tolerance: u64,
    /// What stands between several parts of the header: signatures, of which one must fit, and the time.
    pub separator: Option<char>,
    /// What the time begins with: a part of the signature's header, unless it has a header of its own.
    pub timestamp_prefix: Option<String>,
    /// The connection's field that holds the signing secret.
    pub key_field: Option<String>,
    /// What the secret begins with that is no part of the key.
    pub key_prefix: String,
    /// How the key is written in the secret.
    pub key_encoding: KeyEncoding,
}

/// How a signature is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the algorithms'")]
pub enum Algorithm {
    HmacSha256,
    HmacSha1,
    HmacSha512,
    /// The secret itself, compared in constant time.
    Token,
    /// No signature: only where the operator allows it.
    None,
}

/// How a signature is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Encoding {
    Hex,
    Base64,
}

/// How the key is written in the secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum KeyEncoding {
    Text,
    Hex,
    Base64,
}

pub(crate) const ALGORITHMS: &[(&str, Algorithm)] = &[
    ("hmac-sha256", Algorithm::HmacSha256),
    ("hmac-sha1", Algorithm::HmacSha1),
    ("hmac-sha512", Algorithm::HmacSha512),
    ("token", Algorithm::Token),
    ("none", Algorithm::None),
];
pub(crate) const ENCODINGS: &[(&str, Encoding)] = &[("hex", Encoding::Hex), ("base64", Encoding::Base64)];
pub(crate) const KEY_ENCODINGS: &[(&str, KeyEncoding)] = &[
    ("text", KeyEncoding::Text),
    ("hex", KeyEncoding::Hex),
    ("base64", KeyEncoding::Base64),
];

/// What may stand between the parts of a signature's header.
pub(crate) const SEPARATORS: &[(&str, char)] = &[("comma", ','), ("semicolon", ';'), ("space", ' ')];

/// The placeholders of what is signed.
const SIGNED: &[&str] = &["body", "timestamp", "url", "method", "id"];

impl Default for Signature {
    fn default() -> Self {
        Self {
            header: "x-webhook-signature".to_owned(),
            algorithm: Algorithm::HmacSha256,
            prefix: String::new(),
            encoding: Encoding::Hex,
            content: "{body}".to_owned(),
            timestamp_header: None,
            id_header: None,
            tolerance: 300,
            separator: None,
            timestamp_prefix: None,
            key_field: None,
            key_prefix: String::new(),
            key_encoding: KeyEncoding::Text,
        }
    }
}

impl Signature {
    pub(super) fn read(spot: &Spot<'_>, lints: &mut Lints) -> Option<Self> {
        let fields = spot.fields()?;
        let header = |key, lints: &mut Lints| {
            let spot = fields.get(key)?;
            header_name(&spot.text()?, &spot, lints)
        };
        let usual = Self::default();
        let signature = Self {
            algorithm: fields.get("algorithm").and_then(|spot| spot.one_of(ALGORITHMS))?,
            prefix: fields
                .get("signaturePrefix")
                .and_then(|spot| spot.scalar())
                .unwrap_or_default(),
            encoding: fields
                .get("encoding")
                .and_then(|spot| spot.one_of(ENCODINGS))
                .unwrap_or(usual.encoding),
            content: fields.text("signedContent").unwrap_or(usual.content),
            timestamp_header: header("timestampHeader", lints),
            id_header: header("idHeader", lints),
            tolerance: fields
                .get("tolerance")
                .and_then(|spot| spot.integer())
                .unwrap_or(usual.tolerance),
            separator: fields
                .get("signatureSeparator")
                .and_then(|spot| spot.one_of(SEPARATORS)),
            timestamp_prefix: fields.text("timestampPrefix"),
            key_field: fields.text("keyField"),
            key_prefix: fields.text("keyPrefix").unwrap_or_default(),
            key_encoding: fields
                .get("keyEncoding")
                .and_then(|spot| spot.one_of(KEY_ENCODINGS))
                .unwrap_or(usual.key_encoding),
            header: header("header", lints)?,
        };
        signature.check(&fields, lints);
        Some(signature)
    }

    /// What is signed must hold the body, and name nothing that cannot be had.
    fn check(&self, fields: &Fields<'_>, lints: &mut Lints) {
        let mut refuse = |message: String| fields.lint(lints, lint::CONTRADICTION, message);
        for piece in self.content.split('{').skip(1) {
            let name = piece.split('}').next().unwrap_or_default();
            if !SIGNED.contains(&name) {
                let hint = lint::hint(name, SIGNED.iter().copied());
                refuse(format!("`signedContent` has no place `{{{name}}}`{hint}"));
            }
        }
        let names = |place: &str| self.content.contains(place);
        if !names("{body}") {
            refuse("`signedContent` does not hold {body}: anybody could change it".to_owned());
        }
        if names("{timestamp}") != (self.timestamp_header.is_some() || self.timestamp_prefix.is_some()) {
            refuse("`timestampHeader` or `timestampPrefix`, and {timestamp} in `signedContent`, belong together: a time that is not signed proves nothing".to_owned());
        }
        if self.timestamp_prefix.is_some() && self.timestamp_header.is_none() && self.separator.is_none() {
            refuse("the time stands in a part of the header: say in `signatureSeparator` what is between the parts, or in `timestampHeader` where else the time is".to_owned());
        }
        if names("{id}") && self.id_header.is_none() {
            refuse("`signedContent` holds {id}: say in `idHeader` where it is".to_owned());
        }
    }
}
