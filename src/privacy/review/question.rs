//! What a reviewer is asked: each place where something was found, once.
//!
//! A sentence that stood in a document for a year is in as many items as the document had versions.
//! It is one question.

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use super::memory::{Remembered, Review, paths_of};
use crate::ids::{DecisionKey, Name, SnapshotId};
use crate::privacy::matching::{Finding, Rule, Tier};
use crate::privacy::search::{FoundItem, SearchReport};

/// A place in which something was found, over all versions that say the same.
#[derive(Clone)]
pub struct Question {
    /// What its decision is remembered by.
    pub key: DecisionKey,
    /// Path of the document or file.
    pub path: String,
    /// The repositories it is in.
    pub repositories: BTreeSet<Name>,
    /// The oldest snapshot that has it.
    pub from: Option<SnapshotId>,
    /// The newest one.
    pub to: Option<SnapshotId>,
    /// Whether the newest snapshot has it.
    pub is_in_newest: bool,
    /// Whether it is live.
    pub is_live: bool,
    /// The strongest evidence of all versions.
    pub tier: Tier,
    /// The rule that gave it.
    pub rule: Rule,
    /// What was found, of one version.
    pub finding: Finding,
    /// Which of [`SearchReport::found`] that version is.
    pub item: usize,
    /// Which of the findings in it.
    pub nth: usize,
    /// Versions that say the same.
    pub versions: u64,
    /// How urgent it is to look at the document; see
    /// [`Rarity::score`](crate::privacy::matching::Rarity::score).
    score: f64,
}

impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Question").field("tier", &self.tier).field("rule", &self.rule).finish_non_exhaustive()
    }
}

impl Question {
    /// What was decided before.
    pub fn remembered<'r>(&self, review: &'r Review) -> Option<&'r Remembered> {
        review.get(&self.key)
    }
}

impl Review {
    /// The same questions, in the same order, under the keys of this review.
    pub fn questions_like(&self, questions: &[Question]) -> Vec<Question> {
        let keyed = |question: &Question| Question {
            key: self.key(&question.path, &question.finding),
            ..question.clone()
        };
        questions.iter().map(keyed).collect()
    }

    /// The questions that a search leaves, decided or not: those of one document together, documents in
    /// the order in which they are best looked at.
    pub fn questions(&self, report: &SearchReport) -> Vec<Question> {
        let mut by_key: HashMap<DecisionKey, usize> = HashMap::new();
        let mut questions: Vec<Question> = Vec::new();
        let each = report.found.iter().enumerate().flat_map(|(item, found)| {
            found.findings.iter().enumerate().map(move |(nth, finding)| (item, found, nth, finding))
        });
        for (item, found, nth, finding) in each {
            for path in paths_of(found) {
                let key = self.key(&path, finding);
                let at = *by_key.entry(key).or_insert_with(|| {
                    questions.push(Question {
                        key,
                        path,
                        repositories: BTreeSet::new(),
                        from: None,
                        to: None,
                        is_in_newest: false,
                        is_live: false,
                        tier: finding.tier,
                        rule: finding.rule,
                        finding: finding.clone(),
                        item,
                        nth,
                        versions: 0,
                        score: 0.0,
                    });
                    questions.len() - 1
                });
                questions[at].see(found, finding);
            }
        }
        let mut of_document: HashMap<String, f64> = HashMap::new();
        for question in &questions {
            let best = of_document.entry(question.path.clone()).or_insert(question.score);
            *best = best.max(question.score);
        }
        let rank = |question: &Question| of_document.get(&question.path).copied().unwrap_or_default();
        questions.sort_by(|a, b| {
            rank(b)
                .total_cmp(&rank(a))
                .then_with(|| a.path.cmp(&b.path))
                .then_with(|| a.tier.cmp(&b.tier))
                .then_with(|| a.finding.place.cmp(&b.finding.place))
                .then_with(|| a.key.cmp(&b.key))
        });
        questions
    }
}

impl Question {
    /// Takes in one version.
    fn see(&mut self, found: &FoundItem, finding: &Finding) {
        self.versions += 1;
        self.score = self.score.max(found.score);
        if finding.tier < self.tier {
            (self.tier, self.rule) = (finding.tier, finding.rule);
        }
        for sighting in &found.sightings {
            self.repositories.insert(sighting.repository.clone());
            if self.from.as_ref().is_none_or(|from| sighting.from < *from) {
                self.from = Some(sighting.from.clone());
            }
            if self.to.as_ref().is_none_or(|to| sighting.to > *to) {
                self.to = Some(sighting.to.clone());
            }
            self.is_in_newest |= sighting.is_in_newest;
        }
        if let Some(live) = &found.live {
            self.repositories.insert(live.repository.clone());
            self.is_live = true;
        }
    }
}
