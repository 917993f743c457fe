//! Why a message did not arrive, in our own words.
//!
//! There is no source below: what HTTP clients and mail servers say may quote addresses, which are
//! secrets here, and people.

/// What a caller can decide by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendErrorKind {
    /// The address or password is not here, or not what it should be.
    Secret,
    /// Nothing answers, or the connection broke.
    Unreachable,
    /// It took too long.
    TimedOut,
    /// The receiver answered that it does not take it.
    Refused,
    /// The receiver is in trouble or has had too much; later it may take it.
    Busy,
    /// The receiver wants the message somewhere else.
    Redirected,
    /// The connection could not be made safe.
    Tls,
    /// The message or the set-up of this machine is not usable.
    Local,
}

impl SendErrorKind {
    /// Whether trying again soon may help.
    pub(super) fn may_pass(self) -> bool {
        matches!(self, Self::Unreachable | Self::TimedOut | Self::Busy)
    }
}

/// A message that did not arrive: one sentence that names neither the address nor what was
/// answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct SendError {
    /// What a caller can decide by.
    pub kind: SendErrorKind,
    reason: String,
    hint: Option<String>,
    /// How long the receiver asks to be left alone.
    pub(super) retry_after: Option<std::time::Duration>,
}

impl SendError {
    pub(super) fn new(kind: SendErrorKind, reason: impl Into<String>) -> Self {
        Self { kind, reason: reason.into(), hint: None, retry_after: None }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What to do about it, where something is likely.
    pub fn next_step(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

/// Whether TLS is what failed, somewhere below an error: a certificate that nobody vouches for, or
/// another host's.
pub(super) fn is_of_tls(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.is::<rustls::Error>() {
            return true;
        }
        // What an I/O error wraps is not its source.
        let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if wrapped.is_some_and(|wrapped| is_of_tls(wrapped)) {
            return true;
        }
        next = error.source();
    }
    false
}
