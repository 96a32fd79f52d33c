//! Who can take the last finalizer off the rights of a namespace that goes away.

use anyhow::ensure;
use k8s_openapi::api::authorization::v1::SubjectAccessReview;
use kube::Client;
use kube::api::{Api, PostParams};
use serde_json::json;
use tenure_api::WORKER_RIGHTS_FINALIZER;
use tenure_api::rights::{RELEASE_ACCOUNT, RELEASE_ORDER};
use tenure_kube::{Cluster, Connection, ReleaseClient, Standing, TokenCell};
use tenure_testkit::{ControlPlane, Installation, TenantFixture, apply_yaml, until};
use tenure_tests::PATIENCE;

use super::{bindings, delete_namespace, merge, namespace_gone, roles};

/// A Role and its RoleBinding that let an account release exactly these two.
const PAIR: &str = r#"
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: pair, namespace: NS, finalizers: [tenure.dev/worker-rights]}
rules: [{apiGroups: [rbac.authorization.k8s.io], resources: [roles, rolebindings], resourceNames: [pair], verbs: [get, patch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: pair, namespace: NS, finalizers: [tenure.dev/worker-rights]}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: pair}
subjects: [{kind: ServiceAccount, name: who, namespace: NS}]
"#;

/// What the authorizer says now: it follows the Roles through a watch, and may be behind.
async fn may_patch(
    client: &Client,
    user: &str,
    resource: &str,
    name: &str,
    namespace: &str,
) -> anyhow::Result<bool> {
    let reviews: Api<SubjectAccessReview> = Api::all(client.clone());
    let review = serde_json::from_value(json!({"spec": {"user": user, "resourceAttributes": {
        "verb": "patch", "group": "rbac.authorization.k8s.io", "resource": resource, "name": name, "namespace": namespace,
    }}}))?;
    let answer = reviews.create(&PostParams::default(), &review).await?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

async fn patch_as(
    plane: &ControlPlane,
    user: &str,
    what: &str,
    namespace: &str,
    patch: &str,
) -> anyhow::Result<String> {
    plane
        .kubectl(&[
            "patch",
            what,
            "-n",
            namespace,
            "--type=merge",
            "-p",
            patch,
            "--as",
            user,
        ])
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_and_its_binding_can_not_both_be_released_by_who_they_authorise() -> anyhow::Result<()> {
    let plane = ControlPlane::shared().await?;
    let client = plane.admin_client();
    for (first, second) in [("rolebinding", "role"), ("role", "rolebinding")] {
        let namespace = TenantFixture::new("pair").name;
        apply_yaml(
            &client,
            &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}).to_string(),
            None,
        )
        .await?;
        apply_yaml(&client, &PAIR.replace("NS", &namespace), None).await?;
        let user = format!("system:serviceaccount:{namespace}:who");
        let resource = format!("{second}s");
        authorised(&client, &user, &resource, "pair", &namespace, true).await?;
        delete_namespace(&client, &namespace).await?;
        until("both to be deleted", PATIENCE, || async {
            let role = roles(&client, &namespace).get("pair").await?;
            let binding = bindings(&client, &namespace).get("pair").await?;
            ensure!(
                role.metadata.deletion_timestamp.is_some() && binding.metadata.deletion_timestamp.is_some()
            );
            Ok(())
        })
        .await?;
        let free = r#"{"metadata":{"finalizers":null}}"#;
        patch_as(&plane, &user, &format!("{first}/pair"), &namespace, free).await?;
        // Until the authorizer has seen it, a race may still be won: that is luck and no construction.
        authorised(&client, &user, &resource, "pair", &namespace, false).await?;
        let refused = patch_as(&plane, &user, &format!("{second}/pair"), &namespace, free).await;
        let error = format!(
            "{:#}",
            refused
                .err()
                .unwrap_or_else(|| anyhow::anyhow!("nothing was refused"))
        );
        assert!(error.contains("forbidden"), "{second} after {first}: {error}");
        let left = json!({"metadata": {"finalizers": null}});
        match second {
            "role" => merge(&roles(&client, &namespace), "pair", &left).await?,
            _ => merge(&bindings(&client, &namespace), "pair", &left).await?,
        }
        namespace_gone(&client, &namespace).await?;
    }
    Ok(())
}

async fn authorised(
    client: &Client,
    user: &str,
    resource: &str,
    name: &str,
    namespace: &str,
    is: bool,
) -> anyhow::Result<()> {
    until(
        &format!("{user} may patch {resource}/{name}: {is}"),
        PATIENCE,
        || async {
            ensure!(may_patch(client, user, resource, name, namespace).await? == is);
            Ok(())
        },
    )
    .await
}

/// A home whose rights nobody minds: the supervisor is dead.
async fn unminded(plane: &ControlPlane) -> anyhow::Result<(Installation, String, String)> {
    let mut tenure = Installation::start(plane).await?;
    tenure.kill_supervisor()?;
    let fixture = TenantFixture::new("unminded");
    fixture.onboard(&tenure).await?;
    let user = format!("system:serviceaccount:{}:{RELEASE_ACCOUNT}", tenure.workers());
    authorised(
        &plane.admin_client(),
        &user,
        "rolebindings",
        "tenure:release",
        &fixture.home,
        true,
    )
    .await?;
    Ok((tenure, fixture.home, user))
}

#[tokio::test(flavor = "multi_thread")]
async fn bound_to_a_cluster_role_the_right_to_release_goes_last_by_itself() -> anyhow::Result<()> {
    let plane = ControlPlane::shared().await?;
    let client = plane.admin_client();
    let (tenure, home, user) = unminded(&plane).await?;
    let endpoint = plane.endpoint()?;
    let connection = Connection::open(&Cluster {
        url: endpoint.url,
        ca_pem: endpoint.ca.into_bytes(),
    })?;
    let token = TokenCell::new(
        plane
            .token_for((tenure.workers(), RELEASE_ACCOUNT), None, 600)
            .await?,
    );
    let release = ReleaseClient::new(
        &connection,
        token,
        home.parse()?,
        WORKER_RIGHTS_FINALIZER,
        &RELEASE_ORDER,
    );
    assert_eq!(release.standing().await?, Standing::Kept);
    let kept = release.release().await?;
    assert_eq!(
        kept.len(),
        RELEASE_ORDER.len() - 1,
        "what nobody deletes is not touched: {kept:?}"
    );

    delete_namespace(&client, &home).await?;
    until("the rights to be deleted", PATIENCE, || async {
        ensure!(release.standing().await? == Standing::Going);
        for (resource, name) in RELEASE_ORDER {
            let api = if resource == "roles" {
                roles(&client, &home)
            } else {
                bindings(&client, &home)
            };
            ensure!(
                api.get(name).await?.metadata.deletion_timestamp.is_some(),
                "{resource}/{name}"
            );
        }
        Ok(())
    })
    .await?;
    assert!(release.release().await?.is_empty());
    namespace_gone(&client, &home).await?;
    ensure!(
        !may_patch(&client, &user, "rolebindings", "tenure:release", "default").await?,
        "it counts in homes alone"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn with_every_other_right_gone_the_last_one_still_counts() -> anyhow::Result<()> {
    let plane = ControlPlane::shared().await?;
    let client = plane.admin_client();
    let (_tenure, home, user) = unminded(&plane).await?;
    delete_namespace(&client, &home).await?;
    let free = r#"{"metadata":{"finalizers":null}}"#;
    for (resource, name) in RELEASE_ORDER {
        let api = if resource == "roles" {
            roles(&client, &home)
        } else {
            bindings(&client, &home)
        };
        until(&format!("{resource}/{name} to be deleted"), PATIENCE, || async {
            ensure!(api.get(name).await?.metadata.deletion_timestamp.is_some());
            Ok(())
        })
        .await?;
        patch_as(&plane, &user, &format!("{resource}/{name}"), &home, free).await?;
        until(&format!("{resource}/{name} to be gone"), PATIENCE, || async {
            ensure!(api.get_opt(name).await?.is_none());
            Ok(())
        })
        .await?;
        let worker = home_worker(&user, &home);
        if (resource, name) == ("roles", "tenure:home") {
            // The authorizer has caught up: nobody lives on what it has not seen yet.
            not_the_worker(&client, &worker, &home).await?;
        }
    }
    namespace_gone(&client, &home).await
}

fn home_worker(releaser: &str, home: &str) -> String {
    releaser.replace(RELEASE_ACCOUNT, home)
}

async fn not_the_worker(client: &Client, worker: &str, home: &str) -> anyhow::Result<()> {
    let reviews: Api<SubjectAccessReview> = Api::all(client.clone());
    let review: SubjectAccessReview =
        serde_json::from_value(json!({"spec": {"user": worker, "resourceAttributes": {
            "verb": "get", "resource": "serviceaccounts", "namespace": home,
        }}}))?;
    until("the worker to have lost its rights", PATIENCE, || async {
        let answer = reviews.create(&PostParams::default(), &review).await?;
        ensure!(answer.status.is_some_and(|status| !status.allowed));
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_releases_rights_changes_finalizers_and_nothing_else() -> anyhow::Result<()> {
    let plane = ControlPlane::shared().await?;
    let (_tenure, home, user) = unminded(&plane).await?;
    let everything = r#"{"rules":[{"apiGroups":["*"],"resources":["*"],"verbs":["*"]}]}"#;
    let somebody = r#"{"subjects":[{"kind":"ServiceAccount","name":"x","namespace":"default"}]}"#;
    for (what, patch) in [
        ("role/tenure:home", everything),
        ("rolebinding/tenure:home", somebody),
        ("rolebinding/tenure:act-as", somebody),
        ("rolebinding/tenure:release", somebody),
    ] {
        until(&format!("{what} to be refused"), PATIENCE, || async {
            // An admission policy counts a moment after it is applied.
            let dry = [
                "patch",
                what,
                "-n",
                &home,
                "--type=merge",
                "-p",
                patch,
                "--as",
                &user,
                "--dry-run=server",
            ];
            ensure!(plane.kubectl(&dry).await.is_err());
            Ok(())
        })
        .await?;
        let error = patch_as(&plane, &user, what, &home, patch)
            .await
            .expect_err("refused");
        let (by_rbac, by_policy) = (
            "attempting to grant RBAC permissions",
            "may not change who has its rights",
        );
        let error = error.to_string();
        assert!(
            error.contains(by_rbac) || error.contains(by_policy),
            "{what}: {error}"
        );
    }
    patch_as(
        &plane,
        &user,
        "role/tenure:home",
        &home,
        r#"{"metadata":{"finalizers":null}}"#,
    )
    .await?;
    let secrets = plane
        .kubectl(&["get", "secrets", "-n", &home, "--as", &user])
        .await
        .expect_err("no Secrets");
    assert!(secrets.to_string().contains("forbidden"), "{secrets}");
    Ok(())
}
