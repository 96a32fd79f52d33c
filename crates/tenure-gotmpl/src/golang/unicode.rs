//! Runes as Go sees them: what is not UTF-8 reads as U+FFFD, one byte at a time.

use std::sync::LazyLock;

use regex::Regex;

/// The first rune and how many bytes it takes; nothing at the end.
pub(crate) fn decode(bytes: &[u8]) -> Option<(char, usize)> {
    let first = *bytes.first()?;
    if first < 0x80 {
        return Some((char::from(first), 1));
    }
    let head = bytes.get(..bytes.len().min(4)).unwrap_or(bytes);
    let valid = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) => head
            .get(..error.valid_up_to())
            .and_then(|good| std::str::from_utf8(good).ok())
            .unwrap_or_default(),
    };
    Some(
        valid
            .chars()
            .next()
            .map_or((char::REPLACEMENT_CHARACTER, 1), |c| (c, c.len_utf8())),
    )
}

/// The last rune and how many bytes it takes.
pub(crate) fn decode_last(bytes: &[u8]) -> Option<(char, usize)> {
    let end = bytes.len();
    for width in 1..=end.min(4) {
        let tail = bytes.get(end - width..)?;
        if let Some((c, taken)) = decode(tail)
            && taken == width
            && (width > 1 || tail.first().is_some_and(u8::is_ascii))
        {
            return Some((c, width));
        }
    }
    (end > 0).then_some((char::REPLACEMENT_CHARACTER, 1))
}

/// All runes, with the bytes each is made of.
pub(crate) fn runes(mut bytes: &[u8]) -> impl Iterator<Item = (char, &[u8])> {
    std::iter::from_fn(move || {
        let (c, width) = decode(bytes)?;
        let (head, tail) = bytes.split_at_checked(width)?;
        bytes = tail;
        Some((c, head))
    })
}

/// The number of runes.
pub(crate) fn count(bytes: &[u8]) -> usize {
    std::str::from_utf8(bytes).map_or_else(|_| runes(bytes).count(), |text| text.chars().count())
}

/// Adds a rune.
pub(crate) fn push(out: &mut Vec<u8>, c: char) {
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

macro_rules! class {
    ($(#[$doc:meta])* $name:ident, $ascii:expr, $pattern:literal) => {
        $(#[$doc])*
        pub(crate) fn $name(c: char) -> bool {
            static CLASS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new($pattern).ok());
            if c.is_ascii() {
                let ascii: fn(char) -> bool = $ascii;
                return ascii(c);
            }
            CLASS.as_ref().is_some_and(|class| class.is_match(c.encode_utf8(&mut [0; 4])))
        }
    };
}

class!(
    /// `unicode.IsLetter`.
    is_letter,
    |c| c.is_ascii_alphabetic(),
    r"^\p{L}"
);
class!(
    /// `unicode.IsDigit`.
    is_digit,
    |c| c.is_ascii_digit(),
    r"^\p{Nd}"
);
class!(
    /// `unicode.IsUpper`.
    is_upper,
    |c| c.is_ascii_uppercase(),
    r"^\p{Lu}"
);
class!(
    /// `unicode.IsLower`.
    is_lower,
    |c| c.is_ascii_lowercase(),
    r"^\p{Ll}"
);
class!(
    /// `unicode.IsTitle`.
    is_title,
    |_| false,
    r"^\p{Lt}"
);
class!(
    /// `strconv.IsPrint`: letters, marks, numbers, punctuation, symbols and the plain space.
    is_print,
    |c| (' '..='~').contains(&c),
    r"^[\p{L}\p{M}\p{N}\p{P}\p{S}]"
);
class!(
    /// `unicode.IsPunct`.
    is_punct,
    |c| c.is_ascii_punctuation() && !"$+<=>^`|~".contains(c),
    r"^\p{P}"
);

/// `unicode.IsSpace`.
pub(crate) const fn is_space(c: char) -> bool {
    matches!(
        c,
        '\t' | '\n' | '\u{b}' | '\u{c}' | '\r' | ' ' | '\u{85}' | '\u{a0}' | '\u{1680}' | '\u{2000}'
            ..='\u{200a}' | '\u{2028}' | '\u{2029}' | '\u{202f}' | '\u{205f}' | '\u{3000}'
    )
}

/// `unicode.ToUpper`: one rune for one rune.
pub(crate) fn to_upper(c: char) -> char {
    single(c.to_uppercase(), c)
}

/// `unicode.ToLower`.
pub(crate) fn to_lower(c: char) -> char {
    match c {
        'İ' => 'i',
        c => single(c.to_lowercase(), c),
    }
}

/// `unicode.ToTitle`: upper case, but for the letters that are two in one.
pub(crate) fn to_title(c: char) -> char {
    match c {
        'Ǆ'..='ǆ' => 'ǅ',
        'Ǉ'..='ǉ' => 'ǈ',
        'Ǌ'..='ǌ' => 'ǋ',
        'Ǳ'..='ǳ' => 'ǲ',
        'ა'..='ჺ' | 'ჽ'..='ჿ' => c,
        c => to_upper(c),
    }
}

fn single(mut mapped: impl Iterator<Item = char>, c: char) -> char {
    match (mapped.next(), mapped.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_utf8_reads_byte_by_byte() {
        let read: Vec<_> = runes(b"a\xff\xc3\xa9\xe6\x97")
            .map(|(c, b)| (c, b.len()))
            .collect();
        assert_eq!(
            read,
            [
                ('a', 1),
                ('\u{fffd}', 1),
                ('é', 2),
                ('\u{fffd}', 1),
                ('\u{fffd}', 1)
            ]
        );
        assert_eq!(decode_last("né".as_bytes()), Some(('é', 2)));
        assert_eq!(decode_last(b"a\xa9"), Some(('\u{fffd}', 1)));
        assert_eq!(decode_last(b""), None);
    }

    #[test]
    fn classes_are_gos() {
        assert!(is_letter('日') && is_letter('é') && !is_letter('Ⅷ') && !is_letter('1'));
        assert!(is_digit('٣') && !is_digit('½'));
        assert!(is_print('✓') && !is_print('\u{a0}') && !is_print('\u{ad}') && is_print(' '));
        assert!(is_title('ǅ') && is_punct('-') && !is_punct('+'));
    }
}
