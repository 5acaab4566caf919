//! Texts with paths in them: `Contact from {{$.source}}`.

use crate::{limits, path::Path};

/// A text with JSONPaths in it.
#[derive(Debug, Clone, PartialEq)]
pub struct PathTemplate {
    /// Each piece is a text or a path, in order.
    pub pieces: Vec<Result<Path, String>>,
}

impl PathTemplate {
    /// Reads a text with `{{$.paths}}`, from the element of the data.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.len() > limits::TEMPLATE_BYTES {
            return Err(format!("a template is at most {} bytes long", limits::TEMPLATE_BYTES));
        }
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(start) = rest.find("{{") {
            if start > 0 {
                pieces.push(Err(rest[..start].to_owned()));
            }
            let inside = &rest[start + 2..];
            let end = inside
                .find("}}")
                .ok_or_else(|| "`{{` has no `}}` after it".to_owned())?;
            pieces.push(Ok(Path::parse(inside[..end].trim())?));
            rest = &inside[end + 2..];
        }
        if !rest.is_empty() {
            pieces.push(Err(rest.to_owned()));
        }
        Ok(Self { pieces })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_falls_into_texts_and_paths() {
        let template = PathTemplate::parse("Contact from {{$.source}} - {{ $.company_name }}").unwrap();
        let pieces: Vec<&str> = template
            .pieces
            .iter()
            .map(|piece| match piece {
                Ok(path) => path.as_str(),
                Err(text) => text,
            })
            .collect();
        assert_eq!(pieces, ["Contact from ", "$.source", " - ", "$.company_name"]);
        for wrong in ["{{", "{{}}", "{{name}}", "{{$..x}}"] {
            assert!(PathTemplate::parse(wrong).is_err(), "{wrong}");
        }
    }
}
