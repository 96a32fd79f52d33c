//! How a worker comes to be.

use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use tenure_api::PodPlacement;
use tenure_core::Name;
use tenure_sandbox::{
    Child, Exit, Group, GroupError, Groups, Output, Scratch, ScratchError, SpawnError, Spec, Stage,
};
use tokio::sync::watch;

use crate::lifeline::{self, Link};
use crate::pods::Pods;
use crate::task::Tasks;

/// What a worker must be told before its lifeline, because it gives up its rights before it reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sandbox {
    /// In the supervisor's process, without any.
    pub(crate) none: bool,
    pub(crate) memory: Option<u64>,
    pub(crate) ports: Vec<u16>,
    /// In a pod of its own, where the platform allows it.
    pub(crate) pod: Option<PodPlacement>,
}

/// Why a worker did not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RuntimeError {
    #[error("failed to make a lifeline")]
    Lifeline(#[source] io::Error),
    #[error("failed to start a thread")]
    Thread(#[source] io::Error),
    #[error(transparent)]
    Scratch(#[from] ScratchError),
    #[error(transparent)]
    Spawn(#[from] SpawnError),
}

/// A worker that has been started.
pub(crate) struct Started {
    pub(crate) link: Link,
    pub(crate) scratch: PathBuf,
    pub(crate) process: Box<dyn Process>,
}

/// What a worker runs in. Dropping it ends the worker at once.
pub(crate) trait Process: Send {
    /// How it ended, in words, and whether well. Cancel safe.
    fn ended(&mut self) -> BoxFuture<'_, (bool, String)>;

    /// The processor time that it has used, where that is known.
    fn cpu(&self) -> Option<Duration> {
        None
    }

    /// What it is kept in besides what it says itself, or why there is nothing of the kind.
    fn kept_in(&self) -> Option<String> {
        None
    }

    /// What becomes of its start, where that takes a while; for ever otherwise. Cancel safe.
    fn progress(&mut self) -> BoxFuture<'_, Progress> {
        Box::pin(std::future::pending())
    }

    /// It is to get what others leave of the processor, as nice(2) counts.
    fn stand_back(&self, _nice: i32) {}
}

/// What becomes of a start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Something is in the way.
    Hindered(String),
    /// The worker is there.
    Arrived,
}

/// Starts workers.
pub(crate) trait Runtime: Send + Sync {
    fn start(&self, home: &Name, sandbox: &Sandbox) -> Result<Started, RuntimeError>;

    /// Removes what the workers of a home have left. None may run.
    fn forget(&self, home: &Name) -> Result<(), RuntimeError>;

    /// Whether such a worker is on a machine of its own: it takes none of this one's places, its clock is another, and it takes
    /// a while to come.
    fn is_remote(&self, _sandbox: &Sandbox) -> bool {
        false
    }

    /// Ends when nothing of the home runs that outlives a supervisor; `None` where nothing does.
    fn vacate(&self, _home: &Name) -> Option<Vacating> {
        None
    }

    /// Ends when all that was told to end has.
    fn settle(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// What outlives a supervisor comes to its end.
pub(crate) struct Vacating {
    pub(crate) gone: BoxFuture<'static, ()>,
    /// Why it takes long.
    pub(crate) hindered: watch::Receiver<Option<String>>,
}

impl Vacating {
    /// Why it takes long; `None` when it is over. Cancel safe.
    pub(crate) async fn next(&mut self) -> Option<String> {
        loop {
            tokio::select! {
                biased;
                () = &mut self.gone => return None,
                Ok(()) = self.hindered.changed() => {
                    let why = self.hindered.borrow_and_update().clone();
                    if why.is_some() {
                        return why;
                    }
                }
            }
        }
    }
}

/// Workers on this machine, and in pods where the platform allows that.
pub(crate) struct Runtimes {
    pub(crate) local: LocalRuntime,
    pub(crate) pods: Option<Pods>,
}

impl Runtimes {
    fn pods_for<'a>(&'a self, sandbox: &'a Sandbox) -> Option<(&'a Pods, &'a PodPlacement)> {
        self.pods.as_ref().zip(sandbox.pod.as_ref())
    }
}

impl Runtime for Runtimes {
    fn start(&self, home: &Name, sandbox: &Sandbox) -> Result<Started, RuntimeError> {
        match self.pods_for(sandbox) {
            Some((pods, placement)) => Ok(pods.start(home, sandbox, placement)),
            None => self.local.start(home, sandbox),
        }
    }

    fn forget(&self, home: &Name) -> Result<(), RuntimeError> {
        self.local.forget(home)
    }

    fn is_remote(&self, sandbox: &Sandbox) -> bool {
        self.pods_for(sandbox).is_some()
    }

    fn vacate(&self, home: &Name) -> Option<Vacating> {
        Some(self.pods.as_ref()?.vacate(home))
    }

    fn settle(&self) -> BoxFuture<'_, ()> {
        match &self.pods {
            Some(pods) => Box::pin(pods.settle()),
            None => Box::pin(std::future::ready(())),
        }
    }
}

/// Workers on this machine: a sandboxed process for each home, or a thread where the platform allows it.
#[derive(Debug)]
pub(crate) struct LocalRuntime {
    pub(crate) stage: Stage,
    pub(crate) scratch: Scratch,
    pub(crate) tasks: Option<Tasks>,
    pub(crate) groups: Result<Groups, GroupError>,
}

/// A process and the control group that it is in.
struct Grouped {
    // dropped first: a group that holds something can't be removed
    child: Child,
    group: Result<(Group, String), String>,
}

impl Runtime for LocalRuntime {
    fn start(&self, home: &Name, sandbox: &Sandbox) -> Result<Started, RuntimeError> {
        if let Some(tasks) = self.tasks.as_ref().filter(|_| sandbox.none) {
            return tasks.start(home, &self.scratch);
        }
        let began = Instant::now();
        let scratch = self.scratch.home(home)?;
        let (ours, theirs) = lifeline::pair().map_err(RuntimeError::Lifeline)?;
        let link = Link::serve(ours).map_err(RuntimeError::Lifeline)?;
        let mut args = vec![
            "worker".into(),
            "--lifeline-fd".into(),
            "3".into(),
            "--scratch".into(),
        ];
        args.push(scratch.clone().into_os_string());
        args.extend(["--home".into(), home.as_str().into()]);
        if let Some(memory) = sandbox.memory {
            args.extend(["--memory".into(), memory.to_string().into()]);
        }
        for port in &sandbox.ports {
            args.extend(["--port".into(), port.to_string().into()]);
        }
        let spec = Spec {
            args,
            lifeline: theirs,
            output: Output::Inherit,
        };
        let child = self.stage.spawn(&spec)?;
        let took_us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        tracing::debug!(%home, pid = child.pid(), took_us, "worker started");
        Ok(Started {
            link,
            scratch,
            process: Box::new(Grouped {
                group: self.group(home, &child, sandbox.memory),
                child,
            }),
        })
    }

    fn forget(&self, home: &Name) -> Result<(), RuntimeError> {
        Ok(self.scratch.forget(home)?)
    }
}

impl LocalRuntime {
    /// The group, and what it limits. The worker has nothing of its tenant yet, nor any thread.
    fn group(&self, home: &Name, child: &Child, memory: Option<u64>) -> Result<(Group, String), String> {
        let groups = self.groups.as_ref().map_err(ToString::to_string)?;
        let put = groups.put(home.as_str(), child.pid(), memory);
        let group = put.inspect_err(|error| tracing::warn!(%home, %error, "a worker has no control group"));
        let group = group.map_err(|error| error.to_string())?;
        Ok((group, groups.controllers().join("+")))
    }
}

impl Process for Grouped {
    fn kept_in(&self) -> Option<String> {
        Some(match &self.group {
            Ok((_, limits)) if limits.is_empty() => "cgroup".to_owned(),
            Ok((_, limits)) => format!("cgroup:{limits}"),
            Err(why) => format!("no cgroup ({why})"),
        })
    }

    fn ended(&mut self) -> BoxFuture<'_, (bool, String)> {
        Box::pin(async move {
            match self.child.wait().await {
                Ok(exit) => (exit.is_success(), Exit::to_string(&exit)),
                Err(error) => (false, error.to_string()),
            }
        })
    }

    fn cpu(&self) -> Option<Duration> {
        self.child.cpu().ok().flatten()
    }

    fn stand_back(&self, nice: i32) {
        let pid = self.child.pid();
        match self.child.stand_back(nice) {
            Ok(()) => tracing::debug!(pid, nice, "a worker that uses much stands back"),
            Err(error) => {
                tracing::warn!(pid, %error, "a worker that uses much can't be told to stand back")
            }
        }
    }
}
