//! Memory that is freed goes back to the system.
//!
//! glibc gets large allocations from the system one by one and gives each back when it is freed. What is
//! large it learns: freeing a table of 10 MiB raises the bound to 10 MiB (mallopt(3), `M_MMAP_THRESHOLD`,
//! up to 32 MiB). From then on nearly everything comes from heaps, up to eight for each processor, which
//! shrink only where their end is free. A standby of 100,000 documents held twice as much as it used when
//! it was ready, and three times as much after it had moved to another snapshot.
//!
//! A bound that is set does not move. It can be set by mallopt(3), which safe Rust cannot call, or by an
//! environment variable that the C library reads before the program begins. So the program starts itself
//! once more with that variable: the same process, with its id, arguments and open files. Another C
//! library, or a system that refuses, leaves everything as it is.

use std::ffi::{OsStr, OsString};

/// The variable that glibc reads.
const TUNABLES: &str = "GLIBC_TUNABLES";
/// What tunables of the allocator begin with.
const ALLOCATOR: &[u8] = b"glibc.malloc.";
/// What older configurations of the allocator begin with, each a variable.
const OLDER: &[u8] = b"MALLOC_";
/// Bytes from which on an allocation is given back when it is freed, and that may be free at the end of a
/// heap: more than documents and answers have. With 1 MiB a standby of 100,000 documents took 10 to 14 MiB more.
const BYTES: usize = 256 << 10;

/// Starts this process once more, with an allocator that gives memory back; returns where that was done,
/// or cannot be. To be called before anything else is.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(crate) fn give_back() {
    use std::os::unix::process::CommandExt as _;

    let Some(tunables) = with_bounds(std::env::vars_os()) else { return };
    // Its own path, not that of the link in /proc, so that the process keeps its name.
    let Ok(program) = std::env::current_exe() else { return };
    let mut arguments = std::env::args_os();
    let mut again = std::process::Command::new(program);
    if let Some(name) = arguments.next() {
        again.arg0(name);
    }
    // Returns only when it fails, and then nothing has happened.
    drop(again.args(arguments).env(TUNABLES, tunables).exec());
}

/// Does nothing: there is no such bound.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn give_back() {}

/// Returns the value of [`TUNABLES`] that sets the bounds besides what it sets already; `None` where the
/// allocator has been configured, by whoever started the process or because this was done before.
#[cfg_attr(not(all(target_os = "linux", target_env = "gnu")), allow(dead_code, reason = "for glibc only"))]
fn with_bounds(environment: impl IntoIterator<Item = (OsString, OsString)>) -> Option<OsString> {
    let mut tunables = OsString::new();
    for (name, value) in environment {
        let names_allocator = |one: &[u8]| one.starts_with(ALLOCATOR);
        match name.as_encoded_bytes() {
            name if name.starts_with(OLDER) => return None,
            name if name == TUNABLES.as_bytes() => {
                if value.as_encoded_bytes().split(|byte| *byte == b':').any(names_allocator) {
                    return None;
                }
                tunables = value;
            }
            _ => {}
        }
    }
    if !tunables.is_empty() {
        tunables.push(OsStr::new(":"));
    }
    tunables.push(format!("glibc.malloc.mmap_threshold={BYTES}:glibc.malloc.trim_threshold={BYTES}"));
    Some(tunables)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(environment: &[(&str, &str)]) -> Option<String> {
        let environment = environment.iter().map(|(name, value)| (name.into(), value.into()));
        with_bounds(environment).map(|tunables| tunables.into_string().unwrap())
    }

    #[test]
    fn bounds_are_set_once_and_beside_what_is_set_already() {
        let bounds = "glibc.malloc.mmap_threshold=262144:glibc.malloc.trim_threshold=262144";
        for (environment, expected) in [
            (&[][..], Some(bounds.to_owned())),
            (&[("PATH", "/bin"), (TUNABLES, "")], Some(bounds.to_owned())),
            (&[(TUNABLES, "glibc.pthread.rseq=0")], Some(format!("glibc.pthread.rseq=0:{bounds}"))),
            (&[(TUNABLES, bounds)], None),
            (&[(TUNABLES, "glibc.pthread.rseq=0:glibc.malloc.arena_max=1")], None),
            (&[("MALLOC_ARENA_MAX", "2")], None),
            (&[("MALLOC_MMAP_THRESHOLD_", "1")], None),
        ] {
            assert_eq!(with(environment), expected, "{environment:?}");
        }
        assert_eq!(with(&[(TUNABLES, &with(&[]).unwrap())]), None, "not for ever");
    }
}
