//! A request around a body: path, query, method and headers.

use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::{World, body, dice::Dice, value};
use crate::support::Ask;

/// A request that was drawn.
pub(super) struct Drawn {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) ask: Ask,
    body: Option<Vec<u8>>,
    headers: Vec<String>,
}

impl Drawn {
    /// What an answer may repeat: path and body, never the key.
    pub(super) fn repeatable(&self) -> String {
        let body = self.body.as_deref().map(String::from_utf8_lossy).unwrap_or_default();
        format!("{}\n{body}", self.path)
    }

    /// The request for people who look for a mistake; without keys.
    pub(super) fn told(&self) -> String {
        let body = self.body.as_deref().map(String::from_utf8_lossy).unwrap_or_default();
        let body: String = body.chars().take(600).collect();
        format!("{} {}\n{}\n{body}", self.method, self.path, self.headers.join("\n"))
    }
}

/// Parts of paths that are not percent-encoded as they should be, or mean something else.
const PARTS: [&str; 10] = [
    "%00",
    "%ff",
    "%2F",
    "..",
    "%2e%2e",
    "%",
    "%zz",
    "a%20b",
    "%F0%9F%91%8B",
    "~",
];

pub(super) fn draw(dice: &mut Dice<'_>, world: &World, method: &Method, path: &str, operation: &Value) -> Drawn {
    let method = if dice.rarely(16) {
        ["PUT", "OPTIONS", "HEAD", "BREW", "TRACE", "DELETE"][dice.below(6)]
            .parse()
            .unwrap()
    } else {
        method.clone()
    };
    let path = address(dice, world, path, operation);
    let body = body::draw(dice, world, operation);
    let mut headers = Vec::<(&'static str, Vec<u8>)>::new();
    if body.is_some() {
        content(dice, &mut headers);
    }
    for _ in 0..dice.below(3) {
        let (name, value) = *dice.one(&ODD_HEADERS);
        headers.push((name, value.to_vec()));
    }
    let mut ask = Ask::new(method.clone(), path.clone());
    if operation["security"] == json!([{ "session": [] }]) && !dice.rarely(12) {
        ask = ask.session(&world.seed.session);
    } else {
        key(dice, world, &mut headers);
    }
    for (name, value) in &headers {
        ask = ask.raw_header(name, value);
    }
    let told = |(name, value): &(&str, Vec<u8>)| match *name {
        "authorization" => "authorization: …".to_owned(),
        _ => format!("{name}: {}", String::from_utf8_lossy(value)),
    };
    Drawn {
        method,
        path,
        ask: match &body {
            Some(body) => ask.body(body.clone()),
            None => ask,
        },
        headers: headers.iter().map(told).collect(),
        body,
    }
}

fn address(dice: &mut Dice<'_>, world: &World, path: &str, operation: &Value) -> String {
    let mut path = path.to_owned();
    let mut query = Vec::new();
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let name = parameter["name"].as_str().unwrap();
        let example = world.seed.fill(&parameter["example"]);
        let example = example.as_str().map_or_else(|| example.to_string(), str::to_owned);
        match parameter["in"].as_str().unwrap() {
            "path" => {
                let part = match dice.below(8) {
                    5 => encoded(&value::id(dice, world)),
                    6 => encoded(&text(dice, world)),
                    7 => (*dice.one(&PARTS)).to_owned(),
                    _ => encoded(&example),
                };
                let part = if part.is_empty() { "-".to_owned() } else { part };
                path = path
                    .replace(&format!("{{{name}}}"), &part)
                    .replace(&format!("{{*{name}}}"), &part);
            }
            "query" => match dice.below(6) {
                0 | 1 if parameter["required"] != true => {}
                4 => query.push(format!("{name}={}", encoded(&text(dice, world)))),
                5 => {
                    let twice = format!("{name}={}", encoded(&example));
                    query.extend([twice.clone(), twice]);
                }
                _ => query.push(format!("{name}={}", encoded(&example))),
            },
            _ => {}
        }
    }
    if dice.rarely(8) {
        query.push((*dice.one(&["nonsense=1", "&&", "=", "%ff=%ff", "limit", "tenant=x", "a=%00", "+"])).to_owned());
    }
    if dice.rarely(40) {
        query.push(format!("q={}", "x".repeat(9000)));
    }
    if query.is_empty() {
        return path;
    }
    format!("{path}?{}", query.join("&"))
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// A hostile value as the text of a parameter.
fn text(dice: &mut Dice<'_>, world: &World) -> String {
    let json = value::hostile(dice, world);
    let text = serde_json::from_str::<String>(&json).unwrap_or(json);
    text.chars().take(1000).collect()
}

/// Who asks: mostly somebody who may.
fn key(dice: &mut Dice<'_>, world: &World, headers: &mut Vec<(&'static str, Vec<u8>)>) {
    let mut bearer = |key: &str| headers.push(("authorization", format!("Bearer {key}").into_bytes()));
    match dice.below(48) {
        10 => bearer(&world.weak),
        11 => bearer(&format!("sk_{}", "0".repeat(64))),
        12 => bearer("sk_short"),
        13 => {}
        14 => {
            bearer(&world.seed.key);
            bearer(&world.seed.key);
        }
        15 => headers.push(("authorization", b"Basic \xff\xfe".to_vec())),
        _ => bearer(&world.seed.key),
    }
}

fn content(dice: &mut Dice<'_>, headers: &mut Vec<(&'static str, Vec<u8>)>) {
    let kind: &[u8] = match dice.below(40) {
        8 => b"application/json; charset=utf-8",
        9 => b"APPLICATION/JSON",
        10 => b"text/plain",
        11 => b"application/x-www-form-urlencoded",
        12 => b"multipart/form-data; boundary=x",
        13 => b"\xff\xfe",
        14 => b"application/json;charset=utf-16",
        15 => return,
        _ => b"application/json",
    };
    headers.push(("content-type", kind.to_vec()));
    if dice.rarely(12) {
        headers.push((
            "content-encoding",
            dice.one(&[&b"gzip"[..], b"identity", b"br", b"\xff"]).to_vec(),
        ));
    }
}

/// Headers that mean something to somebody.
const ODD_HEADERS: [(&str, &[u8]); 18] = [
    ("accept", b"*/*"),
    ("accept", b"application/xml"),
    ("accept", b"text/html;q=0.5, \xff"),
    ("origin", b"null"),
    ("origin", b"https://evil.example"),
    ("cookie", b"session=x; __Host-session=\xff"),
    ("idempotency-key", b""),
    ("idempotency-key", b"key 1"),
    ("idempotency-key", b"\xff\xfe"),
    ("x-forwarded-for", b"127.0.0.1"),
    ("x-forwarded-host", b"evil.example"),
    ("x-http-method-override", b"DELETE"),
    ("x-request-id", b"0000"),
    ("range", b"bytes=0-1"),
    ("if-none-match", b"*"),
    ("x-tenant-id", b"default"),
    ("upgrade", b"websocket"),
    ("sec-fetch-site", b"cross-site"),
];
