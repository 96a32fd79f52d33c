use tenure_api::{GitInclude, GitRepository, GitVerification, reasons};
use tenure_core::SourceUrl;

use crate::source::plan::{Observed, Plan, Refusal, Resolve, allowed};
use crate::{GitReference, Home};

/// Which reference of which repository, and what opens it.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) url: SourceUrl,
    pub(crate) reference: GitReference,
    pub(crate) secret: SecretChoice,
    /// `spec.provider` is `github`: the Secret has the key of an App.
    pub(crate) github: bool,
    /// `spec.proxySecretRef`
    pub(crate) proxy: Option<String>,
    pub(crate) sparse: Vec<String>,
    /// `spec.recurseSubmodules`
    pub(crate) submodules: bool,
    pub(crate) verify: Option<Verify>,
    pub(crate) include: Vec<GitInclude>,
}

/// Whose signatures are required, and on what.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Verify {
    /// As the status repeats it.
    pub(crate) mode: &'static str,
    pub(crate) tag: bool,
    pub(crate) head: bool,
    /// Name of the Secret with public keys.
    pub(crate) secret: String,
}

/// Which Secret opens the repository.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SecretChoice {
    /// `spec.secretRef`, or the Tenant's for this URL.
    Named(String),
    /// None is named and the URL can be read without one.
    Anonymous,
    /// None is named and ssh needs one.
    Missing,
}

/// Decides; total and without effects.
pub(crate) fn plan(observed: &Observed<'_>) -> Plan<Question> {
    let repository = match super::typed(observed.object) {
        Ok(repository) => repository,
        Err(error) => return Refusal::unreadable(&error).into(),
    };
    if repository.metadata.deletion_timestamp.is_some() {
        let url = repository.spec.url.parse::<SourceUrl>().ok();
        return Plan::Release {
            remote: url.map(|url| url.remote_key()),
        };
    }
    if repository.spec.suspend || observed.home.suspended {
        return Plan::Rest;
    }
    resolve(&repository, observed.home).into()
}

fn resolve(repository: &GitRepository, home: &Home) -> Result<Resolve<Question>, Refusal> {
    let spec = &repository.spec;
    let url: SourceUrl = spec.url.parse().map_err(Refusal::url)?;
    let spellings = url.spellings();
    allowed(home, &url, &spellings)?;
    if let Some(field) = unsupported(repository) {
        return Err(Refusal::unsupported(field));
    }
    let github = spec.provider.as_deref() == Some("github");
    let secret = match (&spec.secret_ref, home.sources.secret_for(&spellings)) {
        (Some(reference), _) => SecretChoice::Named(reference.name.clone()),
        (None, Some(name)) => SecretChoice::Named(name.to_owned()),
        (None, None) if github => {
            return Err(provider("needs a Secret with the App's key in spec.secretRef"));
        }
        (None, None) if url.scheme() == "ssh" => SecretChoice::Missing,
        (None, None) => SecretChoice::Anonymous,
    };
    if github && url.scheme() != "https" {
        return Err(provider("needs an https:// URL in spec.url"));
    }
    let question = Question {
        github,
        url,
        reference: reference(repository),
        secret,
        proxy: spec.proxy_secret_ref.as_ref().map(|secret| secret.name.clone()),
        submodules: spec.recurse_submodules.unwrap_or(false),
        sparse: spec.sparse_checkout.clone().unwrap_or_default(),
        verify: spec.verify.as_ref().map(verify).transpose()?,
        include: spec.include.clone().unwrap_or_default(),
    };
    Resolve::new(question, spec.ignore.as_ref(), spec.interval(), spec.timeout())
}

/// Commit before name before semver before tag before branch; `master` when nothing is said.
fn reference(repository: &GitRepository) -> GitReference {
    let Some(reference) = &repository.spec.reference else {
        return GitReference::Branch("master".to_owned());
    };
    let set = |field: &Option<String>| field.clone().filter(|text| !text.is_empty());
    if let Some(commit) = set(&reference.commit) {
        return GitReference::Commit {
            commit,
            branch: set(&reference.branch),
        };
    }
    set(&reference.name)
        .map(GitReference::Name)
        .or_else(|| set(&reference.semver).map(GitReference::Semver))
        .or_else(|| set(&reference.tag).map(GitReference::Tag))
        .or_else(|| set(&reference.branch).map(GitReference::Branch))
        .unwrap_or_else(|| GitReference::Branch("master".to_owned()))
}

fn verify(verify: &GitVerification) -> Result<Verify, Refusal> {
    let (mode, tag, head) = match verify.mode.as_deref().unwrap_or_default() {
        "" | "HEAD" | "head" => ("HEAD", false, true),
        "Tag" => ("Tag", true, false),
        "TagAndHEAD" => ("TagAndHEAD", true, true),
        other => {
            return Err(Refusal {
                reason: reasons::INVALID_VERIFICATION_MODE,
                message: format!("spec.verify.mode {other:?} is none of HEAD, Tag and TagAndHEAD"),
                limit: None,
            });
        }
    };
    Ok(Verify {
        mode,
        tag,
        head,
        secret: verify.secret_ref.name.clone(),
    })
}

fn provider(needs: &str) -> Refusal {
    Refusal {
        reason: reasons::INVALID_PROVIDER_CONFIGURATION,
        message: format!("spec.provider 'github' {needs}"),
        limit: None,
    }
}

/// A field that asks for what is not built yet: said aloud, never skipped.
fn unsupported(repository: &GitRepository) -> Option<&'static str> {
    let spec = &repository.spec;
    let asked = [(
        spec.provider
            .as_deref()
            .is_some_and(|provider| !matches!(provider, "generic" | "github")),
        "provider",
    )];
    asked
        .into_iter()
        .find_map(|(asked, field)| asked.then_some(field))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SecretFor;
    use crate::testing::home;
    use serde_json::{Value, json};

    fn object(spec: &Value) -> Value {
        let mut full = json!({"interval": "1m0s", "url": "ssh://git@host/app.git"});
        for (key, value) in spec.as_object().expect("a spec") {
            full[key] = value.clone();
        }
        json!({
            "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository",
            "metadata": {"name": "app", "namespace": "apps", "generation": 1}, "spec": full,
        })
    }

    fn planned(object: &Value, home: &Home) -> Plan<Question> {
        plan(&Observed { object, home })
    }

    fn resolved(spec: &Value, home: &Home) -> Resolve<Question> {
        match planned(&object(spec), home) {
            Plan::Resolve(resolve) => *resolve,
            other => panic!("{other:?}"),
        }
    }

    fn refused(spec: &Value, home: &Home) -> Refusal {
        match planned(&object(spec), home) {
            Plan::Refuse(refusal) => refusal,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_reference_follows_fluxs_precedence() {
        let home = home("apps", &[]);
        for (reference, expected) in [
            (json!({}), GitReference::Branch("master".into())),
            (json!({"branch": "main"}), GitReference::Branch("main".into())),
            (
                json!({"branch": "main", "tag": "v1"}),
                GitReference::Tag("v1".into()),
            ),
            (
                json!({"tag": "v1", "semver": "1.x"}),
                GitReference::Semver("1.x".into()),
            ),
            (
                json!({"semver": "1.x", "name": "refs/pull/1/head"}),
                GitReference::Name("refs/pull/1/head".into()),
            ),
            (
                json!({"branch": "main", "commit": "abc"}),
                GitReference::Commit {
                    commit: "abc".into(),
                    branch: Some("main".into()),
                },
            ),
        ] {
            assert_eq!(
                resolved(&json!({"ref": reference}), &home).question.reference,
                expected
            );
        }
        assert_eq!(
            resolved(&json!({}), &home).question.reference,
            GitReference::Branch("master".into())
        );
    }

    #[test]
    fn the_objects_secret_wins_over_the_tenants() {
        let mut home = home("apps", &[]);
        assert_eq!(resolved(&json!({}), &home).question.secret, SecretChoice::Missing);
        assert_eq!(
            resolved(&json!({"url": "https://host/a"}), &home).question.secret,
            SecretChoice::Anonymous
        );
        home.sources.secrets = vec![SecretFor {
            prefix: "ssh://git@host/".into(),
            name: "tenants".into(),
        }];
        assert_eq!(
            resolved(&json!({}), &home).question.secret,
            SecretChoice::Named("tenants".into())
        );
        let named = json!({"secretRef": {"name": "own"}});
        assert_eq!(
            resolved(&named, &home).question.secret,
            SecretChoice::Named("own".into())
        );
    }

    #[test]
    fn a_url_outside_the_tenants_prefixes_is_refused() {
        let mut home = home("apps", &[]);
        home.sources.allow = vec!["ssh://git@host/".into()];
        resolved(&json!({}), &home);
        let refusal = refused(&json!({"url": "https://user:CANARY@evil/a"}), &home);
        assert_eq!(refusal.reason, reasons::ACCESS_DENIED);
        assert!(refusal.message.contains("spec.sources.allow") && !refusal.message.contains("CANARY"));
    }

    #[test]
    fn what_can_never_work_is_said_and_not_tried() {
        let home = home("apps", &[]);
        assert_eq!(
            refused(&json!({"url": "ssh://-oProxyCommand=x/a"}), &home).reason,
            reasons::URL_INVALID
        );
        assert!(
            refused(&json!({"interval": "soon"}), &home)
                .message
                .contains("spec.interval")
        );
        let cloud = json!({"provider": "azure"});
        assert!(refused(&cloud, &home).message.contains("spec.provider"));
        let github = json!({"provider": "github", "url": "https://github.com/team/app"});
        let refusal = refused(&github, &home);
        assert_eq!(refusal.reason, reasons::INVALID_PROVIDER_CONFIGURATION);
        assert!(refusal.message.contains("spec.secretRef"));
        let ssh = json!({"provider": "github", "secretRef": {"name": "app"}});
        assert!(refused(&ssh, &home).message.contains("https://"));
    }

    #[test]
    fn what_is_to_be_signed_is_the_commit_unless_the_mode_says_more() {
        let home = home("apps", &[]);
        let modes = [
            (json!({}), "HEAD", false, true),
            (json!({"mode": "head"}), "HEAD", false, true),
            (json!({"mode": "Tag"}), "Tag", true, false),
            (json!({"mode": "TagAndHEAD"}), "TagAndHEAD", true, true),
        ];
        for (mut spec, mode, tag, head) in modes {
            spec["secretRef"] = json!({"name": "keys"});
            let verify = resolved(&json!({"verify": spec}), &home).question.verify;
            let secret = "keys".to_owned();
            assert_eq!(
                verify,
                Some(Verify {
                    mode,
                    tag,
                    head,
                    secret
                })
            );
        }
    }

    #[test]
    fn a_suspended_object_rests_and_a_deleted_one_is_released() {
        let home = home("apps", &[]);
        assert!(matches!(
            planned(&object(&json!({"suspend": true})), &home),
            Plan::Rest
        ));
        let mut deleted = object(&json!({"suspend": true}));
        deleted["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        assert!(matches!(
            planned(&deleted, &home),
            Plan::Release { remote: Some(_) }
        ));
    }
}
