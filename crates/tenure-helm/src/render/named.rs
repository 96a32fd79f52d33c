use tenure_gotmpl::{Map, Method, Object, Param, Shape, Value};

use crate::values::{path_value, table};

/// A map of Helm's own type `common.Values`, which has methods: the dot, `.Values`, and `.Template`.
pub(super) struct Values(Map);

impl Values {
    /// The map under its type; it stays the same map.
    pub(super) fn of(map: Map) -> Value {
        Value::object(Self(map))
    }
}

impl Object for Values {
    fn type_name(&self) -> &'static str {
        "common.Values"
    }

    fn shape(&self) -> Shape {
        Shape::Map(self.0.clone())
    }

    fn with_map(&self, map: Map) -> Option<Value> {
        Some(Self::of(map))
    }

    fn methods(&self) -> &'static [Method] {
        const fn with(name: &'static str, parameters: &'static [Param]) -> Method {
            Method { name, parameters }
        }
        const METHODS: &[Method] = &[
            with("AsMap", &[]),
            with("PathValue", &[Param::String]),
            with("Table", &[Param::String]),
            with("YAML", &[]),
        ];
        METHODS
    }

    fn call(&self, method: &str, arguments: &[Value]) -> Result<Value, String> {
        let path = match arguments.first() {
            Some(Value::String(path)) => path.to_str().into_owned(),
            _ => String::new(),
        };
        match method {
            "AsMap" => Ok(self.0.clone().into()),
            "PathValue" if path.is_empty() => Err("YAML path cannot be empty".to_owned()),
            "PathValue" => path_value(&self.0, &path).ok_or_else(|| {
                let last = path.rsplit('.').next().unwrap_or(&path);
                format!("{last:?} is not a value")
            }),
            "Table" => table(&self.0, &path).map(Self::of),
            "YAML" => {
                let text = tenure_gotmpl::to_yaml(&self.0.clone().into());
                Ok(format!("{text}\n").into())
            }
            _ => Err(format!("{method} is not a method")),
        }
    }
}
