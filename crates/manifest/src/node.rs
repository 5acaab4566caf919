//! The tree of a manifest with its places, and the small readers that typed readers are made of. They complain of
//! nothing: what stands where is the grammar's to judge, and what it refuses is read as if it were not there.

use crate::{
    json::Tree,
    lint::{Lints, Position},
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
    /// A tree without places of its own: everything stands where `at` says.
    pub(crate) fn from_tree(tree: &Tree, at: Position) -> Self {
        let kind = match tree {
            Tree::Null => NodeKind::Null,
            Tree::Bool(value) => NodeKind::Bool(*value),
            Tree::Number(text) => NodeKind::Number(text.to_string()),
            Tree::String(text) => NodeKind::Text(text.clone()),
            Tree::Array(items) => NodeKind::List(items.iter().map(|item| Self::from_tree(item, at)).collect()),
            Tree::Object(entries) => {
                let entry = |(key, value): &(String, Tree)| Entry {
                    key: key.clone(),
                    at,
                    value: Self::from_tree(value, at),
                };
                NodeKind::Map(entries.iter().map(entry).collect())
            }
        };
        Self { kind, at }
    }

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

    pub(crate) fn kind_name(&self) -> &'static str {
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

    pub(crate) fn is_null(&self) -> bool {
        matches!(self.node.kind, NodeKind::Null)
    }

    /// A text that is not blank.
    pub(crate) fn text(&self) -> Option<String> {
        match &self.node.kind {
            NodeKind::Text(text) if !text.trim().is_empty() => Some(text.clone()),
            _ => None,
        }
    }

    /// The text of a template: numbers and booleans count as what is written.
    pub(crate) fn scalar(&self) -> Option<String> {
        match &self.node.kind {
            NodeKind::Text(text) | NodeKind::Number(text) => Some(text.clone()),
            NodeKind::Bool(value) => Some(value.to_string()),
            _ => None,
        }
    }

    pub(crate) fn boolean(&self) -> Option<bool> {
        match self.node.kind {
            NodeKind::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// A whole number.
    pub(crate) fn integer(&self) -> Option<u64> {
        match &self.node.kind {
            NodeKind::Number(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// One of a set of words.
    pub(crate) fn one_of<T: Copy>(&self, words: &[(&'static str, T)]) -> Option<T> {
        let text = self.text()?;
        words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value)
    }

    pub(crate) fn list(&self) -> Vec<Spot<'n>> {
        let NodeKind::List(items) = &self.node.kind else {
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

    pub(crate) fn texts(&self) -> Vec<String> {
        self.list().iter().filter_map(Spot::text).collect()
    }

    /// The elements of a list, or the one value that stands in its place.
    pub(crate) fn one_or_more(&self) -> Vec<Spot<'n>> {
        match &self.node.kind {
            NodeKind::List(_) => self.list(),
            _ => vec![self.clone()],
        }
    }

    /// A mapping whose keys are the manifest's own names.
    pub(crate) fn entries(&self) -> Vec<(&'n str, Spot<'n>)> {
        let NodeKind::Map(entries) = &self.node.kind else {
            return Vec::new();
        };
        entries
            .iter()
            .map(|entry| (entry.key.as_str(), child(&self.path, entry)))
            .collect()
    }

    /// A mapping whose keys are words of the language.
    pub(crate) fn fields(&self) -> Option<Fields<'n>> {
        let NodeKind::Map(entries) = &self.node.kind else {
            return None;
        };
        Some(Fields {
            entries,
            path: self.path.clone(),
            at: self.node.at,
        })
    }
}

pub(crate) fn child<'n>(path: &str, entry: &'n Entry) -> Spot<'n> {
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

/// A mapping being read.
pub(crate) struct Fields<'n> {
    entries: &'n [Entry],
    pub(crate) path: String,
    pub(crate) at: Position,
}

impl<'n> Fields<'n> {
    /// A field, unless it is missing or null.
    pub(crate) fn get(&self, key: &str) -> Option<Spot<'n>> {
        self.get_or_null(key)
            .filter(|spot| !matches!(spot.node.kind, NodeKind::Null))
    }

    /// A field for which null means something.
    pub(crate) fn get_or_null(&self, key: &str) -> Option<Spot<'n>> {
        self.entries
            .iter()
            .find(|entry| entry.key == key)
            .map(|entry| child(&self.path, entry))
    }

    pub(crate) fn text(&self, key: &str) -> Option<String> {
        self.get(key).and_then(|spot| spot.text())
    }

    pub(crate) fn boolean(&self, key: &str) -> Option<bool> {
        self.get(key).and_then(|spot| spot.boolean())
    }

    pub(crate) fn texts(&self, key: &str) -> Vec<String> {
        self.get(key).map(|spot| spot.texts()).unwrap_or_default()
    }

    pub(crate) fn list(&self, key: &str) -> Vec<Spot<'n>> {
        self.get(key).map(|spot| spot.list()).unwrap_or_default()
    }

    pub(crate) fn lint(&self, lints: &mut Lints, rule: &'static str, message: impl Into<String>) {
        lints.add(rule, self.at, &self.path, message);
    }
}
