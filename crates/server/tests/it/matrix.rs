//! K2: who may do what. Every kind of caller at every route of the table, against what the roles and keys are said to
//! hold; a new route is in the matrix by being in the table.

use std::sync::Arc;

use serde_json::json;
use tieline::clock::{SignedDuration, TestClock, Timestamp};
use tieline_server::{
    caller::{Access, Permission},
    route::Route,
    router,
};
use tieline_testkit::canary::Canary;

use crate::{
    permissions::path,
    session::{house, join},
    support::{Ask, TestApp},
};

static PASSWORD: Canary = Canary::new("a password in the matrix");

/// What a role may do, as the documentation says it: viewers read; editors also write and execute, but leave people, keys
/// and the tenant alone; admins and owners may do everything in their tenant, and nobody runs the deployment.
fn role_may(role: &str, permission: Permission) -> bool {
    let reads = permission.as_str().ends_with(":read");
    let of_admins = ["admin", "users", "keys", "tenants"];
    let noun = permission.as_str().split(':').next().unwrap_or_default();
    match role {
        _ if permission == Permission::Operator => false,
        "viewer" => reads,
        "editor" => reads || !of_admins.contains(&noun),
        "admin" | "owner" => true,
        other => panic!("{other} is no role"),
    }
}

/// What a key with these permissions may do.
fn key_may(held: &[Permission], permission: Permission) -> bool {
    held.contains(&permission) || (held.contains(&Permission::Admin) && permission != Permission::Operator)
}

/// How somebody proves who they are.
enum Proof {
    Nothing,
    Key(String),
    Session(String),
}

/// Somebody who asks.
struct Asker {
    name: String,
    proof: Proof,
    /// Whether they are somebody at all; and then, what they may.
    may: Option<Box<dyn Fn(Permission) -> bool>>,
}

/// What a caller reads at a route's door.
#[derive(Debug, PartialEq, Eq)]
enum Door {
    Open,
    Unknown,
    Denied,
}

impl Asker {
    fn key(name: impl Into<String>, key: String, may: impl Fn(Permission) -> bool + 'static) -> Self {
        Self {
            name: name.into(),
            proof: Proof::Key(key),
            may: Some(Box::new(may)),
        }
    }

    fn dead(name: &str, proof: Proof) -> Self {
        Self {
            name: name.to_owned(),
            proof,
            may: None,
        }
    }

    fn expected(&self, route: &Route) -> Door {
        match (route.access(), &self.may, &self.proof) {
            (Access::Anyone, ..) => Door::Open,
            (_, None, _) => Door::Unknown,
            (_, _, Proof::Session(_)) if route.is_keys_only() => Door::Denied,
            (Access::Needs(permission), Some(may), _) if may(permission) => Door::Open,
            (Access::SignedIn, _, Proof::Session(_)) => Door::Open,
            (Access::Owner, _, Proof::Session(_)) if self.name == "owner" => Door::Open,
            (Access::Owner, Some(may), Proof::Key(_)) if may(Permission::Operator) => Door::Open,
            _ => Door::Denied,
        }
    }

    async fn tries(&self, app: &TestApp, route: &Route) -> Door {
        let ask = Ask::new(route.method().clone(), path(route.path()));
        let ask = match &self.proof {
            Proof::Nothing => ask,
            Proof::Key(key) => ask.key(key),
            Proof::Session(session) => ask.session(session),
        };
        let answer = app.ask(ask).await;
        match (answer.status, answer.code()) {
            (401, "UNAUTHENTICATED") => Door::Unknown,
            (403, "PERMISSION_DENIED") => Door::Denied,
            (401 | 403 | 500.., code) => panic!("{} at {}: {} {code}", self.name, route.path(), answer.status),
            _ => Door::Open,
        }
    }
}

/// One of each kind: the roles, keys that hold one thing, all or nothing, and keys that are no longer any good.
async fn askers(app: &TestApp, owner: String) -> Vec<Asker> {
    let mut askers = vec![
        Asker::dead("nobody", Proof::Nothing),
        Asker::dead("a key never made", Proof::Key(format!("sk_{}", "0".repeat(64)))),
        Asker::dead("a session never begun", Proof::Session("x".repeat(43))),
    ];
    for role in ["viewer", "editor", "admin"] {
        let email = format!("{role}@example.com");
        let session = join(app, &owner, &email, role, &PASSWORD).await.session();
        askers.push(Asker {
            name: role.to_owned(),
            proof: Proof::Session(session),
            may: Some(Box::new(move |permission| role_may(role, permission))),
        });
    }
    let tenant = app.tenant("of keys").await;
    let mut held: Vec<Vec<Permission>> = vec![
        Vec::new(),
        vec![Permission::Admin],
        vec![Permission::Operator],
        vec![Permission::WorkflowsExecute],
    ];
    for route in router::routes() {
        if let Access::Needs(permission) = route.access()
            && !held.contains(&vec![permission])
        {
            held.push(vec![permission]);
        }
    }
    for held in held {
        let key = app.key(&tenant, &held).await;
        askers.push(Asker::key(format!("a key with {held:?}"), key, move |permission| {
            key_may(&held, permission)
        }));
    }
    let make = async |body| {
        let made = app
            .ask(Ask::post("/api/v1/api-keys").key(&tenant.key).json(&body))
            .await;
        (
            made.json["key"].as_str().unwrap().to_owned(),
            made.json["apiKey"]["id"].to_string(),
        )
    };
    let (refusing, _) =
        make(json!({ "name": "false", "permissions": { "catalog:read": false, "users:read": false } })).await;
    askers.push(Asker::key("a key with false", refusing, |_| false));
    let (revoked, id) = make(json!({ "name": "revoked", "permissions": { "admin": true } })).await;
    let address = format!("/api/v1/api-keys/{}", id.trim_matches('"'));
    assert_eq!(
        app.ask(Ask::new(http::Method::DELETE, address).key(&tenant.key))
            .await
            .status,
        204
    );
    askers.push(Asker::dead("a revoked key", Proof::Key(revoked)));
    // Last: who signs out at the end of the table is nobody from then on.
    askers.push(Asker {
        name: "owner".to_owned(),
        proof: Proof::Session(owner),
        may: Some(Box::new(|permission| role_may("owner", permission))),
    });
    askers
}

/// All routes, such as end what they are asked with last.
fn routes() -> Vec<Route> {
    let mut routes = router::routes();
    routes.sort_by_key(|route| route.method() == http::Method::DELETE && route.access() == Access::SignedIn);
    routes
}

#[tokio::test]
async fn k2_every_caller_may_what_the_tables_say_and_nothing_else() {
    let (app, ada) = house(None).await;
    let (mut wrong, mut cells, mut open) = (Vec::new(), 0, 0);
    for asker in askers(&app, ada).await {
        for route in routes() {
            let (expected, found) = (asker.expected(&route), asker.tries(&app, &route).await);
            cells += 1;
            open += usize::from(found == Door::Open);
            if expected != found {
                let place = format!("{} {} ({})", route.method(), route.path(), route.access());
                wrong.push(format!(
                    "{} at {place}: {found:?}, but should be {expected:?}",
                    asker.name
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(
        cells > 800 && open > 200,
        "{open} of {cells} doors were open: the matrix lost its rows"
    );
}

#[tokio::test]
async fn k1_an_expired_key_opens_nothing() {
    let clock = Arc::new(TestClock::at(Timestamp::from_second(1_800_000_000).unwrap()));
    let (app, _) = house(Some(clock.clone())).await;
    let tenant = app.tenant("of keys").await;
    let body = json!({
        "name": "short",
        "permissions": { "admin": true },
        "expiresAt": Timestamp::from_second(1_800_003_600).unwrap().to_string(),
    });
    let made = app
        .ask(Ask::post("/api/v1/api-keys").key(&tenant.key).json(&body))
        .await;
    let key = made.json["key"].as_str().unwrap().to_owned();
    let catalog = Ask::get("/api/v1/catalog").key(&key);
    assert_eq!(app.ask(catalog).await.status, 200);
    clock.advance(SignedDuration::from_hours(1));
    let expired = Asker::dead("an expired key", Proof::Key(key));
    for route in routes() {
        let found = expired.tries(&app, &route).await;
        assert_eq!(found, expired.expected(&route), "{} {}", route.method(), route.path());
    }
}
