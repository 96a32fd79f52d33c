//! Values as JSON, YAML and TOML, and back.

pub(crate) mod json;
mod json_read;
pub(crate) mod toml;
mod toml_read;
pub(crate) mod yaml;

pub(crate) use self::json_read::{read, read_list, read_map};
pub(crate) use self::toml_read::read as read_toml;
