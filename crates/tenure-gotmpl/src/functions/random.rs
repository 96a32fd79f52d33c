//! Random texts and numbers, from the run's source.

use super::argument::{bytes, int, reserve};
use super::{Function, Outcome, fixed};
use crate::exec::Run;
use crate::golang::unicode::{push, runes};
use crate::value::{Param, Value};

const COUNT: &[Param] = &[Param::Int];
const DIGITS: &[u8] = b"0123456789";
const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BOTH: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

pub(super) static FUNCTIONS: &[Function] = &[
    fixed("randAlphaNum", COUNT, |run, a| drawn(run, int(a, 0), BOTH)),
    fixed("randAlpha", COUNT, |run, a| drawn(run, int(a, 0), LETTERS)),
    fixed("randNumeric", COUNT, |run, a| drawn(run, int(a, 0), DIGITS)),
    fixed("randAscii", COUNT, |run, a| {
        let all: Vec<u8> = (b' '..=b'~').collect();
        drawn(run, int(a, 0), &all)
    }),
    fixed("randInt", &[Param::Int, Param::Int], |run, a| {
        let (low, high) = (int(a, 0), int(a, 1));
        match u64::try_from(high.wrapping_sub(low)) {
            Ok(span) if span > 0 => Ok(Value::Int(low.wrapping_add(below(run, span).cast_signed()))),
            _ => Err("invalid argument to Intn".into()),
        }
    }),
    fixed("randBytes", COUNT, rand_bytes),
    fixed("uuidv4", &[], |run, _| {
        let mut id = [0_u8; 16];
        run.world.random(&mut id);
        id[6] = id[6] & 0x0f | 0x40;
        id[8] = id[8] & 0x3f | 0x80;
        let hex: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
        let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
        let parts = [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)];
        Ok(parts.join("-").into())
    }),
    fixed("shuffle", &[Param::String], |run, a| {
        let mut text: Vec<char> = runes(bytes(a, 0)).map(|(c, _)| c).collect();
        for at in (1..text.len()).rev() {
            let other = below(run, u64::try_from(at + 1).unwrap_or(1));
            text.swap(at, usize::try_from(other).unwrap_or(0));
        }
        let mut out = Vec::new();
        text.into_iter().for_each(|c| push(&mut out, c));
        Ok(Value::String(out.into()))
    }),
];

/// A number below `bound`, every one as likely.
fn below(run: &Run<'_>, bound: u64) -> u64 {
    let fair = u64::MAX - u64::MAX % bound;
    loop {
        let mut buffer = [0; 8];
        run.world.random(&mut buffer);
        let number = u64::from_le_bytes(buffer);
        if number < fair {
            return number % bound;
        }
    }
}

/// So many characters of a set. A negative count gives none, as sprig drops the error.
fn drawn(run: &mut Run<'_>, count: i64, set: &[u8]) -> Outcome {
    let Ok(count) = usize::try_from(count) else {
        return Ok(Value::empty_string());
    };
    reserve(run, count)?;
    run.steps(u64::try_from(count / 16).unwrap_or(u64::MAX))?;
    let bound = u64::try_from(set.len()).unwrap_or(1);
    let mut out = Vec::with_capacity(count);
    for _ in 0..count {
        let at = usize::try_from(below(run, bound)).unwrap_or(0);
        out.extend(set.get(at));
    }
    Ok(Value::String(out.into()))
}

fn rand_bytes(run: &mut Run<'_>, a: &[Value]) -> Outcome {
    use base64::Engine as _;
    let Ok(count) = usize::try_from(int(a, 0)) else {
        return Err("runtime error: makeslice: len out of range".into());
    };
    reserve(run, count.saturating_mul(2))?;
    let mut buffer = vec![0; count];
    run.world.random(&mut buffer);
    Ok(base64::engine::general_purpose::STANDARD.encode(buffer).into())
}
