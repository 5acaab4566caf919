//! What the API says of itself: its description, for programs and for people, and the pages of its error codes.

use std::collections::BTreeMap;

use axum::response::Response;
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use schemars::Schema;
use serde_json::Value;
use tieline::{Code, Error, Result};

use crate::{
    app::App,
    openapi::Operation,
    page::{Html, Page, markdown, written},
    problem,
    route::{Answer, Extract, Request, WantsPage, with_type},
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
                "There is no such error code. Codes are written like `REQUEST_INVALID`; `/errors` lists them.",
            )
        })
    }

    fn describe(operation: &mut Operation<'_>) {
        let codes: Vec<Value> = Code::ALL.iter().map(|code| code.as_str().into()).collect();
        let schema = serde_json::json!({ "type": "string", "enum": codes, "examples": [Code::NotFound.as_str()] });
        operation.reads_param("code", &Schema::try_from(schema).expect("an object is a schema"));
        operation.fails(&[Code::RouteNotFound]);
    }
}

/// A text for people, as a page where one is asked for and as its Markdown else.
pub(crate) enum Paper {
    Page(Page),
    Markdown(String),
}

impl Answer for Paper {
    fn answer(self) -> Result<Response> {
        let mut response = match self {
            Self::Page(page) => page.answer()?,
            Self::Markdown(text) => {
                let markdown = HeaderValue::from_static("text/markdown; charset=utf-8");
                with_type(StatusCode::OK, markdown, text)
            }
        };
        let headers = response.headers_mut();
        headers.insert(header::VARY, HeaderValue::from_static("Accept"));
        Ok(response)
    }

    fn describe(operation: &mut Operation<'_>) {
        operation.answers_text(&["text/html", "text/markdown"]);
    }
}

fn page_of(code: Code) -> Result<&'static str> {
    let page = ERROR_PAGES.iter().find(|(name, _)| *name == code.as_str());
    let (_, text) = page.ok_or_else(|| Error::internal("an error code has no page", code.as_str()))?;
    Ok(text)
}

/// The first paragraph of a code's page: what happened.
fn gist(text: &str) -> &str {
    text.lines().skip(1).find(|line| !line.is_empty()).unwrap_or_default()
}

pub(crate) async fn error(CodeName(code): CodeName, WantsPage(wanted): WantsPage) -> Result<Paper> {
    let text = page_of(code)?;
    if !wanted {
        return Ok(Paper::Markdown(text.to_owned()));
    }
    Ok(Paper::Page(Page::new(code.as_str(), |html| {
        html.tag("main", &[], |html| {
            html.tag("p", &[("class", "back")], |html| {
                html.leaf("a", &[("href", "/errors")], "All errors")
            });
            markdown::write(html, text);
        });
    })))
}

pub(crate) async fn errors(WantsPage(wanted): WantsPage) -> Result<Paper> {
    let mut by_status = BTreeMap::<StatusCode, Vec<(Code, &str)>>::new();
    for code in Code::ALL {
        let codes = by_status.entry(problem::status(*code)).or_default();
        codes.push((*code, gist(page_of(*code)?)));
    }
    let mut text = String::from(
        "# Errors\n\nWhatever fails says so as a problem (RFC 9457) with a `code` that never changes its meaning, and a \
         sentence on what is wrong, where, and how to mend it. Each code has a page.\n",
    );
    for (status, codes) in &by_status {
        text += &format!("\n## {status}\n\n");
        for (code, gist) in codes {
            text += &format!("- [`{code}`](/errors/{code}): {gist}\n");
        }
    }
    if !wanted {
        return Ok(Paper::Markdown(text));
    }
    let body = |html: &mut Html| {
        html.tag("main", &[], |html| {
            html.tag("p", &[("class", "back")], |html| {
                html.leaf("a", &[("href", "/docs")], "The API")
            });
            markdown::write(html, &text);
        });
    };
    Ok(Paper::Page(Page::new("Errors", body)))
}

/// A document that was written once and is sent as it is.
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
        operation.answers_json::<BTreeMap<String, Value>>(StatusCode::OK, "OpenAPI 3.1.");
    }
}

pub(crate) async fn openapi(app: App) -> Result<Description> {
    Ok(Description(app.openapi.clone()))
}

/// The same for people.
pub(crate) struct Manual(Bytes);

impl Answer for Manual {
    fn answer(self) -> Result<Response> {
        Ok(written(self.0))
    }

    fn describe(operation: &mut Operation<'_>) {
        Page::describe(operation);
    }
}

pub(crate) async fn manual(app: App) -> Result<Manual> {
    app.manual().map(Manual)
}
