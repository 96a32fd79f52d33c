use std::borrow::Cow;
use std::fmt::Write as _;

use crate::chart::File;
use crate::manifest::{Hook, Manifest};

/// What a chart gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Rendered {
    /// The hooks, sorted by kind.
    pub hooks: Vec<Hook>,
    /// The manifests in the order of installation.
    pub manifests: Vec<Manifest>,
    /// The custom resource definitions, which are not rendered.
    pub crds: Vec<(String, File)>,
    /// The notes for a person.
    pub notes: String,
}

/// Which parts of it to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Selection {
    /// The custom resource definitions.
    pub crds: bool,
    /// The hooks.
    pub hooks: bool,
    /// The hooks that are tests.
    pub tests: bool,
}

impl Rendered {
    /// One text, byte for byte as `helm template` prints it.
    #[must_use]
    pub fn to_text(&self, selection: Selection) -> String {
        // Growing would take up to twice as much, next to all that is in it.
        let manifests = self.manifests.iter().map(|m| size(&m.source, m.content.len()));
        let crds = self.crds.iter().filter(|_| selection.crds);
        let crds = crds.map(|(source, file)| size(source, file.size()));
        let hooks = self
            .hooks(selection)
            .map(|hook| size(&hook.source, hook.content.len()));
        let mut text = String::with_capacity(manifests.chain(crds).chain(hooks).sum::<usize>() + 1);
        for (source, manifest) in self.documents(selection) {
            document(&mut text, source, &manifest);
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
        for hook in self.hooks(selection) {
            document(&mut text, &hook.source, &hook.content);
        }
        text
    }

    /// The custom resource definitions and manifests, each with the file it comes from.
    pub fn documents(&self, selection: Selection) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
        let crds = self
            .crds
            .iter()
            .filter(move |_| selection.crds)
            .filter_map(|(source, file)| Some((source.as_str(), text_of(file)?)));
        let manifests = self
            .manifests
            .iter()
            .map(|manifest| (manifest.source.as_str(), Cow::from(&manifest.content)));
        crds.chain(manifests)
    }

    /// The hooks that are to be printed.
    pub fn hooks(&self, selection: Selection) -> impl Iterator<Item = &Hook> {
        self.hooks
            .iter()
            .filter(move |hook| selection.hooks && (selection.tests || !hook.is_test()))
    }
}

fn text_of(file: &File) -> Option<Cow<'_, str>> {
    match file.bytes() {
        Cow::Borrowed(bytes) => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
        Cow::Owned(bytes) => String::from_utf8(bytes).ok().map(Cow::Owned),
    }
}

const START: &str = "---\n# Source: ";

fn document(out: &mut String, source: &str, text: &str) {
    let _ = writeln!(out, "{START}{source}\n{text}");
}

fn size(source: &str, content: usize) -> usize {
    START.len() + source.len() + content + 2
}
