use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tenure_gotmpl::{Map, MapType, Method, Object, Param, Shape, Value};

use super::glob::Glob;
use crate::chart::File;

/// What `.Files` holds: a chart's files that are no templates, by name.
pub(super) struct Files {
    files: BTreeMap<String, File>,
    map: OnceCell<Map>,
}

impl Files {
    pub(super) fn new(files: impl IntoIterator<Item = File>) -> Self {
        Self {
            files: files.into_iter().map(|f| (f.name.to_string(), f)).collect(),
            map: OnceCell::new(),
        }
    }

    fn glob(&self, pattern: &str) -> Self {
        // A pattern that is malformed matches everything, as in Helm.
        let glob = Glob::new(pattern);
        let hit = |name: &str| glob.as_ref().is_none_or(|glob| glob.matches(name));
        Self::new(self.files.values().filter(|file| hit(&file.name)).cloned())
    }

    /// What `entry` makes of each file, under the last part of its name.
    fn flat(&self, entry: impl Fn(&File) -> Value) -> Value {
        let map: Map = self
            .files
            .values()
            .map(|file| (file.name.rsplit('/').next().unwrap_or(&file.name), entry(file)))
            .collect();
        tenure_gotmpl::to_yaml(&map.with_type(&MapType::STRING).into()).into()
    }

    fn lines(&self, name: &str) -> Result<Value, String> {
        let Some(file) = self.files.get(name) else {
            return Ok(Value::strings::<&str>([]));
        };
        let bytes = file.bytes();
        let Some((last, before)) = bytes.split_last() else {
            return Err("runtime error: index out of range [-1]".to_owned());
        };
        let text = if *last == b'\n' { before } else { &*bytes };
        Ok(Value::strings(text.split(|byte| *byte == b'\n')))
    }
}

impl Object for Files {
    fn type_name(&self) -> &'static str {
        "engine.files"
    }

    fn shape(&self) -> Shape {
        let map = self.map.get_or_init(|| {
            let bytes = |file: &File| Value::Bytes(file.bytes().as_ref().into());
            let map: Map = self
                .files
                .iter()
                .map(|(name, file)| (name.as_str(), bytes(file)))
                .collect();
            map.with_type(&MapType::BYTES)
        });
        Shape::Map(map.clone())
    }

    fn methods(&self) -> &'static [Method] {
        const fn with(name: &'static str, parameters: &'static [Param]) -> Method {
            Method { name, parameters }
        }
        const METHODS: &[Method] = &[
            with("AsConfig", &[]),
            with("AsSecrets", &[]),
            with("Get", &[Param::String]),
            with("GetBytes", &[Param::String]),
            with("Glob", &[Param::String]),
            with("Lines", &[Param::String]),
        ];
        METHODS
    }

    fn call(&self, method: &str, arguments: &[Value]) -> Result<Value, String> {
        let name = match arguments.first() {
            Some(Value::String(name)) => name.to_str().into_owned(),
            _ => String::new(),
        };
        let bytes = || self.files.get(&name).map_or(Cow::default(), File::bytes);
        Ok(match method {
            "AsConfig" => self.flat(|file| Value::String(file.bytes().as_ref().into())),
            "AsSecrets" => self.flat(|file| STANDARD.encode(file.bytes()).into()),
            "Get" => Value::String(bytes().as_ref().into()),
            "GetBytes" => Value::Bytes(bytes().as_ref().into()),
            "Glob" => Value::object(self.glob(&name)),
            "Lines" => self.lines(&name)?,
            _ => return Err(format!("{method} is not a method")),
        })
    }
}
