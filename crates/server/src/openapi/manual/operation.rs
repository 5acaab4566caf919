//! One route on the page.

use serde_json::Value;

use super::{
    Entry, fields, method,
    schema::{field_row, kind, row, shape, table},
};
use crate::{
    browser::COOKIE,
    openapi::{example_of, resolve, sample::sample},
    page::{Html, markdown},
};

pub(super) fn section(html: &mut Html, document: &Value, entry: &Entry<'_>) {
    let operation = entry.operation;
    html.tag("section", &[("class", "operation"), ("id", entry.name())], |html| {
        html.tag("h3", &[], |html| {
            method(html, &entry.method);
            html.leaf("a", &[("href", &format!("#{}", entry.name()))], entry.path);
        });
        html.tag("p", &[], |html| {
            markdown::inline(html, operation["summary"].as_str().unwrap_or_default());
            html.text(" ");
            let access = operation["x-permission"].as_str().unwrap_or_else(|| open_to(operation));
            html.leaf("span", &[("class", "chip")], access);
        });
        parameters(html, operation);
        body(html, document, operation);
        html.leaf("h4", &[], "Request");
        html.tag("pre", &[], |html| html.leaf("code", &[], &curl(entry)));
        answers(html, document, operation);
        errors(html, operation);
    });
}

/// Who may take a route that needs no permission.
fn open_to(operation: &Value) -> &'static str {
    if takes(operation, "session") {
        "signed in"
    } else {
        "open to anyone"
    }
}

/// Whether a route takes what proves who calls: `apiKey` or `session`.
fn takes(operation: &Value, scheme: &str) -> bool {
    let mut schemes = operation["security"].as_array().into_iter().flatten();
    schemes.any(|one| one.get(scheme).is_some())
}

fn parameters(html: &mut Html, operation: &Value) {
    let Some(parameters) = operation["parameters"].as_array() else {
        return;
    };
    html.leaf("h4", &[], "Parameters");
    table(html, |html| {
        for parameter in parameters {
            let mut schema = parameter["schema"].clone();
            if let (Some(schema), Some(description)) = (schema.as_object_mut(), parameter.get("description")) {
                schema.insert("description".to_owned(), description.clone());
            }
            let place = parameter["in"].as_str().unwrap_or_default();
            let mark = if parameter["required"] == true && place != "path" {
                "required"
            } else {
                place
            };
            field_row(html, parameter["name"].as_str().unwrap_or_default(), &schema, mark);
        }
    });
}

fn body(html: &mut Html, document: &Value, operation: &Value) {
    for (media, content) in fields(&operation["requestBody"]["content"]) {
        html.tag("h4", &[], |html| html.text(&format!("Body · {media}")));
        shape(html, resolve(document, &content["schema"]));
    }
}

/// The request as a line for the shell. Optional parameters are left out.
fn curl(entry: &Entry<'_>) -> String {
    let operation = entry.operation;
    let mut path = entry.path.to_owned();
    let mut query = Vec::new();
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let name = parameter["name"].as_str().unwrap_or_default();
        let value = match &parameter["example"] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        match (parameter["in"].as_str(), parameter["required"] == true) {
            (Some("path"), _) => {
                path = path
                    .replace(&format!("{{{name}}}"), &value)
                    .replace(&format!("{{*{name}}}"), &value)
            }
            (Some("query"), true) => query.push(format!("{name}={value}")),
            _ => {}
        }
    }
    let query = if query.is_empty() {
        String::new()
    } else {
        format!("?{}", query.join("&"))
    };
    let verb = match entry.method.as_str() {
        "GET" => String::new(),
        other => format!(" -X {other}"),
    };
    let mut line = format!("curl{verb} \"$TIELINE{path}{query}\"");
    if takes(operation, "apiKey") {
        line += " \\\n  -H \"Authorization: Bearer $TIELINE_KEY\"";
    } else if takes(operation, "session") {
        line += &format!(" \\\n  -H \"Cookie: {COOKIE}=$TIELINE_SESSION\" -H 'Sec-Fetch-Site: same-origin'");
    }
    for (media, content) in fields(&operation["requestBody"]["content"]) {
        if let Some(example) = example_of(content) {
            let text = match example {
                Value::String(text) => text.clone(),
                other => format!("{other:#}"),
            };
            line += &format!(
                " \\\n  -H 'Content-Type: {media}' \\\n  -d '{}'",
                text.replace('\'', "'\\''")
            );
            break;
        }
    }
    line
}

fn answers(html: &mut Html, document: &Value, operation: &Value) {
    let answers = fields(&operation["responses"]).filter(|(_, answer)| answer["$ref"].is_null());
    for (status, answer) in answers {
        html.tag("h4", &[], |html| html.text(&format!("Answer · {status}")));
        if answer["content"].is_null() {
            html.leaf("p", &[], "No body.");
        }
        for (media, content) in fields(&answer["content"]) {
            html.tag("p", &[], |html| {
                html.leaf("code", &[], media);
                html.text(": ");
                kind(html, &content["schema"]);
            });
            if media == "application/json" && !content["schema"]["$ref"].is_null() {
                let example = sample(document, &content["schema"]);
                html.tag("details", &[], |html| {
                    html.leaf("summary", &[], "What it looks like");
                    html.tag("pre", &[], |html| html.leaf("code", &[], &format!("{example:#}")));
                });
            }
        }
    }
}

fn errors(html: &mut Html, operation: &Value) {
    let problems = || fields(&operation["responses"]).filter(|(_, answer)| !answer["$ref"].is_null());
    let codes = |answer: &Value| -> Vec<String> {
        let codes = answer["description"].as_str().unwrap_or_default().split(", ");
        codes.map(str::to_owned).collect()
    };
    let count: usize = problems().map(|(_, answer)| codes(answer).len()).sum();
    html.tag("details", &[], |html| {
        html.leaf("summary", &[], &format!("{count} ways to fail"));
        table(html, |html| {
            for (status, answer) in problems() {
                let list = |html: &mut Html| {
                    html.tag("span", &[("class", "codes")], |html| {
                        for code in codes(answer) {
                            html.leaf("a", &[("href", &format!("/errors/{code}"))], &code);
                        }
                    });
                };
                row(html, |html| html.text(status), list);
            }
        });
    });
}
