//! Whatever comes in, a request keeps its host, its path's shape, its lines and its grammar.

use std::collections::BTreeSet;

use proptest::prelude::*;
use tieline_manifest::{Json, Manifest, Tree, Use, Values, case::Case, request::Request};

const MANIFEST: &str = r"
name: Acme
baseUrl: https://api.acme.example/v1
endpoints:
  - id: get
    method: POST
    path: /users/{user}/x{input.more}
    pathParams: [{ name: user, type: string }]
    input: [{ name: more }]
    queryParams: [{ name: q }, { name: list, type: array }]
    headers: { x-note: 'note {{user}}', x-whole: '{{more}}' }
    body: { template: { text: 'a {{user}} b', whole: '{{more}}', list: ['{{q}}'] } }
";

fn manifest() -> Manifest {
    let text = MANIFEST.replace("{input.more}", "{{input.more}}");
    Manifest::parse(&text, Use::Tenant).unwrap_or_else(|lints| panic!("{lints:?}"))
}

fn render(manifest: &Manifest, input: &Tree) -> Option<Request> {
    let values = Values {
        input,
        config: &Tree::Object(Vec::new()),
        auth: None,
        secrets: &BTreeSet::new(),
    };
    manifest
        .endpoint("get")
        .expect("it is declared")
        .render(manifest, &values)
        .ok()
}

fn object(entries: Vec<(&str, Tree)>) -> Tree {
    Tree::Object(
        entries
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect(),
    )
}

#[test]
fn the_strings_attackers_try_stay_in_their_place() {
    let manifest = manifest();
    for text in [
        "../../admin",
        "..",
        "%2e%2e",
        "//evil.example",
        "/\\evil.example",
        "@evil.example",
        "a?b=c",
        "a#b",
        "a\u{0}b",
        "https://evil.example/",
        "{{config.token}}",
        "{{input.q}}",
        "\";alert(1)//",
        "\u{202e}x",
        "a;b=c",
        "a\tb",
    ] {
        let input = object(vec![("user", text.into()), ("more", "m".into()), ("q", text.into())]);
        let Some(request) = render(&manifest, &input) else {
            continue;
        };
        judge(&request, text);
    }
}

fn judge(request: &Request, user: &str) {
    let text = request.url.as_literal().expect("nothing is secret here");
    let url = url::Url::parse(text).expect("it is a URL");
    assert_eq!(url.as_str(), text, "the parser finds nothing to repair");
    assert_eq!(url.host_str(), Some("api.acme.example"));
    assert_eq!(url.port(), None);
    let segments: Vec<&str> = url.path_segments().expect("it has a path").collect();
    assert_eq!(segments.len(), 4, "{text}");
    assert_eq!(segments[..2], ["v1", "users"]);
    let decoded = percent_encoding::percent_decode_str(segments[2])
        .decode_utf8()
        .expect("it is UTF-8");
    assert_eq!(decoded, user);
    for (name, value) in &request.headers {
        assert!(!value.to_string().contains(['\r', '\n', '\0']), "{name}");
    }
    let body = request.body.as_ref().expect("it has a body").text.to_string();
    let body = Json::parse(&body).expect("the body is JSON");
    assert_eq!(
        body.get("text").and_then(Tree::as_str),
        Some(format!("a {user} b").as_str())
    );
}

// L3
#[test]
fn l3_a_template_that_names_a_large_input_often_makes_no_large_request() {
    let template = "{{a}}".repeat(10_000);
    let text = format!(
        "name: A\nbaseUrl: https://a.example\nendpoints:\n  - {{ id: get, method: POST, path: /, body: {{ template: {{ x: '{template}' }} }} }}\n"
    );
    let manifest = Manifest::parse(&text, Use::Tenant).unwrap_or_else(|lints| panic!("{lints:?}"));
    assert!(render(&manifest, &object(vec![("a", "x".into())])).is_some());
    assert!(render(&manifest, &object(vec![("a", "x".repeat(100_000).into())])).is_none());
}

/// What is empty makes no pair, but its name and its place are put together all the same.
#[test]
fn l3_values_that_make_no_pair_are_paid_for() {
    let text = "name: A\nbaseUrl: https://a.example\nendpoints:\n  - { id: get, method: POST, path: /, queryParams: [{ name: q }], \
        body: { contentType: application/x-www-form-urlencoded, schema: { type: object, properties: { f: {} } } } }\n";
    let manifest = Manifest::parse(text, Use::Tenant).unwrap_or_else(|lints| panic!("{lints:?}"));
    let deep = |leaves: usize, leaf: &Tree| {
        let key = "k".repeat(1024);
        let wide = Tree::Array(vec![leaf.clone(); leaves]);
        (0..58).fold(wide, |inside, _| object(vec![(&key, inside)]))
    };
    let none = [Tree::Array(Vec::new()), Tree::Object(Vec::new())];
    for leaf in &none {
        for place in ["f", "q"] {
            assert!(render(&manifest, &object(vec![(place, deep(5, leaf))])).is_some());
            // About 120 kB of names and places for each: no more than 10 MB in all.
            assert!(
                render(&manifest, &object(vec![(place, deep(100, leaf))])).is_none(),
                "{place}"
            );
        }
    }
    assert!(render(&manifest, &object(vec![("q", deep(100, &Tree::Null))])).is_none());
    // Short ones are counted.
    for (place, leaf) in [("f", &none[0]), ("q", &none[1]), ("q", &Tree::Null)] {
        let many = |count| object(vec![(place, Tree::Array(vec![leaf.clone(); count]))]);
        assert!(render(&manifest, &many(9_000)).is_some(), "{place}");
        assert!(render(&manifest, &many(10_000)).is_none(), "{place}");
    }
}

#[test]
fn a_manifest_of_many_strange_keys_is_refused_with_a_bounded_list() {
    let mut text = String::from("name: A\nbaseUrl: https://a.example\nendpoints: []\n");
    for number in 0..20_000 {
        text.push_str(&format!("k{number}: 1\n"));
    }
    let lints = Manifest::parse(&text, Use::Tenant).expect_err("nothing of it is known");
    assert_eq!(lints.len(), tieline_manifest::limits::LINTS);
}

#[test]
fn a_manifest_deeper_than_any_stack_is_refused() {
    for text in ["[", "- ", "{a: ", "? "] {
        let lints = Manifest::parse(&text.repeat(200_000), Use::Tenant).expect_err("it is deep");
        let rules = [tieline_manifest::lint::TOO_COMPLEX, tieline_manifest::lint::SYNTAX];
        assert!(lints.len() == 1 && rules.contains(&lints[0].rule), "{text}: {lints:?}");
    }
}

proptest! {
    #[test]
    fn any_text_stays_in_its_place(user in "\\PC{1,20}", more in "\\PC{1,20}", q in "\\PC{0,20}", list in prop::collection::vec("\\PC{0,5}", 0..4)) {
        let list: Vec<Tree> = list.into_iter().map(Tree::from).collect();
        let input = object(vec![
            ("user", user.as_str().into()),
            ("more", more.as_str().into()),
            ("q", q.as_str().into()),
            ("list", Tree::Array(list.clone())),
        ]);
        if let Some(request) = render(&manifest(), &input) {
            judge(&request, &user);
            let url = url::Url::parse(request.url.as_literal().unwrap()).unwrap();
            let mut expected = vec![("q".to_owned(), q)];
            expected.extend(list.iter().map(|item| ("list".to_owned(), item.as_str().unwrap().to_owned())));
            let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
            prop_assert_eq!(pairs, expected);
        } else {
            prop_assert!(user == "." || user == ".." || user.chars().chain(more.chars()).any(char::is_control));
        }
    }

    #[test]
    fn a_damaged_manifest_is_read_or_refused(at in any::<prop::sample::Index>(), with in "[ -~\n]{0,3}") {
        let mut text = MANIFEST.to_owned();
        let at = at.index(text.len());
        text.replace_range(at..(at + 1).min(text.len()), &with);
        for use_ in [Use::Tenant, Use::Shipped] {
            if let Err(lints) = Manifest::parse(&text, use_) {
                prop_assert!(!lints.is_empty());
                prop_assert!(lints.iter().all(|lint| lint.line >= 1 && lint.column >= 1), "{lints:?}");
            }
        }
        let _ = Case::parse(&text);
    }
}
