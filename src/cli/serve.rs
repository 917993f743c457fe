//! `prismvault serve`: hot standby, snapshots through Prismic's own Content API.
//!
//! What holds the open snapshots runs beside the server, on the thread of the command. Snapshots are
//! opened anew, by threads of their own, when a newer one is followed, or when reading failed: a replica that was away may be
//! back, and nobody should have to restart a standby on the worst day.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, oneshot, watch};
use tokio::time::{MissedTickBehavior, interval};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use self::look::{Orders, Pace};
use self::threads::Threads;
use super::Context;
use super::error::{CommandError, ErrorKind};
use super::exit::Outcome;
use super::output::Page;
use super::restore::ContentSession;
use super::session::IdentityOptions;
use super::snapshot::endpoints_of;
use super::text::{Style, Text};
use super::units::{counted, human_duration};
use crate::clock::parse_duration;
use crate::config::{Config, SecretRef};
use crate::contentapi::{AccessMode, AccessPolicy, TokenScope};
use crate::ids::{Name, SnapshotId};
use crate::limits::Limits;
use crate::progress::Progress;
use crate::restore::OpenSnapshot;
use crate::server::{Bounds, listen};
use crate::standby::{
    Caches, DocumentCache, Edition, Heads, Requests, Served, SiteOptions, Standby, StandbyError, open, serve,
    site, tls,
};
use crate::vault::blocks::Blocks;
use crate::vault::format::manifest::Manifest;
use crate::vault::space::Space;

mod look;
mod threads;

/// How long answers under way are waited for at the end.
const STOP_GRACE: Duration = Duration::from_secs(10);
/// Part of the memory that answers get; documents get the rest, of which any answer can be made.
const ANSWERS_SHARE: usize = 4;

/// Arguments of `serve`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Snapshots: ids, unique beginnings, `latest`, or REPOSITORY@WHEN; the first of a repository is
    /// its published content, each further one a ref of its own
    #[arg(value_name = "SNAPSHOT", required_unless_present = "follow")]
    snapshots: Vec<String>,
    /// Serve the newest complete snapshot of this repository or group, and move to each new one
    #[arg(long, value_name = "REPOSITORY", num_args = 1..)]
    follow: Vec<String>,
    /// How often to look for a new snapshot; orders of erasure and restriction are looked for each minute at least
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration)]
    look_every: Duration,
    /// Address and port
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Address under which sites reach it, for the addresses in answers; by default what they asked
    #[arg(long, value_name = "URL")]
    public_url: Option<url::Url>,
    /// File with the access token of the site; asked for everything unless --access says otherwise
    #[arg(long, value_name = "FILE")]
    access_token_file: Option<PathBuf>,
    /// What can be read without access token [default: private with a token, public without]
    #[arg(long, value_enum)]
    access: Option<Access>,
    /// Name the files here in answers, below /files, instead of those on Prismic's hosts
    #[arg(long)]
    rewrite_asset_urls: bool,
    /// Certificate chain, PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Private key of the certificate, PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Memory for documents that were asked for and for answers that were given, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    memory: u32,
    /// Room on this disk for what was read of the vault, encrypted, in MiB; 0 keeps nothing
    #[arg(long, value_name = "MIB", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(..=1 << 26))]
    cache_size: u32,
    /// Make everything ready, say how long that took, and end: for rehearsals
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    identity: IdentityOptions,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Access {
    /// Everything, releases included
    Open,
    /// What is published
    Public,
    /// Nothing
    Private,
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text)
        .filter(|every| !every.is_zero())
        .ok_or_else(|| "is no duration such as 30s".to_owned())
}

/// What is printed when it answers.
#[derive(Serialize)]
struct Ready {
    address: SocketAddr,
    /// Seconds from the start of the command: the time of this way back.
    ready_after: f64,
    repositories: Vec<ReadyRepository>,
}

#[derive(Serialize)]
struct ReadyRepository {
    repository: Name,
    content_api: String,
    snapshots: Vec<SnapshotId>,
    documents: usize,
    is_complete: bool,
}

/// A repository that is served.
struct Kept {
    standby: Arc<Standby>,
    heads: Arc<Mutex<Heads>>,
    /// What is served now, the published content first.
    manifests: Vec<Manifest>,
    /// Those that were asked for by name, which stay.
    named: Vec<Manifest>,
    /// Scheme and host of file addresses that are served from here.
    file_hosts: Arc<[String]>,
    is_followed: bool,
}

/// What holds open snapshots and reads them.
struct Shelves {
    reading: FuturesUnordered<LocalBoxFuture<'static, ()>>,
    caches: Caches,
    blocks: Option<Arc<Blocks>>,
    /// Where snapshots are made ready; on the threads of the command while nobody asks yet.
    preparing: Option<Handle>,
}

/// Serves snapshots until the process is asked to end.
///
/// # Errors
///
/// When the identity that reads content is not here, a snapshot is not found or cannot be read, or
/// the address is taken.
pub async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let begun = Instant::now();
    let (acceptor, policy) = (args.acceptor()?, args.policy(context)?);
    let content = Arc::new(ContentSession::open(context, &args.identity).await?);
    let listener = args.listener().await?;
    let mut shelves = Shelves {
        reading: FuturesUnordered::new(),
        caches: args.caches(&content.session.config.limits),
        blocks: content.session.vault.keep_blocks(None, u64::from(args.cache_size) << 20),
        preparing: None,
    };
    let mut kept = args.wanted(&content)?;
    for kept in kept.values_mut() {
        let editions = shelves.editions(&content, kept, context).await?;
        kept.standby.serve(editions);
    }
    let Some(listener) = listener else {
        args.tell(&kept, args.listen, begun, context)?;
        content.session.warn_of_replicas(context);
        return Ok(outcome(&kept));
    };
    let served = kept
        .iter()
        .map(|(name, kept)| Served { name: name.clone(), standby: Arc::clone(&kept.standby) })
        .collect();
    let options = SiteOptions {
        access: policy,
        public_url: args.public_url(),
        is_https: acceptor.is_some(),
        rewrites_files: args.rewrite_asset_urls,
        limits: content.session.config.limits.clone(),
    };
    let address = listener.local_addr().unwrap_or(args.listen);
    let routes = watch::channel(site(served, &options, &shelves.caches)).1;
    let (answering, preparing) = (Threads::answering()?, Threads::preparing()?);
    shelves.preparing = preparing.handle();
    let bounds = Bounds::of_sites(&options.limits, STOP_GRACE);
    let server = answering.run(listen(listener, routes, acceptor, bounds, context.cancel.clone()));
    args.tell(&kept, address, begun, context)?;
    content.session.warn_of_replicas(context);
    drop(content);
    args.keep_up(&mut kept, &mut shelves, server, context).await;
    answering.end().await;
    preparing.end().await;
    Ok(Outcome::Complete)
}

/// How it ends where nothing is served: whether all of it could be.
fn outcome(kept: &BTreeMap<Name, Kept>) -> Outcome {
    let is_whole = |edition: &Arc<Edition>| edition.is_complete() && edition.lost() == 0;
    match kept.values().all(|kept| kept.standby.editions().iter().all(is_whole)) {
        true => Outcome::Complete,
        false => Outcome::Partial,
    }
}

/// Scheme and host of the addresses that files of a repository have in its documents.
fn file_hosts(config: &Config, name: &Name) -> Arc<[String]> {
    let mut hosts = vec![
        "https://images.prismic.io".to_owned(),
        "https://prismic-io.s3.amazonaws.com".to_owned(),
        "https://prismic-io.imgix.net".to_owned(),
    ];
    // A snapshot may be of a repository that the configuration does not have any more.
    if let Some(own) = config.repositories.iter().find(|own| own.name == *name) {
        hosts.push(format!("https://{}.cdn.prismic.io", own.repository));
        if let Ok(endpoints) = endpoints_of(own) {
            hosts.push(endpoints.content_api.origin().ascii_serialization());
        }
    }
    hosts.dedup();
    hosts.into()
}

impl Shelves {
    /// Makes the snapshots of a repository ready, each on a shelf of its own; others are read meanwhile.
    /// What is served already and was read without a failure goes on as it is.
    async fn editions(
        &mut self,
        content: &Arc<ContentSession>,
        kept: &Kept,
        context: &Context,
    ) -> Result<Vec<Arc<Edition>>, CommandError> {
        let served = kept.standby.editions();
        let mut editions = Vec::new();
        for manifest in &kept.manifests {
            let orders = Orders::load(content, &manifest.space).await?;
            let is_ready = |one: &&Arc<Edition>| {
                *one.snapshot() == manifest.snapshot && !one.has_failed() && orders.leave(one)
            };
            if let Some(ready) = served.iter().find(is_ready) {
                editions.push(Arc::clone(ready));
                continue;
            }
            let mut ready = self.prepare(content, manifest, kept, context);
            let edition = self.meanwhile(&mut ready).await;
            editions.push(Arc::new(edition.unwrap_or_else(|_| Err(CommandError::interrupted()))?));
        }
        Ok(editions)
    }

    fn prepare(
        &self,
        content: &Arc<ContentSession>,
        manifest: &Manifest,
        kept: &Kept,
        context: &Context,
    ) -> oneshot::Receiver<Result<Edition, CommandError>> {
        let (sender, receiver) = oneshot::channel();
        let (content, manifest) = (Arc::clone(content), manifest.clone());
        let preparation = Preparation {
            content: Arc::clone(&content),
            manifest: manifest.clone(),
            heads: Arc::clone(&kept.heads),
            documents: self.caches.documents(),
            file_hosts: Arc::clone(&kept.file_hosts),
            progress: Arc::clone(&context.progress),
            cancel: context.cancel.clone(),
        };
        let preparing = self.preparing.clone();
        self.reading.push(Box::pin(async move {
            let prepared = match preparing {
                None => preparation.run().await,
                Some(threads) => {
                    let there = threads.clone();
                    let running = threads.spawn_blocking(move || there.block_on(preparation.run()));
                    running.await.unwrap_or_else(|_| Err(CommandError::interrupted()))
                }
            };
            match prepared {
                // Whoever waited may be gone; then nobody needs the shelf.
                Err(error) => drop(sender.send(Err(error))),
                Ok((space, edition, requests)) => {
                    let snapshot = OpenSnapshot::reopened(&content.session.vault, manifest, space);
                    if sender.send(Ok(edition)).is_ok() {
                        serve(&snapshot, requests).await;
                    }
                }
            }
        }));
        receiver
    }

    /// Waits for something while shelves are read from.
    async fn meanwhile<T>(&mut self, wanted: impl Future<Output = T>) -> T {
        let mut wanted = std::pin::pin!(wanted);
        loop {
            tokio::select! {
                done = &mut wanted => return done,
                Some(()) = self.reading.next(), if !self.reading.is_empty() => {}
            }
        }
    }
}

/// All that it takes to make a snapshot ready.
struct Preparation {
    content: Arc<ContentSession>,
    manifest: Manifest,
    heads: Arc<Mutex<Heads>>,
    documents: Arc<DocumentCache>,
    file_hosts: Arc<[String]>,
    progress: Arc<dyn Progress>,
    cancel: CancellationToken,
}

impl Preparation {
    async fn run(self) -> Result<(Arc<Space>, Edition, Requests), CommandError> {
        let Self { content, manifest, heads, documents, file_hosts, progress, cancel } = self;
        let prepared = async {
            let snapshot = content.content(&manifest).await?;
            let mut heads = heads.lock().await;
            let (edition, requests) = open(&snapshot, &mut heads, documents, file_hosts, &*progress).await?;
            Ok((snapshot.loaded(), edition, requests))
        };
        tokio::select! {
            prepared = prepared => prepared,
            () = cancel.cancelled() => Err(CommandError::interrupted()),
        }
    }
}

impl Args {
    /// Which snapshots of which repositories are to be served.
    fn wanted(&self, content: &ContentSession) -> Result<BTreeMap<Name, Kept>, CommandError> {
        let mut wanted: BTreeMap<Name, Kept> = BTreeMap::new();
        let kept = |name: &Name| Kept {
            standby: Arc::default(),
            heads: Arc::default(),
            manifests: Vec::new(),
            named: Vec::new(),
            file_hosts: match self.rewrite_asset_urls {
                true => file_hosts(&content.session.config, name),
                false => Arc::from([]),
            },
            is_followed: false,
        };
        for repository in match self.follow.is_empty() {
            true => Vec::new(),
            false => content.session.config.select(&self.follow)?,
        } {
            let newest = content.snapshots.newest_complete(&repository.name).ok_or_else(|| {
                let name = &repository.name;
                CommandError::new(ErrorKind::Failed, format!("there is no complete snapshot of {name}")).hint(
                    format!("take one with `prismvault snapshot {name}`, or name a partial one by its id"),
                )
            })?;
            let kept = wanted.entry(repository.name.clone()).or_insert_with_key(kept);
            kept.is_followed = true;
            kept.manifests.push(newest.manifest.clone());
        }
        for typed in &self.snapshots {
            let manifest = &content.select(typed)?.manifest;
            let kept = wanted.entry(manifest.repository.clone()).or_insert_with_key(kept);
            if kept.manifests.iter().all(|known| known.snapshot != manifest.snapshot) {
                kept.manifests.push(manifest.clone());
            }
            kept.named.push(manifest.clone());
        }
        Ok(wanted)
    }

    /// Reads for those who ask, and moves to newer snapshots, until the server ends.
    async fn keep_up(
        &self,
        kept: &mut BTreeMap<Name, Kept>,
        shelves: &mut Shelves,
        server: impl Future,
        context: &Context,
    ) {
        let mut server = std::pin::pin!(server);
        let mut followed = Instant::now();
        let pace = Pace::new(self.look_every);
        let mut look = interval(pace.look_every());
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        look.tick().await;
        loop {
            tokio::select! {
                _ = &mut server => return,
                Some(()) = shelves.reading.next(), if !shelves.reading.is_empty() => continue,
                _ = look.tick(), if !context.cancel.is_cancelled() => {}
            }
            let follows = pace.follows(followed.elapsed());
            if follows {
                followed = Instant::now();
            }
            let looked = tokio::select! {
                looked = self.look(kept, shelves, follows, context) => looked,
                // What is being read goes on for the requests that are under way.
                () = context.cancel.cancelled() => Ok(()),
            };
            if let Err(error) = looked {
                let error = error.within("what is served stays as it is, and is looked at again");
                context.output.error(&error);
            }
        }
    }

    /// Listens, before anything is read: a port that is taken is said at once.
    async fn listener(&self) -> Result<Option<TcpListener>, CommandError> {
        if self.check {
            return Ok(None);
        }
        TcpListener::bind(self.listen).await.map(Some).map_err(|error| {
            CommandError::because(ErrorKind::Failed, format!("cannot listen on {}", self.listen), error)
                .hint("another process may have it; choose another with --listen")
        })
    }

    /// Caches in memory.
    fn caches(&self, limits: &Limits) -> Caches {
        let bytes = (self.memory as usize) << 20;
        let answers = bytes / ANSWERS_SHARE;
        Caches::new(bytes - answers, answers, limits)
    }

    fn public_url(&self) -> Option<String> {
        self.public_url.as_ref().map(|url| url.as_str().trim_end_matches('/').to_owned())
    }

    fn policy(&self, context: &Context) -> Result<AccessPolicy, CommandError> {
        let tokens = match &self.access_token_file {
            None => Vec::new(),
            Some(path) => {
                let limits = Limits::default();
                let token = SecretRef::File { path: path.clone() }.resolve(&limits)?;
                vec![(token, TokenScope::MasterAndReleases)]
            }
        };
        let mode = match (self.access, tokens.is_empty()) {
            (Some(Access::Open), _) => AccessMode::Open,
            (Some(Access::Public), _) | (None, true) => AccessMode::PublicMaster,
            (Some(Access::Private), true) => {
                return Err(CommandError::new(
                    ErrorKind::Usage,
                    "--access private without --access-token-file would let nobody read",
                ));
            }
            (Some(Access::Private), false) | (None, false) => AccessMode::Private,
        };
        if mode != AccessMode::Private && !self.listen.ip().is_loopback() {
            context.output.warning(format!(
                "everybody who reaches {} can read the content; --access-token-file asks for a token",
                self.listen
            ));
        }
        Ok(AccessPolicy { mode, tokens })
    }

    fn acceptor(&self) -> Result<Option<TlsAcceptor>, CommandError> {
        let (Some(certificate), Some(key)) = (&self.tls_cert, &self.tls_key) else { return Ok(None) };
        let read = |path: &Path| {
            std::fs::read(path).map_err(|error| {
                CommandError::because(
                    ErrorKind::Configuration,
                    format!("cannot read {}", path.display()),
                    error,
                )
            })
        };
        let acceptor = tls(&read(certificate)?, &read(key)?).map_err(|why| {
            let pair = format!("{} with {}", certificate.display(), key.display());
            CommandError::new(ErrorKind::Configuration, format!("{pair} cannot be used: {why}"))
        })?;
        Ok(Some(acceptor))
    }

    fn tell(
        &self,
        kept: &BTreeMap<Name, Kept>,
        address: SocketAddr,
        begun: Instant,
        context: &Context,
    ) -> Result<(), CommandError> {
        let scheme = if self.tls_cert.is_some() { "https" } else { "http" };
        let server = self.public_url().unwrap_or_else(|| format!("{scheme}://{address}"));
        let one = |(name, own): (&Name, &Kept)| {
            let editions = own.standby.editions();
            let prefix = if kept.len() > 1 { format!("/{name}") } else { String::new() };
            ReadyRepository {
                repository: name.clone(),
                content_api: format!("{server}{prefix}/api/v2"),
                snapshots: editions.iter().map(|edition| edition.snapshot().clone()).collect(),
                documents: editions.first().map_or(0, |edition| edition.len()),
                is_complete: editions.first().is_some_and(|edition| edition.is_complete()),
            }
        };
        let repositories = kept.iter().map(one).collect();
        let ready = Ready { address, ready_after: begun.elapsed().as_secs_f64(), repositories };
        let outcome = self.check.then(|| outcome(kept));
        context.output.item(outcome, &ready, || page(&ready, begun.elapsed(), self.check))?;
        for (name, own) in kept {
            let lost: usize = own.standby.editions().iter().map(|edition| edition.lost()).sum();
            if lost > 0 {
                context.output.warning(format!(
                    "{} of {name} cannot be read from any replica and are left out; `prismvault verify --full` \
                     says what else is damaged",
                    counted(lost as u64, "document")
                ));
            }
        }
        for (name, own) in kept {
            let applied = own.standby.editions().first().and_then(|edition| edition.applied().words());
            if let Some(words) = applied {
                context.output.message(format!("{name}: {words}, as orders of the ledger asked"));
            }
        }
        for partial in ready.repositories.iter().filter(|one| !one.is_complete) {
            let (name, id) = (&partial.repository, &partial.snapshots[0]);
            context.output.warning(format!(
                "{name} is served from a partial snapshot: `prismvault show {id}` names what is missing"
            ));
        }
        Ok(())
    }
}

fn page(ready: &Ready, after: Duration, is_check: bool) -> Page {
    let mut page = Page::new();
    for one in &ready.repositories {
        let [first, others @ ..] = &one.snapshots[..] else { continue };
        page = page
            .line(
                Text::styled(Style::Bold, one.repository.to_string()).and(
                    Style::Plain,
                    format!(" from {first}, {}", counted(one.documents as u64, "document")),
                ),
            )
            .line(format!("  {}", one.content_api));
        for other in others {
            page = page.line(format!("  ref {other}"));
        }
    }
    let first = ready.repositories.first().map_or("", |one| one.content_api.as_str());
    let after = human_duration(after);
    if is_check {
        return page.line(format!("Ready after {after}; nothing is served (--check)."));
    }
    page.line(format!("Ready after {after}. Sites read it with"))
        .line(format!("  createClient(\"NAME\", {{ documentAPIEndpoint: \"{first}\" }})"))
}

impl From<StandbyError> for CommandError {
    fn from(error: StandbyError) -> Self {
        match error {
            StandbyError::Vault(error) => error.into(),
            StandbyError::Restore(error) => error.into(),
            StandbyError::NoDocument { .. } | StandbyError::NoRoot { .. } | StandbyError::NothingLeft => {
                Self::new(ErrorKind::Integrity, error).hint(
                    "`prismvault verify --full` finds what else is wrong; another snapshot may be whole",
                )
            }
            StandbyError::Temporary(_) => Self::new(ErrorKind::Failed, error),
        }
    }
}
