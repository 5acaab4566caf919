//! `catalog.dir`: a folder with everything that can be wrong in it. Each mistake is told with its file and, where it has
//! one, its line; what is right is loaded all the same.

use std::{fs, os::unix::fs::symlink};

use crate::{
    binary::Folder,
    support::{Ask, ask},
};

fn connector(id: &str) -> String {
    format!(
        "id: {id}\nname: One\nbaseUrl: https://one.example\nauth:\n  - {{ type: none }}\nendpoints:\n  - {{ id: look, name: Look, method: GET, path: /look }}\n"
    )
}

/// Wrong files with what is said of them.
const WRONG: [(&str, &str); 11] = [
    ("broken.yaml", "broken.yaml:3:"),
    ("directory.yaml", "directory.yaml: it is no file"),
    ("empty.json", "empty.json:1:1"),
    ("field.yaml", "field.yaml:7:"),
    ("huge.yaml", "huge.yaml: it is larger than 1048576 bytes"),
    ("latin.yaml", "latin.yaml: line 2 is not UTF-8 text"),
    ("nowhere.yaml", "nowhere.yaml: "),
    ("nul.yaml", "nul.yaml:2:"),
    (
        "second.yaml",
        "second.yaml: left out: there is a connector `first` already (shelf/first.yaml)",
    ),
    ("shipped.yml", "already (we ship one); give this one another id"),
    ("method.yaml", "method.yaml:5:"),
];

/// A connector that every server has.
fn shipped() -> String {
    tieline_catalog::connectors()[0].id().to_owned()
}

fn shelf() -> Folder {
    let folder = Folder::new();
    let write = |name: &str, text: &str| folder.write(&format!("shelf/{name}"), text);
    write("first.yaml", &connector("first"));
    write("second.yaml", &connector("first"));
    write(
        "last.JSON",
        r#"{"id":"last","name":"L","baseUrl":"https://l.example","auth":[{"type":"none"}],"endpoints":[]}"#,
    );
    write("broken.yaml", "id: broken\nname: [\n  }: {\n");
    write("empty.json", "");
    write("field.yaml", &connector("field").replace("method: GET", "metod: GET"));
    write(
        "huge.yaml",
        &format!("{}#{}\n", connector("huge"), "x".repeat(1024 * 1024)),
    );
    write("nul.yaml", &connector("nul").replace("name: One", "name: O\0ne"));
    write("method.yaml", &connector("method").replace("type: none", "type: fly"));
    write("shipped.yml", &connector(shipped().as_str()));
    write(".hidden.yaml", "no manifest");
    write("notes.txt", "no manifest");
    fs::write(folder.path("shelf/latin.yaml"), b"id: latin\nname: Gr\xfc\xdfe\n").unwrap();
    fs::create_dir(folder.path("shelf/directory.yaml")).unwrap();
    symlink("absent", folder.path("shelf/nowhere.yaml")).unwrap();
    // A link is followed: that is how folders are mounted into containers.
    folder.write("elsewhere/linked.yaml", &connector("linked"));
    symlink("../elsewhere/linked.yaml", folder.path("shelf/linked.yaml")).unwrap();
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_told_by_file_and_line_and_stops_nothing_else() {
    let folder = shelf();
    let variables = [("TIELINE__CATALOG__DIR", "shelf")];
    let check = folder.run_with(&["check"], &variables, None);
    assert_ne!(check.code, 0);
    let server = folder.serve(&variables);
    let key = folder.read("data/bootstrap-key");
    let listed = ask(server.address, Ask::get("/api/v1/catalog").key(key.trim())).await;
    let (code, log) = server.stop();
    assert_eq!(code, 0, "{log}");
    for (file, said) in WRONG {
        for (place, text) in [("check", &check.stderr), ("serve", &log)] {
            assert!(text.contains(said), "{place} does not say `{said}` of {file}:\n{text}");
        }
    }
    for quiet in ["hidden", "notes.txt", "linked.yaml", "last.JSON"] {
        assert!(!check.stderr.contains(quiet), "{quiet} in {}", check.stderr);
    }
    let ids: Vec<&str> = listed.json["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["id"].as_str().unwrap())
        .collect();
    for id in ["first", "last", "linked", shipped().as_str()] {
        assert!(ids.contains(&id), "{id} is not among {ids:?}");
    }
    for id in ["broken", "field", "huge", "nul", "method", "latin"] {
        assert!(!ids.contains(&id), "{id} is among {ids:?}");
    }
}
