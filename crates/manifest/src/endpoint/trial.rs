//! A trial call of an endpoint: what is sent, and what is expected.

use crate::{
    endpoint::read_json_path,
    json::{Json, Tree},
    lint::Lints,
    node::Spot,
    path::Path,
};

/// A trial call.
#[derive(Debug, Clone)]
pub struct Trial {
    /// Inputs: those of path, query and headers, then those of the body.
    pub input: Tree,
    /// What the answer must be like.
    pub expected: Expected,
}

/// What an answer must be like. What is absent is not asked for.
#[derive(Debug, Clone, Default)]
pub struct Expected {
    /// The HTTP status.
    pub status: Option<u16>,
    /// Texts that stand in the body.
    pub body_contains: Vec<String>,
    /// Values at places of the body.
    pub values: Vec<(Path, Tree)>,
}

impl Trial {
    pub(super) fn read(spot: &Spot<'_>, lints: &mut Lints) -> Option<Self> {
        let fields = spot.fields()?;
        let params = fields.get("testParams").into_iter().chain(fields.get("testBody"));
        let mut input: Vec<(String, Tree)> = Vec::new();
        for (name, spot) in params.flat_map(|spot| spot.entries()) {
            if input.iter().any(|(other, _)| other == name) {
                let message = format!("`{name}` is given in `testParams` already; inputs are one object");
                spot.lint(lints, crate::lint::DUPLICATE_NAME, message);
            }
            input.push((name.to_owned(), spot.node.to_tree()));
        }
        Some(Self {
            input: Tree::Object(input),
            expected: fields
                .get("expectations")
                .map(|spot| Expected::read(&spot, lints))
                .unwrap_or_default(),
        })
    }
}

impl Expected {
    fn read(spot: &Spot<'_>, lints: &mut Lints) -> Self {
        let Some(fields) = spot.fields() else {
            return Self::default();
        };
        let mut values = Vec::new();
        for spot in fields.list("jsonPath") {
            let Some(fields) = spot.fields() else { continue };
            let path = fields.get("path").and_then(|spot| read_json_path(&spot, lints));
            if let (Some(path), Some(value)) = (path, fields.get_or_null("value")) {
                values.push((path, value.node.to_tree()));
            }
        }
        let status = fields.get("statusCode").and_then(|spot| spot.integer());
        Self {
            status: status.and_then(|status| u16::try_from(status).ok()),
            body_contains: fields.texts("bodyContains"),
            values,
        }
    }

    /// Everything that is not as expected, a sentence each. Tells no more of the answer than what was asked for.
    pub fn judge(&self, status: u16, body: &[u8]) -> Vec<String> {
        let mut wrong = Vec::new();
        if let Some(expected) = self.status.filter(|expected| *expected != status) {
            wrong.push(format!("status {expected} was expected, it is {status}"));
        }
        let text = String::from_utf8_lossy(body);
        for part in self.body_contains.iter().filter(|part| !text.contains(part.as_str())) {
            wrong.push(format!("the body does not contain {part:?}"));
        }
        if self.values.is_empty() {
            return wrong;
        }
        let json = Json::parse_bytes(body).unwrap_or_default();
        for (path, expected) in &self.values {
            match path.first(json.tree()) {
                Some(found) if found == expected => {}
                Some(_) => wrong.push(format!("{} is not {}", path.as_str(), expected.to_text())),
                None => wrong.push(format!("there is nothing at {}", path.as_str())),
            }
        }
        wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_not_as_expected_is_told() {
        let expected = Expected {
            status: Some(201),
            body_contains: vec!["ada".to_owned(), "bob".to_owned()],
            values: vec![
                (Path::parse("$.n").expect("it is a path"), Tree::number(1)),
                (Path::parse("$.n").expect("it is a path"), Tree::number(2)),
                (Path::parse("$.m").expect("it is a path"), Tree::Null),
            ],
        };
        let wrong = expected.judge(200, br#"{"name":"ada","n":1}"#);
        assert_eq!(
            wrong,
            [
                "status 201 was expected, it is 200",
                "the body does not contain \"bob\"",
                "$.n is not 2",
                "there is nothing at $.m"
            ]
        );
        assert!(Expected::default().judge(500, b"").is_empty());
    }
}
