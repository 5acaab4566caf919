//! The routes and their description, as files that a review sees change. `UPDATE=1` writes them anew.

use std::{fs, path::Path};

use tieline_server::{openapi, router};

#[expect(
    clippy::disallowed_methods,
    reason = "the one switch of the tests: write the frozen files anew"
)]
fn compare(name: &str, now: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, now).unwrap();
    }
    let frozen = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        frozen == now,
        "{name} is not what the code says; look at the difference after `UPDATE=1 cargo test -p tieline-server`"
    );
}

#[test]
fn the_routes() {
    let lines = router::routes()
        .iter()
        .map(|route| {
            let keys = if route.is_keys_only() { ", keys only" } else { "" };
            format!("{:6} {} {}{keys}\n", route.method(), route.path(), route.access())
        })
        .collect::<String>();
    compare("routes.txt", &lines);
}

#[test]
fn the_description() {
    let document = openapi::document(&router::routes());
    compare("openapi.json", &format!("{document:#}\n"));
}

#[test]
fn every_reference_in_the_description_leads_somewhere() {
    let document = openapi::document(&router::routes());
    let text = document.to_string();
    let mut checked = 0;
    for part in text.split(r##""$ref":"#"##).skip(1) {
        let pointer = part.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer} leads nowhere");
        checked += 1;
    }
    assert!(
        checked > 20,
        "only {checked} references were found: the search is broken"
    );
}

#[test]
fn every_route_says_what_it_is_and_has_a_name_of_its_own() {
    let document = openapi::document(&router::routes());
    let mut names = std::collections::BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            assert!(operation["summary"].as_str().unwrap().ends_with('.'), "{method} {path}");
            assert!(
                names.insert(operation["operationId"].to_string()),
                "{method} {path} has the name of another route"
            );
        }
    }
}
