pub(crate) fn validate(_: &crate::Chart, _: &serde_json::Map<String, serde_json::Value>, _: &mut Vec<String>) -> Result<(), String> { Ok(()) }
