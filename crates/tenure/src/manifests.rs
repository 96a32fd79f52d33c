//! What `deploy/` starts is what this program understands.

use std::fs;
use std::path::Path;

use clap::Parser as _;
use serde_json::Value;

use crate::{Cli, Command};

/// Arguments of each container of a Deployment in a file of `deploy/components`, with the Deployment's pod.
fn containers(file: &str) -> Vec<(Vec<String>, Value)> {
    let path = Path::new("../../deploy/components").join(file);
    let text = fs::read(&path).expect("a manifest");
    let documents = tenure_yaml::parse(&text, &tenure_yaml::Options::helm()).expect("YAML");
    let deployments = documents
        .into_iter()
        .map(|document| document.value)
        .filter(|object| object["kind"] == "Deployment");
    let mut found = Vec::new();
    for deployment in deployments {
        let pod = deployment["spec"]["template"]["spec"].clone();
        for container in pod["containers"].as_array().expect("containers") {
            let args = container["args"].as_array().expect("args");
            let args = args.iter().map(|arg| expanded(arg.as_str().expect("a text")));
            found.push((
                std::iter::once("tenure".to_owned()).chain(args).collect(),
                pod.clone(),
            ));
        }
    }
    found
}

/// Whether a container of the pod has this path below one of its mounts.
fn mounted(pod: &Value, path: &Path) -> bool {
    pod["containers"]
        .as_array()
        .into_iter()
        .flatten()
        .any(|container| {
            let mounts = container["volumeMounts"].as_array().into_iter().flatten();
            mounts
                .filter_map(|mount| mount["mountPath"].as_str())
                .any(|mount| path.starts_with(mount))
        })
}

/// An argument as the kubelet gives it.
fn expanded(argument: &str) -> String {
    argument.replace("$(KUBERNETES_SERVICE_HOST)", "10.96.0.1")
}

#[test]
fn every_container_of_deploy_is_started_with_flags_that_the_program_has() {
    let mut parts = Vec::new();
    for (args, pod) in ["supervisor.yaml", "cache.yaml"].into_iter().flat_map(containers) {
        let parsed = Cli::try_parse_from(&args).unwrap_or_else(|error| panic!("{args:?}: {error}"));
        let (part, paths) = match parsed.command {
            Command::Supervisor(args) => ("supervisor", args.paths()),
            Command::Cache(args) => ("cache", args.paths()),
            _ => panic!("{args:?} is no part that is deployed"),
        };
        for path in paths {
            assert!(
                mounted(&pod, &path),
                "{part} uses {}, which no volume has",
                path.display()
            );
        }
        parts.push(part);
    }
    assert_eq!(parts, ["supervisor", "cache"]);
}

#[test]
fn the_chart_starts_supervisors_for_workers_in_pods_with_flags_that_the_program_has() {
    let chart =
        fs::read_to_string("../../helm/tenure/templates/components/supervisor.yaml").expect("a template");
    let (_, after) = chart
        .split_once("{{- if .Values.isolation.pods.enabled }}\n        - --pods-image=")
        .expect("what workers in pods add");
    let (block, _) = after.split_once("{{- end }}").expect("its end");
    let args = format!("--pods-image={block}").replace("$(POD_IP)", "fd00::7");
    let args = args.lines().map(|line| line.trim().trim_start_matches("- "));
    let args = ["tenure", "supervisor"].into_iter().chain(args);
    let args: Vec<&str> = args.filter(|arg| !arg.is_empty()).collect();
    let parsed = Cli::try_parse_from(&args).unwrap_or_else(|error| panic!("{args:?}: {error}"));
    let Command::Supervisor(parsed) = parsed.command else {
        panic!("{args:?} is no supervisor")
    };
    let pods = parsed.pods().expect("workers may be pods");
    assert_eq!(pods.url, "https://[fd00::7]:8443");
    for file in [&pods.cert_file, &pods.key_file, &pods.ca_file] {
        assert!(file.starts_with("/etc/tenure/lifeline"), "{}", file.display());
    }
    assert!(chart.contains("- mountPath: /etc/tenure/lifeline\n"), "{chart}");
}
