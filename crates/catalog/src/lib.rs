//! The connectors Tieline ships: one folder each, found by the build script.
//!
//! A connector that is plain declared HTTP is its folder and nothing else. One that is not has a Rust file beside the
//! folder and a line in `IN_RUST`.

pub mod folders;
pub mod http;
pub mod postgres;
pub mod rest_api;
pub mod smtp;
mod web;

use tieline::{Connector, Result};

/// A connector's folder, as it was when this was built.
#[derive(Debug, Clone, Copy)]
pub struct Shipped {
    /// The connector's id.
    pub id: &'static str,
    /// Its manifest, YAML.
    pub manifest: &'static str,
    /// How a person connects it, Markdown.
    pub guide: &'static str,
    /// Its picture, SVG.
    pub icon: &'static str,
}

const SHIPPED: &[Shipped] = include!(concat!(env!("OUT_DIR"), "/shipped.rs"));

/// Makes a connector of its manifest and its actions in Rust.
type Build = fn(&str) -> Result<Connector>;

/// Those whose actions are Rust: the manifest says how to connect, the code does the work.
const IN_RUST: &[(&str, Build)] = &[
    ("http", http::connector),
    ("postgres", postgres::connector),
    ("rest-api", rest_api::connector),
    ("smtp", smtp::connector),
];

/// All folders, by id.
pub fn shipped() -> &'static [Shipped] {
    SHIPPED
}

/// All connectors, by id.
pub fn connectors() -> Vec<Connector> {
    let connectors = SHIPPED.iter().map(|folder| {
        let in_rust = IN_RUST.iter().find(|(id, _)| *id == folder.id);
        match in_rust {
            Some((_, build)) => build(folder.manifest),
            None => Connector::shipped(folder.manifest).and_then(|builder| builder.build()),
        }
    });
    connectors
        .collect::<Result<_>>()
        .expect("a test parses every shipped manifest")
}

/// The README, whose program is compiled with the doc tests.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct FrontPage;
