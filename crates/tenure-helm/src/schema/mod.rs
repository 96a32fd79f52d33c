//! Values against `values.schema.json`, with the messages of the Go library in Helm.
//!
//! A schema that refers to another by `http:`, `https:` or `file:` is refused: validation reads
//! nothing. References by `urn:` are taken to allow everything, as Helm does.

mod message;

use std::cell::RefCell;
use std::error::Error as StdError;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use boon::{CompileError, Compiler, SchemaIndex, Schemas, UrlLoader};
use serde_json::{Map, Value};

use crate::chart::Chart;
use crate::values::go_type;

const URL: &str = "file:///values.schema.json";

/// Schemas that were compiled before, by their text.
#[derive(Default)]
pub(crate) struct Cache(Mutex<Vec<Held>>);

type Held = (Arc<[u8]>, Arc<Compiled>);

struct Compiled {
    schemas: Schemas,
    index: SchemaIndex,
}

impl Cache {
    /// Checks the values of a chart and of the charts within it.
    ///
    /// The error lists what is wrong, chart by chart.
    pub(crate) fn validate(
        &self,
        chart: &Chart,
        values: Map<String, Value>,
        warnings: &mut Vec<String>,
    ) -> Result<(), String> {
        let mut faults = String::new();
        self.collect(chart, &Value::Object(values), &mut faults, warnings);
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }

    fn collect(&self, chart: &Chart, values: &Value, faults: &mut String, warnings: &mut Vec<String>) {
        if let Some(schema) = &chart.schema
            && let Err(text) = self.check(schema, values, warnings)
        {
            faults.push_str(&format!("{}:\n{text}", chart.name()));
        }
        for subchart in &chart.dependencies {
            let name = subchart.name();
            match values.get(name) {
                None | Some(Value::Null) => {}
                Some(below @ Value::Object(_)) => self.collect(subchart, below, faults, warnings),
                Some(other) => faults.push_str(&format!(
                    "{name}:\ninvalid type for values: expected object (map), got {}\n",
                    go_type(other)
                )),
            }
        }
    }

    fn check(&self, schema: &Arc<[u8]>, values: &Value, warnings: &mut Vec<String>) -> Result<(), String> {
        let compiled = self.compiled(schema, warnings)?;
        let result = compiled.schemas.validate(values, compiled.index);
        result.map_err(|error| message::without_title(&error) + "\n")
    }

    fn compiled(&self, schema: &Arc<[u8]>, warnings: &mut Vec<String>) -> Result<Arc<Compiled>, String> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, compiled)) = held.iter().find(|(text, _)| Arc::ptr_eq(text, schema)) {
            return Ok(Arc::clone(compiled));
        }
        let compiled = Arc::new(compile(schema, warnings)?);
        held.push((Arc::clone(schema), Arc::clone(&compiled)));
        Ok(compiled)
    }
}

fn compile(schema: &[u8], warnings: &mut Vec<String>) -> Result<Compiled, String> {
    let text = schema.strip_prefix(b"\xef\xbb\xbf").unwrap_or(schema);
    let schema: Value = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    let unresolved = Rc::new(RefCell::new(Vec::new()));
    let mut compiler = Compiler::new();
    compiler.use_loader(Box::new(Offline(Rc::clone(&unresolved))));
    let mut schemas = Schemas::new();
    let failed = |error: CompileError| compile_message(&error);
    compiler.add_resource(URL, schema).map_err(failed)?;
    let index = compiler.compile(URL, &mut schemas).map_err(failed)?;
    warnings.extend(
        unresolved
            .take()
            .iter()
            .map(|urn| format!("unresolved URN reference ignored; using permissive schema urn={urn}")),
    );
    Ok(Compiled { schemas, index })
}

/// Loads nothing.
struct Offline(Rc<RefCell<Vec<String>>>);

impl UrlLoader for Offline {
    fn load(&self, url: &str) -> Result<Value, Box<dyn StdError>> {
        if url.starts_with("urn:") {
            self.0.borrow_mut().push(url.to_owned());
            return Ok(Value::Bool(true));
        }
        Err("a schema may not refer to anything outside itself".into())
    }
}

fn compile_message(error: &CompileError) -> String {
    match error {
        CompileError::LoadUrlError { url, src } => format!("failing loading {url:?}: {src}"),
        CompileError::UnsupportedUrlScheme { url } => format!("no URLLoader registered for {url:?}"),
        CompileError::UnsupportedDraft { url } => format!("draft {url:?} is not supported"),
        CompileError::ValidationError { src, .. } => {
            format!(
                "\"{URL}#\" is not valid against metaschema: {}",
                message::full(src)
            )
        }
        CompileError::InvalidRegex { url, regex, src } => {
            format!("invalid regex {regex:?} at {url:?}: {src}")
        }
        CompileError::JsonPointerNotFound(url) => format!("json-pointer in {url:?} not found"),
        CompileError::AnchorNotFound { url, reference } => {
            format!("anchor in {reference:?} not found in schema {url:?}")
        }
        other => format!("{other:#}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(schema: &Value, values: &Value) -> Result<(), String> {
        let bytes: Arc<[u8]> = schema.to_string().into_bytes().into();
        Cache::default().check(&bytes, values, &mut Vec::new())
    }

    #[test]
    fn faults_are_told_as_the_go_library_tells_them() {
        let object = json!({"$ref": "#/definitions/x"});
        let definitions =
            json!({"x": {"type": "object", "required": ["z"], "properties": {"z": {"type": "boolean"}}}});
        for (schema, value, want) in [
            (
                json!({"type": ["string", "null"]}),
                json!([]),
                "got array, want null or string",
            ),
            (
                json!({"minimum": 1_000_000.5}),
                json!(70000.0),
                "minimum: got 70,000, want 1.0000005×10⁰⁶",
            ),
            (
                json!({"enum": ["x", 1, 2.5, null, true]}),
                json!("it's"),
                "value must be one of 'x', 1, 2.5, <nil>, true",
            ),
            (json!({"const": 70000}), json!(1.0), "value must be 70000"),
            (
                json!({"pattern": "^[a-z']+$"}),
                json!("A\"'\n"),
                "'A\"\\'\\n' does not match pattern '^[a-z\\']+$'",
            ),
            (
                json!({"minLength": 1234}),
                json!("abc"),
                "minLength: got 3, want 1,234",
            ),
            (
                json!({"uniqueItems": true}),
                json!([1, 1]),
                "items at 0 and 1 are equal",
            ),
            (
                json!({"oneOf": [{"minLength": 0}, {"type": "string"}]}),
                json!("s"),
                "'oneOf' failed, subschemas 0, 1 matched",
            ),
            (json!({"not": {"type": "string"}}), json!("s"), "'not' failed"),
            (
                json!({"required": ["q", "r"]}),
                json!({}),
                "missing properties 'q', 'r'",
            ),
            (
                json!({"additionalProperties": false}),
                json!({"ex'tra": 1}),
                "additional properties 'ex\\'tra' not allowed",
            ),
            (json!(false), json!(1), "false schema"),
        ] {
            let schema =
                json!({"$schema": "http://json-schema.org/draft-07/schema#", "properties": {"a": schema}});
            let got = check(&schema, &json!({"a": value})).expect_err(want);
            assert_eq!(got, format!("- at '/a': {want}\n"));
        }
        let schema = json!({"properties": {"j": object, "i": {"anyOf": [{"type": "string"}, object]}}, "definitions": definitions});
        assert_eq!(
            check(&schema, &json!({"i": 5, "j": {"z": 1}})).expect_err("two faults"),
            "- at '/i': 'anyOf' failed\n  - at '/i': got number, want string\n  - at '/i': got number, want object\n- at '/j/z': got number, want boolean\n"
        );
    }

    #[test]
    fn whole_floats_are_integers() {
        check(&json!({"type": "integer"}), &json!(8080.0)).expect("an integer");
        check(&json!({"const": 1}), &json!(1.0)).expect("the same number");
        check(&json!({"enum": [1]}), &json!(1.0)).expect("the same number");
    }

    #[test]
    fn a_schema_reaches_nothing_outside_itself() {
        for url in [
            "https://example.com/s.json",
            "http://localhost/s.json",
            "file:///etc/passwd",
        ] {
            let error = check(&json!({"$ref": url}), &json!({})).expect_err(url);
            assert!(
                error.starts_with(&format!("failing loading \"{url}\"")),
                "{error}"
            );
        }
        check(&json!({"$ref": "urn:example:x"}), &json!({})).expect("allows everything");
    }

    #[test]
    fn a_malformed_schema_is_told_from_malformed_values() {
        assert_eq!(
            check(&json!(1), &json!({})).expect_err("no schema"),
            "\"file:///values.schema.json#\" is not valid against metaschema: jsonschema validation failed with 'https://json-schema.org/draft/2020-12/schema#'\n- at '': got number, want boolean or object"
        );
    }
}
