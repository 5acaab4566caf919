//! Every folder under `tests/cases` is one case; this reads them all.
//!
//! `manifest.yaml` is read as a tenant's manifest, or as a shipped one when `input.json` says `"use": "shipped"`.
//! `input.json` is `{use?, action, auth?, config?, input?}`. `request.http` is the whole request that is expected, secrets
//! as placeholders. `response.http` is read to `output.json`. `error.txt` holds what goes wrong, line by line: lints,
//! then problems of the configuration, of the input, and the reading of the answer.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use tieline_manifest::{
    FieldProblem, Head, Json, Manifest, Tree, Use, Values,
    request::{Request, SecretRef},
};

#[test]
fn every_case_does_what_its_files_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut folders: Vec<PathBuf> = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    assert!(folders.len() >= 15, "the cases are found: {}", folders.len());
    let wrong: Vec<String> = folders.iter().filter_map(|folder| check(folder).err()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// What came out of a case, in the form of its files.
#[derive(Default)]
struct Actual {
    request: Option<String>,
    output: Option<Json>,
    errors: Vec<String>,
}

fn check(folder: &Path) -> Result<(), String> {
    let file = |name: &str| fs::read_to_string(folder.join(name)).ok();
    let actual = run(
        &file("manifest.yaml").expect("a case has a manifest"),
        file("input.json"),
        file("response.http"),
    );
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let differs = |what: &str, expected: &str, actual: &str| {
        if expected.trim_end() == actual.trim_end() {
            Ok(())
        } else {
            Err(format!("{name}/{what}\n--- expected\n{expected}\n--- actual\n{actual}"))
        }
    };
    let errors = actual.errors.join("\n");
    differs("error.txt", &file("error.txt").unwrap_or_default(), &errors)?;
    differs(
        "request.http",
        &file("request.http").unwrap_or_default(),
        &actual.request.unwrap_or_default(),
    )?;
    let expected = file("output.json").map(|text| Json::parse(&text).expect("output.json is JSON"));
    if expected == actual.output {
        return Ok(());
    }
    let text = |json: Option<Json>| json.map_or_else(String::new, |json| json.tree().to_text());
    differs("output.json", &text(expected), &text(actual.output))
}

fn run(manifest: &str, input: Option<String>, response: Option<String>) -> Actual {
    let mut actual = Actual::default();
    let call = input
        .map(|text| Json::parse(&text).expect("input.json is JSON"))
        .unwrap_or_default();
    let text = |key| call.get(key).and_then(Tree::as_str);
    let object = |key| call.get(key).cloned().unwrap_or_else(|| Tree::Object(Vec::new()));
    let use_ = if text("use") == Some("shipped") {
        Use::Shipped
    } else {
        Use::Tenant
    };
    let manifest = match Manifest::parse(manifest, use_) {
        Ok(manifest) => manifest,
        Err(lints) => {
            actual.errors = lints.iter().map(ToString::to_string).collect();
            return actual;
        }
    };
    let Some(endpoint) = text("action").map(|id| manifest.endpoint(id).expect("the action is declared")) else {
        return actual;
    };
    let auth = text("auth").map(|id| manifest.auth(id).expect("the auth method is declared"));
    let mut secrets = BTreeSet::new();
    let mut config = Tree::Object(Vec::new());
    if let Some(auth) = auth {
        match auth.accept(&Json::from_tree(object("config"))) {
            Ok(accepted) => {
                config = accepted.public;
                secrets.extend(
                    accepted
                        .secrets
                        .into_iter()
                        .map(|secret| SecretRef::Config(secret.name)),
                );
            }
            Err(problems) => {
                actual.errors.extend(lines("config", &problems));
                return actual;
            }
        }
    }
    let given = object("input");
    let is_secret = |name: &str| endpoint.secret_inputs().any(|own| own == name);
    let entries = given.as_object().unwrap_or_default().iter().cloned();
    let (secret, public): (Vec<_>, Vec<_>) = entries.partition(|(name, _)| is_secret(name));
    secrets.extend(secret.into_iter().map(|(name, _)| SecretRef::Input(name)));
    let values = Values {
        input: &Tree::Object(public),
        config: &config,
        auth,
        secrets: &secrets,
    };
    match endpoint.render(&manifest, &values) {
        Ok(request) => actual.request = Some(written(&request)),
        Err(problems) => actual.errors.extend(lines("input", &problems)),
    }
    if let Some(response) = response {
        let (status, headers, body) = parsed(&response);
        let header = |name: &str| {
            headers
                .iter()
                .find(|(own, _)| own == name)
                .map(|(_, value)| value.as_str())
        };
        let head = Head {
            status,
            header: &header,
        };
        match endpoint.read(&manifest, &head, body.as_bytes()) {
            Ok(output) => actual.output = Some(output),
            Err(failure) => {
                let wait = failure
                    .retry_after
                    .map_or_else(String::new, |wait| format!(" after {wait:?}"));
                let (code, message) = (failure.code.unwrap_or_default(), failure.message.unwrap_or_default());
                let place = failure.pointer.map_or_else(String::new, |place| format!(" at {place}"));
                let details = failure.details.iter();
                let details: String = details.map(|(name, value)| format!(" {name}={value}")).collect();
                actual.errors.push(format!(
                    "answer {} {}{wait}{place}: [{code}] {message}{details}",
                    failure.status,
                    failure.kind.as_str()
                ));
            }
        }
    }
    actual
}

fn lines(what: &str, problems: &[FieldProblem]) -> Vec<String> {
    problems
        .iter()
        .map(|problem| format!("{what} {:?}: {}", problem.pointer, problem.message))
        .collect()
}

fn written(request: &Request) -> String {
    let mut out = format!("{} {}\n", request.method, request.url);
    for (name, value) in &request.headers {
        out.push_str(&format!("{name}: {value}\n"));
    }
    if let Some(body) = &request.body {
        out.push_str(&format!("content-type: {}\n\n{}\n", body.content_type, body.text));
    }
    out
}

fn parsed(response: &str) -> (u16, Vec<(String, String)>, &str) {
    let (head, body) = response.split_once("\n\n").unwrap_or((response, ""));
    let mut lines = head.lines();
    let status = lines
        .next()
        .and_then(|line| line.trim().parse().ok())
        .expect("the first line is the status");
    let headers = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    (status, headers, body)
}
