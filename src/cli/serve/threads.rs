//! Which threads answer, and which make the next snapshot ready.
//!
//! Both want processors: making 100,000 documents ready takes one for a second, while sites go on asking.
//! So answers have threads of their own, and all others of the process, those that the main thread begins
//! included, have a lower priority once the first snapshot is served. In one pool an answer and a
//! preparation would be given to whichever thread is free, with the priority that one happens to have.

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use super::super::LEFT_BEHIND;
use super::super::error::{CommandError, ErrorKind};

/// Threads that answer requests.
#[derive(Debug)]
pub(super) struct Answering(Option<Runtime>);

impl Answering {
    /// Starts them.
    ///
    /// # Errors
    ///
    /// When the system gives none.
    pub(super) fn start() -> Result<Self, CommandError> {
        let runtime = Builder::new_multi_thread().enable_all().thread_name("answers").build();
        runtime.map(|runtime| Self(Some(runtime))).map_err(|error| {
            CommandError::because(ErrorKind::Failed, "cannot start the threads that answer", error)
        })
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

    /// Waits until they have ended, though not for ever.
    pub(super) async fn end(mut self) {
        if let Some(runtime) = self.0.take() {
            let ended = tokio::task::spawn_blocking(move || runtime.shutdown_timeout(LEFT_BEHIND)).await;
            drop(ended);
        }
    }
}

impl Drop for Answering {
    /// After an error: nobody can wait here, and there is nothing under way that anybody waits for.
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Gives this thread, and those that it begins from now on, a lower priority.
pub(super) fn let_answers_go_first() {
    /// Added to the niceness (setpriority(2)): a ninth of the share of a thread that answers, where both
    /// want a processor.
    #[cfg(target_os = "linux")]
    const NICENESS: i32 = 10;
    // On Linux it is that of the thread, elsewhere it would be that of the process.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(NICENESS) {
        tracing::debug!(%error, "the next snapshot is made ready with the same priority as answers");
    }
}
