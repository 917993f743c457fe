//! What the steps of a demo share: the embedded repository, and the vault of its backups.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use url::Url;

use super::compare::Moment;
use super::files;
use crate::cli::Context;
use crate::cli::error::{CommandError, ErrorKind};
use crate::cli::init::start_in;
use crate::cli::keyfiles::key_files;
use crate::cli::places::Places;
use crate::cli::session::{IdentityOptions, Session, address_of};
use crate::cli::snapshot::target;
use crate::config::{Config, FILE_NAME, Starter, StarterRepository};
use crate::contentapi::{AccessMode, AccessPolicy};
use crate::ids::{Name, VaultId};
use crate::prismic::Http;
use crate::sandbox::{Content, Repository, RepositoryOptions, Server, ServerOptions};
use crate::secret::Secret;
use crate::snapshot::{Read, SnapshotOptions, SnapshotReport, Target, take};
use crate::vault::format::manifest::Manifest;
use crate::vault::layout;
use crate::verification::{Damage, DamageKind, Level, Scope, VerifyOptions, VerifyReport, verify};

/// Prismic's name of the repository, and its name in the configuration.
pub(super) const REPOSITORY: &str = "acme-blog";
/// Directories of the replicas, and their names.
pub(super) const REPLICAS: [&str; 2] = ["replica-a", "replica-b"];
/// What opens the embedded sandbox; it guards nothing.
const WRITE_TOKEN: &str = "sandbox-write-token";

/// The embedded repository.
pub(super) struct Source {
    pub(super) repository: Arc<Repository>,
    server: Server,
}

impl Source {
    /// Serves content on any free port.
    pub(super) fn serve(content: Content, context: &Context) -> Result<Self, CommandError> {
        let options = RepositoryOptions {
            access: AccessPolicy { mode: AccessMode::Open, tokens: Vec::new() },
            write_tokens: vec![Secret::new(WRITE_TOKEN)],
            ..RepositoryOptions::default()
        };
        let repository = Repository::new(REPOSITORY, content, options);
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed("cannot listen on 127.0.0.1"))?;
        let options = ServerOptions { clock: Arc::clone(&context.clock), ..ServerOptions::default() };
        let server = Server::start(vec![Arc::clone(&repository)], options, listener)
            .map_err(|error| CommandError::because(ErrorKind::Failed, "cannot start the sandbox", error))?;
        Ok(Self { repository, server })
    }

    /// Where it is.
    pub(super) fn base_url(&self) -> &str {
        self.server.base_url()
    }

    /// Ends the server.
    pub(super) async fn stop(self) {
        self.server.stop().await;
    }
}

/// The vault of the demo, opened anew for each step as a command would.
pub(super) struct VaultPlace<'a> {
    pub(super) context: &'a Context,
    pub(super) directory: PathBuf,
    pub(super) config: Config,
}

/// A snapshot, and what the repository was when it was taken.
pub(super) struct Taken {
    pub(super) manifest: Manifest,
    pub(super) moment: Moment,
}

/// An object that was damaged on purpose.
pub(super) struct Damaged {
    pub(super) replica: &'static str,
    pub(super) file: String,
}

impl<'a> VaultPlace<'a> {
    /// Makes keys, vault and configuration, as the first run of `snapshot --to` does.
    pub(super) async fn make(
        source: &Source,
        directory: &Path,
        context: &'a Context,
    ) -> Result<Self, CommandError> {
        let name: Name = REPOSITORY.parse().expect("a constant, and a name");
        let endpoints = source.server.endpoints(REPOSITORY).expect("it is served");
        let address = |text: &str| Url::parse(text).expect("the sandbox knows its address");
        let endpoints = [
            ("content_api", address(&endpoints.content_api)),
            ("asset_api", address(&endpoints.asset_api)),
            ("types_api", address(&endpoints.types_api)),
            ("migration_api", address(&endpoints.migration_api)),
        ];
        let endpoints = endpoints.each_ref().map(|(key, url)| (*key, url));
        let mut replicas = Vec::new();
        for replica in REPLICAS {
            let url = address_of(&directory.join(replica).display().to_string())?;
            replicas.push((replica.parse().expect("a constant, and a name"), url));
        }
        let files = key_files();
        let keys = files.each_ref().map(|(key, file)| (*key, file.as_str()));
        let starter = |pins: Option<(VaultId, &str)>| {
            let starter = Starter {
                repository: Some(StarterRepository {
                    name: &name,
                    repository: REPOSITORY,
                    access_token_env: None,
                    write_token_env: Some("PRISMIC_WRITE_TOKEN"),
                    endpoints: &endpoints,
                }),
                replicas: &replicas,
                pins,
                keys: &keys,
            };
            let port = source.base_url().rsplit(':').next().unwrap_or_default();
            // Prismic's Asset API takes one request a second, so that is the default.
            format!(
                "{}\n\
                 [limits]\n\
                 asset_requests = 50                  # a sandbox allows more than Prismic\n\
                 types_requests = 50\n\
                 migration_requests = 50\n\n\
                 # The repository ended with the demo. One to go on with, where it was:\n\
                 # prismvault sandbox --port {port} --write-token {WRITE_TOKEN}\n\
                 # and in this shell: export PRISMIC_WRITE_TOKEN={WRITE_TOKEN}\n",
                starter.render()
            )
        };
        start_in(directory, starter, context).await?;
        let config = Config::load(&directory.join(FILE_NAME))?;
        Ok(Self { context, directory: directory.to_owned(), config })
    }

    /// Removes caches and what the demo's own client remembered: whoever goes on has their own.
    pub(super) fn leave_clean(&self) {
        // What cannot be removed does no harm.
        std::fs::remove_dir_all(self.client()).ok();
    }

    fn client(&self) -> PathBuf {
        self.directory.join("client")
    }

    /// Opens the vault; without the recovery identity unless content is to be read.
    pub(super) async fn open(&self, reads_content: bool) -> Result<Session, CommandError> {
        let mut config = self.config.clone();
        config.keys.root = None;
        if !reads_content {
            config.keys.recovery = None;
        }
        let places = Places::below(&self.client());
        Session::open_from(places, self.context, config, &IdentityOptions::default()).await
    }

    fn target(&self) -> Result<Target, CommandError> {
        let mut repository = self.config.repository(REPOSITORY)?.clone();
        // The variable that the configuration names is for later; here the token is known.
        repository.write_token = None;
        let target = target(&repository, &self.config)?;
        Ok(Target { write_token: Some(Secret::new(WRITE_TOKEN)), ..target })
    }

    /// Takes a snapshot; returns its report and how many objects it wrote to each replica.
    pub(super) async fn take(&self) -> Result<(SnapshotReport, usize), CommandError> {
        let before = self.objects()?;
        let session = self.open(false).await?;
        let http = Http::new(self.config.limits.clone(), Arc::clone(&self.context.clock))
            .map_err(|error| CommandError::because(ErrorKind::Failed, "cannot make requests", error))?;
        let options = SnapshotOptions {
            trigger: "demo".to_owned(),
            progress: &*self.context.progress,
            cancel: self.context.cancel.clone(),
            read: Read::Full,
        };
        let report = take(&session.vault, &http, &self.target()?, options).await?;
        let manifest = &report.committed.manifest;
        if let Some(gap) = manifest.gaps.first() {
            return Err(wrong(format!("the snapshot is partial: {}: {}", gap.subject, gap.detail)));
        }
        must(report.committed.on == REPLICAS, || {
            format!("the snapshot is on {} only", report.committed.on.join(", "))
        })?;
        let written = self.objects()?.difference(&before).count();
        must(written.is_multiple_of(REPLICAS.len()), || "the replicas got different objects".to_owned())?;
        Ok((report, written / REPLICAS.len()))
    }

    /// All objects on all replicas.
    fn objects(&self) -> Result<BTreeSet<String>, CommandError> {
        let mut all = BTreeSet::new();
        for replica in REPLICAS {
            let listed = files::list(&self.directory.join(replica))
                .map_err(failed(format!("cannot list {replica}")))?;
            all.extend(listed.into_keys().map(|key| format!("{replica}/{key}")));
        }
        Ok(all)
    }

    pub(super) async fn verify(&self, level: Level) -> Result<VerifyReport, CommandError> {
        let session = self.open(level == Level::Content).await?;
        Ok(verify(&session.vault, &self.verify_options(level)).await?)
    }

    pub(super) fn verify_options(&self, level: Level) -> VerifyOptions<'_> {
        VerifyOptions {
            level: Some(level),
            snapshots: Vec::new(),
            progress: &*self.context.progress,
            cancel: self.context.cancel.clone(),
            scope: Scope::default(),
        }
    }
}

impl Damaged {
    /// Whether this is what a verification found.
    pub(super) fn is(&self, damage: &Damage) -> bool {
        damage.kind == DamageKind::Damaged
            && damage.replica == self.replica
            && damage.key == format!("{}/{}", layout::PACKS, self.file)
    }
}

/// Says what could not be done when the system refuses it.
pub(super) fn failed(sentence: impl Into<String>) -> impl FnOnce(std::io::Error) -> CommandError {
    let sentence = sentence.into();
    move |error| CommandError::because(ErrorKind::Failed, sentence, error)
}

/// Refuses to go on when something did not come out as it must.
pub(super) fn must(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), CommandError> {
    if holds { Ok(()) } else { Err(wrong(otherwise())) }
}

/// Something did not come out as it must.
pub(super) fn wrong(sentence: impl Into<String>) -> CommandError {
    CommandError::new(ErrorKind::Integrity, sentence.into())
}
