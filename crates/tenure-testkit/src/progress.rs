/// One line for the person who waits.
#[expect(clippy::print_stderr, reason = "a build of minutes must not look like a hang")]
pub(crate) fn say(line: &str) {
    eprintln!("rig: {line}");
}
