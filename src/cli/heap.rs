//! Memory that is freed goes back to the system.
//!
//! glibc gets large allocations from the system one by one and gives each back when it is freed. What is
//! large it learns: freeing a table of 10 MiB raises the bound to 10 MiB (mallopt(3), `M_MMAP_THRESHOLD`,
//! up to 32 MiB). From then on nearly everything comes from heaps, up to eight for each processor, which
//! shrink only where their end is free. A standby of 100,000 documents held twice as much as it used when
//! it was ready, and three times as much after it had moved to another snapshot. A copy of thirty snapshots,
//! whose plan leaves pages free in the heaps of many threads, takes 100 MiB so, and 75 MiB with a bound.
//!
//! A bound that is set does not move. It can be set by mallopt(3), which safe Rust cannot call, or by an
//! environment variable that the C library reads before the program begins. So the program starts itself
//! once more with that variable: the same process, with its id, arguments and open files. Another C
//! library, or a system that refuses, leaves everything as it is.

use std::ffi::OsString;

/// The variable that glibc reads.
const TUNABLES: &str = "GLIBC_TUNABLES";
/// What older variables for the same begin with.
const OLDER: &[u8] = b"MALLOC_";
/// Bytes from which on an allocation is given back when it is freed, and that may be free at the end of a
/// heap: more than documents and answers have. With 1 MiB a standby of 100,000 documents took 10 to 14 MiB more.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const BYTES: usize = 256 << 10;

/// Starts this process once more, with an allocator that gives memory back; returns where that has been
/// done, or cannot be. To be called before anything else is.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(crate) fn give_back() {
    use std::os::unix::process::CommandExt as _;

    if is_configured(std::env::vars_os().map(|(name, _)| name)) {
        return;
    }
    // Its own path, not that of the link in /proc, so that the process keeps its name.
    let Ok(program) = std::env::current_exe() else { return };
    let mut arguments = std::env::args_os();
    let mut again = std::process::Command::new(program);
    if let Some(name) = arguments.next() {
        again.arg0(name);
    }
    // Returns only when it fails, and then nothing has happened.
    let bounds = format!("glibc.malloc.mmap_threshold={BYTES}:glibc.malloc.trim_threshold={BYTES}");
    drop(again.args(arguments).env(TUNABLES, bounds).exec());
}

/// Does nothing: there is no such bound.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn give_back() {}

/// Whether the C library has been configured, by whoever started the process or because this was done before.
/// Then nothing is added: as it reads its tunables, glibc cuts the variable off behind the first.
#[cfg_attr(not(all(target_os = "linux", target_env = "gnu")), allow(dead_code, reason = "for glibc only"))]
fn is_configured(mut variables: impl Iterator<Item = OsString>) -> bool {
    variables.any(|name| name == TUNABLES || name.as_encoded_bytes().starts_with(OLDER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_configured_stays_and_nothing_is_done_twice() {
        for (variables, expected) in [
            (&[][..], false),
            (&["PATH", "HOME", "SMALLOC_X"], false),
            (&["PATH", "GLIBC_TUNABLES"], true),
            (&["MALLOC_ARENA_MAX"], true),
            (&["MALLOC_MMAP_THRESHOLD_", "HOME"], true),
        ] {
            assert_eq!(is_configured(variables.iter().map(OsString::from)), expected, "{variables:?}");
        }
    }
}
