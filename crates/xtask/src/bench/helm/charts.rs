//! Large charts of the shapes that large charts have, made up.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// How much there is of what.
#[derive(Clone, Copy, Default)]
struct Size {
    /// Deployments with all that goes with them, each in files of their own.
    applications: usize,
    /// Charts within the chart, each with as many applications.
    subcharts: usize,
    /// Dashboards in files, put into ConfigMaps.
    dashboards: usize,
    /// Files of alerts, full of braces that are not for the template.
    alerts: usize,
    /// Custom resource definitions.
    definitions: usize,
}

const CHARTS: [(&str, Size); 10] = [
    (
        "umbrella-30",
        Size {
            applications: 4,
            subcharts: 30,
            dashboards: 0,
            alerts: 0,
            definitions: 0,
        },
    ),
    (
        "monitoring",
        Size {
            applications: 6,
            subcharts: 4,
            dashboards: 40,
            alerts: 40,
            definitions: 10,
        },
    ),
    (
        "umbrella-12",
        Size {
            applications: 6,
            subcharts: 12,
            dashboards: 4,
            alerts: 4,
            definitions: 0,
        },
    ),
    (
        "platform",
        Size {
            applications: 20,
            subcharts: 6,
            dashboards: 6,
            alerts: 6,
            definitions: 6,
        },
    ),
    (
        "definitions",
        Size {
            applications: 20,
            subcharts: 0,
            dashboards: 0,
            alerts: 0,
            definitions: 40,
        },
    ),
    (
        "dashboards",
        Size {
            applications: 2,
            subcharts: 0,
            dashboards: 60,
            alerts: 0,
            definitions: 0,
        },
    ),
    (
        "applications-60",
        Size {
            applications: 60,
            subcharts: 0,
            dashboards: 0,
            alerts: 0,
            definitions: 0,
        },
    ),
    (
        "alerts",
        Size {
            applications: 2,
            subcharts: 0,
            dashboards: 0,
            alerts: 80,
            definitions: 0,
        },
    ),
    (
        "applications-30",
        Size {
            applications: 30,
            subcharts: 0,
            dashboards: 4,
            alerts: 4,
            definitions: 2,
        },
    ),
    (
        "applications-15",
        Size {
            applications: 15,
            subcharts: 2,
            dashboards: 2,
            alerts: 2,
            definitions: 2,
        },
    ),
];

/// Writes the charts below a directory.
pub(super) fn make(dir: &Path) -> anyhow::Result<Vec<PathBuf>> {
    CHARTS
        .iter()
        .map(|(name, size)| {
            let path = dir.join(name);
            chart(&path, name, *size)?;
            Ok(path)
        })
        .collect()
}

fn put(dir: &Path, name: &str, text: &str) -> anyhow::Result<()> {
    let path = dir.join(name);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).with_context(|| format!("make {}", parent.display()))?;
    }
    fs::write(&path, text).with_context(|| format!("write {}", path.display()))
}

fn chart(dir: &Path, name: &str, size: Size) -> anyhow::Result<()> {
    let mut head = format!("apiVersion: v2\nname: {name}\nversion: 1.2.3\nappVersion: 4.5.6\n");
    let mut values = "global: {imageRegistry: registry.example.org, labels: {team: a}}\n".to_owned();
    if size.subcharts > 0 {
        head.push_str("dependencies:\n");
    }
    for n in 0..size.subcharts {
        let part = format!("part-{n}");
        let _ = writeln!(
            head,
            "- {{name: {part}, version: 1.x.x, condition: {part}.enabled, tags: [parts]}}"
        );
        let _ = writeln!(
            values,
            "{part}:\n  enabled: true\n  commonLabels: {{part: \"{n}\"}}"
        );
        let inner = Size {
            applications: size.applications,
            ..Size::default()
        };
        chart(&dir.join("charts").join(&part), &part, inner)?;
    }
    values.push_str("commonLabels: {}\ndashboards: true\napplications:\n");
    put(dir, "templates/_helpers.tpl", HELPERS)?;
    for n in 0..size.applications {
        let _ = write!(values, "{}", VALUES.replace("NAME", &format!("app{n}")));
        for (file, text) in TEMPLATES {
            let name = format!("templates/app{n}/{file}.yaml");
            put(dir, &name, &text.replace("NAME", &format!("app{n}")))?;
        }
    }
    if size.dashboards > 0 {
        put(dir, "templates/dashboards.yaml", DASHBOARDS)?;
    }
    for n in 0..size.dashboards {
        put(dir, &format!("files/dashboard-{n}.json"), &dashboard(n))?;
    }
    for n in 0..size.alerts {
        put(dir, &format!("templates/alerts/{n}.yaml"), &alerts(n))?;
    }
    for n in 0..size.definitions {
        put(dir, &format!("crds/{n}.yaml"), &definition(n))?;
    }
    put(dir, "Chart.yaml", &head)?;
    put(dir, "values.yaml", &values)
}

const HELPERS: &str = r#"{{- define "c.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- define "c.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- define "c.render" -}}
{{- $value := typeIs "string" .value | ternary .value (.value | toYaml) -}}
{{- if contains "{{" (toJson .value) -}}
{{- tpl $value .context -}}
{{- else -}}
{{- $value -}}
{{- end -}}
{{- end -}}
{{- define "c.labels" -}}
{{- $default := dict "app.kubernetes.io/name" (include "c.name" .context) "helm.sh/chart" (printf "%s-%s" .context.Chart.Name .context.Chart.Version | replace "+" "_") "app.kubernetes.io/instance" .context.Release.Name "app.kubernetes.io/managed-by" .context.Release.Service "app.kubernetes.io/component" .component -}}
{{- with .context.Chart.AppVersion -}}{{- $_ := set $default "app.kubernetes.io/version" . -}}{{- end -}}
{{- template "c.merged" (dict "values" (list .context.Values.commonLabels .context.Values.global.labels $default) "context" .context) -}}
{{- end -}}
{{- define "c.merged" -}}
{{- $all := dict -}}
{{- range .values -}}
{{- $all = include "c.render" (dict "value" . "context" $.context) | fromYaml | merge $all -}}
{{- end -}}
{{- $all | toYaml -}}
{{- end -}}
{{- define "c.selector" -}}
app.kubernetes.io/name: {{ include "c.name" .context }}
app.kubernetes.io/instance: {{ .context.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}
{{- define "c.image" -}}
{{- $registry := .image.registry -}}
{{- with .global -}}{{- if .imageRegistry -}}{{- $registry = .imageRegistry -}}{{- end -}}{{- end -}}
{{- if .image.digest -}}
{{- printf "%s/%s@%s" $registry .image.repository .image.digest -}}
{{- else -}}
{{- printf "%s/%s:%s" $registry .image.repository (.image.tag | default "latest" | toString) -}}
{{- end -}}
{{- end -}}
"#;

const VALUES: &str = r#"  # What runs, and where it comes from
  NAME:
    enabled: true
    replicaCount: 2
    image: {registry: docker.io, repository: example/NAME, tag: 1.2.3, digest: "", pullPolicy: IfNotPresent}
    # Ports of the container and of the Service in front of it
    ports: {http: 8080, metrics: 9090}
    service: {type: ClusterIP, port: 80, annotations: {}}
    env:
    - {name: LEVEL, value: info}
    - {name: RELEASE, value: "{{ .Release.Name }}"}
    - {name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
    resources: {requests: {cpu: 100m, memory: 128Mi}, limits: {memory: 256Mi}}
    podAnnotations: {example.org/scrape: "true", example.org/release: "{{ .Release.Name }}"}
    securityContext: {runAsNonRoot: true, runAsUser: 1001, capabilities: {drop: [ALL]}, readOnlyRootFilesystem: true}
    livenessProbe: {enabled: true, initialDelaySeconds: 10, periodSeconds: 5, httpGet: {path: /live, port: http}}
    readinessProbe: {enabled: true, initialDelaySeconds: 5, periodSeconds: 5, httpGet: {path: /ready, port: http}}
    nodeSelector: {}
    tolerations: []
    affinity: {}
    autoscaling: {enabled: true, minReplicas: 2, maxReplicas: 8, cpu: 80}
    disruption: {enabled: true, maxUnavailable: 1}
    networkPolicy: {enabled: true}
    ingress: {enabled: true, host: "NAME.example.org", paths: [/, /api], annotations: {example.org/class: web}}
    monitor: {enabled: true, interval: 30s}
    config: |
      listen: 8080
      log:
        level: info
        format: json
      peers:
      - one.example.org
      - two.example.org
"#;

const TEMPLATES: [(&str, &str); 9] = [
    ("deployment", DEPLOYMENT),
    ("service", SERVICE),
    (
        "config",
        "{{- $app := .Values.applications.NAME }}\n{{- if $app.enabled }}\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ include \"c.fullname\" . }}-NAME\n  namespace: {{ .Release.Namespace | quote }}\n  labels: {{- include \"c.labels\" (dict \"context\" $ \"component\" \"NAME\") | nindent 4 }}\ndata:\n  config.yaml: |\n    {{- include \"c.render\" (dict \"value\" $app.config \"context\" $) | nindent 4 }}\n{{- end }}\n",
    ),
    (
        "account",
        "{{- if .Values.applications.NAME.enabled }}\napiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: {{ include \"c.fullname\" . }}-NAME\n  namespace: {{ .Release.Namespace | quote }}\n  labels: {{- include \"c.labels\" (dict \"context\" $ \"component\" \"NAME\") | nindent 4 }}\nautomountServiceAccountToken: false\n{{- end }}\n",
    ),
    (
        "autoscaling",
        "{{- $app := .Values.applications.NAME }}\n{{- if and $app.enabled $app.autoscaling.enabled }}\napiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata:\n  name: {{ include \"c.fullname\" . }}-NAME\n  labels: {{- include \"c.labels\" (dict \"context\" $ \"component\" \"NAME\") | nindent 4 }}\nspec:\n  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: {{ include \"c.fullname\" . }}-NAME}\n  minReplicas: {{ $app.autoscaling.minReplicas }}\n  maxReplicas: {{ $app.autoscaling.maxReplicas }}\n  metrics:\n  - type: Resource\n    resource: {name: cpu, target: {type: Utilization, averageUtilization: {{ $app.autoscaling.cpu }}}}\n{{- end }}\n",
    ),
    (
        "disruption",
        "{{- $app := .Values.applications.NAME }}\n{{- if and $app.enabled $app.disruption.enabled }}\napiVersion: {{ .Capabilities.APIVersions.Has \"policy/v1\" | ternary \"policy/v1\" \"policy/v1beta1\" }}\nkind: PodDisruptionBudget\nmetadata:\n  name: {{ include \"c.fullname\" . }}-NAME\n  labels: {{- include \"c.labels\" (dict \"context\" $ \"component\" \"NAME\") | nindent 4 }}\nspec:\n  maxUnavailable: {{ $app.disruption.maxUnavailable }}\n  selector:\n    matchLabels: {{- include \"c.selector\" (dict \"context\" $ \"component\" \"NAME\") | nindent 6 }}\n{{- end }}\n",
    ),
    (
        "network",
        "{{- $app := .Values.applications.NAME }}\n{{- if and $app.enabled $app.networkPolicy.enabled }}\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: {{ include \"c.fullname\" . }}-NAME\n  labels: {{- include \"c.labels\" (dict \"context\" $ \"component\" \"NAME\") | nindent 4 }}\nspec:\n  podSelector:\n    matchLabels: {{- include \"c.selector\" (dict \"context\" $ \"component\" \"NAME\") | nindent 6 }}\n  policyTypes: [Ingress]\n  ingress:\n  - ports:\n    {{- range $name, $port := $app.ports }}\n    - port: {{ $port }} # {{ $name }}\n    {{- end }}\n{{- end }}\n",
    ),
    (
        "ingress",
        "{{- $app := .Values.applications.NAME }}\n{{- if and $app.enabled $app.ingress.enabled (semverCompare \">=1.19-0\" .Capabilities.KubeVersion.Version) }}\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: {{ include \"c.fullname\" . }}-NAME\n  annotations: {{- include \"c.render\" (dict \"value\" $app.ingress.annotations \"context\" $) | nindent 4 }}\n  labels: {{- include \"c.labels\" (dict \"context\" $ \"component\" \"NAME\") | nindent 4 }}\nspec:\n  rules:\n  - host: {{ tpl $app.ingress.host . | quote }}\n    http:\n      paths:\n      {{- range $app.ingress.paths }}\n      - path: {{ . }}\n        pathType: Prefix\n        backend: {service: {name: {{ include \"c.fullname\" $ }}-NAME, port: {name: http}}}\n      {{- end }}\n{{- end }}\n",
    ),
    (
        "monitor",
        "{{- $app := .Values.applications.NAME }}\n{{- if and $app.enabled $app.monitor.enabled }}\napiVersion: monitoring.coreos.com/v1\nkind: ServiceMonitor\nmetadata:\n  name: {{ include \"c.fullname\" . }}-NAME\n  labels: {{- include \"c.labels\" (dict \"context\" $ \"component\" \"NAME\") | nindent 4 }}\nspec:\n  endpoints: [{port: metrics, interval: {{ $app.monitor.interval }}}]\n  selector:\n    matchLabels: {{- include \"c.selector\" (dict \"context\" $ \"component\" \"NAME\") | nindent 6 }}\n{{- end }}\n",
    ),
];

const DEPLOYMENT: &str = r#"{{- $app := .Values.applications.NAME }}
{{- if $app.enabled }}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "c.fullname" . }}-NAME
  namespace: {{ .Release.Namespace | quote }}
  labels: {{- include "c.labels" (dict "context" $ "component" "NAME") | nindent 4 }}
spec:
  {{- if not $app.autoscaling.enabled }}
  replicas: {{ $app.replicaCount }}
  {{- end }}
  selector:
    matchLabels: {{- include "c.selector" (dict "context" $ "component" "NAME") | nindent 6 }}
  template:
    metadata:
      annotations:
        checksum/config: {{ include (print $.Template.BasePath "/NAME/config.yaml") . | sha256sum }}
        {{- with $app.podAnnotations }}
        {{- include "c.render" (dict "value" . "context" $) | nindent 8 }}
        {{- end }}
      labels: {{- include "c.labels" (dict "context" $ "component" "NAME") | nindent 8 }}
    spec:
      serviceAccountName: {{ include "c.fullname" . }}-NAME
      {{- with $app.nodeSelector }}
      nodeSelector: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $app.tolerations }}
      tolerations: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- if $app.affinity }}
      affinity: {{- include "c.render" (dict "value" $app.affinity "context" $) | nindent 8 }}
      {{- end }}
      containers:
        - name: NAME
          image: {{ include "c.image" (dict "image" $app.image "global" .Values.global) }}
          imagePullPolicy: {{ $app.image.pullPolicy | quote }}
          securityContext: {{- omit $app.securityContext "enabled" | toYaml | nindent 12 }}
          env: {{- include "c.render" (dict "value" $app.env "context" $) | nindent 12 }}
          ports:
            {{- range $name, $port := $app.ports }}
            - name: {{ $name }}
              containerPort: {{ $port }}
            {{- end }}
          {{- range $kind := list "livenessProbe" "readinessProbe" }}
          {{- $probe := index $app $kind }}
          {{- if $probe.enabled }}
          {{ $kind }}: {{- include "c.render" (dict "value" (omit $probe "enabled") "context" $) | nindent 12 }}
          {{- end }}
          {{- end }}
          resources: {{- toYaml $app.resources | nindent 12 }}
          volumeMounts:
            - {name: config, mountPath: /etc/NAME}
      volumes:
        - name: config
          configMap: {name: {{ include "c.fullname" . }}-NAME}
{{- end }}
"#;

const SERVICE: &str = r#"{{- $app := .Values.applications.NAME }}
{{- if $app.enabled }}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "c.fullname" . }}-NAME
  namespace: {{ .Release.Namespace | quote }}
  labels: {{- include "c.labels" (dict "context" $ "component" "NAME") | nindent 4 }}
  {{- with $app.service.annotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  type: {{ $app.service.type }}
  ports:
    - {name: http, port: {{ $app.service.port }}, targetPort: http}
    - {name: metrics, port: {{ $app.ports.metrics }}, targetPort: metrics}
  selector: {{- include "c.selector" (dict "context" $ "component" "NAME") | nindent 4 }}
{{- end }}
"#;

const DASHBOARDS: &str = r#"{{- if .Values.dashboards }}
{{- range $path, $_ := .Files.Glob "files/dashboard-*.json" }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ include "c.fullname" $ }}-{{ base $path | trimSuffix ".json" }}
  labels: {{- include "c.labels" (dict "context" $ "component" "dashboards") | nindent 4 }}
data:
  {{ base $path }}: |-
{{ $.Files.Get $path | indent 4 }}
{{- end }}
{{- end }}
"#;

fn dashboard(n: usize) -> String {
    let mut text = format!("{{\n  \"title\": \"Dashboard {n}\",\n  \"panels\": [\n");
    for panel in 0..40 {
        let end = if panel == 39 { "" } else { "," };
        let _ = writeln!(
            text,
            "    {{\n      \"id\": {panel},\n      \"type\": \"timeseries\",\n      \"title\": \"Requests in flight, panel {panel}\",\n      \"gridPos\": {{\"h\": 8, \"w\": 12, \"x\": 0, \"y\": {panel}}},\n      \"targets\": [{{\"expr\": \"sum(rate(http_requests_total{{job=~\\\"$job\\\", code!~\\\"5..\\\"}}[$__rate_interval])) by (pod)\", \"legendFormat\": \"{{{{pod}}}}\"}}]\n    }}{end}"
        );
    }
    text.push_str("  ]\n}\n");
    text
}

fn alerts(n: usize) -> String {
    let mut text = format!(
        "apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata:\n  name: {{{{ printf \"%s-%s\" (include \"c.fullname\" .) \"alerts-{n}\" | trunc 63 | trimSuffix \"-\" }}}}\n  namespace: {{{{ .Release.Namespace }}}}\n  labels: {{{{- include \"c.labels\" (dict \"context\" $ \"component\" \"alerts\") | nindent 4 }}}}\nspec:\n  groups:\n  - name: group-{n}\n    rules:\n"
    );
    for rule in 0..12 {
        let _ = writeln!(
            text,
            "{{{{- if not (.Values.disabled | default dict).rule{rule} }}}}\n    - alert: TooMuch{rule}\n      annotations:\n        description: 'Instance {{{{`{{{{`}}}} $labels.instance {{{{`}}}}`}}}} of {{{{`{{{{`}}}} $labels.job {{{{`}}}}`}}}} has had {{{{`{{{{`}}}} $value | humanizePercentage {{{{`}}}}`}}}} errors for ten minutes.'\n        runbook_url: {{{{ .Values.runbooks | default \"https://example.org/runbooks\" }}}}/too-much-{rule}\n      expr: |-\n        sum by (job, instance) (rate(errors_total{{job=\"app-{n}\", code=~\"5..\"}}[5m]))\n          / sum by (job, instance) (rate(requests_total{{job=\"app-{n}\"}}[5m])) > 0.{rule}1\n      for: 10m\n      labels:\n        severity: warning\n        {{{{- with .Values.global.labels }}}}\n        {{{{- toYaml . | nindent 8 }}}}\n        {{{{- end }}}}\n{{{{- end }}}}"
        );
    }
    text
}

/// A definition with a schema of the size that Pod templates in them come to.
fn definition(n: usize) -> String {
    let mut text = format!(
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {{name: things{n}.example.org}}\nspec:\n  group: example.org\n  names: {{kind: Thing{n}, plural: things{n}}}\n  scope: Namespaced\n  versions:\n  - name: v1\n    served: true\n    storage: true\n    schema:\n      openAPIV3Schema:\n        type: object\n        properties:\n"
    );
    for field in 0..300 {
        let _ = writeln!(
            text,
            "          field{field}:\n            description: What field {field} is for, in a sentence of the length that such sentences have in practice.\n            type: object\n            properties:\n              inner: {{type: array, items: {{type: string, maxLength: {field}}}}}"
        );
    }
    text
}
