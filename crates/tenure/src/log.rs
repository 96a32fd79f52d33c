//! Log lines as the Flux controllers write them, so that `flux logs` and its filters read ours: one
//! JSON object a line with `level`, `ts`, `msg`, `controllerKind`, `name`, `namespace`.

use std::fmt;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Variable that sets what is logged, in `tracing`'s filter syntax; `info` without it.
const FILTER: &str = "TENURE_LOG";

/// Sends log lines to standard error. `home` is added to every line of a worker.
pub(crate) fn init(home: Option<String>) {
    let filter = EnvFilter::try_from_env(FILTER)
        .unwrap_or_else(|_| EnvFilter::new("info,kube=warn,hyper=warn,h2=warn"));
    let done = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .event_format(FluxLines { namespace: home })
        .try_init();
    debug_assert!(done.is_ok(), "logging is set up once");
}

struct FluxLines {
    namespace: Option<String>,
}

impl<S, N> FormatEvent<S, N> for FluxLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = Map::new();
        line.insert("level".into(), level(event.metadata().level()).into());
        line.insert("ts".into(), format!("{:.3}", jiff::Timestamp::now()).into());
        line.insert("msg".into(), Value::Null);
        line.insert("logger".into(), event.metadata().target().into());
        if let Some(namespace) = &self.namespace {
            line.insert("namespace".into(), namespace.as_str().into());
        }
        event.record(&mut Fields(&mut line));
        if let Some(Value::String(object)) = line.remove("object") {
            let (kind, name) = object.split_once('/').unwrap_or(("", object.as_str()));
            line.insert("controllerKind".into(), kind.into());
            line.insert("name".into(), name.into());
        }
        writeln!(writer, "{}", Value::Object(line))
    }
}

fn level(level: &Level) -> &'static str {
    match *level {
        Level::ERROR | Level::WARN => "error",
        Level::INFO => "info",
        Level::DEBUG | Level::TRACE => "debug",
    }
}

struct Fields<'a>(&'a mut Map<String, Value>);

impl Fields<'_> {
    fn put(&mut self, field: &Field, value: Value) {
        let name = if field.name() == "message" {
            "msg"
        } else {
            field.name()
        };
        self.0.insert(name.to_owned(), value);
    }
}

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let mut text = value.to_string();
        let mut source = value.source();
        while let Some(cause) = source {
            text = format!("{text}: {cause}");
            source = cause.source();
        }
        self.put(field, text.into());
    }
}
