//! Reading an answer: is it a success, where is the result, and what does a failure say.

mod rules;

use std::{fmt, sync::LazyLock};

use crate::{
    endpoint::{Endpoint, Format},
    json::{Json, Tree},
    limits,
    manifest::{Manifest, RetryConfig},
    mapping::ResponseMapping,
    path::Path,
    property::Input,
    values::pointer_token,
};

pub(crate) use rules::{Content, Rules, Verdict};

/// The first part of an answer.
#[derive(Clone, Copy)]
pub struct Head<'a> {
    /// The HTTP status.
    pub status: u16,
    /// Looks a header up by its name in lower case.
    pub header: &'a dyn Fn(&str) -> Option<&'a str>,
}

impl fmt::Debug for Head<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Head")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// An answer that is no success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What it means for the caller and for a retry.
    pub kind: FailureKind,
    /// The HTTP status.
    pub status: u16,
    /// Whether the same request may work another time.
    pub repeat: Repeat,
    /// The upstream's own code.
    pub code: Option<String>,
    /// The upstream's own sentence, made one line and cut to a bound; for [`FailureKind::Malformed`] ours.
    pub message: Option<String>,
    /// Where in the input the upstream sees the trouble: a JSON pointer (RFC 6901).
    pub pointer: Option<Box<str>>,
    /// How long the upstream asks us to wait, as it wrote it: seconds or a date, which needs a clock to be read. Of an
    /// answer that says to come later.
    pub retry_after: Option<Box<str>>,
    /// The upstream's own id of the request, which its support asks for.
    pub request_id: Option<Box<str>>,
    /// What else the upstream tells, by the manifest's names; each one clean line.
    pub details: Box<[(String, String)]>,
}

/// Whether a failed request may work another time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// It will fail again.
    Never,
    /// It may work, when the caller tries again.
    Later,
    /// It may work, and the manifest lets us repeat it.
    Listed,
}

/// The kinds of [`Failure`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// The upstream understood and refused.
    Rejected,
    /// The credential was refused (401).
    Unauthorized,
    /// The credential is good and lacks access that this needs.
    AccessMissing,
    /// We must wait (429).
    RateLimited,
    /// The upstream is in trouble (408, 5xx).
    Unavailable,
    /// A success that is not what the manifest declares.
    Malformed,
}

impl FailureKind {
    /// Those that a manifest can give a service's code.
    pub(crate) const DECLARED: &[Self] = &[
        Self::Rejected,
        Self::Unauthorized,
        Self::AccessMissing,
        Self::RateLimited,
        Self::Unavailable,
    ];

    /// The word used in cases.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Unauthorized => "unauthorized",
            Self::AccessMissing => "access_missing",
            Self::RateLimited => "rate_limited",
            Self::Unavailable => "unavailable",
            Self::Malformed => "malformed",
        }
    }
}

/// Where GraphQL tells what (the specification, section 7.1).
struct GraphQl {
    rules: Rules,
    data: Path,
    message: Path,
    code: Path,
}

static GRAPHQL: LazyLock<GraphQl> = LazyLock::new(|| {
    let path = |text| Path::parse(text).expect("a constant path can be read");
    GraphQl {
        rules: Rules::of_graphql(&path("$.errors[0]")),
        data: path("$.data"),
        message: path("$.errors[0].message"),
        code: path("$.errors[0].extensions.code"),
    }
});

impl Endpoint {
    /// Reads an answer: the result, or why there is none.
    pub fn read(&self, manifest: &Manifest, head: &Head<'_>, body: &[u8]) -> Result<Json, Failure> {
        let text = self.mapping.format.or(manifest.mapping.format) == Some(Format::Text);
        let content = Content::new(body);
        let graphql = self.body.as_ref().is_some_and(|body| body.graphql).then(|| &*GRAPHQL);
        let mut others = vec![&manifest.rules];
        others.extend(graphql.map(|graphql| &graphql.rules));
        let when_empty = self
            .mapping
            .when_empty
            .as_ref()
            .or(manifest.mapping.when_empty.as_ref());
        let is_empty = body.iter().all(u8::is_ascii_whitespace);
        match self.rules.judge(&others, head, &content) {
            Verdict::Success => {}
            // An empty body says nothing, which may be what is declared.
            Verdict::Silent if is_empty && when_empty.is_some() => {}
            Verdict::Silent => return Err(silent(&self.rules.success_places(&others), head, &content)),
            verdict => {
                let failure = failure(manifest, verdict.kind(head), head, body, &self.inputs, text);
                return Err(self.worded(failure, manifest, graphql, head, &content));
            }
        }
        if text {
            return read_text(&self.mapping, &manifest.mapping, head, body);
        }
        if is_empty {
            return Ok(when_empty.cloned().map(Json::from_tree).unwrap_or_default());
        }
        let json = content
            .json()
            .map_err(|error| malformed(head, format!("the answer is not JSON: {error}")))?;
        let common = manifest.mapping.data_path.as_ref();
        let usual = graphql.map(|graphql| &graphql.data);
        read_result(self.mapping.data_path.as_ref().or(common).or(usual), head, json.clone())
    }

    /// The failure with what an error path, or GraphQL, says of it.
    fn worded(
        &self,
        mut failure: Failure,
        manifest: &Manifest,
        graphql: Option<&GraphQl>,
        head: &Head<'_>,
        content: &Content<'_>,
    ) -> Failure {
        let say = |path: Option<&Path>| line(content.at(path?)?);
        let error_path = self.mapping.error_path.as_ref();
        let told = say(error_path.or(manifest.mapping.error_path.as_ref()));
        failure.message = told
            .or(failure.message)
            .or_else(|| say(graphql.map(|graphql| &graphql.message)));
        if failure.code.is_none()
            && let Some(code) = say(graphql.map(|graphql| &graphql.code))
        {
            failure.code(manifest, head, Some(code), content.json().ok());
        }
        failure
    }
}

/// An answer that should say at these places whether it is a success, and does not.
pub(crate) fn silent(places: &str, head: &Head<'_>, content: &Content<'_>) -> Failure {
    let message = match content.json() {
        Ok(_) => format!("the answer does not say at {places} whether it is a success"),
        Err(error) => format!("the answer is not JSON: {error}"),
    };
    malformed(head, message)
}

pub(crate) fn malformed(head: &Head<'_>, message: String) -> Failure {
    Failure {
        kind: FailureKind::Malformed,
        status: head.status,
        repeat: Repeat::Never,
        code: None,
        message: Some(message),
        pointer: None,
        retry_after: None,
        request_id: None,
        details: Box::default(),
    }
}

fn read_result(path: Option<&Path>, head: &Head<'_>, json: Json) -> Result<Json, Failure> {
    let Some(path) = path.filter(|path| !path.is_root()) else {
        return Ok(json);
    };
    if !path.is_singular() {
        let found = path.all(json.tree()).into_iter().cloned().collect();
        return Ok(Json::from_tree(Tree::Array(found)));
    }
    match path.first(json.tree()) {
        Some(tree) => Ok(Json::from_tree(tree.clone())),
        None => Err(malformed(head, format!("the answer has nothing at {}", path.as_str()))),
    }
}

/// A plain text is its own result.
fn read_text(own: &ResponseMapping, common: &ResponseMapping, head: &Head<'_>, body: &[u8]) -> Result<Json, Failure> {
    let text = std::str::from_utf8(body).map_err(|_| malformed(head, "the answer is no text in UTF-8".to_owned()))?;
    let when_empty = own.when_empty.as_ref().or(common.when_empty.as_ref());
    match (text.trim(), when_empty) {
        ("", Some(tree)) => Ok(Json::from_tree(tree.clone())),
        _ => Ok(Json::from_tree(Tree::from(text))),
    }
}

/// What an answer that is no success says. `kind` is what it is unless its code says more, `text` whether it is declared
/// as plain text.
pub(crate) fn failure(
    manifest: &Manifest,
    kind: FailureKind,
    head: &Head<'_>,
    body: &[u8],
    inputs: &[Input],
    text: bool,
) -> Failure {
    let json = Json::parse_bytes(body).ok();
    let mut failure = told(manifest, kind, head, json.as_ref(), inputs);
    if text && json.is_none() {
        let said = std::str::from_utf8(body).ok().and_then(|text| line(&Tree::from(text)));
        failure.heard(manifest, head, said.unwrap_or_default());
    }
    failure
}

/// The same for a body that was read.
fn told(manifest: &Manifest, kind: FailureKind, head: &Head<'_>, json: Option<&Json>, inputs: &[Input]) -> Failure {
    let errors = &manifest.errors;
    let at = |path: &Path| line(path.first(json?.tree())?);
    let request_id = || (head.header)(errors.request_id_header.as_ref()?);
    let details = errors.details.iter();
    let details = details.filter_map(|(name, path)| Some((name.clone(), at(path)?)));
    let pointer = errors.param_path.as_ref().and_then(at);
    let pointer = pointer.and_then(|name| input_pointer(&name, inputs));
    let mut failure = Failure {
        kind,
        status: head.status,
        repeat: Repeat::Never,
        code: None,
        message: errors.message_path.as_ref().and_then(at),
        pointer: pointer.map(String::into_boxed_str),
        retry_after: None,
        request_id: request_id()
            .and_then(|id| line(&Tree::from(id)))
            .map(String::into_boxed_str),
        details: details.collect(),
    };
    failure.code(manifest, head, errors.code_paths.iter().find_map(at), json);
    failure
}

impl Failure {
    /// Takes the service's code, which may say more than the status.
    fn code(&mut self, manifest: &Manifest, head: &Head<'_>, code: Option<String>, json: Option<&Json>) {
        if let Some(kind) = code.as_deref().and_then(|code| manifest.errors.kind_of(code)) {
            self.kind = kind;
        }
        self.code = code;
        self.repeat = repeat(manifest.retry.as_ref(), self.kind, head);
        if self.repeat != Repeat::Never {
            self.retry_after = retry_after(manifest, head, json).map(String::into_boxed_str);
        }
    }

    /// Takes what a service says in plain text: one word is its code, more is a sentence.
    fn heard(&mut self, manifest: &Manifest, head: &Head<'_>, said: String) {
        if said.contains(' ') || said.len() > limits::CODE_CHARS {
            self.message = Some(said);
        } else if !said.is_empty() {
            self.code(manifest, head, Some(said), None);
        }
    }
}

/// What a status that is no success means.
fn kind(status: u16) -> FailureKind {
    match status {
        401 => FailureKind::Unauthorized,
        429 => FailureKind::RateLimited,
        408 | 500..=599 => FailureKind::Unavailable,
        _ => FailureKind::Rejected,
    }
}

/// The service's own word wins, then the manifest's list, then what the status means. Refused credentials stay refused.
fn repeat(config: Option<&RetryConfig>, kind: FailureKind, head: &Head<'_>) -> Repeat {
    let said = config.and_then(|config| (head.header)(config.retry_header.as_ref()?));
    let listed = config.is_some_and(|config| {
        config
            .retry_on
            .iter()
            .any(|status| stands_for(*status, kind, head.status))
    });
    let any = config.is_none_or(|config| config.retry_on.is_empty());
    let passes = matches!(kind, FailureKind::RateLimited | FailureKind::Unavailable);
    match (kind, said) {
        (FailureKind::Unauthorized | FailureKind::AccessMissing | FailureKind::Malformed, _) | (_, Some("false")) => {
            Repeat::Never
        }
        (_, Some("true")) => Repeat::Listed,
        _ if listed || (passes && any) => Repeat::Listed,
        _ if passes => Repeat::Later,
        _ => Repeat::Never,
    }
}

/// Whether a listed status is an answer's, or means the same: a service's code may say more than the status beside it.
fn stands_for(listed: u16, kind: FailureKind, status: u16) -> bool {
    if self::kind(status) == kind {
        return listed == status;
    }
    kind != FailureKind::Rejected && self::kind(listed) == kind
}

/// The pointer to an input that a service calls `items[0][price]` or `items.0.price`, if the input is one of these.
fn input_pointer(name: &str, inputs: &[Input]) -> Option<String> {
    let mut steps = name.split(['[', ']', '.']).filter(|step| !step.is_empty()).peekable();
    let first = *steps.peek()?;
    if !inputs.iter().any(|input| input.name == first) {
        return None;
    }
    Some(steps.map(|step| format!("/{}", pointer_token(step))).collect())
}

/// A scalar as text.
fn plain(tree: &Tree) -> Option<String> {
    match tree {
        Tree::String(text) => Some(text.clone()),
        Tree::Number(text) => Some(text.to_string()),
        Tree::Bool(value) => Some(value.to_string()),
        Tree::Null | Tree::Array(_) | Tree::Object(_) => None,
    }
}

/// What an upstream says, fit for an error or a log: one line, no control characters, bounded. What would move a
/// terminal's cursor, begin another line or turn the direction of writing becomes a blank.
pub(crate) fn line(tree: &Tree) -> Option<String> {
    let turns = |letter| matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let text = plain(tree)?;
    let words = text.split(|letter: char| letter.is_control() || letter.is_whitespace() || turns(letter));
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    Some(words.join(" ").chars().take(limits::UPSTREAM_MESSAGE_CHARS).collect())
}

/// The header first; the body where there is none.
fn retry_after(manifest: &Manifest, head: &Head<'_>, body: Option<&Json>) -> Option<String> {
    let limit = &manifest.rate_limit;
    let header = (head.header)(&limit.retry_after_header).map(str::to_owned);
    header.or_else(|| plain(limit.retry_after_path.as_ref()?.first(body?.tree())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_s_word_wins_then_the_list_then_the_status() {
        let told = |retry_on: &[u16], status: u16, said: Option<&str>| {
            let config = RetryConfig {
                max_retries: 1,
                retry_delay_ms: 1,
                retry_on: retry_on.to_vec(),
                retry_header: Some("again".to_owned()),
            };
            let header = |name: &str| said.filter(|_| name == "again");
            let head = Head {
                status,
                header: &header,
            };
            repeat(Some(&config), kind(status), &head)
        };
        for (list, status, said, expected) in [
            (&[][..], 503, None, Repeat::Listed),
            (&[], 429, None, Repeat::Listed),
            (&[], 409, None, Repeat::Never),
            (&[409], 409, None, Repeat::Listed),
            (&[409], 503, None, Repeat::Later),
            (&[409], 409, Some("false"), Repeat::Never),
            (&[], 503, Some("false"), Repeat::Never),
            (&[409], 400, Some("true"), Repeat::Listed),
            (&[], 503, Some("perhaps"), Repeat::Listed),
            (&[401], 401, Some("true"), Repeat::Never),
        ] {
            assert_eq!(told(list, status, said), expected, "{status} {said:?}");
        }
        let header = |_: &str| None;
        let head = Head {
            status: 503,
            header: &header,
        };
        assert_eq!(repeat(None, FailureKind::Unavailable, &head), Repeat::Listed);
        let list = |status| RetryConfig {
            max_retries: 1,
            retry_delay_ms: 1,
            retry_on: vec![status],
            retry_header: None,
        };
        let ok = Head { status: 200, ..head };
        let by_code = |listed, kind| repeat(Some(&list(listed)), kind, &ok);
        assert_eq!(by_code(429, FailureKind::RateLimited), Repeat::Listed);
        assert_eq!(by_code(503, FailureKind::RateLimited), Repeat::Later);
        assert_eq!(by_code(503, FailureKind::Unavailable), Repeat::Listed);
        for kind in [
            FailureKind::Unauthorized,
            FailureKind::AccessMissing,
            FailureKind::Rejected,
        ] {
            assert_eq!(by_code(429, kind), Repeat::Never, "{kind:?}");
        }
    }

    #[test]
    fn a_service_s_name_of_an_input_becomes_a_pointer() {
        let inputs = ["items", "a~b"].map(|name| Input {
            name: name.to_owned(),
            property: crate::property::Property::default(),
        });
        let pointer = |name| input_pointer(name, &inputs);
        assert_eq!(pointer("items[0][price]").as_deref(), Some("/items/0/price"));
        assert_eq!(pointer("items.0.price").as_deref(), Some("/items/0/price"));
        assert_eq!(pointer("items").as_deref(), Some("/items"));
        assert_eq!(pointer("a~b[c/d]").as_deref(), Some("/a~0b/c~1d"));
        for other in ["", "[]", "card[number]", "item"] {
            assert_eq!(pointer(other), None, "{other}");
        }
    }

    #[test]
    fn what_an_upstream_says_is_one_clean_line() {
        let said = |text: &str| line(&Tree::from(text)).unwrap();
        assert_eq!(said("no\r\nX-Evil: 1"), "no X-Evil: 1");
        assert_eq!(
            said("\u{1b}[31mred\u{7}\u{9b}0m \t gone\u{85}\u{2028}next"),
            "[31mred 0m gone next"
        );
        assert_eq!(said("safe\u{202e}exe.txt\u{2066}!"), "safe exe.txt !");
        assert_eq!(said("Größe ändern 🎉"), "Größe ändern 🎉");
        assert_eq!(
            said(&"é\n".repeat(1000)).chars().count(),
            limits::UPSTREAM_MESSAGE_CHARS
        );
    }
}
