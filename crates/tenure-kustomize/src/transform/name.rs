use crate::resource::Resource;

/// Kinds whose names other systems fix.
const FIXED: [&str; 3] = ["APIService", "CustomResourceDefinition", "Namespace"];

/// Puts prefix and suffix around the names.
pub(crate) fn run(prefix: &str, suffix: &str, all: &mut [Resource]) {
    if prefix.is_empty() && suffix.is_empty() {
        return;
    }
    for resource in all {
        if !prefix.is_empty() {
            resource.prefixes.push(prefix.to_owned());
        }
        if !suffix.is_empty() {
            resource.suffixes.push(suffix.to_owned());
        }
        let id = resource.id();
        if !FIXED.contains(&id.kind.as_str()) {
            resource.remember();
            resource.set_name(&format!("{prefix}{}{suffix}", id.name));
        }
    }
}
