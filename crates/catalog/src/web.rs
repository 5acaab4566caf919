//! What those connectors share that send requests of the caller's own making: `http` and `rest-api`.

mod answer;
mod body;
mod headers;
mod limits;
mod query;
mod sign;

use std::time::Duration;

use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tieline::{
    Code, Error, Json, Result,
    admit::{Admitted, Sending},
};
use tieline_manifest::{
    Tree,
    request::{Body, Request, Text},
};
use tokio::time::Instant;

pub use self::answer::{Answer, Encoding, Metadata, Values};
pub(crate) use self::{
    headers::HeaderMap,
    limits::{MAX_TIMEOUT_MS, MIN_TIMEOUT_MS},
    query::{Params, percent, with_query},
    sign::Sign,
};

/// Whether nothing was given.
pub(crate) fn is_null(json: &Json) -> bool {
    json.tree().is_null()
}

/// The method of a request. CONNECT would open a tunnel, and TRACE send credentials back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
#[schemars(inline)]
#[expect(missing_docs, reason = "the words say it")]
pub enum Method {
    #[default]
    Get,
    Post,
    Put,
    Patch,
    Delete,
    Head,
    Options,
}

impl Method {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Head => "HEAD",
            Self::Options => "OPTIONS",
        }
    }
}

/// A request as a caller writes it.
pub(crate) struct Wish<'a> {
    pub(crate) method: Method,
    /// Absolute, without a fragment.
    pub(crate) url: String,
    pub(crate) headers: &'a Json,
    pub(crate) body: Option<&'a Json>,
    pub(crate) body_base64: Option<&'a str>,
    /// Milliseconds.
    pub(crate) timeout: Option<u64>,
}

/// Sends a request with what `sign` adds to it, and reads its answer, whatever its status.
pub(crate) async fn send(admitted: &Admitted, wish: Wish<'_>, sign: &Sign<'_>) -> Result<Answer> {
    let within = timeout(wish.timeout)?;
    let mut headers = headers::of(wish.headers)?;
    let with_key = sign.body.as_ref().map(|(key, _)| with_room(&wish, key)).transpose()?;
    let tree = with_key.as_ref().or(wish.body.map(Json::tree));
    let (body, bytes) = match body::of(tree, wish.body_base64, &mut headers)? {
        None => (None, None),
        Some(body::Content { media_type, content }) => match content {
            body::Bytes::Fields(text, encode) => (Some((media_type, sign.body_text(&text, encode))), None),
            body::Bytes::Text(text) => (Some((media_type, Text::literal(text))), None),
            body::Bytes::Raw(bytes) => (Some((media_type, Text::default())), Some(Bytes::from(bytes))),
        },
    };
    let headers = headers.into_iter().map(|(name, value)| (name, Text::literal(value)));
    let mut request = Request {
        method: wish.method.as_str().to_owned(),
        url: Text::literal(wish.url),
        headers: headers.collect(),
        body: body.map(|(content_type, text)| Body { content_type, text }),
    };
    sign.put_on(&mut request);
    // As it may be shown: its secrets are slots.
    let url = request.url.to_string();
    let begun = Instant::now();
    let sending = Sending {
        request: &request,
        bytes,
        within: Some(within),
    };
    let answered = admitted.exchange(sending).await?;
    Ok(Answer::of(answered, begun.elapsed(), wish.method, url))
}

/// The body with room for the connection's key at its top: an object, without a value of that name.
fn with_room(wish: &Wish<'_>, key: &str) -> Result<Tree> {
    if matches!(wish.method, Method::Get | Method::Head | Method::Options) {
        return Err(wrong(
            "/method",
            "carries no body, and the connection's key goes into the body: use another method",
        ));
    }
    match (wish.body.map(Json::tree), wish.body_base64) {
        (None | Some(Tree::Null), None) => Ok(Tree::Object(Vec::new())),
        (Some(Tree::Object(fields)), None) => {
            let others = fields.iter().filter(|(name, _)| name != key);
            Ok(Tree::Object(others.cloned().collect()))
        }
        _ => Err(wrong(
            "/body",
            "is an object where the connection's key goes into the body",
        )),
    }
}

fn timeout(milliseconds: Option<u64>) -> Result<Duration> {
    let milliseconds = milliseconds.unwrap_or(limits::TIMEOUT_MS);
    if (MIN_TIMEOUT_MS..=MAX_TIMEOUT_MS).contains(&milliseconds) {
        return Ok(Duration::from_millis(milliseconds));
    }
    Err(wrong(
        "/timeout",
        &format!("is between {MIN_TIMEOUT_MS} and {MAX_TIMEOUT_MS} milliseconds"),
    ))
}

/// A place in the input that cannot be used.
pub(crate) fn wrong(pointer: &str, message: &str) -> Error {
    let detail = format!("The request cannot be made: `{pointer}` {message}.");
    Error::new(Code::ConnectorActionInputInvalid, detail)
        .field(pointer, message)
        .before_sending()
}

/// A name inside a JSON pointer.
pub(crate) fn token(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
