//! A block of a document, and whoever reads it and does what it says.

use std::net::SocketAddr;

use serde_json::{Value, json};
use tieline_testkit::evidence::{self, Kind};

use super::read;
use crate::binary::Folder;

/// A block, and what its reader does with it.
pub(super) struct Block {
    name: String,
    /// Letter for letter.
    text: String,
    step: Value,
}

impl Block {
    pub(super) fn of(document: &str, step: &Value) -> Self {
        let name = step["block"].as_str().unwrap();
        Self {
            name: name.to_owned(),
            text: read(&format!("{document}/{name}")),
            step: step.clone(),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Whether it sends a mail.
    pub(super) fn is_mailed(&self) -> bool {
        self.step["mail"] == true
    }

    /// Whether its answer is compared whole.
    pub(super) fn is_told(&self) -> bool {
        self.step["told"] != false
    }
}

/// Somebody with a key, who follows a document.
pub(super) struct Reader<'f> {
    folder: &'f Folder,
    server: SocketAddr,
    /// What stands in place of placeholders, found out so far.
    known: Vec<(String, String)>,
}

impl<'f> Reader<'f> {
    pub(super) fn new(folder: &'f Folder, server: SocketAddr) -> Self {
        let key = folder.read("data/bootstrap-key").trim().to_owned();
        // The commands stand as they are printed; how the answer is written down is said here.
        folder.write(".curlrc", "silent\nshow-error\nwrite-out = \"\\n%{http_code}\"\n");
        let known = [
            ("https://your-domain.com", format!("http://{server}")),
            ("http://localhost:8009", format!("http://{server}")),
            ("sk_xxxxx\"", format!("{key}\"")),
            ("<token>", key),
        ];
        Self {
            folder,
            server,
            known: known.map(|(place, value)| (place.to_owned(), value)).into(),
        }
    }

    /// Does what a block says, and remembers what it gives for later ones.
    pub(super) fn send(&mut self, block: &Block) -> (u16, Value) {
        let text = self.filled(&block.text, &block.step);
        let (status, answer) = match block.name.rsplit_once('.').unwrap().1 {
            "sh" => self.run(&text),
            "http" => {
                let (line, body) = text.split_once('\n').unwrap();
                let (method, path) = line.split_once(' ').unwrap();
                let given = block.step.get("body").map(Value::to_string);
                self.ask(
                    method,
                    path,
                    given.or_else(|| (!body.is_empty()).then(|| body.to_owned())),
                )
            }
            _ => {
                let whole: Value = serde_json::from_str(&text).unwrap();
                let at = block.step["at"].as_str().unwrap_or_default();
                let part = whole.pointer(at).unwrap();
                let body = block
                    .step
                    .get("body")
                    .map_or_else(|| part.clone(), |body| put(body, part));
                let word = |name: &str| block.step[name].as_str().unwrap();
                self.ask(word("method"), word("path"), Some(body.to_string()))
            }
        };
        for (place, pointer) in block.step["gives"].as_object().into_iter().flatten() {
            let value = answer.pointer(pointer.as_str().unwrap()).and_then(Value::as_str);
            let value = value.unwrap_or_else(|| panic!("{} gives no {place}: {answer}", block.name));
            self.known.retain(|(known, _)| known != place);
            self.known.push((place.clone(), value.to_owned()));
        }
        (status, named(answer))
    }

    pub(super) fn post(&mut self, path: &str, body: &Value) -> (u16, Value) {
        self.ask("POST", path, Some(body.to_string()))
    }

    fn filled(&self, text: &str, step: &Value) -> String {
        let own = step["fill"].as_object().into_iter().flatten();
        let own = own.map(|(place, value)| (place.as_str(), value.as_str().unwrap()));
        let text = own.fold(text.to_owned(), |text, (place, value)| {
            assert!(text.contains(place), "{place} is not in {text}");
            text.replace(place, value)
        });
        let known = self.known.iter();
        known.fold(text, |text, (place, value)| text.replace(place.as_str(), value))
    }

    fn ask(&self, method: &str, path: &str, body: Option<String>) -> (u16, Value) {
        let (key, server) = ("$(cat data/bootstrap-key)", self.server);
        let mut command = format!("curl -X {method} -H \"Authorization: Bearer {key}\" 'http://{server}{path}'");
        if let Some(body) = body {
            self.folder.write("body.json", &body);
            command.push_str(" -H 'Content-Type: application/json' --data-binary @body.json");
        }
        self.run(&command)
    }

    fn run(&self, command: &str) -> (u16, Value) {
        let mut shell = self.folder.command("sh", &["-c", command]);
        let done = shell.env("CURL_HOME", self.folder.path("")).output().unwrap();
        evidence::keep(Kind::Answer, &done.stdout);
        let said = String::from_utf8(done.stdout).unwrap();
        let (body, status) = said.rsplit_once('\n').unwrap_or_default();
        let status = status.trim().parse();
        let status = status.unwrap_or_else(|_| panic!("{command}: {said}{}", String::from_utf8_lossy(&done.stderr)));
        (status, serde_json::from_str(body).unwrap_or_default())
    }
}

/// A body with the block, or a part of it, in its place.
fn put(body: &Value, block: &Value) -> Value {
    let fill = |value: &Value| match value.as_str().and_then(|text| text.strip_prefix("the block")) {
        Some(pointer) => block.pointer(pointer).unwrap().clone(),
        None => value.clone(),
    };
    let fields = body.as_object().unwrap().iter();
    fields.map(|(name, value)| (name.clone(), fill(value))).collect()
}

/// The answer with names in place of what no two runs have in common.
fn named(answer: Value) -> Value {
    match answer {
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| match name.as_str() {
                "latencyMs" | "duration" | "requestId" | "key" | "messageId" | "prefix" | "last4" => {
                    let shown = if value.is_null() {
                        value
                    } else {
                        json!(format!("<{name}>"))
                    };
                    (name, shown)
                }
                // The program's; a row's is a number.
                "version" if value.is_string() => (name, json!("<version>")),
                _ => (name, named(value)),
            })
            .collect(),
        Value::Array(items) => items.into_iter().map(named).collect(),
        Value::String(text) => json!(unlike(&text).unwrap_or(&text)),
        other => other,
    }
}

/// The name of a text that is another in each run.
fn unlike(text: &str) -> Option<&'static str> {
    let id = |prefix: &str| {
        let rest = text.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('_'));
        rest.is_some_and(|rest| rest.len() == 26 && rest.bytes().all(|byte| byte.is_ascii_alphanumeric()))
    };
    for (prefix, name) in [
        ("cred", "<credential>"),
        ("conn", "<connection>"),
        ("call", "<call>"),
        ("ten", "<tenant>"),
        ("key", "<key>"),
    ] {
        if id(prefix) {
            return Some(name);
        }
    }
    let year = text
        .get(..4)
        .is_some_and(|year| year.bytes().all(|byte| byte.is_ascii_digit()));
    // The services' own times have another form.
    let time = year && text.len() > 19 && text.as_bytes()[10] == b'T' && text.ends_with('Z');
    time.then_some("<time>")
}
