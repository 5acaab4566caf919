use super::*;

/// Has letters that every form writes differently, and characters of one, two, three and four bytes.
const AWKWARD: &str = "p%4 &\"/\\+é€😀=\tz?";
const PLAIN: &str = "xoxb1234abcd5678";

fn redactor() -> Redactor {
    Redactor::new([PLAIN, AWKWARD])
}

fn percent(secret: &str) -> String {
    secret.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[test]
fn r1_finds_a_secret_however_it_is_written() {
    let form: String = url::form_urlencoded::byte_serialize(AWKWARD.as_bytes()).collect();
    let json = serde_json::to_string(AWKWARD).unwrap();
    let all_escaped: String = AWKWARD.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect();
    let written = [
        PLAIN.to_owned(),
        AWKWARD.to_owned(),
        percent(PLAIN),
        percent(AWKWARD),
        percent(AWKWARD).to_lowercase(),
        form.replace('+', "%20"),
        form,
        json.trim_matches('"').to_owned(),
        json.trim_matches('"').replace('/', "\\/"),
        all_escaped.to_lowercase(),
        all_escaped,
    ];
    for secret in written {
        assert_eq!(
            redactor().scrub(&format!("before {secret} after")),
            "before [redacted] after",
            "{secret}"
        );
        assert_eq!(redactor().scrub(&secret), MARK, "{secret}");
    }
}

#[test]
fn r1_finds_a_secret_in_a_form_inside_a_form() {
    let json = |text: &str| serde_json::to_string(text).unwrap();
    let form = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    for secret in [PLAIN, AWKWARD] {
        for written in [
            json(&json(secret)),
            json(&json(secret)).replace('/', "\\/"),
            form(&json(secret)),
            percent(&json(secret)),
            form(&form(secret)).replace('+', "%20"),
            percent(&percent(secret)),
        ] {
            let scrubbed = redactor().scrub(&written).into_owned();
            assert!(scrubbed.contains(MARK), "{written}: {scrubbed}");
            let left = scrubbed.replace(MARK, "");
            assert!(
                left.chars().all(|letter| "\\\"%25C".contains(letter)),
                "{written}: {scrubbed}"
            );
        }
    }
    let output = format!(
        "{{\"a\":{},\"b\":1.10}}",
        json(&format!("{{\"in\":{}}}", json(AWKWARD)))
    );
    let scrubbed = redactor().scrub_values(&output).into_owned();
    assert_eq!(scrubbed, r#"{"a":"{\"in\":\"[redacted]\"}","b":1.10}"#);
}

#[test]
fn r1_finds_a_secret_inside_base64_at_every_alignment() {
    use base64::{Engine, engine::general_purpose as engine};
    for secret in [PLAIN, AWKWARD, "12345678", "123456789", "1234567890"] {
        let redactor = Redactor::new([secret]);
        for before in ["", "u", "us", "user:", "user:1", "user:12"] {
            for after in ["", "x", "xy", "xyz"] {
                let whole = format!("{before}{secret}{after}");
                for encoded in [
                    engine::STANDARD.encode(&whole),
                    engine::STANDARD_NO_PAD.encode(&whole),
                    engine::URL_SAFE.encode(&whole),
                    percent_encode(&engine::STANDARD.encode(&whole)),
                ] {
                    let scrubbed = redactor.scrub(&encoded);
                    assert!(scrubbed.contains(MARK), "{whole}: {encoded}");
                    // What is left holds bits of the neighbours only, none of the secret.
                    let (left, right) = scrubbed.split_once(MARK).unwrap();
                    let right = percent_decode(right).trim_end_matches('=').len();
                    assert!(
                        left.len() * 6 <= before.len() * 8,
                        "{whole}: {scrubbed} begins with bits of the secret"
                    );
                    assert!(
                        right * 6 < after.len() * 8 + 6,
                        "{whole}: {scrubbed} ends with bits of the secret"
                    );
                }
            }
        }
    }
}

fn percent_encode(text: &str) -> String {
    text.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D")
}

fn percent_decode(text: &str) -> String {
    text.replace("%2B", "+").replace("%2F", "/").replace("%3D", "=")
}

#[test]
fn r1_leaves_short_secrets_and_other_text_alone() {
    let redactor = Redactor::new(["1234567", "", "abcdefgh"]);
    let text = "1234567 abcdefg abcdefgi %61bcdefg \\u0061 café 100% \\ + %zz %";
    assert!(matches!(redactor.scrub(text), Cow::Borrowed(same) if same == text));
    assert_eq!(redactor.scrub("abcdefgh"), MARK);
}

#[test]
fn r1_overlapping_secrets_leave_nothing_of_either() {
    let redactor = Redactor::new(["abcdefgh", "efghijklmn", "abcdefghij"]);
    assert_eq!(redactor.scrub("<abcdefghijklmn>"), "<[redacted]>");
    let nested = Redactor::new(["abcdefghijklmnop", "cdefghij"]);
    assert_eq!(nested.scrub("<abcdefghijklmnop>"), "<[redacted]>");
    assert_eq!(redactor.scrub("abcdefghabcdefgh"), "[redacted][redacted]");
}

#[test]
fn r2_scrubs_before_it_cuts() {
    let text = format!("{}{PLAIN} tail", "é".repeat(10));
    for length in 0..text.len() + 5 {
        let cut = redactor().scrub_and_cut(&text, length);
        assert!(cut.len() <= length);
        assert!(!cut.contains("xoxb"), "{cut}");
    }
    // And a text that somebody else has cut inside a secret.
    for length in 8..PLAIN.len() {
        let cut = format!("upstream said {}", &PLAIN[..length]);
        assert_eq!(redactor().scrub(&cut), "upstream said [redacted]");
    }
    assert_eq!(redactor().scrub("upstream said xoxb123"), "upstream said xoxb123");
}

#[test]
fn r1_knows_the_shapes_of_secrets() {
    let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U";
    let own = format!("sk_{}", "0123456789abcdef".repeat(4));
    let pem = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAAKC\n-----END RSA PRIVATE KEY-----";
    let cases = [
        ("curl -H 'X: Bearer abc123def' -v", "curl -H 'X: Bearer [redacted]' -v"),
        ("bearer  AbCdEfGhIj.", "bearer  [redacted]."),
        ("Basic dXNlcjpwYXNz=", "Basic [redacted]"),
        (
            "GET /bot123456:ABC-DEF1234ghIkl/sendMessage",
            "GET /bot[redacted]/sendMessage",
        ),
        ("GET /bot123456%3AABC-DEF1234ghIkl/getMe", "GET /bot[redacted]/getMe"),
        ("postgres://app:hunter2@db:5432/x", "postgres://[redacted]@db:5432/x"),
        ("https://a@b:p@ss@host/x@y", "https://[redacted]@host/x@y"),
        ("https://ghp1234567890abcdef@host/", "https://[redacted]@host/"),
        (&format!("jwt {jwt}, next"), "jwt [redacted], next"),
        (&format!("key {own}."), "key [redacted]."),
        (&format!("a {pem} b"), "a [redacted] b"),
        (&format!("a {}", pem.replace('\n', "\\n")), "a [redacted]"),
        (&pem[..50], "[redacted]"),
    ];
    for (text, scrubbed) in cases {
        assert_eq!(Redactor::default().scrub(text), scrubbed);
    }
}

#[test]
fn r1_knows_values_by_the_name_before_them() {
    let cases = [
        ("/cb?code_verifier=abc&state=1", "/cb?code_verifier=[redacted]&state=1"),
        (
            "grant_type=refresh_token&refresh_token=r%2F1",
            "grant_type=refresh_token&refresh_token=[redacted]",
        ),
        ("Server=x;Password=p,w;Port=1", "Server=x;Password=[redacted];Port=1"),
        ("password='a b' next", "password='[redacted]' next"),
        ("user[password]=x", "user[password]=[redacted]"),
        (
            r#"got {"access_token": "abc", "expires_in": 3600"#,
            r#"got {"access_token": "[redacted]", "expires_in": 3600"#,
        ),
        (r#"got {"access_token":"a\"bc"#, r#"got {"access_token":"[redacted]"#),
        (
            r#""{\"api_key\":\"abc\",\"a\":1}""#,
            r#""{\"api_key\":\"[redacted]\",\"a\":1}""#,
        ),
        (
            "{'password': 'x', 'otp': 123456}",
            "{'password': '[redacted]', 'otp': [redacted]}",
        ),
        (
            "Authorization: Digest a=\"b\"\r\nAccept: */*",
            "Authorization: [redacted]\r\nAccept: */*",
        ),
        ("set-cookie: a=b; c=d\nx", "set-cookie: [redacted]\nx"),
        ("X-API-Key: abc\nx", "X-API-Key: [redacted]\nx"),
    ];
    for (text, scrubbed) in cases {
        assert_eq!(Redactor::default().scrub(text), scrubbed);
        assert_eq!(
            Redactor::default().scrub(scrubbed),
            scrubbed,
            "scrubbing twice changes nothing"
        );
    }
}

#[test]
fn r5_leaves_look_alikes_readable() {
    let texts = [
        "Bearer authentication is required. Use a bearer token.",
        "Basic authentication failed for the basic plan, Basic information-only",
        r#"{"token_type":"bearer","max_tokens":4096,"primary_key":"id","author":"Ann","nextPageToken":"CAUQAA"}"#,
        r#"{"password":null,"secret":true,"token":"","has_password":false}"#,
        "token_type=bearer&max_tokens=12&author=ann&page_token=xyz123",
        "https://example.com/users/@me?at=a@b.c and ssh://git@example.com/repo",
        "password= and token=true and secret: it",
        "robots, bottom, bot:hello, bot1:short, robot123456:ABCDEFGHIJKL",
        "eyJ and eyJust.a.name, sk_live, task_force_with_a_long_name_1",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----",
        "a == b, ratio 3:4, \"name\": \"value\", 'x':'y', = : :// @",
    ];
    for text in texts {
        assert_eq!(redactor().scrub(text), text);
        assert_eq!(redactor().scrub_json(text), text);
    }
}

#[test]
fn headers_are_judged_by_name_and_by_value() {
    let scrub = |name, value| redactor().scrub_header(name, value).into_owned();
    assert_eq!(scrub("Authorization", "letters"), MARK);
    assert_eq!(scrub("x-api-key", "1"), MARK);
    assert_eq!(scrub("x-custom", "a xoxb1234abcd5678"), "a [redacted]");
    assert_eq!(scrub("content-type", "application/json"), "application/json");
    assert_eq!(scrub("authorization", ""), "");
}

#[test]
fn json_stays_json_and_keeps_its_numbers() {
    let text = r#" {"id": 12345678901234567890.10, "a": ["xoxb1234abcd5678", "line\nxoxb1234abcd5678\""],
        "password": "x", "pin": {"otp": 1e5}, "tokens": 7, "api_key": null, "client_secret": {"a": [1, {"b": "}"}], "c": 2},
        "secrets": ["a", "b"], "token": true, "xoxb1234abcd5678": 1, "last": {"token": 5}} "#;
    let expected = r#" {"id": 12345678901234567890.10, "a": ["[redacted]", "line\n[redacted]\""],
        "password": "[redacted]", "pin": {"otp": "[redacted]"}, "tokens": 7, "api_key": null, "client_secret": "[redacted]",
        "secrets": "[redacted]", "token": true, "[redacted]": 1, "last": {"token": "[redacted]"}} "#;
    assert_eq!(redactor().scrub_json(text), expected);
    assert_eq!(redactor().scrub_json(expected), expected);
    assert!(serde_json::from_str::<serde_json::Value>(expected).is_ok());
}

#[test]
fn json_in_which_a_secret_meets_an_escape_stays_json() {
    // `n` of `\n` and the secret that follows look like the secret `nabcdefgh`.
    let redactor = Redactor::new(["nabcdefgh"]);
    for text in [r#"["\nabcdefgh"]"#, r#"["nabcdefgh\u00e9"]"#, r#"{"\\nabcdefgh":"\\"}"#] {
        let scrubbed = redactor.scrub_json(text);
        assert!(
            serde_json::from_str::<serde_json::Value>(&scrubbed).is_ok(),
            "{scrubbed}"
        );
    }
    assert_eq!(redactor.scrub_json(r#"["nabcdefgh"]"#), r#"["[redacted]"]"#);
}

#[test]
fn what_is_no_json_is_scrubbed_as_text() {
    for text in ["", "{", "]", "{]", "[\"", r#"{"a":1"#, "[\u{e9}]"] {
        assert_eq!(redactor().scrub_json(text), text);
    }
    assert_eq!(
        redactor().scrub_json(r#"{"password":"hunter2","a":"#),
        r#"{"password":"[redacted]","a":"#
    );
    assert_eq!(redactor().scrub_json("[xoxb1234abcd5678"), "[[redacted]");
    assert_eq!(redactor().scrub_json(r#""password=x""#), r#""password=[redacted]""#);
    // Words, colons and quotes that an easy reader would take for JSON.
    for text in [
        "xoxb1234abcd5678",
        "said: xoxb1234abcd5678",
        "\"a\" xoxb1234abcd5678",
        "{} xoxb1234abcd5678",
    ] {
        assert_eq!(redactor().scrub_json(text), text.replace(PLAIN, MARK));
    }
}

#[test]
fn json_numbers_that_are_secrets_go_too() {
    let redactor = Redactor::new(["4929123456781234"]);
    assert_eq!(
        redactor.scrub_json(r#"{"a":4929123456781234,"b":4929}"#),
        r#"{"a":"[redacted]","b":4929}"#
    );
}

proptest::proptest! {
    #[test]
    fn never_panics_and_never_shows_the_secret(
        before in r#"[a-z%+\\"':=@é/ .-]{0,20}"#,
        secret in r#"[ -~é€😀]{8,24}"#,
        after in r#"[a-z%+\\"':=@é/ .-]{0,20}"#,
    ) {
        let redactor = Redactor::new([secret.as_str()]);
        let text = format!("{before}{secret}{after}");
        let scrubbed = redactor.scrub(&text);
        proptest::prop_assert!(!scrubbed.contains(&secret));
        let json = serde_json::json!({ &before: [&text, 1.5], "n": secret }).to_string();
        let scrubbed = redactor.scrub_json(&json);
        proptest::prop_assert!(serde_json::from_str::<serde_json::Value>(&scrubbed).is_ok(), "{}", scrubbed);
        proptest::prop_assert!(!scrubbed.contains(&secret));
    }
}
