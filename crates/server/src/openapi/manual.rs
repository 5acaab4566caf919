//! The description as a page for people: each route with its parameters, body, answers, errors and a request to copy.

mod operation;
mod schema;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::page::{Html, Page, markdown};

/// One route of the description.
struct Entry<'a> {
    method: String,
    path: &'a str,
    operation: &'a Value,
}

impl Entry<'_> {
    fn name(&self) -> &str {
        self.operation["operationId"].as_str().unwrap_or_default()
    }

    /// Reading first, then making, changing and deleting.
    fn rank(&self) -> usize {
        let order = ["GET", "POST", "PUT", "PATCH", "DELETE"];
        order
            .iter()
            .position(|method| *method == self.method)
            .unwrap_or(order.len())
    }
}

/// The routes of a tag.
struct Group<'a> {
    name: &'a str,
    anchor: String,
    entries: Vec<Entry<'a>>,
}

/// The page.
pub(crate) fn manual(document: &Value) -> Page {
    let groups = groups(document);
    Page::new("API", |html| {
        html.tag("div", &[("class", "beside")], |html| {
            html.tag("nav", &[("aria-label", "Contents")], |html| contents(html, &groups));
            html.tag("main", &[], |html| {
                html.leaf("h1", &[], "The Tieline API");
                markdown::write(html, INTRODUCTION);
                for group in &groups {
                    html.leaf("h2", &[("id", &group.anchor)], group.name);
                    for entry in &group.entries {
                        operation::section(html, document, entry);
                    }
                }
                types(html, document);
            });
        });
    })
}

const INTRODUCTION: &str = "\
Every example here is a request that works. Name the server and a key once, and copy:

```sh
export TIELINE=http://127.0.0.1:8080
export TIELINE_KEY=$(cat data/bootstrap-key)
```

What is about signing in takes the session of a browser instead; to try it, put the value of its cookie into `TIELINE_SESSION`.

Requests carry a key as `Authorization: Bearer sk_…`. What a key may do is its permissions; each route names the one it needs. A row of another tenant answers like one that never was.

Bodies and answers are JSON. Unknown fields are refused, so that a typing error cannot pass silently. A list answers `data` and `nextCursor`; send that as `cursor` for the next page.

Whatever fails answers a problem (RFC 9457) with a stable `code` and a sentence on what is wrong, where, and how to mend it: [all errors](/errors). Each answer has an `x-request-id`, under which the server's log tells more.

In the examples `acme` stands for a connector, and `send` for one of its actions. `GET /api/v1/catalog` lists those there are, and each has a description of its own. The whole of this page for programs: [openapi.json](/api/v1/openapi.json).
";

fn groups(document: &Value) -> Vec<Group<'_>> {
    let mut by_tag = BTreeMap::<&str, Vec<Entry<'_>>>::new();
    for (path, methods) in fields(&document["paths"]) {
        for (method, operation) in fields(methods) {
            let tag = operation["tags"][0].as_str().unwrap_or_default();
            let method = method.to_ascii_uppercase();
            by_tag.entry(tag).or_default().push(Entry {
                method,
                path,
                operation,
            });
        }
    }
    let tags = document["tags"].as_array().into_iter().flatten();
    tags.filter_map(|tag| {
        let name = tag["name"].as_str()?;
        let mut entries = by_tag.remove(name)?;
        entries.sort_by_key(|entry| (entry.path, entry.rank()));
        let anchor = format!("group-{}", name.to_ascii_lowercase().replace(' ', "-"));
        Some(Group { name, anchor, entries })
    })
    .collect()
}

fn contents(html: &mut Html, groups: &[Group<'_>]) {
    html.leaf("p", &[("class", "brand")], "Tieline");
    for group in groups {
        html.tag("strong", &[], |html| {
            html.leaf("a", &[("href", &format!("#{}", group.anchor))], group.name);
        });
        html.tag("ul", &[], |html| {
            for entry in &group.entries {
                html.tag("li", &[], |html| {
                    html.tag("a", &[("href", &format!("#{}", entry.name()))], |html| {
                        method(html, &entry.method);
                        let path = entry.path.strip_prefix(crate::router::API).unwrap_or(entry.path);
                        html.leaf("span", &[], path);
                    });
                });
            }
        });
    }
    html.tag("strong", &[], |html| html.leaf("a", &[("href", "#types")], "Types"));
}

fn types(html: &mut Html, document: &Value) {
    html.leaf("h2", &[("id", "types")], "Types");
    for (name, schema) in fields(&document["components"]["schemas"]) {
        html.tag(
            "section",
            &[("class", "operation"), ("id", &format!("type-{name}"))],
            |html| {
                html.tag("h3", &[], |html| {
                    html.leaf("a", &[("href", &format!("#type-{name}"))], name)
                });
                if let Some(description) = schema["description"].as_str() {
                    html.tag("p", &[], |html| markdown::inline(html, description));
                }
                schema::shape(html, schema);
            },
        );
    }
}

/// The word in front of a path.
fn method(html: &mut Html, method: &str) {
    html.leaf("span", &[("class", &format!("method {method}"))], method);
}

fn fields(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}
