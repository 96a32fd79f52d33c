//! Versions and ranges.

use super::argument::text;
use super::{Function, Outcome, fixed};
use crate::exec::Run;
use crate::golang::semver::{Constraints, Version};
use crate::value::{Field, Method, Object, Param, Shape, Str, Value};

pub(super) static FUNCTIONS: &[Function] = &[
    fixed("semver", &[Param::String], |_, a| {
        Ok(Value::object(Version::parse(&text(a, 0))?))
    }),
    fixed("semverCompare", &[Param::String, Param::String], compare),
];

fn compare(_: &mut Run<'_>, a: &[Value]) -> Outcome {
    let constraints = Constraints::parse(&text(a, 0))?;
    let version = Version::parse(&text(a, 1))?;
    Ok(Value::Bool(constraints.check(&version)))
}

const NAME: &str = "*semver.Version";
const OTHER: &[Param] = &[Param::Named(NAME)];

const fn method(name: &'static str, parameters: &'static [Param]) -> Method {
    Method { name, parameters }
}

impl Object for Version {
    fn type_name(&self) -> &'static str {
        NAME
    }

    fn shape(&self) -> Shape {
        let [major, minor, patch] = self.numbers;
        Shape::Pointer(vec![
            Field::new("major", Value::Uint64(major)).json("", true),
            Field::new("minor", Value::Uint64(minor)).json("", true),
            Field::new("patch", Value::Uint64(patch)).json("", true),
            Field::new("pre", self.prerelease.as_str()).json("", true),
            Field::new("metadata", self.metadata.as_str()).json("", true),
            Field::new("original", self.original.as_str()).json("", true),
        ])
    }

    fn methods(&self) -> &'static [Method] {
        static METHODS: &[Method] = &[
            method("Major", &[]),
            method("Minor", &[]),
            method("Patch", &[]),
            method("Prerelease", &[]),
            method("Metadata", &[]),
            method("Original", &[]),
            method("String", &[]),
            method("Compare", OTHER),
            method("Equal", OTHER),
            method("LessThan", OTHER),
            method("LessThanEqual", OTHER),
            method("GreaterThan", OTHER),
            method("GreaterThanEqual", OTHER),
            method("IncMajor", &[]),
            method("IncMinor", &[]),
            method("IncPatch", &[]),
            method("SetPrerelease", &[Param::String]),
            method("SetMetadata", &[Param::String]),
        ];
        METHODS
    }

    fn call(&self, method: &str, arguments: &[Value]) -> Result<Value, String> {
        let [major, minor, patch] = self.numbers;
        let order = arguments
            .first()
            .and_then(Value::downcast::<Self>)
            .map_or(std::cmp::Ordering::Equal, |other| self.compare(other));
        Ok(match method {
            "Major" => Value::Uint64(major),
            "Minor" => Value::Uint64(minor),
            "Patch" => Value::Uint64(patch),
            "Prerelease" => self.prerelease.as_str().into(),
            "Metadata" => self.metadata.as_str().into(),
            "Original" => self.original.as_str().into(),
            "Compare" => Value::Int(order as i64),
            "Equal" => order.is_eq().into(),
            "LessThan" => order.is_lt().into(),
            "LessThanEqual" => order.is_le().into(),
            "GreaterThan" => order.is_gt().into(),
            "GreaterThanEqual" => order.is_ge().into(),
            "IncMajor" => self.next([major.wrapping_add(1), 0, 0]),
            "IncMinor" => self.next([major, minor.wrapping_add(1), 0]),
            "IncPatch" if self.prerelease.is_empty() => self.next([major, minor, patch.wrapping_add(1)]),
            "IncPatch" => self.next(self.numbers),
            "SetPrerelease" | "SetMetadata" => {
                self.with(method, &arguments.first().cloned().unwrap_or_default())?
            }
            _ => self.to_string().into(),
        })
    }

    fn text(&self) -> Option<Str> {
        Some(self.to_string().into())
    }

    fn marshal(&self) -> Option<Value> {
        Some(self.to_string().into())
    }
}

impl Version {
    fn next(&self, numbers: [u64; 3]) -> Value {
        self.changed(numbers, String::new(), String::new())
    }

    fn changed(&self, numbers: [u64; 3], prerelease: String, metadata: String) -> Value {
        let mut version = Self {
            numbers,
            prerelease,
            metadata,
            original: String::new(),
        };
        let prefix = if self.original.starts_with('v') { "v" } else { "" };
        version.original = format!("{prefix}{version}");
        Value::object(version)
    }

    fn with(&self, method: &str, part: &Value) -> Result<Value, String> {
        let part = part.as_str().map(ToString::to_string).unwrap_or_default();
        let good = part.is_empty()
            || part.split('.').all(|piece| {
                !piece.is_empty()
                    && piece
                        .bytes()
                        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            });
        if method == "SetPrerelease" {
            if !good {
                return Err("invalid prerelease string".into());
            }
            return Ok(self.changed(self.numbers, part, self.metadata.clone()));
        }
        if !good {
            return Err("invalid metadata string".into());
        }
        Ok(self.changed(self.numbers, self.prerelease.clone(), part))
    }
}
