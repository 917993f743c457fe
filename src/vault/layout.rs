//! The keys of a vault's objects; nowhere else is one spelled.

use crate::ids::{CaseId, Digest, Name, SnapshotId, WriterId};

/// Says what this place is: format, vault id, features.
pub const VAULT: &str = "vault.json";
/// Says which replica this is; the only object whose bytes differ between replicas.
pub const REPLICA: &str = "replica.json";
/// Below it: trust records.
pub const TRUST: &str = "trust";
/// Below it: bodies of packs.
pub const PACKS: &str = "packs";
/// Below it: headers of packs.
pub const KEYS: &str = "keys";
/// Below it: index objects.
pub const INDEX: &str = "index";
/// Below it: manifests and their signatures.
pub const SNAPSHOTS: &str = "snapshots";
/// Below it: ledger entries and their signatures.
pub const LEDGER: &str = "ledger";
/// Below it: marks of what pruning is about to delete, and their signatures.
pub const MARKS: &str = "marks";
/// Below it: the audit log, one hash chain a writer.
pub const AUDIT: &str = "audit";
/// Below it: data-subject requests, a row of numbered files for each.
pub const REQUESTS: &str = "requests";
/// Below it: what may be overwritten or lost: results of verifications, of probes.
pub const STATE: &str = "state";

/// Whether an object may be overwritten or lost, as all below [`STATE`] may. Everything else is
/// written once.
pub fn may_change(key: &str) -> bool {
    key.strip_prefix(STATE).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Key of an object by which two replicas are told apart; it is removed at once.
pub fn probe(random: &[u8; 8]) -> String {
    format!("{STATE}/probe-{}", crate::ids::hex(random))
}

/// Below it: scratch objects of probes.
pub const SCRATCH: &str = "state/probe";
/// What a probe found that the store of this replica really does.
pub const ABILITIES: &str = "state/abilities.json";
/// Below it: who is about to write a name that others could write too.
pub const CLAIMS: &str = "state/claims";

/// What the claims on one name begin with; no directory, which would stay.
pub fn claims(key: &str) -> String {
    format!("{CLAIMS}/{}.", key.replace('/', "."))
}

/// Key of a claim.
pub fn claim(key: &str, random: &[u8; 8]) -> String {
    format!("{}{}", claims(key), crate::ids::hex(random))
}

/// Whether two writers could choose this name at the same time, each for other bytes. Other names
/// hold a digest or random numbers.
pub fn is_contended(key: &str) -> bool {
    matches!(key, VAULT | REPLICA)
        || parse_trust(signed_file(key)).is_some()
        || parse_request(signed_file(key)).is_some()
        || parse_purged(key).is_some()
        || parse_drill_statement(signed_file(key)).is_some()
        || is_closed_finding(signed_file(key))
}

/// Whether a key may be there before a place is a vault: what probes and a killed `init` left.
pub fn is_before_vault(key: &str) -> bool {
    let below = |prefix| key.strip_prefix(prefix).is_some_and(|rest: &str| rest.starts_with('/'));
    key == REPLICA
        || signed_file(key) == ABILITIES
        || below(SCRATCH)
        || below(CLAIMS)
        || key.strip_prefix(STATE).is_some_and(|rest| rest.starts_with("/probe-"))
        || parse_trust(signed_file(key)).is_some()
}

/// Below it: bytes that repair found damaged, each under its own key, until the good ones are
/// confirmed.
pub const DAMAGED: &str = "state/damaged";
/// Below it: when which pack of a space was verified last, on the replica it lies on.
pub const VERIFICATION: &str = "state/verification";

/// Key of what verification remembers of a space.
pub fn verification(space: &Name) -> String {
    format!("{VERIFICATION}/{space}.json")
}

/// Name in the local cache of what a standby keeps of a repository; on no replica.
pub fn cached_heads(space: &Name, repository: &Name) -> String {
    format!("standby/{space}/{repository}.heads")
}

/// Directory of the local cache with blocks of content packs; on no replica.
pub const CACHED_BLOCKS: &str = "standby/blocks";

/// Name of the file with a block, below [`CACHED_BLOCKS`].
pub fn cached_block(space: &Name, pack: &Digest, number: u64) -> String {
    format!("{space}.{pack}.{number}")
}

/// Returns what the name of a file with a block says.
pub fn parse_cached_block(name: &str) -> Option<(Name, Digest, u64)> {
    let (rest, number) = name.rsplit_once('.')?;
    let (space, pack) = rest.rsplit_once('.')?;
    Some((space.parse().ok()?, pack.parse().ok()?, number.parse().ok()?))
}

/// Below it: leases, a row of numbered files for each.
pub const LEASES: &str = "state/leases";

/// Prefix of the row of a lease.
pub fn leases(name: &Name) -> String {
    format!("{LEASES}/{name}")
}

/// Key of number `n` of a lease.
pub fn lease(name: &Name, n: u64) -> String {
    format!("{LEASES}/{name}/{n}.json")
}

/// Returns the number from the key of a lease.
pub fn parse_lease(key: &str) -> Option<u64> {
    key.strip_prefix(LEASES)?.rsplit('/').next()?.strip_suffix(".json")?.parse().ok()
}

/// Returns the name of the lease from the key of one of its files.
pub fn lease_name(key: &str) -> Option<&str> {
    let (name, _) = key.strip_prefix(LEASES)?.strip_prefix('/')?.split_once('/')?;
    parse_lease(key).map(|_| name)
}

/// What was said to whom.
pub const NOTIFICATIONS: &str = "state/notifications.json";

/// Whether people who were erased were found again.
pub const ERASURE_CHECKS: &str = "state/erasure-checks.json";

/// Below it: copies of the journals of restores.
pub const RESTORES: &str = "state/restores";

/// Key of the copy of a restore's journal; ids of restores look like snapshot ids.
pub fn restore(id: &SnapshotId) -> String {
    format!("{RESTORES}/{id}.json")
}

/// Returns the restore from the key of the copy of its journal.
pub fn parse_restore(key: &str) -> Option<SnapshotId> {
    key.strip_prefix(RESTORES)?.strip_prefix('/')?.strip_suffix(".json")?.parse().ok()
}

/// Below it: how the runs of jobs went.
pub const JOBS: &str = "state/jobs";

/// Key of what is known of a job.
pub fn job(name: &Name) -> String {
    format!("{JOBS}/{name}.json")
}

/// Returns the job from the key of what is known of it.
pub fn parse_job(key: &str) -> Option<Name> {
    key.strip_prefix(JOBS)?.strip_prefix('/')?.strip_suffix(".json")?.parse().ok()
}

/// Key under which damaged bytes of an object are kept aside.
pub fn damaged(key: &str) -> String {
    format!("{DAMAGED}/{key}")
}

/// Returns the key of the object whose damaged bytes are kept under this one.
pub fn parse_damaged(key: &str) -> Option<&str> {
    key.strip_prefix(DAMAGED)?.strip_prefix('/')
}

/// Key of trust record `n`.
pub fn trust(n: u32) -> String {
    format!("{TRUST}/{n}.json")
}

/// Key of a pack's body.
pub fn pack(space: &Name, id: &Digest) -> String {
    format!("{PACKS}/{space}/{id}")
}

/// Key of a pack's header: the pack's id and the header's own digest, so that it can be verified
/// by name like everything else and a pack can have several.
pub fn header(space: &Name, pack: &Digest, header: &Digest) -> String {
    format!("{KEYS}/{space}/{pack}.{header}")
}

/// Key of an index object.
pub fn index(space: &Name, id: &Digest) -> String {
    format!("{INDEX}/{space}/{id}")
}

/// Key of a manifest.
pub fn manifest(repository: &Name, id: &SnapshotId) -> String {
    format!("{SNAPSHOTS}/{repository}/{id}.json")
}

/// Key of a ledger entry; entry ids look like snapshot ids.
pub fn ledger(space: &Name, id: &SnapshotId) -> String {
    format!("{LEDGER}/{space}/{id}.json")
}

/// Key of a mark; mark ids look like snapshot ids.
pub fn mark(space: &Name, id: &SnapshotId) -> String {
    format!("{MARKS}/{space}/{id}.json")
}

/// Key of entry `n` of a writer's audit log.
pub fn audit(writer: &WriterId, n: u64) -> String {
    format!("{AUDIT}/{writer}/{n}.json")
}

/// Key of event `n` of a case.
pub fn request(case: &CaseId, n: u32) -> String {
    format!("{REQUESTS}/{case}/{n}.json")
}

/// Key of a file of a case, named by what is stored.
pub fn case_file(case: &CaseId, stored: &Digest) -> String {
    format!("{REQUESTS}/{case}/{stored}.age")
}

/// Returns case and digest from the key of a file of a case.
pub fn parse_case_file(key: &str) -> Option<(CaseId, Digest)> {
    let (case, file) = key.strip_prefix(REQUESTS)?.strip_prefix('/')?.split_once('/')?;
    Some((case.parse().ok()?, file.strip_suffix(".age")?.parse().ok()?))
}

/// Returns case and number from the key of an event.
pub fn parse_request(key: &str) -> Option<(CaseId, u32)> {
    let (case, file) = key.strip_prefix(REQUESTS)?.strip_prefix('/')?.split_once('/')?;
    let (case, n) = (case.parse().ok()?, file.strip_suffix(".json")?.parse().ok()?);
    // One number has one spelling, and the first is 1.
    (n > 0 && request(&case, n) == key).then_some((case, n))
}

/// Key of what is left of a case that is kept no longer.
pub fn purged(case: &CaseId) -> String {
    format!("{REQUESTS}/{case}/purged.json")
}

/// Returns the case from the key of what is left of it, or of its signature.
pub fn parse_purged(key: &str) -> Option<CaseId> {
    let case: CaseId =
        signed_file(key).strip_prefix(REQUESTS)?.strip_prefix('/')?.split_once('/')?.0.parse().ok()?;
    (purged(&case) == signed_file(key)).then_some(case)
}

/// Records of drills.
pub const DRILLS: &str = "drills";

/// Key of the record of a drill.
pub fn drill(id: &SnapshotId) -> String {
    format!("{DRILLS}/{id}/drill.json")
}

/// The drill of which this is the record; `None` for other keys.
pub fn parse_drill(key: &str) -> Option<SnapshotId> {
    key.strip_prefix(DRILLS)?.strip_prefix('/')?.strip_suffix("/drill.json")?.parse().ok()
}

/// Key of a file of a drill, by the SHA-256 of what is stored.
pub fn drill_file(id: &SnapshotId, stored: &Digest) -> String {
    format!("{DRILLS}/{id}/files/{stored}")
}

/// The drill and the SHA-256 of what is stored, from the key of a file of a drill; `None` for other keys.
pub fn parse_drill_file(key: &str) -> Option<(SnapshotId, Digest)> {
    let (drill, file) = key.strip_prefix(DRILLS)?.strip_prefix('/')?.split_once('/')?;
    Some((drill.parse().ok()?, file.strip_prefix("files/")?.parse().ok()?))
}

/// The drill below which a key lies; `None` for keys that are of no drill.
pub fn drill_of(key: &str) -> Option<SnapshotId> {
    key.strip_prefix(DRILLS)?.strip_prefix('/')?.split_once('/')?.0.parse().ok()
}

/// Below which everything of a drill is.
pub fn drill_directory(id: &SnapshotId) -> String {
    format!("{DRILLS}/{id}")
}

/// Below which the statements about a drill are.
pub fn drill_statements(id: &SnapshotId) -> String {
    format!("{DRILLS}/{id}/statements")
}

/// Key of a statement about a drill.
pub fn drill_statement(id: &SnapshotId, n: u32) -> String {
    format!("{DRILLS}/{id}/statements/{n}.json")
}

/// The drill and number of a statement; `None` for other keys.
pub fn parse_drill_statement(key: &str) -> Option<(SnapshotId, u32)> {
    let (drill, file) = key.strip_prefix(DRILLS)?.strip_prefix('/')?.split_once("/statements/")?;
    let (drill, n) = (drill.parse().ok()?, file.strip_suffix(".json")?.parse().ok()?);
    // One number has one spelling, and the first is 1.
    (n > 0 && drill_statement(&drill, n) == key).then_some((drill, n))
}

/// Key under which it is said that a finding is closed.
pub fn closed_finding(id: &SnapshotId, finding: &str) -> String {
    format!("{DRILLS}/{id}/closed/{finding}.json")
}

/// Whether a key says that a finding is closed.
pub fn is_closed_finding(key: &str) -> bool {
    key.starts_with(DRILLS) && key.contains("/closed/") && key.ends_with(".json")
}

/// Key of the signature of a signed file.
pub fn signature(of: &str) -> String {
    format!("{of}.minisig")
}

/// Returns the file that a signature signs, and any other key as it is.
pub fn signed_file(key: &str) -> &str {
    key.strip_suffix(".minisig").unwrap_or(key)
}

/// Returns the digest that names an object `packs/<space>/<sha256>` or `index/<space>/<sha256>`.
pub fn parse_digest(key: &str) -> Option<Digest> {
    key.rsplit('/').next()?.parse().ok()
}

/// Returns pack and own digest from the key of a header.
pub fn parse_header(key: &str) -> Option<(Digest, Digest)> {
    let (pack, own) = key.rsplit('/').next()?.split_once('.')?;
    Some((pack.parse().ok()?, own.parse().ok()?))
}

/// Returns the id from the key of a manifest, ledger entry or mark, `None` for signatures and others.
pub fn parse_entry(key: &str) -> Option<SnapshotId> {
    key.rsplit('/').next()?.strip_suffix(".json")?.parse().ok()
}

/// Returns the number from the key of a trust record.
pub fn parse_trust(key: &str) -> Option<u32> {
    key.strip_prefix(TRUST)?.strip_prefix('/')?.strip_suffix(".json")?.parse().ok()
}

/// Returns writer and number from the key of an entry of the audit log.
pub fn parse_audit(key: &str) -> Option<(WriterId, u64)> {
    let (writer, file) = key.strip_prefix(AUDIT)?.strip_prefix('/')?.split_once('/')?;
    let (writer, n) = (writer.parse().ok()?, file.strip_suffix(".json")?.parse().ok()?);
    // One number has one spelling, and the first is 1.
    (n > 0 && audit(&writer, n) == key).then_some((writer, n))
}

/// Whether a key is of the audit log.
pub fn is_audit(key: &str) -> bool {
    key.split('/').next() == Some(AUDIT)
}

/// Returns the SHA-256 that the name of an object promises for its bytes, for those named by it.
pub fn promised_digest(key: &str) -> Option<Digest> {
    match key.split('/').next()? {
        PACKS | INDEX => parse_digest(key),
        KEYS => parse_header(key).map(|(_, own)| own),
        DRILLS => parse_drill_file(key).map(|(_, own)| own),
        _ => None,
    }
}

/// Returns the second segment of a key: its space or repository.
pub fn scope(key: &str) -> Option<&str> {
    let mut segments = key.split('/');
    let (_, scope, rest) = (segments.next()?, segments.next()?, segments.next());
    rest.map(|_| scope)
}
