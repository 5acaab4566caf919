//! The body: type and size are judged before a byte is read, time while reading, JSON before any typed reading.

use std::time::Duration;

use http::{HeaderMap, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use schemars::{JsonSchema, Schema};
use serde::de::DeserializeOwned;
use tieline::{Code, Error, Result};
use tieline_manifest::{Json, JsonErrorKind, JsonLimits};
use tokio::time::{Instant, timeout_at};

use super::{Extract, Request, decode};
use crate::{
    limits::{
        BODY_MIN_RATE, BODY_RATE_GRACE, BODY_READ_TIMEOUT, INPUT_READ_TIMEOUT, MAX_BODY_BYTES, MAX_INPUT_BODY_BYTES,
        MAX_STRANGERS_BODY_BYTES,
    },
    openapi::Operation,
};

/// The JSON body as a typed value.
pub struct Body<T>(pub T);

/// The JSON body as it came, for what is checked against a schema of its own: an action's input, which may be larger than
/// other bodies. No body at all is `{}`.
pub struct Input(pub Json);

/// How large a body may be, and by when it must be here.
#[derive(Clone, Copy)]
struct Bounds {
    bytes: usize,
    within: Duration,
}

const ORDINARY: Bounds = Bounds {
    bytes: MAX_BODY_BYTES,
    within: BODY_READ_TIMEOUT,
};

const STRANGERS: Bounds = Bounds {
    bytes: MAX_STRANGERS_BODY_BYTES,
    within: BODY_READ_TIMEOUT,
};

const INPUT: Bounds = Bounds {
    bytes: MAX_INPUT_BODY_BYTES,
    within: INPUT_READ_TIMEOUT,
};

impl<T: DeserializeOwned + JsonSchema + Send> Extract for Body<T> {
    const READS_BODY: bool = true;

    async fn extract(request: &mut Request) -> Result<Self> {
        typed(&read(request).await?).map(Self)
    }

    fn describe(operation: &mut Operation<'_>) {
        let schema = operation.generator().subschema_for::<T>();
        operation.reads_json(schema, true);
    }
}

impl Extract for Input {
    const READS_BODY: bool = true;

    async fn extract(request: &mut Request) -> Result<Self> {
        let headers = &request.head.headers;
        let none = !headers.contains_key(header::CONTENT_TYPE)
            && !headers.contains_key(header::TRANSFER_ENCODING)
            && content_length(headers).unwrap_or(0) == 0;
        if none {
            request.begin(&[]).await?;
            return Ok(Self(Json::from_value(&serde_json::json!({}))));
        }
        read_input(request).await.map(Self)
    }

    fn describe(operation: &mut Operation<'_>) {
        let schema = Schema::try_from(serde_json::json!({ "type": "object" })).expect("an object is a schema");
        operation.reads_json(schema, false);
    }
}

/// The body as a typed value.
pub(crate) fn typed<T: DeserializeOwned>(json: &Json) -> Result<T> {
    decode::decode(&mut serde_json::Deserializer::from_str(json.text()), "body")
}

/// The body, judged.
pub(crate) async fn read(request: &mut Request) -> Result<Json> {
    read_within(request, ORDINARY).await
}

/// The body that is or holds an action's input, judged.
pub(crate) async fn read_input(request: &mut Request) -> Result<Json> {
    read_within(request, INPUT).await
}

async fn read_within(request: &mut Request, bounds: Bounds) -> Result<Json> {
    check_type(&request.head.headers)?;
    let bounds = if request.is_strangers() { STRANGERS } else { bounds };
    let bytes = bytes_within(request, bounds).await?;
    let json = parse(&bytes, bounds)?;
    // The same bytes are in there: large ones must not be twice in memory while somebody waits.
    drop(bytes);
    request.begin(json.text().as_bytes()).await?;
    Ok(json)
}

/// The fields of a form, as they came: what browsers without script send. Only where anybody may send something.
pub(super) async fn read_form(request: &mut Request) -> Result<Vec<u8>> {
    bytes_within(request, STRANGERS).await
}

async fn bytes_within(request: &mut Request, bounds: Bounds) -> Result<Vec<u8>> {
    if content_length(&request.head.headers).is_some_and(|length| length > bounds.bytes as u64) {
        return Err(too_large(bounds));
    }
    // Memory is made sure of before a byte is read; whoever does not say how much will come gets it piece by piece.
    let announced = content_length(&request.head.headers).and_then(|length| usize::try_from(length).ok());
    request.make_room(announced.unwrap_or_default())?;
    let body = request.take_body()?;
    // What grows step by step is there twice at each of them.
    let room = Vec::with_capacity(announced.unwrap_or_default());
    collect(body, room, bounds, |bytes| match announced {
        Some(_) => Ok(()),
        None => request.make_room(bytes),
    })
    .await
}

/// The whole body, while it comes fast enough, is not too large and finds room.
async fn collect(
    body: axum::body::Body,
    mut bytes: Vec<u8>,
    bounds: Bounds,
    mut make_room: impl FnMut(usize) -> Result<()>,
) -> Result<Vec<u8>> {
    let mut body = Limited::new(body, bounds.bytes);
    let start = Instant::now();
    loop {
        let earned = Duration::from_secs(bytes.len() as u64 / BODY_MIN_RATE);
        let until = start + (BODY_RATE_GRACE + earned).min(bounds.within);
        match timeout_at(until, body.frame()).await {
            Err(_) => return Err(too_slow(bounds)),
            Ok(None) => return Ok(bytes),
            Ok(Some(Ok(frame))) => {
                if let Some(chunk) = frame.data_ref() {
                    make_room(bytes.len() + chunk.len())?;
                    bytes.extend_from_slice(chunk);
                }
            }
            Ok(Some(Err(error))) if error.is::<LengthLimitError>() => return Err(too_large(bounds)),
            Ok(Some(Err(error))) => {
                return Err(Error::new(Code::JsonInvalid, "The body ended early.").context("body", error));
            }
        }
    }
}

fn parse(bytes: &[u8], bounds: Bounds) -> Result<Json> {
    let limits = JsonLimits {
        bytes: bounds.bytes,
        ..JsonLimits::request()
    };
    Json::parse_bytes_with(bytes, &limits).map_err(|error| {
        let code = match error.kind {
            JsonErrorKind::Syntax | JsonErrorKind::DuplicateKey => Code::JsonInvalid,
            JsonErrorKind::LoneSurrogate | JsonErrorKind::NulCharacter => Code::RequestInvalid,
            JsonErrorKind::TooLarge => Code::BodyTooLarge,
            JsonErrorKind::TooComplex => Code::JsonTooComplex,
        };
        let place = format!("line {}, column {}", error.line, error.column);
        Error::new(
            code,
            format!("The body is not JSON that we take: {} ({place}).", error.message),
        )
    })
}

fn check_type(headers: &HeaderMap) -> Result<()> {
    let essence = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .map(|value| value.split(';').next().unwrap_or_default().trim());
    if !essence.is_some_and(|essence| essence.eq_ignore_ascii_case("application/json")) {
        return Err(Error::new(
            Code::MediaTypeUnsupported,
            "The body must be JSON: send `Content-Type: application/json`.",
        ));
    }
    let encoding = headers.get(header::CONTENT_ENCODING);
    if encoding.is_some_and(|encoding| encoding != "identity") {
        return Err(Error::new(
            Code::MediaTypeUnsupported,
            "Compressed bodies are not read: send the JSON without `Content-Encoding`.",
        ));
    }
    Ok(())
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn too_slow(bounds: Bounds) -> Error {
    Error::new(
        Code::RequestTimeout,
        format!(
            "The body came too slowly: it must arrive within {} seconds, at {BODY_MIN_RATE} bytes a second or more.",
            bounds.within.as_secs()
        ),
    )
}

fn too_large(bounds: Bounds) -> Error {
    Error::new(
        Code::BodyTooLarge,
        format!("The body is larger than {} bytes: send less.", bounds.bytes),
    )
}

#[cfg(test)]
mod tests {
    use std::{
        pin::Pin,
        task::{Context, Poll, ready},
    };

    use bytes::Bytes;
    use http_body::Frame;
    use tokio::time::Sleep;

    use super::*;

    /// A sender that gives a piece and pauses, without end.
    struct Sender {
        piece: usize,
        pause: Duration,
        sleep: Pin<Box<Sleep>>,
    }

    impl Sender {
        fn body(piece: usize, pause: Duration) -> axum::body::Body {
            axum::body::Body::new(Self {
                piece,
                pause,
                sleep: Box::pin(tokio::time::sleep(pause)),
            })
        }
    }

    impl http_body::Body for Sender {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<Option<std::result::Result<Frame<Bytes>, Self::Error>>> {
            ready!(self.sleep.as_mut().poll(context));
            let next = Instant::now() + self.pause;
            self.sleep.as_mut().reset(next);
            Poll::Ready(Some(Ok(Frame::data(vec![b' '; self.piece].into()))))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn l2_an_endless_body_is_cut() {
        for bounds in [ORDINARY, INPUT] {
            let error = collect(
                Sender::body(64 * 1024, Duration::from_millis(1)),
                Vec::new(),
                bounds,
                |_| Ok(()),
            )
            .await
            .unwrap_err();
            assert_eq!(error.code(), Code::BodyTooLarge);
            assert!(error.detail().contains(&bounds.bytes.to_string()), "{error}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn l2_a_slow_body_is_cut() {
        let cut_after = async |piece, pause| {
            let start = Instant::now();
            let error = collect(Sender::body(piece, pause), Vec::new(), ORDINARY, |_| Ok(()))
                .await
                .unwrap_err();
            assert_eq!(error.code(), Code::RequestTimeout);
            start.elapsed()
        };
        assert_eq!(
            cut_after(1, Duration::from_secs(3600)).await,
            BODY_RATE_GRACE,
            "a sender that stops"
        );
        assert_eq!(
            cut_after(1, Duration::from_secs(1)).await,
            BODY_RATE_GRACE,
            "a sender that drips"
        );
        assert_eq!(
            cut_after(2048, Duration::from_secs(1)).await,
            BODY_READ_TIMEOUT,
            "a sender that takes too long"
        );
    }

    #[test]
    fn j_hostile_json_has_a_code_of_its_own() {
        let deep = format!("{}{}", "[".repeat(65), "]".repeat(65));
        for (text, code) in [
            ("{", Code::JsonInvalid),
            ("", Code::JsonInvalid),
            ("{\"a\":1,\"a\":2}", Code::JsonInvalid),
            ("{\"a\":\"\\u0000\"}", Code::RequestInvalid),
            ("{\"a\":\"\\ud800\"}", Code::RequestInvalid),
            (deep.as_str(), Code::JsonTooComplex),
        ] {
            assert_eq!(parse(text.as_bytes(), ORDINARY).unwrap_err().code(), code, "{text}");
        }
        assert_eq!(
            parse(b"{\"a\":\"\xff\"}", ORDINARY).unwrap_err().code(),
            Code::JsonInvalid
        );
    }
}
