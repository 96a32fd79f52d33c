use std::collections::VecDeque;
use std::ops::Range;

use crate::tree::{Comment, Text};

/// A comment and where it starts.
#[derive(Debug)]
pub(super) struct Found {
    /// In characters from the start of the text.
    pub(super) index: usize,
    /// From 1.
    pub(super) line: usize,
    /// From 0.
    pub(super) column: usize,
    /// Whether something stands before it on its line.
    pub(super) inline: bool,
    text: String,
}

impl Found {
    pub(super) fn into_comment(self, inline: bool) -> Comment {
        Comment {
            text: Text::new(self.text.into_bytes()),
            inline,
        }
    }
}

/// All comments of a text: what follows a `#` at the start of a line or after a blank, outside of
/// scalars, whose ranges are in characters and in order.
pub(super) fn find(text: &str, scalars: &[Range<usize>]) -> VecDeque<Found> {
    let mut found = VecDeque::new();
    let mut scalars = scalars.iter().peekable();
    let (mut line, mut column, mut before) = (1, 0, ' ');
    let mut inline = false;
    let mut chars = text.chars().enumerate();
    while let Some((index, c)) = chars.next() {
        while scalars.next_if(|range| range.end <= index).is_some() {}
        let in_scalar = scalars.peek().is_some_and(|range| range.contains(&index));
        if c == '#' && !in_scalar && matches!(before, ' ' | '\t' | '\n' | '\r') {
            let mut words = String::new();
            let mut end = None;
            for (_, c) in chars.by_ref() {
                if c == '\n' {
                    end = Some(c);
                    break;
                }
                words.push(c);
            }
            words.truncate(words.trim_end_matches('\r').len());
            found.push_back(Found {
                index,
                line,
                column,
                inline,
                text: words,
            });
            if end.is_none() {
                break;
            }
            (line, column, before, inline) = (line + 1, 0, '\n', false);
            continue;
        }
        if c == '\n' {
            (line, column, inline) = (line + 1, 0, false);
        } else {
            column += 1;
            inline |= !matches!(c, ' ' | '\t');
        }
        before = c;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_told_from_what_looks_like_one() {
        let text = "# a\nb: c#d # e\nf: '# g'\n  #h";
        let quoted = text.find('\'').expect("a quote");
        let scalars = [4..5, 7..10, quoted..quoted + 5];
        let found: Vec<(String, bool, usize, usize)> = find(text, &scalars)
            .into_iter()
            .map(|found| (found.text, found.inline, found.line, found.column))
            .collect();
        let want = [(" a", false, 1, 0), (" e", true, 2, 7), ("h", false, 4, 2)];
        assert_eq!(
            found,
            want.map(|(text, inline, line, column)| (text.to_owned(), inline, line, column))
        );
    }
}
