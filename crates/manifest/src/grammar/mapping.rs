//! From answers to records: where the data is, how fields are made of it, and how the next page is asked for.

use super::{List, Object, TEXT, Tagged, Value, may, need};
use crate::{
    endpoint::Format,
    limits,
    mapping::{END_CONDITIONS, PAGINATION_KINDS, PLACES},
};

/// What an answer becomes.
pub(super) static MAPPING: Object = Object {
    name: "responseMapping",
    doc: "Where the result is in an answer, and how records are made of it.",
    fields: &[
        may("dataPath", TEXT, "JSONPath of the result; the whole unless given."),
        may(
            "whenEmpty",
            Value::Any,
            "The result of an answer without a body; null unless given.",
        ),
        may(
            "format",
            Value::Words(&Format::WORDS),
            "How the answer is written; `json` unless given.",
        ),
        may("fieldMappings", FIELD_MAPPINGS, "How a record's fields are made."),
        may("recordType", TEXT, "What kind of record it becomes."),
        may(
            "identifierField",
            TEXT,
            "What tells one from another: a field's name, or a JSONPath.",
        ),
        may(
            "errorPath",
            TEXT,
            "JSONPath of an error's sentence; wins over `errors.messagePath`.",
        ),
        may(
            "metadataMapping",
            Value::Object(&METADATA),
            "What else an answer tells.",
        ),
    ],
    required: &[],
    later: &[],
};
pub(crate) static METADATA: Object = Object {
    name: "metadataMapping",
    doc: "What an answer tells beside its data.",
    fields: &[
        may("totalCount", TEXT, "JSONPath of how many there are in all."),
        may("pageInfo", TEXT, "JSONPath of what it says about pages."),
    ],
    required: &[],
    later: &[],
};

static FIELD_MAPPING_LIST: List = List {
    of: Value::Object(&FIELD_MAPPING),
    min: 0,
};
/// How a record's fields are made.
pub(super) const FIELD_MAPPINGS: Value = Value::List(&FIELD_MAPPING_LIST);

static FIELD_MAPPING: Object = Object {
    name: "fieldMapping",
    doc: "How one field of a record is made.",
    fields: &[
        need("source", TEXT, "JSONPath, from the element of the data."),
        need("target", TEXT, "The field of the record."),
        may("transform", Value::Tagged(&TRANSFORM), "What is done to the value."),
        may("default", Value::Any, "The value when there is none, or null."),
        may(
            "skipIfEmpty",
            Value::Boolean,
            "Whether an empty value leaves the field out.",
        ),
    ],
    required: &[],
    later: &[],
};

/// What is done to a value.
pub(crate) static TRANSFORM: Tagged = Tagged {
    name: "transform",
    tag: "type",
    variants: &[
        ("direct", &DIRECT),
        ("concat", &CONCAT),
        ("split", &SPLIT),
        ("map", &MAP),
        ("date", &DATE),
        ("number", &NUMBER),
        ("boolean", &BOOLEAN),
        ("template", &TEMPLATE),
        ("expression", &EXPRESSION),
        ("lookup", &LOOKUP),
    ],
    later: &[],
};

macro_rules! transform {
    ($name:ident, $schema:literal, $doc:literal, $config:expr) => {
        pub(crate) static $name: Object = Object {
            name: $schema,
            doc: $doc,
            fields: &[need("type", TEXT, ""), $config],
            required: &[],
            later: &[],
        };
    };
}
macro_rules! config {
    ($name:ident, $schema:literal, $fields:expr) => {
        static $name: Object = Object {
            name: $schema,
            doc: "",
            fields: $fields,
            required: &[],
            later: &[],
        };
    };
}
const NO_CONFIG_DOC: &str = "Nothing is to be said.";

transform!(
    DIRECT,
    "directTransform",
    "The value as it is.",
    may("config", Value::Object(&NO_CONFIG), NO_CONFIG_DOC)
);
transform!(
    NUMBER,
    "numberTransform",
    "Read as a number.",
    may("config", Value::Object(&NO_CONFIG), NO_CONFIG_DOC)
);
transform!(
    BOOLEAN,
    "booleanTransform",
    "Read as true or false.",
    may("config", Value::Object(&NO_CONFIG), NO_CONFIG_DOC)
);
transform!(
    CONCAT,
    "concatTransform",
    "Several values in a row.",
    need("config", Value::Object(&CONCAT_CONFIG), "")
);
transform!(
    SPLIT,
    "splitTransform",
    "A text as a list.",
    may("config", Value::Object(&SPLIT_CONFIG), "")
);
transform!(
    MAP,
    "mapTransform",
    "One value for another.",
    need("config", Value::Object(&MAP_CONFIG), "")
);
transform!(
    DATE,
    "dateTransform",
    "Read and written as a date.",
    may("config", Value::Object(&DATE_CONFIG), "")
);
transform!(
    TEMPLATE,
    "templateTransform",
    "A text with {{$.paths}}.",
    need("config", Value::Object(&TEMPLATE_CONFIG), "")
);
transform!(
    EXPRESSION,
    "expressionTransform",
    "A JavaScript expression.",
    need("config", Value::Object(&EXPRESSION_CONFIG), "")
);
transform!(
    LOOKUP,
    "lookupTransform",
    "A value of another record.",
    need("config", Value::Object(&LOOKUP_CONFIG), "")
);

config!(NO_CONFIG, "noConfig", &[]);
config!(
    CONCAT_CONFIG,
    "concatConfig",
    &[
        need(
            "fields",
            Value::List(&PATH_LIST),
            "JSONPaths, from the element of the data."
        ),
        may(
            "separator",
            Value::Scalar,
            "What stands between them; nothing unless given."
        ),
    ]
);
config!(
    SPLIT_CONFIG,
    "splitConfig",
    &[may("delimiter", Value::Scalar, "What parts it; a comma unless given.")]
);
config!(
    MAP_CONFIG,
    "mapConfig",
    &[
        need("mapping", Value::Map(&Value::Any), "Value to value."),
        may(
            "default",
            Value::Any,
            "For a value that is not among them; it stays as it is unless given."
        ),
    ]
);
config!(
    DATE_CONFIG,
    "dateConfig",
    &[
        may("inputFormat", TEXT, "Such as YYYY-MM-DD; the usual forms unless given."),
        may("outputFormat", TEXT, "Such as DD.MM.YYYY; ISO8601 unless given."),
    ]
);
config!(
    TEMPLATE_CONFIG,
    "templateConfig",
    &[need("template", TEXT, "A text with {{$.paths}} in it.")]
);
config!(
    EXPRESSION_CONFIG,
    "expressionConfig",
    &[need("expression", TEXT, "JavaScript, with `value` and `item`.")]
);
config!(
    LOOKUP_CONFIG,
    "lookupConfig",
    &[
        need("recordType", TEXT, "The kind of record that is looked for."),
        may(
            "matchField",
            TEXT,
            "The field that has the value; the identifier unless given."
        ),
        may(
            "returnField",
            TEXT,
            "The field that is taken; the record's id unless given."
        ),
    ]
);
static PATH_LIST: List = List { of: TEXT, min: 1 };

/// How the next page is asked for.
pub(super) static PAGINATION: Object = Object {
    name: "pagination",
    doc: "How the next page is asked for, and how the last one is known.",
    fields: &[
        need(
            "type",
            Value::Words(&PAGINATION_KINDS),
            "What one page says of the next.",
        ),
        may(
            "in",
            Value::Words(&PLACES),
            "Where the params are sent; the query unless given.",
        ),
        may(
            "offsetParam",
            TEXT,
            "Param with how many are skipped; `offset` unless given.",
        ),
        may("limitParam", TEXT, "Param with how many are wanted."),
        may(
            "maxLimit",
            SIZE,
            "The most that may be asked for at once, and what is asked for.",
        ),
        may("cursorParam", TEXT, "Param with the cursor; `cursor` unless given."),
        may(
            "cursorPath",
            TEXT,
            "JSONPath of the next cursor; for `last_id`, of an element's id.",
        ),
        may(
            "pageParam",
            TEXT,
            "Param with the number of the page; `page` unless given.",
        ),
        may("pageSizeParam", TEXT, "Param with how many stand on a page."),
        may(
            "firstPage",
            Value::Integer(0, 1),
            "The number of the first page; 1 unless given.",
        ),
        may(
            "nextLinkPath",
            TEXT,
            "JSONPath of the next page's address, or `header:Link`, which it is unless given.",
        ),
        may(
            "endCondition",
            Value::Object(&END),
            "How the last page is known; an empty one unless given.",
        ),
    ],
    required: &[],
    later: &[],
};
const SIZE: Value = Value::Integer(1, limits::PAGE_SIZE_MAX);
static END: Object = Object {
    name: "endCondition",
    doc: "How the last page is known.",
    fields: &[
        need("type", Value::Words(&END_CONDITIONS), "What it is known by."),
        may("field", TEXT, "For `has_more_field`: the JSONPath of the boolean."),
    ],
    required: &[],
    later: &[],
};
