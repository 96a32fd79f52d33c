use std::fmt;

/// The forms of documents that sops knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Any bytes, encrypted as one value in a JSON envelope.
    Binary,
    /// Lines of `KEY=value`.
    Dotenv,
    /// Sections of `key = value`.
    Ini,
    /// JSON with an object at the top.
    Json,
    /// YAML documents with a mapping at the top.
    Yaml,
}

impl Format {
    /// The format by the end of a file's name, as sops and Flux choose it; binary if there is no other.
    #[must_use]
    pub fn of_path(path: &str) -> Self {
        let ends = |ends: &[&str]| ends.iter().any(|end| path.ends_with(end));
        if ends(&[".dockerconfigjson", ".json"]) {
            Self::Json
        } else if ends(&[".yaml", ".yml"]) {
            Self::Yaml
        } else if ends(&[".env"]) {
            Self::Dotenv
        } else if ends(&[".ini"]) {
            Self::Ini
        } else {
            Self::Binary
        }
    }

    /// The format that a text has been encrypted in, by the mark that sops left; nothing if there is none.
    #[must_use]
    pub fn of_content(bytes: &[u8]) -> Option<Self> {
        [Self::Yaml, Self::Json, Self::Dotenv, Self::Ini]
            .into_iter()
            .find(|format| format.marks(bytes))
    }

    /// Whether bytes have the mark of sops in this format.
    #[must_use]
    pub fn marks(self, bytes: &[u8]) -> bool {
        let mark = match self {
            Self::Binary | Self::Json => "\"mac\": \"ENC[",
            Self::Dotenv => "sops_mac=ENC[",
            Self::Ini => "[sops]",
            Self::Yaml => "mac: ENC[",
        };
        bytes.windows(mark.len()).any(|window| window == mark.as_bytes())
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Binary => "binary",
            Self::Dotenv => "dotenv",
            Self::Ini => "INI",
            Self::Json => "JSON",
            Self::Yaml => "YAML",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_name_decides() {
        for (path, format) in [
            ("a/b.yaml", Format::Yaml),
            ("b.yml", Format::Yaml),
            ("b.json", Format::Json),
            (".dockerconfigjson", Format::Json),
            ("token.env", Format::Dotenv),
            (".env", Format::Dotenv),
            ("b.ini", Format::Ini),
            ("b.txt", Format::Binary),
            ("", Format::Binary),
        ] {
            assert_eq!(Format::of_path(path), format, "{path}");
        }
    }

    #[test]
    fn the_mark_of_sops_tells_the_format() {
        let of = |text: &str| Format::of_content(text.as_bytes());
        assert_eq!(of("sops:\n    mac: ENC[AES256_GCM,"), Some(Format::Yaml));
        assert_eq!(of("\"mac\": \"ENC[AES256_GCM,"), Some(Format::Json));
        assert_eq!(of("sops_mac=ENC[AES256_GCM,"), Some(Format::Dotenv));
        assert_eq!(of("a = b\n[sops]\n"), Some(Format::Ini));
        assert_eq!(of("ENC[AES256_GCM,"), None);
    }
}
