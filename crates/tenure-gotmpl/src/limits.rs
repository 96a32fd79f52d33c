use std::cell::Cell;
use std::thread;
use std::time::Instant;

/// What a run may cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Nodes of templates evaluated, loops included; costly functions count for many.
    pub steps: u64,
    /// Bytes written, by all templates of the run together.
    pub output: usize,
    /// Bytes that functions make, whether they are still in use or not.
    pub memory: usize,
    /// How often a template may include itself, before it is an error; Helm's is 1,000.
    pub includes: u32,
    /// Templates inside each other, through `template`, `include` and `tpl`.
    pub depth: u32,
    /// Bytes that a compiled regular expression may take.
    pub regex: usize,
    /// Bytes of stack the engine may use on an ordinary thread; inside [`with_deep_stack`] it is more.
    pub stack: usize,
    /// When the run has to be over.
    pub deadline: Option<Instant>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            steps: 50_000_000,
            output: 64 << 20,
            memory: 1 << 30,
            includes: 1_000,
            depth: 20_000,
            regex: 4 << 20,
            stack: 1 << 20,
            deadline: None,
        }
    }
}

/// Stack of the thread that [`with_deep_stack`] starts; only what is touched takes memory.
const DEEP: usize = 512 << 20;
/// What stays free for the functions at the bottom of a deep stack.
const RESERVE: usize = 16 << 20;

thread_local! {
    static ROOM: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Runs a closure on a thread with a stack deep enough for all that [`Limits::depth`] allows.
///
/// # Errors
/// If the thread cannot be started.
pub fn with_deep_stack<R: Send>(run: impl FnOnce() -> R + Send) -> std::io::Result<R> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(DEEP).spawn_scoped(scope, || {
            ROOM.set(Some(DEEP - RESERVE));
            run()
        })?;
        match thread.join() {
            Ok(result) => Ok(result),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// How much of the stack is used since some place, and how much may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stack {
    start: usize,
    room: usize,
}

impl Stack {
    /// Counts from here; off a deep stack, up to so many bytes.
    pub(crate) fn here(room: usize) -> Self {
        Self {
            start: stack_pointer(),
            room: ROOM.get().unwrap_or(room),
        }
    }

    /// Whether there is room for more.
    pub(crate) fn has_room(self) -> bool {
        self.start.abs_diff(stack_pointer()) <= self.room
    }
}

/// About where the stack has grown to.
#[inline(never)]
fn stack_pointer() -> usize {
    let here = 0_u8;
    std::ptr::from_ref(&here).addr()
}
