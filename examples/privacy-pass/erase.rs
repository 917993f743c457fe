//! One erasure of the person, step by step, and what each took.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use prismvault::ids::{CaseId, Digest, random};
use prismvault::keys::{Change, apply, plan as plan_keys};
use prismvault::privacy::channels::Bounds;
use prismvault::privacy::erasure::plan::{Making, Plan, Purpose, orders};
use prismvault::privacy::matching::{Finding, Matcher};
use prismvault::privacy::proof::canary;
use prismvault::privacy::proof::erased::ErasedPacks;
use prismvault::privacy::proof::headers::{self, OldHeaders};
use prismvault::privacy::proof::needles::Needles;
use prismvault::privacy::proof::scan::{Place, Scanner};
use prismvault::privacy::proof::stays::Stays;
use prismvault::privacy::review::{Decided, Decision};
use prismvault::privacy::search::{Again, FoundItem, SearchOptions, search};
use prismvault::progress::Silent;
use prismvault::secret::Secret;
use prismvault::vault::envelope::Identity;
use prismvault::vault::erasure::destroy::{Destroyed, destroy};
use prismvault::vault::erasure::replacements;
use prismvault::vault::erasure::rewrite::rewrite;
use prismvault::vault::format::index::PackKind;
use prismvault::vault::format::ledger::Decision as Entry;
use prismvault::vault::format::order::Approval;
use prismvault::vault::format::trust::Role;
use prismvault::vault::layout;
use prismvault::vault::ledger::Ledger;
use prismvault::vault::open::Vault;
use prismvault::vault::signing::SigningKey;
use prismvault::vault::snapshots::Snapshots;
use prismvault::vault::space::Space;
use prismvault::verification::{Scope, VerifyOptions, verify};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::measure::peak_kib;
use super::place::{Result, name, open, write};
use super::{Arguments, contents};

/// Makes the key that approves, which the root key brings into the vault.
pub(crate) async fn add_approver(directory: &Path, root: &SigningKey) -> Result<()> {
    let approver = SigningKey::generate();
    write(directory, "approver.key", approver.to_secret_text("bench").expose())?;
    let mut vault = Arc::into_inner(open(directory).await?).ok_or("the vault is in use")?;
    let change = Change::SetSigner(approver.public().clone(), vec![Role::Privacy]);
    let plan = plan_keys(&vault, &[change]).await?;
    apply(&mut vault, Some(root), &plan).await?;
    Ok(())
}

fn again<'a>(vault: &'a Vault, snapshots: &'a Snapshots) -> Again<'a> {
    let (bounds, cancel) = (Bounds::default(), CancellationToken::new());
    Again { vault, snapshots, live: &[], bounds, progress: &Silent, cancel }
}

/// Finds the person, plans, stores what stands in the place of items, and puts the orders into the ledger.
pub(crate) async fn order(arguments: &Arguments) -> Result<Value> {
    let (directory, begun) = (&*arguments.directory, Instant::now());
    let vault = open(directory).await?;
    let snapshots = Snapshots::load(&vault, None).await?;
    let matcher = Arc::new(Matcher::new(&contents::subject(false)?, &[]));
    let options = SearchOptions {
        repositories: Vec::new(),
        live: &[],
        bounds: Bounds::default(),
        now: vault.now(),
        progress: &Silent,
        cancel: CancellationToken::new(),
    };
    let report = search(&vault, &snapshots, Arc::clone(&matcher), options).await?;
    let case = CaseId::new(2026);
    let at = vault.now();
    let subject = |_: &FoundItem, _: &Finding| {
        let (decision, ground, redact, by) = (Decision::Subject, None, Vec::new(), "bench".to_owned());
        Some(Decided { decision, ground, redact, by, at })
    };
    let planner = SigningKey::generate();
    let making = Making {
        purpose: Purpose::Erasure,
        corrections: &[],
        held: &[],
        over_hold: None,
        told: None,
        case: &case,
        planned: at,
        by: "bench",
        planned_by: planner.public(),
        seed: random(),
        files: (Digest([1; 32]), Digest([2; 32])),
        report: &report,
        decisions: &subject,
    };
    let again = again(&vault, &snapshots);
    let mut new = Vec::new();
    let plan: Plan = making.make(&again, &matcher, |_, item| new.push(item)).await?;
    let stored = replacements::store(&vault, &name()?, new).await?;
    let approver = fs::read_to_string(directory.join("approver.key"))?;
    let approver = SigningKey::parse(&Secret::new(approver))?;
    for order in orders(&again, &plan).await? {
        let signature = approver.sign(order.as_bytes(), "erasure order");
        let approvals = vec![Approval { key: approver.public().clone(), signature }];
        let ledger = Ledger::load(&vault, &name()?).await?;
        ledger.append(&vault, &name()?, Entry::Erasure { order, approvals }).await?;
    }
    let (packs, lines, bytes) = concerned(&vault, directory).await?;
    write(directory, "erased.txt", &lines)?;
    let space = Space::load(&vault, &name()?).await?;
    let old = serde_json::to_string(&headers::collect(&vault, &space))?;
    write(directory, "headers.json", &old)?;
    let all = space.index.packs().iter().filter(|pack| pack.kind == PackKind::Content).count();
    Ok(json!({
        "seconds": begun.elapsed().as_secs_f64(), "found": report.found.len(), "items": plan.items.len(),
        "stored": stored, "packs": packs, "all": all, "bytes": bytes, "peak_kib": peak_kib(),
    }))
}

/// The packs that hold the person: how many, a line for each with its body and its header, and their bytes.
async fn concerned(vault: &Vault, directory: &Path) -> Result<(usize, String, u64)> {
    let space = Space::load(vault, &name()?).await?;
    let (mut lines, mut bytes) = (String::new(), 0);
    let packs: BTreeSet<_> = space.retired().collect();
    for number in &packs {
        let pack = &space.index.packs()[*number as usize];
        let place = |key: String| directory.join("a").join(key).display().to_string();
        let header =
            pack.needed_header().map(|(header, _)| place(layout::header(&space.name, &pack.id, &header)));
        lines += &format!("{} {}\n", place(layout::pack(&space.name, &pack.id)), header.unwrap_or_default());
        bytes += pack.size;
    }
    Ok((packs.len(), lines, bytes))
}

/// Rewrites the packs that hold the person, and destroys them.
pub(crate) async fn erase(arguments: &Arguments) -> Result<Value> {
    let vault = open(&arguments.directory).await?;
    let cancel = CancellationToken::new();
    let begun = Instant::now();
    let rewritten = rewrite(&vault, &name()?, &Silent, &cancel).await?;
    let seconds = begun.elapsed().as_secs_f64();
    let destroyed = destroy(&vault, &name()?, &Silent, &cancel).await?;
    Ok(json!({
        "seconds": begun.elapsed().as_secs_f64(), "rewriting": seconds, "packs": rewritten.packs,
        "new_packs": rewritten.new_packs, "read": rewritten.read, "written": rewritten.written,
        "complete": rewritten.is_complete() && destroyed.iter().all(Destroyed::is_complete),
        "peak_kib": peak_kib(),
    }))
}

/// Looks through the replica, the cache and the spool directory for the person in every encoding, tries the
/// old headers, and verifies the vault.
pub(crate) async fn leaks(arguments: &Arguments) -> Result<Value> {
    let (directory, begun) = (&*arguments.directory, Instant::now());
    let vault = open(directory).await?;
    let cancel = CancellationToken::new();
    let erased = ErasedPacks::load(&vault, None).await?;
    let all = [Needles::of(&contents::subject(false)?)?, canary::needles()?];
    let stays = Stays::default();
    let scanner = Scanner::new(all, vault.identities(), stays, erased.all(), cancel.clone())?;
    let recipients = match vault.is_encrypted() {
        true => vault.identities().iter().map(Identity::recipient).collect(),
        false => Vec::new(),
    };
    let sung = canary::sing(&scanner, recipients, vault.spool(), vault.now()).await?;
    let place = |own: &prismvault::vault::replica::Replica| Place {
        name: own.name.clone(),
        store: Arc::clone(&own.store),
    };
    let mut scanned =
        scanner.places(&vault.replicas.all().iter().map(place).collect::<Vec<_>>(), &Silent).await?;
    for local in ["cache", "spool"] {
        scanned.push(scanner.directory(local, &directory.join(local)).await?);
    }
    let seconds = begun.elapsed().as_secs_f64();
    let old = fs::read_to_string(directory.join("headers.json")).unwrap_or_default();
    let old: OldHeaders = serde_json::from_str(&old).unwrap_or_default();
    let tried = headers::try_all(&vault, &erased, &old).await?;
    let options = VerifyOptions {
        level: None,
        snapshots: Vec::new(),
        progress: &Silent,
        cancel,
        scope: Scope::default(),
    };
    let verified = verify(&vault, &options).await?;
    let of =
        |each: fn(&prismvault::privacy::proof::scan::Scanned) -> u64| scanned.iter().map(each).sum::<u64>();
    Ok(json!({
        "seconds": seconds, "objects": of(|own| own.objects), "bytes": of(|own| own.bytes),
        "leaks": of(|own| own.leaked), "within_words": of(|own| own.within_words),
        "unscanned": of(|own| own.unscanned.len() as u64), "canary": sung.is_found(), "planted": sung.planted,
        "headers": tried.iter().map(|own| own.tried).sum::<u64>(),
        "opened": tried.iter().map(|own| own.opened).sum::<u64>(),
        "damage": verified.damage.len(), "peak_kib": peak_kib(),
    }))
}
