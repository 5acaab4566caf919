//! The tree of a manifest with its places, and the small readers that typed readers are made of.

use crate::{
    json::Tree,
    lint::{self, Lints, Position},
};

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) kind: NodeKind,
    pub(crate) at: Position,
}

#[derive(Debug, Clone)]
pub(crate) enum NodeKind {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) at: Position,
    pub(crate) value: Node,
}

impl Node {
    pub(crate) fn to_tree(&self) -> Tree {
        match &self.kind {
            NodeKind::Null => Tree::Null,
            NodeKind::Bool(value) => Tree::Bool(*value),
            NodeKind::Number(text) => Tree::Number(text.as_str().into()),
            NodeKind::Text(text) => Tree::String(text.clone()),
            NodeKind::List(items) => Tree::Array(items.iter().map(Node::to_tree).collect()),
            NodeKind::Map(entries) => Tree::Object(
                entries
                    .iter()
                    .map(|entry| (entry.key.clone(), entry.value.to_tree()))
                    .collect(),
            ),
        }
    }

    fn kind_name(&self) -> &'static str {
        match self.kind {
            NodeKind::Null => "nothing",
            NodeKind::Bool(_) => "true or false",
            NodeKind::Number(_) => "a number",
            NodeKind::Text(_) => "a text",
            NodeKind::List(_) => "a list",
            NodeKind::Map(_) => "a mapping",
        }
    }
}

/// A node with its path in the manifest.
#[derive(Debug, Clone)]
pub(crate) struct Spot<'n> {
    pub(crate) node: &'n Node,
    pub(crate) path: String,
    /// Where to point: the key of a field, else the node.
    pub(crate) at: Position,
}

impl<'n> Spot<'n> {
    pub(crate) fn root(node: &'n Node) -> Self {
        Self {
            node,
            path: String::new(),
            at: node.at,
        }
    }

    pub(crate) fn lint(&self, lints: &mut Lints, rule: &'static str, message: impl Into<String>) {
        lints.add(rule, self.node.at, &self.path, message);
    }

    fn wrong_type(&self, lints: &mut Lints, wanted: &str) {
        self.lint(
            lints,
            lint::WRONG_TYPE,
            format!("{wanted} is expected here, not {}", self.node.kind_name()),
        );
    }

    /// A text that is not empty.
    pub(crate) fn text(&self, lints: &mut Lints) -> Option<String> {
        match &self.node.kind {
            NodeKind::Text(text) if text.trim().is_empty() => {
                self.lint(lints, lint::BAD_VALUE, "it must not be empty");
                None
            }
            NodeKind::Text(text) => Some(text.clone()),
            NodeKind::Number(_) | NodeKind::Bool(_) => {
                self.wrong_type(lints, "a text (put it in quotes)");
                None
            }
            _ => {
                self.wrong_type(lints, "a text");
                None
            }
        }
    }

    /// The text of a template: numbers and booleans count as what is written.
    pub(crate) fn scalar(&self, lints: &mut Lints) -> Option<String> {
        match &self.node.kind {
            NodeKind::Text(text) | NodeKind::Number(text) => Some(text.clone()),
            NodeKind::Bool(value) => Some(value.to_string()),
            _ => {
                self.wrong_type(lints, "a text");
                None
            }
        }
    }

    pub(crate) fn boolean(&self, lints: &mut Lints) -> Option<bool> {
        if let NodeKind::Bool(value) = self.node.kind {
            return Some(value);
        }
        self.wrong_type(lints, "true or false");
        None
    }

    /// A whole number within a range.
    pub(crate) fn integer(&self, range: std::ops::RangeInclusive<u64>, lints: &mut Lints) -> Option<u64> {
        let NodeKind::Number(text) = &self.node.kind else {
            self.wrong_type(lints, "a whole number");
            return None;
        };
        let value = text.parse().ok().filter(|value| range.contains(value));
        if value.is_none() {
            self.lint(
                lints,
                lint::BAD_VALUE,
                format!("a whole number from {} to {} is expected", range.start(), range.end()),
            );
        }
        value
    }

    /// One of a set of words.
    pub(crate) fn one_of<T: Copy>(&self, words: &[(&'static str, T)], lints: &mut Lints) -> Option<T> {
        let text = self.text(lints)?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        self.lint(
            lints,
            lint::BAD_VALUE,
            format!(
                "`{text}` is none of {}{}",
                all.join(", "),
                lint::hint(&text, all.iter().copied())
            ),
        );
        None
    }

    pub(crate) fn list(&self, lints: &mut Lints) -> Vec<Spot<'n>> {
        let NodeKind::List(items) = &self.node.kind else {
            self.wrong_type(lints, "a list");
            return Vec::new();
        };
        items
            .iter()
            .enumerate()
            .map(|(index, node)| Spot {
                node,
                path: format!("{}[{index}]", self.path),
                at: node.at,
            })
            .collect()
    }

    pub(crate) fn texts(&self, lints: &mut Lints) -> Vec<String> {
        self.list(lints).iter().filter_map(|item| item.text(lints)).collect()
    }

    /// The elements of a list, or the one value that stands in its place.
    pub(crate) fn one_or_more(&self, lints: &mut Lints) -> Vec<Spot<'n>> {
        match &self.node.kind {
            NodeKind::List(_) => self.list(lints),
            _ => vec![self.clone()],
        }
    }

    /// A mapping whose keys are the manifest's own names.
    pub(crate) fn entries(&self, lints: &mut Lints) -> Vec<(&'n str, Spot<'n>)> {
        let NodeKind::Map(entries) = &self.node.kind else {
            self.wrong_type(lints, "a mapping");
            return Vec::new();
        };
        entries
            .iter()
            .map(|entry| (entry.key.as_str(), child(&self.path, entry)))
            .collect()
    }

    /// A mapping whose keys are words of the language.
    pub(crate) fn fields(&self, lints: &mut Lints) -> Option<Fields<'n>> {
        let NodeKind::Map(entries) = &self.node.kind else {
            self.wrong_type(lints, "a mapping");
            return None;
        };
        Some(Fields {
            entries,
            path: self.path.clone(),
            at: self.node.at,
            known: Vec::new(),
        })
    }
}

fn child<'n>(path: &str, entry: &'n Entry) -> Spot<'n> {
    let path = if path.is_empty() {
        entry.key.clone()
    } else {
        format!("{path}.{}", entry.key)
    };
    Spot {
        node: &entry.value,
        path,
        at: entry.at,
    }
}

/// A mapping being read: every field asked for is known, the rest is an error at [`Fields::close`].
pub(crate) struct Fields<'n> {
    entries: &'n [Entry],
    pub(crate) path: String,
    pub(crate) at: Position,
    known: Vec<&'static str>,
}

impl<'n> Fields<'n> {
    /// A field, unless it is missing or null.
    pub(crate) fn get(&mut self, key: &'static str) -> Option<Spot<'n>> {
        self.get_or_null(key)
            .filter(|spot| !matches!(spot.node.kind, NodeKind::Null))
    }

    /// A field for which null means something.
    pub(crate) fn get_or_null(&mut self, key: &'static str) -> Option<Spot<'n>> {
        self.known.push(key);
        self.entries
            .iter()
            .find(|entry| entry.key == key)
            .map(|entry| child(&self.path, entry))
    }

    pub(crate) fn need(&mut self, key: &'static str, lints: &mut Lints) -> Option<Spot<'n>> {
        let spot = self.get(key);
        if spot.is_none() {
            self.lint(lints, lint::MISSING_FIELD, format!("the field `{key}` is missing"));
        }
        spot
    }

    pub(crate) fn text(&mut self, key: &'static str, lints: &mut Lints) -> Option<String> {
        self.get(key).and_then(|spot| spot.text(lints))
    }

    pub(crate) fn need_text(&mut self, key: &'static str, lints: &mut Lints) -> Option<String> {
        self.need(key, lints).and_then(|spot| spot.text(lints))
    }

    pub(crate) fn boolean(&mut self, key: &'static str, lints: &mut Lints) -> Option<bool> {
        self.get(key).and_then(|spot| spot.boolean(lints))
    }

    pub(crate) fn texts(&mut self, key: &'static str, lints: &mut Lints) -> Vec<String> {
        self.get(key).map(|spot| spot.texts(lints)).unwrap_or_default()
    }

    pub(crate) fn list(&mut self, key: &'static str, lints: &mut Lints) -> Vec<Spot<'n>> {
        self.get(key).map(|spot| spot.list(lints)).unwrap_or_default()
    }

    pub(crate) fn lint(&self, lints: &mut Lints, rule: &'static str, message: impl Into<String>) {
        lints.add(rule, self.at, &self.path, message);
    }

    /// Reports what nobody asked for. `later` are words that a coming version of the language has.
    pub(crate) fn close(self, later: &[&str], lints: &mut Lints) {
        for entry in self.entries {
            let key = entry.key.as_str();
            if self.known.contains(&key) {
                continue;
            }
            if lints.is_full() {
                return;
            }
            let path = child(&self.path, entry).path;
            if later.contains(&key) {
                lints.add(
                    lint::NOT_YET,
                    entry.at,
                    &path,
                    format!("`{key}` is not yet part of the language; leave it out"),
                );
            } else {
                let hint = lint::hint(key, self.known.iter().copied());
                lints.add(
                    lint::UNKNOWN_FIELD,
                    entry.at,
                    &path,
                    format!("there is no field `{key}` here{hint}"),
                );
            }
        }
    }
}
