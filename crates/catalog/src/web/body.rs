//! What a request carries: JSON, a form, text or bytes.

use base64::{Engine, engine::general_purpose::STANDARD};
use tieline::Result;
use tieline_manifest::{Tree, request::Encode};

use super::{query::encoded, wrong};

/// A body and its media type.
pub(super) struct Content {
    pub(super) media_type: String,
    pub(super) content: Bytes,
}

/// The body itself.
#[derive(Debug, PartialEq)]
pub(super) enum Bytes {
    Text(String),
    Raw(Vec<u8>),
    /// An object as JSON or as a form, into whose top a key may be put.
    Fields(String, Encode),
}

const FORM: &str = "application/x-www-form-urlencoded";

/// The body of the input. A text goes as it stands; anything else as JSON, or as a form where the caller's `Content-Type`
/// says so. That header leaves the others.
pub(super) fn of(
    body: Option<&Tree>,
    base64: Option<&str>,
    headers: &mut Vec<(String, String)>,
) -> Result<Option<Content>> {
    let body = body.filter(|body| !body.is_null());
    let asked = headers.iter().position(|(name, _)| name == "content-type");
    let (content, usual) = match (body, base64) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => return Err(wrong("/body_base64", "stands beside `body`: send one of the two")),
        (None, Some(base64)) => {
            let bytes = STANDARD.decode(base64);
            let bytes = bytes.map_err(|_| wrong("/body_base64", "is not base64 (RFC 4648, with padding)"))?;
            (Bytes::Raw(bytes), "application/octet-stream")
        }
        (Some(Tree::String(text)), None) => (Bytes::Text(text.clone()), "text/plain; charset=utf-8"),
        (Some(tree), None) if asked.is_some_and(|at| is_form(&headers[at].1)) => {
            if tree.as_object().is_none() {
                return Err(wrong(
                    "/body",
                    "is an object of fields where the `Content-Type` is a form's",
                ));
            }
            (Bytes::Fields(encoded(tree, "/body", Encode::Form)?, Encode::Form), FORM)
        }
        (Some(tree @ Tree::Object(_)), None) => (Bytes::Fields(tree.to_text(), Encode::Json), "application/json"),
        (Some(tree), None) => (Bytes::Text(tree.to_text()), "application/json"),
    };
    let asked = asked.map(|at| headers.remove(at).1);
    Ok(Some(Content {
        media_type: asked.unwrap_or_else(|| usual.to_owned()),
        content,
    }))
}

fn is_form(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case(FORM)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(body: Value, content_type: Option<&str>) -> Result<Option<(String, Bytes)>> {
        let mut headers: Vec<_> = content_type
            .map(|text| ("content-type".to_owned(), text.to_owned()))
            .into_iter()
            .collect();
        let content = of(Some(&Tree::from_value(&body)), None, &mut headers)?;
        assert!(content.is_none() || headers.is_empty());
        Ok(content.map(|content| (content.media_type, content.content)))
    }

    #[test]
    fn the_media_type_follows_the_body_unless_it_is_said() {
        let text = |text: &str| Bytes::Text(text.to_owned());
        let form = |text: &str| Bytes::Fields(text.to_owned(), Encode::Form);
        for (body, said, media_type, sent) in [
            (
                json!({ "a": [1, "x"] }),
                None,
                "application/json",
                Bytes::Fields(r#"{"a":[1,"x"]}"#.to_owned(), Encode::Json),
            ),
            (
                json!([1]),
                Some("application/vnd.api+json"),
                "application/vnd.api+json",
                text("[1]"),
            ),
            (json!("<a/>"), None, "text/plain; charset=utf-8", text("<a/>")),
            (json!("<a/>"), Some("application/xml"), "application/xml", text("<a/>")),
            (json!(false), None, "application/json", text("false")),
            (json!({ "a b": ["x y", 1] }), Some(FORM), FORM, form("a+b=x+y&a+b=1")),
            (
                json!({ "a": "é" }),
                Some("Application/X-WWW-Form-Urlencoded; charset=utf-8"),
                "Application/X-WWW-Form-Urlencoded; charset=utf-8",
                form("a=%C3%A9"),
            ),
        ] {
            assert_eq!(
                read(body.clone(), said).unwrap(),
                Some((media_type.to_owned(), sent)),
                "{body}"
            );
        }
        assert_eq!(read(json!(null), None).unwrap(), None);
        assert!(read(json!([1]), Some(FORM)).is_err() && read(json!({ "a": { "b": 1 } }), Some(FORM)).is_err());
    }

    #[test]
    fn bytes_come_in_base64() {
        let content = of(None, Some("AP8="), &mut Vec::new()).unwrap().unwrap();
        assert_eq!(content.content, Bytes::Raw(vec![0, 255]));
        assert_eq!(content.media_type, "application/octet-stream");
        assert!(of(None, Some("AP8"), &mut Vec::new()).is_err());
        assert!(of(Some(&Tree::Bool(true)), Some("AP8="), &mut Vec::new()).is_err());
    }
}
