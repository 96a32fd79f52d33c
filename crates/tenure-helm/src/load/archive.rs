use std::io::{self, Read as _};

use flate2::read::MultiGzDecoder;
use tar::{Archive, Entry, EntryType};

use super::LoadError;
use crate::chart::File;
use crate::limits::Allowance;

const BOM: &[u8] = b"\xef\xbb\xbf";
/// What headers and padding may take for each file, and at the end.
const FRAME: u64 = 4096;

/// The files of an archive, named as they are below its one directory. Nothing is written anywhere;
/// links and devices are empty files, as Helm has them.
pub(super) fn read(bytes: &[u8], allowance: &mut Allowance) -> Result<Vec<File>, LoadError> {
    if !bytes.starts_with(b"\x1f\x8b\x08") {
        return Err(LoadError::Archive("gzip: invalid header".to_owned()));
    }
    let most = allowance
        .bytes_left()
        .saturating_add((allowance.limits.files as u64).saturating_mul(FRAME))
        .saturating_add(1 << 20);
    let mut archive = Archive::new(MultiGzDecoder::new(bytes).take(most));
    let mut files = Vec::new();
    for entry in archive.entries().map_err(|e| malformed(&e))? {
        let entry = entry.map_err(|e| malformed(&e))?;
        if let Some(file) = read_entry(entry, allowance)? {
            files.push(file);
        }
    }
    if files.is_empty() {
        return Err(LoadError::Archive("no files in chart archive".to_owned()));
    }
    Ok(files)
}

fn read_entry<R: io::Read>(
    entry: Entry<'_, R>,
    allowance: &mut Allowance,
) -> Result<Option<File>, LoadError> {
    let kind = entry.header().entry_type();
    let full = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
    if kind == EntryType::Directory
        || full.ends_with('/')
        || matches!(kind, EntryType::XGlobalHeader | EntryType::XHeader)
    {
        return Ok(None);
    }
    let name = inner_name(&full)?;
    let size = entry.size();
    let most = allowance.limits.file;
    if size > allowance.bytes_left() {
        return Err(LoadError::ChartTooLarge(allowance.limits.chart));
    }
    if size > most {
        return Err(LoadError::EntryTooLarge(full, most));
    }
    let mut data = Vec::new();
    if kind.is_file() || kind.is_contiguous() || kind.is_gnu_sparse() {
        entry
            .take(most.saturating_add(1))
            .read_to_end(&mut data)
            .map_err(|e| malformed(&e))?;
        if data.len() as u64 > most {
            return Err(LoadError::EntryTooLarge(full, most));
        }
    }
    allowance.take_file(data.len() as u64)?;
    Ok(Some(File::new(&name, data.strip_prefix(BOM).unwrap_or(&data))))
}

/// The name below the archive's one directory.
fn inner_name(full: &str) -> Result<String, LoadError> {
    let illegal = |text: String| Err(LoadError::IllegalName(text));
    let delimiter = if full.contains('\\') { '\\' } else { '/' };
    let (first, rest) = full.split_once(delimiter).unwrap_or((full, ""));
    let rest = rest.replace(delimiter, "/");
    if rest.starts_with('/') {
        return illegal("chart illegally contains absolute paths".to_owned());
    }
    let name = clean(&rest);
    if name == "." {
        return illegal(format!(
            "chart illegally contains content outside the base directory: {full:?}"
        ));
    }
    if name.starts_with("..") {
        return illegal("chart illegally references parent directory".to_owned());
    }
    let mut start = name.chars();
    if start.next().is_some_and(|c| c.is_ascii_alphabetic()) && start.as_str().starts_with(":/") {
        return illegal("chart contains illegally named files".to_owned());
    }
    if first == "Chart.yaml" {
        return illegal("chart yaml not in base directory".to_owned());
    }
    Ok(name)
}

/// Go's `path.Clean` for a relative path.
fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    if parts.is_empty() {
        ".".to_owned()
    } else {
        parts.join("/")
    }
}

fn malformed(error: &io::Error) -> LoadError {
    LoadError::Archive(format!("unable to load chart archive: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_below_the_one_directory() {
        for (full, want) in [
            ("c/templates/a.yaml", Ok("templates/a.yaml")),
            ("./c/x", Ok("c/x")),
            ("c\\templates\\a", Ok("templates/a")),
            ("c/a/../b", Ok("b")),
            (
                "c",
                Err("chart illegally contains content outside the base directory: \"c\""),
            ),
            ("c/../../x", Err("chart illegally references parent directory")),
            ("c//etc/passwd", Err("chart illegally contains absolute paths")),
            ("c/c:/x", Err("chart contains illegally named files")),
        ] {
            let got = inner_name(full).map_err(|e| e.to_string());
            assert_eq!(
                got.as_deref(),
                want.map_err(str::to_owned).as_ref().map(|w| *w),
                "{full}"
            );
        }
    }
}
