//! Which threads answer, and which make the next snapshot ready.
//!
//! Both want processors: making 100,000 documents ready takes one for half a second, while sites go on
//! asking. So each has threads of its own, and those that prepare have a lower priority. In one pool, an
//! answer and a preparation would be given to whichever thread is free, with the priority that this one
//! happens to have.

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;

use super::super::LEFT_BEHIND;
use super::super::error::{CommandError, ErrorKind};

/// Threads besides those of the command.
#[derive(Debug)]
pub(super) struct Threads(Option<Runtime>);

impl Threads {
    /// Starts threads that answer requests.
    ///
    /// # Errors
    ///
    /// When the system gives none.
    pub(super) fn answering() -> Result<Self, CommandError> {
        Self::start(Builder::new_multi_thread().thread_name("answers"))
    }

    /// Starts threads for what can wait: those that answer go first.
    ///
    /// # Errors
    ///
    /// As [`answering`](Self::answering).
    pub(super) fn preparing() -> Result<Self, CommandError> {
        let mut builder = Builder::new_multi_thread();
        Self::start(builder.worker_threads(1).thread_name("prepares").on_thread_start(let_others_go_first))
    }

    fn start(builder: &mut Builder) -> Result<Self, CommandError> {
        let runtime = builder.enable_all().build().map_err(|error| {
            CommandError::because(ErrorKind::Failed, "cannot start the threads of the standby", error)
        })?;
        Ok(Self(Some(runtime)))
    }

    /// Lets them do something; returns what ends when that does.
    pub(super) fn run(&self, work: impl Future<Output = ()> + Send + 'static) -> impl Future {
        let running: Option<JoinHandle<()>> = self.0.as_ref().map(|runtime| runtime.spawn(work));
        async {
            if let Some(running) = running {
                drop(running.await);
            }
        }
    }

    /// Where others give them something to do.
    pub(super) fn handle(&self) -> Option<Handle> {
        self.0.as_ref().map(|runtime| runtime.handle().clone())
    }

    /// Waits until they have ended, though not for ever.
    pub(super) async fn end(mut self) {
        if let Some(runtime) = self.0.take() {
            let ended = tokio::task::spawn_blocking(move || runtime.shutdown_timeout(LEFT_BEHIND)).await;
            drop(ended);
        }
    }
}

impl Drop for Threads {
    /// After an error: nobody can wait here, and there is nothing under way that anybody waits for.
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Gives this thread a lower priority.
fn let_others_go_first() {
    /// Added to the niceness (setpriority(2)): the lowest there is, a seventieth of the share of a thread that
    /// answers, where both want a processor.
    #[cfg(target_os = "linux")]
    const NICENESS: i32 = 19;
    // On Linux it is that of the thread, elsewhere it would be that of the process.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(NICENESS) {
        tracing::debug!(%error, "the next snapshot is made ready with the same priority as answers");
    }
}
