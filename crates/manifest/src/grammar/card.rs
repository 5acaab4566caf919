//! How a connector stands on a card, and its own words for what a test found.

use super::{Form, LONGEST, Object, TEXT, TEXTS, Value, may};
use crate::{limits, manifest::AUTH_TYPES};

static WORD_FORM: Form = Form {
    min: 1,
    max: LONGEST,
    pattern: Some(("^[A-Za-z0-9_-]+$", is_word)),
    says: "a word of letters, digits, `-` and `_` is expected",
};
/// A word that a catalog knows things by.
const WORD: Value = Value::Text(&WORD_FORM);

fn is_word(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    !text.is_empty() && text.bytes().all(fits)
}

/// How a catalog of cards shows a connector.
pub(super) static CARD: Object = Object {
    name: "card",
    doc: "How a catalog of cards shows it, where that differs from what follows from the rest.",
    fields: &[
        may("displayName", TEXT, "The name on it."),
        may("category", WORD, "A word of the catalog's own, such as finance."),
        may(
            "icon",
            WORD,
            "The name of a picture that the catalog has, such as CreditCard.",
        ),
        may("dataTypes", TEXTS, "What data the service holds, such as invoices."),
        may("authType", Value::Words(&AUTH_TYPES), "How one signs in."),
        may("region", TEXT, "Where the service is at home, such as UK."),
    ],
    required: &[],
    later: &[],
};

static CODE_FORM: Form = Form {
    min: 1,
    max: limits::TEST_CODE_CHARS,
    pattern: Some(("^[A-Z][A-Z0-9_]*$", is_code)),
    says: "a word such as INVALID_KEY is expected: A-Z, 0-9 and `_`, at most 64 of them",
};
/// A word that a failed test is called by.
const CODE: Value = Value::Text(&CODE_FORM);

fn is_code(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    text.starts_with(|first: char| first.is_ascii_uppercase()) && text.bytes().all(fits)
}

/// A connector's own words for what a test found.
pub(super) static TEST_CODES: Object = Object {
    name: "testCodes",
    doc: "The connector's own words for what a test found.",
    fields: &[
        may("missing", CODE, "A field that has to be there is not."),
        may("refused", CODE, "The credentials were refused, or cannot be any."),
        may("failed", CODE, "The service answered, and something else was wrong."),
        may(
            "fields",
            Value::Map(&FIELD_CODES_VALUE),
            "Words by the name of a field.",
        ),
    ],
    required: &[],
    later: &[],
};
static FIELD_CODES_VALUE: Value = Value::Object(&FIELD_CODES);
static FIELD_CODES: Object = Object {
    name: "fieldCodes",
    doc: "The words of one field.",
    fields: &[
        may("missing", CODE, "It is not there."),
        may("invalid", CODE, "It does not fit."),
    ],
    required: &[],
    later: &[],
};
