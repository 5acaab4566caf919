//! `LANGUAGE.md` is true: its examples are read and run.

use tieline_manifest::{CATEGORIES, Head, Manifest, Rate, ResetFormat, Tested, Tree, Use, case::Case};

const LANGUAGE: &str = include_str!("../../LANGUAGE.md");

/// The example that begins so.
fn example(beginning: &str) -> &'static str {
    LANGUAGE
        .split("```yaml\n")
        .filter_map(|rest| rest.split("```").next())
        .find(|example| example.starts_with(beginning))
        .expect("the page has this example")
}

const MANIFEST: &str = "id: acme-chat";
const CASE: &str = "action:";

#[test]
fn the_smaller_examples_are_good_too() {
    for beginning in ["auth:\n", "errors:\n", "answers:\n"] {
        let text = format!(
            "name: A\nbaseUrl: https://a.example\nendpoints: []\n{}",
            example(beginning)
        );
        Manifest::parse(&text, Use::Tenant).unwrap_or_else(|lints| panic!("{lints:#?}"));
    }
}

#[test]
fn the_example_case_passes_and_a_changed_one_does_not() {
    let manifest = Manifest::parse(example(MANIFEST), Use::Shipped).unwrap_or_else(|lints| panic!("{lints:#?}"));
    let case = Case::parse(example(CASE)).unwrap();
    case.check(&manifest).unwrap();
    for (from, to, complaint) in [
        (
            "Bot {{config.bot_token}}",
            "Bearer {{config.bot_token}}",
            "request.headers.authorization",
        ),
        ("messages?notify=true", "messages", "request.url"),
        ("method: POST", "method: PUT", "request.method"),
        ("body: { content: hi }", "body: { content: ho }", "request.body"),
        ("status: 200", "status: 404", "output"),
        (
            "output: { id: '7', content: hi }",
            "output: { id: '8', content: hi }",
            "output",
        ),
        ("output: { id: '7', content: hi }", "error: { kind: rejected }", "error"),
        (
            "input: { channel_id: '42', content: hi }",
            "input: { channel_id: '42' }",
            "at least one of content, embeds",
        ),
        ("auth: bot", "auth: bat", "no auth method `bat`"),
        (
            "action: send_message",
            "action: send_massage",
            "no endpoint `send_massage`",
        ),
        (
            "bot_token: aaaaaaaaaaaaaaaaaaaaaaaa",
            "bot_token: short",
            "does not have the expected form",
        ),
    ] {
        assert!(example(CASE).contains(from), "{from}");
        let changed = Case::parse(&example(CASE).replacen(from, to, 1)).unwrap();
        let error = changed.check(&manifest).expect_err(to);
        assert!(error.contains(complaint), "{to}: {error}");
    }
}

#[test]
fn the_credential_test_is_a_case_too() {
    let manifest = Manifest::parse(example(MANIFEST), Use::Shipped).unwrap();
    let case = Case::parse(
        "action: test\nconfig: { token: aaaaaaaaaaaaaaaaaaaaaaaa }\n\
         request: { method: GET, url: 'https://api.acme.example/v1/users/@me', headers: { authorization: 'Bot {{config.bot_token}}' } }\n\
         response: { status: 200, body: { username: ada } }\noutput: ada\n",
    )
    .unwrap();
    case.check(&manifest).unwrap();
    let refused = Case::parse(
        "action: test\nconfig: { token: aaaaaaaaaaaaaaaaaaaaaaaa }\nresponse: { status: 401, body: { code: 0, message: no } }\n\
         error: { kind: unauthorized, code: '0', message: 'no' }\n",
    )
    .unwrap();
    refused.check(&manifest).unwrap();
}

#[test]
fn a_case_may_say_that_an_input_is_refused() {
    let manifest = Manifest::parse(example(MANIFEST), Use::Shipped).expect("the example is good");
    let case = |input: &str, message: &str| {
        let text = format!(
            "action: send_message\nauth: bot\nconfig: {{ token: aaaaaaaaaaaaaaaaaaaaaaaa }}\ninput: {input}\n\
             error: {{ kind: input, message: '{message}' }}\n"
        );
        Case::parse(&text).expect("it is a case").check(&manifest)
    };
    case("{ content: hi }", "/channel_id: `channel_id` is required").unwrap();
    assert!(case("{ content: hi }", "another").is_err());
    assert!(case("{ channel_id: '1', content: hi }", "").is_err());
    for wrong in [
        "action: x\nerror: { kind: rejected }\n",
        "action: x\noutput: 1\n",
        "action: x\nresponse: { status: 200 }\n",
        "action: x\nresponse: { status: 200 }\nerror: { kind: refused }\n",
        "action: x\nresponse: { status: 20 }\noutput: 1\n",
        "action: x\nexpect: 1\n",
    ] {
        assert!(Case::parse(wrong).is_err(), "{wrong}");
    }
}

/// What a test tells of the account: labels and details from the answer, from the fields, and from a second request.
#[test]
fn a_test_tells_of_the_account() {
    let manifest = Manifest::parse(
        "
name: A
baseUrl: '{{shop}}'
auth: [{ type: bearer, token: '{{key}}', fields: [{ name: shop, type: url, required: true }, { name: key, secret: true, required: true }] }]
answers: { success: { path: $.ok, equals: true } }
test:
  path: /me
  queryParams: { fields: 'id,{{shop}}', n: 1 }
  label: [$.name, $.mail]
  details: { shop: 'at {{shop}}', places: { count: $.places }, ids: { count: '$.places[*].id' }, live: $.live, list: $.places, none: $.none }
  expect: { jsonPath: [$.id] }
  then: { path: /site, label: $.title, details: { site: $.title, live: $.late } }
endpoints: []
",
        Use::Tenant,
    )
    .unwrap_or_else(|lints| panic!("{lints:#?}"));
    let case = |text: &str| {
        let text = format!("config: {{ shop: 'https://a.example/b', key: k }}\n{text}");
        Case::parse(&text).unwrap().check(&manifest)
    };
    let asked = "action: test\nrequest: { method: GET, url: 'https://a.example/b/me?fields=id%2Chttps%3A%2F%2Fa.example%2Fb&n=1' }\n";
    case(&format!(
        "{asked}response: {{ status: 200, body: {{ ok: true, id: 1, name: '', mail: 'a  b', live: false, places: [{{ id: 1 }}, {{}}] }} }}\n\
         output: {{ label: a b, details: {{ shop: 'at https://a.example/b', places: 2, ids: 1, live: false }} }}\n"
    ))
    .unwrap();
    case("action: test.then\nrequest: { method: GET, url: 'https://a.example/b/site' }\nresponse: { status: 200, body: { ok: true, title: T } }\noutput: { label: T, details: { site: T } }\n").unwrap();
    for (answer, error) in [
        ("{ status: 200, body: '<html>' }", "{ kind: malformed }"),
        (
            "{ status: 200, body: { ok: true } }",
            "{ kind: malformed, message: 'the answer has nothing at $.id' }",
        ),
        ("{ status: 200, body: { ok: false, id: 1 } }", "{ kind: rejected }"),
        ("{ status: 200, body: { id: 1 } }", "{ kind: malformed }"),
        ("{ status: 401, body: { ok: true, id: 1 } }", "{ kind: unauthorized }"),
    ] {
        case(&format!("{asked}response: {answer}\nerror: {error}\n")).unwrap();
    }
    let first = Tested {
        label: Some("a".to_owned()),
        details: vec![("x".to_owned(), Tree::Bool(true)), ("y".to_owned(), Tree::Bool(true))],
    };
    let then = Tested {
        label: None,
        details: vec![("x".to_owned(), Tree::Bool(false))],
    };
    let both = first.clone().and(then);
    assert_eq!(both.label.as_deref(), Some("a"));
    assert_eq!(
        both.details,
        [("y".to_owned(), Tree::Bool(true)), ("x".to_owned(), Tree::Bool(false))]
    );
    assert_eq!(Tested::default().and(first.clone()), first);
}

#[test]
fn the_page_names_every_category() {
    let line = format!("`{}`", CATEGORIES.join(" "));
    assert!(LANGUAGE.contains(&line), "{line}");
}

#[test]
fn an_answer_may_say_that_no_requests_are_left() {
    let manifest = |rate: &str| {
        let text = format!("{{ name: A, baseUrl: 'https://a.example', rateLimit: {rate}, endpoints: [] }}");
        Manifest::parse(&text, Use::Tenant).unwrap()
    };
    let told = manifest("{ remainingHeader: X-Left, resetHeader: X-Reset, resetFormat: epochMs }");
    let silent = manifest("{ requestsPerMinute: 60 }");
    assert_eq!(
        silent.rate,
        Some(Rate {
            per_minute: 60,
            burst: 60
        })
    );
    let exhausted = |manifest: &Manifest, left: Option<&'static str>, reset: Option<&'static str>| {
        let header = move |name: &str| match name {
            "x-left" => left,
            "x-reset" => reset,
            _ => None,
        };
        let head = Head {
            status: 200,
            header: &header,
        };
        manifest
            .exhausted(&head)
            .map(|exhausted| (exhausted.reset, exhausted.format))
    };
    let until = Some(("17".to_owned(), ResetFormat::EpochMs));
    assert_eq!(exhausted(&told, Some(" 0"), Some("17 ")), until);
    for (left, reset) in [
        (Some("1"), Some("17")),
        (Some("none"), Some("17")),
        (None, Some("17")),
        (Some("0"), None),
    ] {
        assert_eq!(exhausted(&told, left, reset), None, "{left:?} {reset:?}");
    }
    assert_eq!(exhausted(&silent, Some("0"), Some("17")), None);
}
