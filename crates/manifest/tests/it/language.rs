//! `LANGUAGE.md` is true: its examples are read and run.

use tieline_manifest::{CATEGORIES, Head, Manifest, Rate, ResetFormat, Use, case::Case};

const LANGUAGE: &str = include_str!("../../LANGUAGE.md");

fn example(number: usize) -> &'static str {
    LANGUAGE
        .split("```yaml\n")
        .nth(number)
        .and_then(|rest| rest.split("```").next())
        .expect("the page has this example")
}

#[test]
fn the_example_case_passes_and_a_changed_one_does_not() {
    let manifest = Manifest::parse(example(1), Use::Shipped).unwrap_or_else(|lints| panic!("{lints:#?}"));
    let case = Case::parse(example(2)).unwrap();
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
        assert!(example(2).contains(from), "{from}");
        let changed = Case::parse(&example(2).replacen(from, to, 1)).unwrap();
        let error = changed.check(&manifest).expect_err(to);
        assert!(error.contains(complaint), "{to}: {error}");
    }
}

#[test]
fn the_credential_test_is_a_case_too() {
    let manifest = Manifest::parse(example(1), Use::Shipped).unwrap();
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
    let manifest = Manifest::parse(example(1), Use::Shipped).expect("the example is good");
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
