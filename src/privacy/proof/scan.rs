//! The second scanner: every byte of every replica, and of what lies on this machine, looked through for a person.
//!
//! ```text
//! list every object, hidden versions too; in a directory also what killed puts left
//!    │        headers by pack, from all places
//! read each as a stream
//!    │        as it is; and decrypted by the `age` crate, decompressed, entry by entry, unpacked
//! needles    in every encoding
//!    │
//! leaks      but for items in which something stays because the plan says so
//! ```
//!
//! It shares nothing with the search: neither reader nor index nor matcher. Files of cases (`requests/`) are left
//! out: they hold the person by design, encrypted for who works on cases, and have their own retention.
//!
//! Memory: for each object that is looked at, and there are as many as processors, at most what one thing is
//! looked at as a whole (64 MiB) and what is unpacked of it; and the listings. It writes nothing. What cannot be
//! looked into is told, object by object.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Buf as _, Bytes};
use futures_util::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::ProofError;
use super::archive::{Form, Looked, look_through};
use super::encodings::Encoding;
use super::hunt::Hunter;
use super::needles::{Needles, TooMany};
use super::stays::Stays;
use super::unpack::Look;
use crate::ids::{Digest, ItemId};
use crate::objects::{ErrorKind as StoreKind, ObjectStore, ObjectVersion, StoreError};
use crate::privacy::subject::IdentifierKind;
use crate::progress::{Phase, Problem, Progress};
use crate::secret::Secret;
use crate::vault::envelope::Identity;
use crate::vault::layout;

/// Leaks that are listed one by one of each place; all are counted.
const LISTED_MAX: usize = 1_000;
/// Pieces of an object that wait to be looked at.
const PIECES_AHEAD: usize = 4;
/// Bytes of a version that are read at once.
const RANGE_BYTES: u64 = 4 << 20;
/// Bytes of a header: recipients are a line and a half each.
const HEADER_BYTES_MAX: u64 = 1 << 20;
/// Objects that are looked at at once, on a machine with many processors.
const AT_ONCE_MAX: usize = 4;

/// Something of the person that should not be where it is. Holds no value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Leak {
    /// Key of the object; of a local file its place below the directory.
    pub place: String,
    /// Which version of it, where the store has more than one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The item in it, where it is in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<ItemId>,
    /// What it is.
    pub what: Leaked,
    /// How often it is there.
    pub times: u64,
}

/// What leaked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Leaked {
    /// An identifier, in an encoding.
    Identifier {
        /// Its kind.
        kind: IdentifierKind,
        /// How it is written.
        encoding: Encoding,
    },
    /// A part of a pack that was to be destroyed, on this machine.
    ErasedPack,
}

/// What looking through one place came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Scanned {
    /// Name of the replica or of the directory.
    pub name: String,
    /// Objects or files whose every byte was looked at; each version counts.
    pub objects: u64,
    /// Bytes that were looked at, unpacked ones too.
    pub bytes: u64,
    /// Leaks, at most a thousand of them.
    pub leaks: Vec<Leak>,
    /// How many leaks there are.
    pub leaked: u64,
    /// Places in items in which something stays by the plan.
    pub kept: u64,
    /// Places within longer words or numbers: as a rule somebody else.
    pub within_words: u64,
    /// Bodies of packs that were to be destroyed, which are there and which nobody can open.
    pub sealed: u64,
    /// Objects of packs that were to be destroyed, which are there: headers, bodies, what lies aside of either; and
    /// files of drills that orders took.
    pub of_erased: u64,
    /// What could not be looked into, and why.
    pub unscanned: Vec<Problem>,
}

impl Scanned {
    /// Takes in what was seen of one object.
    fn take(&mut self, place: &str, version: Option<&str>, looked: Looked, stays: &Stays) {
        self.bytes += looked.bytes;
        let mut unread = 0;
        for (entry, seen) in looked.seen {
            let may_hold = entry.as_ref().is_some_and(|entry| stays.may_hold(&entry.item, &entry.path));
            unread += seen.unread;
            for ((kind, encoding), times) in seen.found {
                self.within_words += times.within;
                match may_hold {
                    _ if times.whole == 0 => {}
                    true => self.kept += times.whole,
                    false => self.leak(Leak {
                        place: place.to_owned(),
                        version: version.map(str::to_owned),
                        item: entry.as_ref().map(|entry| entry.item),
                        what: Leaked::Identifier { kind, encoding },
                        times: times.whole,
                    }),
                }
            }
        }
        match looked.failure {
            Some(why) => self.unscanned.push(Problem::new("not-scanned", place, why)),
            None if unread > 0 => {
                let why = format!("{unread} parts of it cannot be unpacked");
                self.unscanned.push(Problem::new("not-scanned", place, why));
            }
            None => self.objects += 1,
        }
    }

    fn leak(&mut self, leak: Leak) {
        self.leaked += 1;
        if self.leaks.len() < LISTED_MAX {
            self.leaks.push(leak);
        }
    }

    fn sort(&mut self) {
        self.leaks.sort();
        self.unscanned.sort();
    }
}

/// A place with objects.
#[derive(Debug, Clone)]
pub struct Place {
    /// Its name.
    pub name: String,
    /// Its store.
    pub store: Arc<dyn ObjectStore>,
}

/// Looks for needles in places and directories.
pub struct Scanner {
    look: Arc<Look>,
    stays: Stays,
    erased: HashSet<Digest>,
}

impl std::fmt::Debug for Scanner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scanner").field("erased", &self.erased.len()).finish_non_exhaustive()
    }
}

/// An object that is looked through.
struct Object {
    place: usize,
    version: ObjectVersion,
    /// Whether the store has others of the same key.
    is_one_of_many: bool,
}

/// A header: where it lies.
type HeaderPlace = (usize, ObjectVersion);

impl Scanner {
    /// Makes a scanner: for what, with which keys, what may stay, and which packs were to be destroyed.
    ///
    /// # Errors
    ///
    /// [`ProofError::TooMany`].
    pub fn new(
        needles: impl IntoIterator<Item = Needles>,
        identities: &[Identity],
        stays: Stays,
        erased: HashSet<Digest>,
        cancel: CancellationToken,
    ) -> Result<Self, ProofError> {
        let hunter = Hunter::new(needles).map_err(|_| TooMany)?;
        let look = Look { hunter, identities: keys_of(identities), cancel };
        Ok(Self { look: Arc::new(look), stays, erased })
    }

    /// Looks through everything that lies at some places. Headers of one open bodies of another.
    ///
    /// # Errors
    ///
    /// [`ProofError::Cancelled`]. A place that cannot be listed has that among what was not scanned.
    pub async fn places(
        &self,
        places: &[Place],
        progress: &dyn Progress,
    ) -> Result<Vec<Scanned>, ProofError> {
        let named = |place: &Place| Scanned { name: place.name.clone(), ..Scanned::default() };
        let mut scanned: Vec<Scanned> = places.iter().map(named).collect();
        let mut headers: HashMap<Digest, Vec<HeaderPlace>> = HashMap::new();
        let mut objects = Vec::new();
        for (at, place) in places.iter().enumerate() {
            let versions = list(place, &mut scanned[at]).await;
            for (number, version) in versions.iter().enumerate() {
                let key = &version.key;
                if version.is_delete_marker || key.starts_with(&format!("{}/", layout::REQUESTS)) {
                    continue;
                }
                let pack = header_of(key).or(body_of(key)).or(drill_file_of(key));
                scanned[at].of_erased += u64::from(pack.is_some_and(|pack| self.erased.contains(&pack)));
                if let Some(pack) = header_of(key) {
                    headers.entry(pack).or_default().push((at, version.clone()));
                }
                let is_same = |other: Option<&ObjectVersion>| other.is_some_and(|other| other.key == *key);
                let beside = [number.checked_sub(1), number.checked_add(1)];
                let is_one_of_many = beside.into_iter().flatten().any(|beside| is_same(versions.get(beside)));
                objects.push(Object { place: at, version: version.clone(), is_one_of_many });
            }
        }
        progress.start(Phase::Search, Some(objects.len() as u64));
        let at_once = std::thread::available_parallelism().map_or(1, usize::from).min(AT_ONCE_MAX);
        let headers = &headers;
        let mut looking = stream::iter(objects)
            .map(|object| async move {
                let looked = self.object(places, &object, headers).await;
                (object, looked)
            })
            .buffer_unordered(at_once);
        while let Some((object, looked)) = looking.next().await {
            if self.look.cancel.is_cancelled() {
                return Err(ProofError::Cancelled);
            }
            let Some(mut looked) = looked else { continue };
            progress.advance(Phase::Search, 1, looked.bytes);
            let own = &mut scanned[object.place];
            let key = &object.version.key;
            // Without a header it is what a lock keeps, and nothing that anybody could read.
            let is_erased =
                body_of(key).is_some_and(|pack| self.erased.contains(&pack) && !headers.contains_key(&pack));
            if is_erased && looked.failure.is_some() && looked.seen.is_empty() {
                own.sealed += 1;
                own.bytes += looked.bytes;
                continue;
            }
            if layout::parse_trust(key).is_some() {
                // What a trust record seals is one key of 32 bytes, for those who read it in its time.
                let sealed: u64 = looked.seen.values_mut().map(|seen| std::mem::take(&mut seen.unread)).sum();
                own.sealed += sealed;
            }
            let version = object.is_one_of_many.then(|| object.version.version.as_str());
            own.take(key, version, looked, &self.stays);
        }
        for (place, own) in places.iter().zip(&mut scanned) {
            self.unfinished(place, own).await?;
        }
        progress.finish(Phase::Search);
        scanned.iter_mut().for_each(Scanned::sort);
        Ok(scanned)
    }

    /// Looks through what killed puts left beside the objects of a place, where that is a directory.
    async fn unfinished(&self, place: &Place, scanned: &mut Scanned) -> Result<(), ProofError> {
        let Some(directory) = place.store.unfinished() else { return Ok(()) };
        let root = directory.parent().unwrap_or(&directory);
        let objects = scanned.unscanned.len();
        self.files_below(root, directory.clone(), scanned).await?;
        for problem in &mut scanned.unscanned[objects..] {
            problem.detail.push_str("; it is what a killed write left, which goes with a write a day later");
        }
        Ok(())
    }

    /// Looks through one object; `None` when it is not there any more.
    async fn object(
        &self,
        places: &[Place],
        object: &Object,
        headers: &HashMap<Digest, Vec<HeaderPlace>>,
    ) -> Option<Looked> {
        let key = &object.version.key;
        let form = match body_of(key) {
            Some(pack) => {
                let mut opening = Vec::new();
                for (at, version) in headers.get(&pack).into_iter().flatten() {
                    let store = &places[*at].store;
                    let read = match version.version.is_null() && version.is_latest {
                        true => store.get(&version.key, HEADER_BYTES_MAX).await,
                        false => store.get_version(&version.key, &version.version, HEADER_BYTES_MAX).await,
                    };
                    if let Ok(header) = read
                        && !opening.contains(&header.to_vec())
                    {
                        opening.push(header.to_vec());
                    }
                }
                Form::Body(opening)
            }
            None if header_of(key).is_some() => Form::Bytes,
            None => Form::Other,
        };
        let (sender, receiver) = mpsc::channel(PIECES_AHEAD);
        let feed = Feed { receiver, piece: Bytes::new() };
        let (look, size) = (Arc::clone(&self.look), object.version.size);
        let work = tokio::task::spawn_blocking(move || look_through(&look, form, size, feed));
        // The name may hold somebody's as well.
        let named = self.look.hunter.all(key.as_bytes());
        let sent = send(&places[object.place].store, object, sender).await;
        let mut looked = work.await.expect("looking does not panic");
        if sent.is_err_and(|kind| kind == StoreKind::NotFound) {
            return None;
        }
        if !named.is_empty() {
            looked.seen.entry(None).or_default().take(named);
        }
        Some(looked)
    }

    /// Looks through all files below a directory of this machine. One that goes meanwhile is passed over; one
    /// that belongs to a pack which was to be destroyed is a leak whatever is in it.
    ///
    /// # Errors
    ///
    /// [`ProofError::Cancelled`].
    pub async fn directory(&self, name: &str, directory: &Path) -> Result<Scanned, ProofError> {
        let mut scanned = Scanned { name: name.to_owned(), ..Scanned::default() };
        self.files_below(directory, directory.to_owned(), &mut scanned).await?;
        scanned.sort();
        Ok(scanned)
    }

    /// Looks through all files below `begin`, whose places are told as they lie below `directory`.
    async fn files_below(
        &self,
        directory: &Path,
        begin: PathBuf,
        scanned: &mut Scanned,
    ) -> Result<(), ProofError> {
        let mut left = vec![begin];
        while let Some(next) = left.pop() {
            let entries = match std::fs::read_dir(&next) {
                Ok(entries) => entries,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => {
                    scanned.unscanned.push(Problem::new(
                        "not-scanned",
                        below(directory, &next),
                        error.to_string(),
                    ));
                    continue;
                }
            };
            for entry in entries.flatten() {
                let path = entry.path();
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() => left.push(path),
                    Ok(kind) if kind.is_file() => self.file(directory, path, scanned).await?,
                    // Links lead elsewhere.
                    _ => {}
                }
            }
        }
        Ok(())
    }

    async fn file(&self, directory: &Path, path: PathBuf, scanned: &mut Scanned) -> Result<(), ProofError> {
        if self.look.cancel.is_cancelled() {
            return Err(ProofError::Cancelled);
        }
        let place = below(directory, &path);
        let mut digests = place.split(['/', '.']).filter_map(|part| part.parse::<Digest>().ok());
        if digests.any(|digest| self.erased.contains(&digest)) {
            let (place, version, item) = (place.clone(), None, None);
            scanned.leak(Leak { place, version, item, what: Leaked::ErasedPack, times: 1 });
        }
        let name = place.rsplit('/').next().unwrap_or_default();
        // Parts of packs that replicas hold, which are looked into there.
        let is_part = layout::parse_cached_block(name).is_some()
            || header_of(name).is_some()
            || name.parse::<Digest>().is_ok() && place.split('/').any(|part| part == layout::PACKS);
        let form = if is_part { Form::Bytes } else { Form::Other };
        let look = Arc::clone(&self.look);
        let work = tokio::task::spawn_blocking(move || {
            let file = File::open(&path)?;
            let size = file.metadata()?.len();
            Ok::<_, io::Error>(look_through(&look, form, size, file))
        });
        match work.await.expect("looking does not panic") {
            Ok(mut looked) => {
                looked.seen.entry(None).or_default().take(self.look.hunter.all(place.as_bytes()));
                scanned.take(&place, None, looked, &self.stays);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => scanned.unscanned.push(Problem::new("not-scanned", place, error.to_string())),
        }
        Ok(())
    }
}

/// The same keys, as the `age` crate has them: what is encrypted is opened by it alone.
pub(super) fn keys_of(identities: &[Identity]) -> Vec<age::x25519::Identity> {
    let key = |identity: &Identity| {
        let text: Secret = identity.to_secret_text("");
        let line = text.expose().lines().find(|line| line.starts_with("AGE-SECRET-KEY-"))?;
        line.parse().ok()
    };
    identities.iter().filter_map(key).collect()
}

/// The pack of which this is a header, or a damaged one that lies aside.
fn header_of(key: &str) -> Option<Digest> {
    let key = layout::parse_damaged(key).unwrap_or(key);
    layout::parse_header(key).map(|(pack, _)| pack)
}

/// The pack of which this is the body, or a damaged one that lies aside.
fn body_of(key: &str) -> Option<Digest> {
    let key = layout::parse_damaged(key).unwrap_or(key);
    let of_packs = key.strip_prefix(layout::PACKS).is_some_and(|rest| rest.starts_with('/'));
    layout::parse_digest(key).filter(|_| of_packs)
}

/// What is stored of a file of a drill, or of a damaged one that lies aside, by its SHA-256.
fn drill_file_of(key: &str) -> Option<Digest> {
    layout::parse_drill_file(layout::parse_damaged(key).unwrap_or(key)).map(|(_, stored)| stored)
}

fn below(directory: &Path, path: &Path) -> String {
    path.strip_prefix(directory).unwrap_or(path).to_string_lossy().into_owned()
}

/// Counts what lies at some places of packs that were to be destroyed, and looks into nothing: no object of what
/// comes of it was scanned. A place that cannot be listed has that among what was not scanned.
pub(super) async fn listed(places: &[Place], erased: &HashSet<Digest>) -> Vec<Scanned> {
    let mut all = Vec::new();
    for place in places {
        let mut own = Scanned { name: place.name.clone(), ..Scanned::default() };
        let versions = list(place, &mut own).await;
        let there = versions.iter().filter(|version| !version.is_delete_marker);
        let of = |key: &str| header_of(key).or(body_of(key)).or(drill_file_of(key));
        let packs = there.filter_map(|version| of(&version.key));
        own.of_erased = packs.filter(|pack| erased.contains(pack)).count() as u64;
        all.push(own);
    }
    all
}

/// Lists all versions of a place; where it does not let them be listed, its objects.
async fn list(place: &Place, scanned: &mut Scanned) -> Vec<ObjectVersion> {
    let told = |error: &StoreError| Problem::new("not-scanned", "hidden versions", error.to_string());
    match place.store.list_versions("").await {
        Ok(versions) => versions,
        Err(error) => {
            scanned.unscanned.push(told(&error));
            match place.store.list("").await {
                Ok(objects) => objects.into_iter().map(ObjectVersion::from).collect(),
                Err(error) => {
                    scanned.unscanned.push(Problem::new("not-scanned", "all of it", error.to_string()));
                    Vec::new()
                }
            }
        }
    }
}

/// Sends an object to who looks at it; whoever looks away ends it.
async fn send(
    store: &Arc<dyn ObjectStore>,
    object: &Object,
    sender: mpsc::Sender<io::Result<Bytes>>,
) -> Result<(), StoreKind> {
    let version = &object.version;
    let is_plain = version.version.is_null() && !object.is_one_of_many;
    let mut at = 0;
    while at < version.size {
        let end = version.size.min(at + RANGE_BYTES);
        // Where versions cannot be listed, an object is read as anybody reads it.
        let read = match is_plain {
            true => store.get_range(&version.key, at..end).await,
            false => store.get_range_version(&version.key, &version.version, at..end).await,
        };
        match read {
            Ok(bytes) => {
                if sender.send(Ok(bytes)).await.is_err() {
                    return Ok(());
                }
            }
            Err(error) => {
                let kind = error.kind;
                drop(sender.send(Err(io::Error::other(error.to_string()))).await);
                return Err(kind);
            }
        }
        at = end;
    }
    Ok(())
}

/// What was sent, as a reader.
struct Feed {
    receiver: mpsc::Receiver<io::Result<Bytes>>,
    piece: Bytes,
}

impl Read for Feed {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.receiver.blocking_recv() {
                Some(piece) => self.piece = piece?,
                None => return Ok(0),
            }
        }
        let count = self.piece.len().min(into.len());
        self.piece.copy_to_slice(&mut into[..count]);
        Ok(count)
    }
}

/// Leaks by kind and encoding, for reports that show no places.
pub fn by_kind(leaks: &[Leak]) -> BTreeMap<Leaked, u64> {
    let mut counts = BTreeMap::new();
    for leak in leaks {
        *counts.entry(leak.what).or_default() += leak.times;
    }
    counts
}
