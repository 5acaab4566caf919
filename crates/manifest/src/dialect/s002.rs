//! Connector modules: small manifests of identity, sign-in, capabilities and setup steps, and a registry of them.

mod collate;
mod grammar;
mod rewrite;

use crate::{
    grammar as language,
    json::Tree,
    lint::{self, Lint, Lints},
    manifest::{Manifest, Use},
    node::Spot,
    parse,
};

/// A connector module that follows its schema.
#[derive(Debug, Clone)]
pub struct Definition {
    id: String,
    tree: Tree,
    manifest: Manifest,
}

impl Definition {
    /// Reads a definition (YAML or JSON) and reports every problem found, in the order of the text. Unlike the schema it
    /// comes from, which drops them, unknown fields are errors.
    pub fn parse(text: &str) -> Result<Self, Vec<Lint>> {
        let node = parse::parse(text).map_err(|lint| vec![lint])?;
        let mut lints = Lints::default();
        let root = Spot::root(&node);
        language::check(&root, language::Value::Object(&grammar::DEFINITION), &mut lints);
        if let Some(spot) = endpoints_of_nothing(&root) {
            let message = "one of `dev` and `prod` is missing: without addresses leave `endpoints` out";
            spot.lint(&mut lints, lint::MISSING_FIELD, message);
        }
        if !lints.is_empty() {
            return Err(lints.into_sorted());
        }
        let manifest = Manifest::from_node(&rewrite::canonical(&root), Use::Shipped)?;
        Ok(Self {
            id: manifest.id.clone().unwrap_or_default(),
            tree: node.to_tree(),
            manifest,
        })
    }

    /// Its identifier.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The definition as it was written.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The connector that it declares.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }
}

fn endpoints_of_nothing<'n>(root: &Spot<'n>) -> Option<Spot<'n>> {
    let spot = root.fields()?.get("auth")?.fields()?.get("endpoints")?;
    let fields = spot.fields()?;
    (fields.get("dev").is_none() && fields.get("prod").is_none()).then_some(spot)
}

/// The JSON Schema (2020-12) of a definition.
pub fn schema() -> serde_json::Value {
    language::schema::write("A connector module", &grammar::DEFINITION)
}

/// Definitions by id and in the order of their names.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    definitions: Vec<Definition>,
}

/// Two definitions have one id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Duplicate connector id: {0}")]
pub struct DuplicateId(pub String);

impl Registry {
    /// Sorts definitions by name, as people of any language read it: letters before their case and accents.
    pub fn new(definitions: impl IntoIterator<Item = Definition>) -> Result<Self, DuplicateId> {
        let mut all: Vec<Definition> = Vec::new();
        for definition in definitions {
            if all.iter().any(|other| other.id == definition.id) {
                return Err(DuplicateId(definition.id));
            }
            all.push(definition);
        }
        all.sort_by(|a, b| collate::compare(&a.manifest.name, &b.manifest.name));
        Ok(Self { definitions: all })
    }

    /// All definitions by name.
    pub fn list(&self) -> &[Definition] {
        &self.definitions
    }

    /// A definition by its id.
    pub fn get(&self, id: &str) -> Option<&Definition> {
        self.definitions.iter().find(|definition| definition.id == id)
    }
}
