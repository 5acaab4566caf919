//! The people of a tenant: members, invitations, links for a new password.

use std::sync::Arc;

use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};
use tieline::{
    Code, Result,
    clock::{Rfc3339, Timestamp},
    id::UserId,
    link::{Invite, MadeLink},
    membership::{Member, MemberPatch},
};

use super::page::{Cursors, PageQuery};
use crate::{
    app::App,
    caller::Caller,
    route::{Body, Created, Found, List, Nothing, Query, Referable, Reply, Row, id_schema},
};

/// How changing people can fail beyond what its arguments say.
pub(crate) const CHANGING: &[Code] = &[Code::LastOwner, Code::ConnectionConflict, Code::RequestInvalid];

/// A one-time link: the only answer that holds it.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ToldLink {
    /// The link. It is told this once; hand it to its person over a way you trust, for whoever opens it is taken for them.
    link: String,
    /// From when on it is refused.
    #[schemars(with = "Rfc3339")]
    expires_at: Timestamp,
}

/// Somebody who was invited.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Invited {
    /// How they are listed.
    user: Member,
    #[serde(flatten)]
    link: ToldLink,
}

/// Whose password shall be set anew.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({ "email": "ada@example.com" }))]
pub(crate) struct Forgetful {
    /// The e-mail address of a person of this deployment.
    email: String,
}

impl ToldLink {
    fn of(app: &App, made: &MadeLink) -> Self {
        Self {
            link: app.site.link(&format!("/setup?token={}", made.token.reveal())),
            expires_at: made.expires_at,
        }
    }
}

impl Found for Member {
    const PARAM: &'static str = "user";
    const KIND: Option<&'static str> = Some(UserId::KIND);
    const MISSING: Code = Code::NotFound;

    fn schema() -> Schema {
        id_schema::<UserId>()
    }

    async fn find(app: &App, caller: &Caller, text: &str) -> Result<Self> {
        app.connectors.member(&caller.actor, text.parse()?).await
    }
}

pub(crate) async fn list(
    app: App,
    caller: Arc<Caller>,
    cursors: Cursors,
    Query(page): Query<PageQuery>,
) -> Result<List<Member>> {
    let after = cursors.open(page.cursor.as_deref()).await?;
    let page = app.connectors.members(&caller.actor, after, page.limit.get()).await?;
    cursors.list(page.rows, page.next).await
}

pub(crate) async fn invite(app: App, caller: Arc<Caller>, Body(wish): Body<Invite>) -> Result<Created<Invited>> {
    let (user, made) = app.connectors.invite(&caller.authority(), wish).await?;
    Ok(Created(Invited {
        user,
        link: ToldLink::of(&app, &made),
    }))
}

pub(crate) async fn read(Row(member): Row<Member>) -> Result<Reply<Member>> {
    Ok(Reply(member))
}

pub(crate) async fn update(
    app: App,
    caller: Arc<Caller>,
    Row(member): Row<Member>,
    Body(patch): Body<MemberPatch>,
) -> Result<Reply<Member>> {
    let by = caller.authority();
    app.connectors.change_member(&by, member.id, patch).await.map(Reply)
}

pub(crate) async fn remove(app: App, caller: Arc<Caller>, Row(member): Row<Member>) -> Result<Nothing> {
    app.connectors.remove_member(&caller.authority(), member.id).await?;
    Ok(Nothing)
}

pub(crate) async fn reset(app: App, caller: Arc<Caller>, Row(member): Row<Member>) -> Result<Created<ToldLink>> {
    let made = app.connectors.reset_member(&caller.authority(), member.id).await?;
    Ok(Created(ToldLink::of(&app, &made)))
}

pub(crate) async fn reset_anyone(
    app: App,
    caller: Arc<Caller>,
    Body(of): Body<Forgetful>,
) -> Result<Created<ToldLink>> {
    let made = app.connectors.reset_anyone(&caller.actor, &of.email).await?;
    Ok(Created(ToldLink::of(&app, &made)))
}
