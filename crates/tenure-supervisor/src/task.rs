//! Isolation level `task`: workers that run in threads of the supervisor's own process. Nothing walls them off from each other
//! or from the supervisor's token: for tests, and for installations of one tenant who is the platform itself.

use std::fmt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;

use futures::future::BoxFuture;
use tenure_core::Name;
use tenure_sandbox::Scratch;
use tokio::sync::oneshot;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::lifeline::{self, Link};
use crate::runtime::{Process, RuntimeError, Started};

/// What a worker needs that is no process.
#[derive(Debug)]
pub struct Task {
    /// The home.
    pub home: Name,
    /// Its end of the lifeline.
    pub socket: UnixStream,
    /// A directory that is this home's alone.
    pub scratch: PathBuf,
    /// Ends it.
    pub cancel: CancellationToken,
}

type Work = dyn Fn(Task) -> Result<(), String> + Send + Sync;

/// What a worker does, until the lifeline or the token ends it. It may block: each has a thread of its own.
#[derive(Clone)]
pub struct Tasks(Arc<Work>);

impl Tasks {
    /// Workers that do `work`; it gives back why it ended, unless it ended well.
    pub fn new(work: impl Fn(Task) -> Result<(), String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(work))
    }

    pub(crate) fn start(&self, home: &Name, scratch: &Scratch) -> Result<Started, RuntimeError> {
        let scratch = scratch.home(home)?;
        let (ours, theirs) = lifeline::pair().map_err(RuntimeError::Lifeline)?;
        let link = Link::serve(ours).map_err(RuntimeError::Lifeline)?;
        let cancel = CancellationToken::new();
        let task = Task {
            home: home.clone(),
            socket: UnixStream::from(theirs),
            scratch: scratch.clone(),
            cancel: cancel.clone(),
        };
        let (say, said) = oneshot::channel();
        let work = self.0.clone();
        std::thread::Builder::new()
            .name(format!("worker {home}"))
            .spawn(move || say.send(work(task)))
            .map_err(RuntimeError::Thread)?;
        Ok(Started {
            link,
            scratch,
            process: Box::new(Thread {
                said: Some(said),
                _ends: cancel.drop_guard(),
            }),
        })
    }
}

impl fmt::Debug for Tasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tasks")
    }
}

/// A worker in a thread. Dropping it asks the worker to end.
struct Thread {
    said: Option<oneshot::Receiver<Result<(), String>>>,
    _ends: DropGuard,
}

impl Process for Thread {
    fn ended(&mut self) -> BoxFuture<'_, (bool, String)> {
        Box::pin(async {
            let Some(said) = &mut self.said else {
                return (false, "it has ended".to_owned());
            };
            let how = match said.await {
                Ok(Ok(())) => (true, "exit code 0".to_owned()),
                Ok(Err(why)) => (false, why),
                Err(_) => (false, "a panic".to_owned()),
            };
            self.said = None;
            how
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started(tasks: &Tasks) -> (tempfile::TempDir, Started) {
        let dir = tempfile::tempdir().expect("a directory");
        let scratch = Scratch::wipe(dir.path()).expect("made");
        let home = Name::new("apps").expect("valid");
        let started = tasks.start(&home, &scratch).expect("started");
        (dir, started)
    }

    #[tokio::test]
    async fn how_a_worker_in_a_thread_ended_is_said() {
        let fine = Tasks::new(|task| {
            assert!(task.scratch.ends_with("apps") && task.home.as_str() == "apps");
            Ok(())
        });
        let (_dir, mut worker) = started(&fine);
        assert_eq!(worker.process.ended().await, (true, "exit code 0".to_owned()));
        let (_dir, mut worker) = started(&Tasks::new(|_| Err("it could not".to_owned())));
        assert_eq!(worker.process.ended().await, (false, "it could not".to_owned()));
        let (_dir, mut worker) = started(&Tasks::new(|_| panic!("on purpose")));
        assert_eq!(worker.process.ended().await, (false, "a panic".to_owned()));
    }

    #[tokio::test]
    async fn a_worker_that_is_let_go_is_asked_to_end() {
        let (heard, hears) = oneshot::channel();
        let heard = parking_lot::Mutex::new(Some(heard));
        let waits = Tasks::new(move |task: Task| {
            futures::executor::block_on(task.cancel.cancelled());
            heard.lock().take().map(|heard| heard.send(()));
            Ok(())
        });
        let (_dir, worker) = started(&waits);
        drop(worker);
        assert_eq!(hears.await, Ok(()));
    }
}
