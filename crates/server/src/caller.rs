//! Who calls us, and what they may.
//!
//! A caller's tenant comes from their key or their session and from nowhere else.

mod role;

use std::{collections::BTreeMap, sync::Arc};

use http::{HeaderMap, header, request::Parts};
use tieline::{
    Code, Error, Result,
    api_key::{ApiKey, ApiKeyPatch, KeyNetwork, NewApiKey, Permissions, covers},
    audit::Actor,
    clock::Timestamp,
    error::FieldError,
    membership::{Authority, Role},
    session::Person,
};

use crate::{app::App, browser, route::invalid, source};

/// Declares the permissions: every noun can be read, written and executed.
macro_rules! permissions {
    ($($noun:literal $read:ident $write:ident $execute:ident,)+) => {
        /// What a key may do.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Permission {
            /// Everything within the tenant.
            Admin,
            /// Making tenants; not part of [`Permission::Admin`].
            Operator,
            $(
                #[doc = concat!("`", $noun, ":read`")]
                $read,
                #[doc = concat!("`", $noun, ":write`")]
                $write,
                #[doc = concat!("`", $noun, ":execute`")]
                $execute,
            )+
        }

        impl Permission {
            /// All permissions.
            pub const ALL: &'static [Permission] = &[
                Permission::Admin,
                Permission::Operator,
                $(Permission::$read, Permission::$write, Permission::$execute,)+
            ];

            /// The name in a key's permission map.
            pub const fn as_str(self) -> &'static str {
                match self {
                    Permission::Admin => "admin",
                    Permission::Operator => "operator",
                    $(
                        Permission::$read => concat!($noun, ":read"),
                        Permission::$write => concat!($noun, ":write"),
                        Permission::$execute => concat!($noun, ":execute"),
                    )+
                }
            }
        }
    };
}

permissions! {
    "catalog" CatalogRead CatalogWrite CatalogExecute,
    "connectors" ConnectorsRead ConnectorsWrite ConnectorsExecute,
    "connections" ConnectionsRead ConnectionsWrite ConnectionsExecute,
    "credentials" CredentialsRead CredentialsWrite CredentialsExecute,
    "integrations" IntegrationsRead IntegrationsWrite IntegrationsExecute,
    "webhooks" WebhooksRead WebhooksWrite WebhooksExecute,
    "syncs" SyncsRead SyncsWrite SyncsExecute,
    "records" RecordsRead RecordsWrite RecordsExecute,
    "workflows" WorkflowsRead WorkflowsWrite WorkflowsExecute,
    "executions" ExecutionsRead ExecutionsWrite ExecutionsExecute,
    "audit" AuditRead AuditWrite AuditExecute,
    "usage" UsageRead UsageWrite UsageExecute,
    "keys" KeysRead KeysWrite KeysExecute,
    "users" UsersRead UsersWrite UsersExecute,
    "tenants" TenantsRead TenantsWrite TenantsExecute,
}

/// Who may take a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anyone, without a key.
    Anyone,
    /// Whoever has this permission, with a key or a session.
    Needs(Permission),
    /// Whoever is signed in: it is about their own session.
    SignedIn,
    /// The tenant's owner, signed in, and an operator's key.
    Owner,
}

impl From<Permission> for Access {
    fn from(permission: Permission) -> Self {
        Self::Needs(permission)
    }
}

impl std::fmt::Display for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Anyone => "anyone",
            Self::Needs(permission) => permission.as_str(),
            Self::SignedIn => "signed in",
            Self::Owner => "owner",
        })
    }
}

/// What a role may do.
pub(crate) fn of_role(role: Role) -> impl Iterator<Item = Permission> {
    let all = Permission::ALL.iter().copied();
    all.filter(move |permission| role::grants(role, *permission))
}

/// An authenticated caller.
pub struct Caller {
    /// Whose tenant they act in, and under which name.
    pub actor: Actor,
    who: Who,
    counted: bool,
}

/// What a caller is known by.
enum Who {
    Key(Arc<ApiKey>),
    Person(Person),
}

impl Caller {
    /// The caller named by `Authorization: Bearer sk_…`, or this machine's command line with the key of this run, or the
    /// person of a session's cookie. With a key a cookie counts for nothing.
    pub(crate) async fn authenticate(app: &App, head: &Parts, asked: &str) -> Result<Self> {
        if !head.headers.contains_key(header::AUTHORIZATION)
            && let Some(token) = browser::token(&head.headers)?
        {
            browser::may_change(&app.site, head)?;
            let person = app.connectors.authenticate_session(token, asked).await?;
            return Ok(Self {
                actor: Actor::new(person.tenant, person.user)
                    .writing_credentials(role::grants(person.role, Permission::CredentialsWrite)),
                who: Who::Person(person),
                counted: true,
            });
        }
        let token = bearer(&head.headers)?;
        if let Some((actor, key)) = app.local.as_ref().and_then(|local| local.admits(token)) {
            let who = Who::Key(key);
            return Ok(Self {
                actor,
                who,
                counted: false,
            });
        }
        let from = source::origin(head);
        let key = app.connectors.authenticate_from(from, token, asked).await?;
        let actor = Actor::new(key.tenant, key.id)
            .bound_to(key.environment)
            .writing_credentials(key_has(&key.permissions, Permission::CredentialsWrite));
        Ok(Self {
            actor,
            who: Who::Key(key),
            counted: true,
        })
    }

    /// Whether the caller's requests are counted. Not those of this machine's command line: with it an operator stops
    /// whoever uses all that a tenant may ask for.
    pub(crate) fn is_counted(&self) -> bool {
        self.counted
    }

    /// Whether the caller has a permission. Of a key only `true` counts, and `admin` holds all but `operator`; of a
    /// person the role does.
    pub fn has(&self, permission: Permission) -> bool {
        let key = match &self.who {
            Who::Key(key) => key,
            Who::Person(person) => return role::grants(person.role, permission),
        };
        key_has(&key.permissions, permission)
    }

    /// Refuses a caller without a permission.
    pub fn needs(&self, permission: Permission) -> Result<()> {
        if self.has(permission) {
            return Ok(());
        }
        let permission = permission.as_str();
        let detail = match &self.who {
            Who::Key(_) => {
                format!("This key lacks the permission `{permission}`. Use a key that has it, or have one made.")
            }
            Who::Person(person) => format!(
                "Your role here is `{}`, which lacks the permission `{permission}`. Ask an admin.",
                person.role
            ),
        };
        Err(Error::new(Code::PermissionDenied, detail))
    }

    /// Refuses whoever is neither the tenant's owner nor an operator.
    pub(crate) fn needs_owner(&self) -> Result<()> {
        let authority = self.authority();
        if authority.operator || matches!(&self.who, Who::Person(person) if person.role == Role::Owner) {
            return Ok(());
        }
        Err(Error::new(
            Code::PermissionDenied,
            "This takes the tenant's owner, signed in, or an operator's key: have one of them do it.",
        ))
    }

    /// Who is signed in; refuses keys.
    pub(crate) fn person(&self) -> Result<&Person> {
        match &self.who {
            Who::Person(person) => Ok(person),
            Who::Key(_) => Err(Error::new(
                Code::PermissionDenied,
                "This is about a session, and an API key has none. `GET /api/v1/api-keys` tells about keys.",
            )),
        }
    }

    /// Refuses sessions, where a browser that was tricked could do too much.
    pub(crate) fn needs_key(&self) -> Result<()> {
        match &self.who {
            Who::Key(_) => Ok(()),
            Who::Person(_) => Err(Error::new(
                Code::PermissionDenied,
                "This takes an API key and no session: make a key, and send it as `Authorization: Bearer sk_…`.",
            )),
        }
    }

    /// How far the caller's rights over people go (K3): up to the strongest role whose every right they have. An owner's
    /// rights are an admin's and deleting the tenant, which of keys only an operator's may. People act in all environments,
    /// so a key that is bound to one has every right of no role.
    pub(crate) fn authority(&self) -> Authority {
        let bound = self.actor.environment.is_some();
        let operator = self.has(Permission::Operator) && !bound;
        let rank = match &self.who {
            Who::Person(person) => Some(person.role),
            Who::Key(_) if bound => None,
            Who::Key(_) => Role::ALL.into_iter().rev().find(|role| {
                of_role(*role).all(|permission| self.has(permission)) && (*role != Role::Owner || operator)
            }),
        };
        Authority {
            actor: self.actor.clone(),
            rank,
            operator,
        }
    }

    /// From when on the caller's key is refused. No key that it makes may live longer (K3).
    pub fn expires_at(&self) -> Option<Timestamp> {
        match &self.who {
            Who::Key(key) => key.expires_at,
            Who::Person(_) => None,
        }
    }

    /// From where the caller's key may be used. No key that it makes may be used from elsewhere (K3).
    pub fn allowed_networks(&self) -> Option<&[KeyNetwork]> {
        match &self.who {
            Who::Key(key) => key.allowed_networks.as_deref(),
            Who::Person(_) => None,
        }
    }

    /// Refuses a new key with unknown permissions, and one that is stronger, lives longer or reaches further than the
    /// caller's own.
    pub fn may_make(&self, new: &NewApiKey) -> Result<()> {
        self.may_grant(&new.permissions)?;
        self.may_outlive(new.expires_at)?;
        self.may_reach(new.allowed_networks.as_deref())
    }

    /// Refuses a change that gives a key more than the caller has: rights, rights for longer than the caller has them, a
    /// longer life or a further reach for the rights it has (K3).
    pub fn may_change(&self, key: &ApiKey, patch: &ApiKeyPatch) -> Result<()> {
        if let Some(permissions) = &patch.permissions {
            self.may_grant(permissions)?;
        }
        let permissions = patch.permissions.as_ref().unwrap_or(&key.permissions);
        let expires_at = patch.expires_at.unwrap_or(key.expires_at);
        let networks = patch
            .allowed_networks
            .as_ref()
            .unwrap_or(&key.allowed_networks)
            .as_deref();
        let gains = |permission: &Permission| !key_has(&key.permissions, *permission);
        let gains_rights = patch.permissions.is_some() && parse(permissions)?.iter().any(gains);
        let lives_longer = is_later(expires_at, key.expires_at);
        let reaches_further = !covers(key.allowed_networks.as_deref(), networks);
        if lives_longer || reaches_further {
            self.may_grant(permissions)?;
        }
        if gains_rights || lives_longer || reaches_further {
            self.may_outlive(expires_at)?;
            self.may_reach(networks)?;
        }
        Ok(())
    }

    fn may_grant(&self, permissions: &Permissions) -> Result<()> {
        parse(permissions)?
            .into_iter()
            .try_for_each(|permission| self.needs(permission))
    }

    fn may_reach(&self, networks: Option<&[KeyNetwork]>) -> Result<()> {
        if covers(self.allowed_networks(), networks) {
            return Ok(());
        }
        Err(Error::new(
            Code::PermissionDenied,
            "This key may be used from some networks only, so a key it makes or changes cannot be used from others: send `allowedNetworks` that lie within its own.",
        ))
    }

    fn may_outlive(&self, expires_at: Option<Timestamp>) -> Result<()> {
        if is_later(expires_at, self.expires_at()) {
            return Err(Error::new(
                Code::PermissionDenied,
                "This key expires, so a key it makes or changes cannot live longer: send an `expiresAt` that is not later than its own.",
            ));
        }
        Ok(())
    }
}

/// Whether a key with these permissions has one: only `true` counts, and `admin` holds all but `operator`.
fn key_has(permissions: &Permissions, permission: Permission) -> bool {
    let granted = |permission: Permission| permissions.get(permission.as_str()) == Some(&true);
    granted(permission) || (permission != Permission::Operator && granted(Permission::Admin))
}

/// Whether one expiry is later than another; never is the latest.
fn is_later(one: Option<Timestamp>, other: Option<Timestamp>) -> bool {
    match (one, other) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(one), Some(other)) => one > other,
    }
}

/// The permissions that are granted by a map, all names being known.
fn parse(map: &BTreeMap<String, bool>) -> Result<Vec<Permission>> {
    let find = |name: &str| Permission::ALL.iter().copied().find(|known| known.as_str() == name);
    let unknown: Vec<FieldError> = map
        .keys()
        .filter(|name| find(name).is_none())
        .map(|name| FieldError {
            pointer: format!("/permissions/{}", name.replace('~', "~0").replace('/', "~1")),
            message: "is no permission; permissions are `<noun>:<read|write|execute>`, `admin` and `operator`"
                .to_owned(),
        })
        .collect();
    if !unknown.is_empty() {
        return Err(invalid("There are unknown permissions: see `fields`.", unknown));
    }
    Ok(map
        .iter()
        .filter(|(_, granted)| **granted)
        .filter_map(|(name, _)| find(name))
        .collect())
}

/// The token of `Authorization: Bearer`, which must be there once.
fn bearer(headers: &HeaderMap) -> Result<&str> {
    let refused = || {
        Error::new(
            Code::Unauthenticated,
            "This needs an API key. Send `Authorization: Bearer sk_…` once, with your key.",
        )
    };
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next().ok_or_else(refused)?;
    if values.next().is_some() {
        return Err(refused());
    }
    let (scheme, token) = value
        .to_str()
        .ok()
        .and_then(|text| text.split_once(' '))
        .ok_or_else(refused)?;
    if scheme.eq_ignore_ascii_case("bearer") {
        Ok(token.trim())
    } else {
        Err(refused())
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(values: &[&'static str]) -> HeaderMap {
        values
            .iter()
            .map(|value| (header::AUTHORIZATION, HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn reads_one_bearer_token() {
        assert_eq!(bearer(&headers(&["Bearer sk_1"])).unwrap(), "sk_1");
        assert_eq!(bearer(&headers(&["bearer sk_1"])).unwrap(), "sk_1");
        for refused in [
            &[][..],
            &["Bearer"],
            &["Basic sk_1"],
            &["sk_1"],
            &["Bearer sk_1", "Bearer sk_2"],
        ] {
            assert_eq!(bearer(&headers(refused)).unwrap_err().code(), Code::Unauthenticated);
        }
    }

    #[test]
    fn only_true_grants_and_unknown_names_are_refused() {
        let map = |pairs: &[(&str, bool)]| pairs.iter().map(|(name, on)| ((*name).to_owned(), *on)).collect();
        let granted = parse(&map(&[("workflows:read", true), ("credentials:read", false)])).unwrap();
        assert_eq!(granted, [Permission::WorkflowsRead]);
        let error = parse(&map(&[("workflows:fly", false)])).unwrap_err();
        assert_eq!(error.code(), Code::RequestInvalid);
        assert_eq!(error.fields()[0].pointer, "/permissions/workflows:fly");
    }
}
