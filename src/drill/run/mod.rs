//! One rehearsal from beginning to end: phases, timed; checks, each of which can fail; gates; clean-up; evidence.
//!
//! | room | what is in it |
//! | --- | --- |
//! | [`host`] | what is asked of the program that runs it |
//! | [`leftover`] | what a killed drill leaves, and how it is cleared away |
//! | `locate`, `integrity` | the vault as the scenario leaves it, and integrity before use |
//! | `standing` | where it is recovered to |
//! | `recovery` | replay and function, and the order of everything |
//! | `restoring`, `quarantine`, `comparison` | to the target, apart from the public, and read back from it |
//! | `source`, `content`, `lost` | what the snapshot holds, what came back, what is lost |
//! | `function`, `site` | queries, programs, pages |
//! | `resurrection` | whether an erased person comes back |
//! | `evidence`, `record` | what was seen, and the report that it becomes |
//!
//! The vault is read through the scenario, which refuses every write: a drill changes nothing that it rehearses
//! with. Where a phase cannot be gone through, those after it are skipped and said to be; clean-up never is.

mod comparison;
mod content;
mod evidence;
mod function;
pub mod host;
mod integrity;
pub mod leftover;
mod locate;
mod lost;
mod people;
mod quarantine;
mod record;
mod recovery;
mod restoring;
mod resurrection;
mod site;
mod source;
mod standing;

use std::sync::Arc;
use std::time::Instant;

use tokio_util::sync::CancellationToken;

use self::evidence::{Evidence, Outcome};
use self::host::{Host, Opening};
use self::integrity::{Looked, look};
use self::leftover::Leftover;
use self::locate::{Located, choose, hidden};
pub use self::record::{Before, Finished};
use super::findings::{Met, Severity};
use super::gate::Verdict;
use super::plan::{Plan, Selected};
use super::scenario::Injection;
use super::timeline::{Ended, Phase, Timeline};
use crate::clock::{Clock, Timestamp};
use crate::config::Config;
use crate::ids::{Digest, SnapshotId};
use crate::prismic::{ContentApi, Http, PrismicError, Search};
use crate::progress::Progress;
use crate::restore::OpenSnapshot;
use crate::snapshot::Target;
use crate::vault::canary::{Canary, sing};
use crate::vault::format::manifest::Manifest;
use crate::vault::open::Vault;
use crate::vault::replica::with_causes;
use crate::vault::snapshots::Snapshots;
use crate::vault::space::Space;
use crate::verification::{Damage, Level};

/// What a real disaster says besides the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Real {
    /// When it struck, as far as anybody knows.
    pub struck: Timestamp,
    /// When the organisation became aware of it.
    pub aware: Timestamp,
    /// Whether personal data is concerned; `None`: nobody knows yet.
    pub personal_data: Option<bool>,
}

/// A drill that is to be run.
pub struct Drill<'a> {
    /// Its id.
    pub id: SnapshotId,
    /// The plan.
    pub plan: &'a Plan,
    /// What its names mean.
    pub selected: &'a Selected<'a>,
    /// The configuration.
    pub config: &'a Config,
    /// SHA-256 of the configuration's file.
    pub configuration: Digest,
    /// How vaults are opened, and Prismic is asked.
    pub host: &'a dyn Host,
    /// Name of this machine.
    pub machine: String,
    /// The clock of this machine.
    pub clock: Arc<dyn Clock>,
    /// Hears how far it is.
    pub progress: &'a dyn Progress,
    /// Ends it between two units of work; it cleans up then.
    pub cancel: CancellationToken,
    /// What it says that it makes.
    pub leftover: &'a Leftover,
    /// A real disaster, if it is one.
    pub real: Option<Real>,
    /// What is known of the drills before it.
    pub before: Before,
    /// What is drawn is drawn from it.
    pub seed: u64,
}

/// What the machine says at its gates; `None`: it came to nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Verdicts {
    quarantine: Option<Verdict>,
    integrity: Option<Verdict>,
    privacy: Option<Verdict>,
    functional: Option<Verdict>,
}

/// How a phase came out.
struct Phased<T> {
    ended: Ended,
    notes: Vec<String>,
    value: Option<T>,
}

impl<T> Phased<T> {
    fn of(is_good: bool, value: T, notes: Vec<String>) -> Self {
        Self { ended: if is_good { Ended::Good } else { Ended::Bad }, notes, value: Some(value) }
    }

    fn broken(why: impl Into<String>) -> Self {
        Self { ended: Ended::Broken, notes: vec![why.into()], value: None }
    }
}

/// Everything about one run that its parts share.
struct Running<'a> {
    drill: &'a Drill<'a>,
    timeline: Timeline,
    evidence: Evidence,
}

/// The vault as the scenario leaves it, and what is recovered from it.
struct Ground {
    vault: Vault,
    snapshots: Snapshots,
    located: Vec<Located>,
}

/// Runs a drill. However it comes out, there is a report of it.
pub async fn run(drill: &Drill<'_>) -> Finished {
    let running = Running { drill, timeline: Timeline::begin(&*drill.clock), evidence: Evidence::default() };
    running.timeline.note(format!("what is drawn is drawn from the seed {}", drill.seed));
    running.people();
    let verdicts = Box::pin(running.recover()).await;
    running.gates(verdicts).await;
    running.clean_up().await;
    running.finish(verdicts)
}

/// How many documents are published in a target now: a drill restores into an empty repository only, because what
/// is in another may be what people see.
///
/// # Errors
///
/// When it cannot be asked.
pub async fn documents_in(target: &Target, http: &Http) -> Result<u64, PrismicError> {
    let api =
        ContentApi::new(http.clone(), target.endpoints.content_api.clone(), target.access_token.clone());
    let root = api.root().await?;
    Ok(api.search(&Search::everything(root.master_ref, 1)).await?.total_results_size)
}

impl Drill<'_> {
    /// When the disaster struck.
    fn disaster(&self, began: Timestamp) -> Timestamp {
        let real = self.real.as_ref().map(|real| real.struck);
        real.or(self.plan.disaster).unwrap_or(began).min(began)
    }

    fn has(&self, injection: &Injection) -> bool {
        self.plan.scenario.contains(injection)
    }
}

impl Running<'_> {
    /// Times a phase; what it came to, or `None` where it could not be gone through.
    async fn phase<T>(&self, phase: Phase, work: impl Future<Output = Phased<T>>) -> Option<T> {
        self.drill.leftover.doing(phase.name());
        let timed = async {
            let step = tokio::select! {
                biased;
                () = self.drill.cancel.cancelled() => Phased::broken("somebody ended the drill"),
                step = work => step,
            };
            (step.ended, step.notes, (step.ended, step.value))
        };
        let (ended, value) = self.timeline.time(phase, timed).await;
        // Whoever ended it found nothing by that.
        if ended == Ended::Broken && !self.drill.cancel.is_cancelled() {
            let what = self.timeline.phases().last().map(|own| own.notes.join("; ")).unwrap_or_default();
            let key = format!("phase:{}", phase.name());
            self.evidence.met([Met::new(key, Severity::Critical, format!("{}: {what}", phase.words()))]);
        }
        value
    }

    /// Says of every phase of the recovery from this one on that it was not begun.
    fn skip_from(&self, phase: Phase) {
        for skipped in Phase::ALL.into_iter().filter(|own| *own >= phase && own.counts()) {
            self.timeline.skip(skipped, "a phase before it could not be gone through");
        }
    }

    /// The recovery: everything that counts for its time.
    async fn recover(&self) -> Verdicts {
        let mut verdicts = Verdicts::default();
        let Some(ground) = self.phase(Phase::Locate, self.locate()).await else {
            self.skip_from(Phase::Keys);
            return verdicts;
        };
        let manifests: Vec<&Manifest> =
            ground.located.iter().filter_map(|own| own.manifest.as_ref()).collect();
        let Some(opened) = self.phase(Phase::Keys, self.keys(&ground, &manifests)).await else {
            self.skip_from(Phase::Verify);
            return verdicts;
        };
        let ids: Vec<SnapshotId> = manifests.iter().map(|own| own.snapshot.clone()).collect();
        let mut is_whole = ground.located.iter().all(|own| own.manifest.is_some());
        for (phase, level) in [(Phase::Verify, Level::Presence), (Phase::Fetch, Level::Bytes)] {
            match self.phase(phase, self.look(&ground.vault, level, &ids)).await {
                Some(looked) => is_whole &= looked.affected.is_empty(),
                None => {
                    self.skip_from(next(phase));
                    verdicts.integrity = Some(Verdict::NoGo);
                    return verdicts;
                }
            }
        }
        let Some(sources) = self.phase(Phase::Decrypt, self.decrypt(&ground.vault, &ids, &opened)).await
        else {
            self.skip_from(Phase::Restore);
            verdicts.integrity = Some(Verdict::NoGo);
            return verdicts;
        };
        is_whole &= sources.is_whole;
        Box::pin(self.restore_and_compare(&opened, sources, is_whole)).await
    }

    async fn locate(&self) -> Phased<Ground> {
        match Box::pin(self.try_locate()).await {
            Err(why) => Phased::broken(format!("the vault cannot be opened: {why}")),
            Ok(ground) => {
                let mut notes: Vec<String> = Vec::new();
                for located in &ground.located {
                    notes.push(match (&located.manifest, &located.why) {
                        (Some(manifest), _) => format!("{}: {}", located.repository, manifest.snapshot),
                        (None, why) => {
                            let why = why.clone().unwrap_or_default();
                            let key = format!("locate:{}", located.repository);
                            let what = format!("{} cannot be recovered: {why}", located.repository);
                            self.evidence.met([Met::new(key, Severity::Critical, what.clone())]);
                            what
                        }
                    });
                }
                for (replica, failure) in ground.vault.replicas.failed() {
                    notes.push(format!("the replica {replica} does not take part: {failure}"));
                }
                let is_good = ground.located.iter().all(|own| own.manifest.is_some());
                match ground.located.iter().any(|own| own.manifest.is_some()) {
                    true => Phased::of(is_good, ground, notes),
                    false => Phased { ended: Ended::Broken, notes, value: None },
                }
            }
        }
    }

    async fn try_locate(&self) -> Result<Ground, String> {
        let drill = self.drill;
        let directory = drill.leftover.directory();
        let none = std::collections::BTreeSet::new();
        // The newest snapshots are found in the vault as it is, so that they can be hidden.
        let mut hidden_keys = none.clone();
        if drill.has(&Injection::NewestMissing) {
            let place = directory.join("look");
            let plain = drill.host.open(Opening { fresh: Some(&place), ..Opening::plain(&none) }).await?;
            let looked = hidden(&plain, &drill.plan.scenario, &drill.selected.repositories).await;
            hidden_keys = looked.map_err(|error| with_causes(&error))?;
        }
        let place = directory.join("machine");
        let opening = Opening {
            scenario: &drill.plan.scenario,
            seed: drill.seed,
            hidden: &hidden_keys,
            fresh: Some(&place),
        };
        let vault = drill.host.open(opening).await?;
        let snapshots = Snapshots::load(&vault, None).await.map_err(|error| with_causes(&error))?;
        let disaster = drill.disaster(self.timeline.began());
        let located = drill.selected.repositories.iter().map(|repository| {
            let chosen = choose(&snapshots, &repository.name, &drill.plan.snapshot, disaster, drill.seed);
            let (manifest, why) = match chosen {
                Ok(snapshot) => (Some(snapshot.manifest.clone()), None),
                Err(why) => (None, Some(why)),
            };
            Located { repository: repository.name.clone(), manifest, why }
        });
        let located = located.collect();
        Ok(Ground { vault, snapshots, located })
    }

    /// Whether the keys that are here open what they are to open; then every snapshot is opened.
    async fn keys<'g>(&self, ground: &'g Ground, manifests: &[&Manifest]) -> Phased<Vec<OpenSnapshot<'g>>> {
        let vault = &ground.vault;
        if let Err(error) = vault.require_content_identity() {
            return Phased::broken(with_causes(&error));
        }
        let mut notes = Vec::new();
        let begun = Instant::now();
        let mut opened = Vec::new();
        for manifest in manifests {
            match OpenSnapshot::open(vault, &ground.snapshots, manifest).await {
                Ok(snapshot) => opened.push(snapshot),
                Err(error) => {
                    return Phased::broken(format!("{}: {}", manifest.snapshot, with_causes(&error)));
                }
            }
        }
        let (mut tried, mut is_good) = (0u64, true);
        if vault.is_encrypted() {
            for identity in vault.identities() {
                let recipient = identity.recipient();
                let canary = match vault.trust.content_recipients.contains(&recipient) {
                    true => Canary::Content,
                    false => Canary::Catalog,
                };
                for manifest in manifests {
                    let sung = async {
                        let space = Space::load(vault, &manifest.space).await?;
                        sing(vault, &space, canary, identity).await
                    };
                    tried += 1;
                    if let Err(error) = sung.await {
                        is_good = false;
                        notes.push(format!("{recipient}: {}", with_causes(&error)));
                    }
                }
                notes.push(format!("{recipient}: here"));
            }
        } else {
            notes.push("the vault is not encrypted".to_owned());
        }
        let expected = "every identity that is here opens a pack";
        let outcome = Outcome::of(is_good, format!("{tried} packs tried"), Severity::Critical);
        self.evidence.check(Phase::Keys, "keys", expected, begun, outcome);
        Phased::of(is_good, opened, notes)
    }

    async fn look(&self, vault: &Vault, level: Level, ids: &[SnapshotId]) -> Phased<Looked> {
        let begun = Instant::now();
        let drill = self.drill;
        let is_injected = |damage: &Damage| self.is_injected(damage);
        let looked = look(vault, level, ids, &is_injected, drill.progress, &drill.cancel).await;
        match looked {
            Err(error) => Phased::broken(with_causes(&error)),
            Ok(looked) => {
                let (phase, name) = match level {
                    Level::Presence | Level::Stored => (Phase::Verify, "presence"),
                    Level::Bytes => (Phase::Fetch, "bytes"),
                    Level::Content => (Phase::Decrypt, "items"),
                };
                let lost: u64 = looked.affected.iter().map(|(_, items)| (*items).max(1)).sum();
                let seen = match lost {
                    0 => looked.notes.first().cloned().unwrap_or_default(),
                    lost => format!("{lost} items have no good copy left"),
                };
                let outcome = Outcome::of(lost == 0, seen, Severity::Critical);
                self.evidence.check(phase, name, "a good copy of everything", begun, outcome);
                self.evidence.met(looked.met.iter().cloned());
                Phased { ended: looked.ended, notes: looked.notes.clone(), value: Some(looked) }
            }
        }
    }

    /// Whether the scenario made a damage: then it is what is rehearsed.
    fn is_injected(&self, damage: &Damage) -> bool {
        let region = |name: &str| {
            let own = self.drill.config.replicas.iter().find(|own| own.name.as_str() == name);
            own.and_then(|own| own.region.clone())
        };
        self.drill.plan.scenario.iter().any(|injection| match injection {
            Injection::ReplicaGone { replica } => damage.replica == replica.as_str(),
            Injection::RegionGone { region: gone } => region(&damage.replica).as_ref() == Some(gone),
            Injection::PacksDamaged { replica, .. } => {
                super::scenario::is_pack(&damage.key)
                    && replica.as_ref().is_none_or(|replica| damage.replica == replica.as_str())
            }
            _ => false,
        })
    }
}

/// The phase after this one.
fn next(phase: Phase) -> Phase {
    Phase::ALL.into_iter().find(|own| *own > phase).unwrap_or(phase)
}
