//! Values of the input as the text that PostgreSQL reads. They never become part of a statement.

use std::fmt::Write as _;

use base64::{Engine, engine::general_purpose::STANDARD};
use tieline::{Code, Error, Result};
use tieline_manifest::Tree;

use super::{
    array,
    types::{Shape, Type},
};

/// A value of the input and the place where it stands.
pub(super) type Input<'a> = (String, &'a Tree);

/// The `params` of a statement.
pub(super) fn inputs<'a>(values: &[&'a Tree]) -> Vec<Input<'a>> {
    let place = |(index, value): (usize, &&'a Tree)| (format!("/params/{index}"), *value);
    values.iter().enumerate().map(place).collect()
}

/// A value as the text of a parameter of this type; nothing for NULL.
pub(super) fn write(kind: Type, (pointer, value): &Input<'_>) -> Result<Option<String>> {
    let text = match (kind, value) {
        (_, Tree::Null) => return Ok(None),
        (Type::One(Shape::Json), value) => value.to_text(),
        (Type::ArrayOf(shape), Tree::Array(items)) => array::write(items, &|item| one(shape, item, pointer))?,
        // Perhaps an array of a type that we do not know.
        (Type::Other, Tree::Array(items)) => array::write(items, &|item| one(Shape::Text, item, pointer))?,
        (Type::One(shape), value) => one(shape, value, pointer)?,
        // A text may be an array or a composite value that the caller wrote in PostgreSQL's own way.
        (Type::ArrayOf(_) | Type::Other, value) => one(Shape::Text, value, pointer)?,
    };
    if text.contains('\0') {
        return Err(refused(pointer, "holds U+0000, which no text of PostgreSQL can"));
    }
    Ok(Some(text))
}

fn one(shape: Shape, value: &Tree, pointer: &str) -> Result<String> {
    match (shape, value) {
        (Shape::Json, value) => Ok(value.to_text()),
        (Shape::Bytes, Tree::String(text)) => {
            let bytes = STANDARD.decode(text);
            let bytes = bytes.map_err(|_| refused(pointer, "is not base64, in which bytes come"))?;
            let mut hex = String::with_capacity(2 + bytes.len() * 2);
            hex.push_str("\\x");
            for byte in bytes {
                let _ = write!(hex, "{byte:02x}");
            }
            Ok(hex)
        }
        (_, Tree::String(text)) => Ok(text.clone()),
        (_, Tree::Number(_) | Tree::Bool(_)) => Ok(value.to_text()),
        (_, Tree::Null) => Ok(String::new()),
        (_, Tree::Array(_)) => Err(refused(pointer, "is a list, and the statement has no array there")),
        (_, Tree::Object(_)) => Err(refused(pointer, "is an object, and the statement has no JSON there")),
    }
}

fn refused(pointer: &str, why: &str) -> Error {
    let detail = format!("The value at `{pointer}` cannot be sent: it {why}.");
    Error::new(Code::ConnectorActionInputInvalid, detail).field(pointer, why)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn written(number: u32, value: Value) -> Result<Option<String>> {
        let tree = Tree::from_value(&value);
        write(Type::of(number), &("/params/0".to_owned(), &tree))
    }

    #[test]
    fn q2_values_are_texts_of_their_types() {
        for (number, value, text) in [
            (23, json!(7), "7"),
            (23, json!("7"), "7"),
            (25, json!("'; DROP TABLE t; --"), "'; DROP TABLE t; --"),
            (16, json!(true), "true"),
            (1700, json!("1.10"), "1.10"),
            (3802, json!({ "a": [1] }), "{\"a\":[1]}"),
            (3802, json!("a"), "\"a\""),
            (17, json!("AP8="), "\\x00ff"),
            (1007, json!([1, null, 3]), "{\"1\",NULL,\"3\"}"),
            (1009, json!([["a\"b"], ["c"]]), "{{\"a\\\"b\"},{\"c\"}}"),
            (3807, json!([{ "a": 1 }]), "{\"{\\\"a\\\":1}\"}"),
            (99_999, json!(["a"]), "{\"a\"}"),
        ] {
            assert_eq!(
                written(number, value.clone()).unwrap().as_deref(),
                Some(text),
                "{value}"
            );
        }
        assert_eq!(written(3802, json!(null)).unwrap(), None);
        for (number, value) in [
            (25, json!("a\u{0}b")),
            (25, json!(["a"])),
            (23, json!({ "a": 1 })),
            (17, json!("no base64!")),
        ] {
            let error = written(number, value).unwrap_err();
            assert_eq!(error.fields()[0].pointer, "/params/0");
        }
    }
}
