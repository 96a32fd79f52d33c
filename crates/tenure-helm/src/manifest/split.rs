/// Cuts a text at lines that start with `---`, and leaves out what is blank.
///
/// As in Helm, what follows `---` on the same line belongs to the next document, which is how badly
/// trimmed templates such as `---apiVersion: v1` come to work.
#[must_use]
pub fn split(text: &str) -> Vec<&str> {
    let text = text.trim_start();
    let mut documents = Vec::new();
    let mut start = 0;
    let mut line_start = 0;
    while let Some(line) = text.get(line_start..).filter(|rest| !rest.is_empty()) {
        let next = line.find('\n').map_or(text.len(), |at| line_start + at + 1);
        if line.starts_with("---") {
            documents.push(text.get(start..line_start).unwrap_or_default());
            let after = line.get(3..).unwrap_or_default();
            let blanks = after.len() - after.trim_start_matches([' ', '\t']).len();
            start = line_start + 3 + blanks;
        }
        line_start = next;
    }
    documents.push(text.get(start..).unwrap_or_default());
    documents
        .into_iter()
        .map(str::trim_start)
        .filter(|document| !document.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn documents_are_cut_at_lines_that_start_with_three_dashes() {
        for (text, want) in [
            ("", vec![]),
            ("\n a: 1\n", vec!["a: 1\n"]),
            ("---\na: 1\n---\nb: 2\n", vec!["a: 1\n", "b: 2\n"]),
            ("a: 1\n---b: 2", vec!["a: 1\n", "b: 2"]),
            ("a: 1\n--- # c\nb: 2", vec!["a: 1\n", "# c\nb: 2"]),
            ("a: 1\n ---\nb: 2", vec!["a: 1\n ---\nb: 2"]),
            ("a: 1\n------\nb: 2", vec!["a: 1\n", "---\nb: 2"]),
            ("---\n---\n\n---", vec![]),
        ] {
            assert_eq!(split(text), want, "{text:?}");
        }
    }
}
