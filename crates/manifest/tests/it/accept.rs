//! What a person typed in becomes public fields and names of secrets.

use tieline_manifest::{GivenSecret, Json, Manifest, Use};

const MANIFEST: &str = r"
name: Acme
baseUrl: https://api.acme.example
endpoints: []
auth:
  - type: custom
    fields:
      - { name: host, required: true }
      - { name: port, type: integer, default: 587 }
      - { name: secure, type: boolean, default: true }
      - { name: password, secret: true, aliases: [pass] }
      - { name: extra, secret: true }
      - { name: rules, type: json }
      - { name: account, type: json, secret: true }
";

fn accept(text: &str) -> Result<tieline_manifest::Accepted, Vec<tieline_manifest::FieldProblem>> {
    let manifest = Manifest::parse(MANIFEST, Use::Tenant).expect("the manifest is good");
    let auth = manifest.auth("custom").expect("it is declared");
    auth.accept(&Json::parse(text).expect("it is JSON"))
}

#[test]
fn defaults_come_in_and_secrets_stay_out() {
    let accepted = accept(r#"{"pass":"hunter2-value","host":"a.example","secure":false,"extra":null}"#).unwrap();
    assert_eq!(
        accepted.public.to_text(),
        r#"{"host":"a.example","port":587,"secure":false}"#
    );
    let given = GivenSecret {
        name: "password".to_owned(),
        key: "pass".to_owned(),
    };
    assert!(!format!("{accepted:?}").contains("hunter2"), "{accepted:?}");
    assert_eq!(accepted.secrets, [given]);
}

#[test]
fn no_problem_tells_a_value() {
    for text in [
        r#"{"host":["hunter2"],"password":{"a":"hunter2"},"port":"hunter2"}"#,
        r#"{"host":"x\nhunter2","password":"hunter2","extra":5}"#,
    ] {
        let problems = accept(text).unwrap_err();
        assert!(!format!("{problems:?}").contains("hunter2"), "{problems:?}");
    }
}

#[test]
fn what_is_no_object_is_refused_at_its_root() {
    for text in ["[]", "null", "\"host\""] {
        assert_eq!(accept(text).unwrap_err()[0].pointer, "", "{text}");
    }
    assert_eq!(accept("{}").unwrap_err()[0].pointer, "/host");
    assert_eq!(accept(r#"{"host":"  "}"#).unwrap_err()[0].pointer, "/host");
}

#[test]
fn json_is_taken_as_it_stands_and_a_secret_one_stays_out_whole() {
    let rules = r#"[{"of":"a\nb","at":[1,null]}]"#;
    let accepted = accept(&format!(
        r#"{{"host":"a.example","rules":{rules},"account":{{"user":"u","password":"hunter2-value"}}}}"#
    ));
    let accepted = accepted.unwrap();
    assert_eq!(accepted.public.get("rules").unwrap().to_text(), rules);
    assert_eq!(accepted.secrets[0].name, "account");
    assert!(!format!("{accepted:?}").contains("hunter2"), "{accepted:?}");
}
