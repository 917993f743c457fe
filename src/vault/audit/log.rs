//! Reading the audit log of all writers, and finding what is wrong with it on which replica.
//!
//! Which bytes an entry must have is worked out from its end downwards: the newest entry is known
//! by this client's memory, by a manifest or ledger entry that names it, or because all replicas agree; each entry
//! then says the hash of the one before. Where replicas hold different ends that nothing decides
//! between, both are named and neither is called good.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use serde::Serialize;

use super::parse_entry;
use crate::ids::{Digest, WriterId};
use crate::objects::{Body, ErrorKind as StoreKind};
use crate::progress::Problem;
use crate::vault::error::Result;
use crate::vault::format::audit::{AuditEntry, AuditHead, KIND};
use crate::vault::layout;
use crate::vault::memory::RememberedAudit;
use crate::vault::open::Vault;
use crate::vault::replica::{Replica, in_parallel, with_causes};
use crate::vault::signing::Claims;

/// What is wrong with an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FindingKind {
    /// It was there, and is no longer.
    Missing,
    /// The replica was away when it was written, and has not caught up.
    Behind,
    /// Its bytes are not those that the chain, a signed file or this client's memory says.
    Changed,
    /// What lies there is another entry, or belongs elsewhere.
    Misplaced,
    /// Replicas hold different entries under this number, and nothing says which one is right.
    Forked,
    /// It could not be read.
    Unreadable,
}

impl FindingKind {
    /// Whether something was removed or changed, as opposed to a copy that lags behind or cannot
    /// be read now.
    pub fn is_integrity(self) -> bool {
        !matches!(self, Self::Behind | Self::Unreadable)
    }
}

/// One thing that is wrong with the audit log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct AuditFinding {
    /// What is wrong.
    pub kind: FindingKind,
    /// Name of the replica; empty where no replica holds the entry.
    pub replica: String,
    /// Whose chain.
    pub writer: WriterId,
    /// Number of the entry.
    pub n: u64,
    /// Key of the entry.
    pub key: String,
    /// One sentence for people.
    pub detail: String,
}

/// The chain of one writer.
#[derive(Debug)]
pub struct WriterChain {
    /// Whose it is.
    pub writer: WriterId,
    /// Number of the newest entry that is there or named.
    pub newest: u64,
    copies: BTreeMap<u64, Vec<Copy>>,
    good: BTreeMap<u64, Digest>,
    /// Where several could be right.
    undecided: BTreeMap<u64, BTreeSet<Digest>>,
}

/// Equal bytes under one number, and who holds them.
#[derive(Debug)]
struct Copy {
    digest: Digest,
    bytes: Bytes,
    entry: std::result::Result<AuditEntry, Flaw>,
    on: Vec<String>,
}

/// Why bytes are no entry under their key.
#[derive(Debug)]
struct Flaw {
    /// Whether they are an entry of this vault under another key.
    misplaced: bool,
    why: String,
}

/// The audit log of all writers, as the live replicas hold it.
#[derive(Debug, Default)]
pub struct AuditLog {
    /// One chain a writer, by its id.
    pub chains: Vec<WriterChain>,
    /// Everything that is wrong, sorted.
    pub findings: Vec<AuditFinding>,
    /// What is worth knowing: foreign files, entries that this client does not remember.
    pub warnings: Vec<Problem>,
    /// Copies that were read, on all replicas.
    pub copies: u64,
}

/// Which copies of an entry must be there, seen before anything is compared.
type Holders = BTreeMap<(WriterId, u64), Vec<usize>>;

impl AuditLog {
    /// Reads every entry on every live replica and checks them against each other, against
    /// `anchors` (what signed manifests and ledger entries name), and against what this client remembers. Newest
    /// entries of sound chains are remembered.
    ///
    /// # Errors
    ///
    /// When this client's memory cannot be read, or no replica can be listed.
    pub async fn load(vault: &Vault, anchors: impl IntoIterator<Item = &AuditHead>) -> Result<Self> {
        // Before listing: what is remembered then must be there.
        let remembered = vault.memory.recall_audit()?;
        let mut log = Self::default();
        let holders = log.list(vault).await?;
        let read = in_parallel(holders, vault.limits.store_concurrency, |((writer, n), replicas)| {
            read_copies(vault, writer, n, replicas)
        })
        .await;
        let mut chains: BTreeMap<WriterId, WriterChain> = BTreeMap::new();
        for (writer, n, copies, unreadable) in read {
            log.copies += copies.iter().map(|copy| copy.on.len() as u64).sum::<u64>();
            log.findings.extend(unreadable);
            let chain = chains.entry(writer).or_insert_with_key(WriterChain::empty);
            chain.copies.insert(n, copies);
        }
        let mut named: BTreeMap<WriterId, BTreeMap<u64, BTreeSet<Digest>>> = BTreeMap::new();
        let mut name = |writer: &WriterId, n: u64, digest: Digest| {
            named.entry(writer.clone()).or_default().entry(n).or_default().insert(digest);
        };
        anchors.into_iter().for_each(|head| name(&head.writer, head.n, head.sha256));
        remembered.heads.iter().for_each(|(writer, (n, digest))| name(writer, *n, *digest));
        for writer in named.keys() {
            chains.entry(writer.clone()).or_insert_with_key(WriterChain::empty);
        }
        for mut chain in chains.into_values() {
            let names = named.remove(&chain.writer).unwrap_or_default();
            chain.decide(names, &mut log.findings);
            chain.compare(vault, confirmed(&remembered, &chain.writer), &mut log.findings);
            log.chains.push(chain);
        }
        log.findings.sort();
        log.remember(vault).await?;
        Ok(log)
    }

    /// Remembers the newest entries of sound chains, so that this client notices when they are cut
    /// off, and warns of entries in its own chain that it did not write.
    async fn remember(&mut self, vault: &Vault) -> Result<()> {
        // A command of this client that is appending ends first, so that its entry is not taken
        // for another's.
        let _lock = match vault.memory.lock_audit().await {
            Ok(lock) => lock,
            // A full disk must not keep anybody from reading.
            Err(error) => {
                self.warnings.push(Problem::new("not-remembered", "memory", with_causes(&error)));
                return Ok(());
            }
        };
        let mut remembered = vault.memory.recall_audit()?;
        let before = remembered.clone();
        let own = remembered.client.as_deref().and_then(|client| vault.audit_writer(client));
        for chain in &self.chains {
            let head = remembered.heads.get(&chain.writer).map_or(0, |(n, _)| *n);
            let begun = remembered.pending.as_ref().is_some_and(|head| chain.is_newest(head));
            let sound = self.findings.iter().all(|finding| finding.writer != chain.writer);
            if own.as_ref() == Some(&chain.writer) && chain.newest > head && !begun {
                self.warnings.push(unremembered(chain, head));
            } else if sound
                && chain.newest > head
                && !begun
                && let Some(digest) = chain.good.get(&chain.newest)
            {
                remembered.heads.insert(chain.writer.clone(), (chain.newest, *digest));
            }
        }
        if remembered != before
            && let Err(error) = vault.memory.remember_audit(&remembered)
        {
            self.warnings.push(Problem::new("not-remembered", "memory", with_causes(&error)));
        }
        Ok(())
    }

    /// Whether any live replica lacks an entry that another holds, by their listings: what says
    /// that there is nothing to bring without reading every entry.
    ///
    /// # Errors
    ///
    /// When no replica can be listed.
    pub async fn is_uneven(vault: &Vault) -> Result<bool> {
        let holders = Self::default().list(vault).await?;
        let live = vault.replicas.live().count();
        Ok(holders.values().any(|on| on.len() < live))
    }

    async fn list(&mut self, vault: &Vault) -> Result<Holders> {
        let mut holders = Holders::new();
        for (at, replica) in vault.replicas.all().iter().enumerate().filter(|(_, replica)| replica.is_live())
        {
            match replica.store.list(layout::AUDIT).await {
                Ok(objects) => {
                    for object in objects {
                        match layout::parse_audit(&object.key) {
                            Some(entry) => holders.entry(entry).or_default().push(at),
                            None => self.warnings.push(Problem::new(
                                "not-an-audit-entry",
                                object.key,
                                format!("it is no entry of the audit log; remove it from {}", replica.name),
                            )),
                        }
                    }
                }
                Err(error) => replica.fail(error),
            }
        }
        if vault.replicas.live().next().is_none() {
            vault.replicas.require_enough()?;
        }
        Ok(holders)
    }

    /// Returns the good entries of all chains, oldest first.
    pub fn entries(&self) -> Vec<&AuditEntry> {
        let mut entries: Vec<&AuditEntry> = self.chains.iter().flat_map(WriterChain::entries).collect();
        // Times are RFC 3339 in UTC with whole seconds, so they sort as text.
        entries.sort_by(|a, b| (&a.at, &a.writer, a.n).cmp(&(&b.at, &b.writer, b.n)));
        entries
    }

    /// Returns the SHA-256 that the entry under this key must have, where it is known.
    pub fn digest_of(&self, key: &str) -> Option<Digest> {
        let (writer, n) = layout::parse_audit(key)?;
        self.chains.iter().find(|chain| chain.writer == writer)?.good.get(&n).copied()
    }

    /// Copies entries to live replicas that lack them (of these names; empty: to all), oldest
    /// first; a replica that refuses leaves the run. Returns how many objects were written. What was
    /// changed is not touched.
    pub async fn bring_up_to_date(&self, vault: &Vault, to: &[String]) -> u64 {
        let mut written = 0;
        for chain in &self.chains {
            for (n, digest) in &chain.good {
                let Some(copy) = chain.copy(*n, *digest) else { continue };
                for replica in vault.replicas.live() {
                    if chain.is_on(*n, &replica.name) || !(to.is_empty() || to.contains(&replica.name)) {
                        continue;
                    }
                    let key = layout::audit(&chain.writer, *n);
                    match replica.store_new(&key, Body::bytes(copy.bytes.clone())).await {
                        Ok(()) => written += 1,
                        Err(error) => replica.fail(error),
                    }
                }
            }
        }
        written
    }
}

/// Reads one entry on the replicas that list it; returns its different contents.
async fn read_copies(
    vault: &Vault,
    writer: WriterId,
    n: u64,
    replicas: Vec<usize>,
) -> (WriterId, u64, Vec<Copy>, Vec<AuditFinding>) {
    let key = layout::audit(&writer, n);
    let (mut copies, mut unreadable): (Vec<Copy>, Vec<AuditFinding>) = (Vec::new(), Vec::new());
    for replica in replicas.into_iter().map(|at| &vault.replicas.all()[at]) {
        match replica.store.get(&key, vault.limits.small_object_bytes_max).await {
            Ok(bytes) => {
                let digest = Digest::of(&bytes);
                match copies.iter_mut().find(|copy| copy.digest == digest) {
                    Some(copy) => copy.on.push(replica.name.clone()),
                    None => {
                        let entry = parse_entry(&bytes, &key, &vault.file.vault, &replica.store);
                        let entry = entry.map_err(|error| Flaw {
                            misplaced: is_of_another_key(&bytes, &key, vault),
                            why: with_causes(&error),
                        });
                        copies.push(Copy { digest, bytes, entry, on: vec![replica.name.clone()] });
                    }
                }
            }
            // Gone since it was listed: the comparison says so.
            Err(error) if error.kind == StoreKind::NotFound => {}
            Err(error) => unreadable.push(AuditFinding {
                kind: FindingKind::Unreadable,
                replica: replica.name.clone(),
                writer: writer.clone(),
                n,
                key: key.clone(),
                detail: with_causes(&error),
            }),
        }
    }
    (writer, n, copies, unreadable)
}

/// Whether bytes say to be an entry of this vault under another key than this.
fn is_of_another_key(bytes: &[u8], key: &str, vault: &Vault) -> bool {
    let claims = serde_json::from_slice::<Claims>(bytes);
    claims.is_ok_and(|claims| claims.kind == KIND && claims.vault == vault.file.vault && claims.key != key)
}

/// Number up to which this client knows that every replica which took part had the entries.
fn confirmed(remembered: &RememberedAudit, writer: &WriterId) -> u64 {
    let head = remembered.heads.get(writer).map_or(0, |(n, _)| *n);
    match &remembered.pending {
        Some(pending) if pending.writer == *writer && pending.n <= head => pending.n - 1,
        _ => head,
    }
}

fn unremembered(chain: &WriterChain, head: u64) -> Problem {
    Problem::new(
        "audit-entry-of-another",
        layout::audit(&chain.writer, chain.newest),
        format!(
            "this client wrote {head} entries of this chain, and {} are there: its state was copied to another host, put back from a backup, or somebody added to its log",
            chain.newest
        ),
    )
}

impl WriterChain {
    fn empty(writer: &WriterId) -> Self {
        Self {
            writer: writer.clone(),
            newest: 0,
            copies: BTreeMap::new(),
            good: BTreeMap::new(),
            undecided: BTreeMap::new(),
        }
    }

    /// Returns its good entries, oldest first.
    pub fn entries(&self) -> impl Iterator<Item = &AuditEntry> {
        self.good.iter().filter_map(|(n, digest)| self.copy(*n, *digest)?.entry.as_ref().ok())
    }

    fn copies(&self, n: u64) -> &[Copy] {
        self.copies.get(&n).map(Vec::as_slice).unwrap_or_default()
    }

    fn copy(&self, n: u64, digest: Digest) -> Option<&Copy> {
        self.copies(n).iter().find(|copy| copy.digest == digest)
    }

    fn is_on(&self, n: u64, replica: &str) -> bool {
        self.copies(n).iter().any(|copy| copy.on.iter().any(|name| name == replica))
    }

    fn is_newest(&self, head: &AuditHead) -> bool {
        head.writer == self.writer
            && head.n == self.newest
            && self.good.get(&head.n).is_some_and(|digest| *digest == head.sha256)
    }

    /// Works out which bytes each entry must have: from the end downwards by what names them, and
    /// where replicas differ at the end, upwards by what they go on from.
    fn decide(&mut self, anchors: BTreeMap<u64, BTreeSet<Digest>>, findings: &mut Vec<AuditFinding>) {
        let last = |numbers: Option<&u64>| numbers.copied().unwrap_or(0);
        self.newest = last(self.copies.keys().next_back()).max(last(anchors.keys().next_back()));
        let mut open: BTreeMap<u64, BTreeSet<Digest>> = BTreeMap::new();
        let mut named: BTreeSet<Digest> = BTreeSet::new();
        for n in (1..=self.newest).rev() {
            let candidates = match anchors.get(&n) {
                Some(anchors) => anchors.clone(),
                None if !named.is_empty() => std::mem::take(&mut named),
                None => {
                    let sound = self.copies(n).iter().filter(|copy| copy.entry.is_ok());
                    sound.map(|copy| copy.digest).collect()
                }
            };
            named = self.named_by(n, &candidates);
            match candidates.len() {
                0 => {}
                1 => self.good.extend(candidates.into_iter().map(|digest| (n, digest))),
                _ => drop(open.insert(n, candidates)),
            }
        }
        for (n, candidates) in open {
            let goes_on = |digest: &&Digest| {
                let entry = self.copy(n, **digest).and_then(|copy| copy.entry.as_ref().ok());
                entry.is_some_and(|entry| {
                    entry.previous == n.checked_sub(1).and_then(|n| self.good.get(&n).copied())
                })
            };
            let mut right = candidates.iter().filter(goes_on);
            match (right.next(), right.next()) {
                (Some(only), None) => drop(self.good.insert(n, *only)),
                _ => {
                    self.report_fork(n, &candidates, findings);
                    self.undecided.insert(n, candidates);
                }
            }
        }
    }

    /// What entries with these bytes say about the one before them.
    fn named_by(&self, n: u64, candidates: &BTreeSet<Digest>) -> BTreeSet<Digest> {
        let entries = candidates.iter().filter_map(|digest| self.copy(n, *digest)?.entry.as_ref().ok());
        entries.filter_map(|entry| entry.previous).collect()
    }

    fn report_fork(&self, n: u64, candidates: &BTreeSet<Digest>, findings: &mut Vec<AuditFinding>) {
        for copy in self.copies(n).iter().filter(|copy| candidates.contains(&copy.digest)) {
            for replica in &copy.on {
                let detail = format!(
                    "it has the SHA-256 {} here and other bytes elsewhere, and nothing says which entry {n} of {} is right",
                    copy.digest, self.writer
                );
                findings.push(self.finding(FindingKind::Forked, replica, n, detail));
            }
        }
    }

    fn finding(&self, kind: FindingKind, replica: &str, n: u64, detail: String) -> AuditFinding {
        let key = layout::audit(&self.writer, n);
        AuditFinding { kind, replica: replica.to_owned(), writer: self.writer.clone(), n, key, detail }
    }

    /// Compares what each replica holds with what it should.
    /// `confirmed` is the number up to which this client knows that every replica which took part
    /// had it.
    fn compare(&self, vault: &Vault, confirmed: u64, findings: &mut Vec<AuditFinding>) {
        let unreadable: BTreeSet<(String, u64)> = findings
            .iter()
            .filter(|finding| finding.kind == FindingKind::Unreadable && finding.writer == self.writer)
            .map(|finding| (finding.replica.clone(), finding.n))
            .collect();
        for n in 1..=self.newest {
            let copy = self.good.get(&n).and_then(|digest| self.copy(n, *digest));
            let could_be = |copy: &Copy| {
                self.undecided.get(&n).is_some_and(|candidates| candidates.contains(&copy.digest))
            };
            let somewhere = copy.is_some() || self.copies(n).iter().any(could_be);
            if !somewhere && unreadable.iter().all(|(_, number)| *number != n) {
                findings.push(self.finding(FindingKind::Missing, "", n, self.lost(n)));
            }
            for replica in vault.replicas.live() {
                if unreadable.contains(&(replica.name.clone(), n)) {
                    continue;
                }
                let held = self.copies(n).iter().find(|copy| copy.on.contains(&replica.name));
                let wrong = match held {
                    Some(held) if could_be(held) || Some(&held.digest) == self.good.get(&n) => {
                        self.other_before(n, held)
                    }
                    Some(held) => Some(self.wrong_copy(n, held)),
                    None => copy.map(|copy| self.lacking(n, copy, replica, confirmed)),
                };
                if let Some((kind, detail)) = wrong {
                    findings.push(self.finding(kind, &replica.name, n, detail));
                }
            }
        }
    }

    fn lost(&self, n: u64) -> String {
        let by = match self.good.get(&n) {
            Some(digest) => format!("with the SHA-256 {digest}, by which others name it, "),
            None => String::new(),
        };
        format!("no replica holds entry {n} of {} {by}any more", self.writer)
    }

    /// Finds an entry that goes on from another one than the chain has before it.
    fn other_before(&self, n: u64, held: &Copy) -> Option<(FindingKind, String)> {
        let before = self.good.get(&(n - 1))?;
        let entry = held.entry.as_ref().ok()?;
        let named = entry.previous.filter(|previous| previous != before)?;
        let detail =
            format!("it goes on from an entry with the SHA-256 {named}, and entry {} has {before}", n - 1);
        Some((FindingKind::Changed, detail))
    }

    fn wrong_copy(&self, n: u64, held: &Copy) -> (FindingKind, String) {
        match &held.entry {
            // Its own bytes are sound, so it is another entry, or the chain is another.
            Ok(_) => {
                let why = match self.good.get(&n) {
                    Some(digest) => format!("the chain, a signed file or this client says {digest}"),
                    None => "nothing names such an entry".to_owned(),
                };
                (FindingKind::Changed, format!("it has the SHA-256 {}, {why}", held.digest))
            }
            Err(flaw) if flaw.misplaced => (FindingKind::Misplaced, flaw.why.clone()),
            Err(flaw) => (FindingKind::Changed, flaw.why.clone()),
        }
    }

    /// Says why a replica has not the entry that others have; one that has later ones lost it, and
    /// so did one that took part when it was written. Of the newest entry only a client that
    /// remembers knows that it was ever there: a run may have been killed before.
    fn lacking(&self, n: u64, copy: &Copy, replica: &Replica, confirmed: u64) -> (FindingKind, String) {
        let entry = copy.entry.as_ref().ok();
        let took_part = entry.zip(replica.id()).is_some_and(|(entry, id)| entry.replicas.contains(&id))
            && (n < self.newest || n <= confirmed);
        let has_later = self.copies.range(n + 1..).any(|(later, _)| self.is_on(*later, &replica.name));
        let on = copy.on.join(", ");
        if took_part || has_later {
            let detail = format!("{} had this entry and lost it; {on} holds it", replica.name);
            (FindingKind::Missing, detail)
        } else {
            let detail = format!("{on} holds this entry and {} does not", replica.name);
            (FindingKind::Behind, detail)
        }
    }
}
