//! Our finalizers taken off a namespace: what is deleted can go, and what was applied stays.

use anyhow::Context as _;
use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams};
use kube::{Client, ResourceExt as _};
use serde_json::json;
use tenure_api::{FINALIZER, KUSTOMIZE_GROUP, SOURCE_GROUP, TENANT_LABEL, WORKER_RIGHTS_FINALIZER};

use crate::cluster::api;

/// What a Flux object is called in the API: group, kind, plural.
pub(crate) const FLUX: [(&str, &str, &str); 6] = [
    (KUSTOMIZE_GROUP, "Kustomization", "kustomizations"),
    (SOURCE_GROUP, "GitRepository", "gitrepositories"),
    (SOURCE_GROUP, "OCIRepository", "ocirepositories"),
    (SOURCE_GROUP, "HelmRepository", "helmrepositories"),
    (SOURCE_GROUP, "HelmChart", "helmcharts"),
    (SOURCE_GROUP, "Bucket", "buckets"),
];
/// How often an object that moved on meanwhile is tried again.
const CONFLICTS: u32 = 5;

/// Takes our finalizers off the Flux objects and the worker's rights in a namespace. How many objects
/// were let go.
pub(crate) async fn release(client: &Client, namespace: &str) -> anyhow::Result<usize> {
    let mut freed = 0;
    for (group, kind, plural) in FLUX {
        let objects = api(client, group, "v1", kind, plural, Some(namespace));
        freed += without(&objects, FINALIZER, &ListParams::default()).await?;
    }
    Ok(freed + release_rights(client, namespace).await?)
}

/// The same for the worker's rights alone: the finalizer of the Flux objects is Flux's too, which may go on with them.
pub(crate) async fn release_rights(client: &Client, namespace: &str) -> anyhow::Result<usize> {
    let mut freed = 0;
    let ours = ListParams::default().labels(TENANT_LABEL);
    for (kind, plural) in [("Role", "roles"), ("RoleBinding", "rolebindings")] {
        let objects = api(
            client,
            "rbac.authorization.k8s.io",
            "v1",
            kind,
            plural,
            Some(namespace),
        );
        freed += without(&objects, WORKER_RIGHTS_FINALIZER, &ours).await?;
    }
    Ok(freed)
}

/// All objects; none where the kind is not served.
pub(crate) async fn listed(
    objects: &Api<DynamicObject>,
    which: &ListParams,
) -> anyhow::Result<Vec<DynamicObject>> {
    match objects.list(which).await {
        Ok(list) => Ok(list.items),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(Vec::new()),
        Err(error) => Err(error).with_context(|| format!("failed to list {}", objects.resource_url())),
    }
}

/// Takes one finalizer, and no other, off every object that has it.
async fn without(objects: &Api<DynamicObject>, finalizer: &str, which: &ListParams) -> anyhow::Result<usize> {
    let mut freed = 0;
    for object in listed(objects, which).await? {
        freed += usize::from(let_go(objects, object, finalizer).await?);
    }
    Ok(freed)
}

async fn let_go(
    objects: &Api<DynamicObject>,
    mut object: DynamicObject,
    finalizer: &str,
) -> anyhow::Result<bool> {
    let name = object.name_any();
    for _ in 0..CONFLICTS {
        let kept: Vec<_> = object
            .finalizers()
            .iter()
            .filter(|one| *one != finalizer)
            .collect();
        if kept.len() == object.finalizers().len() {
            return Ok(false);
        }
        let patch = json!({"metadata": {"finalizers": kept, "resourceVersion": object.resource_version()}});
        match objects
            .patch(&name, &PatchParams::default(), &Patch::Merge(patch))
            .await
        {
            Ok(_) => return Ok(true),
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(false),
            Err(kube::Error::Api(status)) if status.code == 409 => match objects.get_opt(&name).await? {
                Some(newer) => object = newer,
                None => return Ok(false),
            },
            Err(error) => {
                return Err(error).with_context(|| format!("failed to release the finalizer of '{name}'"));
            }
        }
    }
    anyhow::bail!(
        "'{name}' changes all the time: its finalizer was not released; is a worker running for it?"
    )
}
