//! What the command line says of itself: help from descriptors, and what it does not understand.

use serde_json::Value;

use super::{folder, run};
use crate::binary::Folder;

const CHOOSY: &str = r#"
id: choosy
name: Choosy
baseUrl: https://one.example
auth:
  - type: api_key
    fields:
      - { name: token, label: Token, secret: true, required: true }
      - { name: region, label: Region, options: [{ value: eu, label: Europe }, { value: us, label: America }] }
    keyName: x-key
    keyLocation: header
    keyValue: '{{token}}'
endpoints:
  - id: look
    name: Look
    description: Looks around.
    method: POST
    path: /look
    body:
      schema:
        type: object
        properties:
          colour: { type: string, enum: [red, green], default: red, description: Which one. }
"#;

/// Every input of every action that there is, as its descriptor tells it.
#[tokio::test(flavor = "multi_thread")]
async fn help_of_an_action_tells_what_its_descriptor_tells() {
    let (folder, _upstream) = folder().await;
    let list = run(&folder, &["connectors", "--json"]).json();
    let mut compared = 0;
    for connector in list["data"].as_array().unwrap() {
        let id = connector["id"].as_str().unwrap();
        let descriptor = run(&folder, &["connectors", id, "--json"]).json();
        for action in descriptor["actions"].as_array().unwrap() {
            compared += told(&folder, id, action);
        }
    }
    assert!(compared > 20, "{compared}");
    assert!(!folder.path("data").exists(), "help makes nothing");
}

/// Compares one action and answers how many inputs it has.
fn told(folder: &Folder, connector: &str, action: &Value) -> usize {
    let id = action["id"].as_str().unwrap();
    let ran = run(folder, &["call", connector, id, "--help"]);
    let help = ran.worked();
    let usage = format!("Usage: tieline call {connector} {id} [OPTIONS]\n");
    assert!(help.contains(&usage) && help.contains("--set <NAME=VALUE>"), "{help}");
    assert!(
        help.contains(action["description"].as_str().unwrap_or_default()),
        "{help}"
    );
    let Some(inputs) = action["input"]["properties"].as_object().filter(|all| !all.is_empty()) else {
        assert!(help.contains("It takes no input."), "{help}");
        return 0;
    };
    for (name, input) in inputs {
        let start = format!("  {name} (");
        let line = help.lines().find(|line| line.starts_with(&start));
        let line = line.unwrap_or_else(|| panic!("no {name} in {help}"));
        let (marks, description) = line[start.len()..].split_once(')').unwrap();
        let expected = input["description"]
            .as_str()
            .map(|text| format!(": {}", text.replace('\n', " ")));
        assert_eq!(description, expected.unwrap_or_default());
        let required = action["input"]["required"].as_array();
        let required = required.is_some_and(|all| all.iter().any(|known| known == name));
        assert_eq!(marks.split(", ").any(|mark| mark == "required"), required, "{line}");
        let kind = input["type"].as_str().unwrap_or_default();
        // Only what takes anything is said to.
        assert!(
            marks.starts_with(kind) && (kind.is_empty() || !marks.starts_with("any")),
            "{line}"
        );
    }
    inputs.len()
}

#[test]
fn choices_and_defaults_are_told() {
    let folder = Folder::new();
    folder.write("shelf/choosy.yaml", CHOOSY);
    let shown = run(&folder, &["connectors", "choosy"]);
    assert!(
        shown.worked().contains("  region (string, one of eu, us)\n"),
        "{}",
        shown.all()
    );
    let colour = "  colour (string, one of red, green, default red): Which one.\n";
    assert!(shown.stdout.contains(colour.trim_end()), "{}", shown.all());
    let help = run(&folder, &["call", "choosy", "look", "-h"]);
    assert!(help.worked().contains(colour), "{}", help.all());
    let help = run(&folder, &["call", "choosy", "look", "--help", "--json"]).json();
    assert_eq!(help["input"]["properties"]["colour"]["default"], "red");
}

#[test]
fn help_without_an_action_is_the_grammar_s() {
    let folder = Folder::new();
    for args in [&["call", "--help"][..], &["call", "smtp", "--help"], &["help", "call"]] {
        let help = folder.run(args);
        assert!(
            help.worked()
                .contains("Usage: tieline call [OPTIONS] <CONNECTOR> <ACTION>"),
            "{}",
            help.all()
        );
    }
    folder
        .run(&["call", "nope", "look", "--help"])
        .failed("CONNECTOR_NOT_FOUND: ");
    let said = folder.run(&["call", "smtp", "nope", "--help"]);
    assert!(said.failed("CONNECTOR_ACTION_NOT_FOUND: ").contains("send_email"));
}

#[test]
fn what_is_not_understood_is_a_problem_where_json_is_asked_for() {
    let folder = Folder::new();
    for (args, told) in [
        (&["call"][..], "<CONNECTOR>"),
        (&["nonsense"], "nonsense"),
        (&["connect", "smtp", "--field", "novalue"], "`name=value`"),
        (&["connectors", "--colour"], "--colour"),
        (&["manifest", "lint"], "tieline manifest lint"),
    ] {
        let ran = folder.run(args);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{}", ran.all());
        assert!(
            ran.stderr.starts_with("error: ") && ran.stderr.contains(told),
            "{}",
            ran.all()
        );
        for json in [&[args, &["--json"]].concat(), &[&["--json"], args].concat()] {
            let ran = folder.run(json);
            assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{}", ran.all());
            let problem: Value = serde_json::from_str(&ran.stderr).unwrap();
            assert_eq!(problem["code"], "REQUEST_INVALID");
            assert_eq!(problem["type"], "/errors/REQUEST_INVALID");
            assert!(problem["detail"].as_str().unwrap().contains(told), "{problem}");
        }
    }
}

#[test]
fn a_secret_in_the_wrong_place_is_not_told() {
    const SECRET: &str = "misplaced-canary-38";
    let folder = Folder::new();
    for args in [
        &["connect", "smtp", "--field", SECRET][..],
        &["connect", "smtp", SECRET],
        &["connect", "smtp", "--field", SECRET, "--json"],
    ] {
        let ran = folder.run(args);
        assert_eq!(ran.code, 2, "{}", ran.all());
        assert!(!ran.all().contains(SECRET), "{}", ran.all());
    }
}
