//! Ctrl-C, being asked to end, and a terminal that went away.
//!
//! The first signal cancels: the command stops taking work, leaves everything valid and ends with
//! 130. The second one ends the process at once, which is safe as well: a vault is valid after
//! every write, so nothing is lost but the work since the last checkpoint.

use std::io;
use std::sync::Arc;

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::exit::Outcome;
use super::output::Output;

/// Listens for signals in a task of `tasks`, from when this returns. SIGHUP ends as the others do,
/// unless there is something that it notifies.
///
/// # Errors
///
/// When the system does not let the process listen.
pub fn watch(
    tasks: &mut JoinSet<()>,
    cancel: CancellationToken,
    hang_up: Option<Arc<Notify>>,
    output: Arc<Output>,
) -> io::Result<()> {
    let mut signals = Signals::listen(hang_up)?;
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
    /// `None` where whoever started this wants it to outlive the terminal (`nohup`).
    hang_up: Option<tokio::signal::unix::Signal>,
    notify: Option<Arc<Notify>>,
}

#[cfg(unix)]
impl Signals {
    fn listen(notify: Option<Arc<Notify>>) -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let hang_up =
            if ignores_hang_up() && notify.is_none() { None } else { Some(signal(SignalKind::hangup())?) };
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up,
            notify,
        })
    }

    async fn next(&mut self) {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => return,
                _ = self.terminate.recv() => return,
                () = hung_up(self.hang_up.as_mut()) => match &self.notify {
                    Some(notify) => notify.notify_one(),
                    None => return,
                },
            }
        }
    }
}

#[cfg(unix)]
async fn hung_up(signal: Option<&mut tokio::signal::unix::Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

/// Whether this process was started with SIGHUP ignored. Listening would undo that. Systems
/// without `/proc` do not tell; there it is listened to.
#[cfg(unix)]
fn ignores_hang_up() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        // SIGHUP is number 1, the lowest bit.
        .is_some_and(|mask| mask & 1 == 1)
}

#[cfg(windows)]
struct Signals(tokio::signal::windows::CtrlC);

#[cfg(windows)]
impl Signals {
    fn listen(_notify: Option<Arc<Notify>>) -> io::Result<Self> {
        tokio::signal::windows::ctrl_c().map(Self)
    }

    async fn next(&mut self) {
        self.0.recv().await;
    }
}
