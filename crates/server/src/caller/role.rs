//! What each role may do: the one table.

use tieline::membership::Role;

use super::Permission;

/// The nouns that editors only read: people, keys and the tenant itself.
const OF_ADMINS: [&str; 3] = ["users", "keys", "tenants"];

/// Whether a role holds a permission. What an owner has beyond an admin is no permission: deleting the tenant. Running
/// the deployment is nobody's role: it takes an operator's key.
pub(crate) fn grants(role: Role, permission: Permission) -> bool {
    let (noun, verb) = match permission {
        Permission::Operator => return false,
        Permission::Admin => return role >= Role::Admin,
        other => other.as_str().split_once(':').unwrap_or_default(),
    };
    match role {
        Role::Viewer => verb == "read",
        Role::Editor => verb == "read" || !OF_ADMINS.contains(&noun),
        Role::Admin | Role::Owner => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn k2_each_role_may_what_the_one_before_may_and_more() {
        let of = |role: Role| -> Vec<Permission> {
            let all = Permission::ALL.iter().copied();
            all.filter(|permission| grants(role, *permission)).collect()
        };
        for pair in Role::ALL.windows(2) {
            let (less, more) = (of(pair[0]), of(pair[1]));
            assert!(less.iter().all(|permission| more.contains(permission)), "{pair:?}");
        }
        assert!(
            of(Role::Viewer)
                .iter()
                .all(|permission| permission.as_str().ends_with(":read"))
        );
        assert!(of(Role::Viewer).contains(&Permission::AuditRead));
        let editor = of(Role::Editor);
        assert!(editor.contains(&Permission::ConnectionsExecute) && editor.contains(&Permission::CredentialsWrite));
        assert!(editor.contains(&Permission::UsersRead));
        for more in [
            Permission::Admin,
            Permission::UsersWrite,
            Permission::KeysWrite,
            Permission::KeysExecute,
            Permission::TenantsWrite,
        ] {
            assert!(!editor.contains(&more), "{more:?}");
        }
        assert_eq!(of(Role::Admin), of(Role::Owner));
        assert_eq!(
            of(Role::Owner).len(),
            Permission::ALL.len() - 1,
            "all but the operator's"
        );
    }
}
