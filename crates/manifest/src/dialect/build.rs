//! Putting together the nodes of a rewritten tree.

use crate::{
    json::Tree,
    lint::Position,
    node::{Entry, Node, NodeKind, Spot},
};

/// A mapping under construction. Everything that is not taken over from somewhere stands where the whole stands.
pub(super) struct Mapping {
    at: Position,
    entries: Vec<Entry>,
}

impl Mapping {
    pub(super) fn at(at: Position) -> Self {
        Self {
            at,
            entries: Vec::new(),
        }
    }

    /// Takes a node over under a new key; its place stays.
    pub(super) fn take(&mut self, key: &str, spot: Option<Spot<'_>>) {
        if let Some(spot) = spot {
            self.push(key, spot.at, spot.node.clone());
        }
    }

    /// Puts a node of our own.
    pub(super) fn put(&mut self, key: &str, node: Node) {
        self.push(key, node.at, node);
    }

    /// Puts a tree of our own.
    pub(super) fn tree(&mut self, key: &str, tree: &Tree) {
        self.put(key, Node::from_tree(tree, self.at));
    }

    pub(super) fn text(&mut self, key: &str, text: &str) {
        self.tree(key, &Tree::from(text));
    }

    fn push(&mut self, key: &str, at: Position, value: Node) {
        self.entries.push(Entry {
            key: key.to_owned(),
            at,
            value,
        });
    }

    pub(super) fn node(self) -> Node {
        Node {
            kind: NodeKind::Map(self.entries),
            at: self.at,
        }
    }
}

/// A list of nodes.
pub(super) fn list(at: Position, items: Vec<Node>) -> Node {
    Node {
        kind: NodeKind::List(items),
        at,
    }
}
