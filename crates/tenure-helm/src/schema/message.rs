use std::fmt::Write as _;

use boon::{ErrorKind, ValidationError};
use serde_json::{Number, Value};

/// The faults with a title that names the schema.
pub(super) fn full(error: &ValidationError<'_, '_>) -> String {
    let mut out = String::new();
    write(error, 0, &mut out);
    out
}

/// The faults alone.
pub(super) fn without_title(error: &ValidationError<'_, '_>) -> String {
    let text = full(error);
    match text.strip_prefix("jsonschema validation failed with 'file:///values.schema.json#'\n") {
        Some(rest) => rest.to_owned(),
        None => text,
    }
}

fn write(error: &ValidationError<'_, '_>, mut indent: usize, out: &mut String) {
    let skipped = error.causes.len() == 1 && matches!(error.kind, ErrorKind::Reference { .. });
    if !skipped {
        if indent > 0 {
            let _ = write!(out, "\n{}- ", "  ".repeat(indent - 1));
        }
        indent += 1;
        let text = text(&error.kind);
        match error.kind {
            ErrorKind::Schema { .. } => out.push_str(&text),
            _ => {
                let at = quote(&error.instance_location.to_string());
                let _ = write!(out, "at {at}: {text}");
            }
        }
    }
    for cause in &error.causes {
        write(cause, indent, out);
    }
}

fn text(kind: &ErrorKind<'_, '_>) -> String {
    use ErrorKind as E;
    match kind {
        E::Group | E::Reference { .. } => "validation failed".to_owned(),
        E::Schema { url } => format!("jsonschema validation failed with {}", quote(url)),
        E::ContentSchema => "'contentSchema' failed".to_owned(),
        E::PropertyName { prop } => format!("invalid propertyName {}", quote(prop)),
        E::RefCycle {
            url,
            kw_loc1,
            kw_loc2,
        } => {
            format!("both {kw_loc1} and {kw_loc2} resolve to {url:?} causing reference cycle")
        }
        E::FalseSchema => "false schema".to_owned(),
        E::Type { got, want } => {
            let want: Vec<String> = want.iter().map(|t| t.to_string()).collect();
            format!("got {got}, want {}", want.join(" or "))
        }
        E::Enum { want } => match want.as_slice() {
            many if many.iter().any(|v| v.is_array() || v.is_object()) => "'enum' failed".to_owned(),
            [one] => format!("value must be {}", display(one)),
            many => {
                let many: Vec<String> = many.iter().map(display).collect();
                format!("value must be one of {}", many.join(", "))
            }
        },
        E::Const { want } if want.is_array() || want.is_object() => "'const' failed".to_owned(),
        E::Const { want } => format!("value must be {}", display(want)),
        E::Format { got, want, err } => format!("{} is not valid {want}: {err}", display(got)),
        E::Dependency { prop, missing } | E::DependentRequired { prop, missing } => {
            format!(
                "properties {} required, if {} exists",
                quoted(missing),
                quote(prop)
            )
        }
        E::Required { want } => match want.as_slice() {
            [one] => format!("missing property {}", quote(one)),
            many => format!("missing properties {}", quoted(many)),
        },
        E::AdditionalProperties { got } => {
            format!("additional properties {} not allowed", quoted(got))
        }
        E::AdditionalItems { got } => format!("last {} additionalItem(s) not allowed", count(*got)),
        E::Pattern { got, want } => format!("{} does not match pattern {}", quote(got), quote(want)),
        E::ContentEncoding { want, err } => format!("value is not {} encoded: {err}", quote(want)),
        E::ContentMediaType { want, err, .. } => {
            format!("value if not of mediatype {}: {err}", quote(want))
        }
        E::Not => "'not' failed".to_owned(),
        E::AllOf => "'allOf' failed".to_owned(),
        E::AnyOf => "'anyOf' failed".to_owned(),
        E::OneOf(None) => "'oneOf' failed, none matched".to_owned(),
        E::OneOf(Some((a, b))) => format!("'oneOf' failed, subschemas {a}, {b} matched"),
        other => bound(other),
    }
}

/// The faults of numbers and of sizes.
fn bound(kind: &ErrorKind<'_, '_>) -> String {
    use ErrorKind as E;
    let sizes =
        |name: &str, got: usize, want: usize| format!("{name}: got {}, want {}", count(got), count(want));
    let numbers = |name: &str, got: &Number, want: &Number| {
        format!("{name}: got {}, want {}", number(got), number(want))
    };
    let places = |got: &[usize]| {
        let got: Vec<String> = got.iter().map(ToString::to_string).collect();
        got.join(" ")
    };
    match kind {
        E::MinProperties { got, want } => sizes("minProperties", *got, *want),
        E::MaxProperties { got, want } => sizes("maxProperties", *got, *want),
        E::MinItems { got, want } => sizes("minItems", *got, *want),
        E::MaxItems { got, want } => sizes("maxItems", *got, *want),
        E::MinLength { got, want } => sizes("minLength", *got, *want),
        E::MaxLength { got, want } => sizes("maxLength", *got, *want),
        E::Contains => "no items match contains schema".to_owned(),
        E::MinContains { got, want } if got.is_empty() => {
            format!(
                "min {} items required to match contains schema, but none matched",
                count(*want)
            )
        }
        E::MinContains { got, want } => format!(
            "min {} items required to match contains schema, but matched {} items at {}",
            count(*want),
            count(got.len()),
            places(got)
        ),
        E::MaxContains { got, want } => format!(
            "max {} items required to match contains schema, but matched {} items at {}",
            count(*want),
            count(got.len()),
            places(got)
        ),
        E::UniqueItems { got: [a, b] } => format!("items at {} and {} are equal", count(*a), count(*b)),
        E::Minimum { got, want } => numbers("minimum", got, want),
        E::Maximum { got, want } => numbers("maximum", got, want),
        E::ExclusiveMinimum { got, want } => numbers("exclusiveMinimum", got, want),
        E::ExclusiveMaximum { got, want } => numbers("exclusiveMaximum", got, want),
        E::MultipleOf { got, want } => numbers("multipleOf", got, want),
        other => other.to_string(),
    }
}

fn quote(text: &str) -> String {
    let quoted = format!("{text:?}")
        .replace("\\\"", "\"")
        .replace("\\'", "'")
        .replace('\'', "\\'");
    let inner = quoted
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(&quoted);
    format!("'{inner}'")
}

fn quoted<S: AsRef<str>>(names: &[S]) -> String {
    let names: Vec<String> = names.iter().map(|name| quote(name.as_ref())).collect();
    names.join(", ")
}

fn display(value: &Value) -> String {
    match value {
        Value::String(text) => quote(text),
        Value::Null => "<nil>".to_owned(),
        Value::Array(_) | Value::Object(_) => "value".to_owned(),
        other => other.to_string(),
    }
}

/// A whole number as English writes it.
fn count(number: usize) -> String {
    grouped(&number.to_string())
}

fn grouped(digits: &str) -> String {
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A float as Go's localized printer writes it in English: six digits before the point at most.
fn number(number: &Number) -> String {
    let value = number.as_f64().unwrap_or_default();
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if value != 0.0 && !(-4..6).contains(&exponent) {
        let sign = if exponent < 0 { "⁻" } else { "" };
        let digits: String = format!("{:02}", exponent.abs())
            .chars()
            .filter_map(|c| "⁰¹²³⁴⁵⁶⁷⁸⁹".chars().nth(c.to_digit(10)? as usize))
            .collect();
        return format!("{mantissa}×10{sign}{digits}");
    }
    let plain = value.to_string();
    let (sign, plain) = plain
        .strip_prefix('-')
        .map_or(("", plain.as_str()), |rest| ("-", rest));
    match plain.split_once('.') {
        Some((whole, part)) => format!("{sign}{}.{part}", grouped(whole)),
        None => format!("{sign}{}", grouped(plain)),
    }
}
