/// The longest text from a remote that a message repeats, in characters.
const LONGEST: usize = 300;

/// Text from a remote, made fit for a message: one line, printable, short.
#[must_use]
pub fn printable(text: &str) -> String {
    let clean: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    clean
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .take(LONGEST)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn text_from_a_remote_is_one_short_printable_line() {
        assert_eq!(
            printable("fatal:\x1b[31m no\r\n\n such  repo\n"),
            "fatal: [31m no such repo"
        );
        assert_eq!(printable(&"x".repeat(5000)).len(), 300);
    }
}
