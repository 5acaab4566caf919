//! JSONPath (RFC 9535) into an answer, compiled once. What is found is taken from our own tree, so numbers stay exact.

use serde_json_path::JsonPath;

use crate::json::Tree;

/// A compiled path: names, indexes, slices and wildcards. Filters, `..` and unions are left out: with them a hostile
/// answer decides how long a look takes (X4).
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    text: String,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq)]
enum Kind {
    /// Leads to one value at most.
    Singular(Vec<Step>),
    /// May find many.
    Query(JsonPath),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Name(String),
    Index(i64),
}

impl Path {
    /// Reads a path such as `$`, `$.data.items` or `$['a b'][0]`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let query = JsonPath::parse(text).map_err(|error| format!("`{text}` is not a JSONPath: {error}"))?;
        let kind = match steps(text)? {
            Some(steps) => Kind::Singular(steps),
            None => Kind::Query(query),
        };
        Ok(Self {
            text: text.to_owned(),
            kind,
        })
    }

    /// The path to a key of the object that is looked at, whatever letters it has.
    pub(crate) fn of_name(name: &str) -> Self {
        Self {
            text: name.to_owned(),
            kind: Kind::Singular(vec![Step::Name(name.to_owned())]),
        }
    }

    /// The path as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is `$`.
    pub fn is_root(&self) -> bool {
        matches!(&self.kind, Kind::Singular(steps) if steps.is_empty())
    }

    /// Whether it leads to one value at most.
    pub fn is_singular(&self) -> bool {
        matches!(self.kind, Kind::Singular(_))
    }

    /// The first value found.
    pub fn first<'t>(&self, tree: &'t Tree) -> Option<&'t Tree> {
        match &self.kind {
            Kind::Singular(steps) => steps.iter().try_fold(tree, |tree, step| step.of(tree)),
            Kind::Query(_) => self.all(tree).into_iter().next(),
        }
    }

    /// Every value found, in order.
    pub fn all<'t>(&self, tree: &'t Tree) -> Vec<&'t Tree> {
        match &self.kind {
            Kind::Singular(_) => self.first(tree).into_iter().collect(),
            Kind::Query(query) => {
                let value = tree.to_value();
                query
                    .query_located(&value)
                    .locations()
                    .filter_map(|location| tree.pointer(&location.to_json_pointer()))
                    .collect()
            }
        }
    }
}

impl Step {
    fn of<'t>(&self, tree: &'t Tree) -> Option<&'t Tree> {
        match self {
            Self::Name(name) => tree.get(name),
            Self::Index(index) => {
                let items = tree.as_array()?;
                let index = if *index < 0 {
                    items.len().checked_sub(usize::try_from(index.unsigned_abs()).ok()?)?
                } else {
                    usize::try_from(*index).ok()?
                };
                items.get(index)
            }
        }
    }
}

/// The steps of a singular path whose grammar was judged already, or nothing when it may find many.
fn steps(text: &str) -> Result<Option<Vec<Step>>, String> {
    let mut steps = Vec::new();
    let mut rest = text.trim().trim_start_matches('$');
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return Ok(Some(steps));
        }
        if rest.starts_with("..") {
            return Err(format!("`..` in `{text}` is not part of the language; name the way"));
        }
        if let Some(after) = rest.strip_prefix('.') {
            let end = after.find(['.', '[', ' ']).unwrap_or(after.len());
            let name = &after[..end];
            if name == "*" {
                return refuse_the_rest(text, &after[end..]).map(|()| None);
            }
            steps.push(Step::Name(name.to_owned()));
            rest = &after[end..];
            continue;
        }
        let (inside, after) = bracket(rest).ok_or_else(|| format!("`{text}` cannot be read"))?;
        match selector(inside) {
            Some(step) => steps.push(step),
            None => return refuse_the_rest(text, rest).map(|()| None),
        }
        rest = after;
    }
}

/// What stands in the first pair of brackets, and what follows it. Quotes hide brackets.
fn bracket(rest: &str) -> Option<(&str, &str)> {
    let inside = rest.strip_prefix('[')?;
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in inside.char_indices() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if c == '\\' => escaped = true,
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if c == '\'' || c == '"' => quote = Some(c),
            None if c == ']' => return Some((inside[..at].trim(), &inside[at + 1..])),
            None => {}
        }
    }
    None
}

fn selector(inside: &str) -> Option<Step> {
    if let Ok(index) = inside.parse() {
        return Some(Step::Index(index));
    }
    let quote = inside.chars().next().filter(|c| *c == '\'' || *c == '"')?;
    let name = inside.strip_prefix(quote)?.strip_suffix(quote)?;
    // A name with escapes or a union of names is left to the library.
    (!name.contains(['\\', '\'', '"'])).then(|| Step::Name(name.to_owned()))
}

/// Refuses filters, unions and `..` anywhere in what is left.
fn refuse_the_rest(text: &str, rest: &str) -> Result<(), String> {
    let mut quote = None;
    let mut escaped = false;
    let mut previous = ' ';
    for c in rest.chars() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if c == '\\' => escaped = true,
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if c == '\'' || c == '"' => quote = Some(c),
            None if c == '?' || c == ',' || (c == '.' && previous == '.') => {
                return Err(format!(
                    "filters, unions and `..` are not part of the language (in `{text}`); name the way"
                ));
            }
            None => {}
        }
        previous = c;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Json;

    #[test]
    fn singular_paths_agree_with_the_library_and_keep_numbers() {
        let json = Json::parse(r#"{"a":{"b":[{"c":123456789012345678901234567890},7]},"x y":1,"d.e":2}"#).unwrap();
        for (path, expected) in [
            ("$", json.text()),
            ("$.a.b[0].c", "123456789012345678901234567890"),
            ("$.a.b[-1]", "7"),
            ("$['x y']", "1"),
            ("$[\"d.e\"]", "2"),
            ("$.a['b'][1]", "7"),
            ("$ .a .b [1]", "7"),
        ] {
            let path = Path::parse(path).unwrap();
            assert!(path.is_singular(), "{path:?}");
            assert_eq!(path.first(json.tree()).map(Tree::to_text).as_deref(), Some(expected));
            let value = json.to_value();
            let library = JsonPath::parse(path.as_str()).unwrap();
            assert_eq!(library.query(&value).len(), 1, "{path:?}");
        }
        assert_eq!(Path::parse("$.a.missing").unwrap().first(json.tree()), None);
        assert_eq!(Path::parse("$.a.b[9]").unwrap().first(json.tree()), None);
    }

    #[test]
    fn wildcards_and_slices_find_many_exactly() {
        let json = Json::parse(r#"{"items":[{"id":1.10},{"id":2.20},{"other":3}]}"#).unwrap();
        let found = |path: &str| -> Vec<String> {
            Path::parse(path)
                .unwrap()
                .all(json.tree())
                .iter()
                .map(|tree| tree.to_text())
                .collect()
        };
        assert_eq!(found("$.items[*].id"), ["1.10", "2.20"]);
        assert_eq!(found("$.items[1:]"), [r#"{"id":2.20}"#, r#"{"other":3}"#]);
    }

    // X4
    #[test]
    fn x4_paths_whose_cost_the_answer_decides_are_refused() {
        for path in [
            "$..a",
            "$.a..b",
            "$[?@.a]",
            "$[*,*]",
            "$['a','b']",
            "$[*][?@.x == 1]",
            "$[*]..x",
            "a.b",
            "",
            "$.",
            "$[",
        ] {
            assert!(Path::parse(path).is_err(), "{path}");
        }
        assert!(Path::parse("$['a,b?..']").is_ok(), "quotes hide what is only a name");
    }

    proptest::proptest! {
        #[test]
        fn arbitrary_paths_never_panic(text in "\\$[a-c.\\[\\]'\"*?@0-9:,\\- \\\\]{0,30}") {
            let tree = Json::parse(r#"{"a":[1,{"b":2}]}"#).unwrap();
            if let Ok(path) = Path::parse(&text) {
                path.all(tree.tree());
            }
        }
    }
}
