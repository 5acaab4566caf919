//! Every example of the API description is a request that works, and a route without one is not finished.
//!
//! An example stands where its type is declared, `#[schemars(example = …)]`, or on the route's line in the router,
//! `.example(json!(…))`. Here it is sent with the ids of rows that exist ([`Seed::stand_ins`]).

use http::Method;
use serde_json::{Value, json};
use tieline::store::{CallEntry, conformance::sample};
use tieline_server::caller::Permission;

use tieline_testkit::canary::Canary;

use crate::support::{Ask, CONTRACT, GOOD_TOKEN, Tenant, TestApp, operations};

static PASSWORD: Canary = Canary::new("a password of an example");

/// The letters of all ids in examples.
pub(crate) const EXAMPLE_ID: &str = "_01jd3k9v7rf8pa0q2m5w8x4ynz";

/// The head of an audit log in examples.
const HEAD: &str = "7:4d967a30111bf29f0eba01c448b375c1629b2fed01cdfcc3aed91f1b57d5dd5e";

/// Rows for one example, and who may do everything with them.
pub(crate) struct Seed {
    pub(crate) key: String,
    /// The session of a member.
    pub(crate) session: String,
    /// What stands in examples, and what is sent in its place.
    pub(crate) stand_ins: Vec<(String, String)>,
}

/// Only what is shipped has a guide and a picture.
fn is_of_the_shelf(path: &str) -> bool {
    path.ends_with("/guide") || path.ends_with("/icon")
}

/// Whether a route is about people and how they sign in.
pub(crate) fn is_of_people(path: &str) -> bool {
    ["/setup", "/session", "/users", "/password-resets"]
        .iter()
        .any(|part| path.contains(part))
}

impl Seed {
    async fn new(app: &TestApp, path: &str, name: &str) -> Self {
        Self::of(app, &app.tenant(name).await, path, name).await
    }

    /// Rows of this tenant. Those of people are there for the routes of people only: passwords take their time.
    pub(crate) async fn of(app: &TestApp, tenant: &Tenant, path: &str, name: &str) -> Self {
        let key = app.key(tenant, Permission::ALL).await;
        let stand_ins = Self::stand_ins(app, tenant, &key).await;
        let mut seed = Self {
            key,
            session: String::new(),
            stand_ins,
        };
        if is_of_people(path) {
            seed.people(app, name).await;
        }
        seed.stand_ins.push(("Acme Ltd".to_owned(), name.to_owned()));
        if is_of_the_shelf(path) {
            let shipped = tieline_catalog::shipped()[0].id;
            seed.stand_ins.push(("acme".to_owned(), shipped.to_owned()));
        }
        seed
    }

    /// A row for each id of an example, and two for each list, so that there is a second page.
    pub(crate) async fn stand_ins(app: &TestApp, tenant: &Tenant, key: &str) -> Vec<(String, String)> {
        let mut connections = Vec::new();
        for name in ["main", "other"] {
            let body = json!({
                "connector": "acme",
                "name": name,
                "scope": { "kind": "user", "identity": "u_7" },
                "config": { "bot_token": GOOD_TOKEN },
            });
            let made = app.ask(Ask::post("/api/v1/connections").key(key).json(&body)).await;
            assert_eq!(made.status, 201, "{}", made.text);
            connections.push(made.json["id"].as_str().unwrap().to_owned());
        }
        let mut credentials = Vec::new();
        for name in ["main", "other"] {
            credentials.push(app.credential(tenant, name).await);
        }
        let keys = app.ask(Ask::get("/api/v1/api-keys").key(&tenant.key)).await;
        let first_key = keys.json["data"][0]["id"].as_str().unwrap().to_owned();
        for _ in 0..2 {
            let test = Ask::post(format!("/api/v1/connections/{}/test", connections[0]));
            assert_eq!(app.ask(test.key(&tenant.key)).await.status, 200);
        }
        let head = app.connectors.verify_ledgers(tenant.id, None).await.unwrap().head;
        let call = Self::call_on_two_days(app, tenant, &connections[0], &first_key).await;
        vec![
            (format!("call{EXAMPLE_ID}"), call),
            (HEAD.to_owned(), head.to_string()),
            (format!("conn{EXAMPLE_ID}"), connections.remove(0)),
            (format!("cred{EXAMPLE_ID}"), credentials.remove(0)),
            (format!("key{EXAMPLE_ID}"), first_key),
            (format!("ten{EXAMPLE_ID}"), tenant.id.to_string()),
            ("the token".to_owned(), GOOD_TOKEN.to_string()),
        ]
    }

    /// Calls in the days of the examples; answers the id of one.
    async fn call_on_two_days(app: &TestApp, tenant: &Tenant, connection: &str, key: &str) -> String {
        let calls = ["2026-11-10T09:00:00Z", "2026-11-11T09:00:00Z"].map(|at| CallEntry {
            connector: "acme".to_owned(),
            connection: Some(connection.parse().unwrap()),
            actor: key.to_owned(),
            ..sample::call_at(tenant.id, at.parse().unwrap())
        });
        let id = calls[0].id.to_string();
        let batch = sample::call_batch(calls.to_vec());
        app.store.append_calls(vec![batch]).await.unwrap();
        id
    }

    /// A member who is signed in, and somebody who is invited.
    async fn people(&mut self, app: &TestApp, name: &str) {
        let invite = async |email: &str| {
            let body = json!({ "email": email, "role": "viewer" });
            app.ask(Ask::post("/api/v1/users").key(&self.key).json(&body)).await
        };
        let email = format!("{}@example.com", name.replace(' ', "-"));
        let (ada, grace) = (invite(&email).await, invite(&format!("other-{email}")).await);
        let body = json!({ "token": ada.link(), "name": "Ada", "password": *PASSWORD });
        self.session = app.ask(Ask::post("/setup").json(&body)).await.session();
        let id = ada.json["user"]["id"].as_str().unwrap().to_owned();
        self.stand_ins.extend([
            (format!("usr{EXAMPLE_ID}"), id),
            ("ada@example.com".to_owned(), email),
            ("the password".to_owned(), PASSWORD.to_string()),
            ("the link's token".to_owned(), grace.link()),
        ]);
    }

    pub(crate) fn fill(&self, example: &Value) -> Value {
        match example {
            Value::String(text) => {
                let known = self.stand_ins.iter().find(|(example, _)| example == text);
                known.map_or_else(|| example.clone(), |(_, real)| real.clone().into())
            }
            Value::Array(items) => items.iter().map(|item| self.fill(item)).collect(),
            Value::Object(fields) => fields
                .iter()
                .map(|(name, value)| (name.clone(), self.fill(value)))
                .collect(),
            other => other.clone(),
        }
    }
}

/// One request that the description shows.
pub(crate) struct Example<'a> {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) operation: &'a Value,
    pub(crate) body: Option<&'a Value>,
    /// With every parameter of the query, or only with those that must be there.
    whole_query: bool,
}

/// All requests that the description shows, and what it should show and does not.
pub(crate) fn examples(document: &Value) -> (Vec<Example<'_>>, Vec<String>) {
    let (mut examples, mut missing) = (Vec::new(), Vec::new());
    for (method, path, operation) in operations(document) {
        let parameters = || operation["parameters"].as_array().into_iter().flatten();
        for parameter in parameters().filter(|parameter| parameter["example"].is_null()) {
            missing.push(format!(
                "{method} {path}: the parameter `{}` has no example; give its field or schema one",
                parameter["name"].as_str().unwrap()
            ));
        }
        let bodies: Vec<Option<&Value>> = match operation["requestBody"]["content"].as_object() {
            None => vec![None],
            Some(content) => {
                let examples = content.values().flat_map(|media| media["examples"].as_object());
                examples.flatten().map(|(_, example)| Some(&example["value"])).collect()
            }
        };
        if bodies.is_empty() {
            missing.push(format!(
                "{method} {path}: the body has no example; write `#[schemars(example = json!(…))]` over its type or `.example(json!(…))` behind its route"
            ));
        }
        let optional = parameters().any(|parameter| parameter["in"] == "query" && parameter["required"] != true);
        for body in bodies {
            for whole_query in [false, true] {
                if whole_query && !optional {
                    continue;
                }
                examples.push(Example {
                    method: method.clone(),
                    path: path.clone(),
                    operation,
                    body,
                    whole_query,
                });
            }
        }
    }
    (examples, missing)
}

impl Example<'_> {
    /// The request, with rows that exist.
    pub(crate) fn ask(&self, seed: &Seed, cursor: Option<&str>) -> Ask {
        let mut path = self.path.clone();
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let mut headers = Vec::new();
        for parameter in self.operation["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap();
            let value = seed.fill(&parameter["example"]);
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            match parameter["in"].as_str().unwrap() {
                "path" => {
                    path = path
                        .replace(&format!("{{{name}}}"), &value)
                        .replace(&format!("{{*{name}}}"), &value);
                }
                "query" if name == "cursor" => {
                    if let Some(cursor) = cursor {
                        query.append_pair(name, cursor);
                    }
                }
                // So that there is a second page.
                "query" if name == "limit" && self.whole_query && cursor.is_none() => {
                    query.append_pair(name, "1");
                }
                "query" if self.whole_query || parameter["required"] == true => {
                    query.append_pair(name, &value);
                }
                "header" => headers.push((name.to_ascii_lowercase(), value)),
                _ => {}
            }
        }
        let query = query.finish();
        if !query.is_empty() {
            path = format!("{path}?{query}");
        }
        let ask = Ask::new(self.method.clone(), path);
        let only_session = self.operation["security"] == json!([{ "session": [] }]);
        let ask = if only_session {
            ask.session(&seed.session)
        } else {
            ask.key(&seed.key)
        };
        let ask = headers
            .into_iter()
            .fold(ask, |ask, (name, value)| ask.header(name.leak(), &value));
        match self.body {
            Some(body) => ask.json(&seed.fill(body)),
            None => ask,
        }
    }

    /// Whether there is a second page to ask for.
    fn has_cursor(&self) -> bool {
        let mut parameters = self.operation["parameters"].as_array().into_iter().flatten();
        self.whole_query && parameters.any(|parameter| parameter["name"] == "cursor")
    }
}

#[tokio::test]
async fn every_example_is_a_request_that_works() {
    let app = TestApp::start().await;
    let (examples, mut wrong) = examples(app.document);
    let mut rows = None;
    for (number, example) in examples.iter().enumerate() {
        let reads = example.method == Method::GET && !is_of_people(&example.path) && !is_of_the_shelf(&example.path);
        let seed = match rows.take() {
            Some(seed) if reads => seed,
            _ => Seed::new(&app, &example.path, &format!("tenant {number}")).await,
        };
        let told = format!("{} {} {:?}", example.method, example.path, example.body);
        // `ask` judges status, type and shape of the answer by the description.
        let mut answer = app.ask(example.ask(&seed, None)).await;
        if example.has_cursor() && answer.status == 200 {
            let next = answer.json["nextCursor"]
                .as_str()
                .or(answer.json["next_cursor"].as_str());
            match next {
                Some(cursor) => answer = app.ask(example.ask(&seed, Some(cursor))).await,
                None => wrong.push(format!("{told}: there is no second page; seed another row that fits")),
            }
        }
        if !(200..300).contains(&answer.status) {
            wrong.push(format!("{told}: {} {}", answer.status, answer.text));
        }
        // Whoever only reads leaves the rows as the next reader wants them.
        rows = reads.then_some(seed);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(examples.len() > 30, "only {} examples", examples.len());
}

#[test]
fn every_example_fits_its_schema() {
    let (examples, _) = examples(&CONTRACT.document);
    for example in examples {
        for parameter in example.operation["parameters"].as_array().into_iter().flatten() {
            let misfit = CONTRACT.misfit(&parameter["schema"], &parameter["example"]);
            assert_eq!(
                misfit, None,
                "{} {} {}",
                example.method, example.path, parameter["name"]
            );
        }
        if let Some(body) = example.body {
            let schema = &example.operation["requestBody"]["content"]["application/json"]["schema"];
            assert_eq!(
                CONTRACT.misfit(schema, body),
                None,
                "{} {}",
                example.method,
                example.path
            );
        }
    }
}

#[test]
fn a_route_without_an_example_is_seen() {
    let document = json!({ "paths": { "/a/{b}": { "post": {
        "parameters": [{ "name": "b", "in": "path", "required": true, "schema": {} }],
        "requestBody": { "content": { "application/json": { "schema": {} } } },
    } } } });
    let (examples, missing) = examples(&document);
    assert_eq!((examples.len(), missing.len()), (0, 2), "{missing:#?}");
}
