//! The state of a repository of the sandbox, and everything that changes it.
//!
//! A publish makes a new master ref and a new set of documents that shares what did not change.
//! Old refs stay valid for a number of publishes, then they are expired. A release's ref is
//! `<version of the release>~<master ref>`, so it changes with either, and lives as long as the
//! master ref in it.
//!
//! **Invariants.** What a ref stands for never changes. Times are the repository's own: each
//! change is one minute after the last, so equal seeds and equal changes give equal bytes.
//!
//! **Crash.** Everything is in memory; a sandbox that ends is gone.
//!
//! **Links.** A publish brings what links copy of their targets up to date in every document: uid,
//! slug, tags, type, language, dates, embedded fields. Links to what is removed become broken ones,
//! and whole again when it comes back. Dates of the linking documents stay, as at Prismic.
//!
//! **Differs from Prismic.** Documents of a release, and what links to them there, keep the copies
//! that they were given.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::sync::{Arc, OnceLock, RwLock, RwLockReadGuard, RwLockWriteGuard};

use async_trait::async_trait;

use super::assets::{Asset, Library};
use super::edit::Targets;
use super::error::SandboxError;
use super::mentions::Mentions;
use super::migration_release::Staging;
use super::models::{self, Model, Models};
use super::options::RepositoryOptions;
use super::synthetic::Random;
use crate::contentapi::{
    ContentSource, Document, DocumentSet, Language, Millis, RefAnswer, RefKind, RepositoryRoot, RootRef,
    SourceError,
};

/// A release: documents that differ from what is published.
#[derive(Debug, Clone)]
pub struct Release {
    /// 16 characters.
    pub id: String,
    /// Name shown to editors.
    pub label: String,
    /// When it will be published.
    pub scheduled_at: Option<Millis>,
    /// First half of its ref.
    pub version: String,
    /// Changed documents, and new ones, whose dates are null.
    pub documents: Vec<Arc<Document>>,
}

/// What a repository starts with.
#[derive(Debug, Clone, Default)]
pub struct Content {
    /// Languages, labels of types, collections, version. `refs` gives the first master ref; its
    /// releases and `tags` are taken from below.
    pub root: RepositoryRoot,
    /// Published documents.
    pub documents: Vec<Arc<Document>>,
    /// Releases.
    pub releases: Vec<Release>,
    /// The media library.
    pub library: Library,
    /// Custom types and slices.
    pub models: Models,
}

/// What a publish changes.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// New versions of documents, and new documents.
    pub put: Vec<Arc<Document>>,
    /// Ids of documents that are no longer published.
    pub remove: HashSet<Box<str>>,
}

#[derive(Debug)]
struct ReleaseVersion {
    reference: String,
    release: Release,
    overlaid: OnceLock<Arc<DocumentSet>>,
}

#[derive(Debug)]
pub(super) struct Version {
    reference: String,
    pub(super) documents: Arc<DocumentSet>,
    releases: Vec<Arc<ReleaseVersion>>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) root: Arc<RepositoryRoot>,
    /// The current version first.
    versions: VecDeque<Version>,
    expired: HashSet<String>,
    releases: Vec<Release>,
    pub(super) library: Arc<Library>,
    pub(super) models: Arc<Models>,
    pub(super) staging: Staging,
    /// Of the current version.
    mentions: Option<Mentions>,
    pub(super) now: Millis,
    pub(super) minted: u64,
}

/// A repository of the sandbox. All methods may be called while it is served.
#[derive(Debug)]
pub struct Repository {
    name: String,
    options: RepositoryOptions,
    state: RwLock<State>,
}

/// One minute: each change is this much later than the last.
pub(super) const TICK: Millis = 60_000;

impl Repository {
    /// Makes a repository called `name` (the first part of its domain at Prismic).
    pub fn new(name: impl Into<String>, content: Content, options: RepositoryOptions) -> Arc<Self> {
        let documents = Arc::new(DocumentSet::new(content.documents));
        let newest =
            documents.iter().filter_map(|document| document.head.last_publication()).max().unwrap_or(0);
        let mut state = State {
            root: Arc::new(content.root),
            versions: VecDeque::new(),
            expired: HashSet::new(),
            releases: content.releases,
            library: Arc::new(content.library),
            models: Arc::new(content.models),
            staging: Staging::default(),
            mentions: None,
            now: newest,
            minted: 0,
        };
        let given = state.root.master_ref().map(str::to_owned);
        let reference = given.unwrap_or_else(|| state.mint(options.seed));
        state.versions.push_front(Version { reference, documents, releases: Vec::new() });
        state.refresh();
        Arc::new(Self { name: name.into(), options, state: RwLock::new(state) })
    }

    /// Returns the name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns how it behaves.
    pub fn options(&self) -> &RepositoryOptions {
        &self.options
    }

    pub(super) fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().expect("no holder of this lock can panic")
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().expect("no holder of this lock can panic")
    }

    /// Returns the current master ref.
    pub fn master_ref(&self) -> String {
        self.read().current().reference.clone()
    }

    /// Returns the published documents.
    pub fn documents(&self) -> Arc<DocumentSet> {
        Arc::clone(&self.read().current().documents)
    }

    /// Returns the releases.
    pub fn releases(&self) -> Vec<Release> {
        self.read().releases.clone()
    }

    /// Returns the ref of a release over the current master.
    pub fn release_ref(&self, id: &str) -> Option<String> {
        let state = self.read();
        let found = state.root.refs.iter().find(|entry| entry.id == id && !entry.is_master);
        found.map(|entry| entry.reference.clone())
    }

    /// Returns the media library.
    pub fn library(&self) -> Arc<Library> {
        Arc::clone(&self.read().library)
    }

    /// Returns the models.
    pub fn models(&self) -> Arc<Models> {
        Arc::clone(&self.read().models)
    }

    /// Publishes: makes a new master ref, also when nothing changes. Returns it.
    ///
    /// # Panics
    ///
    /// Never: documents that were read once can be read again.
    pub fn publish(&self, changes: Changes) -> String {
        self.commit(&mut self.write(), changes)
    }

    /// Makes a new master ref of changes.
    pub(super) fn commit(&self, state: &mut State, changes: Changes) -> String {
        let documents = if changes.put.is_empty() && changes.remove.is_empty() {
            Arc::clone(&state.current().documents)
        } else {
            let documents = Arc::clone(&state.current().documents);
            // Read when the first publish needs it: most repositories never publish.
            let mentions = state.mentions.get_or_insert_with(|| Mentions::of(&documents));
            let settled = settled(&documents, changes, mentions)
                .expect("a document that was read is one after its links were brought up to date");
            Arc::new(settled)
        };
        state.now += TICK;
        let reference = state.mint(self.options.seed);
        state.versions.push_front(Version { reference: reference.clone(), documents, releases: Vec::new() });
        while state.versions.len() > self.options.kept_versions + 1 {
            state.expire_oldest();
        }
        state.refresh();
        state.name_types();
        reference
    }

    /// Decides what is drawn at random here: repositories of one seed and different names differ.
    pub(super) fn salt(&self) -> u64 {
        self.name.bytes().fold(self.options.seed ^ 0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
    }

    /// Makes the id of a new document or asset.
    pub(super) fn next_id(&self, state: &mut State) -> String {
        state.minted += 1;
        Random::new(&[self.salt(), 0x001d, state.minted]).id(state.now)
    }

    /// Changes models, all of them or, with an error, none. `change` gets the types that documents
    /// have, published ones, staged ones and those of releases.
    pub(super) fn change_models<E>(
        &self,
        change: impl FnOnce(&mut Models, &HashSet<String>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut state = self.write();
        let mut used: HashSet<String> =
            state.staging.documents().map(|staged| staged.type_id.clone()).collect();
        used.extend(state.current().documents.count_by_type().into_keys().map(str::to_owned));
        let of_releases = state.releases.iter().flat_map(|release| &release.documents);
        used.extend(of_releases.map(|document| document.head.type_id().to_owned()));
        let mut models = (*state.models).clone();
        change(&mut models, &used)?;
        state.models = Arc::new(models);
        Ok(())
    }

    /// Publishes without changes and lets every older ref expire. Returns the new one.
    pub fn publish_and_expire(&self) -> String {
        let reference = self.publish(Changes::default());
        let mut state = self.write();
        while state.versions.len() > 1 {
            state.expire_oldest();
        }
        reference
    }

    /// Adds a release or replaces the one of the same id; its ref changes.
    pub fn put_release(&self, release: Release) {
        let mut state = self.write();
        state.releases.retain(|known| known.id != release.id);
        state.releases.push(release);
        state.refresh();
    }

    /// Removes a release; its refs stay valid as long as their master refs.
    pub fn remove_release(&self, id: &str) -> Result<(), SandboxError> {
        let mut state = self.write();
        let before = state.releases.len();
        state.releases.retain(|known| known.id != id);
        if state.releases.len() == before {
            return Err(SandboxError::NotFound { what: "release", id: id.to_owned() });
        }
        state.refresh();
        Ok(())
    }

    /// Returns when the next change will happen, which is the date of what it publishes.
    pub fn next_change(&self) -> Millis {
        self.read().now + TICK
    }

    /// Makes what is published next this much later or, as clocks are set, earlier.
    pub fn shift_clock(&self, by: Millis) {
        self.write().now += by;
    }

    /// Changes the languages of the root; documents stay, and so does the ref.
    pub fn set_languages(&self, languages: Vec<Language>) {
        Arc::make_mut(&mut self.write().root).languages = languages;
    }

    /// Adds an asset, or replaces the one of the same id.
    pub fn put_asset(&self, asset: Asset) {
        Arc::make_mut(&mut self.write().library).put(asset);
    }

    /// Changes the notes of an asset.
    pub fn edit_asset(&self, id: &str, notes: &str) -> Result<(), SandboxError> {
        let mut state = self.write();
        state.now += TICK;
        let found = state.library.assets().iter().find(|asset| asset.id == id);
        let asset = found.ok_or_else(|| SandboxError::NotFound { what: "asset", id: id.to_owned() })?;
        let changed = asset.with_notes(notes, state.now)?;
        Arc::make_mut(&mut state.library).put(changed);
        Ok(())
    }

    /// Removes an asset from the media library; its file stays, as at Prismic.
    pub fn remove_asset(&self, id: &str) -> Result<(), SandboxError> {
        if Arc::make_mut(&mut self.write().library).remove(id) {
            return Ok(());
        }
        Err(SandboxError::NotFound { what: "asset", id: id.to_owned() })
    }

    /// Adds or replaces a custom type. As at Prismic, the root knows it only when a document of
    /// it is published.
    pub fn put_custom_type(&self, model: Model) {
        models::put(&mut Arc::make_mut(&mut self.write().models).custom_types, model);
    }

    /// Adds or replaces a shared slice.
    pub fn put_slice(&self, model: Model) {
        models::put(&mut Arc::make_mut(&mut self.write().models).slices, model);
    }

    /// Removes a custom type's model; documents of it stay.
    pub fn remove_custom_type(&self, id: &str) -> Result<(), SandboxError> {
        let mut state = self.write();
        let types = &mut Arc::make_mut(&mut state.models).custom_types;
        let before = types.len();
        types.retain(|known| known.id != id);
        if types.len() < before {
            Ok(())
        } else {
            Err(SandboxError::NotFound { what: "custom type", id: id.to_owned() })
        }
    }
}

/// Returns the documents after a publish, with what their links copy of others brought up to date.
fn settled(
    documents: &DocumentSet,
    changes: Changes,
    mentions: &mut Mentions,
) -> Result<DocumentSet, SandboxError> {
    let Changes { put, remove } = changes;
    // What is published at once is seen by each other first.
    let among = Targets::new(&put, &remove)?;
    let mut settled = Vec::with_capacity(put.len());
    for document in &put {
        settled.push(among.seen_by(document)?.unwrap_or_else(|| Arc::clone(document)));
    }
    let targets = Targets::new(&settled, &remove)?;
    let new: HashSet<&str> = settled.iter().map(|document| document.head.id()).collect();
    let mut changed = settled.clone();
    let is_other =
        |document: &&Arc<Document>| !new.contains(document.head.id()) && !remove.contains(document.head.id());
    let concerned = new.iter().copied().chain(remove.iter().map(|id| &**id));
    for document in mentions.documents(concerned, documents).filter(is_other) {
        changed.extend(targets.seen_by(document)?);
    }
    changed.iter().for_each(|document| mentions.read(document));
    Ok(documents.with_changes(changed, &remove))
}

impl State {
    /// Labels of types are those of the models at the last publish.
    fn name_types(&mut self) {
        let models = Arc::clone(&self.models);
        for (id, label) in &mut Arc::make_mut(&mut self.root).types {
            if let Some(model) = models.custom_types.iter().find(|model| model.id == *id) {
                label.clone_from(&model.label);
            }
        }
    }

    pub(super) fn current(&self) -> &Version {
        self.versions.front().expect("there is always a current version")
    }

    /// Makes a ref in Prismic's form: 16 characters, the first ones the time.
    fn mint(&mut self, seed: u64) -> String {
        self.minted += 1;
        Random::new(&[seed, 0x7ef5, self.minted]).id(self.now)
    }

    fn expire_oldest(&mut self) {
        if let Some(version) = self.versions.pop_back() {
            self.expired.extend(version.releases.iter().map(|release| release.reference.clone()));
            self.expired.insert(version.reference);
        }
    }

    /// Brings the root and the releases of the current version up to date.
    fn refresh(&mut self) {
        let version = self.versions.front_mut().expect("there is always a current version");
        let mut refs = vec![RootRef {
            id: "master".to_owned(),
            reference: version.reference.clone(),
            label: "Master".to_owned(),
            is_master: true,
            scheduled_at: None,
        }];
        for release in &self.releases {
            let reference = format!("{}~{}", release.version, version.reference);
            refs.push(RootRef {
                id: release.id.clone(),
                reference: reference.clone(),
                label: release.label.clone(),
                is_master: false,
                scheduled_at: release.scheduled_at,
            });
            if version.releases.iter().all(|known| known.reference != reference) {
                let release = release.clone();
                version.releases.push(Arc::new(ReleaseVersion {
                    reference,
                    release,
                    overlaid: OnceLock::new(),
                }));
            }
        }
        let root = Arc::make_mut(&mut self.root);
        root.refs = refs;
        // A type is known from its first published document on, and stays known.
        let counts = version.documents.count_by_type();
        let mut types: Vec<&str> = counts.into_keys().collect();
        types.sort_unstable();
        for id in types {
            if root.types.iter().all(|(known, _)| known != id) {
                let model = self.models.custom_types.iter().find(|model| model.id == id);
                let label = model.map_or_else(|| id.to_owned(), |model| model.label.clone());
                root.types.push((id.to_owned(), label));
            }
        }
        let tags: BTreeSet<&str> =
            version.documents.iter().flat_map(|document| document.head.tags()).collect();
        if !tags.is_empty() || root.tags.is_some() {
            root.tags = Some(tags.into_iter().map(str::to_owned).collect());
        }
    }
}

#[async_trait]
impl ContentSource for Repository {
    async fn root(&self) -> Result<Arc<RepositoryRoot>, SourceError> {
        Ok(Arc::clone(&self.read().root))
    }

    async fn documents(&self, reference: &str) -> Result<RefAnswer, SourceError> {
        let (base, release) = match self.read().look_up(reference) {
            Looked::Up(answer) => return Ok(answer),
            Looked::Release(base, release) => (base, release),
        };
        // Sorting a large set is work for a processor, not for the threads that wait.
        let overlaid = tokio::task::spawn_blocking(move || {
            let overlay = || Arc::new(base.with_changes(release.release.documents.clone(), &HashSet::new()));
            Arc::clone(release.overlaid.get_or_init(overlay))
        });
        let overlaid = overlaid.await.map_err(|error| SourceError::Unavailable(error.to_string()))?;
        Ok(RefAnswer::Found(RefKind::Release, overlaid))
    }
}

/// What is known of a ref without work.
enum Looked {
    Up(RefAnswer),
    /// A release over a version.
    Release(Arc<DocumentSet>, Arc<ReleaseVersion>),
}

impl State {
    fn look_up(&self, reference: &str) -> Looked {
        for (age, version) in self.versions.iter().enumerate() {
            if version.reference == reference {
                let kind = if age == 0 { RefKind::Master } else { RefKind::SupersededMaster };
                return Looked::Up(RefAnswer::Found(kind, Arc::clone(&version.documents)));
            }
            if let Some(release) = version.releases.iter().find(|release| release.reference == reference) {
                return Looked::Release(Arc::clone(&version.documents), Arc::clone(release));
            }
        }
        let known = self.expired.contains(reference);
        Looked::Up(if known { RefAnswer::Expired } else { RefAnswer::Unknown })
    }
}
