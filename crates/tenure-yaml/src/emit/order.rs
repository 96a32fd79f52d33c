use std::cmp::Ordering;

/// The order of keys in go-yaml: letters after everything else, numbers by value.
pub(super) fn compare(a: &str, b: &str) -> Ordering {
    let same = a.bytes().zip(b.bytes()).take_while(|(x, y)| x == y).count();
    let at = a.floor_char_boundary(same);
    let first = |text: &str| text.get(at..).and_then(|rest| rest.chars().next());
    let (Some(x), Some(y)) = (first(a), first(b)) else {
        return a.len().cmp(&b.len());
    };
    match (x.is_alphabetic(), y.is_alphabetic()) {
        (true, true) => x.cmp(&y),
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) => numbers(a, b, at).then(x.cmp(&y)),
    }
}

/// Compares the numbers at the first place where the texts differ.
fn numbers(a: &str, b: &str, at: usize) -> Ordering {
    let ((head, a), (_, b)) = (a.split_at(at), b.split_at(at));
    let zero = a.starts_with('0') || b.starts_with('0');
    let lead = zero
        && head
            .chars()
            .rev()
            .take_while(char::is_ascii_digit)
            .any(|c| c != '0');
    let read = |s: &str| {
        s.chars()
            .map_while(|c| c.to_digit(10))
            .fold((u64::from(lead), 0_usize), |(n, len), d| {
                (n.wrapping_mul(10).wrapping_add(u64::from(d)), len + 1)
            })
    };
    read(a).cmp(&read(b))
}

#[cfg(test)]
mod tests {
    use super::compare;

    #[test]
    fn keys_sort_as_in_go_yaml() {
        let mut keys = ["b", "a10", "a2", "A", "1", "_x", "a.b", "a-b", "a", "10", "9"];
        keys.sort_by(|a, b| compare(a, b));
        assert_eq!(
            keys,
            ["_x", "1", "9", "10", "A", "a", "a-b", "a.b", "a2", "a10", "b"]
        );
    }
}
