//! Who may read what: the three access modes of a repository and its tokens.

use crate::secret::Secret;

use super::source::RefKind;

/// What a repository shows without a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AccessMode {
    /// Nothing.
    Private,
    /// Published content at the current master ref; not at an older one.
    #[default]
    PublicMaster,
    /// Everything, releases included.
    Open,
}

/// What a token opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenScope {
    /// Published content.
    Master,
    /// Published content and releases.
    MasterAndReleases,
}

/// Access mode and tokens of one repository.
#[derive(Debug, Clone, Default)]
pub struct AccessPolicy {
    /// What is open without a token.
    pub mode: AccessMode,
    /// Permanent access tokens.
    pub tokens: Vec<(Secret, TokenScope)>,
}

/// What a caller proved to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Caller {
    Anonymous,
    Holder(TokenScope),
    /// Sent a token that is not one; refused even where no token is needed.
    Impostor,
}

impl AccessPolicy {
    /// Recognises the caller. Every token is compared in full and in constant time.
    pub(super) fn recognise(&self, token: Option<&str>) -> Caller {
        let Some(token) = token.filter(|token| !token.is_empty()) else { return Caller::Anonymous };
        let mut caller = Caller::Impostor;
        for (known, scope) in &self.tokens {
            let known = known.expose().as_bytes();
            let difference = known.iter().zip(token.bytes()).fold(0, |sum, (a, b)| sum | (a ^ b));
            if known.len() == token.len() && difference == 0 {
                caller = Caller::Holder(*scope);
            }
        }
        caller
    }

    /// Returns whether the root answers, and if so whether it lists releases.
    pub(super) fn root(&self, caller: Caller) -> Option<bool> {
        match (caller, self.mode) {
            (Caller::Impostor, _) | (Caller::Anonymous, AccessMode::Private) => None,
            (_, AccessMode::Open) => Some(true),
            (Caller::Anonymous, AccessMode::PublicMaster) => Some(false),
            (Caller::Holder(scope), _) => Some(scope == TokenScope::MasterAndReleases),
        }
    }

    /// Returns whether content at a kind of ref may be read.
    pub(super) fn allows(&self, caller: Caller, kind: RefKind) -> bool {
        match (caller, self.mode) {
            (Caller::Impostor, _) | (Caller::Anonymous, AccessMode::Private) => false,
            (_, AccessMode::Open) => true,
            (Caller::Anonymous, AccessMode::PublicMaster) => kind == RefKind::Master,
            (Caller::Holder(scope), _) => kind != RefKind::Release || scope == TokenScope::MasterAndReleases,
        }
    }
}
