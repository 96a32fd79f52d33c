//! Go's `path.Match`: the patterns of `.helmignore` and of `--show-only`.

/// A pattern that is not well-formed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("syntax error in pattern")]
pub struct BadPattern;

/// Whether the whole of `name` matches `pattern`, where `*` and `?` never match a slash.
///
/// # Errors
/// When the pattern is malformed; as in Go, a malformed part may go unnoticed if an earlier one
/// decides.
pub fn path_match(pattern: &str, name: &str) -> Result<bool, BadPattern> {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    matches(&pattern, &name)
}

fn matches(mut pattern: &[char], mut name: &[char]) -> Result<bool, BadPattern> {
    while !pattern.is_empty() {
        let (star, chunk, rest) = scan_chunk(pattern);
        pattern = rest;
        if star && chunk.is_empty() {
            return Ok(!name.contains(&'/'));
        }
        if let Some(left) = match_chunk(chunk, name)?
            && (left.is_empty() || !pattern.is_empty())
        {
            name = left;
            continue;
        }
        if star && let Some(left) = after_star(chunk, name, pattern.is_empty())? {
            name = left;
            continue;
        }
        // The rest must still be well-formed.
        while !pattern.is_empty() {
            let (_, chunk, rest) = scan_chunk(pattern);
            pattern = rest;
            match_chunk(chunk, &[])?;
        }
        return Ok(false);
    }
    Ok(name.is_empty())
}

/// The first place behind which the chunk fits, with the star before it skipping no slash.
fn after_star<'a>(chunk: &[char], name: &'a [char], last: bool) -> Result<Option<&'a [char]>, BadPattern> {
    for (at, c) in name.iter().enumerate() {
        if *c == '/' {
            break;
        }
        let tail = name.get(at + 1..).unwrap_or_default();
        if let Some(left) = match_chunk(chunk, tail)? {
            if last && !left.is_empty() {
                continue;
            }
            return Ok(Some(left));
        }
    }
    Ok(None)
}

/// Splits off the leading stars and what follows them up to the next star.
fn scan_chunk(pattern: &[char]) -> (bool, &[char], &[char]) {
    let stars = pattern.iter().take_while(|c| **c == '*').count();
    let rest = pattern.get(stars..).unwrap_or_default();
    let mut in_range = false;
    let mut at = 0;
    while let Some(c) = rest.get(at) {
        match c {
            '\\' if at + 1 < rest.len() => at += 1,
            '[' => in_range = true,
            ']' => in_range = false,
            '*' if !in_range => break,
            _ => {}
        }
        at += 1;
    }
    let (chunk, rest) = rest.split_at(at.min(rest.len()));
    (stars > 0, chunk, rest)
}

/// What is left of the name behind the chunk. A chunk is checked to its end even where the name
/// does not fit.
fn match_chunk<'a>(mut chunk: &[char], mut name: &'a [char]) -> Result<Option<&'a [char]>, BadPattern> {
    let mut failed = false;
    while let Some((first, rest)) = chunk.split_first() {
        failed |= name.is_empty();
        match first {
            '[' => {
                let c = if failed { None } else { name.first().copied() };
                if c.is_some() {
                    name = name.get(1..).unwrap_or_default();
                }
                let (hit, rest) = class(rest, c)?;
                failed |= !hit;
                chunk = rest;
            }
            '?' => {
                if !failed {
                    failed |= name.first() == Some(&'/');
                    name = name.get(1..).unwrap_or_default();
                }
                chunk = rest;
            }
            _ => {
                let (literal, rest) = if *first == '\\' {
                    rest.split_first().ok_or(BadPattern)?
                } else {
                    (first, rest)
                };
                if !failed {
                    failed |= name.first() != Some(literal);
                    name = name.get(1..).unwrap_or_default();
                }
                chunk = rest;
            }
        }
    }
    Ok((!failed).then_some(name))
}

/// Whether a character is in the class that starts behind `[`, and what follows the class.
fn class(mut chunk: &[char], c: Option<char>) -> Result<(bool, &[char]), BadPattern> {
    let negated = chunk.first() == Some(&'^');
    if negated {
        chunk = chunk.get(1..).unwrap_or_default();
    }
    let mut hit = false;
    let mut ranges = 0;
    loop {
        if chunk.first() == Some(&']') && ranges > 0 {
            chunk = chunk.get(1..).unwrap_or_default();
            break;
        }
        let (low, rest) = escaped(chunk)?;
        let (high, rest) = match rest.split_first() {
            Some(('-', after)) => escaped(after)?,
            _ => (low, rest),
        };
        chunk = rest;
        hit |= c.is_some_and(|c| low <= c && c <= high);
        ranges += 1;
    }
    Ok((hit != negated, chunk))
}

fn escaped(chunk: &[char]) -> Result<(char, &[char]), BadPattern> {
    let (first, rest) = chunk.split_first().ok_or(BadPattern)?;
    let (c, rest) = match first {
        '-' | ']' => return Err(BadPattern),
        '\\' => rest.split_first().ok_or(BadPattern)?,
        _ => (first, rest),
    };
    if rest.is_empty() {
        return Err(BadPattern);
    }
    Ok((*c, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_go() {
        for (pattern, name, want) in [
            ("abc", "abc", Ok(true)),
            ("*", "abc", Ok(true)),
            ("*c", "abc", Ok(true)),
            ("a*", "ab/c", Ok(false)),
            ("a*/b", "abc/b", Ok(true)),
            ("a*/b", "a/c/b", Ok(false)),
            ("a*b*c*d*e*/f", "axbxcxdxe/f", Ok(true)),
            ("a*b*c*d*e*/f", "axbxcxdxexxx/fff", Ok(false)),
            ("a*b?c*x", "abxbbxdbxebxczzx", Ok(true)),
            ("ab[c]", "abc", Ok(true)),
            ("ab[b-d]", "abc", Ok(true)),
            ("ab[^b-d]", "abc", Ok(false)),
            ("a\\*b", "a*b", Ok(true)),
            ("a???b", "aä☺b", Ok(false)),
            ("a[^a]b", "a☺b", Ok(true)),
            ("[]a]", "]", Err(BadPattern)),
            ("[-]", "-", Err(BadPattern)),
            ("[x-]", "x", Err(BadPattern)),
            ("[", "a", Err(BadPattern)),
            ("a[", "ab", Err(BadPattern)),
            ("*x", "xxx", Ok(true)),
            ("templates/.?*", "templates/.a", Ok(true)),
            ("templates/.?*", "templates/.", Ok(false)),
            ("", "", Ok(true)),
        ] {
            assert_eq!(path_match(pattern, name), want, "{pattern} {name}");
        }
    }
}
