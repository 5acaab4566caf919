//! Values as PostgreSQL writes them in text, and as they stand in JSON.

use base64::{Engine, engine::general_purpose::STANDARD};
use tieline::Json;
use tieline_manifest::Tree;

use super::{
    array,
    types::{Shape, Type},
};

/// The largest whole number that every reader of JSON keeps: 2^53 - 1 (RFC 8259, section 6).
const MAX_EXACT: u64 = (1 << 53) - 1;

/// A value in JSON. What is not as expected stays the text it is.
pub(super) fn read(kind: Type, text: &str) -> Tree {
    match kind {
        Type::One(shape) => one(shape, text),
        Type::ArrayOf(shape) => array::read(text, &|element| one(shape, element)).unwrap_or_else(|| as_text(text)),
        Type::Other => as_text(text),
    }
}

fn one(shape: Shape, text: &str) -> Tree {
    match (shape, text) {
        (Shape::Bool, "t") => Tree::Bool(true),
        (Shape::Bool, "f") => Tree::Bool(false),
        (Shape::Int, _) if text.parse::<i64>().is_ok() => number(text),
        (Shape::Long, _) if text.parse::<i64>().is_ok_and(|long| long.unsigned_abs() <= MAX_EXACT) => number(text),
        // NaN and the infinities are no numbers of JSON.
        (Shape::Float, _) if text.parse::<f64>().is_ok_and(f64::is_finite) => number(text),
        (Shape::Bytes, _) => text
            .strip_prefix("\\x")
            .and_then(unhex)
            .map_or_else(|| as_text(text), |bytes| Tree::String(STANDARD.encode(bytes))),
        (Shape::Json, _) => Json::parse(text).map_or_else(|_| as_text(text), |json| json.tree().clone()),
        (Shape::Timestamp, _) => timestamp(text).map_or_else(|| as_text(text), Tree::String),
        _ => as_text(text),
    }
}

fn as_text(text: &str) -> Tree {
    Tree::String(text.to_owned())
}

fn number(text: &str) -> Tree {
    Tree::Number(text.into())
}

/// `2026-11-20 09:00:00.5+00` as RFC 3339 has it. The infinities and years before Christ or past 9999 stay as they are.
fn timestamp(text: &str) -> Option<String> {
    let (date, time) = text.split_once(' ')?;
    if date.len() != 10 || time.contains(' ') {
        return None;
    }
    let time = match time.strip_suffix("+00") {
        Some(time) => format!("{time}Z"),
        None => time.to_owned(),
    };
    Some(format!("{date}T{time}"))
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pair = |pair: &[u8]| Some(digit(pair[0])? << 4 | digit(pair[1])?);
    digits
        .len()
        .is_multiple_of(2)
        .then(|| digits.chunks_exact(2).map(pair).collect())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_as_json() {
        for (number, text, json) in [
            (16, "t", "true"),
            (16, "f", "false"),
            (23, "-7", "-7"),
            (20, "9007199254740991", "9007199254740991"),
            (20, "9007199254740992", "\"9007199254740992\""),
            (20, "-9223372036854775808", "\"-9223372036854775808\""),
            (1700, "1.10", "\"1.10\""),
            (1700, "NaN", "\"NaN\""),
            (701, "1e+20", "1e+20"),
            (701, "NaN", "\"NaN\""),
            (701, "-Infinity", "\"-Infinity\""),
            (17, "\\x00ff", "\"AP8=\""),
            (17, "\\x", "\"\""),
            (3802, "{\"n\": 1.10}", "{\"n\":1.10}"),
            (114, "{\"a\":1,\"a\":2}", "\"{\\\"a\\\":1,\\\"a\\\":2}\""),
            (1184, "2026-11-20 09:00:00.5+00", "\"2026-11-20T09:00:00.5Z\""),
            (1184, "infinity", "\"infinity\""),
            (1184, "0044-03-15 00:00:00+00 BC", "\"0044-03-15 00:00:00+00 BC\""),
            (1114, "2026-11-20 09:00:00", "\"2026-11-20T09:00:00\""),
            (1082, "2026-11-20", "\"2026-11-20\""),
            (1186, "P1DT2H", "\"P1DT2H\""),
            (
                2950,
                "00000000-0000-0000-0000-000000000001",
                "\"00000000-0000-0000-0000-000000000001\"",
            ),
            (1007, "{1,NULL,3}", "[1,null,3]"),
            (1016, "{9007199254740992}", "[\"9007199254740992\"]"),
            (1001, "{\"\\\\x00\"}", "[\"AA==\"]"),
            (3807, "{\"{\\\"a\\\": 1}\"}", "[{\"a\":1}]"),
            (99_999, "(1,2)", "\"(1,2)\""),
        ] {
            assert_eq!(read(Type::of(number), text).to_text(), json, "{number} {text}");
        }
    }
}
