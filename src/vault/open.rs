//! Opening a vault: what it is, whom it trusts, which replicas can be reached.
//!
//! Trust begins at the pinned root key: trust record 1 must be signed by it, each further record
//! by the root key that the one before names. Everything else counts only if a signer of the
//! newest record signed it. Without a pin, a client trusts the first record it sees, remembers
//! its root key, and warns.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use futures_util::future::join_all;

use super::cache::Cache;
use super::envelope::{self, HeaderError, Identity};
use super::error::{ErrorKind, Result, VaultError};
use super::format::trust::{self, Role, TrustRecord, WrappedKey};
use super::format::vault::{Encryption, VAULT_KIND, VaultFile};
use super::format::{VERSION, unknown_version};
use super::item::ItemKey;
use super::layout;
use super::memory::Memory;
use super::replica::{Replica, Replicas, with_causes};
use super::signing::{SigningKey, VerifyingKey, check_claims};
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
    item_key: Option<ItemKey>,
    first_root: VerifyingKey,
    warnings: Mutex<Vec<Problem>>,
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
        let file = read_vault_file(&replicas).await?;
        if let Some(pinned) = options.pins.vault.filter(|pinned| *pinned != file.vault) {
            return Err(VaultError::new(
                ErrorKind::NotTrusted,
                format!("these replicas hold the vault {}, the configuration pins {pinned}", file.vault),
            )
            .hint("check the addresses of the replicas; only if you replaced the vault on purpose change `id` in [vault]"));
        }
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
        let (trust, first_root) = read_trust(&replicas, &file, pinned).await?;
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
            memory.remember(&remembered)?;
        }
        let item_key = unwrap_item_key(&trust, &options.keys.identities)?;
        super::pack::prepare_spool(&options.spool, options.clock.now(), options.limits.max_run)?;
        let cache = options
            .cache
            .as_ref()
            .map_or_else(Cache::off, |dir| Cache::new(&dir.join(file.vault.to_string())));
        Ok(Self {
            file,
            trust,
            replicas,
            limits: options.limits,
            clock: options.clock,
            keys: options.keys,
            cache,
            memory,
            spool: options.spool,
            item_key,
            first_root,
            warnings: Mutex::new(warnings),
        })
    }

    /// Returns the current time, by the clock that the vault was opened with.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Returns the bounds it was opened with.
    pub fn limits(&self) -> &Limits {
        &self.limits
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
            VaultError::new(
                ErrorKind::Identity,
                "reading the catalogs of this vault needs the operator identity, which is not here",
            )
            .hint("set `operator` (or `recovery`) in [keys] to the file with the identity")
        })
    }

    /// Returns the signing key, checked against the trust record.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Identity`] when it is missing, or may not sign snapshots.
    pub fn signing_key(&self) -> Result<&SigningKey> {
        let key = self.keys.signing.as_ref().ok_or_else(|| {
            VaultError::new(ErrorKind::Identity, "this command needs the signing key, which is not here")
                .hint("set `signing` in [keys] to the file that `prismvault init` made")
        })?;
        if self.signers(&[Role::Snapshot]).contains(key.public()) {
            Ok(key)
        } else {
            Err(VaultError::new(
                ErrorKind::Identity,
                format!("the signing key {} may not sign snapshots in this vault", key.public()),
            )
            .hint("use the key that `prismvault init` made, or let the holder of the root key add this one"))
        }
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
        let wrong = if self.keys.identities.is_empty() {
            ""
        } else {
            " (the identities that are here read catalogs only, or belong to another vault)"
        };
        Err(VaultError::new(
            ErrorKind::Identity,
            format!("this command reads content and needs the recovery identity, which is not here{wrong}"),
        )
        .hint("bring recovery.txt from where it is kept and set `recovery` in [keys] to it, or pass --identity FILE"))
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

    /// Adds something that people should know; shown once at the end.
    pub(super) fn warn(&self, problem: Problem) {
        let mut warnings = self.warnings.lock().expect("no holder of this lock can panic");
        if !warnings.contains(&problem) {
            warnings.push(problem);
        }
    }

    /// Returns what people should know of this vault: no pinned root, damaged copies that were
    /// read around.
    pub fn warnings(&self) -> Vec<Problem> {
        self.warnings.lock().expect("no holder of this lock can panic").clone()
    }

    /// Reads a signed file and its signature from the cache or the first replica with a good
    /// copy, checked for signer, kind, vault and key.
    ///
    /// # Errors
    ///
    /// What is wrong with the copies, when none is good.
    pub(super) async fn read_signed(&self, key: &str, kind: &str, roles: &[Role]) -> Result<(Bytes, Bytes)> {
        let signature_key = layout::signature(key);
        let signers = self.signers(roles);
        if let (Some(bytes), Some(signature)) = (self.cache.get(key), self.cache.get(&signature_key))
            && check_signed(&bytes, &signature, &signers, kind, &self.file.vault, key, &"the cache").is_ok()
        {
            return Ok((bytes, signature));
        }
        let mut failure: Option<VaultError> = None;
        for replica in self.replicas.live() {
            match self.read_signed_on(replica, key, kind, &signers).await {
                Ok((bytes, signature)) => {
                    self.cache.keep(key, &bytes);
                    self.cache.keep(&signature_key, &signature);
                    if let Some(error) = failure {
                        self.warn(Problem::new("bad-copy", key, error.to_string()));
                    }
                    return Ok((bytes, signature));
                }
                Err(error) if matches!(error.kind, ErrorKind::Store(StoreKind::NotFound)) => {
                    failure.get_or_insert(error);
                }
                Err(error) => failure = Some(error),
            }
        }
        Err(failure
            .unwrap_or_else(|| VaultError::new(ErrorKind::TooFewReplicas, "no replica can be reached")))
    }

    /// Checks the trust records that one replica holds, each by itself: those of which it lacks
    /// the file are missing there.
    pub async fn check_trust_on(&self, replica: &Replica) -> Vec<(String, Result<()>)> {
        let mut signer = self.first_root.clone();
        let mut checks = Vec::new();
        for n in 1..=self.trust.n {
            let key = layout::trust(n);
            match read_trust_record_on(replica, &self.file, n, Some(&signer)).await {
                Ok(record) => {
                    signer = record.root;
                    checks.push((key, Ok(())));
                }
                Err(error) => checks.push((key, Err(error))),
            }
        }
        checks
    }

    /// Checks the copy of a manifest on one replica.
    ///
    /// # Errors
    ///
    /// What is wrong with it; [`StoreKind::NotFound`] when this replica does not hold it.
    pub async fn check_manifest_on(&self, replica: &Replica, key: &str) -> Result<()> {
        let signers = self.signers(&[Role::Snapshot]);
        let (bytes, _) = self.read_signed_on(replica, key, super::format::manifest::KIND, &signers).await?;
        super::snapshots::parse_manifest(&bytes, key, &replica.store).map(drop)
    }

    /// Checks the copy of any signed file (manifest, ledger entry, trust record) on one replica.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub async fn check_signed_on(&self, replica: &Replica, key: &str) -> Result<()> {
        if let Some(n) = layout::parse_trust(key) {
            let checks = self.check_trust_on(replica).await;
            let own = checks.into_iter().nth(n.saturating_sub(1) as usize).map(|(_, result)| result);
            return own.unwrap_or_else(|| {
                Err(VaultError::damaged(key, &replica.store, "no such trust record is known"))
            });
        }
        if key.starts_with(layout::SNAPSHOTS) {
            return self.check_manifest_on(replica, key).await;
        }
        let roles = super::ledger::ROLES;
        self.read_signed_on(replica, key, super::format::ledger::KIND, &self.signers(roles)).await.map(drop)
    }

    /// Checks `vault.json` and `replica.json` of a live replica; returns what is wrong.
    pub async fn check_own_files_on(&self, replica: &Replica) -> Vec<(&'static str, VaultError)> {
        let mut wrong = Vec::new();
        let damaged = |key, why: &str| VaultError::damaged(key, &replica.store, why);
        match replica.find_small(layout::VAULT, 1 << 20).await {
            Ok(Some(bytes)) => {
                let own = parse_vault_file(&bytes, &replica.store);
                if !own.is_ok_and(|own| own == self.file) {
                    wrong.push((
                        layout::VAULT,
                        damaged(layout::VAULT, "it differs from that of the other replicas"),
                    ));
                }
            }
            Ok(None) => wrong.push((layout::VAULT, damaged(layout::VAULT, "it is missing"))),
            Err(error) => wrong.push((layout::VAULT, error)),
        }
        match replica.find_small(layout::REPLICA, 1 << 20).await {
            Ok(Some(bytes)) => {
                let own = serde_json::from_slice::<super::format::vault::ReplicaFile>(&bytes);
                if !own.is_ok_and(|own| {
                    own.vault == self.file.vault && own.kind == super::format::vault::REPLICA_KIND
                }) {
                    wrong.push((
                        layout::REPLICA,
                        damaged(layout::REPLICA, "it is not the file of a replica of this vault"),
                    ));
                }
            }
            Ok(None) => wrong.push((layout::REPLICA, damaged(layout::REPLICA, "it is missing"))),
            Err(error) => wrong.push((layout::REPLICA, error)),
        }
        wrong
    }

    /// Reads a signed file from one replica only.
    pub(super) async fn read_signed_on(
        &self,
        replica: &Replica,
        key: &str,
        kind: &str,
        signers: &[VerifyingKey],
    ) -> Result<(Bytes, Bytes)> {
        let max = self.limits.small_object_bytes_max;
        let bytes = replica.store.get(key, max).await?;
        let signature = match replica.store.get(&layout::signature(key), max).await {
            Err(error) if error.kind == StoreKind::NotFound => {
                return Err(VaultError::damaged(key, &replica.store, "its signature is missing"));
            }
            other => other?,
        };
        check_signed(&bytes, &signature, signers, kind, &self.file.vault, key, &replica.store)?;
        Ok((bytes, signature))
    }
}

/// Checks signature and claims of a signed file.
fn check_signed(
    bytes: &[u8],
    signature: &[u8],
    signers: &[VerifyingKey],
    kind: &str,
    vault: &VaultId,
    key: &str,
    place: &dyn std::fmt::Display,
) -> Result<()> {
    let signature = String::from_utf8_lossy(signature);
    if !signers.iter().any(|signer| signer.verifies(bytes, &signature)) {
        return Err(VaultError::new(ErrorKind::NotTrusted, format!("{key} on {place} is refused: no trusted key signed these bytes"))
            .hint("the file was damaged or replaced; `prismvault verify` compares the replicas, `prismvault repair` mends from a good one"));
    }
    check_claims(bytes, kind, vault, key, place)
}

async fn read_vault_file(replicas: &Replicas) -> Result<VaultFile> {
    let read = join_all(replicas.live().map(|replica| async move {
        let result = match replica.find_small(layout::VAULT, 1 << 20).await {
            Ok(Some(bytes)) => parse_vault_file(&bytes, &replica.store),
            Ok(None) => Err(not_a_vault(&replica.store)),
            Err(error) => Err(error),
        };
        (replica, result)
    }))
    .await;
    let mut found: Option<(VaultFile, &str)> = None;
    let mut failure: Option<VaultError> = None;
    for (replica, result) in read {
        match result {
            Ok(file) => match &found {
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
            replicas.require_enough()?;
            Err(VaultError::new(ErrorKind::TooFewReplicas, "no replica can be reached"))
        }
        (None, None) => Err(VaultError::new(ErrorKind::NotAVault, "no replica is configured")
            .hint("add [[replicas]] to the configuration")),
    }
}

/// Returns the error for a place without vault.
pub(super) fn not_a_vault(place: &dyn std::fmt::Display) -> VaultError {
    VaultError::new(ErrorKind::NotAVault, format!("{place} holds no vault ({} is missing)", layout::VAULT))
        .hint("check the address; `prismvault init` makes a vault there, or adds this replica to the vault of the others")
}

fn parse_vault_file(bytes: &[u8], place: &dyn std::fmt::Display) -> Result<VaultFile> {
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

/// Follows the trust records from the pinned root key. Returns the newest and the root key of the
/// first.
async fn read_trust(
    replicas: &Replicas,
    file: &VaultFile,
    pinned: Option<VerifyingKey>,
) -> Result<(TrustRecord, VerifyingKey)> {
    let mut numbers = BTreeSet::new();
    for replica in replicas.live() {
        match replica.store.list(layout::TRUST).await {
            Ok(objects) => {
                numbers.extend(objects.iter().filter_map(|object| layout::parse_trust(&object.key)));
            }
            Err(error) => replica.fail(error),
        }
    }
    let mut newest: Option<TrustRecord> = None;
    let mut signer = pinned;
    let mut first_root = None;
    for n in 1..=numbers.last().copied().unwrap_or(0) {
        let record = read_trust_record(replicas, file, n, signer.as_ref()).await?;
        // The first record is signed by the key that it names itself: that key is what is pinned.
        first_root.get_or_insert_with(|| signer.clone().unwrap_or_else(|| record.root.clone()));
        signer = Some(record.root.clone());
        newest = Some(record);
    }
    newest.zip(first_root).ok_or_else(|| {
        VaultError::new(
            ErrorKind::Integrity,
            format!("the vault {} has no trust record on any replica", file.vault),
        )
        .hint("bring back `trust/` from any copy of the vault: without it nothing is trusted")
    })
}

async fn read_trust_record(
    replicas: &Replicas,
    file: &VaultFile,
    n: u32,
    signer: Option<&VerifyingKey>,
) -> Result<TrustRecord> {
    let mut failure = None;
    for replica in replicas.live() {
        match read_trust_record_on(replica, file, n, signer).await {
            Ok(record) => return Ok(record),
            Err(error) => failure = Some(error),
        }
    }
    Err(failure.unwrap_or_else(|| VaultError::new(ErrorKind::TooFewReplicas, "no replica can be reached")))
}

async fn read_trust_record_on(
    replica: &Replica,
    file: &VaultFile,
    n: u32,
    signer: Option<&VerifyingKey>,
) -> Result<TrustRecord> {
    let key = layout::trust(n);
    let missing = |what: &str| VaultError::damaged(&key, &replica.store, what);
    let bytes = replica.find_small(&key, 1 << 20).await?.ok_or_else(|| missing("it is missing"))?;
    let signature = replica.find_small(&layout::signature(&key), 1 << 20).await?;
    let signature = signature.ok_or_else(|| missing("its signature is missing"))?;
    let record: TrustRecord =
        serde_json::from_slice(&bytes).map_err(|error| VaultError::damaged(&key, &replica.store, error))?;
    let signer = signer.unwrap_or(&record.root);
    check_signed(
        &bytes,
        &signature,
        std::slice::from_ref(signer),
        trust::KIND,
        &file.vault,
        &key,
        &replica.store,
    )?;
    if record.n != n {
        return Err(VaultError::damaged(&key, &replica.store, "it says to be another number"));
    }
    Ok(record)
}

fn unwrap_item_key(trust: &TrustRecord, identities: &[Identity]) -> Result<Option<ItemKey>> {
    let damaged = |why: &str| VaultError::damaged(&trust.key, &"all replicas", format!("its item key {why}"));
    let decode = |text: &str| BASE64.decode(text).map_err(|_| damaged("is not base64"));
    let bytes = match &trust.item_key {
        WrappedKey::Clear(text) => decode(text)?,
        WrappedKey::Age(text) => match envelope::open(&decode(text)?, identities) {
            Ok(bytes) => bytes,
            Err(HeaderError::NotARecipient) => return Ok(None),
            Err(HeaderError::Damaged) => return Err(damaged("cannot be decrypted")),
        },
    };
    let key = bytes.try_into().map_err(|_| damaged("has a wrong length"))?;
    Ok(Some(ItemKey(key)))
}

/// Wraps an item key for a trust record.
pub(super) fn wrap_item_key(key: &ItemKey, recipients: &[envelope::Recipient]) -> Result<WrappedKey> {
    Ok(if recipients.is_empty() {
        WrappedKey::Clear(BASE64.encode(key.0))
    } else {
        WrappedKey::Age(BASE64.encode(envelope::seal(&key.0, recipients)?))
    })
}
