//! Patterns whose match is taken off one end of a value.

/// What matches.
enum Part {
    /// Any characters, or none.
    Star,
    /// One character.
    Any,
    /// This character.
    Is(char),
    /// One character of some, or one that is none of them.
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

impl Part {
    fn matches(&self, c: char) -> bool {
        match self {
            Self::Star | Self::Any => true,
            Self::Is(wanted) => *wanted == c,
            Self::Class { negated, ranges } => {
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != *negated
            }
        }
    }
}

/// Takes the shortest or longest match off one end, one character at least, in time linear in the product of both
/// lengths. A malformed pattern matches nothing.
pub(super) fn trim(text: &str, pattern: &str, prefix: bool, longest: bool) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    let mut pattern: Vec<char> = pattern.chars().collect();
    if !prefix {
        // as with Flux before it is read, so that classes at this end are malformed
        chars.reverse();
        pattern.reverse();
    }
    let parts = parse(&pattern);
    let Some(cut) = parts.and_then(|parts| matched(&parts, &chars, longest)) else {
        return text.to_owned();
    };
    let mut kept = chars.split_off(cut);
    if !prefix {
        kept.reverse();
    }
    kept.into_iter().collect()
}

fn parse(mut pattern: &[char]) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    while let [first, rest @ ..] = pattern {
        (parts, pattern) = match (first, rest) {
            ('\\', []) => return None,
            ('\\', [escaped, rest @ ..]) => (with(parts, Part::Is(*escaped)), rest),
            ('*', rest) => (with(parts, Part::Star), rest),
            ('?', rest) => (with(parts, Part::Any), rest),
            ('[', ['^', rest @ ..]) => class(parts, true, rest)?,
            ('[', rest) => class(parts, false, rest)?,
            (c, rest) => (with(parts, Part::Is(*c)), rest),
        };
    }
    Some(parts)
}

fn with(mut parts: Vec<Part>, part: Part) -> Vec<Part> {
    parts.push(part);
    parts
}

fn class(parts: Vec<Part>, negated: bool, mut pattern: &[char]) -> Option<(Vec<Part>, &[char])> {
    let mut ranges = Vec::new();
    loop {
        if let [']', rest @ ..] = pattern
            && !ranges.is_empty()
        {
            return Some((with(parts, Part::Class { negated, ranges }), rest));
        }
        let (low, rest) = bound(pattern)?;
        let (high, rest) = match rest {
            ['-', rest @ ..] => bound(rest)?,
            rest => (low, rest),
        };
        ranges.push((low, high));
        pattern = rest;
    }
}

fn bound(pattern: &[char]) -> Option<(char, &[char])> {
    match pattern {
        [] | ['-' | ']', ..] | ['\\'] => None,
        ['\\', c, rest @ ..] | [c, rest @ ..] => Some((*c, rest)),
    }
}

/// How many characters from the start match, at least or at most, and not none.
fn matched(parts: &[Part], text: &[char], longest: bool) -> Option<usize> {
    // Whether each head of the pattern matches what was read so far.
    let mut heads = vec![false; parts.len() + 1];
    if let Some(empty) = heads.first_mut() {
        *empty = true;
    }
    let through_stars = |heads: &mut [bool]| {
        for (i, part) in parts.iter().enumerate() {
            if matches!(part, Part::Star)
                && heads.get(i) == Some(&true)
                && let Some(next) = heads.get_mut(i + 1)
            {
                *next = true;
            }
        }
    };
    through_stars(&mut heads);
    let mut found = None;
    for (read, c) in text.iter().map(Some).chain([None]).enumerate() {
        if read > 0 && heads.last() == Some(&true) {
            found = Some(read);
            if !longest {
                break;
            }
        }
        let Some(c) = c else { break };
        let step = |i: usize, part: &Part| match part {
            Part::Star => heads.get(i + 1) == Some(&true),
            part => heads.get(i) == Some(&true) && part.matches(*c),
        };
        let mut next = vec![false];
        next.extend(parts.iter().enumerate().map(|(i, part)| step(i, part)));
        heads = next;
        through_stars(&mut heads);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_find_the_shortest_and_the_longest_match() {
        let cases = [
            ("aXbXc", "*X", true, false, "bXc"),
            ("aXbXc", "*X", true, true, "c"),
            ("aXbXc", "X*", false, false, "aXb"),
            ("aXbXc", "X*", false, true, "a"),
            ("abc", "??", true, true, "c"),
            ("abc", "*", true, false, "bc"),
            ("abc", "*", false, true, ""),
            ("abc", "b", true, true, "abc"),
            ("häß", "?ä", true, false, "ß"),
            ("abc", "", true, true, "abc"),
        ];
        for (text, pattern, prefix, longest, kept) in cases {
            assert_eq!(trim(text, pattern, prefix, longest), kept, "{text} {pattern}");
        }
    }

    #[test]
    fn classes_are_ranges_and_may_be_malformed() {
        let cases = [
            ("b1", "[a-c]", "1"),
            ("b1", "[^a-c]", "b1"),
            ("b1", "[xyb][0-9]", ""),
            ("-1", r"[a\-]", "1"),
            ("]1", r"[\]]", "1"),
            ("*1", r"\*", "1"),
            ("b1", "[a-c", "b1"),
            ("b1", "[]b]", "b1"),
            ("b1", "[-b]", "b1"),
            ("b1", "[]", "b1"),
            ("b1", "b\\", "b1"),
        ];
        for (text, pattern, kept) in cases {
            assert_eq!(trim(text, pattern, true, true), kept, "{text} {pattern}");
        }
    }
}
