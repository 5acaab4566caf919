//! The walls between crates, the size of the library, and what may not be in the graph at all.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Finding;
use crate::project::{self, SourceFile};

/// What a room must never see.
struct Wall {
    package: &'static str,
    reason: &'static str,
    /// Not among its own dependencies.
    directly: &'static [&'static str],
    /// Nowhere below it.
    at_all: &'static [&'static str],
}

const WALLS: &[Wall] = &[
    Wall {
        package: "tieline-derive",
        reason: "a macro writes what a developer could have written; it knows no room",
        directly: &[],
        at_all: &["tieline", "tieline-manifest", "tokio"],
    },
    Wall {
        package: "tieline-manifest",
        reason: "what a connector says is decided without waiting, without the network, without a clock",
        directly: &[],
        at_all: &[
            "axum",
            "hyper",
            "hyper-util",
            "jiff",
            "reqwest",
            "rusqlite",
            "tieline",
            "tieline-catalog",
            "tieline-server",
            "tieline-store",
            "tokio",
            "tokio-postgres",
        ],
    },
    Wall {
        package: "tieline",
        reason: "the library works in any program: it brings no web server and no database",
        directly: &[],
        at_all: &[
            "axum",
            "rusqlite",
            "tieline-catalog",
            "tieline-server",
            "tieline-store",
            "tokio-postgres",
        ],
    },
    Wall {
        package: "tieline-catalog",
        reason: "a connector knows what it does, not who keeps or serves it",
        directly: &[],
        at_all: &["axum", "tieline-server", "tieline-store", "tieline-workflow"],
    },
    Wall {
        package: "tieline-store",
        reason: "a store remembers: it serves nobody, calls nobody and holds no key",
        directly: &["aws-lc-rs", "hyper", "hyper-util", "lettre", "reqwest"],
        at_all: &["axum", "tieline-catalog", "tieline-server"],
    },
    Wall {
        package: "tieline-server",
        reason: "the front door asks the store and the library; it writes no SQL and dials nobody",
        directly: &["lettre", "reqwest", "rusqlite", "tokio-postgres"],
        at_all: &[],
    },
];

/// Workspace members that are tools, not rooms. No room may stand on one.
const TOOLS: &[&str] = &["tieline-testkit", "xtask"];

/// Most crates an embedder takes in with the library, itself counted.
const MAX_LIBRARY_CRATES: usize = 199;

/// Crates that may not be in the graph: one TLS and crypto backend, and it is aws-lc.
const BANNED: &[&str] = &["native-tls", "openssl", "openssl-sys", "ring"];

/// A check whose input is cargo's view of the workspace.
pub(super) struct GraphCheck {
    pub(super) name: String,
    pub(super) reason: &'static str,
    pub(super) findings: Vec<Finding>,
}

/// Asks cargo and checks its answers.
pub(super) fn all(files: &[SourceFile]) -> Result<Vec<GraphCheck>, String> {
    let metadata = project::cargo(&["metadata", "--format-version", "1", "--no-deps"])?;
    let metadata: Value = serde_json::from_str(&metadata).map_err(|error| format!("cargo metadata: {error}"))?;
    let rooms = rooms(&metadata);
    let mut checks = vec![GraphCheck {
        name: "every room has its wall".to_owned(),
        reason: "a crate without a row in the table of walls is in nobody's way",
        findings: unwalled(&rooms),
    }];
    for room in &rooms {
        let Some(wall) = WALLS.iter().find(|wall| wall.package == room.package) else {
            continue;
        };
        checks.push(GraphCheck {
            name: format!("walls of {}", wall.package),
            reason: wall.reason,
            findings: breaches(wall, room, &tree(&["-p", wall.package, "-e", "normal,build"])?, files),
        });
    }
    let library = tree(&["-p", "tieline", "-e", "normal,build"])?;
    checks.push(GraphCheck {
        name: format!("library size ({} crates, {MAX_LIBRARY_CRATES} at most)", library.len()),
        reason: "whoever embeds the library takes in all of its crates",
        findings: too_many(&library),
    });
    checks.push(GraphCheck {
        name: "banned crates".to_owned(),
        reason: "one TLS and crypto backend",
        findings: banned(&tree(&["--workspace"])?),
    });
    Ok(checks)
}

/// A workspace member with its own dependencies.
struct Room {
    package: String,
    /// Its `Cargo.toml` from the root.
    manifest: String,
    /// Normal and build dependencies; what only tests use is no part of the house.
    dependencies: BTreeSet<String>,
}

fn rooms(metadata: &Value) -> Vec<Room> {
    let root = metadata["workspace_root"].as_str().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    packages
        .iter()
        .map(|package| Room {
            package: text(&package["name"]),
            manifest: text(&package["manifest_path"])
                .trim_start_matches(root)
                .trim_start_matches('/')
                .to_owned(),
            dependencies: package["dependencies"]
                .as_array()
                .into_iter()
                .flatten()
                .filter(|dependency| dependency["kind"] != "dev")
                .map(|dependency| text(&dependency["name"]))
                .collect(),
        })
        .collect()
}

fn unwalled(rooms: &[Room]) -> Vec<Finding> {
    rooms
        .iter()
        .filter(|room| !TOOLS.contains(&room.package.as_str()))
        .filter(|room| !WALLS.iter().any(|wall| wall.package == room.package))
        .map(|room| Finding::new(&room.manifest, 1, "add its row to xtask/src/tidy/walls.rs"))
        .collect()
}

/// What stands on the wrong side of a wall. `below` is everything under the room, `name version`.
fn breaches(wall: &Wall, room: &Room, below: &BTreeSet<String>, files: &[SourceFile]) -> Vec<Finding> {
    let manifest = files.iter().find(|file| file.path == room.manifest);
    let declared = |name: &str| {
        let mut lines = manifest.into_iter().flat_map(SourceFile::lines);
        lines
            .find(|(_, line)| line.split(['.', ' ', '=']).next() == Some(name))
            .map_or(1, |(number, _)| number)
    };
    let mut found = Vec::new();
    for name in wall.directly.iter().chain(wall.at_all).chain(TOOLS) {
        if room.dependencies.contains(*name) {
            found.push(Finding::new(
                &room.manifest,
                declared(name),
                format!("must not use {name}"),
            ));
        }
    }
    for package in below {
        let name = package.split(' ').next().unwrap_or_default();
        let is_walled = wall.at_all.contains(&name) || TOOLS.contains(&name);
        if is_walled && !room.dependencies.contains(name) {
            let what = format!("stands on {package}; see `cargo tree -p {} -i {name}`", room.package);
            found.push(Finding::new(&room.manifest, 1, what));
        }
    }
    found
}

fn too_many(library: &BTreeSet<String>) -> Vec<Finding> {
    let what = format!("{} crates; see `cargo tree -p tieline -e normal,build`", library.len());
    let over = library.len() > MAX_LIBRARY_CRATES;
    over.then(|| Finding::new("crates/core/Cargo.toml", 1, what))
        .into_iter()
        .collect()
}

fn banned(graph: &BTreeSet<String>) -> Vec<Finding> {
    graph
        .iter()
        .filter(|package| BANNED.contains(&package.split(' ').next().unwrap_or_default()))
        .map(|package| {
            Finding::new(
                "Cargo.lock",
                1,
                format!("{package} is in the graph; see `cargo tree -i`"),
            )
        })
        .collect()
}

/// What `cargo tree` shows for this machine, one `name version` each.
fn tree(args: &[&str]) -> Result<BTreeSet<String>, String> {
    let mut all = vec!["tree", "--prefix", "none", "--format", "{p}"];
    all.extend(args);
    Ok(packages(&project::cargo(&all)?))
}

/// `name v1.2.3 (where) (*)` without where and repetition.
fn packages(tree: &str) -> BTreeSet<String> {
    tree.lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            Some(format!("{} {}", words.next()?, words.next()?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{super::tests::file, *};

    const WALL: Wall = Wall {
        package: "room",
        reason: "",
        directly: &["hyper"],
        at_all: &["axum"],
    };

    fn room(dependencies: &[&str]) -> Room {
        Room {
            package: "room".to_owned(),
            manifest: "crates/room/Cargo.toml".to_owned(),
            dependencies: dependencies.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    fn below(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| format!("{name} v1.0.0")).collect()
    }

    #[test]
    fn a_breach_is_found_where_it_is_written() {
        let manifest = file(
            "crates/room/Cargo.toml",
            "[dependencies]\nserde = \"1\"\nhyper.workspace = true\n",
        );
        let found = breaches(
            &WALL,
            &room(&["serde", "hyper"]),
            &below(&["serde", "hyper"]),
            &[manifest],
        );
        assert_eq!(found, [Finding::new("crates/room/Cargo.toml", 3, "must not use hyper")]);
    }

    #[test]
    fn some_walls_stop_what_comes_through_others_too() {
        let indirect = below(&["serde", "hyper", "axum"]);
        let found = breaches(&WALL, &room(&["serde"]), &indirect, &[]);
        assert_eq!(found.len(), 1);
        assert!(found[0].what.contains("axum v1.0.0"));
    }

    #[test]
    fn no_room_stands_on_a_tool() {
        assert_eq!(breaches(&WALL, &room(&["tieline-testkit"]), &below(&[]), &[]).len(), 1);
        let through_another = below(&["other", "tieline-testkit"]);
        assert_eq!(breaches(&WALL, &room(&["other"]), &through_another, &[]).len(), 1);
    }

    #[test]
    fn dependencies_of_tests_are_not_the_rooms() {
        let metadata = serde_json::json!({
            "workspace_root": "/x",
            "packages": [{
                "name": "tieline-store",
                "manifest_path": "/x/crates/store/Cargo.toml",
                "dependencies": [
                    {"name": "rusqlite", "kind": null},
                    {"name": "cc", "kind": "build"},
                    {"name": "axum", "kind": "dev"},
                ],
            }],
        });
        let rooms = rooms(&metadata);
        assert_eq!(rooms[0].manifest, "crates/store/Cargo.toml");
        assert_eq!(rooms[0].dependencies.iter().collect::<Vec<_>>(), ["cc", "rusqlite"]);
        assert_eq!(unwalled(&rooms), []);
    }

    #[test]
    fn a_new_room_needs_a_wall() {
        assert_eq!(unwalled(&[room(&[])]).len(), 1);
    }

    #[test]
    fn every_package_of_a_tree_counts_once() {
        let tree = "tieline v0.1.0 (/x)\nserde v1.0.0\nserde v1.0.0 (*)\nserde v2.0.0\n\n";
        assert_eq!(packages(tree).len(), 3);
    }

    #[test]
    fn the_library_may_not_grow_without_end() {
        let names = |count: usize| (0..count).map(|n| format!("c{n} v1")).collect::<BTreeSet<_>>();
        assert_eq!(too_many(&names(MAX_LIBRARY_CRATES)), []);
        assert_eq!(too_many(&names(MAX_LIBRARY_CRATES + 1)).len(), 1);
    }

    #[test]
    fn a_second_crypto_backend_is_found() {
        assert_eq!(banned(&below(&["ring", "string", "aws-lc-rs"])).len(), 1);
    }
}
