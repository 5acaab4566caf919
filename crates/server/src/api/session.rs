//! Signing in and out, and one's own account.

use std::sync::Arc;

use axum::response::Response;
use http::{HeaderValue, header};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use tieline::{
    Code, Result,
    clock::{Rfc3339, Timestamp},
    id::UserId,
    membership::Role,
    secret::Secret,
    session::{Person, SignIn, SignedIn, StartedSession, Workplace},
    tenant::Tenant,
    user::NewPassword,
};

use crate::{
    app::App,
    browser::{self, OwnPage, Shown},
    caller::{self, Caller, Permission},
    openapi::Operation,
    route::{Answer, Body, Reply},
    source::Source,
};

/// How signing in can fail beyond what its arguments say.
pub(crate) const SIGNING_IN: &[Code] = &[
    Code::TenantDeleted,
    Code::SignInFailed,
    Code::SignInThrottled,
    Code::Overloaded,
    Code::ConnectorDatabaseFailed,
];

/// How a change of one's password can fail.
pub(crate) const CHANGING_PASSWORD: &[Code] = &[Code::SignInThrottled, Code::NotFound, Code::ConnectionConflict];

/// A password on its way in.
pub(crate) struct Typed(Secret);

impl Typed {
    pub(crate) fn secret(self) -> Secret {
        self.0
    }
}

impl<'de> Deserialize<'de> for Typed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Secret::new(text)))
    }
}

impl JsonSchema for Typed {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Password".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "password" })
    }
}

/// What somebody signs in with.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({ "email": "ada@example.com", "password": "the password" }))]
pub(crate) struct Credentials {
    /// The e-mail address.
    email: String,
    /// The password.
    password: Typed,
    /// Which tenant, by identifier or name; needed by those who belong to several.
    #[serde(default)]
    tenant: Option<String>,
}

/// Who is signed in, and as what.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SessionView {
    /// The person.
    user: PersonView,
    /// The one tenant that the session is good for.
    tenant: Tenant,
    /// As what the person belongs to it.
    role: Role,
    /// What they may do, as in a key's permission map.
    permissions: Vec<&'static str>,
    /// When the session ends, however much it is used. Unused it ends earlier.
    #[schemars(with = "Rfc3339")]
    expires_at: Timestamp,
}

/// A person.
#[derive(Serialize, JsonSchema)]
pub(crate) struct PersonView {
    id: UserId,
    email: String,
    name: String,
}

impl SessionView {
    async fn of(app: &App, person: &Person) -> Result<Self> {
        Ok(Self {
            user: PersonView {
                id: person.user,
                email: person.email.clone(),
                name: person.name.clone(),
            },
            tenant: app.connectors.tenant(person.tenant).await?,
            role: person.role,
            permissions: caller::of_role(person.role).map(Permission::as_str).collect(),
            expires_at: person.ends_at,
        })
    }
}

/// What came of signing in.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SignedInView {
    /// The session, with its cookie in the head of the answer. Null when the password was right and there are several
    /// tenants to choose from: sign in again and name one.
    session: Option<SessionView>,
    /// The tenants that the person belongs to.
    tenants: Vec<Workplace>,
}

/// An answer that sets the session's cookie, or takes it away.
pub(crate) struct WithCookie<T> {
    pub(crate) cookie: Option<HeaderValue>,
    pub(crate) answer: T,
}

impl<T: Answer> Answer for WithCookie<T> {
    fn answer(self) -> Result<Response> {
        let mut response = self.answer.answer()?;
        if let Some(cookie) = self.cookie {
            response.headers_mut().insert(header::SET_COOKIE, cookie);
        }
        Ok(response)
    }

    fn describe(operation: &mut Operation<'_>) {
        T::describe(operation);
    }
}

/// What is told of a session that began.
pub(crate) async fn begun(app: &App, started: StartedSession) -> Result<WithCookie<Reply<SignedInView>>> {
    let view = SignedInView {
        session: Some(SessionView::of(app, &started.person).await?),
        tenants: app.connectors.workplaces(started.person.user).await?,
    };
    Ok(WithCookie {
        cookie: Some(browser::set(&started.token)?),
        answer: Reply(view),
    })
}

pub(crate) async fn create(
    app: App,
    _: OwnPage,
    Source(from): Source,
    Shown(replaces): Shown,
    Body(with): Body<Credentials>,
) -> Result<WithCookie<Reply<SignedInView>>> {
    let wish = SignIn {
        email: with.email,
        password: with.password.secret(),
        tenant: with.tenant,
        from,
        replaces,
    };
    match app.connectors.sign_in(wish).await? {
        SignedIn::Session(started) => begun(&app, started).await,
        SignedIn::Choose(tenants) => Ok(WithCookie {
            cookie: None,
            answer: Reply(SignedInView { session: None, tenants }),
        }),
    }
}

pub(crate) async fn read(app: App, caller: Arc<Caller>) -> Result<Reply<SessionView>> {
    SessionView::of(&app, caller.person()?).await.map(Reply)
}

pub(crate) async fn delete(app: App, caller: Arc<Caller>) -> Result<WithCookie<crate::route::Nothing>> {
    app.connectors.end_session(caller.person()?).await?;
    Ok(WithCookie {
        cookie: Some(browser::clear()?),
        answer: crate::route::Nothing,
    })
}

/// A wish for another password.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(example = serde_json::json!({ "currentPassword": "the password", "newPassword": "several random words" }))]
pub(crate) struct PasswordChange {
    /// The password that holds.
    current_password: Typed,
    /// The one that shall.
    new_password: Typed,
}

pub(crate) async fn change_password(
    app: App,
    caller: Arc<Caller>,
    Source(from): Source,
    Body(change): Body<PasswordChange>,
) -> Result<WithCookie<Reply<SignedInView>>> {
    let wish = NewPassword {
        current: change.current_password.secret(),
        new: change.new_password.secret(),
    };
    let started = app.connectors.change_password(caller.person()?, wish, from).await?;
    begun(&app, started).await
}
