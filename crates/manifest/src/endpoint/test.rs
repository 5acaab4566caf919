//! The credential test: the cheapest request that proves a credential, and what its answer tells of the account.

use std::collections::BTreeSet;

use super::{
    Header, Segments,
    address::read_path,
    read::{METHODS, read_headers, read_json_path, read_statuses},
};
use crate::{
    json::{Json, Tree},
    limits,
    lint::{self, Lints},
    manifest::Manifest,
    node::{NodeKind, Spot},
    path::Path,
    request::{Encode, Text},
    response::{Content, Failure, Head, Rules, Verdict, failure, line, malformed, silent},
    template::{Names, Template, is_name},
    values::{Scope, Values},
};

/// A credential test, compiled.
#[derive(Debug, Clone)]
pub struct Test {
    pub(crate) method: String,
    pub(crate) path: Segments,
    pub(crate) query: Vec<(String, Template)>,
    pub(crate) headers: Vec<Header>,
    label: Option<Told>,
    /// What is shown in place of a value that says little by itself.
    labels: Vec<(String, String)>,
    details: Vec<(String, Told)>,
    /// Passing status codes; every 2xx when empty.
    expect: Vec<u16>,
    /// Paths that must find something in an answer that passes.
    found: Vec<Path>,
    /// Codes of the service with which a passing status does not pass.
    except_codes: Vec<String>,
    then: Option<Box<Test>>,
}

/// Where something about the account is told.
#[derive(Debug, Clone)]
enum Told {
    /// In the answer, at the first of these paths that finds a text, a number or a boolean.
    At(Vec<Path>),
    /// In the answer: how many there are.
    Count(Path),
    /// In the connection's own public fields.
    Fields(Template),
}

/// What a credential test that passed found out of the account. All of it is one line and bounded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tested {
    /// The account's label.
    pub label: Option<String>,
    /// What the manifest gives names to: texts, numbers and booleans.
    pub details: Vec<(String, Tree)>,
}

impl Tested {
    /// Adds what the request after it found out; its label wins.
    #[must_use]
    pub fn and(mut self, then: Self) -> Self {
        self.label = then.label.or(self.label);
        self.details
            .retain(|(name, _)| !then.details.iter().any(|(other, _)| other == name));
        self.details.extend(then.details);
        self
    }

    /// As a case writes it: the label alone, or `{label, details}` where there are details.
    pub(crate) fn into_tree(self) -> Tree {
        let label = self.label.map_or(Tree::Null, Tree::String);
        if self.details.is_empty() {
            return label;
        }
        let details = Tree::Object(self.details);
        Tree::Object(vec![("label".to_owned(), label), ("details".to_owned(), details)])
    }
}

impl Test {
    pub(crate) fn from_spot(spot: &Spot<'_>, names: &mut Names<'_>, lints: &mut Lints) -> Option<Self> {
        let fields = spot.fields()?;
        let method = fields.get("method").and_then(|spot| spot.one_of(METHODS));
        let path = fields.get("path").and_then(|spot| read_path(&spot, names, lints));
        let query = fields.get("queryParams").map(|spot| read_query(&spot, names, lints));
        let headers = fields.get("headers").map(|spot| read_headers(&spot, names, lints));
        let label = fields.get("label").and_then(|spot| Told::read(&spot, names, lints));
        let labels = fields.get("labels").map(|spot| spot.entries()).unwrap_or_default();
        let labels = labels
            .into_iter()
            .filter_map(|(value, spot)| Some((value.to_owned(), spot.text()?)))
            .collect();
        let details = fields.get("details").map(|spot| read_details(&spot, names, lints));
        let (mut expect, mut found, mut except_codes) = (Vec::new(), Vec::new(), Vec::new());
        if let Some(fields) = fields.get("expect").and_then(|spot| spot.fields()) {
            expect = read_statuses(&fields, "status");
            let paths = fields.get("jsonPath").map(|spot| spot.one_or_more());
            let paths = paths.unwrap_or_default();
            found.extend(paths.iter().filter_map(|spot| read_json_path(spot, lints)));
            except_codes = fields.texts("exceptCodes");
        }
        let then = fields.get("then").and_then(|spot| {
            let then = Self::from_spot(&spot, names, lints)?;
            if then.then.is_some() {
                spot.lint(lints, lint::CONTRADICTION, "one request follows the test, no more");
            }
            Some(Box::new(then))
        });
        Some(Self {
            method: method.unwrap_or("GET").to_owned(),
            path: path?,
            query: query.unwrap_or_default(),
            headers: headers.unwrap_or_default(),
            label,
            labels,
            details: details.unwrap_or_default(),
            expect,
            found,
            except_codes,
            then,
        })
    }

    /// A request that only tells more of the account: made when the test passed, and what becomes of it changes nothing.
    pub fn then(&self) -> Option<&Self> {
        self.then.as_deref()
    }

    /// Reads an answer: what it tells of the account. `config` is the connection's public fields.
    pub fn read(&self, manifest: &Manifest, config: &Tree, head: &Head<'_>, body: &[u8]) -> Result<Tested, Failure> {
        let content = Content::new(body);
        let verdict = Rules::default().judge(&[&manifest.rules], head, &content);
        if verdict == Verdict::Silent {
            return Err(silent(&manifest.rules.success_places(&[]), head, &content));
        }
        // A status that is named passes, unless a rule sees a refusal in the answer.
        let passes = match verdict {
            Verdict::Told(_) => false,
            Verdict::Success if self.expect.is_empty() => true,
            _ => self.expect.contains(&head.status),
        };
        let json = Json::parse_bytes(body);
        if !passes || json.as_ref().is_ok_and(|json| self.excepts(manifest, json)) {
            return Err(failure(manifest, verdict.kind(head), head, body, &[], false));
        }
        let json = match json {
            Ok(json) => json,
            Err(_) if !self.needs_json() => Json::default(),
            Err(error) => return Err(malformed(head, format!("the answer is not JSON: {error}"))),
        };
        if let Some(path) = self.found.iter().find(|path| path.first(json.tree()).is_none()) {
            return Err(malformed(head, format!("the answer has nothing at {}", path.as_str())));
        }
        let word = |label: String| match self.labels.iter().find(|(value, _)| *value == label) {
            Some((_, word)) => word.clone(),
            None => label,
        };
        let label = self.label.as_ref().and_then(|told| told.find(&json, config));
        let details = self.details.iter();
        let details = details.filter_map(|(name, told)| Some((name.clone(), told.find(&json, config)?)));
        Ok(Tested {
            label: label.as_ref().and_then(line).map(word),
            details: details.collect(),
        })
    }

    fn needs_json(&self) -> bool {
        let in_answer = |told: &Told| !matches!(told, Told::Fields(_));
        !self.found.is_empty()
            || self.label.as_ref().is_some_and(in_answer)
            || self.details.iter().any(|(_, told)| in_answer(told))
    }

    /// Whether some code speaks against a credential that passes otherwise.
    pub(crate) fn excepts_any(&self) -> bool {
        !self.except_codes.is_empty() || self.then.as_ref().is_some_and(|then| then.excepts_any())
    }

    /// Whether the answer carries a code that speaks against the credential.
    fn excepts(&self, manifest: &Manifest, json: &Json) -> bool {
        let mut paths = manifest.errors.code_paths.iter();
        let code = paths.find_map(|path| line(path.first(json.tree())?));
        code.is_some_and(|code| self.except_codes.contains(&code))
    }
}

impl Told {
    /// A JSONPath, several of them, `{count: <JSONPath>}`, or a template over public fields.
    fn read(spot: &Spot<'_>, names: &mut Names<'_>, lints: &mut Lints) -> Option<Self> {
        match &spot.node.kind {
            NodeKind::Map(_) => {
                let fields = spot.fields()?;
                let path = fields.get("count");
                let path = path.and_then(|spot| read_json_path(&spot, lints));
                path.map(Self::Count)
            }
            NodeKind::Text(text) if text.contains("{{") => {
                let template = names.template(spot, lints)?;
                if template.has_secret() {
                    let message = "a secret is never shown; name a field that is none";
                    spot.lint(lints, lint::SECRET_EXPOSED, message);
                }
                Some(Self::Fields(template))
            }
            _ => {
                let spots = spot.one_or_more();
                let paths: Vec<Path> = spots.iter().filter_map(|spot| read_json_path(spot, lints)).collect();
                (!paths.is_empty()).then_some(Self::At(paths))
            }
        }
    }

    fn find(&self, json: &Json, config: &Tree) -> Option<Tree> {
        match self {
            Self::At(paths) => paths.iter().find_map(|path| shown(path.first(json.tree())?)),
            Self::Count(path) => {
                let count = match path.first(json.tree()) {
                    Some(Tree::Array(items)) if path.is_singular() => items.len(),
                    _ => path.all(json.tree()).len(),
                };
                Some(Tree::Number(count.to_string().into()))
            }
            Self::Fields(template) => {
                let values = Values {
                    input: &Tree::Null,
                    config,
                    auth: None,
                    secrets: &BTreeSet::new(),
                };
                let mut text = Text::default();
                let scope = Scope::new(&values, &[]);
                template.write(&scope, Encode::Raw, &mut text).ok()?;
                shown(&Tree::from(text.as_literal()?))
            }
        }
    }
}

/// A value fit to show: a text as one line, a number of a usual length, a boolean.
fn shown(tree: &Tree) -> Option<Tree> {
    match tree {
        Tree::Bool(_) => Some(tree.clone()),
        Tree::Number(text) if text.len() <= limits::SHOWN_DIGITS => Some(tree.clone()),
        other => line(other).filter(|text| !text.is_empty()).map(Tree::String),
    }
}

fn read_query(spot: &Spot<'_>, names: &mut Names<'_>, lints: &mut Lints) -> Vec<(String, Template)> {
    let mut query = Vec::new();
    for (name, spot) in spot.entries() {
        let Some(template) = names.template(&spot, lints) else {
            continue;
        };
        if template.has_secret() {
            let message = "a secret in a query ends up in logs along the way; send it in a header or the body";
            spot.lint(lints, lint::SECRET_EXPOSED, message);
        }
        query.push((name.to_owned(), template));
    }
    query
}

fn read_details(spot: &Spot<'_>, names: &mut Names<'_>, lints: &mut Lints) -> Vec<(String, Told)> {
    let mut details = Vec::new();
    for (name, spot) in spot.entries() {
        if !is_name(name) {
            let message = format!("`{name}` is no name: letters, digits, `_` and `-`, beginning with a letter");
            spot.lint(lints, lint::BAD_VALUE, message);
        }
        if details.len() >= limits::DETAILS {
            let message = format!("at most {} details are read", limits::DETAILS);
            spot.lint(lints, lint::TOO_COMPLEX, message);
            break;
        }
        if let Some(told) = Told::read(&spot, names, lints) {
            details.push((name.to_owned(), told));
        }
    }
    details
}
