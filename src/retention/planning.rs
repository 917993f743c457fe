//! Making plans from what the vault holds.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::plan::{
    Kind, PolicyOn, Refusal, RemoveFrom, RepositoryPlan, RetentionPlan, SnapshotPlan, VerdictOn,
};
use super::policy::{Candidate, NEWEST_COMPLETE, Verdict, evaluate};
use super::shrink::shrink_of;
use crate::clock::Timestamp;
use crate::config::{Config, Repository, RetentionPolicy, Zone};
use crate::ids::{Digest, Name, ReplicaId};
use crate::progress::Problem;
use crate::vault::clocks;
use crate::vault::error::{Result, VaultError};
use crate::vault::open::Vault;
use crate::vault::snapshots::{Snapshot, Snapshots, is_about};

/// The policies of one repository.
#[derive(Debug, Clone)]
pub struct Policies {
    /// The repository.
    pub repository: Name,
    /// Whose calendar counts.
    pub zone: Zone,
    /// For every replica without a policy of its own; `None` keeps everything there.
    pub base: Option<RetentionPolicy>,
    /// For single replicas, by name.
    pub own: BTreeMap<String, RetentionPolicy>,
}

impl Policies {
    /// Returns what the configuration says of a repository.
    pub fn of(config: &Config, repository: &Repository) -> Self {
        let own = config.replicas.iter().filter_map(|replica| {
            Some((replica.name.to_string(), config.retention_on(repository, replica)?))
        });
        Self {
            repository: repository.name.clone(),
            zone: repository.timezone,
            base: config.retention_of(repository),
            own: own.collect(),
        }
    }

    /// The same policies for the lists of its members, where the vault holds some.
    pub fn of_lists(&self, snapshots: &Snapshots) -> Option<Self> {
        let chain = self.repository.access_chain()?;
        (!snapshots.of(&chain).is_empty()).then(|| Self { repository: chain, ..self.clone() })
    }

    /// Whether nothing is configured.
    pub fn is_empty(&self) -> bool {
        self.base.is_none() && self.own.is_empty()
    }

    /// Largest share, in per cent, that may be lost without stopping expiry.
    pub fn max_shrink(&self) -> Option<u32> {
        self.base.iter().chain(self.own.values()).map(|policy| policy.max_shrink).next()
    }
}

/// A configured replica.
struct Place {
    name: String,
    /// `None` where it cannot be reached or its id cannot be read.
    id: Option<ReplicaId>,
}

/// Replicas that have one policy.
struct Group<'a> {
    places: Vec<&'a Place>,
    policy: Option<&'a RetentionPolicy>,
}

/// Plans what the policies let go.
///
/// # Errors
///
/// [`Refused`](crate::vault::error::ErrorKind::Refused) when clocks differ or the vault asks for
/// more than this program knows. What concerns one repository is in its part of the plan.
pub async fn plan_retention(
    vault: &Vault,
    snapshots: &Snapshots,
    policies: &[Policies],
    now: Timestamp,
) -> Result<RetentionPlan> {
    vault.require_may_delete()?;
    clocks::check(vault, vault.replicas.live()).await?;
    let missing = snapshots.missing(vault)?;
    let places = places_of(vault);
    let mut repositories = Vec::new();
    for policies in policies {
        let mut part = plan_repository(vault, snapshots, policies, &places, now);
        part.refused = refusal(vault, snapshots, &missing, &policies.repository)
            .or_else(|| frozen(snapshots, policies, now));
        repositories.push(part);
    }
    Ok(RetentionPlan { vault: vault.file.vault, kind: Kind::Retain, repositories })
}

/// Plans the removal of all snapshots of a repository. Holds refuse it.
///
/// # Errors
///
/// As [`plan_retention`].
pub async fn plan_forget(
    vault: &Vault,
    snapshots: &Snapshots,
    repository: &Name,
    reason: Option<&str>,
) -> Result<RetentionPlan> {
    vault.require_may_delete()?;
    clocks::check(vault, vault.replicas.live()).await?;
    let missing = snapshots.missing(vault)?;
    let rule = match reason {
        Some(reason) => format!("the repository was forgotten: {reason}"),
        None => "the repository was forgotten".to_owned(),
    };
    let names: Vec<String> = places_of(vault).into_iter().map(|place| place.name).collect();
    // Who its members were goes with it.
    let lists = repository.access_chain().filter(|chain| !snapshots.of(chain).is_empty());
    let parts = std::iter::once(repository).chain(&lists).map(|name| {
        let refused = refusal(vault, snapshots, &missing, name);
        forget_part(snapshots, name, &names, &rule, refused)
    });
    Ok(RetentionPlan { vault: vault.file.vault, kind: Kind::Forget, repositories: parts.collect() })
}

fn forget_part(
    snapshots: &Snapshots,
    repository: &Name,
    names: &[String],
    rule: &str,
    refused: Option<Refusal>,
) -> RepositoryPlan {
    let of = snapshots.of(repository);
    let line = |snapshot: &Snapshot| {
        let verdict = match &snapshot.fate.held {
            Some(held) => Verdict::Keep(vec![format!("hold: {}", held.reason)]),
            None => Verdict::Remove("the repository is forgotten".to_owned()),
        };
        let remove = (!verdict.is_keep()).then(|| RemoveFrom {
            replicas: None,
            names: names.to_vec(),
            rule: rule.to_owned(),
        });
        snapshot_plan(snapshot, vec![VerdictOn { replicas: names.to_vec(), verdict }], remove)
    };
    let held: Vec<&Snapshot> = of.iter().filter(|snapshot| snapshot.fate.held.is_some()).collect();
    let refused_by_hold = held.first().map(|first| Refusal {
        code: "hold",
        why: format!("{} of its snapshots are under hold, {} the first", held.len(), first.id()),
        next_step: format!("`prismvault release {} --reason …` ends a hold", first.id()),
    });
    RepositoryPlan {
        repository: repository.clone(),
        timezone: Zone::UTC.name(),
        policies: Vec::new(),
        refused: refused.or(refused_by_hold),
        snapshots: of.iter().map(line).collect(),
        state: state_of(snapshots, repository),
    }
}

/// Returns every configured replica, those that cannot be reached too.
fn places_of(vault: &Vault) -> Vec<Place> {
    let failed = vault.replicas.failed();
    let known = vault
        .replicas
        .all()
        .iter()
        .map(|replica| Place { name: replica.name.clone(), id: replica.id().filter(|_| replica.is_live()) });
    let mut places: Vec<Place> = known.collect();
    for (name, _) in failed {
        if !places.iter().any(|place| place.name == name) {
            places.push(Place { name, id: None });
        }
    }
    places
}

fn plan_repository(
    vault: &Vault,
    snapshots: &Snapshots,
    policies: &Policies,
    places: &[Place],
    now: Timestamp,
) -> RepositoryPlan {
    let of = snapshots.of(&policies.repository);
    let groups = groups_of(policies, places);
    let verdicts: Vec<Vec<Verdict>> =
        groups.iter().map(|group| verdicts_of(vault, group, of, policies.zone, now)).collect();
    let lines = of.iter().enumerate().map(|(at, snapshot)| {
        let on = groups.iter().zip(&verdicts).map(|(group, verdicts)| VerdictOn {
            replicas: group.places.iter().map(|place| place.name.clone()).collect(),
            verdict: verdicts[at].clone(),
        });
        let on: Vec<VerdictOn> = on.collect();
        let remove = removal_of(snapshot, &groups, &on);
        snapshot_plan(snapshot, on, remove)
    });
    RepositoryPlan {
        repository: policies.repository.clone(),
        timezone: policies.zone.name(),
        snapshots: lines.collect(),
        policies: groups
            .iter()
            .filter_map(|group| {
                let replicas = group.places.iter().map(|place| place.name.clone()).collect();
                Some(PolicyOn { replicas, policy: group.policy?.clone() })
            })
            .collect(),
        refused: None,
        state: state_of(snapshots, &policies.repository),
    }
}

fn groups_of<'a>(policies: &'a Policies, places: &'a [Place]) -> Vec<Group<'a>> {
    let (own, common): (Vec<&Place>, Vec<&Place>) =
        places.iter().partition(|place| policies.own.contains_key(&place.name));
    let mut groups = Vec::new();
    if !common.is_empty() {
        groups.push(Group { places: common, policy: policies.base.as_ref() });
    }
    groups.extend(
        own.into_iter().map(|place| Group { places: vec![place], policy: policies.own.get(&place.name) }),
    );
    groups
}

/// Applies the policy of a group of replicas to what these are to hold.
fn verdicts_of(
    vault: &Vault,
    group: &Group<'_>,
    of: &[Snapshot],
    zone: Zone,
    now: Timestamp,
) -> Vec<Verdict> {
    let keep_all = |why: &str| vec![Verdict::Keep(vec![why.to_owned()]); of.len()];
    let Some(policy) = group.policy else { return keep_all("no policy") };
    let ids: Vec<ReplicaId> = group.places.iter().filter_map(|place| place.id).collect();
    if ids.is_empty() {
        return keep_all("the replica cannot be read now");
    }
    let wanted: Vec<&Snapshot> =
        of.iter().filter(|snapshot| ids.iter().any(|id| !snapshot.fate.is_removed_from(Some(*id)))).collect();
    // What has to be there although it may not be the newest by its date: the newest of the chain,
    // the newest with enough copies, the newest that each of these replicas really holds.
    let newest = |holds: &dyn Fn(&Snapshot) -> bool| {
        wanted.iter().rev().find(|one| one.is_complete() && holds(one)).map(|one| one.digest)
    };
    let copies = vault.replicas.min_copies.min(ids.len());
    let mut stays: Vec<(Option<Digest>, String)> = vec![
        (newest(&|_| true), NEWEST_COMPLETE.to_owned()),
        (newest(&|one| one.on.len() >= copies), NEWEST_COMPLETE.to_owned()),
    ];
    for place in group.places.iter().filter(|place| place.id.is_some()) {
        let on = |one: &Snapshot| one.id().time() <= now && one.on.contains(&place.name);
        stays.push((newest(&on), format!("newest complete on {}", place.name)));
    }
    let overall = stays[0].0;
    let candidates: Vec<Candidate> = wanted
        .iter()
        .map(|snapshot| {
            let mut kept_for: Vec<String> =
                snapshot.fate.held.iter().map(|held| format!("hold: {}", held.reason)).collect();
            for (digest, rule) in &stays {
                // Where the newest is on every replica, saying it once is enough.
                let said = *digest == overall && rule != NEWEST_COMPLETE;
                if *digest == Some(snapshot.digest) && !said && !kept_for.contains(rule) {
                    kept_for.push(rule.clone());
                }
            }
            Candidate { id: snapshot.id().clone(), complete: snapshot.is_complete(), kept_for }
        })
        .collect();
    let mut judged = evaluate(policy, zone, &candidates, now).into_iter();
    of.iter()
        .map(|snapshot| match wanted.iter().any(|one| one.digest == snapshot.digest) {
            true => judged.next().expect("one verdict a candidate, in their order"),
            false => Verdict::Remove("removed before".to_owned()),
        })
        .collect()
}

/// Returns where a snapshot is removed from by its verdicts, beyond where it was before.
fn removal_of(snapshot: &Snapshot, groups: &[Group<'_>], on: &[VerdictOn]) -> Option<RemoveFrom> {
    let going: Vec<&Place> = groups
        .iter()
        .zip(on)
        .filter(|(_, on)| !on.verdict.is_keep())
        .flat_map(|(group, _)| group.places.iter().copied())
        .collect();
    let everywhere = on.iter().all(|on| !on.verdict.is_keep());
    let new: Vec<&Place> = going
        .into_iter()
        .filter(|place| everywhere || place.id.is_some_and(|id| !snapshot.fate.is_removed_from(Some(id))))
        .collect();
    if new.is_empty() {
        return None;
    }
    let reason = on.iter().zip(groups).find_map(|(on, group)| match &on.verdict {
        Verdict::Remove(reason) if on.replicas.iter().any(|name| new.iter().any(|p| p.name == *name)) => {
            let policy = group.policy.map(ToString::to_string).unwrap_or_default();
            Some(format!("retention: {reason} ({policy})"))
        }
        _ => None,
    });
    Some(RemoveFrom {
        replicas: (!everywhere).then(|| new.iter().filter_map(|place| place.id).collect()),
        names: new.iter().map(|place| place.name.clone()).collect(),
        rule: reason.unwrap_or_else(|| "retention".to_owned()),
    })
}

fn snapshot_plan(snapshot: &Snapshot, verdicts: Vec<VerdictOn>, remove: Option<RemoveFrom>) -> SnapshotPlan {
    SnapshotPlan {
        snapshot: snapshot.id().clone(),
        sha256: snapshot.digest,
        parents: snapshot.manifest.parents.clone(),
        space: snapshot.manifest.space.clone(),
        status: snapshot.manifest.status,
        verdicts,
        remove,
    }
}

/// Why nothing of a repository may be removed: what is missing or not understood.
fn refusal(vault: &Vault, snapshots: &Snapshots, missing: &[Problem], repository: &Name) -> Option<Refusal> {
    let mut problems = snapshots.unreadable.iter().chain(missing);
    if let Some(problem) = problems.find(|problem| is_about(problem, repository)) {
        return Some(Refusal {
            code: "chain",
            why: format!("its chain of snapshots is not whole: {}: {}", problem.subject, problem.detail),
            next_step: format!(
                "bring back the replica that holds it, or `prismvault repair`; if it is lost for good, `prismvault forget {repository} --lost ID_OR_SHA256 --reason …`"
            ),
        });
    }
    let of_ledger = |error: VaultError| Refusal {
        code: "ledger",
        why: error.to_string(),
        next_step: error.next_step().unwrap_or("`prismvault verify` shows more").to_owned(),
    };
    let mut named: BTreeMap<&Name, Vec<&Digest>> = BTreeMap::new();
    for snapshot in snapshots.of(repository) {
        named.entry(&snapshot.manifest.space).or_default().extend(&snapshot.manifest.ledger);
    }
    named.into_iter().find_map(|(space, named)| {
        snapshots.ledger(space)?.require_understood(vault, named).err().map(of_ledger)
    })
}

/// Whether the newest snapshot of a repository stops its expiry.
fn frozen(snapshots: &Snapshots, policies: &Policies, now: Timestamp) -> Option<Refusal> {
    let shrink = shrink_of(snapshots, &policies.repository, policies.max_shrink()?, now)?;
    Some(Refusal {
        code: "shrink",
        why: format!("expiry is stopped: {shrink}"),
        next_step: format!(
            "look at it with `prismvault show {id}`; if it is right, `prismvault retain --accept-shrink {id} --reason …`",
            id = shrink.snapshot
        ),
    })
}

/// SHA-256 of all that a plan for this repository depends on in the vault.
pub(super) fn state_of(snapshots: &Snapshots, repository: &Name) -> Digest {
    #[derive(Serialize)]
    struct State<'a> {
        manifests: Vec<(Digest, &'a [String])>,
        ledgers: BTreeMap<&'a Name, Vec<Digest>>,
    }
    let of = snapshots.of(repository);
    let spaces: BTreeSet<&Name> = of.iter().map(|snapshot| &snapshot.manifest.space).collect();
    let state = State {
        manifests: of.iter().map(|snapshot| (snapshot.digest, snapshot.on.as_slice())).collect(),
        ledgers: spaces
            .into_iter()
            .filter_map(|space| Some((space, snapshots.ledger(space)?.heads())))
            .collect(),
    };
    Digest::of(&serde_json::to_vec(&state).expect("ids always serialise"))
}
