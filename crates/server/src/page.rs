//! Pages for people, written without script: a document that cannot run anything cannot be made to (U1).
//!
//! Tags and attribute names are our own words; whatever else gets into a page goes through [`Html::text`] or an
//! attribute's value, and both escape it.

pub(crate) mod markdown;

use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use axum::response::Response;
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderName, HeaderValue, StatusCode, header};
use tieline::Result;

use crate::{
    openapi::Operation,
    route::{Answer, with_type},
};

/// The media type of a page.
pub(crate) const TEXT_HTML: &str = "text/html; charset=utf-8";

/// The one style sheet, inside each page: nothing is loaded.
const STYLE: &str = include_str!("page/style.css");

/// Where a page's forms may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Forms {
    Nowhere,
    Here,
}

/// A page.
pub(crate) struct Page {
    title: String,
    body: Html,
    status: StatusCode,
    forms: Forms,
}

impl Page {
    /// A page with a title and what `body` writes.
    pub(crate) fn new(title: impl Into<String>, body: impl FnOnce(&mut Html)) -> Self {
        let mut html = Html::default();
        body(&mut html);
        Self {
            title: title.into(),
            body: html,
            status: StatusCode::OK,
            forms: Forms::Nowhere,
        }
    }

    /// Lets the page's forms be sent to this server.
    #[must_use]
    pub(crate) fn with_form(mut self) -> Self {
        self.forms = Forms::Here;
        self
    }

    /// The page under another status than 200: one that `problem` knows.
    #[must_use]
    pub(crate) fn under(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// The whole document.
    pub(crate) fn document(&self) -> String {
        let mut html = Html("<!doctype html>".to_owned());
        html.tag("html", &[("lang", "en")], |html| {
            html.tag("head", &[], |html| {
                html.void("meta", &[("charset", "utf-8")]);
                html.void(
                    "meta",
                    &[("name", "viewport"), ("content", "width=device-width, initial-scale=1")],
                );
                html.void("meta", &[("name", "color-scheme"), ("content", "light dark")]);
                html.leaf("title", &[], &format!("{} · Tieline", self.title));
                html.0.push_str("<style>");
                html.0.push_str(STYLE);
                html.0.push_str("</style>");
            });
            html.tag("body", &[], |html| html.0.push_str(&self.body.0));
        });
        html.0
    }
}

impl Answer for Page {
    fn answer(self) -> Result<Response> {
        let text = self.document();
        let mut response = with_type(self.status, HeaderValue::from_static(TEXT_HTML), text);
        dress(&mut response, self.forms);
        Ok(response)
    }

    fn describe(operation: &mut Operation<'_>) {
        operation.answers_text(&["text/html"]);
    }
}

/// A page that was written before, as it is sent.
pub(crate) fn written(document: bytes::Bytes) -> Response {
    let mut response = with_type(StatusCode::OK, HeaderValue::from_static(TEXT_HTML), document);
    dress(&mut response, Forms::Nowhere);
    response
}

/// What a browser may do with a page: show it with our style, and nothing else (U1).
fn dress(response: &mut Response, forms: Forms) {
    static POLICIES: LazyLock<[HeaderValue; 2]> = LazyLock::new(|| {
        let style = STANDARD.encode(digest(&SHA256, STYLE.as_bytes()));
        ["'none'", "'self'"].map(|forms| {
            let policy = format!(
                "default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action {forms}; frame-ancestors 'none'"
            );
            HeaderValue::try_from(policy).expect("words and base64 are a header's value")
        })
    });
    let [nowhere, here] = &*POLICIES;
    let policy = match forms {
        Forms::Nowhere => nowhere,
        Forms::Here => here,
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, policy.clone());
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(OPENER_POLICY, HeaderValue::from_static("same-origin"));
}

const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// HTML as it is being written.
#[derive(Default)]
pub(crate) struct Html(String);

/// Attributes of a tag.
pub(crate) type Attributes<'a> = &'a [(&'static str, &'a str)];

impl Html {
    /// Text, escaped.
    pub(crate) fn text(&mut self, text: &str) {
        for letter in text.chars() {
            match letter {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                // Nothing of a page is in control characters; a browser would show them in its own way.
                letter if letter.is_control() && !matches!(letter, '\n' | '\t') => self.0.push('\u{fffd}'),
                letter => self.0.push(letter),
            }
        }
    }

    /// A tag around what `inside` writes.
    pub(crate) fn tag(&mut self, name: &'static str, attributes: Attributes<'_>, inside: impl FnOnce(&mut Self)) {
        self.void(name, attributes);
        inside(self);
        self.0.push_str("</");
        self.0.push_str(name);
        self.0.push('>');
    }

    /// A tag around text.
    pub(crate) fn leaf(&mut self, name: &'static str, attributes: Attributes<'_>, text: &str) {
        self.tag(name, attributes, |html| html.text(text));
    }

    /// A tag that has no end, such as `input`. An attribute with an empty value stands alone (`required`).
    pub(crate) fn void(&mut self, name: &'static str, attributes: Attributes<'_>) {
        self.0.push('<');
        self.0.push_str(name);
        for (name, value) in attributes {
            self.0.push(' ');
            self.0.push_str(name);
            if !value.is_empty() {
                self.0.push_str("=\"");
                self.text(value);
                self.0.push('"');
            }
        }
        self.0.push('>');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn u2_text_and_values_are_escaped() {
        let mut html = Html::default();
        let hostile = "</p><script>alert('x')</script>&\u{0}\"";
        html.leaf("p", &[("title", hostile)], hostile);
        let escaped = "&lt;/p&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;\u{fffd}&quot;";
        assert_eq!(html.0, format!("<p title=\"{escaped}\">{escaped}</p>"));
    }

    #[test]
    fn u1_a_page_may_load_run_and_send_nothing() {
        let answer = Page::new("Title", |html| html.leaf("h1", &[], "Hello"))
            .answer()
            .unwrap();
        let policy = answer.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        for part in [
            "default-src 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
        ] {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        let answer = Page::new("Title", |_| ()).with_form().answer().unwrap();
        let policy = answer.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.contains("form-action 'self'"), "{policy}");
    }

    #[test]
    fn the_style_sheet_is_no_end_of_itself() {
        assert!(!STYLE.contains('<') && STYLE.is_ascii());
    }
}
