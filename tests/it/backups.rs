//! A sandbox repository and a vault to back it up into: what tests of snapshots, verification
//! and repair begin with.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Output, Stdio};
use std::sync::{Arc, Mutex};

use prismvault::clock::{Clock, ManualClock, SystemClock};
use prismvault::contentapi::{ASSET_HOST, AccessMode, AccessPolicy, Document, TokenScope};
use prismvault::limits::Limits;
use prismvault::objects::memory::MemoryStore;
use prismvault::objects::probe::Probe;
use prismvault::objects::{Body, ObjectStore, PutMode};
use prismvault::prismic::{Endpoints, Http};
use prismvault::progress::Silent;
use prismvault::sandbox::synthetic::{SyntheticOptions, generate};
use prismvault::sandbox::{Content, Control, Repository, RepositoryOptions, Server, ServerOptions};
use prismvault::secret::Secret;
use prismvault::snapshot::{Read, SnapshotError, SnapshotOptions, SnapshotReport, Target, take};
use prismvault::vault::abilities::probe_all;
use prismvault::vault::envelope::Identity;
use prismvault::vault::init::{NewVault, init};
use prismvault::vault::open::{Keys, OpenOptions, Pins, Vault};
use prismvault::vault::replica::{Replica, Replicas};
use prismvault::vault::signing::{SigningKey, VerifyingKey};
use prismvault::verification::{
    Level, Scope, VerifyOptions, VerifyReport, apply_repair, plan_repair, verify,
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::workplace::Workplace;

/// The write token of every sandbox here.
pub(crate) const WRITE_TOKEN: &str = "write-token-for-tests";
/// The access token of every sandbox here.
pub(crate) const ACCESS_TOKEN: &str = "access-token-for-tests";

/// The stores of a vault by the names of its replicas.
pub(crate) type Stores = Vec<(String, Arc<dyn ObjectStore>)>;

/// How every test verifies: all snapshots, at this level.
pub(crate) fn verify_options(level: Level) -> VerifyOptions<'static> {
    VerifyOptions {
        level: Some(level),
        snapshots: Vec::new(),
        progress: &Silent,
        cancel: CancellationToken::new(),
        scope: Scope::default(),
    }
}

/// Copies every object of a store into another.
pub(crate) async fn copy_objects(from: &dyn ObjectStore, to: &dyn ObjectStore) {
    for object in from.list("").await.unwrap() {
        let bytes = from.get(&object.key, u64::MAX).await.unwrap();
        to.put(&object.key, Body::bytes(bytes), PutMode::Overwrite).await.unwrap();
    }
}

/// The same vault on stores in memory of its own, which can be tampered with.
pub(crate) async fn copy_stores(stores: &Stores, clock: &Arc<ManualClock>) -> Vec<(String, MemoryStore)> {
    let mut copies = Vec::new();
    for (name, store) in stores {
        let copy = MemoryStore::new(name, Arc::<ManualClock>::clone(clock));
        copy_objects(store.as_ref(), &copy).await;
        copies.push((name.clone(), copy));
    }
    copies
}

/// The stores as a backup takes them.
pub(crate) fn as_stores(copies: &[(String, MemoryStore)]) -> Stores {
    let shared = |(name, store): &(String, MemoryStore)| -> (String, Arc<dyn ObjectStore>) {
        (name.clone(), Arc::new(store.clone()))
    };
    copies.iter().map(shared).collect()
}

/// A repository that can be read: the server lives as long as this.
pub(crate) struct Source {
    pub(crate) server: Server,
    pub(crate) repository: Arc<Repository>,
    pub(crate) target: Target,
}

impl Source {
    /// Serves synthetic content, open to all, models and media library with the write token.
    pub(crate) fn synthetic(documents: usize, assets: usize) -> Self {
        Self::new(
            &SyntheticOptions { documents, assets, asset_bytes: 2000, ..SyntheticOptions::default() },
            AccessMode::Open,
        )
    }

    pub(crate) fn new(content: &SyntheticOptions, mode: AccessMode) -> Self {
        Self::with_tokens(content, mode, vec![(Secret::new(ACCESS_TOKEN), TokenScope::MasterAndReleases)])
    }

    /// Serves synthetic content to the holders of these access tokens.
    pub(crate) fn with_tokens(
        content: &SyntheticOptions,
        mode: AccessMode,
        tokens: Vec<(Secret, TokenScope)>,
    ) -> Self {
        let content = generate("acme-blog", content).unwrap();
        let options = RepositoryOptions {
            access: AccessPolicy { mode, tokens },
            write_tokens: vec![Secret::new(WRITE_TOKEN)],
            ..RepositoryOptions::default()
        };
        Self::of(content, options)
    }

    /// Serves this content.
    pub(crate) fn of(content: Content, options: RepositoryOptions) -> Self {
        let repository = Repository::new("acme-blog", content, options);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server =
            Server::start(vec![Arc::clone(&repository)], ServerOptions::default(), listener).unwrap();
        let endpoints = server.endpoints("acme-blog").unwrap();
        let target = Target {
            name: "blog".parse().unwrap(),
            space: "blog".parse().unwrap(),
            repository: "acme-blog".to_owned(),
            endpoints: Endpoints {
                content_api: endpoints.content_api.parse().unwrap(),
                asset_api: endpoints.asset_api.parse().unwrap(),
                types_api: endpoints.types_api.parse().unwrap(),
                migration_api: endpoints.migration_api.parse().unwrap(),
            },
            access_token: None,
            write_token: Some(Secret::new(WRITE_TOKEN)),
            asset_hosts: Vec::new(),
        };
        Self { server, repository, target }
    }

    pub(crate) fn control(&self) -> Control {
        self.server.control()
    }
}

/// A document as an editor would have made it.
pub(crate) fn document(id: &str, lang: &str, translations: &Value, data: &Value) -> Arc<Document> {
    let text = json!({
        "id": id, "uid": null, "type": "page", "tags": [], "lang": lang, "slugs": [],
        "first_publication_date": "2024-01-01T00:00:00+0000",
        "last_publication_date": "2024-01-01T00:00:00+0000",
        "linked_documents": [], "alternate_languages": translations, "data": data,
    });
    Arc::new(Document::parse(&text.to_string(), &[ASSET_HOST]).unwrap())
}

/// An image of the media library, as a document shows it.
pub(crate) fn image(repository: &Repository, place: usize) -> (String, Value) {
    let library = repository.library();
    let asset = &library.assets()[place];
    let url = format!("{ASSET_HOST}{}?auto=format,compress", asset.path.replace(' ', "%20"));
    let shown = json!({ "id": asset.id, "url": url, "dimensions": { "width": 1, "height": 1 },
                        "alt": null, "copyright": null });
    (asset.id.clone(), shown)
}

/// A vault on stores that the test holds, with all its keys.
pub(crate) struct Backup {
    pub(crate) stores: Stores,
    pub(crate) operator: Identity,
    pub(crate) recovery: Identity,
    pub(crate) signing: Secret,
    pub(crate) root: SigningKey,
    /// The first root key, which clients pin.
    pin: VerifyingKey,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) limits: Limits,
    pub(crate) min_copies: Option<usize>,
    spool: tempfile::TempDir,
    /// Kept by clients that remember; removed, they forget.
    pub(crate) state: Option<PathBuf>,
    /// Where clients keep copies of immutable objects, where they do.
    pub(crate) cache: Option<PathBuf>,
}

impl Backup {
    /// Makes a vault on as many stores in memory.
    pub(crate) async fn in_memory(replicas: usize) -> Self {
        let clock = Arc::new(ManualClock::new(SystemClock.now()));
        let stores = (0..replicas)
            .map(|n| {
                let name = format!("replica-{n}");
                let store: Arc<dyn ObjectStore> =
                    Arc::new(MemoryStore::new(&name, Arc::<ManualClock>::clone(&clock)));
                (name, store)
            })
            .collect();
        Self::on(stores, true, clock).await
    }

    /// Makes a vault on these stores.
    pub(crate) async fn on(stores: Stores, encrypted: bool, clock: Arc<ManualClock>) -> Self {
        let (signing, root) = (SigningKey::generate(), SigningKey::generate());
        let spool = tempfile::tempdir().unwrap();
        let mut backup = Self {
            stores,
            operator: Identity::generate(),
            recovery: Identity::generate(),
            signing: signing.to_secret_text("test"),
            pin: root.public().clone(),
            root,
            clock,
            limits: quick_limits(),
            min_copies: None,
            state: None,
            cache: None,
            spool,
        };
        backup.state = Some(backup.spool.path().join("state"));
        let new = NewVault {
            content_recipients: if encrypted { vec![backup.recovery.recipient()] } else { Vec::new() },
            operator_recipients: if encrypted { vec![backup.operator.recipient()] } else { Vec::new() },
            signing: signing.public().clone(),
            root: &backup.root,
            created: backup.clock.now(),
        };
        init(&backup.replicas(), new).await.unwrap();
        backup
    }

    /// Signs as the backup host does.
    pub(crate) fn sign(&self, bytes: &[u8], key: &str) -> String {
        SigningKey::parse(&self.signing).unwrap().sign(bytes, key)
    }

    /// Signs as the holder of the root key does.
    pub(crate) fn sign_as_root(&self, bytes: &[u8], key: &str) -> String {
        self.root.sign(bytes, key)
    }

    /// Writes the keys of the backup host and the recovery identity into `keys/` of a workplace,
    /// and returns the lines of a configuration that name and pin them.
    pub(crate) async fn write_keys(&self, place: &Workplace) -> String {
        std::fs::create_dir(place.file("keys")).unwrap();
        for (name, secret) in [
            ("operator.txt", &self.operator.to_secret_text("test")),
            ("recovery.txt", &self.recovery.to_secret_text("test")),
            ("signing.key", &self.signing),
        ] {
            place.write(&format!("keys/{name}"), secret.expose());
        }
        let vault = self.open().await.unwrap().file.vault;
        format!(
            "[keys]\noperator = {{ file = \"keys/operator.txt\" }}\nsigning = {{ file = \"keys/signing.key\" }}\n\
             [vault]\nid = \"{vault}\"\nroot = \"{}\"\n",
            self.root.public()
        )
    }

    /// Puts a file and its signature on every replica.
    pub(crate) async fn put_signed(&self, key: &str, bytes: &[u8], signature: &str) {
        for (_, store) in &self.stores {
            let objects = [(format!("{key}.minisig"), signature.as_bytes()), (key.to_owned(), bytes)];
            for (key, bytes) in objects {
                store.put(&key, Body::bytes(bytes.to_vec()), PutMode::Overwrite).await.unwrap();
            }
        }
    }

    /// Opens the vault with every identity and verifies all of it.
    pub(crate) async fn verified(&self, level: Level) -> VerifyReport {
        let vault = self.open_with(vec![self.operator.clone(), self.recovery.clone()]).await.unwrap();
        verify(&vault, &verify_options(level)).await.unwrap()
    }

    /// Repairs everything, as the command does: again when a replica came back.
    pub(crate) async fn repair(&self) {
        for _ in 0..3 {
            let vault = self.open().await.unwrap();
            let (_, plan) = plan_repair(&vault, &verify_options(Level::Bytes)).await.unwrap();
            assert_eq!(plan.beyond_repair, []);
            let report = apply_repair(&vault, &plan, &verify_options(Level::Bytes)).await.unwrap();
            assert_eq!(report.failed, []);
            if !plan.again {
                return;
            }
        }
    }

    fn replicas(&self) -> Vec<Replica> {
        self.stores.iter().map(|(name, store)| Replica::new(name, Arc::clone(store))).collect()
    }

    /// Opens the vault as the backup host does: without the recovery identity.
    pub(crate) async fn open(&self) -> prismvault::vault::error::Result<Arc<Vault>> {
        self.open_with(vec![self.operator.clone()]).await
    }

    /// Opens the vault with the signing key of another vault.
    pub(crate) async fn open_signing_as(&self, other: &Self) -> prismvault::vault::error::Result<Arc<Vault>> {
        self.open_as(vec![self.operator.clone()], &other.signing).await
    }

    /// Opens the vault with these identities.
    pub(crate) async fn open_with(
        &self,
        identities: Vec<Identity>,
    ) -> prismvault::vault::error::Result<Arc<Vault>> {
        self.open_as(identities, &self.signing).await
    }

    async fn open_as(
        &self,
        identities: Vec<Identity>,
        signing: &Secret,
    ) -> prismvault::vault::error::Result<Arc<Vault>> {
        let options = OpenOptions {
            limits: self.limits.clone(),
            clock: Arc::<ManualClock>::clone(&self.clock),
            keys: Keys { identities, signing: Some(SigningKey::parse(signing).unwrap()), ..Keys::default() },
            pins: Pins { vault: None, root: Some(self.pin.clone()) },
            cache: self.cache.clone(),
            state: self.state.clone(),
            spool: self.spool.path().join("spool"),
        };
        Ok(Arc::new(Vault::open(Replicas::new(self.replicas(), self.min_copies), options).await?))
    }

    /// Finds out what the stores of all replicas do, and keeps the answers there.
    pub(crate) async fn probe(&self) -> Vec<Probe> {
        let vault = self.open().await.unwrap();
        let probes = probe_all(vault.replicas.all(), &*self.clock, vault.limits()).await;
        for (replica, probe) in vault.replicas.all().iter().zip(&probes) {
            assert!(vault.remember_probe(replica, probe).await.unwrap());
        }
        probes
    }

    /// Takes a snapshot; a second later, so that ids sort.
    pub(crate) async fn snapshot(&self, source: &Source) -> Result<SnapshotReport, SnapshotError> {
        self.snapshot_of(&source.target).await
    }

    pub(crate) async fn snapshot_of(&self, target: &Target) -> Result<SnapshotReport, SnapshotError> {
        self.snapshot_reading(target, Read::Full).await
    }

    /// The same, reading all documents or those that changed.
    pub(crate) async fn snapshot_reading(
        &self,
        target: &Target,
        read: Read,
    ) -> Result<SnapshotReport, SnapshotError> {
        self.clock.advance(chrono::TimeDelta::seconds(1));
        let vault = self.open().await?;
        let http = Http::new(self.limits.clone(), Arc::<ManualClock>::clone(&self.clock)).unwrap();
        let options = SnapshotOptions {
            trigger: "test".to_owned(),
            progress: &Silent,
            cancel: CancellationToken::new(),
            read,
        };
        take(&vault, &http, target, options).await
    }
}

/// Limits without waiting.
pub(crate) fn quick_limits() -> Limits {
    Limits {
        content_requests: 1e6,
        asset_requests: 1e6,
        types_requests: 1e6,
        migration_requests: 1e6,
        backoff_min: std::time::Duration::ZERO,
        backoff_max: std::time::Duration::ZERO,
        request_attempts: 3,
        store_attempts: 1,
        ..Limits::default()
    }
}

/// A source with few documents.
pub(crate) fn small() -> Source {
    Source::synthetic(120, 6)
}

/// The command of a first try against a sandbox.
pub(crate) fn first_try(source: &Source) -> Vec<String> {
    let endpoints = &source.target.endpoints;
    [
        "snapshot",
        "--repository",
        "acme-blog",
        "--to",
        "./vault",
        "--content-api",
        endpoints.content_api.as_str(),
        "--asset-api",
        endpoints.asset_api.as_str(),
        "--types-api",
        endpoints.types_api.as_str(),
    ]
    .map(str::to_owned)
    .into()
}

/// A command as [`Workplace::run`] takes it.
pub(crate) fn words(line: &[String]) -> Vec<&str> {
    line.iter().map(String::as_str).collect()
}

/// A configuration as a person writes it before `init`: a repository without tokens, keys beside
/// the file, and replicas in these directories.
pub(crate) fn configuration(source: &Source, replicas: &[(&str, &Path)]) -> String {
    let endpoints = &source.target.endpoints;
    let mut text = format!(
        r#"[keys]
operator = {{ file = "keys/operator.txt" }}
signing = {{ file = "keys/signing.key" }}
recovery = {{ file = "keys/recovery.txt" }}
root = {{ file = "keys/root.key" }}

[repositories.acme-blog]
repository = "acme-blog"
content_api = "{}"
asset_api = "{}"
types_api = "{}"
migration_api = "{}"

[limits]
asset_requests = 10000
migration_requests = 10000
"#,
        endpoints.content_api, endpoints.asset_api, endpoints.types_api, endpoints.migration_api
    );
    for (name, directory) in replicas {
        let url = url::Url::from_file_path(directory).unwrap();
        text.push_str(&format!("\n[[replicas]]\nname = \"{name}\"\nurl = \"{url}\"\n"));
    }
    text
}

/// Runs the program, does `strike` to it when the sandbox gets its `number`th request, and waits
/// for its end.
pub(crate) fn struck_at(
    place: &Workplace,
    line: &[&str],
    source: &Source,
    number: u64,
    strike: fn(&mut Child),
) -> Output {
    let victim: Arc<Mutex<Option<Child>>> = Arc::default();
    let hooked = Arc::clone(&victim);
    source.control().reset_counters();
    let mut held = victim.lock().unwrap();
    source.control().on_request(number, move |_| {
        // Waits until the child is known here.
        if let Some(child) = hooked.lock().unwrap().as_mut() {
            strike(child);
        }
    });
    let child = place.command(line).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    *held = Some(child);
    drop(held);
    // Polled, because the hook needs the child as well.
    while victim.lock().unwrap().as_mut().unwrap().try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    victim.lock().unwrap().take().unwrap().wait_with_output().unwrap()
}
