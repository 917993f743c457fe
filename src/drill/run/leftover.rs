//! What a drill leaves on this machine when it is killed, and how the next command clears it away.
//!
//! Before a drill makes anything it writes a file that says what it will make: a directory, and programs as they
//! are started. It holds a lock on that file for as long as it lives; the lock goes with the process, however that
//! ends. Whoever finds a file without a lock ends those programs, removes the directory, and then the file.
//!
//! **If we crash here**, between two of these steps, the next command does them again.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use crate::ids::{Digest, Name, SnapshotId};

/// Below which such files are, in the directory of what this client remembers.
const DIRECTORY: &str = "drills";
/// The file that is locked by whoever looks at them.
const GUARD: &str = "drills.lock";
/// Largest such file.
const BYTES_MAX: u64 = 1 << 20;

/// What a drill says that it makes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// Its id.
    pub drill: SnapshotId,
    /// Its plan.
    pub plan: Name,
    /// Whether it is a real disaster.
    pub real: bool,
    /// SHA-256 of the criteria, which were fixed before it began.
    pub criteria: Digest,
    /// The id of the vault, so that its record finds its way.
    pub vault: String,
    /// When it began, RFC 3339.
    pub began: String,
    /// What it was doing when this was written.
    pub phase: String,
    /// Its directory.
    pub directory: PathBuf,
    /// Programs that it started.
    pub processes: Vec<Process>,
}

/// A program that was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its number.
    pub pid: i32,
    /// When it was started, in ticks since the machine was (proc(5), field 22 of `stat`): another process that
    /// got the same number has another time.
    pub started: u64,
}

/// A drill that is under way on this machine; dropping it leaves its file for the next command.
#[derive(Debug)]
pub struct Leftover {
    path: PathBuf,
    file: Mutex<(File, Trace)>,
}

impl Leftover {
    /// Says that a drill begins, and makes its directory.
    ///
    /// # Errors
    ///
    /// Those of the local disk; [`io::ErrorKind::ResourceBusy`] when a drill of the same plan is under way on
    /// this machine.
    pub fn begin(state: &Path, trace: Trace) -> io::Result<Self> {
        let directory = state.join(DIRECTORY);
        private(&directory)?;
        // Until its own file is there and locked, so that of two who begin at once one sees the other.
        let _guard = guard(state)?;
        for (other, is_alive) in traces(state)? {
            if is_alive && other.plan == trace.plan && other.vault == trace.vault {
                let why =
                    format!("a drill of {} is under way: {} since {}", other.plan, other.drill, other.began);
                return Err(io::Error::new(io::ErrorKind::ResourceBusy, why));
            }
        }
        let path = directory.join(format!("{}.json", trace.drill));
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
        file.lock()?;
        let own = Self { path, file: Mutex::new((file, trace)) };
        own.write(|_| {})?;
        private(&own.directory())?;
        Ok(own)
    }

    /// The directory of the drill.
    pub fn directory(&self) -> PathBuf {
        self.lock().1.directory.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, (File, Trace)> {
        self.file.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn write(&self, change: impl FnOnce(&mut Trace)) -> io::Result<()> {
        let mut own = self.lock();
        let (file, trace) = &mut *own;
        change(trace);
        let text = serde_json::to_vec_pretty(trace)?;
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(&text)?;
        file.sync_data()
    }

    /// Says what it does now. A full disk keeps no drill from going on.
    pub fn doing(&self, phase: &str) {
        if let Err(error) = self.write(|trace| phase.clone_into(&mut trace.phase)) {
            tracing::warn!(%error, "cannot say which phase the drill is in");
        }
    }

    /// Says that a program was started.
    pub fn started(&self, pid: u32) {
        let Some(process) =
            i32::try_from(pid).ok().and_then(|pid| Some(Process { pid, started: started(pid)? }))
        else {
            return;
        };
        if let Err(error) = self.write(|trace| trace.processes.push(process)) {
            tracing::warn!(%error, "cannot say which program the drill started");
        }
    }

    /// Removes what is in its directory. Returns whether that is gone.
    pub fn clear(&self) -> bool {
        remove(&self.directory())
    }

    /// Says that it is over: its programs have ended, its directory goes, then its file. Returns whether the
    /// directory is gone.
    pub fn end(self) -> bool {
        let directory = self.directory();
        let is_gone = remove(&directory);
        if is_gone && let Err(error) = std::fs::remove_file(&self.path) {
            tracing::warn!(%error, "cannot remove the file that says that a drill runs");
        }
        is_gone
    }
}

/// Clears away what drills left that were killed. Returns them; each is returned again until it is
/// [forgotten](forget), so that none goes unrecorded because the vault was out of reach.
///
/// # Errors
///
/// Those of the local disk. What cannot be removed is tried again by the next command.
pub fn sweep(state: &Path) -> io::Result<Vec<Trace>> {
    let mut swept = Vec::new();
    if !state.join(DIRECTORY).exists() {
        return Ok(swept);
    }
    let _guard = guard(state)?;
    for (trace, is_alive) in traces(state)? {
        if is_alive {
            continue;
        }
        trace.processes.iter().for_each(end);
        if remove(&trace.directory) {
            swept.push(trace);
        }
    }
    Ok(swept)
}

/// Removes the last trace of a drill that was swept away, when it is on record.
///
/// # Errors
///
/// Those of the local disk.
pub fn forget(state: &Path, trace: &Trace) -> io::Result<()> {
    match std::fs::remove_file(state.join(DIRECTORY).join(format!("{}.json", trace.drill))) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Waits for whoever looks at these files just now, and keeps others out: a lock is how a look tells a drill that
/// runs from one that was killed, and a look takes it for a moment.
fn guard(state: &Path) -> io::Result<File> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(state.join(GUARD))?;
    file.lock()?;
    Ok(file)
}

/// Every drill that said that it began, and whether it still runs. Under the [`guard`].
fn traces(state: &Path) -> io::Result<Vec<(Trace, bool)>> {
    let entries = match std::fs::read_dir(state.join(DIRECTORY)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let file = match File::open(&path) {
            Ok(file) => file,
            // It ended meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let is_alive = match file.try_lock() {
            Ok(()) => false,
            Err(TryLockError::WouldBlock) => true,
            Err(TryLockError::Error(error)) => return Err(error),
        };
        let mut text = Vec::new();
        file.take(BYTES_MAX).read_to_end(&mut text)?;
        let Ok(trace) = serde_json::from_slice::<Trace>(&text) else {
            if !is_alive {
                // It was killed before it had said anything, and so before it made anything.
                std::fs::remove_file(&path)?;
            }
            continue;
        };
        // Only what this program makes is ever removed: a directory of that name below the same place.
        if trace.directory.starts_with(state.join(DIRECTORY)) {
            found.push((trace, is_alive));
        }
    }
    found.sort_by(|a, b| a.0.drill.cmp(&b.0.drill));
    Ok(found)
}

/// Where a drill keeps what it makes.
pub fn directory(state: &Path, drill: &SnapshotId) -> PathBuf {
    state.join(DIRECTORY).join(drill.as_str())
}

fn private(directory: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

/// Removes a directory; whether it is gone.
fn remove(directory: &Path) -> bool {
    if let Err(error) = std::fs::remove_dir_all(directory)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(%error, directory = %directory.display(), "cannot remove what a drill made");
    }
    !directory.exists()
}

/// When a process was started; `None` where nobody tells.
fn started(pid: i32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold spaces and brackets; the rest begins behind the last bracket, with field 3.
    stat.rsplit_once(") ")?.1.split(' ').nth(19)?.parse().ok()
}

/// Ends a program that is still the one that was started.
fn end(process: &Process) {
    if started(process.pid) != Some(process.started) {
        return;
    }
    #[cfg(unix)]
    if let Some(pid) = rustix::process::Pid::from_raw(process.pid) {
        // Its whole group: a shell has children. Where it leads none, itself.
        let ended = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
        if ended.is_err() {
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).ok();
        }
    }
}

/// Ends the group of processes that this one led: what it started and left behind.
pub(super) fn end_group(leader: Option<u32>) {
    #[cfg(unix)]
    if let Some(pid) = leader.and_then(|pid| rustix::process::Pid::from_raw(i32::try_from(pid).ok()?)) {
        rustix::process::kill_process_group(pid, rustix::process::Signal::KILL).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(state: &Path, number: u8, plan: &str) -> Trace {
        let drill: SnapshotId = format!("20261120T10000{number}Z-00000000").parse().unwrap();
        Trace {
            plan: plan.parse().unwrap(),
            real: false,
            criteria: Digest::of(b""),
            vault: "v".to_owned(),
            began: "2026-11-20T10:00:00Z".to_owned(),
            phase: String::new(),
            directory: directory(state, &drill),
            processes: Vec::new(),
            drill,
        }
    }

    #[test]
    fn the_next_command_clears_away_what_a_killed_drill_left() {
        let state = tempfile::tempdir().unwrap();
        let alive = Leftover::begin(state.path(), trace(state.path(), 1, "weekly")).unwrap();
        alive.doing("fetch");
        // One drill of a plan at a time; another plan is another matter.
        let again = Leftover::begin(state.path(), trace(state.path(), 2, "weekly")).unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::ResourceBusy);
        let other = Leftover::begin(state.path(), trace(state.path(), 3, "monthly")).unwrap();
        assert_eq!(sweep(state.path()).unwrap(), [], "both are under way");
        // A program that it started goes on when it is killed.
        let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        alive.started(child.id());
        let directory = alive.directory();
        assert!(directory.is_dir());
        drop(alive);
        let swept = sweep(state.path()).unwrap();
        assert_eq!(swept.len(), 1);
        assert_eq!((swept[0].phase.as_str(), swept[0].plan.as_str()), ("fetch", "weekly"));
        assert!(!directory.exists());
        assert!(!child.wait().unwrap().success(), "a signal ended it");
        // It is told until somebody has it on record.
        assert_eq!(sweep(state.path()).unwrap(), swept);
        forget(state.path(), &swept[0]).unwrap();
        forget(state.path(), &swept[0]).unwrap();
        assert_eq!(sweep(state.path()).unwrap(), []);
        assert!(other.end());
        assert_eq!(std::fs::read_dir(state.path().join(DIRECTORY)).unwrap().count(), 0);
    }

    #[test]
    fn nothing_is_removed_that_a_drill_does_not_make() {
        let state = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let mut wrong = trace(state.path(), 1, "weekly");
        wrong.directory = elsewhere.path().to_owned();
        drop(Leftover::begin(state.path(), wrong).unwrap());
        assert_eq!(sweep(state.path()).unwrap(), []);
        assert!(elsewhere.path().exists());
    }
}
