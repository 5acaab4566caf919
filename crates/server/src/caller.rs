//! Who calls us, and what they may.
//!
//! A caller's tenant comes from their key and from nowhere else.

use std::{collections::BTreeMap, sync::Arc};

use http::{HeaderMap, header};
use tieline::{
    Code, Error, Result,
    api_key::{ApiKey, NewApiKey},
    audit::Actor,
    clock::Timestamp,
    error::FieldError,
};

use crate::{app::App, route::invalid};

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
    /// Whoever has this permission.
    Needs(Permission),
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
        })
    }
}

/// An authenticated caller.
pub struct Caller {
    /// Whose tenant they act in, and under which name.
    pub actor: Actor,
    key: Arc<ApiKey>,
}

impl Caller {
    /// The caller named by `Authorization: Bearer sk_…`, or this machine's command line with the key of this run.
    pub(crate) async fn authenticate(app: &App, headers: &HeaderMap, asked: &str) -> Result<Self> {
        let token = bearer(headers)?;
        if let Some((actor, key)) = app.local.as_ref().and_then(|local| local.admits(token)) {
            return Ok(Self { actor, key });
        }
        let key = app.connectors.authenticate(token, asked).await?;
        let actor = Actor {
            tenant: key.tenant,
            name: key.id.to_string(),
        };
        Ok(Self { actor, key })
    }

    /// Whether the caller has a permission. Only `true` counts, and `admin` holds all but `operator`.
    pub fn has(&self, permission: Permission) -> bool {
        let granted = |permission: Permission| self.key.permissions.get(permission.as_str()) == Some(&true);
        granted(permission) || (permission != Permission::Operator && granted(Permission::Admin))
    }

    /// Refuses a caller without a permission.
    pub fn needs(&self, permission: Permission) -> Result<()> {
        if self.has(permission) {
            return Ok(());
        }
        let permission = permission.as_str();
        Err(Error::new(
            Code::PermissionDenied,
            format!("This key lacks the permission `{permission}`. Use a key that has it, or have one made."),
        ))
    }

    /// From when on the caller's key is refused. No key that it makes may live longer (K3).
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.key.expires_at
    }

    /// Refuses a new key with unknown permissions, and one stronger or longer-lived than the caller's own.
    pub fn may_make(&self, new: &NewApiKey) -> Result<()> {
        for permission in parse(&new.permissions)? {
            self.needs(permission)?;
        }
        let outlives = match (self.key.expires_at, new.expires_at) {
            (Some(own), Some(new)) => new > own,
            (Some(_), None) => true,
            (None, _) => false,
        };
        if outlives {
            return Err(Error::new(
                Code::PermissionDenied,
                "This key expires, so a key it makes cannot live longer: send an `expiresAt` that is not later than its own.",
            ));
        }
        Ok(())
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
