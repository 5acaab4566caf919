//! Memberships: who belongs to which tenant, and as what.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    audit::Actor,
    clock::{Rfc3339, Timestamp},
    connectors::Connectors,
    error::{Code, Error, Result},
    event::EventKind,
    id::{TenantId, UserId},
    limits::MAX_MEMBERSHIPS,
    page::{self, Page},
    store::{MemberChange, MemberRow},
    user::changed_meanwhile,
};

/// What a member may do; each may all that the one before may. What that is in permissions is the front door's business.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Looks.
    Viewer,
    /// Changes and calls, but for people, keys and the tenant itself.
    Editor,
    /// Does everything in the tenant.
    Admin,
    /// Does everything in the tenant, and may delete it.
    Owner,
}

impl Role {
    /// All roles, the weakest first.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Editor, Self::Admin, Self::Owner];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Editor => "editor",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }

    /// The role with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether somebody has come in yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MemberStatus {
    /// They belong to the tenant.
    Active,
    /// They were invited and have not come yet.
    Invited,
    /// They are locked out of every tenant.
    Disabled,
}

/// A member of a tenant, or somebody who is invited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// Their identifier. An invitation has one of its own, until somebody known to the deployment accepts it.
    pub id: UserId,
    /// Their e-mail address.
    pub email: String,
    /// What people call them.
    pub name: String,
    /// As what they belong to the tenant.
    pub role: Role,
    /// Whether they have come in.
    pub status: MemberStatus,
    /// Who let them in.
    pub created_by: String,
    /// When they came in, or were invited.
    #[schemars(with = "Rfc3339")]
    pub created_at: Timestamp,
    /// Until when the invitation is good.
    #[schemars(with = "Option<Rfc3339>")]
    pub invited_until: Option<Timestamp>,
}

impl From<MemberRow> for Member {
    fn from(row: MemberRow) -> Self {
        let status = match (row.invited_until, row.disabled_at) {
            (Some(_), _) => MemberStatus::Invited,
            (None, Some(_)) => MemberStatus::Disabled,
            (None, None) => MemberStatus::Active,
        };
        Self {
            id: row.user,
            email: row.email,
            name: row.name,
            role: row.role,
            status,
            created_by: row.created_by,
            created_at: row.created_at,
            invited_until: row.invited_until,
        }
    }
}

/// Who changes something about people, and how far their own rights go.
#[derive(Debug, Clone)]
pub struct Authority {
    /// Who they are.
    pub actor: Actor,
    /// The strongest role whose every right they have themselves.
    pub rank: Option<Role>,
    /// Whether the deployment is theirs to run.
    pub operator: bool,
}

impl Authority {
    fn tenant(&self) -> TenantId {
        self.actor.tenant
    }

    pub(crate) fn is(&self, user: UserId) -> bool {
        self.actor.name == user.to_string()
    }

    /// K3: nobody grants, takes or holds in their hands a role above their own.
    pub(crate) fn reaches(&self, role: Role) -> Result<()> {
        if self.rank >= Some(role) {
            return Ok(());
        }
        let detail = format!(
            "This takes the rights of the role `{role}`, which are more than yours: have somebody do it who has them."
        );
        Err(Error::new(Code::PermissionDenied, detail))
    }
}

/// What shall be different about a member; what is absent stays.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(example = json!({ "role": "editor" }))]
pub struct MemberPatch {
    /// Another role.
    #[serde(default)]
    pub role: Option<Role>,
    /// Locks the person out of every tenant and ends their sessions, or lets them in again. Only of persons who belong to
    /// no other tenant, unless by an operator.
    #[serde(default)]
    pub disabled: Option<bool>,
}

impl Connectors {
    /// The tenant's members and those invited.
    pub async fn members(&self, by: &Actor, after: Option<UserId>, limit: usize) -> Result<Page<Member, UserId>> {
        let limit = page::bounded(limit);
        let rows = self.inner.store.members(by.tenant, after, limit + 1).await?;
        let members = rows.into_iter().map(Member::from).collect();
        Ok(Page::cut(members, limit, |member: &Member| member.id))
    }

    /// One member of the tenant, or somebody who is invited.
    pub async fn member(&self, by: &Actor, user: UserId) -> Result<Member> {
        let row = self.inner.store.member(by.tenant, user).await?;
        row.map(Member::from).ok_or_else(Error::not_found)
    }

    /// Changes a member.
    ///
    /// # Errors
    /// `PERMISSION_DENIED` for roles above one's own and for persons of other tenants, `LAST_OWNER`.
    pub async fn change_member(&self, by: &Authority, user: UserId, patch: MemberPatch) -> Result<Member> {
        let standing = self.member(&by.actor, user).await?;
        self.may_change(by, &standing).await?;
        let role = patch.role.filter(|role| *role != standing.role);
        // All of it is judged before any of it is done.
        if patch.disabled.is_some() {
            self.may_disable(by, &standing).await?;
        }
        if let Some(role) = role {
            self.may_grant(by, role).await?;
            self.change_role(by, &standing, role).await?;
        }
        if let Some(disabled) = patch.disabled {
            self.set_disabled(by, user, disabled).await?;
        }
        self.member(&by.actor, user).await
    }

    async fn may_disable(&self, by: &Authority, member: &Member) -> Result<()> {
        if by.is(member.id) {
            let detail = "You cannot lock yourself out: have somebody else do it.";
            return Err(Error::new(Code::PermissionDenied, detail));
        }
        if member.status == MemberStatus::Invited {
            let detail = "Nobody has accepted this invitation yet: delete it instead.";
            return Err(Error::new(Code::RequestInvalid, detail).field("/disabled", "needs a member"));
        }
        self.owns(by, member.id).await
    }

    /// Removes a member, whose sessions in the tenant end, or an invitation.
    ///
    /// # Errors
    /// `PERMISSION_DENIED` for roles above one's own, `LAST_OWNER`.
    pub async fn remove_member(&self, by: &Authority, user: UserId) -> Result<()> {
        let standing = self.member(&by.actor, user).await?;
        self.may_change(by, &standing).await?;
        let detail = json!({ "email": standing.email, "role": standing.role });
        let trail = self.trail(&by.actor, "member.removed", user, detail, &[EventKind::MemberRemoved])?;
        let (tenant, role) = (by.tenant(), standing.role);
        let change = self
            .to_the_end(async move |connectors| {
                let change = connectors.inner.store.remove_member(tenant, user, role, trail).await;
                connectors.inner.sessions.forget_member(tenant, user);
                connectors.inner.sessions.forget_user(user);
                change
            })
            .await?;
        settled(change)
    }

    /// K3, and the one exception: a tenant that has no owner gets its first from an admin. Until one has come in there may
    /// be several invitations, for one may be lost; the first to come in voids the others.
    pub(crate) async fn may_grant(&self, by: &Authority, role: Role) -> Result<()> {
        let first = role == Role::Owner && by.rank == Some(Role::Admin);
        if first && !self.inner.store.has_owner(by.tenant()).await? {
            return Ok(());
        }
        by.reaches(role)
    }

    /// Whether somebody's member or invitation is theirs to change: an invitation to whoever may give one.
    pub(crate) async fn may_change(&self, by: &Authority, standing: &Member) -> Result<()> {
        match standing.status {
            MemberStatus::Invited => self.may_grant(by, standing.role).await,
            MemberStatus::Active | MemberStatus::Disabled => by.reaches(standing.role),
        }
    }

    /// Whether a person is this tenant's to decide about: none but an operator touches the account of somebody who
    /// belongs to another tenant too, or an admin of one would become that person in the other.
    pub(crate) async fn owns(&self, by: &Authority, user: UserId) -> Result<()> {
        if by.operator {
            return Ok(());
        }
        let memberships = self.inner.store.memberships_of(user, MAX_MEMBERSHIPS).await?;
        if memberships.iter().all(|row| row.tenant == by.tenant()) {
            return Ok(());
        }
        let detail = "This account is not only of your tenant, so only an operator may do this to it.";
        Err(Error::new(Code::PermissionDenied, detail))
    }

    async fn change_role(&self, by: &Authority, standing: &Member, role: Role) -> Result<()> {
        let detail = json!({ "from": standing.role, "to": role });
        let trail = self.trail(
            &by.actor,
            "member.updated",
            standing.id,
            detail,
            &[EventKind::MemberUpdated],
        )?;
        let (tenant, user, from) = (by.tenant(), standing.id, standing.role);
        let change = self
            .to_the_end(async move |connectors| {
                let store = &connectors.inner.store;
                let change = store.change_role(tenant, user, from, role, trail).await;
                connectors.inner.sessions.forget_member(tenant, user);
                change
            })
            .await?;
        settled(change)
    }

    async fn set_disabled(&self, by: &Authority, user: UserId, disabled: bool) -> Result<()> {
        let action = if disabled { "user.disabled" } else { "user.enabled" };
        let trail = self.trail(&by.actor, action, user, json!({}), &[EventKind::UserUpdated])?;
        let (tenant, at) = (by.tenant(), disabled.then(|| self.inner.clock.now()));
        let set = self
            .to_the_end(async move |connectors| {
                let set = connectors.inner.store.set_disabled(tenant, user, at, trail).await;
                connectors.inner.sessions.forget_user(user);
                set
            })
            .await?;
        match set {
            // They are so already.
            MemberChange::Unchanged => Ok(()),
            other => settled(other),
        }
    }
}

fn settled(change: MemberChange) -> Result<()> {
    match change {
        MemberChange::Changed => Ok(()),
        MemberChange::Unchanged => Err(changed_meanwhile()),
        MemberChange::LastOwner => Err(Error::new(
            Code::LastOwner,
            "This is the tenant's last owner, and it keeps at least one: make somebody else an owner first.",
        )),
    }
}
