//! Opening a vault: what it is, whom it trusts, which replicas can be reached.
//!
//! Trust begins at the pinned root key: trust record 1 must be signed by it, each further record
//! by the root key that the one before names. Everything else counts only if a signer of the
//! newest record signed it. Without a pin, a client trusts the first record it sees, remembers
//! its root key, and warns.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};

use bytes::Bytes;
use futures_util::future::join_all;

use super::blocks::Blocks;
use super::cache::Cache;
use super::envelope::Identity;
use super::error::{ErrorKind, Result, VaultError};
use super::format::trust::{self, Role, TrustRecord};
use super::format::vault::{Encryption, VAULT_KIND, VaultFile};
use super::format::{VERSION, unknown_version};
use super::item::ItemKey;
use super::layout;
use super::lease::Held;
use super::memory::{Memory, RememberedLocks};
use super::replica::{Replica, Replicas, with_causes};
use super::signing::{SigningKey, VerifyingKey};
use super::trust::{StoredTrust, former_signers, read_trust, unwrap_item_key};
use crate::clock::{Clock, Timestamp};
use crate::ids::{Digest, Name, VaultId};
use crate::limits::Limits;
use crate::objects::ErrorKind as StoreKind;
use crate::progress::Problem;

/// Private keys that are here.
#[derive(Debug, Default)]
pub struct Keys {
    /// age identities: the operator's, and where content is read another.
    pub identities: Vec<Identity>,
    /// The key that signs manifests.
    pub signing: Option<SigningKey>,
    /// The key that signs removals, where it is another.
    pub maintenance: Option<SigningKey>,
    /// Further keys: those that a rotation brings in, and that of who works on data-subject requests.
    pub further: Vec<SigningKey>,
    /// Why a key of the configuration (`operator`, `recovery`, `privacy`, `signing`, `maintenance`,
    /// `privacy_signing`) is not here, in words that name the place it was looked for.
    pub absent: BTreeMap<&'static str, String>,
}

impl Keys {
    /// Why a key is not here, to go on after "which is not here".
    fn why_absent(&self, name: &str) -> String {
        self.absent.get(name).map(|why| format!(" ({why})")).unwrap_or_default()
    }
}

/// What the configuration pins.
#[derive(Debug, Clone, Default)]
pub struct Pins {
    /// Id of the vault.
    pub vault: Option<VaultId>,
    /// Root key of its first trust record.
    pub root: Option<VerifyingKey>,
}

/// With what a vault is opened.
#[derive(Debug)]
pub struct OpenOptions {
    /// Bounds.
    pub limits: Limits,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Private keys that are here.
    pub keys: Keys,
    /// What the configuration pins.
    pub pins: Pins,
    /// Directory for copies of immutable objects; `None` keeps none.
    pub cache: Option<PathBuf>,
    /// Directory for what this client remembers; `None` remembers nothing.
    pub state: Option<PathBuf>,
    /// Directory for spool files.
    pub spool: PathBuf,
}

/// An open vault.
#[derive(Debug)]
pub struct Vault {
    /// `vault.json`.
    pub file: VaultFile,
    /// The newest trust record.
    pub trust: TrustRecord,
    /// Its replicas.
    pub replicas: Replicas,
    pub(super) limits: Limits,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) keys: Keys,
    pub(super) cache: Cache,
    pub(super) memory: Memory,
    pub(super) spool: PathBuf,
    blocks: OnceLock<Arc<Blocks>>,
    item_key: Option<ItemKey>,
    pub(super) first_root: VerifyingKey,
    /// Every trust record, oldest first.
    pub(super) trust_records: Vec<StoredTrust>,
    /// Every signer that any record named, with all roles that it ever had.
    pub(super) former: Vec<trust::Signer>,
    /// SHA-256 of files by retired keys that were found to count.
    pub(super) counted: Mutex<HashSet<Digest>>,
    warnings: Mutex<Vec<Problem>>,
    /// Random id of the run that opened it, as in its logs; in what it writes.
    pub run: Option<String>,
    /// The lease under which this run is, where it is under one.
    pub(super) held: Mutex<Option<Arc<Held>>>,
    /// Whose signatures count under what people say of drills.
    pub(super) people: OnceLock<Vec<VerifyingKey>>,
}

/// Features that this program knows; a vault that lists another is refused.
const KNOWN_FEATURES: &[&str] = &[];

impl Vault {
    /// Opens the vault that lies on `replicas`. A replica that cannot be reached, or holds no
    /// vault, leaves the run; one that holds *another* vault is an error.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotAVault`] when none holds one, [`ErrorKind::NotTrusted`] when the trust
    /// records do not lead back to the pinned root key, [`ErrorKind::UnknownFormat`].
    pub async fn open(replicas: Replicas, options: OpenOptions) -> Result<Self> {
        let file = read_vault_file(&replicas, options.pins.vault).await?;
        let memory = options.state.as_ref().map_or_else(Memory::off, |dir| Memory::new(dir, &file.vault));
        let mut remembered = memory.recall()?;
        let mut warnings = Vec::new();
        let pinned = options.pins.root.clone().or_else(|| remembered.root.clone());
        if options.pins.root.is_none() {
            warnings.push(Problem::new(
                "root-not-pinned",
                "[vault]",
                "the configuration does not pin the root key, so this client trusts what it saw first; add the two lines that `init` printed",
            ));
        }
        let (trust_records, first_root) = read_trust(&replicas, &file, pinned, &mut warnings).await?;
        let trust = trust_records.last().map(|stored| stored.record.clone()).expect("there is at least one");
        let file = with_signed_encryption(&replicas, file, &trust).await?;
        if trust.n < remembered.trust {
            return Err(VaultError::new(
                ErrorKind::NotTrusted,
                format!("the newest trust record is number {}, this client saw number {}", trust.n, remembered.trust),
            )
            .hint("an older state of the vault was put back; bring back the replica that holds the newer record"));
        }
        if remembered.root.as_ref() != Some(&first_root) || remembered.trust != trust.n {
            remembered.root = Some(first_root.clone());
            remembered.trust = trust.n;
            // A full disk must not keep anybody from reading a backup.
            if let Err(error) = memory.remember(&remembered) {
                warnings.push(Problem::new("not-remembered", "memory", with_causes(&error)));
            }
        }
        let vault_id = file.vault;
        let read_id = |replica| async move { (replica, Replica::read_id(replica, &vault_id).await) };
        for (replica, result) in join_all(replicas.live().map(read_id)).await {
            if let Err(error) = result {
                replica.fail(error);
            }
        }
        let item_key = unwrap_item_key(&trust, &options.keys.identities)?;
        super::pack::prepare_spool(&options.spool, options.clock.now(), options.limits.max_run)?;
        let cache = options
            .cache
            .as_ref()
            .map_or_else(Cache::off, |dir| Cache::new(&dir.join(file.vault.to_string())));
        let mut vault = Self {
            file,
            trust,
            replicas,
            limits: options.limits,
            clock: options.clock,
            keys: options.keys,
            cache,
            memory,
            spool: options.spool,
            blocks: OnceLock::new(),
            item_key,
            first_root,
            former: former_signers(&trust_records),
            trust_records,
            counted: Mutex::default(),
            warnings: Mutex::new(warnings),
            run: None,
            held: Mutex::default(),
            people: OnceLock::new(),
        };
        vault.believe_probes().await;
        Ok(vault)
    }

    /// Returns the root key of the first trust record: what a configuration pins.
    pub fn first_root(&self) -> &VerifyingKey {
        &self.first_root
    }

    /// Returns the current time, by the clock that the vault was opened with.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Returns the bounds it was opened with.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Returns what an earlier run kept in the local cache under `key`. Whoever can write the cache
    /// may have put it there.
    pub fn cached(&self, key: &str) -> Option<Bytes> {
        self.cache.get(key)
    }

    /// Keeps bytes in the local cache. A cache that cannot be written is slow, not wrong.
    pub fn keep_cached(&self, key: &str, bytes: &[u8]) {
        self.cache.keep(key, bytes);
    }

    /// Makes its readers keep what they read of content packs, in the local cache and up to so many
    /// bytes; `shared` is what an earlier opening of the same vault returned, which goes on. Nothing is
    /// kept where caching is off, or where it would lie there readable for everybody.
    pub fn keep_blocks(&self, shared: Option<Arc<Blocks>>, bytes_max: u64) -> Option<Arc<Blocks>> {
        let directory = self.cache.directory().filter(|_| bytes_max > 0 && self.is_encrypted())?;
        let open = || Arc::new(Blocks::open(&directory.join(layout::CACHED_BLOCKS), bytes_max));
        Some(Arc::clone(self.blocks.get_or_init(|| shared.unwrap_or_else(open))))
    }

    /// What is kept of content packs.
    pub(super) fn blocks(&self) -> Option<&Arc<Blocks>> {
        self.blocks.get()
    }

    /// The directories of this machine in which something of the vault may lie, with a name for each: copies of
    /// objects, what this client remembers, spool files.
    pub(crate) fn local_directories(&self) -> Vec<(&'static str, PathBuf)> {
        let cache = self.cache.directory().map(|directory| ("cache", directory.to_owned()));
        let memory = self.memory.directory().map(|directory| ("memory", directory));
        cache.into_iter().chain(memory).chain([("spool", self.spool.clone())]).collect()
    }

    /// Returns the directory for temporary files, which exists.
    pub fn spool(&self) -> &std::path::Path {
        &self.spool
    }

    /// Whether content is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.file.encryption == Encryption::Age
    }

    /// Returns the item key.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Identity`] when no identity that reads catalogs is here.
    pub fn item_key(&self) -> Result<&ItemKey> {
        self.item_key.as_ref().ok_or_else(|| {
            let what = "reading the catalogs of this vault needs the operator identity";
            let what = match self.keys.identities.is_empty() {
                true => format!("{what}, which is not here{}", self.keys.why_absent("operator")),
                false => format!("{what}, and the identities that are here are not of this vault"),
            };
            VaultError::new(ErrorKind::Identity, what).hint(
                "bring the identity file there, or set `operator` (or `recovery`) in [keys] to where it is",
            )
        })
    }

    /// Returns the signing key, checked against the trust record.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Identity`] when it is missing, or may not sign snapshots.
    pub fn signing_key(&self) -> Result<&SigningKey> {
        self.signer(&[Role::Snapshot])
    }

    /// Returns the signing keys that are here, whether anybody trusts them or not.
    pub fn signing_keys(&self) -> impl Iterator<Item = &SigningKey> {
        self.keys.signing.iter().chain(&self.keys.maintenance).chain(&self.keys.further)
    }

    /// Returns the identities that are here.
    pub fn identities(&self) -> &[Identity] {
        &self.keys.identities
    }

    /// Takes in a signing key and identities that were made after the vault was opened.
    pub fn take_keys(&mut self, signing: Option<SigningKey>, identities: Vec<Identity>) {
        self.keys.further.extend(signing);
        self.keys.identities.extend(identities);
    }

    /// Returns a key that is here and has one of these roles in the trust record.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Identity`] when there is none.
    pub fn signer(&self, roles: &[Role]) -> Result<&SigningKey> {
        let here: Vec<&SigningKey> = self.signing_keys().collect();
        let trusted = self.signers(roles);
        if let Some(key) = here.iter().find(|key| trusted.contains(key.public())) {
            return Ok(key);
        }
        let (what, name) = if roles.contains(&Role::Snapshot) {
            ("snapshots", "signing")
        } else if roles == [Role::Privacy] {
            return Err(self.no_privacy_signer());
        } else {
            ("removals", "maintenance")
        };
        Err(match here.first() {
            None => {
                let why = self.keys.why_absent(name);
                VaultError::new(
                    ErrorKind::Identity,
                    format!("this command needs the {name} key, which is not here{why}"),
                )
                .hint(format!(
                    "bring the file that `prismvault init` made there, or set `{name}` in [keys] to where it is"
                ))
            }
            Some(key) => VaultError::new(
                ErrorKind::Identity,
                format!("the signing key {} may not sign {what} in this vault", key.public()),
            )
            .hint(format!(
                "set `{name}` in [keys] to a key that may, or let the holder of the root key add this one"
            )),
        })
    }

    fn no_privacy_signer(&self) -> VaultError {
        let why = self.keys.why_absent("privacy_signing");
        let what = match self.signers(&[Role::Privacy]).is_empty() {
            true => "no key of this vault may sign what happens to data-subject requests".to_owned(),
            false => {
                format!("this command needs a signing key with the role privacy, which is not here{why}")
            }
        };
        VaultError::new(ErrorKind::Identity, what).hint(
            "set `privacy_signing` in [keys] to its file; a new one: `prismvault keys generate --signing-to FILE`, \
             then the holder of the root key runs `prismvault keys add --privacy AGE1… --approves RW…`",
        )
    }

    /// Returns the keys with one of these roles.
    pub(super) fn signers(&self, roles: &[Role]) -> Vec<VerifyingKey> {
        let has_role = |signer: &&trust::Signer| signer.roles.iter().any(|role| roles.contains(role));
        self.trust.signers.iter().filter(has_role).map(|signer| signer.key.clone()).collect()
    }

    /// Checks, before anything is read, that content can be read with what is here.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Identity`] otherwise.
    pub fn require_content_identity(&self) -> Result<()> {
        let reads = |identity: &Identity| self.trust.content_recipients.contains(&identity.recipient());
        if !self.is_encrypted() || self.keys.identities.iter().any(reads) {
            return Ok(());
        }
        let mut wrong = self.keys.why_absent("recovery");
        if !self.keys.identities.is_empty() {
            wrong.push_str("; the identities that are here read catalogs only, or belong to another vault");
        }
        Err(VaultError::new(
            ErrorKind::Identity,
            format!("this command reads content and needs the recovery identity, which is not here{wrong}"),
        )
        .hint("bring recovery.txt from where it is kept and set `recovery` in [keys] to it, or pass --identity FILE"))
    }

    /// Checks that this program knows all that the vault asks of who deletes in it, or decides what
    /// is deleted later.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Refused`] otherwise.
    pub fn require_may_delete(&self) -> Result<()> {
        match self.file.features.delete.iter().find(|feature| !KNOWN_FEATURES.contains(&feature.as_str())) {
            None => Ok(()),
            Some(unknown) => Err(VaultError::new(
                ErrorKind::Refused,
                format!(
                    "who deletes in this vault must know the feature {unknown:?}, which this prismvault lacks"
                ),
            )
            .hint("use a newer prismvault; nothing was changed")),
        }
    }

    /// Returns the heads of a space's ledger that this client remembers.
    pub(super) fn remembered_ledger(&self, space: &Name) -> Result<Vec<Digest>> {
        Ok(self.memory.recall()?.ledger.remove(space).unwrap_or_default())
    }

    /// Remembers the heads of a space's ledger.
    pub(super) fn remember_ledger(&self, space: &Name, heads: Vec<Digest>) -> Result<()> {
        let mut remembered = self.memory.recall()?;
        remembered.ledger.insert(space.clone(), heads);
        self.memory.remember(&remembered)
    }

    /// Returns what this client remembers of locks.
    pub(crate) fn remembered_locks(&self) -> RememberedLocks {
        self.memory.recall_locks()
    }

    /// Remembers locks.
    pub(crate) fn remember_locks(&self, locks: &RememberedLocks) -> Result<()> {
        self.memory.remember_locks(locks)
    }

    /// Adds something that people should know; shown once at the end.
    pub(super) fn warn(&self, problem: Problem) {
        let mut warnings = self.warnings.lock().expect("no holder of this lock can panic");
        if !warnings.contains(&problem) {
            warnings.push(problem);
        }
    }

    /// Says that a copy was no good and another one was read: where, what is wrong, and what mends
    /// it. That a replica lacks what it never got is no news to a reader.
    pub(crate) fn read_around(&self, key: &str, error: &VaultError) {
        if error.kind != ErrorKind::Store(StoreKind::NotFound) {
            let why = with_causes(error);
            let detail = format!("{why}; another copy was read, `prismvault repair` mends this one");
            self.warn(Problem::new("bad-copy", key, detail));
        }
    }

    /// Returns what people should know of this vault: no pinned root, damaged copies that were
    /// read around.
    pub fn warnings(&self) -> Vec<Problem> {
        self.warnings.lock().expect("no holder of this lock can panic").clone()
    }
}

async fn read_vault_file(replicas: &Replicas, pinned: Option<VaultId>) -> Result<VaultFile> {
    let read =
        join_all(replicas.live().map(|replica| async move { (replica, vault_file_on(replica).await) })).await;
    let mut found: Option<(VaultFile, &str)> = None;
    let mut failure: Option<VaultError> = None;
    for (replica, result) in read {
        match result {
            Ok(file) => match &found {
                // With a pin it is clear whose fault it is.
                _ if pinned.is_some_and(|pinned| pinned != file.vault) => {
                    let what = format!(
                        "{} holds the vault {}, the configuration pins another",
                        replica.store, file.vault
                    );
                    let hint = "check the address of this replica; only if you replaced the vault on purpose change `id` in [vault]";
                    failure.get_or_insert_with(|| {
                        VaultError::new(ErrorKind::NotTrusted, what.clone()).hint(hint)
                    });
                    replica.fail(VaultError::new(ErrorKind::NotTrusted, what));
                }
                Some((first, name)) if first.vault != file.vault => {
                    return Err(VaultError::new(
                        ErrorKind::Refused,
                        format!(
                            "the replicas {name} and {} hold different vaults ({} and {})",
                            replica.name, first.vault, file.vault
                        ),
                    )
                    .hint("check the addresses of the replicas in the configuration"));
                }
                Some(_) => {}
                None => found = Some((file, &replica.name)),
            },
            // A newer format must stop everything: writing beside it could harm what it holds.
            Err(error) if error.kind == ErrorKind::UnknownFormat => return Err(error),
            Err(error) => {
                failure.get_or_insert_with(|| {
                    VaultError::new(error.kind, with_causes(&error))
                        .hint(error.next_step().unwrap_or_default())
                });
                replica.fail(error);
            }
        }
    }
    match (found, failure) {
        (Some((file, _)), _) => Ok(file),
        (None, Some(error)) => Err(error),
        (None, None) if replicas.configured() > 0 => {
            replicas.require_any()?;
            Err(VaultError::new(ErrorKind::TooFewReplicas, "no replica can be reached"))
        }
        (None, None) => Err(VaultError::new(ErrorKind::NotAVault, "no replica is configured")
            .hint("add [[replicas]] to the configuration")),
    }
}

/// Holds `vault.json` against the trust record: it is not signed, so it must not decide whether
/// content is encrypted. A replica whose copy says otherwise leaves the run.
async fn with_signed_encryption(
    replicas: &Replicas,
    mut file: VaultFile,
    trust: &TrustRecord,
) -> Result<VaultFile> {
    file.encryption = if trust.content_recipients.is_empty() { Encryption::None } else { Encryption::Age };
    for replica in replicas.live() {
        let own = replica.find_small(layout::VAULT, 1 << 20).await;
        let says = own.ok().flatten().and_then(|bytes| parse_vault_file(&bytes, &replica.store).ok());
        if let Some(own) = says.filter(|own| own.encryption != file.encryption) {
            let what = format!(
                "{} on {} is refused: it says that encryption is {:?}, the signed trust record says {:?}",
                layout::VAULT,
                replica.store,
                own.encryption,
                file.encryption
            );
            replica.fail(VaultError::new(ErrorKind::NotTrusted, what));
        }
    }
    replicas.require_any()?;
    Ok(file)
}

/// Returns the error for a place without vault.
pub(super) fn not_a_vault(place: &dyn std::fmt::Display) -> VaultError {
    VaultError::new(ErrorKind::NotAVault, format!("{place} holds no vault ({} is missing)", layout::VAULT))
        .hint("a new replica? `prismvault init` makes it one (or the vault, where there is none yet), then `prismvault repair` brings what it lacks; a disk or share that is missing? mount it; else check the address")
}

/// Reads what a replica says of its vault; it is not signed, so it is for showing only.
///
/// # Errors
///
/// When the replica cannot be read, holds no vault, or one of another format.
pub async fn vault_file_on(replica: &Replica) -> Result<VaultFile> {
    match replica.find_small(layout::VAULT, 1 << 20).await? {
        Some(bytes) => parse_vault_file(&bytes, &replica.store),
        None => Err(not_a_vault(&replica.store)),
    }
}

pub(super) fn parse_vault_file(bytes: &[u8], place: &dyn std::fmt::Display) -> Result<VaultFile> {
    #[derive(serde::Deserialize)]
    struct Version {
        kind: String,
        format: u32,
    }
    let damaged = |error: serde_json::Error| VaultError::damaged(layout::VAULT, place, error);
    let version: Version = serde_json::from_slice(bytes).map_err(damaged)?;
    if version.kind != VAULT_KIND {
        return Err(not_a_vault(place));
    }
    if version.format != VERSION {
        return Err(unknown_version(&format!("{} on {place}", layout::VAULT), version.format));
    }
    let file: VaultFile = serde_json::from_slice(bytes).map_err(damaged)?;
    let needed = file.features.read.iter().chain(&file.features.write);
    if let Some(unknown) = needed.into_iter().find(|feature| !KNOWN_FEATURES.contains(&feature.as_str())) {
        return Err(VaultError::new(
            ErrorKind::UnknownFormat,
            format!("the vault on {place} needs the feature {unknown:?}, which this prismvault lacks"),
        )
        .hint("use a newer prismvault; nothing was changed"));
    }
    Ok(file)
}
