//! What the API says of itself: its description and the pages of its error codes.

use axum::response::Response;
use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use schemars::Schema;
use serde_json::Value;
use tieline::{Code, Error, Result};

use crate::{
    app::App,
    openapi::Operation,
    route::{Answer, Extract, Request, Text, with_type},
};

include!(concat!(env!("OUT_DIR"), "/error_pages.rs"));

/// An error code named in the path.
pub(crate) struct CodeName(Code);

impl Extract for CodeName {
    async fn extract(request: &mut Request) -> Result<Self> {
        let name = request.param("code")?;
        let known = Code::ALL.iter().find(|code| code.as_str() == name);
        known.copied().map(Self).ok_or_else(|| {
            Error::new(
                Code::RouteNotFound,
                "There is no such error code. Codes are written like `REQUEST_INVALID`.",
            )
        })
    }

    fn describe(operation: &mut Operation<'_>) {
        let codes: Vec<Value> = Code::ALL.iter().map(|code| code.as_str().into()).collect();
        let schema = serde_json::json!({ "type": "string", "enum": codes });
        operation.reads_param("code", &Schema::try_from(schema).expect("an object is a schema"));
        operation.fails(&[Code::RouteNotFound]);
    }
}

pub(crate) async fn error(CodeName(code): CodeName) -> Result<Text> {
    let page = ERROR_PAGES.iter().find(|(name, _)| *name == code.as_str());
    let (_, text) = page.ok_or_else(|| Error::internal("an error code has no page", code.as_str()))?;
    Ok(Text {
        content_type: "text/markdown; charset=utf-8",
        text: (*text).to_owned(),
    })
}

/// The API description, written once and sent as it is.
pub(crate) struct Description(Bytes);

impl Answer for Description {
    fn answer(self) -> Result<Response> {
        Ok(with_type(
            StatusCode::OK,
            HeaderValue::from_static("application/json"),
            self.0,
        ))
    }

    fn describe(operation: &mut Operation<'_>) {
        operation.answers_json::<Value>(StatusCode::OK, "The answer.");
    }
}

pub(crate) async fn openapi(app: App) -> Result<Description> {
    Ok(Description(app.openapi.clone()))
}
