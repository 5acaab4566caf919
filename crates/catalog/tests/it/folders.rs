//! Every folder is whole, says what its cases show, and is all that a data connector needs.

use std::{collections::BTreeSet, fs, path::Path};

use tieline::Connector;
use tieline_catalog::folders::{self, Folder};
use tieline_manifest::{
    Manifest, Use,
    case::{Case, TEST, TEST_THEN},
};
use tieline_testkit::snapshot;

fn shipped() -> Vec<Folder> {
    folders::scan(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap()
}

/// The case files of a folder hold: each renders its request and reads its answer. Answers the actions they show.
fn run_cases(folder: &Folder) -> BTreeSet<String> {
    let manifest = fs::read_to_string(folder.path.join(folders::MANIFEST)).unwrap();
    let manifest = Manifest::parse(&manifest, Use::Shipped).unwrap_or_else(|lints| panic!("{}: {lints:#?}", folder.id));
    let cases = folder.cases().unwrap();
    cases
        .iter()
        .map(|path| {
            let case = Case::parse(&fs::read_to_string(path).unwrap())
                .unwrap_or_else(|error| panic!("{}: {error:?}", path.display()));
            case.check(&manifest)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            case.action
        })
        .collect()
}

#[test]
fn every_folder_is_embedded_and_whole() {
    let folders = shipped();
    let ids: Vec<&str> = folders.iter().map(|folder| folder.id.as_str()).collect();
    let embedded: Vec<&str> = tieline_catalog::shipped().iter().map(|shipped| shipped.id).collect();
    assert_eq!(ids, embedded);
    let connectors = tieline_catalog::connectors();
    assert_eq!(ids, connectors.iter().map(Connector::id).collect::<Vec<_>>());
    for (folder, connector) in folders.iter().zip(&connectors) {
        assert_eq!(folder.missing(), [""; 0], "{}", folder.id);
        let manifest = connector.manifest();
        // What is not described can still be called through the proxy.
        let passes_on = manifest.no_proxy(manifest.auth.first()).is_none();
        let acts = !connector.descriptor().actions.is_empty();
        assert!(acts || passes_on, "{} does nothing", folder.id);
    }
}

#[test]
fn every_endpoint_has_a_case_that_holds() {
    for (folder, connector) in shipped().iter().zip(tieline_catalog::connectors()) {
        let (shown, manifest) = (run_cases(folder), connector.manifest());
        let mut told: BTreeSet<String> = manifest.endpoints.iter().map(|endpoint| endpoint.id.clone()).collect();
        for test in manifest.auth.iter().filter_map(|auth| manifest.test_of(Some(auth))) {
            told.insert(TEST.to_owned());
            told.extend(test.then().map(|_| TEST_THEN.to_owned()));
        }
        assert_eq!(told, shown, "{}: what it declares, and what its cases show", folder.id);
    }
}

/// What catalog, OpenAPI, forms and command line show, frozen in each connector's own folder.
#[test]
fn descriptors_are_as_frozen() {
    for (folder, connector) in shipped().iter().zip(tieline_catalog::connectors()) {
        let json = serde_json::to_string_pretty(connector.descriptor()).unwrap();
        snapshot::check(&folder.path.join("snapshot.json"), &format!("{json}\n"));
    }
}

/// Icons are shown by browsers: no script, nothing fetched, and a text for those who do not see them.
#[test]
fn icons_are_plain() {
    for shipped in tieline_catalog::shipped() {
        let icon = shipped.icon.to_lowercase();
        for foreign in [
            "<script",
            "href",
            "<image",
            "<style",
            "<foreignobject",
            "url(",
            "onload",
            "data:",
        ] {
            assert!(!icon.contains(foreign), "{}'s icon has {foreign}", shipped.id);
        }
        assert!(
            icon.contains("viewbox=\"0 0 24 24\"") && icon.contains("aria-label="),
            "{}",
            shipped.id
        );
    }
}

const DOOR: &str = "
id: door
name: Door
summary: Opens a door.
description: A door that opens.
category: custom
status: available
capabilities: [{ id: open, label: Open }]
baseUrl: https://door.example
auth: [{ type: bearer, label: Key, fields: [{ name: key, label: Key, secret: true, required: true }], token: '{{key}}' }]
endpoints:
  - { id: open, method: POST, path: '/doors/{door}', pathParams: [{ name: door, type: string }] }
";

const OPENS: &str = "
action: open
config: { key: k }
input: { door: a b }
request: { method: POST, url: 'https://door.example/doors/a%20b', headers: { authorization: 'Bearer {{config.key}}' } }
response: { status: 200, headers: {}, body: { open: true } }
output: { open: true }
";

/// Adding a data connector touches one new folder and nothing else. The build script writes what
/// [`folders::embed`] answers and does nothing else.
#[test]
fn a_new_folder_is_a_new_connector() {
    let dir = tempfile::TempDir::new().unwrap();
    let door = dir.path().join("door");
    fs::create_dir_all(door.join("cases")).unwrap();
    fs::create_dir(dir.path().join("no-connector")).unwrap();
    for (name, text) in [
        ("manifest.yaml", DOOR),
        ("guide.md", "# Door"),
        ("icon.svg", "<svg/>"),
        ("cases/open.yaml", OPENS),
    ] {
        fs::write(door.join(name), text).unwrap();
    }
    let found = folders::scan(dir.path()).unwrap();
    assert_eq!(
        found.iter().map(|folder| folder.id.as_str()).collect::<Vec<_>>(),
        ["door"]
    );
    assert_eq!(found[0].missing(), [""; 0]);
    assert_eq!(run_cases(&found[0]), BTreeSet::from(["open".to_owned()]));
    let connector = Connector::shipped(DOOR).unwrap().build().unwrap();
    assert_eq!(connector.descriptor().actions[0].id, "open");
    let frozen = door.join("snapshot.json");
    let json = serde_json::to_string_pretty(connector.descriptor()).unwrap();
    let unfrozen = std::panic::catch_unwind(|| snapshot::check(&frozen, &json));
    assert!(
        unfrozen.is_err() || frozen.is_file(),
        "a descriptor that nobody has read is not passed over"
    );
    fs::write(&frozen, &json).unwrap();
    snapshot::check(&frozen, &json);

    let (list, missing) = folders::embed(dir.path()).unwrap();
    let file = |name: &str| format!("include_str!({:?})", door.join(name));
    let shipped = format!(
        "&[\nShipped {{ id: \"door\", manifest: {}, guide: {}, icon: {} }},\n]\n",
        file("manifest.yaml"),
        file("guide.md"),
        file("icon.svg")
    );
    assert_eq!((list, missing), (shipped, Vec::new()));

    fs::remove_file(door.join("icon.svg")).unwrap();
    assert_eq!(folders::embed(dir.path()).unwrap().1, ["door has no icon.svg"]);
    assert_eq!(found[0].missing(), ["icon.svg"]);
}
