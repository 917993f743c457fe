//! Where a drill recovers to: the standby on a port of this machine, a sandbox of its own, an environment.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;

use crate::clock::Clock;
use crate::contentapi::{AccessMode, AccessPolicy, RepositoryRoot};
use crate::ids::{Name, hex, random};
use crate::limits::Limits;
use crate::prismic::Endpoints;
use crate::progress::Progress;
use crate::restore::OpenSnapshot;
use crate::sandbox::{self, Content, Repository, RepositoryOptions, Server, ServerOptions};
use crate::secret::Secret;
use crate::snapshot::Target;
use crate::standby::{self, Caches, Edition, Heads, LocalSite, Served, SiteOptions, Standby, StandbyError};

/// Memory for documents and for answers of the standby of a drill, in bytes.
const MEMORY: usize = 64 << 20;
/// Requests a second to a sandbox of our own: as many as it answers.
const UNPACED: f64 = 100_000.0;

/// Reads of open snapshots, for as long as somebody may ask.
pub(super) type Shelves<'a> = FuturesUnordered<LocalBoxFuture<'a, ()>>;

/// Awaits work while shelves are read from.
pub(super) async fn beside<T>(shelves: &mut Shelves<'_>, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            Some(()) = shelves.next(), if !shelves.is_empty() => {}
        }
    }
}

/// A snapshot as the standby serves it.
#[derive(Debug)]
pub(super) struct OnStandby {
    pub(super) name: Name,
    pub(super) edition: Arc<Edition>,
}

/// Makes a snapshot ready to be served. Its shelf is read from by `shelves`.
///
/// # Errors
///
/// When catalog, heads, or what the repository says of itself cannot be read.
pub(super) async fn edition<'a>(
    snapshot: &'a OpenSnapshot<'a>,
    caches: &Caches,
    shelves: &mut Shelves<'a>,
    progress: &dyn Progress,
) -> Result<OnStandby, StandbyError> {
    let mut heads = Heads::default();
    let opening = standby::open(snapshot, &mut heads, caches.documents(), Arc::from([]), progress);
    let (edition, requests) = beside(shelves, opening).await?;
    shelves.push(Box::pin(standby::serve(snapshot, requests)));
    Ok(OnStandby { name: snapshot.manifest().repository.clone(), edition: Arc::new(edition) })
}

/// Caches of a standby that lives for one drill.
pub(super) fn caches(limits: &Limits) -> Caches {
    Caches::new(MEMORY, 0, limits)
}

/// Serves editions on a port of this machine.
///
/// # Errors
///
/// When no port can be had.
pub(super) async fn site(
    editions: &[OnStandby],
    caches: &Caches,
    limits: &Limits,
) -> std::io::Result<LocalSite> {
    let served = editions
        .iter()
        .map(|own| Served {
            name: own.name.clone(),
            standby: Arc::new(Standby::new(vec![Arc::clone(&own.edition)])),
        })
        .collect();
    let options = SiteOptions {
        access: AccessPolicy { mode: AccessMode::Open, tokens: Vec::new() },
        limits: limits.clone(),
        ..SiteOptions::default()
    };
    LocalSite::start(standby::site(served, &options, caches)).await
}

/// The Content API of a repository of a site.
pub(super) fn content_api(base: &str, name: &Name, repositories: usize) -> String {
    match repositories {
        1 => format!("{base}/api/v2"),
        _ => format!("{base}/{name}/api/v2"),
    }
}

/// A sandbox with an empty repository for each that is restored.
#[derive(Debug)]
pub(super) struct Playground {
    pub(super) server: Server,
    repositories: Vec<Arc<Repository>>,
    token: Secret,
}

impl Playground {
    /// Makes empty repositories with the languages of what is restored into them.
    ///
    /// # Errors
    ///
    /// When no port can be had, or a name cannot be that of a repository.
    pub(super) fn start(
        repositories: Vec<(String, RepositoryRoot)>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, sandbox::SandboxError> {
        let token = Secret::new(hex(&random::<16>()));
        let repositories = repositories.into_iter().map(|(name, root)| {
            let options = RepositoryOptions {
                access: AccessPolicy { mode: AccessMode::Open, tokens: Vec::new() },
                write_tokens: vec![token.clone()],
                // Nobody reads what was there before the last publish.
                kept_versions: 1,
                ..RepositoryOptions::default()
            };
            Repository::new(name, empty(root), options)
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(sandbox::SandboxError::Listen)?;
        let options = ServerOptions { clock: Arc::clone(clock), ..ServerOptions::default() };
        let repositories: Vec<Arc<Repository>> = repositories.collect();
        Ok(Self { server: Server::start(repositories.clone(), options, listener)?, repositories, token })
    }

    /// A repository of it.
    pub(super) fn repository(&self, name: &str) -> Option<&Arc<Repository>> {
        self.repositories.iter().find(|own| own.name() == name)
    }

    /// What a repository of it is, as a restore wants to know it.
    pub(super) fn target(&self, name: &Name, repository: &str) -> Option<Target> {
        let endpoints = self.server.endpoints(repository)?;
        Some(Target {
            name: name.clone(),
            space: name.clone(),
            repository: repository.to_owned(),
            endpoints: Endpoints {
                content_api: endpoints.content_api.parse().ok()?,
                asset_api: endpoints.asset_api.parse().ok()?,
                types_api: endpoints.types_api.parse().ok()?,
                migration_api: endpoints.migration_api.parse().ok()?,
            },
            access_token: None,
            write_token: Some(self.token.clone()),
            asset_hosts: Vec::new(),
        })
    }
}

/// A repository with the languages of another and nothing else.
fn empty(root: RepositoryRoot) -> Content {
    let root = RepositoryRoot { languages: root.languages, ..RepositoryRoot::default() };
    Content { root, ..Content::default() }
}

/// The limits of a client that asks nobody but this machine.
pub(super) fn unpaced(limits: &Limits) -> Limits {
    Limits {
        content_requests: UNPACED,
        asset_requests: UNPACED,
        types_requests: UNPACED,
        migration_requests: UNPACED,
        ..limits.clone()
    }
}
