//! What handlers answer.

use axum::response::Response;
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use http_body::Body as _;
use http_body_util::BodyExt;
use schemars::JsonSchema;
use serde::Serialize;
use tieline::{Error, Result, id::TenantId, limits::SMALL_BYTES, shares::Share};

use crate::openapi::Operation;

/// Something that can be sent.
pub trait Answer {
    /// Writes it.
    fn answer(self) -> Result<Response>;

    /// Says in the API description what is sent.
    fn describe(operation: &mut Operation<'_>);
}

/// 200 with JSON.
pub struct Reply<T>(pub T);

/// 201 with the JSON of what was made.
pub struct Created<T>(pub T);

/// 204.
pub struct Nothing;

/// A page of a list.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "ListOf{T}")]
pub struct List<T> {
    /// This page.
    pub data: Vec<T>,
    /// Ask for the next page with this as `cursor`; null on the last page.
    #[schemars(required, extend("type" = ["string", "null"]))]
    pub next_cursor: Option<String>,
}

/// 200 with text of a type.
pub struct Text {
    /// Value of `content-type`.
    pub content_type: &'static str,
    /// The text.
    pub text: String,
}

/// 200 with a picture of our own.
pub struct Svg(pub &'static str);

/// Marks an answer whose body is a stream: it is sent as it comes, and no more of it is in memory than is on its way.
#[derive(Clone, Copy)]
pub struct Streamed;

/// JSON under a status.
pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Result<Response> {
    let bytes = serde_json::to_vec(body).map_err(|error| Error::internal("an answer does not serialise", error))?;
    Ok(with_type(status, HeaderValue::from_static("application/json"), bytes))
}

pub(crate) fn with_type(status: StatusCode, content_type: HeaderValue, body: impl Into<axum::body::Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    response
}

/// The answer with its memory counted until the last of it was sent. The server's buffer holds nothing but these bytes,
/// so the count goes with them.
pub(super) async fn weighed(response: Response, count: impl FnOnce(usize) -> Share<TenantId>) -> Result<Response> {
    if response.extensions().get::<Streamed>().is_some() {
        return Ok(response);
    }
    let size = response
        .body()
        .size_hint()
        .exact()
        .and_then(|size| usize::try_from(size).ok());
    let Some(size) = size.filter(|size| *size > SMALL_BYTES) else {
        return Ok(response);
    };
    let (head, body) = response.into_parts();
    let bytes = body.collect().await;
    let bytes = bytes.map_err(|error| Error::internal("an answer that is whole cannot be read", error))?;
    let counted = Counted {
        bytes: bytes.to_bytes(),
        _share: count(size),
    };
    Ok(Response::from_parts(head, Bytes::from_owner(counted).into()))
}

struct Counted {
    bytes: Bytes,
    _share: Share<TenantId>,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl<T: Serialize + JsonSchema> Answer for Reply<T> {
    fn answer(self) -> Result<Response> {
        json(StatusCode::OK, &self.0)
    }

    fn describe(operation: &mut Operation<'_>) {
        operation.answers_json::<T>(StatusCode::OK, "The answer.");
    }
}

impl<T: Serialize + JsonSchema> Answer for Created<T> {
    fn answer(self) -> Result<Response> {
        json(StatusCode::CREATED, &self.0)
    }

    fn describe(operation: &mut Operation<'_>) {
        operation.answers_json::<T>(StatusCode::CREATED, "What was made.");
    }
}

impl<T: Serialize + JsonSchema> Answer for List<T> {
    fn answer(self) -> Result<Response> {
        json(StatusCode::OK, &self)
    }

    fn describe(operation: &mut Operation<'_>) {
        operation.answers_json::<List<T>>(StatusCode::OK, "A page of the list.");
    }
}

impl Answer for Nothing {
    fn answer(self) -> Result<Response> {
        let mut response = Response::new(axum::body::Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        Ok(response)
    }

    fn describe(operation: &mut Operation<'_>) {
        operation.answers_nothing();
    }
}

impl Answer for Svg {
    fn answer(self) -> Result<Response> {
        let svg = HeaderValue::from_static("image/svg+xml");
        Ok(with_type(StatusCode::OK, svg, self.0))
    }

    fn describe(operation: &mut Operation<'_>) {
        operation.answers_text(&["image/svg+xml"]);
    }
}

impl Answer for Text {
    fn answer(self) -> Result<Response> {
        Ok(with_type(
            StatusCode::OK,
            HeaderValue::from_static(self.content_type),
            self.text,
        ))
    }

    fn describe(operation: &mut Operation<'_>) {
        operation.answers_text(&["text/*"]);
    }
}
