//! What each role of prismvault is to be able to do, held against what was proved.
//!
//! A role is no name in a database: it follows from which keys and credentials one holds. So it is
//! not looked up but tried ([`prove_store`], [`prove_vault`]): a scratch object is put, a header
//! decrypted, a key compared with the trust record. What a role may not do matters as much as what
//! it must: a backup host that can delete is worth more to an intruder than one that cannot.
//!
//! Nothing is concluded from silence: what could not be tried is *not told*, never *cannot*.

mod prove;

use serde::Serialize;

pub use prove::{prove_store, prove_vault};

/// A role of prismvault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The backup host: takes snapshots.
    Snapshot,
    /// The maintenance machine: replicates, repairs, retains, prunes, renews locks.
    Operate,
    /// Whoever restores.
    Recover,
    /// The privacy officer: looks into content, approves erasures.
    Privacy,
    /// The auditor: reads the record.
    Audit,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Snapshot, Self::Operate, Self::Recover, Self::Privacy, Self::Audit];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Snapshot => "snapshot",
            Self::Operate => "operate",
            Self::Recover => "recover",
            Self::Privacy => "privacy",
            Self::Audit => "audit",
        }
    }
}

/// Something that keys or credentials allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ability {
    /// Read objects of a replica.
    ReadObjects,
    /// Write new objects to it.
    WriteObjects,
    /// Put an object over another.
    ReplaceObjects,
    /// Delete objects; where the store keeps versions, hide them.
    DeleteObjects,
    /// Delete versions: nothing of them is left.
    DeleteVersions,
    /// Lock objects, and renew locks.
    LockObjects,
    /// Delete what a governance lock holds.
    BypassLocks,
    /// Read paths and sizes.
    ReadCatalogs,
    /// Read documents, files and lists of members.
    ReadContent,
    /// Sign snapshots that count.
    SignSnapshots,
    /// Sign removals and marks that count: what retention keeps, and what pruning deletes.
    SignRemovals,
    /// Decide who signs and who reads.
    SignTrust,
    /// Approve erasures.
    ApproveErasures,
    /// Read the audit log.
    ReadAudit,
    /// Read what Prismic has now.
    ReadSource,
    /// Hold a token that writes to Prismic.
    WriteToSource,
}

impl Ability {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 16] = [
        Self::ReadObjects,
        Self::WriteObjects,
        Self::ReplaceObjects,
        Self::DeleteObjects,
        Self::DeleteVersions,
        Self::LockObjects,
        Self::BypassLocks,
        Self::ReadCatalogs,
        Self::ReadContent,
        Self::SignSnapshots,
        Self::SignRemovals,
        Self::SignTrust,
        Self::ApproveErasures,
        Self::ReadAudit,
        Self::ReadSource,
        Self::WriteToSource,
    ];

    /// What it is, in words that go on after "can".
    pub fn words(self) -> &'static str {
        match self {
            Self::ReadObjects => "read objects",
            Self::WriteObjects => "write new objects",
            Self::ReplaceObjects => "replace objects",
            Self::DeleteObjects => "delete objects",
            Self::DeleteVersions => "delete versions for good",
            Self::LockObjects => "lock objects",
            Self::BypassLocks => "bypass locks",
            Self::ReadCatalogs => "read catalogs",
            Self::ReadContent => "read content",
            Self::SignSnapshots => "sign snapshots",
            Self::SignRemovals => "sign removals",
            Self::SignTrust => "sign trust records",
            Self::ApproveErasures => "approve erasures",
            Self::ReadAudit => "read the audit log",
            Self::ReadSource => "read what Prismic has now",
            Self::WriteToSource => "write to Prismic",
        }
    }

    /// What to do where a role lacks it.
    fn missing(self) -> &'static str {
        match self {
            Self::ReadObjects
            | Self::WriteObjects
            | Self::ReplaceObjects
            | Self::DeleteObjects
            | Self::DeleteVersions
            | Self::LockObjects
            | Self::BypassLocks => {
                "give these credentials the policy of the role (docs/iam), or the permissions of the directory"
            }
            Self::ReadCatalogs => "set `operator` (or `recovery`) in [keys] to an age identity of this vault",
            Self::ReadContent => {
                "bring the recovery identity and set `recovery` in [keys] to it, or pass --identity"
            }
            Self::SignSnapshots => "set `signing` in [keys] to a key with the role snapshot",
            Self::SignRemovals => "set `maintenance` in [keys] to a key with the role maintenance",
            Self::SignTrust => "set `root` in [keys] to the root key",
            Self::ApproveErasures => {
                "set `signing` in [keys] to a key with the role privacy (`prismvault keys add --signing RW… --role privacy`)"
            }
            Self::ReadAudit => "give these credentials the policy of the role (docs/iam)",
            Self::ReadSource => "check `access_token` and the network; `prismvault doctor` says more",
            Self::WriteToSource => "set `write_token`",
        }
    }

    /// What to do where a role has it and should not.
    fn surplus(self) -> &'static str {
        match self {
            Self::ReadObjects
            | Self::WriteObjects
            | Self::ReplaceObjects
            | Self::DeleteObjects
            | Self::DeleteVersions
            | Self::LockObjects
            | Self::BypassLocks => {
                "take the policy of the role (docs/iam) for these credentials, or the permissions of the directory"
            }
            Self::ReadCatalogs | Self::ReadContent => {
                "take that identity away from here; `prismvault keys remove` ends it if others could read it"
            }
            Self::SignSnapshots => {
                "take that key away from here, or give it fewer roles (`prismvault keys add --signing RW… --role …`)"
            }
            Self::SignRemovals => {
                "give the key of this machine the role snapshot alone (`prismvault keys add --signing RW… --role snapshot`), and removals to another"
            }
            Self::SignTrust => "keep the root key offline, and remove it from here",
            Self::ApproveErasures => "keep the privacy key with the privacy officer, and remove it from here",
            Self::ReadAudit | Self::ReadSource => "nothing",
            Self::WriteToSource => "remove `write_token` from this configuration",
        }
    }
}

/// Whether a role is to have an ability.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wanted {
    /// Without it the role cannot do its work.
    Must,
    /// It does not matter.
    May,
    /// It is more than the role needs.
    MustNot,
}

/// Returns whether a role is to have an ability. The table stands in `docs/security.md`.
pub fn wanted(role: Role, ability: Ability) -> Wanted {
    use Wanted::{May, Must, MustNot};
    // In the order of `Role::ALL`.
    let row = match ability {
        Ability::ReadObjects => [Must, Must, Must, Must, Must],
        Ability::WriteObjects => [Must, Must, MustNot, Must, MustNot],
        Ability::ReplaceObjects | Ability::DeleteObjects | Ability::DeleteVersions => {
            [MustNot, Must, MustNot, MustNot, MustNot]
        }
        Ability::LockObjects => [Must, Must, MustNot, May, MustNot],
        Ability::BypassLocks | Ability::SignTrust => [MustNot; 5],
        Ability::ReadCatalogs => [Must, Must, Must, Must, May],
        Ability::ReadContent => [MustNot, MustNot, Must, Must, MustNot],
        Ability::SignSnapshots => [Must, MustNot, MustNot, May, MustNot],
        Ability::SignRemovals => [MustNot, Must, MustNot, MustNot, MustNot],
        Ability::ApproveErasures => [MustNot, MustNot, MustNot, Must, MustNot],
        Ability::ReadAudit => [May, Must, May, May, Must],
        Ability::ReadSource => [Must, May, May, May, May],
        Ability::WriteToSource => [May, MustNot, May, MustNot, MustNot],
    };
    let at = Role::ALL.iter().position(|one| *one == role).unwrap_or_default();
    row[at]
}

/// What was found out about an ability.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Found {
    /// It worked, or the key is here.
    Can,
    /// It was refused, or no key for it is here.
    Cannot,
    /// It could not be found out.
    NotTold,
}

/// What was found out about an ability, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Proof {
    /// The ability.
    pub ability: Ability,
    /// Where: a replica, `vault`, `Prismic`.
    pub subject: String,
    /// What was found.
    pub found: Found,
    /// How.
    pub how: String,
    /// Whether the place knows no difference between writing and this: a directory, where who
    /// writes deletes.
    pub inherent: bool,
}

impl Proof {
    /// Returns what was found out.
    pub fn new(ability: Ability, subject: impl Into<String>, found: Found, how: impl Into<String>) -> Self {
        Self { ability, subject: subject.into(), found, how: how.into(), inherent: false }
    }
}

/// How what was found fits the role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// As it should be.
    Fits,
    /// The role cannot do its work.
    TooLittle,
    /// It can do more than its work.
    TooMuch,
    /// It was not found out, and it matters.
    NotProved,
}

/// One line of the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Judgement {
    /// What was found out.
    #[serde(flatten)]
    pub proof: Proof,
    /// What the role is to have.
    pub wanted: Wanted,
    /// How it fits.
    pub verdict: Verdict,
    /// What to do next; empty where it fits.
    pub next: &'static str,
}

/// Holds what was found out against a role.
pub fn judge(role: Role, proof: Proof) -> Judgement {
    let wanted = match wanted(role, proof.ability) {
        // Where writing is allowed, a directory cannot forbid the rest; elsewhere its owner can.
        Wanted::MustNot if proof.inherent && self::wanted(role, Ability::WriteObjects) == Wanted::Must => {
            Wanted::May
        }
        wanted => wanted,
    };
    let (verdict, next) = match (wanted, proof.found) {
        (Wanted::Must, Found::Cannot) => (Verdict::TooLittle, proof.ability.missing()),
        (Wanted::MustNot, Found::Can) => (Verdict::TooMuch, proof.ability.surplus()),
        // Who writes nothing can try locks only on what others stored, and that is no harmless try.
        (Wanted::MustNot, Found::NotTold)
            if matches!(proof.ability, Ability::LockObjects | Ability::BypassLocks) =>
        {
            (Verdict::Fits, "")
        }
        (Wanted::Must | Wanted::MustNot, Found::NotTold) => {
            (Verdict::NotProved, "mend what is in the way, and run this again")
        }
        _ => (Verdict::Fits, ""),
    };
    Judgement { proof, wanted, verdict, next }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_little_and_too_much_are_told_apart_and_silence_is_neither() {
        use Found::{Can, Cannot, NotTold};
        for (role, ability, found, verdict) in [
            (Role::Snapshot, Ability::WriteObjects, Can, Verdict::Fits),
            (Role::Snapshot, Ability::WriteObjects, Cannot, Verdict::TooLittle),
            (Role::Snapshot, Ability::WriteObjects, NotTold, Verdict::NotProved),
            (Role::Snapshot, Ability::DeleteObjects, Can, Verdict::TooMuch),
            (Role::Snapshot, Ability::DeleteObjects, Cannot, Verdict::Fits),
            (Role::Snapshot, Ability::DeleteObjects, NotTold, Verdict::NotProved),
            (Role::Snapshot, Ability::ReadContent, Can, Verdict::TooMuch),
            (Role::Operate, Ability::SignRemovals, Cannot, Verdict::TooLittle),
            (Role::Recover, Ability::ReadContent, Cannot, Verdict::TooLittle),
            (Role::Recover, Ability::SignTrust, Can, Verdict::TooMuch),
            (Role::Audit, Ability::ReadCatalogs, Cannot, Verdict::Fits),
            (Role::Audit, Ability::BypassLocks, NotTold, Verdict::Fits),
            (Role::Privacy, Ability::ApproveErasures, Cannot, Verdict::TooLittle),
        ] {
            let judged = judge(role, Proof::new(ability, "x", found, ""));
            assert_eq!(judged.verdict, verdict, "{role:?} {ability:?} {found:?}");
            assert_eq!(judged.next.is_empty(), verdict == Verdict::Fits);
        }
    }

    #[test]
    fn a_directory_is_forgiven_only_for_who_must_write_there() {
        let deletes = || Proof { inherent: true, ..Proof::new(Ability::DeleteObjects, "x", Found::Can, "") };
        assert_eq!(judge(Role::Snapshot, deletes()).verdict, Verdict::Fits);
        assert_eq!(judge(Role::Audit, deletes()).verdict, Verdict::TooMuch);
    }

    #[test]
    fn the_table_of_the_documentation_is_this_one() {
        let page = include_str!("../../../docs/security.md");
        for ability in Ability::ALL {
            let cells = Role::ALL.map(|role| match wanted(role, ability) {
                Wanted::Must => "must",
                Wanted::May => "may",
                Wanted::MustNot => "–",
            });
            let row = format!("| {} | {} |", ability.words(), cells.join(" | "));
            assert!(page.contains(&row), "docs/security.md lacks: {row}");
        }
    }
}
