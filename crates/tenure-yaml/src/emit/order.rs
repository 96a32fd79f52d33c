use std::cmp::Ordering;

/// The order of keys in go-yaml: letters after everything else, numbers by value.
pub(super) fn compare(a: &str, b: &str) -> Ordering {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    for (i, (&x, &y)) in a.iter().zip(&b).enumerate() {
        if x == y {
            continue;
        }
        return match (x.is_alphabetic(), y.is_alphabetic()) {
            (true, true) => x.cmp(&y),
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => numbers(&a, &b, i).then(x.cmp(&y)),
        };
    }
    a.len().cmp(&b.len())
}

fn numbers(a: &[char], b: &[char], at: usize) -> Ordering {
    let zero = a.get(at) == Some(&'0') || b.get(at) == Some(&'0');
    let lead = zero
        && a.iter()
            .take(at)
            .rev()
            .take_while(|c| c.is_ascii_digit())
            .any(|c| *c != '0');
    let read = |s: &[char]| {
        s.iter()
            .skip(at)
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
