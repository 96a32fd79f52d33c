/// The RFC 3339 form of a plain scalar that go-yaml takes for a timestamp.
///
/// The forms are `Y-M-D`, and `Y-M-D` with `T`, `t` or a space, `h:m:s`, a fraction and, except
/// after a space, a zone. One-digit months, days and times are allowed.
pub(crate) fn rfc3339(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    if bytes.len() < 8 || !bytes.iter().take(4).all(u8::is_ascii_digit) || bytes.get(4) != Some(&b'-') {
        return None;
    }
    let (date, rest) = match text.find(['T', 't', ' ']) {
        Some(at) => (text.get(..at)?, text.get(at..)?),
        None => (text, ""),
    };
    let mut parts = date.split('-');
    let (year, month, day) = (
        number(parts.next()?, 4, 4)?,
        number(parts.next()?, 1, 2)?,
        number(parts.next()?, 1, 2)?,
    );
    if parts.next().is_some() || !(1..=12).contains(&month) || day < 1 || day > days(year, month) {
        return None;
    }
    let clock = if rest.is_empty() {
        "00:00:00Z".to_owned()
    } else {
        clock(rest)?
    };
    Some(format!("{year:04}-{month:02}-{day:02}T{clock}"))
}

fn clock(rest: &str) -> Option<String> {
    let zoned = !rest.starts_with(' ');
    let body = rest.get(1..)?;
    let (time, zone) = match (zoned, body.find(['Z', '+', '-'])) {
        (true, Some(at)) => (body.get(..at)?, zone(body.get(at..)?)?),
        (true, None) => return None,
        (false, Some(_)) => return None,
        (false, None) => (body, "Z".to_owned()),
    };
    let (time, fraction) = time.split_once('.').map_or((time, ""), |(t, f)| (t, f));
    if time.len() + 1 < body.len() && body.contains('.') && fraction.is_empty() {
        return None;
    }
    let mut parts = time.split(':');
    let (h, m, s) = (
        number(parts.next()?, 1, 2)?,
        number(parts.next()?, 1, 2)?,
        number(parts.next()?, 1, 2)?,
    );
    if parts.next().is_some()
        || h > 23
        || m > 59
        || s > 59
        || fraction.len() > 9
        || !fraction.bytes().all(|b| b.is_ascii_digit())
    {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    let dot = if fraction.is_empty() { "" } else { "." };
    Some(format!("{h:02}:{m:02}:{s:02}{dot}{fraction}{zone}"))
}

fn zone(text: &str) -> Option<String> {
    if text == "Z" {
        return Some("Z".to_owned());
    }
    let (hours, minutes) = text.get(1..)?.split_once(':')?;
    let (h, m) = (number(hours, 2, 2)?, number(minutes, 2, 2)?);
    if h > 24 || m > 59 {
        return None;
    }
    Some(if h == 0 && m == 0 {
        "Z".to_owned()
    } else {
        text.to_owned()
    })
}

fn number(text: &str, min: usize, max: usize) -> Option<u32> {
    let ok = (min..=max).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if ok { text.parse().ok() } else { None }
}

const fn days(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::rfc3339;

    #[test]
    fn dates_and_times_become_rfc3339() {
        let cases = [
            ("2001-01-01", Some("2001-01-01T00:00:00Z")),
            ("2001-1-2", Some("2001-01-02T00:00:00Z")),
            ("2001-01-01T10:00:00Z", Some("2001-01-01T10:00:00Z")),
            ("2001-01-01t1:2:3.50+02:00", Some("2001-01-01T01:02:03.5+02:00")),
            ("2001-01-01 10:00:00", Some("2001-01-01T10:00:00Z")),
            ("2001-02-30", None),
            ("2001-01", None),
            ("2001-01-01-", None),
            ("2001-01-01T10:00:00", None),
            ("20010101", None),
        ];
        for (text, want) in cases {
            assert_eq!(rfc3339(text).as_deref(), want, "{text}");
        }
    }
}
