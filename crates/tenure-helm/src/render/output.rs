use std::borrow::Cow;
use std::convert::Infallible;
use std::io;

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
        self.parts(selection, &mut |part| {
            text.push_str(part);
            Ok::<_, Infallible>(())
        })
        .ok();
        text
    }

    /// Writes that text piece by piece, for a caller that has no room for it twice.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&self, selection: Selection, out: &mut impl io::Write) -> io::Result<()> {
        self.parts(selection, &mut |part| out.write_all(part.as_bytes()))
    }

    fn parts<E>(&self, selection: Selection, put: &mut impl FnMut(&str) -> Result<(), E>) -> Result<(), E> {
        let mut documents = self.documents(selection).peekable();
        while let Some((source, text)) = documents.next() {
            if documents.peek().is_some() {
                document(put, source, &text)?;
                continue;
            }
            // What is blank at the end of all of them goes.
            put(START)?;
            match text.trim_end() {
                "" => put(source.trim_end())?,
                text => [source, "\n", text].into_iter().try_for_each(&mut *put)?,
            }
        }
        put("\n")?;
        for hook in self.hooks(selection) {
            document(put, &hook.source, &hook.content)?;
        }
        Ok(())
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

fn document<E>(put: &mut impl FnMut(&str) -> Result<(), E>, source: &str, text: &str) -> Result<(), E> {
    [START, source, "\n", text, "\n"].into_iter().try_for_each(put)
}

fn size(source: &str, content: usize) -> usize {
    START.len() + source.len() + content + 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Head;

    #[test]
    fn what_is_blank_at_the_end_of_the_documents_goes() {
        let all = Selection {
            crds: true,
            hooks: true,
            tests: true,
        };
        for (contents, want) in [
            (vec![], "\n"),
            (vec![" \n"], "---\n# Source: c/0\n"),
            (vec!["a: 1\n\n"], "---\n# Source: c/0\na: 1\n"),
            (
                vec!["a: 1\n", "b: 2 \n"],
                "---\n# Source: c/0\na: 1\n\n---\n# Source: c/1\nb: 2\n",
            ),
        ] {
            let manifests = contents.iter().enumerate().map(|(at, content)| Manifest {
                source: format!("c/{at}"),
                content: (*content).to_owned(),
                head: Head::default(),
            });
            let rendered = Rendered {
                hooks: Vec::new(),
                manifests: manifests.collect(),
                crds: Vec::new(),
                notes: String::new(),
            };
            assert_eq!(rendered.to_text(all), want);
            let mut written = Vec::new();
            rendered.write(all, &mut written).expect("memory");
            assert_eq!(written, want.as_bytes());
        }
    }
}
