//! Ctrl-C, and being asked to end.
//!
//! The first signal cancels: the command stops taking work, leaves everything valid and ends with
//! 130. The second one ends the process at once, which is safe as well: a vault is valid after
//! every write, so nothing is lost but the work since the last checkpoint.

use std::io;
use std::sync::Arc;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::exit::Outcome;
use super::output::Output;

/// Listens for signals in a task of `tasks`, from when this returns.
///
/// # Errors
///
/// When the system does not let the process listen.
pub fn watch(tasks: &mut JoinSet<()>, cancel: CancellationToken, output: Arc<Output>) -> io::Result<()> {
    let mut signals = Signals::listen()?;
    tasks.spawn(async move {
        signals.next().await;
        // Said first: what is cancelled may end at once.
        output.message("stopping cleanly, once more stops at once");
        cancel.cancel();
        signals.next().await;
        end_at_once();
    });
    Ok(())
}

#[expect(clippy::exit, reason = "the second signal may not wait for anything, not even for destructors")]
fn end_at_once() -> ! {
    std::process::exit(Outcome::Interrupted.code().into())
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(windows)]
struct Signals(tokio::signal::windows::CtrlC);

#[cfg(windows)]
impl Signals {
    fn listen() -> io::Result<Self> {
        tokio::signal::windows::ctrl_c().map(Self)
    }

    async fn next(&mut self) {
        self.0.recv().await;
    }
}
