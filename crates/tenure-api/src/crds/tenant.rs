use serde_json::{Value, json};

use super::schema::*;

fn words() -> Value {
    json!({"type": "array", "items": sized(1, 63), "maxItems": 256, "x-kubernetes-list-type": "set"})
}

fn number() -> Value {
    json!({"type": "integer", "format": "int32", "minimum": 1})
}

fn size() -> Value {
    pattern("^[0-9]+(k|M|G|Ki|Mi|Gi)?$")
}

fn placement() -> Value {
    let toleration = object(vec![
        may("key", text(), "Of the taint; all when empty."),
        may("operator", one_of(&["Exists", "Equal"]), "Equal when not set."),
        may("value", text(), "Of the taint, with Equal."),
        may(
            "effect",
            one_of(&["NoSchedule", "PreferNoSchedule", "NoExecute"]),
            "All when not set.",
        ),
    ]);
    object(vec![
        may(
            "runtimeClassName",
            sized(1, 253),
            "The RuntimeClass; the cluster's default when not set.",
        ),
        may(
            "nodeSelector",
            json!({"type": "object", "additionalProperties": text()}),
            "Labels that a node must have.",
        ),
        may(
            "tolerations",
            list(toleration),
            "Taints of nodes that are put up with.",
        ),
    ])
}

pub(super) fn spec() -> Value {
    let account = object(vec![
        must("namespace", sized(1, 63), "One of the homes."),
        must("name", sized(1, 253), "Its name."),
    ]);
    let secret = object(vec![
        must("prefix", text(), "Beginning of the URL."),
        must("name", sized(1, 253), "Name of the Secret in the home."),
    ]);
    let sources = object(vec![
        may(
            "allow",
            list(text()),
            "Beginnings of URLs that may be fetched; every URL when empty.",
        ),
        may(
            "secrets",
            list(secret),
            "The Secret to use when an object names none.",
        ),
    ]);
    let peer = object(vec![
        must("namespace", sized(1, 63), "Where it lives."),
        must(
            "kind",
            one_of(&["GitRepository", "OCIRepository", "Kustomization"]),
            "Its kind.",
        ),
        must("name", sized(1, 253), "Its name."),
    ]);
    let port = json!({"type": "integer", "format": "int32", "minimum": 1, "maximum": 65535});
    let limits = object(vec![
        may("memory", size(), "Memory of a worker."),
        may("concurrency", number(), "Objects reconciled at once."),
        may(
            "objects",
            number(),
            "Objects that the Kustomizations of a home may hold together.",
        ),
        may("artifactSize", size(), "Largest artifact."),
        may(
            "fetchPerHour",
            size(),
            "What the source cache downloads for a home within an hour. As much as its --fetch-per-hour allows when not set.",
        ),
        may(
            "retriesPerMinute",
            number(),
            "How often objects of a home that fail and have not changed are tried again in a minute, all together; one that is \
             Ready counts a tenth. 300 when not set.",
        ),
        may(
            "pruneShare",
            json!({"type": "integer", "format": "int32", "minimum": 1, "maximum": 100}),
            "How many of a Kustomization's objects, in percent, one pass may delete without a confirmation. 50 when not set.",
        ),
        may(
            "pruneObjects",
            number(),
            "From how many objects on the share counts. 10 when not set.",
        ),
        may(
            "offboardingGrace",
            duration(),
            "How long a home that goes away waits for objects elsewhere that can't be deleted. 10m when not set.",
        ),
        may(
            "renderTime",
            duration(),
            "How long one build of a Kustomization may take. 60s when not set.",
        ),
        may(
            "egressPorts",
            list(port),
            "TCP ports that a worker may connect to.",
        ),
    ]);
    let mut homes = words();
    homes["minItems"] = json!(1);
    object(vec![
        must(
            "namespaces",
            homes,
            "Homes: where the Flux objects, Secrets and ServiceAccounts live. A namespace is one Tenant's home.",
        ),
        may(
            "targets",
            words(),
            "Where to apply besides the homes; may be shared.",
        ),
        may(
            "serviceAccounts",
            list(account),
            "Who may be acted as; the first of a home is its default.",
        ),
        may("sources", sources, "What may be fetched and with which Secret."),
        may(
            "isolation",
            with_default(one_of(&["process", "pod", "task"]), json!("process")),
            "How workers are kept apart.",
        ),
        may("pod", placement(), "Where workers run that are pods."),
        may(
            "profile",
            with_default(one_of(&["compat", "strict"]), json!("compat")),
            "Who reads Secrets and ConfigMaps: the worker, or the tenant's ServiceAccount.",
        ),
        may(
            "watchSecrets",
            flag(),
            "Whether the worker may list and watch Secrets and ConfigMaps.",
        ),
        may(
            "kinds",
            list(text()),
            "Resources that may be applied, such as deployments.apps; * for all; a default list when absent.",
        ),
        may(
            "peers",
            list(peer),
            "Objects of other namespaces that may be read, by consent.",
        ),
        may("limits", limits, "Budgets."),
        may("suspend", flag(), "No reconciliation while true."),
    ])
}

pub(super) fn status() -> Value {
    let phase = || one_of(&["Dormant", "Awake", "Suspended", "Failing"]);
    let home = object(vec![
        must("namespace", text(), "The namespace."),
        may("phase", phase(), "What its worker does."),
        may("objects", count(), "Flux objects in it."),
        may("ready", count(), "How many of them are ready."),
        may("suspended", count(), "How many of them are suspended."),
        may("lastError", text(), "The last error, without secrets."),
    ]);
    let mut homes = list(home);
    homes["x-kubernetes-list-type"] = json!("map");
    homes["x-kubernetes-list-map-keys"] = json!(["namespace"]);
    let mut conditions = conditions();
    conditions["x-kubernetes-list-type"] = json!("map");
    conditions["x-kubernetes-list-map-keys"] = json!(["type"]);
    let report = object(vec![
        may("phase", text(), "What its worker does."),
        may("objects", count(), "Flux objects in it."),
        may("ready", count(), "How many of them are ready."),
        may("suspended", count(), "How many of them are suspended."),
        may("onboarded", flag(), "Whether every kind has been listed."),
        may("lastError", text(), "The last error, without secrets."),
        may("trouble", list(text()), "What keeps it from being served."),
        may("sandbox", list(text()), "What keeps its worker apart."),
        may("missing", list(text()), "What the node's kernel lacks for that."),
        may("hindered", text(), "What keeps its worker's pod from starting."),
        may(
            "quarantined",
            list(text()),
            "Objects that are left alone, because workers died over them.",
        ),
        may(
            "held",
            flag(),
            "Whether objects that are begun again and again wait for each other.",
        ),
        may(
            "overBudget",
            text(),
            "Which limit the home has gone over, and until when.",
        ),
        may(
            "overLimit",
            list(text()),
            "Objects that go over a limit, each with the field that says so.",
        ),
        may(
            "legacyRights",
            flag(),
            "Whether its worker holds the older right to impersonate, which has no limits.",
        ),
    ]);
    let elsewhere = json!({"type": "object", "additionalProperties": report});
    object(vec![
        may("conditions", conditions, "How it fares."),
        may(
            "elsewhere",
            elsewhere,
            "What supervisors that do not write this status say of their homes, by home.",
        ),
        may("homes", homes, "One for each home."),
        may(
            "observedGeneration",
            count(),
            "Generation that the status speaks of.",
        ),
        may("phase", phase(), "What its workers do."),
    ])
}
