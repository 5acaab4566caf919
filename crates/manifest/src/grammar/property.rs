//! Params and properties.

use super::{ANYTHINGS, Field, Form, List, NAME, Object, TEXT, Value, may, need};
use crate::property::{ELEMENT_KINDS, KINDS, SOURCES};

const COUNT: Value = Value::Integer(0, u32::MAX as u64);

/// A name that stands on the wire only, so that more than letters may be in it.
static WIRE_FORM: Form = Form {
    min: 1,
    max: 200,
    pattern: Some((r"^(?=.*\S)[^\u0000-\u001f\u007f]+$", no_control)),
    says: "a name has at most 200 characters, none of them a control character",
};
const WIRE_NAME: Value = Value::Text(&WIRE_FORM);

fn no_control(text: &str) -> bool {
    !text.chars().any(|letter| letter.is_ascii_control())
}

const ARRAYS: Value = Value::Words(&crate::manifest::Arrays::WORDS);
const FIRST_WORDS: Value = Value::Words(&SOURCES);

/// The fields of every property, with those of its level.
macro_rules! property_fields {
    ($kinds:expr, $properties:expr, $items:expr, $($own:expr),*) => {
        &[
            may("type", Value::Words(&$kinds), "Its type; anything when left out."),
            may("description", TEXT, "For people."),
            may("required", Value::Boolean, "Whether it must be there."),
            may("nullable", Value::Boolean, "Whether null is a value too."),
            may("enum", ANYTHINGS, "The only values allowed."),
            may("pattern", TEXT, "A regular expression that a string must match somewhere."),
            may("minLength", COUNT, "Characters of a string."),
            may("maxLength", COUNT, "Characters of a string."),
            may("minimum", Value::Number, "The least number."),
            may("maximum", Value::Number, "The greatest number."),
            may("minItems", COUNT, "Elements of an array."),
            may("maxItems", COUNT, "Elements of an array."),
            may("format", TEXT, "JSON Schema's `format`, an annotation."),
            may("properties", Value::Map($properties), "Properties of an object, in their order."),
            may("items", $items, "The shape of an array's elements."),
            $($own),*
        ]
    };
}

const DEFAULT: Field = may("default", Value::Any, "Used when the input is absent.");
const FROM_CONFIG: Field = may(
    "fromConfig",
    TEXT,
    "The public field of the connection that is used when the input is absent.",
);
const SECRET: Field = may("secret", Value::Boolean, "Kept out of logs and filled in last.");
const SOURCE: Field = may(
    "source",
    FIRST_WORDS,
    "Where the value comes from; the caller when left out.",
);
const VALUE: Field = may(
    "value",
    Value::Any,
    "What `source` sends: the value itself, a name such as `contact.email`, or an expression.",
);
const VALUE_SOURCE: Field = may("valueSource", FIRST_WORDS, "The same as `source`.");

const NOT_HERE: &[&str] = &["$ref", "oneOf", "anyOf", "allOf"];

static INNER_VALUE: Value = Value::Object(&INNER);
static OUTPUT_VALUE: Value = Value::Object(&OUTPUT);
static ELEMENT_VALUE: Value = Value::Object(&ELEMENT);
/// A property at the top of a body.
pub(super) static BODY_VALUE: Value = Value::Object(&BODY_PROPERTY);

/// An input that only templates use.
pub(super) static INPUT: Object = Object {
    name: "input",
    doc: "An input that only templates use, or one that stands in the path.",
    fields: property_fields!(
        ELEMENT_KINDS,
        &INNER_VALUE,
        Value::Object(&ELEMENT),
        need("name", NAME, "Its key in the input."),
        DEFAULT,
        FROM_CONFIG,
        SECRET,
        SOURCE,
        VALUE_SOURCE,
        VALUE
    ),
    required: &[],
    later: NOT_HERE,
};
/// A param of a query or a header.
pub(super) static PARAM: Object = Object {
    name: "param",
    doc: "A param of the query or of the headers.",
    fields: property_fields!(
        ELEMENT_KINDS,
        &INNER_VALUE,
        Value::Object(&ELEMENT),
        need("name", WIRE_NAME, "Its name in the request, and its key in the input."),
        may(
            "arrays",
            ARRAYS,
            "How an array stands in the query, where it differs from `queryArrays`."
        ),
        DEFAULT,
        FROM_CONFIG,
        SECRET,
        SOURCE,
        VALUE_SOURCE,
        VALUE
    ),
    required: &[],
    later: NOT_HERE,
};
static BODY_PROPERTY: Object = Object {
    name: "bodyProperty",
    doc: "A property at the top of a body.",
    fields: property_fields!(
        KINDS,
        &INNER_VALUE,
        Value::Object(&ELEMENT),
        DEFAULT,
        FROM_CONFIG,
        SECRET,
        SOURCE,
        VALUE
    ),
    required: &[],
    later: NOT_HERE,
};
static INNER: Object = Object {
    name: "innerProperty",
    doc: "A property inside another.",
    fields: property_fields!(ELEMENT_KINDS, &INNER_VALUE, Value::Object(&ELEMENT), SOURCE, VALUE),
    required: &[],
    later: NOT_HERE,
};
/// An element of an array, or what is inside one.
pub(super) static ELEMENT: Object = Object {
    name: "element",
    doc: "An element of an array, or what is inside one: it is the caller's.",
    fields: property_fields!(ELEMENT_KINDS, &ELEMENT_VALUE, Value::Object(&ELEMENT),),
    required: &[],
    later: NOT_HERE,
};
/// The shape of a result.
pub(super) static OUTPUT: Object = Object {
    name: "output",
    doc: "The shape of a result, or of a part of it.",
    fields: property_fields!(ELEMENT_KINDS, &OUTPUT_VALUE, Value::Object(&OUTPUT),),
    required: &[],
    later: NOT_HERE,
};

static INPUT_LIST: List = List {
    of: Value::Object(&INPUT),
    min: 0,
};
static PARAM_LIST: List = List {
    of: Value::Object(&PARAM),
    min: 0,
};
/// Inputs with names that templates can use.
pub(super) const INPUTS: Value = Value::List(&INPUT_LIST);
/// Params of a query or headers.
pub(super) const PARAMS: Value = Value::List(&PARAM_LIST);
