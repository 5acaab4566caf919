//! Forms and queries: what is put in is read back, in its order, and in no other place.

use std::collections::BTreeSet;

use proptest::prelude::*;
use tieline_manifest::{FieldProblem, Manifest, Tree, Use, Values, request::Request};

const MANIFEST: &str = "
name: Acme
baseUrl: https://api.acme.example
endpoints:
  - id: form
    method: POST
    path: /
    body:
      contentType: application/x-www-form-urlencoded
      schema: { type: object, properties: { first: {}, second: {}, fixed: { source: static, value: { a: [1, x y] } } } }
  - { id: query, method: GET, path: /, queryParams: [{ name: first }, { name: second }] }
";

fn manifest(arrays: &str) -> Manifest {
    Manifest::parse(&format!("queryArrays: {arrays}{MANIFEST}"), Use::Tenant)
        .unwrap_or_else(|lints| panic!("{lints:?}"))
}

fn render(manifest: &Manifest, action: &str, input: &Tree) -> Result<Request, Vec<FieldProblem>> {
    let values = Values {
        input,
        config: &Tree::Object(Vec::new()),
        auth: None,
        secrets: &BTreeSet::new(),
    };
    manifest
        .endpoint(action)
        .expect("it is declared")
        .render(manifest, &values)
}

fn form(input: &Tree) -> Result<String, Vec<FieldProblem>> {
    let request = render(&manifest("repeat"), "form", input)?;
    let body = request.body.expect("a form has a body");
    assert_eq!(body.content_type, "application/x-www-form-urlencoded");
    let text = body.text.to_string();
    let rest = text
        .strip_suffix("fixed%5Ba%5D%5B0%5D=1&fixed%5Ba%5D%5B1%5D=x+y")
        .expect("what is fixed stands last");
    Ok(rest.strip_suffix('&').unwrap_or(rest).to_owned())
}

fn query(arrays: &str, input: &Tree) -> Result<String, Vec<FieldProblem>> {
    let url = render(&manifest(arrays), "query", input)?.url.to_string();
    let rest = url.strip_prefix("https://api.acme.example/").expect("its address");
    Ok(rest.strip_prefix('?').unwrap_or(rest).to_owned())
}

/// A place in a value, and the text there.
type Leaf = (Vec<String>, String);

/// Reads pairs the way services do: the name up to its first bracket, then what stands in each pair of brackets.
fn decoded(pairs: &str) -> Vec<Leaf> {
    url::form_urlencoded::parse(pairs.as_bytes())
        .map(|(name, value)| {
            let mut path = Vec::new();
            let (top, mut rest) = name.split_at(name.find('[').unwrap_or(name.len()));
            path.push(top.to_owned());
            while !rest.is_empty() {
                let (step, after) = rest[1..].split_once(']').expect("a bracket that opens closes");
                assert!(after.is_empty() || after.starts_with('['), "{name}");
                path.push(step.to_owned());
                rest = after;
            }
            (path, value.into_owned())
        })
        .collect()
}

/// The leaves of a value in its order. An array's elements are numbered, or not.
fn leaves(path: &[String], tree: &Tree, numbered: bool, null: Option<&str>, out: &mut Vec<Leaf>) {
    let inner = |step: String| [path, &[step]].concat();
    match tree {
        Tree::Null => out.extend(null.map(|text| (path.to_vec(), text.to_owned()))),
        Tree::Bool(value) => out.push((path.to_vec(), value.to_string())),
        Tree::Number(text) => out.push((path.to_vec(), text.to_string())),
        Tree::String(text) => out.push((path.to_vec(), text.clone())),
        Tree::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                let path = if numbered {
                    inner(index.to_string())
                } else {
                    path.to_vec()
                };
                leaves(&path, item, numbered, null, out);
            }
        }
        Tree::Object(entries) => {
            for (key, value) in entries {
                leaves(&inner(key.clone()), value, numbered, null, out);
            }
        }
    }
}

fn expected(input: &Tree, numbered: bool, null: Option<&str>) -> Vec<Leaf> {
    let mut out = Vec::new();
    leaves(&[], input, numbered, null, &mut out);
    out
}

/// Whether a key inside an input would open or close a bracket of its own, or be none.
fn has_odd_key(tree: &Tree) -> bool {
    match tree {
        Tree::Array(items) => items.iter().any(has_odd_key),
        Tree::Object(entries) => entries
            .iter()
            .any(|(key, value)| key.is_empty() || key.contains(['[', ']']) || has_odd_key(value)),
        _ => false,
    }
}

fn value() -> impl Strategy<Value = Tree> {
    let text = prop_oneof![
        "[ -~]{0,12}",
        "\\PC{0,12}",
        Just("a=b&c[d]=e%20+f#?\u{0}\r\n".to_owned())
    ];
    // Mostly keys that can be written; now and then one that cannot.
    let key = prop_oneof![
        8 => "[a-zé日&=+%# ._~-]{1,8}",
        1 => "[0-9]{1,2}",
        1 => "[a-z\\[\\]]{0,3}",
    ];
    let leaf = prop_oneof![
        Just(Tree::Null),
        any::<bool>().prop_map(Tree::Bool),
        any::<i64>().prop_map(|number| Tree::Number(number.to_string().as_str().into())),
        text.prop_map(Tree::String),
    ];
    leaf.prop_recursive(4, 24, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Tree::Array),
            prop::collection::btree_map(key.clone(), inner, 0..4)
                .prop_map(|entries| Tree::Object(entries.into_iter().rev().collect())),
        ]
    })
}

fn input(first: Tree, second: Tree) -> Tree {
    Tree::Object(vec![("first".to_owned(), first), ("second".to_owned(), second)])
}

proptest! {
    #[test]
    fn a_form_is_read_back_as_it_was_put_in(first in value(), second in value()) {
        let input = input(first, second);
        match form(&input) {
            Ok(text) => {
                prop_assert!(!has_odd_key(&input));
                prop_assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%+=&".contains(&byte)), "{}", text);
                prop_assert_eq!(decoded(&text), expected(&input, true, Some("")));
            }
            Err(problems) => {
                prop_assert!(has_odd_key(&input), "{:?}", problems);
                for problem in &problems {
                    prop_assert!(problem.pointer.starts_with("/first/") || problem.pointer.starts_with("/second/"));
                }
            }
        }
    }

    #[test]
    fn a_query_is_read_back_without_what_is_null(first in value(), second in value()) {
        let input = input(first, second);
        for (arrays, numbered) in [("index", true), ("repeat", false)] {
            match query(arrays, &input) {
                Ok(text) => {
                    prop_assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%=&".contains(&byte)), "{}", text);
                    prop_assert_eq!(decoded(&text), expected(&input, numbered, None));
                }
                Err(_) => prop_assert!(has_odd_key(&input)),
            }
        }
    }
}

/// One input, to the byte.
#[test]
fn pairs_are_written_so() {
    let input = |json: &str| input(tieline_manifest::Json::parse(json).unwrap().tree().clone(), Tree::Null);
    for (json, text) in [
        ("\"\"", "first="),
        ("null", "first="),
        ("true", "first=true"),
        ("-0.10e2", "first=-0.10e2"),
        ("\"a b&c=d\"", "first=a+b%26c%3Dd"),
        ("[]", ""),
        ("{}", ""),
        ("{\"a\": [], \"b\": {}, \"c\": null}", "first%5Bc%5D="),
        (
            "[{\"é\": 1}, [2, [3]], \"x\"]",
            "first%5B0%5D%5B%C3%A9%5D=1&first%5B1%5D%5B0%5D=2&first%5B1%5D%5B1%5D%5B0%5D=3&first%5B2%5D=x",
        ),
        ("{\"b\": 1, \"a\": 2}", "first%5Bb%5D=1&first%5Ba%5D=2"),
    ] {
        let told = form(&input(json)).unwrap();
        let told = told.strip_suffix("second=").unwrap();
        assert_eq!(told.strip_suffix('&').unwrap_or(told), text, "{json}");
    }
    let asked = |arrays, json| query(arrays, &input(json)).unwrap();
    assert_eq!(asked("index", "[\"a b\", \"c\"]"), "first%5B0%5D=a%20b&first%5B1%5D=c");
    assert_eq!(asked("repeat", "[\"a b\", \"c\"]"), "first=a%20b&first=c");
    assert_eq!(asked("index", "{\"gte\": 5, \"lt\": null}"), "first%5Bgte%5D=5");
    for (json, pointer) in [
        ("{\"x][y\": 1}", "/first/x][y"),
        ("[{\"\": 1}]", "/first/0/"),
        ("{\"a/b\": {\"[]\": 1}}", "/first/a~1b/[]"),
    ] {
        assert_eq!(form(&input(json)).unwrap_err()[0].pointer, pointer);
    }
}
