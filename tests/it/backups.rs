//! A sandbox repository and a vault to back it up into: what tests of snapshots, verification
//! and repair begin with.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Output, Stdio};
use std::sync::{Arc, Mutex};

use prismvault::clock::{Clock, ManualClock, SystemClock};
use prismvault::contentapi::{AccessMode, AccessPolicy, TokenScope};
use prismvault::limits::Limits;
use prismvault::objects::ObjectStore;
use prismvault::objects::memory::MemoryStore;
use prismvault::prismic::{Endpoints, Http};
use prismvault::progress::Silent;
use prismvault::sandbox::synthetic::{SyntheticOptions, generate};
use prismvault::sandbox::{Control, Repository, RepositoryOptions, Server, ServerOptions};
use prismvault::secret::Secret;
use prismvault::snapshot::{SnapshotError, SnapshotOptions, SnapshotReport, Target, take};
use prismvault::vault::envelope::Identity;
use prismvault::vault::init::{NewVault, init};
use prismvault::vault::open::{Keys, OpenOptions, Pins, Vault};
use prismvault::vault::replica::{Replica, Replicas};
use prismvault::vault::signing::SigningKey;
use tokio_util::sync::CancellationToken;

use crate::workplace::Workplace;

/// The write token of every sandbox here.
pub(crate) const WRITE_TOKEN: &str = "write-token-for-tests";
/// The access token of every sandbox here.
pub(crate) const ACCESS_TOKEN: &str = "access-token-for-tests";

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
        let content = generate("acme-blog", content).unwrap();
        let options = RepositoryOptions {
            access: AccessPolicy {
                mode,
                tokens: vec![(Secret::new(ACCESS_TOKEN), TokenScope::MasterAndReleases)],
            },
            write_tokens: vec![Secret::new(WRITE_TOKEN)],
            ..RepositoryOptions::default()
        };
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

/// A vault on stores that the test holds, with all its keys.
pub(crate) struct Backup {
    pub(crate) stores: Vec<(String, Arc<dyn ObjectStore>)>,
    pub(crate) operator: Identity,
    pub(crate) recovery: Identity,
    signing: Secret,
    root: SigningKey,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) limits: Limits,
    pub(crate) min_copies: Option<usize>,
    spool: tempfile::TempDir,
    /// Kept by clients that remember; removed, they forget.
    pub(crate) state: Option<PathBuf>,
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
    pub(crate) async fn on(
        stores: Vec<(String, Arc<dyn ObjectStore>)>,
        encrypted: bool,
        clock: Arc<ManualClock>,
    ) -> Self {
        let (signing, root) = (SigningKey::generate(), SigningKey::generate());
        let spool = tempfile::tempdir().unwrap();
        let mut backup = Self {
            stores,
            operator: Identity::generate(),
            recovery: Identity::generate(),
            signing: signing.to_secret_text("test"),
            root,
            clock,
            limits: quick_limits(),
            min_copies: None,
            state: None,
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

    fn replicas(&self) -> Vec<Replica> {
        self.stores.iter().map(|(name, store)| Replica::new(name, Arc::clone(store))).collect()
    }

    /// Opens the vault as the backup host does: without the recovery identity.
    pub(crate) async fn open(&self) -> prismvault::vault::error::Result<Arc<Vault>> {
        self.open_with(vec![self.operator.clone()]).await
    }

    /// Opens the vault with these identities.
    pub(crate) async fn open_with(
        &self,
        identities: Vec<Identity>,
    ) -> prismvault::vault::error::Result<Arc<Vault>> {
        let options = OpenOptions {
            limits: self.limits.clone(),
            clock: Arc::<ManualClock>::clone(&self.clock),
            keys: Keys { identities, signing: Some(SigningKey::parse(&self.signing).unwrap()) },
            pins: Pins { vault: None, root: Some(self.root.public().clone()) },
            cache: None,
            state: self.state.clone(),
            spool: self.spool.path().join("spool"),
        };
        Ok(Arc::new(Vault::open(Replicas::new(self.replicas(), self.min_copies), options).await?))
    }

    /// Takes a snapshot; a second later, so that ids sort.
    pub(crate) async fn snapshot(&self, source: &Source) -> Result<SnapshotReport, SnapshotError> {
        self.snapshot_of(&source.target).await
    }

    pub(crate) async fn snapshot_of(&self, target: &Target) -> Result<SnapshotReport, SnapshotError> {
        self.clock.advance(chrono::TimeDelta::seconds(1));
        let vault = self.open().await?;
        let http = Http::new(self.limits.clone(), Arc::<ManualClock>::clone(&self.clock)).unwrap();
        let options = SnapshotOptions {
            trigger: "test".to_owned(),
            progress: &Silent,
            cancel: CancellationToken::new(),
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

[limits]
asset_requests = 10000
"#,
        endpoints.content_api, endpoints.asset_api, endpoints.types_api
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
