//! A multipart body (RFC 7578): texts, JSON and files side by side.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::shape::Shape;
use crate::{
    endpoint::has_control,
    json::Tree,
    request::{Body, Encode, Segment, Text},
    values::{FieldProblem, Found, Scope, as_text},
};

/// What the name of every boundary begins with.
const BOUNDARY: &str = "tieline-part-";

/// A value of a multipart body.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Part {
    name: String,
    shape: Shape,
    /// Whether its value is a file: `{content | text, filename, contentType}`.
    is_file: bool,
}

impl Part {
    pub(super) fn all(entries: Vec<(String, Shape)>, files: &[String]) -> Vec<Self> {
        let part = |(name, shape): (String, Shape)| Self {
            is_file: files.contains(&name),
            name,
            shape,
        };
        entries.into_iter().map(part).collect()
    }
}

/// Writes the body. Arrays repeat their name, objects are JSON, what is absent or null is left out.
pub(super) fn write(parts: &[Part], scope: &Scope<'_>) -> Result<Body, FieldProblem> {
    let mut written = Vec::new();
    for part in parts {
        part.write(scope, &mut written)?;
    }
    let boundary = boundary(&written);
    let mut text = Text::default();
    for (head, content) in written {
        text.push_str(&format!("--{boundary}\r\n{head}\r\n\r\n"));
        text.append(content);
        text.push_str("\r\n");
    }
    text.push_str(&format!("--{boundary}--\r\n"));
    Ok(Body {
        content_type: format!("multipart/form-data; boundary={boundary}"),
        text,
    })
}

impl Part {
    fn write(&self, scope: &Scope<'_>, out: &mut Vec<(String, Text)>) -> Result<(), FieldProblem> {
        match &self.shape {
            Shape::Fixed(tree) => self.value(tree, scope, out),
            Shape::Whole(place) => match scope.look(place) {
                Found::Value(tree) if self.is_file => self.file(tree, &place.pointer(), scope, out),
                Found::Value(tree) => self.value(tree, scope, out),
                Found::Secret(_) => Err(FieldProblem::at(place, "a secret cannot stand in a multipart body")),
                Found::Nothing => Ok(()),
            },
            Shape::Text(template) => {
                let mut text = Text::default();
                template.write(scope, Encode::Raw, &mut text)?;
                out.push((self.head(""), text));
                Ok(())
            }
            Shape::Expression(name) => Err(super::shape::not_evaluated(name)),
            Shape::Array(_) | Shape::Object(_) => {
                let mut text = Text::default();
                self.shape.write_json(scope, &mut text)?;
                out.push((self.head(JSON_TYPE), text));
                Ok(())
            }
        }
    }

    fn value(&self, tree: &Tree, scope: &Scope<'_>, out: &mut Vec<(String, Text)>) -> Result<(), FieldProblem> {
        let kind = match tree {
            Tree::Null => return Ok(()),
            Tree::Array(items) => return items.iter().try_for_each(|item| self.value(item, scope, out)),
            Tree::Object(_) => JSON_TYPE,
            _ => "",
        };
        let text = as_text(tree);
        scope.spend(self.name.len() + text.len())?;
        out.push((self.head(kind), Text::literal(text)));
        Ok(())
    }

    fn file(
        &self,
        tree: &Tree,
        pointer: &str,
        scope: &Scope<'_>,
        out: &mut Vec<(String, Text)>,
    ) -> Result<(), FieldProblem> {
        let part = |key: &str| tree.get(key).and_then(Tree::as_str);
        let mut content = Text::default();
        match (part("content"), part("text")) {
            (Some(encoded), None) => {
                scope.spend(encoded.len())?;
                let bytes = STANDARD
                    .decode(encoded)
                    .map_err(|_| FieldProblem::new(format!("{pointer}/content"), "base64 with padding is expected"))?;
                content.0.push(Segment::Bytes(bytes));
            }
            (None, Some(text)) => {
                scope.spend(text.len())?;
                content.push_str(text);
            }
            _ => {
                let message = "a file is an object with either `content` (base64) or `text`";
                return Err(FieldProblem::new(pointer, message));
            }
        }
        let kind = part("contentType").unwrap_or("application/octet-stream");
        if has_control(kind) || !kind.is_ascii() {
            let message = "a media type such as image/png is expected";
            return Err(FieldProblem::new(format!("{pointer}/contentType"), message));
        }
        let name = quoted(part("filename").unwrap_or("file"));
        let head = format!(
            "content-disposition: form-data; name={}; filename={name}\r\ncontent-type: {kind}",
            quoted(&self.name)
        );
        out.push((head, content));
        Ok(())
    }

    fn head(&self, kind: &str) -> String {
        format!("content-disposition: form-data; name={}{kind}", quoted(&self.name))
    }
}

const JSON_TYPE: &str = "\r\ncontent-type: application/json";

/// A name in quotes, as browsers write it (the HTML standard, “multipart form data”).
fn quoted(name: &str) -> String {
    let escaped = name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A");
    format!("\"{}\"", escaped.replace('\0', "%00"))
}

/// A boundary that stands in none of the contents: the first of its kind that none of them names.
fn boundary(parts: &[(String, Text)]) -> String {
    let mut taken = std::collections::BTreeSet::new();
    for segment in parts.iter().flat_map(|(_, content)| &content.0) {
        let bytes = match segment {
            Segment::Literal(text) => text.as_bytes(),
            Segment::Bytes(bytes) => bytes,
            Segment::Slot(_) => continue,
        };
        let mut rest = bytes;
        while let Some(at) = find(rest) {
            rest = &rest[at + BOUNDARY.len()..];
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).take(9);
            let number = digits.fold(0_u32, |number, digit| number * 10 + u32::from(digit - b'0'));
            taken.insert(number);
        }
    }
    // A shorter number is the beginning of a longer one, which ends it too late only; all of one length avoid that.
    let free = (0_u32..).find(|number| !taken.contains(number)).unwrap_or_default();
    format!("{BOUNDARY}{free:09}")
}

fn find(bytes: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + bytes[from..].iter().position(|byte| *byte == BOUNDARY.as_bytes()[0])?;
        if bytes[at..].starts_with(BOUNDARY.as_bytes()) {
            return Some(at);
        }
        from = at + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(content: &str) -> String {
        boundary(&[(String::new(), Text::literal(content))])
    }

    // X3
    #[test]
    fn x3_a_boundary_stands_in_none_of_the_contents() {
        assert_eq!(with("a"), "tieline-part-000000000");
        assert_eq!(with("--tieline-part-000000000--"), "tieline-part-000000001");
        assert_eq!(
            with("tieline-part-1 tieline-part-000000000tieline-part-2"),
            "tieline-part-000000003"
        );
        let bytes = [(
            String::new(),
            Text(vec![Segment::Bytes(b"\xfftieline-part-000000000".to_vec())]),
        )];
        assert_eq!(boundary(&bytes), "tieline-part-000000001");
        assert_eq!(quoted("a\"b\r\nc"), "\"a%22b%0D%0Ac\"");
    }

    proptest::proptest! {
        #[test]
        fn x3_whatever_the_content_names(content in "(tieline-part-|0|1|-|\\PC){0,12}") {
            proptest::prop_assert!(!content.contains(&with(&content)));
        }
    }
}
