//! Cases: an action with what it should send and what it makes of an answer, checked without network.
//!
//! A file `cases/<action>.yaml` beside a manifest is one [`Case`]. Secrets are shown as their placeholder, in the
//! request as in logs.

use std::collections::BTreeSet;

use crate::{
    auth::{Accepted, Auth},
    endpoint::{Endpoint, Test},
    grammar,
    json::{Json, Tree},
    lint::{Lint, Lints},
    manifest::Manifest,
    node::{Fields, NodeKind, Spot},
    parse,
    request::{Request, SecretRef},
    response::{Failure, Head, Repeat},
    values::{FieldProblem, Values},
};

/// The name of the credential test where an action is named.
pub const TEST: &str = "test";
/// The name of the request that follows it.
pub const TEST_THEN: &str = "test.then";

/// The kind of error of an input that is refused.
const INPUT: &str = "input";

/// Every kind of error.
pub(crate) const KINDS: &[&str] = &[
    INPUT,
    "rejected",
    "unauthorized",
    "access_missing",
    "rate_limited",
    "unavailable",
    "malformed",
];

/// One case.
#[derive(Debug, Clone)]
pub struct Case {
    /// The endpoint's id, [`TEST`] or [`TEST_THEN`].
    pub action: String,
    auth: Option<String>,
    config: Tree,
    input: Tree,
    request: Option<ExpectedRequest>,
    response: Option<Response>,
    outcome: Option<Outcome>,
}

#[derive(Debug, Clone)]
struct ExpectedRequest {
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    body: Option<Tree>,
}

#[derive(Debug, Clone)]
struct Response {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

#[derive(Debug, Clone)]
enum Outcome {
    Output(Tree),
    Error(Tree),
}

impl Case {
    /// Reads a case (YAML or JSON).
    pub fn parse(text: &str) -> Result<Self, Vec<Lint>> {
        let node = parse::parse(text).map_err(|lint| vec![lint])?;
        let mut lints = Lints::default();
        let root = Spot::root(&node);
        grammar::check(&root, grammar::Value::Object(&grammar::case::CASE), &mut lints);
        let case = root.fields().and_then(|fields| read(&fields, &mut lints));
        match case {
            Some(case) if lints.is_empty() => Ok(case),
            _ => Err(lints.into_sorted()),
        }
    }

    /// Runs every check the case asks for; the error says what differs.
    pub fn check(&self, manifest: &Manifest) -> Result<(), String> {
        self.check_render(manifest)?;
        self.check_read(manifest)
    }

    /// Renders the case's input as it would be sent, secrets unfilled.
    pub fn render(&self, manifest: &Manifest) -> Result<Request, String> {
        let auth = self.find_auth(manifest)?;
        let mut secrets = BTreeSet::new();
        let config = match accept(auth, &self.config)? {
            None => Tree::Object(Vec::new()),
            Some(accepted) => {
                secrets.extend(
                    accepted
                        .secrets
                        .into_iter()
                        .map(|secret| SecretRef::Config(secret.name)),
                );
                accepted.public
            }
        };
        let endpoint = self.find_endpoint(manifest)?;
        let is_secret = |name: &str| endpoint.is_some_and(|endpoint| endpoint.secret_inputs().any(|own| own == name));
        let (secret, public): (Vec<_>, Vec<_>) = self
            .input
            .as_object()
            .unwrap_or_default()
            .iter()
            .cloned()
            .partition(|(name, _)| is_secret(name));
        secrets.extend(secret.into_iter().map(|(name, _)| SecretRef::Input(name)));
        let values = Values {
            input: &Tree::Object(public),
            config: &config,
            auth,
            secrets: &secrets,
        };
        let rendered = match endpoint {
            Some(endpoint) => endpoint.render(manifest, &values),
            None => self.find_test(manifest, auth)?.render(manifest, &values),
        };
        rendered.map_err(|problems| join(&problems))
    }

    /// Checks that the input renders to the expected request. Headers that are not named are not compared.
    pub fn check_render(&self, manifest: &Manifest) -> Result<(), String> {
        let request = match (self.render(manifest), &self.outcome) {
            (rendered, Some(Outcome::Error(error))) if self.response.is_none() => {
                return check_refusal(rendered, error);
            }
            (Ok(request), _) => request,
            (Err(problem), _) => return Err(format!("request: {problem}")),
        };
        let Some(expected) = &self.request else { return Ok(()) };
        differ("request.method", &expected.method, &request.method)?;
        differ("request.url", &expected.url, &request.url.to_string())?;
        for (name, value) in &expected.headers {
            let name = name.to_lowercase();
            let content_type = request.body.as_ref().map(|body| body.content_type.clone());
            let actual = match (name.as_str(), content_type) {
                ("content-type", Some(content_type)) => Some(content_type),
                _ => request
                    .headers
                    .iter()
                    .find(|(own, _)| *own == name)
                    .map(|(_, value)| value.to_string()),
            };
            differ(&format!("request.headers.{name}"), value, &actual.unwrap_or_default())?;
        }
        match (&expected.body, &request.body) {
            (None, None) => Ok(()),
            (None, Some(body)) => Err(format!("request.body: nothing was expected, it is {}", body.text)),
            (Some(_), None) => Err("request.body: there is none".to_owned()),
            (Some(Tree::String(text)), Some(body)) => differ("request.body", text, &body.text.to_string()),
            (Some(tree), Some(body)) => {
                let text = body.text.to_string();
                let actual =
                    Json::parse(&text).map_err(|error| format!("request.body is not JSON ({error}): {text}"))?;
                differ("request.body", tree, actual.tree())
            }
        }
    }

    /// Checks that the answer is read as expected.
    pub fn check_read(&self, manifest: &Manifest) -> Result<(), String> {
        let (Some(response), Some(outcome)) = (&self.response, &self.outcome) else {
            return Ok(());
        };
        let header = |name: &str| {
            response
                .headers
                .iter()
                .find(|(own, _)| own.eq_ignore_ascii_case(name))
                .map(|(_, value)| value.as_str())
        };
        let head = Head {
            status: response.status,
            header: &header,
        };
        let result = match self.find_endpoint(manifest)? {
            Some(endpoint) => endpoint.read(manifest, &head, &response.body),
            None => {
                let auth = self.find_auth(manifest)?;
                let config = accept(auth, &self.config)?.map_or(Tree::Null, |accepted| accepted.public);
                let test = self.find_test(manifest, auth)?;
                let tested = test.read(manifest, &config, &head, &response.body);
                tested.map(|tested| Json::from_tree(tested.into_tree()))
            }
        };
        match (outcome, result) {
            (Outcome::Output(expected), Ok(output)) => differ("output", expected, output.tree()),
            (Outcome::Output(_), Err(failure)) => Err(format!("output: the answer was read as {failure:?}")),
            (Outcome::Error(_), Ok(output)) => {
                Err(format!("error: the answer was read as a result: {}", output.text()))
            }
            (Outcome::Error(expected), Err(failure)) => {
                let actual = failure_tree(&failure);
                expected
                    .as_object()
                    .unwrap_or_default()
                    .iter()
                    .try_for_each(|(key, value)| {
                        differ(&format!("error.{key}"), value, actual.get(key).unwrap_or(&Tree::Null))
                    })
            }
        }
    }

    fn find_auth<'m>(&self, manifest: &'m Manifest) -> Result<Option<&'m Auth>, String> {
        match &self.auth {
            Some(id) => match manifest.auth(id) {
                Some(auth) => Ok(Some(auth)),
                None => Err(format!("auth: the manifest has no auth method `{id}`")),
            },
            None if self.config.as_object().is_none_or(<[_]>::is_empty) => Ok(None),
            None => Ok(manifest.auth.first()),
        }
    }

    fn find_test<'m>(&self, manifest: &'m Manifest, auth: Option<&'m Auth>) -> Result<&'m Test, String> {
        let test = manifest.test_of(auth);
        let test = if self.action == TEST_THEN {
            test.and_then(Test::then)
        } else {
            test
        };
        test.ok_or_else(|| format!("the manifest declares no `{}` for this auth method", self.action))
    }

    fn find_endpoint<'m>(&self, manifest: &'m Manifest) -> Result<Option<&'m Endpoint>, String> {
        match manifest.endpoint(&self.action) {
            Some(endpoint) => Ok(Some(endpoint)),
            None if matches!(&*self.action, TEST | TEST_THEN) => Ok(None),
            None => Err(format!("action: the manifest has no endpoint `{}`", self.action)),
        }
    }
}

fn accept(auth: Option<&Auth>, config: &Tree) -> Result<Option<Accepted>, String> {
    let accepted = auth.map(|auth| auth.accept(&Json::from_tree(config.clone())));
    accepted
        .transpose()
        .map_err(|problems| format!("config: {}", join(&problems)))
}

/// Without a response, an `error` says that the input is refused.
fn check_refusal(rendered: Result<Request, String>, error: &Tree) -> Result<(), String> {
    let expected = error.get("message").and_then(Tree::as_str).unwrap_or_default();
    match rendered {
        Ok(request) => Err(format!(
            "error: the input was taken: {} {}",
            request.method, request.url
        )),
        Err(problem) if problem.contains(expected) => Ok(()),
        Err(problem) => Err(format!("error.message: expected {expected:?} in {problem:?}")),
    }
}

fn differ<T: PartialEq + Show + ?Sized>(what: &str, expected: &T, actual: &T) -> Result<(), String> {
    if expected == actual {
        return Ok(());
    }
    Err(format!("{what}: expected {}, got {}", expected.show(), actual.show()))
}

trait Show {
    fn show(&self) -> String;
}

impl Show for Tree {
    fn show(&self) -> String {
        self.to_text()
    }
}

impl Show for String {
    fn show(&self) -> String {
        format!("{self:?}")
    }
}

fn join(problems: &[FieldProblem]) -> String {
    let texts: Vec<String> = problems
        .iter()
        .map(|problem| match problem.pointer.as_str() {
            "" => problem.message.clone(),
            pointer => format!("{pointer}: {}", problem.message),
        })
        .collect();
    texts.join("\n")
}

/// A failure as a case writes it.
fn failure_tree(failure: &Failure) -> Tree {
    let text = |text: Option<&str>| text.map_or(Tree::Null, Tree::from);
    let mut entries = vec![
        ("kind".to_owned(), Tree::from(failure.kind.as_str())),
        ("code".to_owned(), text(failure.code.as_deref())),
        ("message".to_owned(), text(failure.message.as_deref())),
        ("pointer".to_owned(), text(failure.pointer.as_deref())),
        ("retry".to_owned(), Tree::Bool(failure.repeat != Repeat::Never)),
    ];
    if let Some(wait) = &failure.retry_after {
        // A case writes seconds as a number and a date as a text.
        let wait = match Json::parse(wait).map(|json| json.tree().clone()) {
            Ok(Tree::Number(seconds)) => Tree::Number(seconds),
            _ => Tree::from(&**wait),
        };
        entries.push(("retryAfter".to_owned(), wait));
    }
    if !failure.details.is_empty() {
        let details = failure
            .details
            .iter()
            .map(|(name, value)| (name.clone(), Tree::String(value.clone())));
        entries.push(("details".to_owned(), Tree::Object(details.collect())));
    }
    Tree::Object(entries)
}

fn read(fields: &Fields<'_>, lints: &mut Lints) -> Option<Case> {
    let tree = |spot: Option<Spot<'_>>| spot.map_or_else(|| Tree::Object(Vec::new()), |spot| spot.node.to_tree());
    let action = fields.text("action");
    let auth = fields.text("auth");
    let config = tree(fields.get("config"));
    let input = tree(fields.get("input"));
    let request = fields.get("request").and_then(|spot| read_request(&spot));
    let response = fields.get("response").and_then(|spot| read_response(&spot));
    let output = fields
        .get_or_null("output")
        .map(|spot| Outcome::Output(spot.node.to_tree()));
    let error = fields
        .get("error")
        .map(|spot| read_error(&spot, response.is_none(), lints));
    if response.is_some() && output.is_some() == error.is_some() {
        fields.lint(
            lints,
            crate::lint::CONTRADICTION,
            "a response is read to either an `output` or an `error`",
        );
    }
    if response.is_none() && output.is_some() {
        fields.lint(
            lints,
            crate::lint::CONTRADICTION,
            "an `output` needs a `response` to be read from",
        );
    }
    if response.is_none() && error.is_some() && request.is_some() {
        fields.lint(
            lints,
            crate::lint::CONTRADICTION,
            "an input that is refused makes no `request`",
        );
    }
    Some(Case {
        action: action?,
        auth,
        config,
        input,
        request,
        response,
        outcome: output.or(error),
    })
}

fn read_headers(fields: &Fields<'_>) -> Vec<(String, String)> {
    let entries = fields.get("headers").map(|spot| spot.entries()).unwrap_or_default();
    entries
        .into_iter()
        .filter_map(|(name, spot)| Some((name.to_owned(), spot.scalar()?)))
        .collect()
}

fn read_request(spot: &Spot<'_>) -> Option<ExpectedRequest> {
    let fields = spot.fields()?;
    Some(ExpectedRequest {
        method: fields.text("method")?,
        url: fields.text("url")?,
        headers: read_headers(&fields),
        body: fields.get("body").map(|spot| spot.node.to_tree()),
    })
}

fn read_response(spot: &Spot<'_>) -> Option<Response> {
    let fields = spot.fields()?;
    let status = fields.get("status").and_then(|spot| spot.integer())?;
    let body = fields.get("body").map(|spot| match &spot.node.kind {
        NodeKind::Text(text) => text.clone().into_bytes(),
        _ => spot.node.to_tree().to_text().into_bytes(),
    });
    Some(Response {
        status: u16::try_from(status).ok()?,
        headers: read_headers(&fields),
        body: body.unwrap_or_default(),
    })
}

/// Without a response, it is the input that is refused.
fn read_error(spot: &Spot<'_>, of_input: bool, lints: &mut Lints) -> Outcome {
    let kind = spot.fields().and_then(|fields| fields.get("kind"));
    if let Some(spot) = kind
        && (spot.text().as_deref() == Some(INPUT)) != of_input
    {
        let message = "`input` is the kind of an error without a `response`, and of no other";
        spot.lint(lints, crate::lint::CONTRADICTION, message);
    }
    Outcome::Error(spot.node.to_tree())
}
