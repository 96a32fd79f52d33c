//! Condition reasons. Flux's words; ours only where Flux has none.

macro_rules! reasons {
    ($($name:ident = $text:literal, $doc:literal;)*) => {
        $(#[doc = $doc] pub const $name: &str = $text;)*
        /// Every reason, for documentation and tests.
        pub const ALL: &[(&str, &str)] = &[$(($text, $doc)),*];
    };
}

reasons! {
    SUCCEEDED = "Succeeded", "The source is as it should be.";
    FAILED = "Failed", "It failed; the message says how.";
    PROGRESSING = "Progressing", "Work is going on.";
    PROGRESSING_WITH_RETRY = "ProgressingWithRetry", "The last try failed and there will be another.";
    SUSPENDED = "Suspended", "The object is suspended.";
    DEPENDENCY_NOT_READY = "DependencyNotReady", "Something it depends on is not ready.";
    INVALID_PATH = "InvalidPath", "A path is not one.";
    INVALID_URL = "InvalidURL", "A URL is not one.";
    INSECURE_CONNECTIONS_DISALLOWED = "InsecureConnectionsDisallowed", "The connection would not be protected.";
    UNSUPPORTED_CONNECTION_TYPE = "UnsupportedConnectionType", "This kind of connection is not known.";
    PRUNE_FAILED = "PruneFailed", "What left the source could not be deleted.";
    ARTIFACT_FAILED = "ArtifactFailed", "The source or its artifact is missing or unusable.";
    BUILD_FAILED = "BuildFailed", "The objects could not be built.";
    HEALTH_CHECK_FAILED = "HealthCheckFailed", "What was applied did not become healthy.";
    HEALTH_CHECK_CANCELED = "HealthCheckCanceled", "A newer revision interrupted the health check.";
    RECONCILIATION_SUCCEEDED = "ReconciliationSucceeded", "Everything was applied and is healthy.";
    RECONCILIATION_FAILED = "ReconciliationFailed", "The objects could not be applied.";
    INVALID_CEL_EXPRESSION = "InvalidCELExpression", "A CEL expression does not compile.";
    FEATURE_GATE_DISABLED = "FeatureGateDisabled", "The field asks for something that is switched off.";
    ACCESS_DENIED = "AccessDenied", "The Tenant does not allow it.";
    URL_INVALID = "URLInvalid", "The source's URL can't be used.";
    AUTHENTICATION_FAILED = "AuthenticationFailed", "The remote refused the credential.";
    VERIFICATION_ERROR = "VerificationError", "The signature could not be verified.";
    STORAGE_OPERATION_FAILED = "StorageOperationFailed", "The artifact could not be kept.";
    READ_OPERATION_FAILED = "ReadOperationFailed", "The artifact could not be read.";
    ARCHIVE_OPERATION_FAILED = "ArchiveOperationFailed", "The artifact could not be packed.";
    ARTIFACT_UP_TO_DATE = "ArtifactUpToDate", "Upstream has nothing newer.";
    GIT_OPERATION_SUCCEEDED = "GitOperationSucceeded", "The repository was read.";
    GIT_OPERATION_FAILED = "GitOperationFailed", "The repository could not be read.";
    EMPTY_GIT_REPOSITORY = "EmptyGitRepository", "The repository has no commit.";
    OCI_ARTIFACT_PULL_FAILED = "OCIArtifactPullFailed", "The artifact could not be pulled from its registry.";
    OCI_ARTIFACT_LAYER_OPERATION_FAILED = "OCIArtifactLayerOperationFailed", "The artifact has no such layer, or it can't be unpacked.";
    INDEXATION_FAILED = "IndexationFailed", "The repository's index can't be read.";
    BUCKET_OPERATION_FAILED = "BucketOperationFailed", "The bucket could not be read.";
    INVALID_STS_CONFIGURATION = "InvalidSTSConfiguration", "Short-lived keys can't be had in this way.";
    INVALID_PROVIDER_CONFIGURATION = "InvalidProviderConfiguration", "The provider's part of the spec does not fit.";
    NO_SOURCE_ARTIFACT = "NoSourceArtifact", "The chart's source has no artifact yet.";
    SOURCE_UNAVAILABLE = "SourceUnavailable", "The chart's source does not exist.";
    UNSUPPORTED_SOURCE_KIND = "UnsupportedSourceKind", "A chart can't come from this kind.";
    CHART_PULL_SUCCEEDED = "ChartPullSucceeded", "The chart was downloaded.";
    CHART_PACKAGE_SUCCEEDED = "ChartPackageSucceeded", "The chart was packaged.";
    INVALID_CHART_REFERENCE = "InvalidChartReference", "There is no such chart, or no such version of it.";
    CHART_PULL_ERROR = "ChartPullError", "The chart could not be downloaded.";
    METADATA_PATCH_ERROR = "MetadataPatchError", "The chart's version can't have build metadata.";
    VALUES_FILES_ERROR = "ValuesFilesError", "The files of values can't be merged.";
    DEPENDENCY_BUILD_ERROR = "DependencyBuildError", "A chart that it depends on could not be had.";
    CHART_PACKAGE_ERROR = "ChartPackageError", "The chart could not be packaged.";
    CHART_VERIFICATION_ERROR = "ChartVerificationError", "The chart's signature could not be verified.";
    INCLUDE_CHANGE = "IncludeChange", "An included repository has a newer artifact.";
    NOT_FOUND = "NotFound", "A named object does not exist.";
    NO_ARTIFACT = "NoArtifact", "The source has no artifact yet.";
    COPY_FAILURE = "CopyFailure", "An included artifact could not be copied.";
    ILLEGAL_PATH = "IllegalPath", "A path leads out of where it belongs.";
    SOURCE_IGNORE_ERROR = "SourceIgnoreError", "The ignore rules can't be read.";
    INVALID_VERIFICATION_MODE = "InvalidVerificationMode", "The verification mode does not fit the reference.";
    INVALID_GIT_OBJECT = "InvalidGitObject", "A Git object is not what it should be.";
    INVALID_TAG_SIGNATURE = "InvalidTagSignature", "The tag's signature is not by a trusted key.";
    INVALID_COMMIT_SIGNATURE = "InvalidCommitSignature", "The commit's signature is not by a trusted key.";
    NEW_REVISION = "NewRevision", "Upstream has a new revision.";
    NEW_ARTIFACT = "NewArtifact", "A new artifact was kept.";
    RESOURCE_EXHAUSTED = "ResourceExhausted", "A limit of the Tenant was reached. Tenure's own.";
    QUARANTINED = "Quarantined", "Workers died over it: it is left alone. Tenure's own.";
    TENANT_SUSPENDED = "TenantSuspended", "The Tenant is suspended. Tenure's own.";
    SOURCE_CACHE_UNAVAILABLE = "SourceCacheUnavailable", "The source cache can't be reached; what runs stays. Tenure's own.";
    DRIFT_DETECTED = "DriftDetected", "Somebody changed what was applied, and it was asked to be left. Tenure's own.";
    DRIFT_NOT_WATCHED = "DriftNotWatched", "The account may not watch what it applied; drift is looked for at each interval. Tenure's own.";
    PRUNE_NEEDS_CONFIRMATION = "PruneNeedsConfirmation", "Too much would be deleted at once. Tenure's own.";
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_reason_is_one_that_the_api_server_takes() {
        for (reason, _) in super::ALL {
            assert!(
                reason.bytes().all(|b| b.is_ascii_alphanumeric()) && reason.len() < 1024,
                "{reason}"
            );
        }
    }
}
