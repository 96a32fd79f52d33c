//! The syntax of `--set`, `--set-string`, `--set-file`, `--set-json` and `--set-literal`.
//!
//! Integers become int64 and everything else that is no boolean or null stays text; what JSON gives
//! keeps JSON's floats. Both are told apart in [`serde_json::Number`].

mod parser;

use serde_json::{Map, Value};

use parser::{Parser, Syntax};

/// A set line that was not understood, in Helm's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SetError(pub(crate) String);

/// Sets what a line of `--set` says: `a.b=1,c={x,y},d[0].e=true`.
///
/// # Errors
/// When the line is malformed, or leads into something that is no table or list.
pub fn set(line: &str, values: &mut Map<String, Value>) -> Result<(), SetError> {
    Parser::new(line, Syntax::Typed).run(values)
}

/// Sets what a line of `--set-string` says: as [`set`], but every value is text.
///
/// # Errors
/// As [`set`].
pub fn set_string(line: &str, values: &mut Map<String, Value>) -> Result<(), SetError> {
    Parser::new(line, Syntax::Text).run(values)
}

/// Sets what a line of `--set-file` says: as [`set`], but each value is what `read` gives for it.
///
/// # Errors
/// As [`set`], and what `read` says.
pub fn set_file(
    line: &str,
    values: &mut Map<String, Value>,
    read: &dyn Fn(&str) -> Result<String, String>,
) -> Result<(), SetError> {
    Parser::new(line, Syntax::File(read)).run(values)
}

/// Sets what a line of `--set-json` says: `a.b={"c": 1},d=[2]`.
///
/// # Errors
/// As [`set`].
pub fn set_json(line: &str, values: &mut Map<String, Value>) -> Result<(), SetError> {
    Parser::new(line, Syntax::Json).run(values)
}

/// Sets what a line of `--set-literal` says: everything behind `=` is the text.
///
/// # Errors
/// As [`set`].
pub fn set_literal(line: &str, values: &mut Map<String, Value>) -> Result<(), SetError> {
    Parser::new(line, Syntax::Literal).run(values)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn done(
        parse: fn(&str, &mut Map<String, Value>) -> Result<(), SetError>,
        line: &str,
    ) -> Result<Value, String> {
        let mut values = Map::new();
        parse(line, &mut values)
            .map(|()| Value::Object(values))
            .map_err(|e| e.0)
    }

    #[test]
    fn set_lines_are_read_as_helm_reads_them() {
        for (line, want) in [
            (
                "name1=value1,name2=value2",
                json!({"name1": "value1", "name2": "value2"}),
            ),
            ("a=1,b=01,c=0,d=-3", json!({"a": 1, "b": "01", "c": 0, "d": -3})),
            (
                "a=true,b=False,c=null,d=1.5",
                json!({"a": true, "b": false, "c": null, "d": "1.5"}),
            ),
            ("a={1,x,},b={}", json!({"a": [1, "x", ""], "b": [""]})),
            ("a.b.c=1,a.d=2", json!({"a": {"b": {"c": 1}, "d": 2}})),
            ("a[0]=1,a[2]=3", json!({"a": [1, null, 3]})),
            ("a[0].b=1,a[0].c=2", json!({"a": [{"b": 1, "c": 2}]})),
            ("a[0][1]=x", json!({"a": [[null, "x"]]})),
            (r"a\.b=c\,d", json!({"a.b": "c,d"})),
            ("a=", json!({"a": ""})),
            ("=1", json!({})),
            ("a=1,", json!({"a": 1})),
            ("a=b=c", json!({"a": "b=c"})),
        ] {
            assert_eq!(done(set, line), Ok(want), "{line}");
        }
    }

    #[test]
    fn what_is_malformed_is_refused_in_helms_words() {
        for (line, want) in [
            ("a.b", "key \"b\" has no value"),
            ("x[-1]=2", "negative -1 index not allowed"),
            (
                "x[99999]=2",
                "index of 99999 is greater than maximum supported index of 65536",
            ),
            ("x[0]y=2", "unexpected data at end of array index: ['y']"),
            ("x,", "key \"x\" has no value (cannot end with ,)"),
            ("x={1,2", "list must terminate with '}'"),
            ("a..b=1", "key map \"a\" has no value"),
            (
                "x[a]=1",
                "error parsing index: strconv.Atoi: parsing \"a\": invalid syntax",
            ),
            (
                "a=1,a.b=1",
                "unable to parse key: interface conversion: interface {} is int64, not map[string]interface {}",
            ),
            (
                "a=x,a[0]=1",
                "unable to parse key: interface conversion: interface {} is string, not []interface {}",
            ),
        ] {
            assert_eq!(done(set, line), Err(want.to_owned()), "{line}");
        }
        let deep = format!("{}=1", ["a"; 33].join("."));
        let error = done(set, &deep).expect_err("too deep");
        assert!(error.contains("maximum supported nested level of 30"), "{error}");
        assert!(
            done(set, &format!("a{}=1", "[0]".repeat(5000))).is_err(),
            "bounded"
        );
    }

    #[test]
    fn the_other_flags_differ_in_their_values_only() {
        assert_eq!(done(set_string, "a=1,b=true"), Ok(json!({"a": "1", "b": "true"})));
        assert_eq!(
            done(set_json, r#"a.b={"c": 1}, d=[2] ,e="#),
            Ok(json!({"a": {"b": {"c": 1.0}}, " d": [2.0], "e": null}))
        );
        assert_eq!(
            done(set_literal, "a.b[1]=x,y=\\z"),
            Ok(json!({"a": {"b": [null, "x,y=\\z"]}}))
        );
        let mut values = Map::new();
        let read = |path: &str| match path {
            "there" => Ok("text\n".to_owned()),
            _ => Err(format!("open {path}: no such file or directory")),
        };
        set_file("a=there", &mut values, &read).expect("reads");
        assert_eq!(values["a"], "text\n");
        let error = set_file("a=nope", &mut values, &read).expect_err("missing");
        assert_eq!(error.0, "open nope: no such file or directory");
    }
}
