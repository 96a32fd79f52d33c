//! The names that Flux, its clients and Kubernetes know our objects by; part of the API.

/// Group of the source kinds.
pub const SOURCE_GROUP: &str = "source.toolkit.fluxcd.io";
/// Group of Kustomization.
pub const KUSTOMIZE_GROUP: &str = "kustomize.toolkit.fluxcd.io";
/// Group of HelmRelease.
pub const HELM_GROUP: &str = "helm.toolkit.fluxcd.io";
/// Group of alerts, providers and receivers.
pub const NOTIFICATION_GROUP: &str = "notification.toolkit.fluxcd.io";
/// Group of the image kinds.
pub const IMAGE_GROUP: &str = "image.toolkit.fluxcd.io";
/// Our own group.
pub const TENURE_GROUP: &str = "tenure.dev";
/// The groups of a home's Flux kinds.
pub const FLUX_GROUPS: [&str; 5] = [
    SOURCE_GROUP,
    KUSTOMIZE_GROUP,
    HELM_GROUP,
    NOTIFICATION_GROUP,
    IMAGE_GROUP,
];

/// Flux's finalizer, on every reconciled object.
pub const FINALIZER: &str = "finalizers.fluxcd.io";
/// Keeps the worker's Role and RoleBinding of a home alive while the namespace terminates; the worker
/// removes it, last.
pub const WORKER_RIGHTS_FINALIZER: &str = "tenure.dev/worker-rights";

/// Confirms that a Kustomization deletes what its condition names; the value is in the condition.
pub const CONFIRM_PRUNE: &str = "tenure.dev/confirm-prune";
/// `report` on a Kustomization: drift is said and not corrected.
pub const DRIFT: &str = "tenure.dev/drift";
/// A change of its value asks for a reconcile.
pub const REQUESTED_AT: &str = "reconcile.fluxcd.io/requestedAt";
/// Asks a HelmRelease for one forced upgrade.
pub const FORCE_AT: &str = "reconcile.fluxcd.io/forceAt";
/// Asks a HelmRelease to forget its failures.
pub const RESET_AT: &str = "reconcile.fluxcd.io/resetAt";
/// Label of ConfigMaps and Secrets whose change reconciles what refers to them; value `Enabled`.
pub const WATCH_LABEL: &str = "reconcile.fluxcd.io/watch";
/// Label by which Flux shards.
pub const SHARD_LABEL: &str = "sharding.fluxcd.io/key";
/// Prefix of annotations that are copied into events.
pub const EVENT_PREFIX: &str = "event.toolkit.fluxcd.io/";
/// Owner label on applied objects: the Kustomization's name.
pub const OWNER_NAME: &str = "kustomize.toolkit.fluxcd.io/name";
/// Owner label on applied objects: the Kustomization's namespace.
pub const OWNER_NAMESPACE: &str = "kustomize.toolkit.fluxcd.io/namespace";
/// `disabled` skips apply and prune.
pub const RECONCILE: &str = "kustomize.toolkit.fluxcd.io/reconcile";
/// `Merge`, `IfNotPresent` or `Ignore`.
pub const SSA: &str = "kustomize.toolkit.fluxcd.io/ssa";
/// `enabled` recreates on immutable-field errors.
pub const FORCE: &str = "kustomize.toolkit.fluxcd.io/force";
/// `disabled` never deletes.
pub const PRUNE: &str = "kustomize.toolkit.fluxcd.io/prune";
/// `disabled` leaves variables alone.
pub const SUBSTITUTE: &str = "kustomize.toolkit.fluxcd.io/substitute";
/// `disabled` leaves encrypted values alone.
pub const DECRYPT: &str = "kustomize.toolkit.fluxcd.io/decrypt";
/// `ignore` on a Kustomization accepts files whose MAC does not fit, as Flux does.
pub const SOPS_MAC: &str = "tenure.dev/sops-mac";

/// Marks what belongs to an installation, for `flux check`.
pub const PART_OF: &str = "app.kubernetes.io/part-of";
/// Which Tenant an onboarding object belongs to.
pub const TENANT_LABEL: &str = "tenure.dev/tenant";
/// The Flux distribution whose API and behaviour is served, as `flux check` shows it.
pub const FLUX_VERSION: &str = "v2.9.4";

/// Controller name and events' source for the source kinds; also their field manager.
pub const SOURCE_CONTROLLER: &str = "source-controller";
/// Controller name for Kustomizations; also the field manager of what they apply.
pub const KUSTOMIZE_CONTROLLER: &str = "kustomize-controller";
/// Field manager of a Kustomization's status.
pub const KUSTOMIZE_STATUS_MANAGER: &str = "gotk-kustomize-controller";
/// Controller name and field manager for HelmReleases.
pub const HELM_CONTROLLER: &str = "helm-controller";
/// Controller name and field manager for notifications.
pub const NOTIFICATION_CONTROLLER: &str = "notification-controller";
/// Field manager of what the supervisor writes.
pub const SUPERVISOR: &str = "tenure-supervisor";

/// Where the supervisor, the cache and the Tenants live, unless the installation says otherwise.
pub const SYSTEM_NAMESPACE: &str = "tenure-system";
/// Where the workers' ServiceAccounts live, and nothing else.
pub const WORKERS_NAMESPACE: &str = "tenure-workers";
/// The ConfigMap with the keys that the cache checks callers' tokens with.
pub const ISSUER_KEYS: &str = "tenure-issuer-keys";
/// The Secret with the cache's serving certificate.
pub const CACHE_TLS: &str = "tenure-cache-tls";
/// Audience of the tokens that workers show to the cache.
pub const CACHE_AUDIENCE: &str = "tenure-cache";
/// Audience of the supervisor's own token for the cache.
pub const CACHE_CONTROL_AUDIENCE: &str = "tenure-cache-control";
/// The Secret with the supervisor's serving certificate, for workers in pods.
pub const LIFELINE_TLS: &str = "tenure-lifeline-tls";
/// Audience of the token that a worker in a pod shows to the supervisor.
pub const LIFELINE_AUDIENCE: &str = "tenure-lifeline";
/// Marks the pods of workers; the value is the home.
pub const WORKER_LABEL: &str = "tenure.dev/worker";
