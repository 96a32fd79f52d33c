//! The objects that Helm gives templates, for a chart of one file.

use serde_json::Value as Json;
use tenure_gotmpl::{Field, List, ListType, Map, MapType, Method, Object, Param, Shape, Str, Value};

/// The root object.
pub(crate) fn dot(values: Map, files: &Json, name: &str) -> Value {
    let release = Value::from_iter([
        ("Name", Value::from("rel")),
        ("Namespace", "ns".into()),
        ("Revision", 1_i64.into()),
        ("IsInstall", true.into()),
        ("IsUpgrade", false.into()),
        ("Service", "Helm".into()),
    ]);
    let template: Map = [("Name", name), ("BasePath", "c/templates")]
        .into_iter()
        .collect();
    let root: Map = [
        ("Chart", chart()),
        ("Files", Value::object(Files(contents(files)))),
        ("Release", release),
        ("Capabilities", Value::object(Capabilities)),
        ("Values", Value::object(Values(values))),
        ("Subcharts", Map::new().into()),
        ("Template", Value::object(Values(template))),
    ]
    .into_iter()
    .collect();
    Value::object(Values(root))
}

fn chart() -> Value {
    static LISTS: [ListType; 2] = [
        ListType::new("[]*chart.Maintainer", tenure_gotmpl::Kind::Ptr),
        ListType::new("[]*chart.Dependency", tenure_gotmpl::Kind::Ptr),
    ];
    let annotations: Map = [("k", "v")].into_iter().collect();
    let [maintainers, dependencies] = &LISTS;
    Value::from_iter([
        ("Name", Value::from("c")),
        ("Home", "".into()),
        ("Sources", Value::List(List::nil(&ListType::STRING))),
        ("Version", "0.1.0".into()),
        ("Description", "d".into()),
        ("Keywords", Value::strings(["x", "true"])),
        ("Maintainers", Value::List(List::nil(maintainers))),
        ("Icon", "".into()),
        ("APIVersion", "v2".into()),
        ("Condition", "".into()),
        ("Tags", "".into()),
        ("AppVersion", "1.2.3".into()),
        ("Deprecated", false.into()),
        ("Annotations", annotations.with_type(&MapType::STRING).into()),
        ("KubeVersion", "".into()),
        ("Dependencies", Value::List(List::nil(dependencies))),
        ("Type", "application".into()),
        ("IsRoot", true.into()),
    ])
}

const fn method(name: &'static str, parameters: &'static [Param]) -> Method {
    Method { name, parameters }
}

struct Values(Map);

impl Object for Values {
    fn type_name(&self) -> &'static str {
        "common.Values"
    }

    fn shape(&self) -> Shape {
        Shape::Map(self.0.clone())
    }

    fn methods(&self) -> &'static [Method] {
        static METHODS: &[Method] = &[method("AsMap", &[]), method("YAML", &[])];
        METHODS
    }

    fn call(&self, _: &str, _: &[Value]) -> Result<Value, String> {
        Ok(self.0.clone().into())
    }
}

fn contents(files: &Json) -> Map {
    let map = Map::typed(&MapType::BYTES);
    for (name, text) in files.as_object().into_iter().flatten() {
        let bytes: Str = text.as_str().unwrap_or_default().into();
        map.insert(name.as_str(), Value::Bytes(bytes));
    }
    map
}

struct Files(Map);

impl Files {
    fn bytes(&self, name: &str) -> Str {
        match self.0.get(name) {
            Some(Value::Bytes(bytes)) => bytes,
            _ => Str::default(),
        }
    }
}

impl Object for Files {
    fn type_name(&self) -> &'static str {
        "engine.files"
    }

    fn shape(&self) -> Shape {
        Shape::Map(self.0.clone())
    }

    fn methods(&self) -> &'static [Method] {
        static METHODS: &[Method] = &[
            method("Get", &[Param::String]),
            method("GetBytes", &[Param::String]),
            method("Lines", &[Param::String]),
        ];
        METHODS
    }

    fn call(&self, method: &str, arguments: &[Value]) -> Result<Value, String> {
        let name = arguments
            .first()
            .and_then(Value::as_str)
            .map(ToString::to_string)
            .unwrap_or_default();
        let bytes = self.bytes(&name);
        Ok(match method {
            "Get" => Value::String(bytes),
            "GetBytes" => Value::Bytes(bytes),
            _ if !self.0.contains(&name) => Value::strings(Vec::<Str>::new()),
            _ if bytes.is_empty() => return Err("runtime error: index out of range [-1]".into()),
            _ => {
                let text = bytes.to_string();
                Value::strings(text.strip_suffix('\n').unwrap_or(&text).split('\n'))
            }
        })
    }
}

struct Capabilities;

impl Object for Capabilities {
    fn type_name(&self) -> &'static str {
        "*common.Capabilities"
    }

    fn shape(&self) -> Shape {
        Shape::Pointer(vec![
            Field::new("KubeVersion", Value::object(KubeVersion)),
            Field::new("APIVersions", Value::object(Versions)),
        ])
    }
}

struct KubeVersion;

impl Object for KubeVersion {
    fn type_name(&self) -> &'static str {
        "common.KubeVersion"
    }

    fn shape(&self) -> Shape {
        Shape::Struct(vec![
            Field::new("Version", "v1.33.0"),
            Field::new("Major", "1"),
            Field::new("Minor", "33"),
        ])
    }

    fn methods(&self) -> &'static [Method] {
        static METHODS: &[Method] = &[method("GitVersion", &[]), method("String", &[])];
        METHODS
    }

    fn call(&self, _: &str, _: &[Value]) -> Result<Value, String> {
        Ok("v1.33.0".into())
    }

    fn printed(&self) -> Option<Str> {
        Some("v1.33.0".into())
    }
}

struct Versions;

impl Versions {
    const ALL: [&str; 4] = ["v1", "apps/v1", "networking.k8s.io/v1", "policy/v1beta1"];
}

impl Object for Versions {
    fn type_name(&self) -> &'static str {
        "common.VersionSet"
    }

    fn shape(&self) -> Shape {
        match Value::strings(Self::ALL) {
            Value::List(list) => Shape::List(list),
            _ => Shape::List(List::nil(&ListType::STRING)),
        }
    }

    fn methods(&self) -> &'static [Method] {
        static METHODS: &[Method] = &[method("Has", &[Param::String])];
        METHODS
    }

    fn call(&self, _: &str, arguments: &[Value]) -> Result<Value, String> {
        let wanted = arguments
            .first()
            .and_then(Value::as_str)
            .map(ToString::to_string)
            .unwrap_or_default();
        Ok(Self::ALL.contains(&wanted.as_str()).into())
    }
}
