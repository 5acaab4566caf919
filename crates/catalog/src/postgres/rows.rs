//! Rows as the output tells them.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tieline::Json;
use tieline_manifest::Tree;

use super::limits::{MAX_NODES, MAX_ROWS, ROWS};

/// What a statement answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rows {
    /// The rows: objects of values by column. A column that has the name of one before it gets `_2`, `_3` and so on.
    #[schemars(with = "Vec<BTreeMap<String, serde_json::Value>>")]
    pub rows: Json,
    /// How many rows were written, or, of a statement that only reads, how many are in `rows`.
    pub row_count: u64,
    /// The columns, in their order.
    pub columns: Vec<Column>,
    /// Whether there are more rows than these.
    pub truncated: bool,
}

/// A column of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct Column {
    /// Its name in the rows.
    pub name: String,
    /// Its type, as PostgreSQL calls it.
    pub r#type: String,
}

/// How many rows are wanted.
pub(super) fn at_most(asked: Option<u32>) -> usize {
    let rows = asked.unwrap_or(ROWS).clamp(1, MAX_ROWS);
    usize::try_from(rows).unwrap_or(usize::MAX)
}

/// Rows that have come so far.
pub(super) struct Gathered {
    pub(super) names: Vec<String>,
    pub(super) rows: Vec<Tree>,
    pub(super) truncated: bool,
    wanted: usize,
    nodes: usize,
}

impl Gathered {
    pub(super) fn new<'n>(columns: impl Iterator<Item = &'n str>, wanted: usize) -> Self {
        Self {
            names: told_apart(columns),
            rows: Vec::new(),
            truncated: false,
            wanted,
            nodes: 0,
        }
    }

    /// Whether another row has room.
    pub(super) fn wants_more(&self) -> bool {
        self.rows.len() < self.wanted && self.nodes < MAX_NODES
    }

    pub(super) fn add(&mut self, values: Vec<Tree>) {
        let nodes = 1 + values.iter().map(|value| 1 + nodes(value)).sum::<usize>();
        if self.nodes + nodes > MAX_NODES && !self.rows.is_empty() {
            // No later row shall stand where this one is missing.
            (self.nodes, self.truncated) = (MAX_NODES, true);
            return;
        }
        self.nodes += nodes;
        let row = self.names.iter().cloned().zip(values);
        self.rows.push(Tree::Object(row.collect()));
    }

    /// The output; `changed` is what a statement that may write says it changed.
    pub(super) fn into_rows(self, columns: Vec<Column>, changed: Option<u64>) -> Rows {
        let answered = self.rows.len() as u64;
        Rows {
            rows: Json::from_tree(Tree::Array(self.rows)),
            row_count: changed.unwrap_or(answered),
            columns,
            truncated: self.truncated,
        }
    }
}

/// Values and keys in it.
fn nodes(tree: &Tree) -> usize {
    match tree {
        Tree::Array(items) => 1 + items.iter().map(nodes).sum::<usize>(),
        Tree::Object(entries) => 1 + entries.iter().map(|(_, value)| 1 + nodes(value)).sum::<usize>(),
        _ => 1,
    }
}

/// The names, each once.
fn told_apart<'n>(columns: impl Iterator<Item = &'n str>) -> Vec<String> {
    let columns: Vec<&str> = columns.collect();
    let all: BTreeSet<&str> = columns.iter().copied().collect();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let mut taken = BTreeSet::new();
    let mut name = |column: &'n str| {
        let count = seen.entry(column).or_insert(0);
        loop {
            *count += 1;
            let name = match *count {
                1 => column.to_owned(),
                count => format!("{column}_{count}"),
            };
            let is_anothers = name != column && all.contains(name.as_str());
            if !is_anothers && taken.insert(name.clone()) {
                return name;
            }
        }
    };
    columns.iter().map(|column| name(column)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_of_one_name_are_told_apart() {
        let names = |columns: &[&str]| told_apart(columns.iter().copied()).join(" ");
        assert_eq!(names(&["a", "b"]), "a b");
        assert_eq!(names(&["a", "a", "a"]), "a a_2 a_3");
        assert_eq!(names(&["a", "a", "a_2"]), "a a_3 a_2");
    }

    #[test]
    fn l_rows_end_where_our_json_does() {
        let mut gathered = Gathered::new(["a"].into_iter(), usize::MAX);
        let long = Tree::Array(vec![Tree::Null; MAX_NODES / 2]);
        for _ in 0..3 {
            gathered.add(vec![long.clone()]);
        }
        assert!(!gathered.wants_more() && gathered.truncated);
        assert_eq!(gathered.rows.len(), 1);
    }
}
