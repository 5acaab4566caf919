//! Which form of a document the caller asks for.

use http::{HeaderMap, header};
use tieline::Result;

use super::{Extract, Request};
use crate::openapi::Operation;

/// Whether the caller is a browser that wants a page: `Accept` names `text/html`, and not something below it more. Whoever
/// takes anything, as programs do, gets the plain form.
pub(crate) struct WantsPage(pub(crate) bool);

impl Extract for WantsPage {
    async fn extract(request: &mut Request) -> Result<Self> {
        Ok(Self(wants_page(&request.head.headers)))
    }

    fn describe(_: &mut Operation<'_>) {}
}

fn wants_page(headers: &HeaderMap) -> bool {
    let accept: Vec<&str> = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    let page = weight(&accept, "text/html");
    page > 0.0 && page >= weight(&accept, "text/markdown")
}

/// How much a media type is wanted (RFC 9110 section 12.5.1), from 0 to 1; not named is not wanted.
fn weight(accept: &[&str], wanted: &str) -> f32 {
    let found = accept.iter().find_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        parts.next()?.eq_ignore_ascii_case(wanted).then_some(parts)
    });
    found.map_or(0.0, |mut parameters| {
        let quality = parameters.find_map(|parameter| parameter.strip_prefix("q="));
        quality.map_or(1.0, |quality| quality.parse().unwrap_or(0.0))
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_browser_gets_a_page_and_a_program_the_text() {
        for (accept, page) in [
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true),
            ("application/xml, Text/HTML ; q=0.2", true),
            ("text/markdown, text/html", true),
            ("text/markdown, text/html;q=0.5", false),
            ("text/html;q=0", false),
            ("text/html;q=lots", false),
            ("*/*", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(accept))]);
            assert_eq!(wants_page(&headers), page, "{accept}");
        }
        assert!(!wants_page(&HeaderMap::new()));
    }
}
