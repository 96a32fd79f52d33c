//! The patterns of `.Files.Glob`: those of the Go package gobwas/glob, with a slash as separator.

use std::str::Chars;

use regex::Regex;

/// A pattern, turned into a regular expression, which takes linear time whatever the pattern.
pub(super) struct Glob(Regex);

impl Glob {
    /// Nothing, if the pattern is malformed.
    pub(super) fn new(pattern: &str) -> Option<Self> {
        let mut translation = Translation {
            rest: pattern.chars(),
            out: "(?s)^".to_owned(),
        };
        translation.run()?;
        translation.out.push('$');
        Regex::new(&translation.out).ok().map(Self)
    }

    pub(super) fn matches(&self, name: &str) -> bool {
        self.0.is_match(name)
    }
}

struct Translation<'a> {
    rest: Chars<'a>,
    out: String,
}

impl Translation<'_> {
    fn run(&mut self) -> Option<()> {
        let mut open = 0_usize;
        while let Some(c) = self.rest.next() {
            match c {
                '*' if self.rest.as_str().starts_with('*') => {
                    self.rest.next();
                    self.out.push_str(".*");
                }
                '*' => self.out.push_str("[^/]*"),
                '?' => self.out.push_str("[^/]"),
                '[' => self.class()?,
                '{' => {
                    open += 1;
                    self.out.push_str("(?:");
                }
                ',' if open > 0 => self.out.push('|'),
                '}' if open > 0 => {
                    open -= 1;
                    self.out.push(')');
                }
                '\\' => {
                    if let Some(escaped) = self.rest.next() {
                        self.literal(escaped);
                    }
                }
                c => self.literal(c),
            }
        }
        // Alternatives that are not closed end with the pattern.
        self.out.extend(std::iter::repeat_n(')', open));
        Some(())
    }

    fn literal(&mut self, c: char) {
        let mut buffer = [0; 4];
        self.out.push_str(&regex::escape(c.encode_utf8(&mut buffer)));
    }

    /// One range or one list of characters; never both.
    fn class(&mut self) -> Option<()> {
        let mut negated = false;
        if self.rest.as_str().starts_with('!') {
            self.rest.next();
            negated = true;
        }
        let mut ahead = self.rest.clone();
        let (first, second) = (ahead.next()?, ahead.next());
        let characters = if second == Some('-') {
            let last = ahead.next()?;
            if ahead.next()? != ']' || last < first {
                return None;
            }
            self.rest = ahead;
            format!("{}-{}", escaped(first), escaped(last))
        } else {
            let mut list = String::new();
            loop {
                match self.rest.next()? {
                    ']' => break,
                    '\\' => list.push_str(&escaped(self.rest.next()?)),
                    c => list.push_str(&escaped(c)),
                }
            }
            if list.is_empty() {
                return None;
            }
            list
        };
        let not = if negated { "^" } else { "" };
        self.out.push_str(&format!("[{not}{characters}]"));
        Some(())
    }
}

fn escaped(c: char) -> String {
    format!("\\x{{{:x}}}", u32::from(c))
}

#[cfg(test)]
mod tests {
    use super::Glob;

    #[test]
    fn patterns_match_as_in_gobwas_glob() {
        for (pattern, name, want) in [
            ("*", "a", true),
            ("*", "a/b", false),
            ("**", "a/b", true),
            ("config/*", "config/a.txt", true),
            ("config/*", "config/a/b", false),
            ("config/**", "config/a/b", true),
            ("**.yaml", "a/b.yaml", true),
            ("a?c", "abc", true),
            ("a?c", "a/c", false),
            ("[a-c].txt", "b.txt", true),
            ("[!a-c].txt", "b.txt", false),
            ("[abc].txt", "c.txt", true),
            ("{a,b/c}.txt", "b/c.txt", true),
            ("{a,b}*.{x,y}", "bcd.y", true),
            ("a\\*", "a*", true),
            ("a.b", "axb", false),
        ] {
            let glob = Glob::new(pattern).expect(pattern);
            assert_eq!(glob.matches(name), want, "{pattern} {name}");
        }
        for malformed in ["[", "[]", "[c-a]", "[abc"] {
            assert!(Glob::new(malformed).is_none(), "{malformed}");
        }
    }
}
