//! Tenure's API: Flux's kinds in every served version, [`Tenant`], conditions, the names that are part
//! of the API, the CRDs, and the one table of [`rights`] from which every Role is rendered.
//!
//! It refuses to know a Kubernetes client, an async runtime or the clock: time is an argument.
//!
//! Invariants: decoding is tolerant (unknown fields are ignored, durations stay text until asked for);
//! conditions keep the contract's order; no rendered Role has a right that the table does not give.

mod artifact;
mod bucket;
pub mod condition;
mod crds;
mod external_artifact;
mod git_repository;
mod helm_chart;
mod helm_repository;
mod kustomization;
mod kustomization_status;
mod names;
mod object;
mod oci_repository;
pub mod reasons;
mod reference;
pub mod rights;
mod source_status;
mod tenant;

pub use artifact::Artifact;
pub use bucket::{Bucket, BucketSpec, BucketStatus, BucketSts};
pub use condition::{
    ARTIFACT_IN_STORAGE, ARTIFACT_OUTDATED, BUILD_FAILED, Condition, ConditionStatus, Conditions, DRIFTED,
    FETCH_FAILED, HEALTHY, INCLUDE_UNAVAILABLE, MAX_MESSAGE, READY, RECONCILING, SOURCE_VERIFIED, STALLED,
    STORAGE_OPERATION_FAILED, get, is_true, rfc3339,
};
pub use crds::crds;
pub use external_artifact::{ExternalArtifact, ExternalArtifactSpec, ExternalArtifactStatus};
pub use git_repository::{
    GitInclude, GitRepository, GitRepositoryRef, GitRepositorySpec, GitRepositoryStatus, GitVerification,
};
pub use helm_chart::{HelmChart, HelmChartSpec, HelmChartStatus};
pub use helm_repository::{HelmRepository, HelmRepositorySpec, HelmRepositoryStatus};
pub use kustomization::{
    CommonMetadata, CustomHealthCheck, Decryption, IgnoreRule, Image, Json6902Patch, KubeConfigReference,
    Kustomization, KustomizationSpec, Patch, PostBuild, SubstituteReference,
};
pub use kustomization_status::{HistorySnapshot, KustomizationStatus, ResourceInventory, ResourceRef};
pub use names::*;
pub use object::Object;
pub use oci_repository::{
    OciLayerSelector, OciRepository, OciRepositoryRef, OciRepositorySpec, OciRepositoryStatus,
    OciVerification, OidcIdentity,
};
pub use reference::{
    DependencyReference, LocalObjectReference, ObjectReference, SecretKeyReference, Selector, SourceReference,
};
pub use source_status::SourceStatus;
pub use tenant::{
    AccountReference, HomeReport, HomeStatus, Isolation, Limit, Limits, Peer, PodPlacement, Profile,
    QuantityError, SourcePolicy, SourceSecret, Tenant, TenantError, TenantSpec, TenantStatus, Toleration,
};
