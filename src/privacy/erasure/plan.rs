//! The plan of an erasure: what becomes of each item in which the person was found.
//!
//! It is canonical JSON (RFC 8785), so that the same plan has the same hash, and approvals are signatures over
//! orders that name this hash. Everything in it follows from what the search found, what was decided, and a seed
//! that the plan holds: made again, it is the same to the byte, or something has changed since, and nobody's
//! approval is worth anything.
//!
//! Personal data: it says where a person is. It is a file of the case, for the privacy recipients only.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::Sha256;

use super::live::{self, Decisions, Live, LiveError, LiveStep};
use super::mask::{Kept, Mask, Read};
use super::strip::{same_pixels, stripped};
use crate::clock::{Timestamp, rfc3339};
use crate::ids::{CaseId, Digest, ItemId, Name, Salt, VaultId, hex};
use crate::privacy::matching::{Finding, Matcher};
use crate::privacy::review::{Decided, Decision};
use crate::privacy::search::{
    Again, FoundItem, ReadItem, SearchReport, findings_in, likely_path, read_again,
};
use crate::restore::{RestoreError, open_space};
use crate::vault::erasure::replacements::NewItem;
use crate::vault::format::order::{self, Change, ITEMS_MAX, Order, Replaced};
use crate::vault::format::{VERSION, order::Approval};
use crate::vault::item::ItemKind;
use crate::vault::signing::VerifyingKey;

/// Kind of [`Plan`].
pub const KIND: &str = "erasure-plan";

/// What is to become of everything in which the person was found.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// [`KIND`].
    pub kind: String,
    /// Version of the format.
    pub format: u32,
    /// Version of the program: another may mask otherwise.
    pub tool: String,
    /// Vault it is about.
    pub vault: VaultId,
    /// The case.
    pub case: CaseId,
    /// When it was made, RFC 3339.
    pub planned: String,
    /// Who made it.
    pub by: String,
    /// Their key: its approval does not count.
    pub planned_by: VerifyingKey,
    /// What salts and pseudonyms are made from, in hexadecimal; random.
    pub seed: String,
    /// The file of the case with what the search found.
    pub search: Digest,
    /// The file of the case with the decisions.
    pub decisions: Digest,
    /// Items of the vault that are replaced, by space and id.
    pub items: Vec<PlannedItem>,
    /// Findings that stay, with the ground.
    pub kept: Vec<KeptFinding>,
    /// What cannot be changed here, and is a task for people.
    pub left: Vec<Left>,
    /// What happens in live Prismic, step by step: what is written, and tasks for people.
    pub live: Vec<LiveStep>,
    /// Items, or parts of them, that could not be searched.
    pub unsearchable: u64,
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan")
            .field("case", &self.case)
            .field("items", &self.items.len())
            .finish_non_exhaustive()
    }
}

/// One item, and what is read in its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedItem {
    /// Its space.
    pub space: Name,
    /// The item.
    pub item: ItemId,
    /// Paths under which snapshots have it.
    pub paths: BTreeSet<String>,
    /// What becomes of it.
    pub change: Change,
    /// What is read in its place.
    pub by: ItemId,
    /// Bytes of that.
    pub size: u64,
    /// Where something is masked, as in [`Passage::place`](crate::privacy::passage::Passage::place); empty for what is removed.
    pub places: Vec<String>,
}

/// A finding that stays because of a ground.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptFinding {
    /// Path of the item.
    pub path: String,
    /// Where in it.
    pub place: String,
    /// The ground.
    pub ground: String,
}

/// Something that stays as it is, because this program cannot change it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// Path of the item.
    pub path: String,
    /// Why.
    pub why: String,
}

impl Plan {
    /// As it is stored and hashed.
    pub fn canonical(&self) -> Vec<u8> {
        canonical(self)
    }

    /// Its hash.
    pub fn hash(&self) -> Digest {
        Digest::of(&self.canonical())
    }
}

/// Canonical JSON: members sorted by name, nothing between. Numbers are whole ones only.
pub fn canonical(value: &impl Serialize) -> Vec<u8> {
    fn sorted(value: Value) -> Value {
        match value {
            Value::Object(members) => {
                let members: BTreeMap<String, Value> =
                    members.into_iter().map(|(name, value)| (name, sorted(value))).collect();
                Value::Object(members.into_iter().collect())
            }
            Value::Array(elements) => elements.into_iter().map(sorted).collect(),
            other => other,
        }
    }
    let value = serde_json::to_value(value).expect("plans always serialise");
    serde_json::to_vec(&sorted(value)).expect("JSON always serialises")
}

/// What a plan is made from.
pub struct Making<'a> {
    /// The case.
    pub case: &'a CaseId,
    /// When.
    pub planned: Timestamp,
    /// Who.
    pub by: &'a str,
    /// Their key.
    pub planned_by: &'a VerifyingKey,
    /// Random, and kept in the plan.
    pub seed: [u8; 32],
    /// The files of the case with what was found, and with what was decided.
    pub files: (Digest, Digest),
    /// What the search found.
    pub report: &'a SearchReport,
    /// What was decided.
    pub decisions: &'a (dyn Fn(&FoundItem, &Finding) -> Option<Decided> + Sync),
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Some findings have no decision, or somebody is unsure of one.
    #[error("{0} findings are not decided yet")]
    Undecided(u64),
    /// Something that was found is not as it was: the search is too old.
    #[error("{} of what was found is not there any more as it was, or cannot be read", .0.len())]
    Changed(Vec<crate::progress::Problem>),
    /// What is live cannot be read.
    #[error(transparent)]
    Live(LiveError),
    /// The vault cannot be read.
    #[error(transparent)]
    Restore(#[from] RestoreError),
}

impl Making<'_> {
    /// Makes the plan; each item that is to be read in the place of others is handed to `store`, with its space.
    ///
    /// # Errors
    ///
    /// [`PlanError`]; nothing is written here.
    pub async fn make(
        &self,
        again: &Again<'_>,
        matcher: &Arc<Matcher>,
        mut store: impl FnMut(&Name, NewItem),
    ) -> Result<Plan, PlanError> {
        let undecided = self.report.each().filter(|(found, finding)| {
            (self.decisions)(found, finding).is_none_or(|own| own.decision == Decision::Unsure)
        });
        match undecided.count() {
            0 => {}
            count => return Err(PlanError::Undecided(count as u64)),
        }
        let mut plan = self.begin(again.vault.file.vault);
        let goes = |found: &FoundItem| {
            let is_subject = |finding: &Finding| {
                let decided = (self.decisions)(found, finding);
                decided.is_some_and(|own| own.decision.is_the_person() && own.decision != Decision::Keep)
            };
            found.findings.iter().any(is_subject)
        };
        self.note_kept(&mut plan);
        plan.live = Box::pin(self.live(again, matcher)).await?;
        let wanted = |_: usize, found: &FoundItem| found.item.is_some() && goes(found);
        let problems = read_again(again, self.report, matcher, wanted, async |read| {
            self.item(&read, again, matcher, &mut plan, &mut store).await;
            Ok::<_, RestoreError>(())
        })
        .await?;
        if !problems.is_empty() {
            return Err(PlanError::Changed(problems));
        }
        plan.items.sort_by(|a, b| (&a.space, a.item).cmp(&(&b.space, b.item)));
        plan.left.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(plan)
    }

    /// What happens in live Prismic.
    async fn live(&self, again: &Again<'_>, matcher: &Arc<Matcher>) -> Result<Vec<LiveStep>, PlanError> {
        let live = Live {
            sources: again.live,
            key: again.vault.item_key().map_err(RestoreError::from)?,
            matcher,
            bounds: &again.bounds,
            decisions: &Decisions::of(self.report, self.decisions),
            change: &live::erasing(matcher, &again.bounds, self.seed),
            progress: again.progress,
            cancel: &again.cancel,
        };
        match live.plan().await {
            Ok(steps) => Ok(steps),
            Err(LiveError::Changed(problems)) => Err(PlanError::Changed(problems)),
            Err(LiveError::Cancelled) => Err(RestoreError::Cancelled.into()),
            Err(error) => Err(PlanError::Live(error)),
        }
    }

    fn begin(&self, vault: VaultId) -> Plan {
        Plan {
            kind: KIND.to_owned(),
            format: VERSION,
            tool: env!("CARGO_PKG_VERSION").to_owned(),
            vault,
            case: self.case.clone(),
            planned: rfc3339(self.planned),
            by: self.by.to_owned(),
            planned_by: self.planned_by.clone(),
            seed: hex(&self.seed),
            search: self.files.0,
            decisions: self.files.1,
            items: Vec::new(),
            kept: Vec::new(),
            left: Vec::new(),
            live: Vec::new(),
            unsearchable: self.report.coverage.unsearchable.values().sum(),
        }
    }

    /// What stays although it is the person: told, never silent.
    fn note_kept(&self, plan: &mut Plan) {
        for (found, finding) in self.report.each() {
            let Some(decided) = (self.decisions)(found, finding).filter(|own| own.decision == Decision::Keep)
            else {
                continue;
            };
            let path = found.paths().first().map(|path| (*path).to_owned());
            let live = || found.live.as_ref().map(|live| live.path.clone());
            plan.kept.push(KeptFinding {
                path: path.or_else(live).unwrap_or_default(),
                place: finding.place.clone(),
                ground: decided.ground.unwrap_or_default(),
            });
        }
        plan.kept.sort_by(|a, b| (&a.path, &a.place, &a.ground).cmp(&(&b.path, &b.place, &b.ground)));
        plan.kept.dedup();
    }

    /// Decides what becomes of one item.
    async fn item(
        &self,
        read: &ReadItem<'_>,
        again: &Again<'_>,
        matcher: &Arc<Matcher>,
        plan: &mut Plan,
        store: &mut impl FnMut(&Name, NewItem),
    ) {
        let Some(item) = read.found.item else { return };
        let paths: BTreeSet<String> = read.found.paths().into_iter().map(str::to_owned).collect();
        let path = paths.first().cloned().unwrap_or_else(|| likely_path(&read.bytes).to_owned());
        // A finding that is of somebody else, or kept, stays.
        let stays = |finding: &Finding| {
            let decided = (self.decisions)(read.found, finding);
            decided.is_some_and(|own| matches!(own.decision, Decision::NotSubject | Decision::Keep))
        };
        let kept: HashSet<Kept> = read
            .found
            .findings
            .iter()
            .zip(&read.located)
            .filter(|(finding, _)| stays(finding))
            .flat_map(|(finding, located)| {
                let now = located.as_ref().map(|located| Kept::of(&located.finding));
                std::iter::once(Kept::of(finding)).chain(now)
            })
            .collect();
        let seed = self.seed;
        let (bounds, matcher, bytes) = (again.bounds.clone(), Arc::clone(matcher), read.bytes.clone());
        let own_path = path.clone();
        let changing = tokio::task::spawn_blocking(move || {
            let mask = Mask { matcher: &matcher, bounds: &bounds, pseudonym: &|own| pseudonym(&seed, own) };
            changed(&mask, &own_path, &bytes, &kept)
        });
        let kind = ItemKind::of_path(&path).unwrap_or(ItemKind::Asset);
        let salt = salt_of(&seed, &item);
        let (change, new, places) = match changing.await.expect("masking does not panic") {
            Becomes::Masked { bytes, places } => {
                let path = path.clone();
                (Change::Masked, NewItem { salt, kind: kind.pack_kind(), path, bytes: bytes.into() }, places)
            }
            Becomes::Removed => {
                let salt = salt_of(&seed, &ItemId([0; 32]));
                (Change::Removed, NewItem::tombstone(salt, self.case), Vec::new())
            }
            Becomes::Stays(why) => {
                plan.left.push(Left { path, why: why.to_owned() });
                return;
            }
        };
        let (by, size) = (new.id(), new.bytes.len() as u64);
        store(&read.found.space, new);
        plan.items.push(PlannedItem {
            space: read.found.space.clone(),
            item,
            paths,
            change,
            by,
            size,
            places,
        });
    }
}

/// What becomes of an item.
enum Becomes {
    Masked { bytes: Vec<u8>, places: Vec<String> },
    Removed,
    Stays(&'static str),
}

fn changed(mask: &Mask<'_>, path: &str, bytes: &Bytes, kept: &HashSet<Kept>) -> Becomes {
    match ItemKind::of_path(path) {
        Some(ItemKind::Asset) | None => {
            // Without pixels that can be compared, all of it goes.
            let left = stripped(bytes).filter(|left| same_pixels(bytes, left) != Some(false));
            match left.filter(|left| is_clean(mask, path, left, kept)) {
                Some(bytes) => Becomes::Masked { bytes, places: vec!["metadata of the picture".to_owned()] },
                None => Becomes::Removed,
            }
        }
        Some(kind) => match mask.json(path, bytes, kept) {
            Ok(masked) => Becomes::Masked { bytes: masked.bytes, places: masked.places },
            Err(_) if matches!(kind, ItemKind::Document | ItemKind::AssetMetadata) => Becomes::Removed,
            Err(_) => Becomes::Stays(
                "models and settings of a repository are needed to restore anything; change it in Prismic, and take a snapshot",
            ),
        },
    }
}

/// Whether a search finds nothing in it that was to go.
fn is_clean(mask: &Mask<'_>, path: &str, bytes: &[u8], kept: &HashSet<Kept>) -> bool {
    let texts = Read::of(path, bytes, mask.bounds);
    findings_in(mask.matcher, &texts.0).iter().all(|finding| kept.contains(&Kept::of(finding)))
}

fn keyed(seed: &[u8; 32], what: &str, of: &[u8]) -> [u8; 32] {
    let mut hmac = Hmac::<Sha256>::new_from_slice(seed).expect("HMAC takes keys of any length");
    hmac.update(what.as_bytes());
    hmac.update(&[0]);
    hmac.update(of);
    hmac.finalize().into_bytes().into()
}

fn salt_of(seed: &[u8; 32], item: &ItemId) -> Salt {
    let full = keyed(seed, "salt", &item.0);
    let (half, _) = full.split_first_chunk().expect("32 bytes have a first half");
    Salt(*half)
}

/// What stands for a uid: the same for the same one in every item of a case.
pub(super) fn pseudonym(seed: &[u8; 32], own: &str) -> String {
    format!("erased-{}", hex(&keyed(seed, "uid", own.as_bytes())[..6]))
}

/// Returns the orders of a plan, one for each space and as many items as one may name, to be signed.
///
/// # Errors
///
/// Those of reading a space.
pub async fn orders(again: &Again<'_>, plan: &Plan) -> Result<Vec<String>, RestoreError> {
    let mut by_space: BTreeMap<&Name, Vec<&PlannedItem>> = BTreeMap::new();
    plan.items.iter().for_each(|item| by_space.entry(&item.space).or_default().push(item));
    let mut orders = Vec::new();
    for (name, items) in by_space {
        let space = open_space(again.vault, again.snapshots, name).await?;
        for items in items.chunks(ITEMS_MAX) {
            let locations = items.iter().flat_map(|item| space.index.locations(&item.item));
            let packs: BTreeSet<Digest> =
                locations.map(|place| space.index.packs()[place.pack as usize].id).collect();
            let replaced = |item: &&PlannedItem| Replaced {
                id: item.item,
                change: item.change,
                by: item.by,
                size: item.size,
            };
            let order = Order {
                kind: order::KIND.to_owned(),
                format: VERSION,
                vault: plan.vault,
                space: name.clone(),
                case: plan.case.clone(),
                planned: plan.planned.clone(),
                planned_by: plan.planned_by.clone(),
                plan: plan.hash(),
                items: items.iter().map(replaced).collect(),
                packs: packs.into_iter().collect(),
            };
            orders.push(
                serde_json::to_string_pretty(&order).expect("structures of the format always serialise"),
            );
        }
    }
    Ok(orders)
}

/// A plan with its orders, as a case keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanFile {
    /// The plan.
    pub plan: Plan,
    /// Its orders, to the letter as they are signed.
    pub orders: Vec<String>,
}

/// The signatures of one person over the orders of a plan, in their order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalFile {
    /// The hash of the plan.
    pub plan: Digest,
    /// One for each order.
    pub approvals: Vec<Approval>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn canonical_json_has_one_form() {
        let one = canonical(&json!({"b": [1, {"d": "é\u{1}", "c": null}], "a": "x"}));
        assert_eq!(String::from_utf8(one.clone()).unwrap(), r#"{"a":"x","b":[1,{"c":null,"d":"é\u0001"}]}"#);
        let again: Value = serde_json::from_slice(&one).unwrap();
        assert_eq!(canonical(&again), one);
    }

    #[test]
    fn salts_and_pseudonyms_follow_from_the_seed() {
        let (one, other) = ([1; 32], [2; 32]);
        assert_eq!(salt_of(&one, &ItemId([3; 32])), salt_of(&one, &ItemId([3; 32])));
        assert_ne!(salt_of(&one, &ItemId([3; 32])), salt_of(&one, &ItemId([4; 32])));
        assert_ne!(salt_of(&one, &ItemId([3; 32])), salt_of(&other, &ItemId([3; 32])));
        assert_eq!(pseudonym(&one, "ada"), pseudonym(&one, "ada"));
        assert_ne!(pseudonym(&one, "ada"), pseudonym(&one, "bob"));
        let shape = pseudonym(&one, "Ada Lovelace");
        assert!(shape.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'));
    }
}
