//! `connectors`: the catalog, and one connector of it.

use tieline::{Code, Error};
use tieline_manifest::{Json, Tree};

use super::{
    api::{Api, segment},
    describe,
    output::{Failure, Output, table},
};
use crate::config::Config;

pub(super) async fn list(config: &Config, output: Output) -> Result<(), Failure> {
    let answer = Api::look(config, output).await?.get("/catalog").await?;
    output.result(&answer, || {
        let rows = items(answer.get("data")).iter().map(|connector| {
            let actions = items(connector.get("actions")).len();
            [
                text(connector, "id"),
                text(connector, "name"),
                actions.to_string(),
                text(connector, "summary"),
            ]
        });
        table(["ID", "NAME", "ACTIONS", "SUMMARY"], rows)
    });
    Ok(())
}

pub(super) async fn show(config: &Config, id: &str, output: Output) -> Result<(), Failure> {
    let connector = descriptor(&Api::look(config, output).await?, id).await?;
    output.result(&connector, || describe::connector(connector.tree()));
    Ok(())
}

/// A connector's descriptor.
pub(super) async fn descriptor(api: &Api, id: &str) -> Result<Json, Failure> {
    if id.is_empty() {
        let detail = "Name a connector; `tieline connectors` lists them.";
        return Err(Error::new(Code::ConnectorNotFound, detail).into());
    }
    api.get(&format!("/catalog/{}", segment(id))).await
}

/// One action of a connector's descriptor.
pub(super) fn action<'c>(connector: &'c Json, id: &str) -> Result<&'c Tree, Failure> {
    let actions = items(connector.get("actions"));
    actions.iter().find(|action| text(action, "id") == id).ok_or_else(|| {
        let known: Vec<String> = actions.iter().map(|action| text(action, "id")).collect();
        let connector = text(connector.tree(), "id");
        let detail = format!("`{connector}` has no action `{id}`. It has: {}.", known.join(", "));
        Error::new(Code::ConnectorActionNotFound, detail).into()
    })
}

/// The text of an entry, or nothing.
pub(super) fn text(tree: &Tree, name: &str) -> String {
    tree.get(name).and_then(Tree::as_str).unwrap_or_default().to_owned()
}

/// Whether an entry is true.
pub(super) fn is(tree: &Tree, name: &str) -> bool {
    tree.get(name).and_then(Tree::as_bool) == Some(true)
}

/// The items of a list, or none.
pub(super) fn items(list: Option<&Tree>) -> &[Tree] {
    list.and_then(Tree::as_array).unwrap_or_default()
}
