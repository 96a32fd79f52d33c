use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, bail};
use flate2::{Compression, GzBuilder};

/// One file of the image.
pub(super) struct File {
    /// Where, without the leading slash.
    path: PathBuf,
    bytes: Vec<u8>,
    mode: u32,
}

/// The program, what it links, and a user to run as.
pub(super) fn files(binary: &Path, libraries: &[PathBuf]) -> anyhow::Result<Vec<File>> {
    let read = |path: &Path| std::fs::read(path).with_context(|| format!("read {}", path.display()));
    let mut files = vec![File {
        path: "tenure".into(),
        bytes: read(binary)?,
        mode: 0o755,
    }];
    for library in libraries {
        let path = library.strip_prefix("/").unwrap_or(library);
        if path
            .components()
            .any(|part| !matches!(part, Component::Normal(_)))
        {
            bail!("library {} is not at a plain absolute path", library.display());
        }
        files.push(File {
            path: path.to_owned(),
            bytes: read(library)?,
            mode: 0o755,
        });
    }
    let user = super::USER;
    for (path, text) in [
        (
            "etc/passwd",
            format!("root:x:0:0:root:/:/sbin/nologin\nnonroot:x:{user}:{user}:nonroot:/:/sbin/nologin\n"),
        ),
        ("etc/group", format!("root:x:0:\nnonroot:x:{user}:\n")),
    ] {
        files.push(File {
            path: path.into(),
            bytes: text.into_bytes(),
            mode: 0o644,
        });
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files.dedup_by(|a, b| a.path == b.path);
    Ok(files)
}

/// The compressed archive, and the digest of the plain one.
pub(super) fn pack(files: &[File]) -> anyhow::Result<(Vec<u8>, String)> {
    let mut archive = tar::Builder::new(Vec::new());
    let parents = files.iter().flat_map(|file| file.path.ancestors().skip(1));
    let directories: BTreeSet<_> = parents.filter(|path| !path.as_os_str().is_empty()).collect();
    for directory in directories.into_iter().chain([Path::new("tmp")]) {
        let mode = if directory == Path::new("tmp") {
            0o1777
        } else {
            0o755
        };
        append(&mut archive, directory, &[], mode, tar::EntryType::Directory)?;
    }
    for file in files {
        append(
            &mut archive,
            &file.path,
            &file.bytes,
            file.mode,
            tar::EntryType::Regular,
        )?;
    }
    let plain = archive.into_inner().context("end the archive")?;
    let mut gzip = GzBuilder::new()
        .mtime(0)
        .write(Vec::new(), Compression::default());
    gzip.write_all(&plain).context("compress the layer")?;
    Ok((gzip.finish().context("compress the layer")?, super::hex(&plain)))
}

/// Time and owner are fixed, so that the same files give the same bytes.
fn append(
    archive: &mut tar::Builder<Vec<u8>>,
    path: &Path,
    bytes: &[u8],
    mode: u32,
    kind: tar::EntryType,
) -> anyhow::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(bytes.len() as u64);
    archive
        .append_data(&mut header, path, bytes)
        .with_context(|| format!("pack {}", path.display()))
}
