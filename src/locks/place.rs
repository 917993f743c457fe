//! What the settings of a bucket mean for the vault in it.

use serde::Serialize;

use crate::objects::LockRule;
use crate::objects::place::{Fact, LifecycleRule, PlaceFacts, Versioning};
use crate::vault::replica::{Replica, with_causes};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// It destroys backups, or makes locks mean nothing.
    Danger,
    /// Something would outlive an erasure.
    OutlivesErasure,
    /// Nobody may ask.
    NotKnown,
    /// Worth knowing.
    Note,
}

/// One thing about the place of a replica.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct PlaceFinding {
    /// How bad it is.
    pub severity: Severity,
    /// One sentence for people, with what to do.
    pub detail: String,
}

impl PlaceFinding {
    fn new(severity: Severity, detail: impl Into<String>) -> Self {
        Self { severity, detail: detail.into() }
    }

    /// Whether it is to be changed, as opposed to known.
    pub fn is_wrong(&self) -> bool {
        matches!(self.severity, Severity::Danger | Severity::OutlivesErasure)
    }
}

/// Asks the place of a replica for its settings and says what they mean, the gravest first.
pub(super) async fn look(replica: &Replica, rule: Option<LockRule>) -> Vec<PlaceFinding> {
    match replica.store.place_facts().await {
        Ok(Some(facts)) => judge(&facts, rule),
        Ok(None) => vec![PlaceFinding::new(
            Severity::Note,
            "copies of the whole volume (snapshots of the file system, of the machine, backups of the disk) are not the \
             vault's: what is erased here stays in them for as long as they are kept",
        )],
        Err(error) => vec![PlaceFinding::new(Severity::NotKnown, with_causes(&error))],
    }
}

/// Classes from which nothing is read at once.
const ARCHIVES: [&str; 2] = ["GLACIER", "DEEP_ARCHIVE"];

fn judge(facts: &PlaceFacts, rule: Option<LockRule>) -> Vec<PlaceFinding> {
    use Severity::{Danger, NotKnown, Note, OutlivesErasure};
    let mut found = Vec::new();
    let mut add = |severity, detail: String| found.push(PlaceFinding::new(severity, detail));
    let not_known = |what: &str, why: &str| format!("{what} is not known: {why}");
    match &facts.versioning {
        Fact::Known(Versioning::Enabled) => {}
        Fact::Known(_) if rule.is_some() => add(
            Danger,
            "the bucket does not keep versions, so its locks protect nothing; switch versioning on"
                .to_owned(),
        ),
        Fact::Known(_) => add(
            Note,
            "the bucket keeps no versions: who may delete or overwrite in it destroys the backup".to_owned(),
        ),
        Fact::NotKnown(why) => add(NotKnown, not_known("whether the bucket keeps versions", why)),
    }
    match &facts.default_lock {
        Fact::Known(Some(default)) => {
            let days = default.days;
            match rule {
                None => add(
                    OutlivesErasure,
                    format!(
                        "the bucket locks every object for {days} days ({}) by default, and no `object_lock` is configured \
                         for this replica: an erasure waits for that; set it to what you want, at most {days} days",
                        default.mode
                    ),
                ),
                Some(rule) if days > rule.window.num_days() => add(
                    OutlivesErasure,
                    format!(
                        "the bucket locks by default for {days} days, longer than `object_lock` of this replica ({} days): \
                         whatever is put there by other tools outlives an erasure; make the default shorter or remove it",
                        rule.window.num_days()
                    ),
                ),
                Some(_) => {}
            }
        }
        Fact::Known(None) => {}
        Fact::NotKnown(why) => add(NotKnown, not_known("the default lock of the bucket", why)),
    }
    match &facts.copies_to {
        Fact::Known(buckets) => {
            for bucket in buckets {
                add(
                    OutlivesErasure,
                    format!(
                        "the bucket copies its objects to {bucket}: what is erased here stays there, and deletions may be \
                         copied too; make that place a replica instead"
                    ),
                );
            }
        }
        Fact::NotKnown(why) => add(NotKnown, not_known("whether the bucket is copied elsewhere", why)),
    }
    match &facts.lifecycle {
        Fact::Known(rules) => rules.iter().for_each(|rule| judge_rule(rule, &mut add)),
        Fact::NotKnown(why) => add(NotKnown, not_known("whether lifecycle rules delete objects", why)),
    }
    found.sort();
    found
}

fn judge_rule(rule: &LifecycleRule, add: &mut impl FnMut(Severity, String)) {
    let id = &rule.id;
    if rule.expires {
        add(
            Severity::Danger,
            format!(
                "the lifecycle rule {id} deletes objects by their age, and packs are used for years; remove it: \
                 `prismvault retain` and `prune` decide what goes"
            ),
        );
    }
    for class in rule.moves_to.iter().filter(|class| ARCHIVES.contains(&class.as_str())) {
        add(
            Severity::Danger,
            format!(
                "the lifecycle rule {id} moves objects to {class}, from which nothing is read at once; remove it"
            ),
        );
    }
    if let Some(days) = rule.expires_hidden_after {
        add(
            Severity::Note,
            format!(
                "the lifecycle rule {id} deletes versions {days} days after they were hidden, unless they are locked: \
                 run `prismvault repair` within that time after an attack"
            ),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::LockMode;
    use crate::objects::place::DefaultLock;

    fn good() -> PlaceFacts {
        PlaceFacts {
            versioning: Fact::Known(Versioning::Enabled),
            default_lock: Fact::Known(None),
            copies_to: Fact::Known(Vec::new()),
            lifecycle: Fact::Known(Vec::new()),
        }
    }

    #[test]
    fn settings_that_destroy_or_outlive_are_told_apart_from_what_nobody_may_ask() {
        let rule = Some(LockRule { mode: LockMode::Governance, window: chrono::TimeDelta::days(14) });
        let default = |days| Fact::Known(Some(DefaultLock { mode: LockMode::Compliance, days }));
        let lifecycle = |expires, class: &str, hidden| {
            let moves_to = if class.is_empty() { Vec::new() } else { vec![class.to_owned()] };
            let rule = LifecycleRule {
                id: "old".to_owned(),
                prefix: String::new(),
                expires,
                expires_hidden_after: hidden,
                moves_to,
            };
            Fact::Known(vec![rule])
        };
        use Severity::{Danger, NotKnown, Note, OutlivesErasure};
        for (facts, expected) in [
            (good(), None),
            (PlaceFacts { versioning: Fact::Known(Versioning::Suspended), ..good() }, Some(Danger)),
            (PlaceFacts { default_lock: default(14), ..good() }, None),
            (PlaceFacts { default_lock: default(15), ..good() }, Some(OutlivesErasure)),
            (PlaceFacts { copies_to: Fact::Known(vec!["b".to_owned()]), ..good() }, Some(OutlivesErasure)),
            (PlaceFacts { lifecycle: lifecycle(true, "", None), ..good() }, Some(Danger)),
            (PlaceFacts { lifecycle: lifecycle(false, "GLACIER", None), ..good() }, Some(Danger)),
            (PlaceFacts { lifecycle: lifecycle(false, "STANDARD_IA", None), ..good() }, None),
            (PlaceFacts { lifecycle: lifecycle(false, "", Some(30)), ..good() }, Some(Note)),
            (PlaceFacts { lifecycle: Fact::NotKnown("denied".to_owned()), ..good() }, Some(NotKnown)),
        ] {
            let found: Vec<Severity> =
                judge(&facts, rule).into_iter().map(|finding| finding.severity).collect();
            assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{facts:?}");
        }
        let unlocked = PlaceFacts { default_lock: default(1), ..good() };
        assert_eq!(judge(&unlocked, None)[0].severity, OutlivesErasure);
    }
}
