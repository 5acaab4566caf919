//! The data folder among processes.

use tieline::Code;
use tieline_store::DataFolder;

use crate::child::{Process, say, told};

#[test]
fn a_second_process_is_refused_until_the_first_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data");
    let mut first = Process::start("folder::holds_until_killed", &path);
    assert_eq!(first.hear().as_deref(), Some("locked"));

    let refused = DataFolder::lock(&path).unwrap_err();
    assert_eq!(refused.code(), Code::DataFolderLocked);
    assert!(refused.detail().contains(&*path.to_string_lossy()), "{refused}");
    assert!(refused.detail().contains("Stop that process"), "{refused}");

    first.kill();
    DataFolder::lock(&path).expect("a process that died holds nothing");
}

#[test]
#[ignore = "the other process of a test"]
fn holds_until_killed() {
    let Some(path) = told() else { return };
    let _folder = DataFolder::lock(path).unwrap();
    say("locked");
    // Stdin stays open as long as the test that started this one lives.
    told();
}
