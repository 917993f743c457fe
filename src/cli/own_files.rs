//! Notes what a command writes on this host that may hold personal data, so that an erasure finds it again.

use std::path::Path;

use super::Context;
use super::places::Places;
use super::session::Session;
use crate::privacy::own_files::{Output, OutputKind, Register};
use crate::vault::replica::with_causes;

/// An output that is being written.
#[derive(Debug)]
pub(super) struct Noted {
    register: Register,
    output: Output,
    /// What the register said of this path before.
    earlier: Option<Output>,
}

/// How writing an output ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrote {
    /// All of it is there.
    All,
    /// Some of it may be there.
    Some,
    /// Nothing was written: what is there, if anything, was there before.
    Nothing,
}

impl Wrote {
    /// Of something that is written as a whole or not at all.
    pub(super) fn whole<T, E>(result: &Result<T, E>) -> Self {
        if result.is_ok() { Self::All } else { Self::Nothing }
    }
}

/// Notes an output before it is begun; `more` says what it is of. What cannot be noted is written all the same,
/// with a warning: a restore in a disaster must not fail for it.
pub(super) fn begin(
    kind: OutputKind,
    path: &Path,
    session: &Session,
    context: &Context,
    more: impl FnOnce(Output) -> Output,
) -> Option<Noted> {
    let noted = (|| {
        let register = Register::at(&Places::of_environment().map_err(|error| error.to_string())?.state);
        let output = Output::new(kind, path, session.vault.now(), session.vault.file.vault);
        let mut output = more(output.map_err(|error| error.to_string())?);
        let outputs = register.outputs().map_err(|error| with_causes(&error))?;
        let earlier = outputs.all.into_iter().find(|earlier| earlier.path == output.path);
        // What lay in a directory before is not ours to delete.
        let held = std::fs::read_dir(&output.path).is_ok_and(|mut entries| entries.next().is_some());
        output.shared = held && earlier.as_ref().is_none_or(|earlier| earlier.shared);
        register.begin(&output).map_err(|error| with_causes(&error))?;
        Ok::<_, String>(Noted { register, output, earlier })
    })();
    noted.map_err(|why| warn(path, &why, context)).ok()
}

/// Notes something that is written already.
pub(super) fn written(kind: OutputKind, path: &Path, session: &Session, context: &Context) {
    let noted = begin(kind, path, session, context, |output| output);
    finish(noted, Wrote::All, context);
}

/// Notes how it ended, and what it is in its file system.
pub(super) fn finish(noted: Option<Noted>, wrote: Wrote, context: &Context) {
    let Some(Noted { register, output, earlier }) = noted else { return };
    let is_there = output.path.symlink_metadata().is_ok();
    let done = match (wrote, earlier) {
        (Wrote::All, _) if is_there => register.finish(&output),
        // As it was noted: begun, and not finished.
        (Wrote::Some, _) if is_there => return,
        (Wrote::Nothing, Some(earlier)) => register.again(&earlier),
        _ => register.forget(std::slice::from_ref(&output.path)),
    };
    if let Err(error) = done {
        warn(&output.path, &with_causes(&error), context);
    }
}

fn warn(path: &Path, why: &str, context: &Context) {
    context.output.warning(format!(
        "{} is not in the list of what was written on this host, so no erasure will find it: {why}",
        path.display()
    ));
}
