//! `user`: the people of the tenant `default`.

use clap::{Subcommand, ValueEnum};
use serde_json::json;
use tieline::membership::Role;
use tieline_manifest::{Json, Tree};

use super::{
    Configured,
    api::{Api, segment},
    connectors::{items, text},
    output::{Failure, Output, printable, table},
};

#[derive(Subcommand)]
pub(super) enum User {
    /// List the members, and those who are invited.
    List(Configured),
    /// Invite somebody: prints a one-time link, good for a week, to hand to them.
    Invite {
        /// Their e-mail address.
        email: String,
        /// As what they shall belong to the tenant.
        #[arg(long, value_enum, default_value = "viewer")]
        role: RoleName,
        #[command(flatten)]
        from: Configured,
    },
    /// Print a one-time link, good for a day, to set a new password with.
    Reset {
        /// Their e-mail address.
        email: String,
        #[command(flatten)]
        from: Configured,
    },
}

/// The roles, as the command line writes them.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum RoleName {
    /// Looks.
    Viewer,
    /// Changes and calls, but for people, keys and the tenant itself.
    Editor,
    /// Does everything in the tenant.
    Admin,
    /// Does everything in the tenant, and may delete it.
    Owner,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Viewer => Self::Viewer,
            RoleName::Editor => Self::Editor,
            RoleName::Admin => Self::Admin,
            RoleName::Owner => Self::Owner,
        }
    }
}

pub(super) async fn run(user: User, output: Output) -> Result<(), Failure> {
    match user {
        User::List(from) => list(&Api::look(&from.load()?, output).await?, output).await,
        User::Invite { email, role, from } => {
            let api = Api::open(&from.load()?, output).await?;
            let body = json!({ "email": email, "role": Role::from(role) });
            link(&api.post("/users", &Json::from(body)).await?, output);
            Ok(())
        }
        User::Reset { email, from } => {
            let api = Api::open(&from.load()?, output).await?;
            let body = json!({ "email": email });
            link(&api.post("/password-resets", &Json::from(body)).await?, output);
            Ok(())
        }
    }
}

async fn list(api: &Api, output: Output) -> Result<(), Failure> {
    let (mut rows, mut path) = (Vec::new(), "/users?limit=200".to_owned());
    loop {
        let page = api.get(&path).await?;
        rows.extend_from_slice(items(page.get("data")));
        match page.get("nextCursor").and_then(Tree::as_str) {
            Some(cursor) => path = format!("/users?limit=200&cursor={}", segment(cursor)),
            None => break,
        }
    }
    let answer = Json::from(Tree::Object(vec![("data".to_owned(), Tree::Array(rows))]));
    output.result(&answer, || {
        let rows = items(answer.get("data")).iter();
        let columns = ["id", "email", "name", "role", "status"];
        table(
            ["ID", "EMAIL", "NAME", "ROLE", "STATUS"],
            rows.map(|user| columns.map(|column| text(user, column))),
        )
    });
    Ok(())
}

fn link(made: &Json, output: Output) {
    output.result(made, || {
        let (link, until) = (text(made.tree(), "link"), text(made.tree(), "expiresAt"));
        printable(&format!("{link}\nIt is told this once, and good until {until}."))
    });
}
