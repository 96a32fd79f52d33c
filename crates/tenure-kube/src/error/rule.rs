use std::fmt;

/// One right that was missing, as the API server named it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleRule {
    /// Who lacks it.
    pub user: String,
    /// The verb, as in `create` or `impersonate-on:serviceaccount:patch`.
    pub verb: String,
    /// API group; empty for the core group.
    pub api_group: String,
    /// The resource, with its subresource as in `deployments/status`.
    pub resource: String,
    /// The object's name, where the server said it.
    pub resource_name: Option<String>,
    /// The namespace the Role belongs in; none means a ClusterRole and ClusterRoleBinding.
    pub namespace: Option<String>,
}

impl RoleRule {
    /// Reads `[resource "name" is forbidden: ]User "u" cannot v resource "r" in API group "g" in
    /// the namespace "n"` or `… at the cluster scope`, as the API server's authorisation filter
    /// writes it. Refusals of admission are not of this shape.
    #[must_use]
    pub fn from_message(message: &str) -> Option<Self> {
        let (before, rest) = message.split_once("User \"")?;
        let (user, rest) = rest.split_once("\" cannot ")?;
        let (verb, rest) = rest.split_once(" resource \"")?;
        let (resource, rest) = rest.split_once("\" in API group \"")?;
        let (api_group, rest) = rest.split_once('"')?;
        let namespace = match rest.strip_prefix(" in the namespace \"") {
            Some(rest) => Some(rest.split_once('"')?.0.to_owned()),
            None if rest.starts_with(" at the cluster scope") => None,
            None => return None,
        };
        let resource_name = before
            .split('"')
            .nth(1)
            .filter(|name| !name.is_empty())
            .map(str::to_owned);
        Some(Self {
            user: user.to_owned(),
            verb: verb.to_owned(),
            api_group: api_group.to_owned(),
            resource: resource.to_owned(),
            resource_name,
            namespace,
        })
    }

    /// The rule as it stands under `rules:` of a Role. Only impersonation is narrowed to the
    /// name: RBAC cannot narrow `create`, and applies are rarely wanted for one object only.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        let mut yaml = format!(
            "- apiGroups: [\"{}\"]\n  resources: [\"{}\"]\n  verbs: [\"{}\"]\n",
            self.api_group, self.resource, self.verb
        );
        if let (Some(name), "impersonate" | "impersonate:serviceaccount") =
            (&self.resource_name, self.verb.as_str())
        {
            yaml.push_str(&format!("  resourceNames: [\"{name}\"]\n"));
        }
        yaml
    }

    /// One sentence that says what to allow where, and to whom.
    #[must_use]
    pub fn advice(&self) -> String {
        let place = match &self.namespace {
            Some(namespace) => format!("a Role in namespace \"{namespace}\""),
            None => "a ClusterRole".to_owned(),
        };
        format!(
            "to allow it, bind {} to {place} with this rule:\n{}",
            self.user,
            self.to_yaml()
        )
    }
}

impl fmt::Display for RoleRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} lacks verb \"{}\" on \"{}\"",
            self.user, self.verb, self.resource
        )?;
        write!(f, " in API group \"{}\"", self.api_group)?;
        match &self.namespace {
            Some(namespace) => write!(f, " in namespace \"{namespace}\""),
            None => f.write_str(" at the cluster scope"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_missing_rule_is_read_off_the_servers_message() {
        let apps = RoleRule::from_message(
            r#"deployments.apps "web" is forbidden: User "system:serviceaccount:a:dev" cannot create resource "deployments" in API group "apps" in the namespace "x""#,
        );
        let apps = apps.expect("the usual refusal");
        assert_eq!(apps.resource_name.as_deref(), Some("web"));
        assert_eq!(apps.namespace.as_deref(), Some("x"));
        assert_eq!(
            apps.to_yaml(),
            "- apiGroups: [\"apps\"]\n  resources: [\"deployments\"]\n  verbs: [\"create\"]\n"
        );
        assert!(
            apps.advice()
                .contains("bind system:serviceaccount:a:dev to a Role in namespace \"x\"")
        );
    }

    #[test]
    fn a_refused_impersonation_names_the_workers_rule() {
        let rule = RoleRule::from_message(
            r#"serviceaccounts.authentication.k8s.io "dev" is forbidden: User "system:serviceaccount:tenure-workers:a" cannot impersonate:serviceaccount resource "serviceaccounts" in API group "authentication.k8s.io" in the namespace "a": not granted"#,
        )
        .expect("the impersonation filter's refusal");
        assert_eq!(rule.verb, "impersonate:serviceaccount");
        assert!(rule.to_yaml().ends_with("  resourceNames: [\"dev\"]\n"));
        let on = RoleRule::from_message(
            r#"namespaces is forbidden: User "w" cannot impersonate-on:serviceaccount:list resource "namespaces" in API group "" at the cluster scope"#,
        )
        .expect("a refusal at the cluster scope");
        assert_eq!(
            (on.namespace.as_deref(), on.resource_name.as_deref()),
            (None, None)
        );
        assert!(on.advice().contains("a ClusterRole"));
    }

    #[test]
    fn refusals_of_admission_name_no_rule() {
        for message in [
            "pods \"a\" is forbidden: exceeded quota: q",
            "roles.rbac.authorization.k8s.io \"r\" is forbidden: user \"u\" is attempting to grant RBAC permissions not currently held",
            "",
        ] {
            assert_eq!(RoleRule::from_message(message), None, "{message}");
        }
    }
}
