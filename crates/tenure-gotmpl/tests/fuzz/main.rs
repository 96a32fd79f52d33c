//! Templates made of good ones by changing bytes and by putting calls together at random: whatever comes of
//! it, the engine must not panic, must end within its budget, and must do the same when it does it again.
//!
//! `TENURE_FUZZ_SECONDS` says for how long, `TENURE_SEED` from which seed on; a failure names its own.

mod make;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use tenure_gotmpl::{Limits, Seeded, Templates, Value, execution_error, parse_error, with_deep_stack};

/// What is enough to notice that the engine or the test is broken.
const SECONDS: u64 = 8;

/// What a busy machine may add to a run's own limit.
const GRACE: Duration = Duration::from_secs(20);

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn limits() -> Limits {
    Limits {
        steps: 200_000,
        output: 1 << 20,
        memory: 16 << 20,
        deadline: Some(Instant::now() + Duration::from_secs(5)),
        ..Limits::default()
    }
}

fn data() -> Value {
    let json = serde_json::json!({
        "s": "hello", "n": null, "i": 3, "f": 2.5, "l": [3, "b", null, [1]], "e": [],
        "m": {"a": 1, "b": {"c": "d"}}, "t": "{{ .s }}{{ tpl .t . }}", "u": "h\u{e9}\u{1f600}",
    });
    Value::from_json(&json)
}

fn render(text: &[u8]) -> Result<Vec<u8>, String> {
    let mut templates = Templates::new();
    templates
        .parse("t", text)
        .map_err(|error| parse_error("t", &error))?;
    let world = Seeded::new(9);
    let mut session = templates.session(&world, limits());
    session
        .execute("t", &data())
        .map(|out| out.as_bytes().to_vec())
        .map_err(|error| execution_error("t", &error))
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic")
        .to_owned()
}

/// Does it with one seed after the other; a failure says which one it was.
fn for_a_while(make: fn(&mut StdRng) -> Vec<u8>) {
    let seconds = number("TENURE_FUZZ_SECONDS").unwrap_or(SECONDS);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock");
    let first = number("TENURE_SEED").unwrap_or(now.as_secs() << 20);
    let started = Instant::now();
    for seed in first.. {
        let mut random = StdRng::seed_from_u64(seed);
        let text = make(&mut random);
        let shown = String::from_utf8_lossy(&text).into_owned();
        let result = catch_unwind(AssertUnwindSafe(|| {
            let began = Instant::now();
            let once = render(&text);
            assert!(began.elapsed() < Duration::from_secs(5) + GRACE, "too slow");
            let limited = once.as_ref().is_err_and(|reason| reason.contains("out of time"));
            if !limited && !make::is_slow(&shown) {
                assert_eq!(once, render(&text), "done twice");
            }
        }));
        if let Err(panic) = result {
            panic!("with TENURE_SEED={seed}: {}\n{shown}", message(&*panic));
        }
        if started.elapsed() > Duration::from_secs(seconds) {
            return;
        }
    }
}

#[test]
fn changed_bytes_never_panic() {
    with_deep_stack(|| for_a_while(make::changed)).expect("a thread");
}

#[test]
fn calls_at_random_never_panic() {
    // On an ordinary stack, so that its limit is tried, too.
    for_a_while(make::calls);
}
