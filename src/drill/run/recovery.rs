//! Restore, replay, comparison, function: what is done with the snapshots once they are known to be whole.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::evidence::Outcome;
use super::function::Answering;
use super::restoring::Standing;
use super::resurrection;
use super::source::{self, Source};
use super::standing::{OnStandby, Shelves, beside, caches};
use super::{Phased, Running, Verdicts};
use crate::drill::findings::{Met, Severity};
use crate::drill::gate::Verdict;
use crate::drill::timeline::{Ended, Phase};
use crate::ids::{Name, SnapshotId};
use crate::limits::Limits;
use crate::restore::OpenSnapshot;
use crate::vault::erasure::Applied;
use crate::vault::format::manifest::Counts;
use crate::vault::ledger::Ledger;
use crate::vault::open::Vault;
use crate::vault::replica::with_causes;
use crate::verification::Level;

/// What all snapshots hold, in their order.
pub(super) struct Sources {
    all: Vec<Source>,
    pub(super) is_whole: bool,
}

fn gate(is_good: bool) -> Option<Verdict> {
    Some(if is_good { Verdict::Go } else { Verdict::NoGo })
}

impl Running<'_> {
    /// Decrypts everything and looks at what refers to what.
    pub(super) async fn decrypt(
        &self,
        vault: &Vault,
        ids: &[SnapshotId],
        opened: &[OpenSnapshot<'_>],
    ) -> Phased<Sources> {
        let looked = self.look(vault, Level::Content, ids).await;
        let Some(found) = looked.value else {
            return Phased { ended: Ended::Broken, notes: looked.notes, value: None };
        };
        let (mut all, mut notes, mut is_whole) = (Vec::new(), looked.notes, found.affected.is_empty());
        for snapshot in opened {
            let source = match source::read(snapshot).await {
                Ok(source) => source,
                // What is lost was told above; the rest of it is recovered.
                Err(error) => {
                    notes.push(format!("{}: {}", snapshot.manifest().snapshot, with_causes(&error)));
                    is_whole = false;
                    Source::default()
                }
            };
            is_whole &= self.counts_of_snapshot(snapshot, &source);
            let name = &snapshot.manifest().repository;
            notes.push(format!(
                "{name}: {} documents, {} files, {} models; {} links lead to nothing, {} files are not in the library",
                source.documents.len(),
                source.library.len(),
                source.model_count,
                source.open_links,
                source.open_files
            ));
            all.push(source);
        }
        Phased::of(is_whole && looked.ended == Ended::Good, Sources { all, is_whole }, notes)
    }

    /// Whether a snapshot holds as many documents, by type and language too, and models as its manifest says.
    fn counts_of_snapshot(&self, snapshot: &OpenSnapshot<'_>, source: &Source) -> bool {
        let begun = Instant::now();
        let manifest = snapshot.manifest();
        let differ = differing_counts(&manifest.counts, source, &snapshot.applied());
        let (types, languages) =
            (manifest.counts.documents_by_type.len(), manifest.counts.documents_by_language.len());
        let seen = match differ.is_empty() {
            true => format!(
                "{} documents of {types} types in {languages} languages, {} models",
                source.documents.len(),
                source.model_count
            ),
            false => differ.join(", "),
        };
        let outcome = Outcome::of(differ.is_empty(), seen, Severity::Critical);
        let name = format!("{}: counts", manifest.repository);
        self.evidence.check(Phase::Decrypt, &name, "as many as the manifest says", begun, outcome);
        differ.is_empty()
    }

    /// Restores what was found whole and looks at it in every way.
    pub(super) async fn restore_and_compare(
        &self,
        opened: &[OpenSnapshot<'_>],
        sources: Sources,
        is_whole: bool,
    ) -> Verdicts {
        let mut verdicts = Verdicts { integrity: Some(Verdict::NoGo), ..Verdicts::default() };
        let (caches, mut shelves) = (caches(self.limits()), Shelves::new());
        let restoring = self.restore(opened, &caches, &mut shelves);
        let Some((standing, editions)) = self.phase(Phase::Restore, Box::pin(restoring)).await else {
            self.skip_from(Phase::Replay);
            return verdicts;
        };
        if let Some(vault) = opened.first().map(OpenSnapshot::vault) {
            verdicts.quarantine = gate(self.quarantine(vault, &standing).await);
        }
        let replayed =
            self.phase(Phase::Replay, Box::pin(beside(&mut shelves, self.replay(opened, &editions))));
        verdicts.privacy = gate(replayed.await.unwrap_or(false));
        let comparing = self.content(opened, &sources.all, &standing);
        let compared = self.phase(Phase::Content, Box::pin(beside(&mut shelves, comparing))).await;
        verdicts.integrity = gate(is_whole && compared.unwrap_or(false));
        let trying = self.function(&standing);
        let functional = self.phase(Phase::Function, Box::pin(beside(&mut shelves, trying))).await;
        verdicts.functional = gate(functional.unwrap_or(false));
        Box::pin(beside(&mut shelves, self.lost_edits(&sources.all, opened))).await;
        drop(editions);
        self.put_away(standing).await;
        verdicts
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.drill.config.limits
    }

    /// Whether every order of erasure, restriction and rectification that any replica knows of was applied, and
    /// whether what is erased stays so.
    async fn replay(&self, opened: &[OpenSnapshot<'_>], editions: &[OnStandby]) -> Phased<bool> {
        let mut notes = Vec::new();
        let mut is_good = true;
        // The scenario aside: an order that the recovery misses because a replica is gone is missed all the same.
        let whole = self.vault_as_it_is().await;
        for (snapshot, own) in opened.iter().zip(editions) {
            let begun = Instant::now();
            let name = &snapshot.manifest().repository;
            let known = match &whole {
                Ok(whole) => orders(whole, &snapshot.manifest().space).await,
                Err(why) => Err(why.clone()),
            };
            let applied = own.edition.applied();
            let outcome = match &known {
                Err(why) => Outcome::bad(format!("the ledger cannot be read: {why}"), Severity::Critical),
                Ok(orders) => {
                    let words = applied.words().unwrap_or_else(|| "nothing of this snapshot".to_owned());
                    let seen = format!("{} orders; {words}", orders.len());
                    Outcome::of(own.edition.is_under(orders), seen, Severity::Critical)
                }
            };
            is_good &= outcome.finding.is_none();
            notes.push(format!("{name}: {}", outcome.seen));
            let check = format!("{name}: orders of erasure");
            self.evidence.check(
                Phase::Replay,
                &check,
                "every order of the ledger is applied",
                begun,
                outcome,
            );
        }
        let begun = Instant::now();
        let directory = self.drill.leftover.directory();
        let tested =
            resurrection::test(self.limits(), &self.drill.clock, &directory, &self.drill.cancel).await;
        let expected = "a person who was erased does not come back from an old snapshot";
        let outcome = match &tested {
            Err(why) => Outcome::bad(format!("the test could not be made: {why}"), Severity::Critical),
            Ok(test) => {
                let seen = format!(
                    "seen in {} documents before the order, in {} of {} after it; {} items replaced",
                    test.before, test.after, test.restored, test.applied
                );
                Outcome::of(test.is_good(), seen, Severity::Critical)
            }
        };
        is_good &= outcome.finding.is_none();
        notes.push(outcome.seen.clone());
        self.evidence.check(Phase::Replay, "resurrection test", expected, begun, outcome);
        self.evidence.lock().erasure_replay = Some(is_good);
        Phased::of(is_good, is_good, notes)
    }

    /// Queries, programs and pages of the plan.
    async fn function(&self, standing: &Standing) -> Phased<bool> {
        let drill = self.drill;
        let answering = Answering {
            apis: standing.answering.iter().map(|(name, api, _)| (name.clone(), api)).collect(),
            originals: standing.originals.iter().map(|(name, api)| (name.clone(), api)).collect(),
            leftover: drill.leftover,
            directory: working_directory(&drill.config.file),
        };
        let mut is_good = answering.check_all(&drill.plan.checks, &self.evidence).await;
        if let Some(site) = &drill.plan.site {
            let (variables, directory) = (answering.variables(), drill.leftover.directory());
            is_good &= super::site::look(site, &variables, &directory, drill.leftover, &self.evidence).await;
        }
        let count = drill.plan.checks.len() + drill.plan.site.as_ref().map_or(0, |site| site.pages.len());
        if count == 0 {
            let what =
                "the plan declares no query, program or page: that what was restored works was not tried";
            self.evidence.met([Met::new("function:none", Severity::Minor, what)]);
        }
        Phased::of(is_good, is_good, vec![format!("{count} checks of the plan")])
    }

    /// Ends servers; whether they are gone is told by the clean-up.
    pub(super) async fn put_away(&self, standing: Standing) {
        let Standing { site, playground, answering, originals } = standing;
        drop((answering, originals));
        if let Some(site) = site {
            let address = site.base_url();
            let gone = site.stop().await;
            self.cleaned("the standby", gone, &format!("nobody listens at {address} any more"));
        }
        if let Some(playground) = playground {
            let address = playground.server.base_url().to_owned();
            playground.server.stop().await;
            let gone = match address.strip_prefix("http://") {
                Some(place) => tokio::net::TcpStream::connect(place).await.is_err(),
                None => false,
            };
            self.cleaned(
                "the sandbox, with everything in it",
                gone,
                &format!("nobody listens at {address} any more"),
            );
        }
    }
}

/// Orders that any replica knows of.
async fn orders(vault: &Vault, space: &Name) -> Result<BTreeSet<SnapshotId>, String> {
    let ledger = Ledger::load(vault, space).await.map_err(|error| with_causes(&error))?;
    Ok(ledger.erased().decided())
}

/// Where what a snapshot holds is not what its manifest says: found, promised, and of what. What orders removed or
/// withhold may be missing.
fn differing_counts(promised: &Counts, source: &Source, applied: &Applied) -> Vec<String> {
    let gone = applied.removed + applied.restricted;
    let sum = |of: &dyn Fn(&(String, String)) -> bool| -> u64 {
        source.counts.iter().filter(|(key, _)| of(key)).map(|(_, count)| count).sum()
    };
    let types = promised.documents_by_type.iter().map(|(type_, tally)| {
        (format!("documents of the type {type_}"), tally.stored, sum(&|key| key.0 == *type_))
    });
    let languages = promised.documents_by_language.iter().map(|(language, tally)| {
        (format!("documents in {language}"), tally.stored, sum(&|key| key.1 == *language))
    });
    let all = [
        ("documents".to_owned(), promised.documents.stored, source.documents.len() as u64),
        ("models".to_owned(), promised.models.stored, source.model_count),
    ];
    all.into_iter()
        .chain(types)
        .chain(languages)
        .filter(|(_, promised, found)| found > promised || promised - found > gone)
        .map(|(what, promised, found)| format!("{found} of {promised} {what}"))
        .collect()
}

/// Where programs of a plan begin: beside the configuration, from which its relative paths are meant.
fn working_directory(configuration: &Path) -> PathBuf {
    let parent = configuration.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new(".")).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::format::manifest::Tally;

    #[test]
    fn a_count_that_is_not_as_promised_is_told_by_type_and_language() {
        let tally = |stored| Tally { reported: None, stored, bytes: 0 };
        let mut promised = Counts { documents: tally(3), models: tally(1), ..Counts::default() };
        promised.documents_by_type = [("page".to_owned(), tally(2)), ("post".to_owned(), tally(1))].into();
        promised.documents_by_language =
            [("en-us".to_owned(), tally(2)), ("fr-fr".to_owned(), tally(1))].into();
        let key = |type_: &str, language: &str| (type_.to_owned(), language.to_owned());
        let mut source = Source { model_count: 1, ..Source::default() };
        source.counts = [(key("page", "en-us"), 2), (key("post", "fr-fr"), 1)].into();
        // No document is there, whatever the sums by type say.
        assert_eq!(differing_counts(&promised, &source, &Applied::default()), ["0 of 3 documents"]);
        source.counts.remove(&key("post", "fr-fr"));
        assert_eq!(
            differing_counts(&promised, &source, &Applied::default())[1..],
            ["0 of 1 documents of the type post", "0 of 1 documents in fr-fr"]
        );
        // What an order took away may be missing, and no more than that.
        let removed = Applied { removed: 1, ..Applied::default() };
        assert_eq!(differing_counts(&promised, &source, &removed), ["0 of 3 documents"]);
        source.counts.insert(key("page", "de-de"), 5);
        let more = differing_counts(&promised, &source, &removed);
        assert!(more.contains(&"7 of 2 documents of the type page".to_owned()), "{more:?}");
    }
}
