//! The people of a tenant.

use http::Method;
use serde_json::{Value, json};
use tieline_server::caller::Permission;
use tieline_testkit::canary::Canary;

use crate::{
    session::{ADAS, house, join, sign_in},
    support::{Ask, TestApp},
};

static BOBS: Canary = Canary::new("bob's password");
static NEW: Canary = Canary::new("a new password");

const PATH: &str = "/api/v1/users";

async fn id_of(app: &TestApp, by: &str, email: &str) -> String {
    let list = app.ask(Ask::get(PATH).session(by)).await;
    let rows = list.json["data"].as_array().unwrap();
    let row = rows
        .iter()
        .find(|row| row["email"] == email)
        .unwrap_or_else(|| panic!("no {email}: {}", list.text));
    row["id"].as_str().unwrap().to_owned()
}

fn change(by: &str, id: &str, patch: Value) -> Ask {
    Ask::new(Method::PATCH, format!("{PATH}/{id}")).session(by).json(&patch)
}

#[tokio::test]
async fn somebody_is_invited_joins_and_is_listed() {
    let (app, ada) = house(None).await;
    let body = json!({ "email": "Bob@Example.com", "role": "editor", "name": "Bob" });
    let invited = app.ask(Ask::post(PATH).session(&ada).json(&body)).await;
    assert_eq!(invited.status, 201, "{}", invited.text);
    let user = &invited.json["user"];
    assert_eq!(
        (&user["email"], &user["status"]),
        (&json!("bob@example.com"), &json!("invited"))
    );
    let link = invited.json["link"].as_str().unwrap();
    assert!(
        link.starts_with(&format!("http://{}/setup?token=", app.address)),
        "{link}"
    );
    let list = app.ask(Ask::get(PATH).session(&ada)).await;
    assert_eq!(list.json["data"].as_array().unwrap().len(), 2);
    assert!(!list.text.contains(&invited.link()), "told once");

    let page = app
        .ask(Ask::get(format!("/setup?token={}", invited.link())).header("accept", "text/html"))
        .await;
    assert!(
        page.text.contains("<h1>Join home</h1>") && page.text.contains("readonly"),
        "{}",
        page.text
    );
    // Whatever address is sent, it is the invitation's.
    let body = json!({ "token": invited.link(), "email": "eve@example.com", "name": "Bob B.", "password": *BOBS });
    let joined = app.ask(Ask::post("/setup").json(&body)).await;
    assert_eq!(joined.status, 200, "{}", joined.text);
    assert_eq!(joined.json["session"]["user"]["email"], "bob@example.com");
    assert_eq!(joined.json["session"]["role"], "editor");
    let row = app
        .ask(Ask::get(format!("{PATH}/{}", id_of(&app, &ada, "bob@example.com").await)).session(&ada))
        .await;
    assert_eq!(
        (&row.json["status"], &row.json["name"]),
        (&json!("active"), &json!("Bob B."))
    );

    let used = app.ask(Ask::post("/setup").json(&body)).await;
    assert_eq!((used.status, used.code()), (404, "LINK_INVALID"));
    let again = app
        .ask(
            Ask::post(PATH)
                .session(&ada)
                .json(&json!({ "email": "bob@example.com", "role": "viewer" })),
        )
        .await;
    assert_eq!((again.status, again.code()), (409, "NAME_TAKEN"));
}

#[tokio::test]
async fn inviting_tells_nothing_of_other_tenants_people() {
    let (app, ada) = house(None).await;
    let other = app.tenant("other").await;
    let invite = async |email: &str| {
        let body = json!({ "email": email, "role": "viewer", "name": "N" });
        let made = app.ask(Ask::post(PATH).key(&other.key).json(&body)).await;
        let mut user = made.json["user"].clone();
        for differs in ["id", "email", "createdAt", "invitedUntil"] {
            user.as_object_mut().unwrap().remove(differs);
        }
        let page = app
            .ask(Ask::get(format!("/setup?token={}", made.link())).header("accept", "text/html"))
            .await;
        let page = page.text.replace(&made.link(), "").replace(email, "");
        (made.status, user, page)
    };
    assert_eq!(invite("ada@example.com").await, invite("nobody@example.com").await);
    drop(ada);
}

#[tokio::test]
async fn an_invitation_is_replaced_and_taken_back() {
    let (app, ada) = house(None).await;
    let invite = async |role: &str| {
        let body = json!({ "email": "bob@example.com", "role": role });
        app.ask(Ask::post(PATH).session(&ada).json(&body)).await
    };
    let (first, second) = (invite("viewer").await, invite("editor").await);
    assert_eq!(first.json["user"]["id"], second.json["user"]["id"]);
    let accept = async |token: String| {
        let body = json!({ "token": token, "name": "Bob", "password": *BOBS });
        app.ask(Ask::post("/setup").json(&body)).await
    };
    assert_eq!(accept(first.link()).await.status, 404);
    let remove = Ask::new(
        Method::DELETE,
        format!("{PATH}/{}", second.json["user"]["id"].as_str().unwrap()),
    );
    assert_eq!(app.ask(remove.session(&ada)).await.status, 204);
    assert_eq!(accept(second.link()).await.status, 404);
}

#[tokio::test]
async fn k1_a_lowered_role_and_a_removed_member_lose_their_rights_at_once() {
    let (app, ada) = house(None).await;
    let bob = join(&app, &ada, "bob@example.com", "admin", &BOBS).await.session();
    let id = id_of(&app, &ada, "bob@example.com").await;
    let invite = || {
        Ask::post(PATH)
            .session(&bob)
            .json(&json!({ "email": "c@example.com", "role": "viewer" }))
    };
    assert_eq!(app.ask(invite()).await.status, 201);
    let lowered = app.ask(change(&ada, &id, json!({ "role": "viewer" }))).await;
    assert_eq!(
        (lowered.status, &lowered.json["role"]),
        (200, &json!("viewer")),
        "{}",
        lowered.text
    );
    assert_eq!(app.ask(invite()).await.status, 403);
    assert_eq!(app.ask(Ask::get(PATH).session(&bob)).await.status, 200);
    let remove = || Ask::new(Method::DELETE, format!("{PATH}/{id}")).session(&ada);
    assert_eq!(app.ask(remove()).await.status, 204);
    assert_eq!(app.ask(Ask::get(PATH).session(&bob)).await.status, 401);
    assert_eq!(
        app.ask(sign_in("bob@example.com", &BOBS)).await.status,
        401,
        "he belongs nowhere"
    );
    assert_eq!(app.ask(remove()).await.status, 404);
    // He is known no more: invited anew he comes as somebody new, even where the password is forgotten, and the old
    // session stays dead.
    let back = join(&app, &ada, "bob@example.com", "viewer", &NEW).await;
    assert_eq!(back.status, 200, "{}", back.text);
    assert_eq!(app.ask(Ask::get(PATH).session(&bob)).await.status, 401);
}

#[tokio::test]
async fn k3_nobody_grants_or_touches_a_role_above_their_own() {
    let (app, ada) = house(None).await;
    let bob = join(&app, &ada, "bob@example.com", "admin", &BOBS).await.session();
    let (adas, bobs) = (
        id_of(&app, &ada, "ada@example.com").await,
        id_of(&app, &ada, "bob@example.com").await,
    );
    let invite = |role: &str| {
        Ask::post(PATH)
            .session(&bob)
            .json(&json!({ "email": "c@example.com", "role": role }))
    };
    for ask in [
        invite("owner"),
        change(&bob, &bobs, json!({ "role": "owner" })),
        change(&bob, &adas, json!({ "role": "viewer" })),
        change(&bob, &adas, json!({ "disabled": true })),
        Ask::new(Method::DELETE, format!("{PATH}/{adas}")).session(&bob),
        Ask::post(format!("{PATH}/{adas}/reset")).session(&bob),
        Ask::post(format!("{PATH}/{bobs}/reset")).session(&bob),
    ] {
        let path = ask.path.clone();
        let refused = app.ask(ask).await;
        assert_eq!(
            (refused.status, refused.code()),
            (403, "PERMISSION_DENIED"),
            "{path}: {}",
            refused.text
        );
    }
    assert_eq!(app.ask(invite("admin")).await.status, 201);
    // An owner's invitation is not an admin's to replace.
    let owner = Ask::post(PATH)
        .session(&ada)
        .json(&json!({ "email": "d@example.com", "role": "owner" }));
    assert_eq!(app.ask(owner).await.status, 201);
    let replace = Ask::post(PATH)
        .session(&bob)
        .json(&json!({ "email": "d@example.com", "role": "viewer" }));
    assert_eq!(app.ask(replace).await.status, 403);

    // A key, and a key made by a person.
    let tenant = app.store.tenant_by_name("home").await.unwrap().unwrap();
    let by = tieline::audit::Actor::new(tenant.id, "test");
    let weak = crate::support::new_key(&[Permission::UsersWrite, Permission::UsersRead]);
    let weak = app.connectors.create_api_key(&by, weak).await.unwrap();
    let body = json!({ "email": "e@example.com", "role": "viewer" });
    let refused = app.ask(Ask::post(PATH).key(weak.text.reveal()).json(&body)).await;
    assert_eq!(
        (refused.status, refused.code()),
        (403, "PERMISSION_DENIED"),
        "{}",
        refused.text
    );
    let make = |permission: &str| {
        let body = json!({ "name": "k", "permissions": { permission: true } });
        Ask::post("/api/v1/api-keys").session(&bob).json(&body)
    };
    assert_eq!(app.ask(make("admin")).await.status, 201);
    assert_eq!(app.ask(make("operator")).await.status, 403);
}

#[tokio::test]
async fn k3_a_tenants_first_owner_comes_from_an_admins_key_and_no_second() {
    let app = TestApp::start().await;
    let tenant = app.tenant("alice").await;
    let invite = |email: &str| {
        Ask::post(PATH)
            .key(&tenant.key)
            .json(&json!({ "email": email, "role": "owner" }))
    };
    // The first invitation may be lost: it is replaced, taken back, or another one is asked.
    let lost = app.ask(invite("one@example.com")).await;
    assert_eq!(app.ask(invite("one@example.com")).await.status, 201);
    let one = format!("{PATH}/{}", lost.json["user"]["id"].as_str().unwrap());
    assert_eq!(
        app.ask(Ask::new(Method::DELETE, one).key(&tenant.key)).await.status,
        204
    );
    let (two, three) = (
        app.ask(invite("two@example.com")).await,
        app.ask(invite("three@example.com")).await,
    );
    let accept = async |link: String| {
        let body = json!({ "token": link, "name": "N", "password": *BOBS });
        app.ask(Ask::post("/setup").json(&body)).await
    };
    assert_eq!(accept(two.link()).await.status, 200);
    assert_eq!(accept(three.link()).await.status, 404, "there is one");
    assert_eq!(app.ask(invite("four@example.com")).await.status, 403);
}

/// T1: a link to set a password is judged again when it is used.
#[tokio::test]
async fn t1_a_reset_link_is_void_once_the_account_is_not_only_ours() {
    let (app, ada) = house(None).await;
    join(&app, &ada, "bob@example.com", "viewer", &BOBS).await;
    let id = id_of(&app, &ada, "bob@example.com").await;
    let made = app.ask(Ask::post(format!("{PATH}/{id}/reset")).session(&ada)).await;
    let page = || Ask::get(format!("/setup?token={}", made.link()));
    assert_eq!(app.ask(page()).await.status, 200);
    let other = app.tenant("other").await;
    let wish = json!({ "email": "bob@example.com", "role": "admin" });
    let invited = app.ask(Ask::post(PATH).key(&other.key).json(&wish)).await;
    let body = json!({ "token": invited.link(), "password": *BOBS });
    assert_eq!(app.ask(Ask::post("/setup").json(&body)).await.status, 200);
    let taken = json!({ "token": made.link(), "password": *NEW });
    let refused = app.ask(Ask::post("/setup").json(&taken)).await;
    assert_eq!((refused.status, refused.code()), (404, "LINK_INVALID"));
    assert_eq!(app.ask(page()).await.status, 404);
    assert_eq!(app.ask(sign_in("bob@example.com", &BOBS)).await.status, 200);
    assert_eq!(app.ask(sign_in("bob@example.com", &NEW)).await.status, 401);
}

/// K3: what somebody handed out ends with their right to; a link to a weaker account opens no stronger one.
#[tokio::test]
async fn k3_links_do_not_outlive_the_rights_they_rest_on() {
    let (app, ada) = house(None).await;
    let bob = join(&app, &ada, "bob@example.com", "admin", &BOBS).await.session();
    join(&app, &ada, "carol@example.com", "editor", &BOBS).await;
    join(&app, &ada, "dave@example.com", "editor", &BOBS).await;
    let accept = async |link: String| {
        let body = json!({ "token": link, "name": "N", "password": *NEW });
        app.ask(Ask::post("/setup").json(&body)).await.status
    };
    let reset = async |email: &str| {
        let id = id_of(&app, &ada, email).await;
        app.ask(Ask::post(format!("{PATH}/{id}/reset")).session(&bob))
            .await
            .link()
    };
    let (carols, daves) = (reset("carol@example.com").await, reset("dave@example.com").await);
    let carol = id_of(&app, &ada, "carol@example.com").await;
    assert_eq!(
        app.ask(change(&ada, &carol, json!({ "role": "owner" }))).await.status,
        200
    );
    assert_eq!(accept(carols).await, 404, "an owner by now");
    let wish = json!({ "email": "eve@example.com", "role": "admin" });
    let eves = app.ask(Ask::post(PATH).session(&bob).json(&wish)).await.link();
    let bobs = id_of(&app, &ada, "bob@example.com").await;
    let remove = Ask::new(Method::DELETE, format!("{PATH}/{bobs}")).session(&ada);
    assert_eq!(app.ask(remove).await.status, 204);
    assert_eq!((accept(daves).await, accept(eves).await), (404, 404));
}

#[tokio::test]
async fn a_reset_link_lets_nobody_in_who_is_locked_out() {
    let (app, ada) = house(None).await;
    join(&app, &ada, "bob@example.com", "viewer", &BOBS).await;
    let id = id_of(&app, &ada, "bob@example.com").await;
    let made = app.ask(Ask::post(format!("{PATH}/{id}/reset")).session(&ada)).await;
    assert_eq!(
        app.ask(change(&ada, &id, json!({ "disabled": true }))).await.status,
        200
    );
    let body = json!({ "token": made.link(), "password": *NEW });
    assert_eq!(app.ask(Ask::post("/setup").json(&body)).await.status, 404);
}

#[tokio::test]
async fn a_change_that_is_refused_in_part_is_refused_whole() {
    let (app, ada) = house(None).await;
    let bob = join(&app, &ada, "bob@example.com", "admin", &BOBS).await.session();
    join(&app, &ada, "carol@example.com", "viewer", &BOBS).await;
    let carol = id_of(&app, &ada, "carol@example.com").await;
    let both = change(&bob, &carol, json!({ "disabled": true, "role": "owner" }));
    assert_eq!(app.ask(both).await.status, 403);
    let row = app.ask(Ask::get(format!("{PATH}/{carol}")).session(&ada)).await;
    assert_eq!(
        (&row.json["status"], &row.json["role"]),
        (&json!("active"), &json!("viewer"))
    );
}

/// K4: a link ends the session that the browser showed, as signing in does.
#[tokio::test]
async fn k4_a_link_ends_the_session_that_was_shown() {
    let (app, ada) = house(None).await;
    let wish = json!({ "email": "bob@example.com", "role": "viewer" });
    let invited = app.ask(Ask::post(PATH).session(&ada).json(&wish)).await;
    let planted = app.ask(sign_in("ada@example.com", &ADAS)).await.session();
    let body = json!({ "token": invited.link(), "name": "Bob", "password": *BOBS });
    let joined = app.ask(Ask::post("/setup").session(&planted).json(&body)).await;
    assert_eq!(joined.status, 200, "{}", joined.text);
    assert_eq!(app.ask(Ask::get(PATH).session(&planted)).await.status, 401);
    assert_eq!(app.ask(Ask::get(PATH).session(&ada)).await.status, 200);
    assert_eq!(app.ask(Ask::get(PATH).session(&joined.session())).await.status, 200);
}

#[tokio::test]
async fn the_last_owner_stays() {
    let (app, ada) = house(None).await;
    let adas = id_of(&app, &ada, "ada@example.com").await;
    for ask in [
        change(&ada, &adas, json!({ "role": "admin" })),
        Ask::new(Method::DELETE, format!("{PATH}/{adas}")).session(&ada),
    ] {
        let refused = app.ask(ask).await;
        assert_eq!(
            (refused.status, refused.code()),
            (409, "LAST_OWNER"),
            "{}",
            refused.text
        );
    }
    join(&app, &ada, "bob@example.com", "owner", &BOBS).await;
    assert_eq!(
        app.ask(change(&ada, &adas, json!({ "role": "viewer" }))).await.status,
        200
    );
}

#[tokio::test]
async fn k3_a_new_password_comes_by_link_and_ends_the_old_sessions() {
    let (app, ada) = house(None).await;
    let bob = join(&app, &ada, "bob@example.com", "viewer", &BOBS).await.session();
    let id = id_of(&app, &ada, "bob@example.com").await;
    let made = app.ask(Ask::post(format!("{PATH}/{id}/reset")).session(&ada)).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let page = app
        .ask(Ask::get(format!("/setup?token={}", made.link())).header("accept", "text/html"))
        .await;
    assert!(page.text.contains("<h1>Set a new password</h1>"), "{}", page.text);
    assert_eq!(
        app.ask(Ask::get(PATH).session(&bob)).await.status,
        200,
        "nothing happened yet"
    );
    let body = json!({ "token": made.link(), "password": *NEW });
    let set = app.ask(Ask::post("/setup").json(&body)).await;
    assert_eq!(
        (set.status, &set.json["session"]["role"]),
        (200, &json!("viewer")),
        "{}",
        set.text
    );
    assert_eq!(app.ask(Ask::get(PATH).session(&bob)).await.status, 401);
    assert_eq!(app.ask(Ask::post("/setup").json(&body)).await.status, 404);
    assert_eq!(app.ask(sign_in("bob@example.com", &BOBS)).await.status, 401);
    assert_eq!(app.ask(sign_in("bob@example.com", &NEW)).await.status, 200);
}

/// K3, T1: whoever could reset the password of somebody who belongs to two tenants would be in the other one.
#[tokio::test]
async fn t1_the_account_of_two_tenants_is_nobodys_but_an_operators() {
    let (app, ada) = house(None).await;
    let bob = join(&app, &ada, "bob@example.com", "viewer", &BOBS).await.session();
    let id = id_of(&app, &ada, "bob@example.com").await;
    let other = app.tenant("other").await;
    let invited = app
        .ask(
            Ask::post(PATH)
                .key(&other.key)
                .json(&json!({ "email": "bob@example.com", "role": "admin" })),
        )
        .await;
    let body = json!({ "token": invited.link(), "password": *BOBS });
    assert_eq!(app.ask(Ask::post("/setup").json(&body)).await.status, 200);
    for ask in [
        Ask::post(format!("{PATH}/{id}/reset")).session(&ada),
        change(&ada, &id, json!({ "disabled": true })),
    ] {
        let refused = app.ask(ask).await;
        assert_eq!(
            (refused.status, refused.code()),
            (403, "PERMISSION_DENIED"),
            "{}",
            refused.text
        );
    }
    assert_eq!(app.ask(Ask::get(PATH).session(&bob)).await.status, 200);
    let operator = app.operator().await;
    let reset = |email: &str| {
        Ask::post("/api/v1/password-resets")
            .key(&operator)
            .json(&json!({ "email": email }))
    };
    assert_eq!(app.ask(reset("nobody@example.com")).await.status, 404);
    let made = app.ask(reset("bob@example.com")).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let body = json!({ "token": made.link(), "password": *NEW });
    assert_eq!(app.ask(Ask::post("/setup").json(&body)).await.status, 200);
    assert_eq!(app.ask(Ask::get(PATH).session(&bob)).await.status, 401);
}

#[tokio::test]
async fn a_locked_out_person_is_out_everywhere_until_let_in() {
    let (app, ada) = house(None).await;
    let bob = join(&app, &ada, "bob@example.com", "viewer", &BOBS).await.session();
    let id = id_of(&app, &ada, "bob@example.com").await;
    let locked = app.ask(change(&ada, &id, json!({ "disabled": true }))).await;
    assert_eq!(
        (locked.status, &locked.json["status"]),
        (200, &json!("disabled")),
        "{}",
        locked.text
    );
    assert_eq!(app.ask(Ask::get(PATH).session(&bob)).await.status, 401);
    assert_eq!(app.ask(sign_in("bob@example.com", &BOBS)).await.status, 401);
    let back = app.ask(change(&ada, &id, json!({ "disabled": false }))).await;
    assert_eq!(back.json["status"], "active");
    assert_eq!(app.ask(sign_in("bob@example.com", &BOBS)).await.status, 200);
    let own = id_of(&app, &ada, "ada@example.com").await;
    assert_eq!(
        app.ask(change(&ada, &own, json!({ "disabled": true }))).await.status,
        403
    );
    assert_eq!(app.ask(sign_in("ada@example.com", &ADAS)).await.status, 200);
}
