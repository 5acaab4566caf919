//! The words that differ, in both directions. Everything else is the same in both languages.

use crate::{
    manifest::is_connector_id,
    node::{Entry, Node, NodeKind, Spot},
};

/// Which way words are changed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    In,
    Out,
}

/// One way of changing words.
#[derive(Clone, Copy)]
pub(super) struct Words(Way);

/// From definitions to manifests.
pub(super) const IN: Words = Words(Way::In);
/// From manifests to definitions.
pub(super) const OUT: Words = Words(Way::Out);

const ACTIONS: &[(&str, &str)] = &[
    ("create_shard", "create_record"),
    ("update_shard", "update_record"),
    ("delete_shard", "delete_record"),
    ("trigger_sync", "run_sync"),
];
const TYPE: (&str, &str) = ("targetShardTypeId", "recordType");

impl Words {
    pub(super) fn endpoint(self, node: &Node) -> Node {
        self.object(node, |key, value| match key {
            "responseMapping" => self.mapping(value),
            "pagination" => self.pagination(value),
            "queryParams" | "pathParams" => self.list(value, |param| self.object(param, |_, value| value.clone())),
            "testConfig" => self.test_config(value),
            _ => value.clone(),
        })
    }

    pub(super) fn mapping(self, node: &Node) -> Node {
        self.object(node, |key, value| match key {
            "dataPath" | "errorPath" => self.path(value),
            "metadataMapping" => self.object(value, |_, value| self.path(value)),
            "fieldMappings" => self.field_mappings(value),
            _ => value.clone(),
        })
    }

    fn field_mappings(self, node: &Node) -> Node {
        self.list(node, |item| {
            self.object(item, |key, value| match key {
                "source" => self.path(value),
                "transform" => self.transform(value),
                _ => value.clone(),
            })
        })
    }

    fn transform(self, node: &Node) -> Node {
        self.object(node, |key, value| match key {
            "config" => self.object(value, |key, value| match key {
                "fields" => self.list(value, |path| self.path(path)),
                _ => value.clone(),
            }),
            _ => value.clone(),
        })
    }

    fn pagination(self, node: &Node) -> Node {
        self.object(node, |key, value| match key {
            "cursorPath" => self.path(value),
            "nextLinkPath" if !is_text(value, |text| text.starts_with("header:")) => self.path(value),
            "endCondition" => self.object(value, |key, value| match key {
                "field" => self.path(value),
                _ => value.clone(),
            }),
            _ => value.clone(),
        })
    }

    fn test_config(self, node: &Node) -> Node {
        self.object(node, |key, value| match key {
            "expectations" => self.object(value, |key, value| match key {
                "jsonPath" => self.list(value, |item| {
                    self.object(item, |key, value| match key {
                        "path" => self.path(value),
                        _ => value.clone(),
                    })
                }),
                _ => value.clone(),
            }),
            _ => value.clone(),
        })
    }

    /// What the system makes of a webhook, its address and its secret, is no part of a manifest.
    pub(super) fn webhook(self, node: &Node) -> Node {
        let mut out = self.object(node, |key, value| match key {
            "eventRouting" => self.list(value, |item| self.route(item)),
            _ => value.clone(),
        });
        if let NodeKind::Map(entries) = &mut out.kind {
            entries.retain(|entry| !matches!(entry.key.as_str(), "webhookUrl" | "webhookSecret"));
            entries
                .retain(|entry| entry.key != "responseBody" || !is_text(&entry.value, |text| text.trim().is_empty()));
        }
        out
    }

    fn route(self, node: &Node) -> Node {
        self.object(node, |key, value| match key {
            "eventTypePath" | "dataPath" | "identifierPath" => self.path(value),
            "fieldMappings" => self.field_mappings(value),
            "action" => self.word(value, ACTIONS),
            _ => value.clone(),
        })
    }

    /// The same object with other values, under the names of the other language. A blank description is left out.
    fn object(self, node: &Node, value: impl Fn(&str, &Node) -> Node) -> Node {
        let NodeKind::Map(entries) = &node.kind else {
            return node.clone();
        };
        let is_said = |entry: &&Entry| {
            self.0 == Way::Out || entry.key != "description" || !is_text(&entry.value, |text| text.trim().is_empty())
        };
        let entry = |entry: &Entry| Entry {
            key: self.renamed(&entry.key, &[TYPE]).to_owned(),
            at: entry.at,
            value: value(&entry.key, &entry.value),
        };
        Node {
            kind: NodeKind::Map(entries.iter().filter(is_said).map(entry).collect()),
            at: node.at,
        }
    }

    fn list(self, node: &Node, item: impl Fn(&Node) -> Node) -> Node {
        match &node.kind {
            NodeKind::List(items) => Node {
                kind: NodeKind::List(items.iter().map(item).collect()),
                at: node.at,
            },
            _ => node.clone(),
        }
    }

    fn word(self, node: &Node, words: &[(&'static str, &'static str)]) -> Node {
        match &node.kind {
            NodeKind::Text(text) => Node {
                kind: NodeKind::Text(self.renamed(text, words).to_owned()),
                at: node.at,
            },
            _ => node.clone(),
        }
    }

    fn renamed<'w>(self, word: &'w str, words: &[(&'static str, &'static str)]) -> &'w str {
        let found = words.iter().find_map(|(theirs, ours)| match self.0 {
            Way::In => (*theirs == word).then_some(*ours),
            Way::Out => (*ours == word).then_some(*theirs),
        });
        found.unwrap_or(word)
    }

    /// `data.items` is meant as `$.data.items`.
    fn path(self, node: &Node) -> Node {
        match &node.kind {
            NodeKind::Text(text) if self.0 == Way::In && !text.trim_start().starts_with('$') => Node {
                kind: NodeKind::Text(format!("$.{text}")),
                at: node.at,
            },
            _ => node.clone(),
        }
    }
}

fn is_text(node: &Node, holds: impl Fn(&str) -> bool) -> bool {
    matches!(&node.kind, NodeKind::Text(text) if holds(text))
}

/// Whether a text that may be left out is more than blanks.
pub(super) fn says_something(spot: &Spot<'_>) -> bool {
    !is_text(spot.node, |text| text.trim().is_empty())
}

/// A technical name as a connector's id, if it can be one.
pub(super) fn slug(name: &str) -> Option<String> {
    let letter = |letter: char| {
        let plain = letter.to_ascii_lowercase();
        if plain.is_ascii_alphanumeric() || plain == '_' {
            plain
        } else {
            '-'
        }
    };
    let slug: String = name.trim().chars().map(letter).collect();
    Some(slug).filter(|slug| is_connector_id(slug) && slug != "custom")
}
