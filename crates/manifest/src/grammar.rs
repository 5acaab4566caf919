//! What may stand where, told once: the words of a language, with their types, bounds and meaning.
//!
//! [`check`] judges a tree by it before any typed reader looks, and [`schema`] writes it down as JSON Schema for editors.
//! The readers then take what they need and judge only what a grammar cannot say.

pub(crate) mod auth;
mod card;
pub(crate) mod case;
mod check;
pub(crate) mod connector;
pub(crate) mod endpoint;
pub(crate) mod mapping;
pub(crate) mod property;
pub(crate) mod schema;
pub(crate) mod webhook;

pub(crate) use check::check;

/// What may stand in a place.
#[derive(Clone, Copy)]
pub(crate) enum Value {
    /// Anything, null too.
    Any,
    /// A text that is not blank.
    Text(&'static Form),
    /// A text, or a number or boolean that counts as what is written.
    Scalar,
    Boolean,
    /// A whole number from the first to the second.
    Integer(u64, u64),
    Number,
    /// One of a set of words.
    Words(&'static dyn Vocabulary),
    List(&'static List),
    /// One, or a list of them.
    OneOrMore(&'static Value),
    /// A mapping whose keys are the author's.
    Map(&'static Value),
    /// A mapping whose keys are words of the language.
    Object(&'static Object),
    /// An object whose fields depend on one of them.
    Tagged(&'static Tagged),
    /// A scalar, or what else stands here.
    ScalarOr(&'static Value),
    /// One of a set of words, or what else stands here.
    WordOr(&'static dyn Vocabulary, &'static Value),
    /// One thing or another, by what is written.
    ByKind(&'static ByKind),
}

/// The form of a text.
pub(crate) struct Form {
    /// Characters.
    pub(crate) min: usize,
    pub(crate) max: usize,
    /// A regular expression, for JSON Schema, and the same as a function.
    pub(crate) pattern: Option<(&'static str, Fits)>,
    /// What is expected, for who wrote something else.
    pub(crate) says: &'static str,
}

/// Whether a text has a form.
type Fits = fn(&str) -> bool;

/// A list.
pub(crate) struct List {
    pub(crate) of: Value,
    pub(crate) min: usize,
}

/// What may stand in a place as a text, a list and a mapping.
pub(crate) struct ByKind {
    pub(crate) text: Value,
    pub(crate) list: Value,
    pub(crate) map: Value,
}

/// A mapping whose keys are words of the language.
pub(crate) struct Object {
    /// Its name in the schema.
    pub(crate) name: &'static str,
    /// What it is.
    pub(crate) doc: &'static str,
    pub(crate) fields: &'static [Field],
    /// Fields that are required here and not wherever these fields stand.
    pub(crate) required: &'static [&'static str],
    /// Words that a coming version has.
    pub(crate) later: &'static [&'static str],
}

/// A field of an object.
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) value: Value,
    pub(crate) required: bool,
    pub(crate) doc: &'static str,
}

/// An object whose fields depend on one of them.
pub(crate) struct Tagged {
    pub(crate) name: &'static str,
    /// The field that tells.
    pub(crate) tag: &'static str,
    pub(crate) variants: &'static [(&'static str, &'static Object)],
    /// Words that a coming version has.
    pub(crate) later: &'static [&'static str],
}

/// A set of words.
pub(crate) trait Vocabulary: Sync {
    fn words(&self) -> Vec<&'static str>;
}

impl<T: Sync> Vocabulary for &'static [(&'static str, T)] {
    fn words(&self) -> Vec<&'static str> {
        self.iter().map(|(word, _)| *word).collect()
    }
}

impl Vocabulary for &'static [&'static str] {
    fn words(&self) -> Vec<&'static str> {
        self.to_vec()
    }
}

impl Object {
    /// Whether a field must be there.
    pub(crate) fn requires(&self, field: &Field) -> bool {
        field.required || self.required.contains(&field.name)
    }
}

/// A field that must be there.
pub(crate) const fn need(name: &'static str, value: Value, doc: &'static str) -> Field {
    Field {
        name,
        value,
        required: true,
        doc,
    }
}

/// A field that may be left out.
pub(crate) const fn may(name: &'static str, value: Value, doc: &'static str) -> Field {
    Field {
        name,
        value,
        required: false,
        doc,
    }
}

/// The longest text there is.
const LONGEST: usize = crate::limits::MANIFEST_BYTES;

static ANY_TEXT: Form = Form {
    min: 1,
    max: LONGEST,
    pattern: None,
    says: "it must not be empty",
};
static NAME_FORM: Form = Form {
    min: 1,
    max: 64,
    pattern: Some(("^[A-Za-z_][A-Za-z0-9_-]*$", crate::template::is_name)),
    says: "a name is made of letters, digits, `_` and `-`, begins with a letter and has at most 64",
};

/// A text.
pub(crate) const TEXT: Value = Value::Text(&ANY_TEXT);
/// A name that templates can use.
pub(crate) const NAME: Value = Value::Text(&NAME_FORM);

static TEXTS_LIST: List = List { of: TEXT, min: 0 };
static ANY_LIST: List = List { of: Value::Any, min: 0 };
static STATUSES_LIST: List = List {
    of: Value::Integer(100, 599),
    min: 0,
};

/// A list of texts.
pub(crate) const TEXTS: Value = Value::List(&TEXTS_LIST);
/// A list of anything.
pub(crate) const ANYTHINGS: Value = Value::List(&ANY_LIST);
/// HTTP status codes.
pub(crate) const STATUSES: Value = Value::List(&STATUSES_LIST);
/// Headers: name to template.
pub(crate) const HEADERS: Value = Value::Map(&Value::Scalar);
