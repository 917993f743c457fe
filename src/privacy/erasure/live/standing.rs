//! How far the tasks of a plan are: what is seen of them, and what people say.
//!
//! What is seen counts over what anybody says. A word counts for what nobody outside of Prismic can see (version
//! history, drafts, settings), and for as long as nothing that is seen speaks against it: a document that names the
//! person again, or that was written again, has earlier versions again. Such a word is [contradicted], and is taken
//! back in the case, so that it does not count once more when the document is clean.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::carry_out::{CarriedOut, Outcome};
use super::look::Looked;
use super::step::{Doer, LiveStep, Task, TaskCode};
use crate::clock::Timestamp;
use crate::privacy::case::Case;
use crate::privacy::proof::seen::Seen;

/// What was seen of a task when it was looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sight {
    /// It is done.
    Done,
    /// It is not.
    Open,
    /// It could be seen, and could not be read.
    NotRead,
    /// Nobody outside of Prismic can see it.
    Hidden,
}

/// How far a task is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It is to be done.
    Open,
    /// People say that it is done.
    Said {
        /// When they said so last.
        at: Timestamp,
        /// Who.
        by: String,
        /// Whether that counts. Of what can be seen only the next look tells.
        counts: bool,
    },
    /// It is seen to be done.
    Seen {
        /// When it was looked, RFC 3339.
        looked: String,
    },
}

/// A task, and how far it is.
#[derive(Debug, Clone)]
pub struct TaskStanding<'p> {
    /// [`LiveStep::id`].
    pub id: String,
    /// The step that it is.
    pub step: &'p LiveStep,
    /// What is to be done.
    pub task: &'p Task,
    /// How far it is.
    pub standing: Standing,
}

impl TaskStanding<'_> {
    /// Whether somebody is still to do it, or to look at it.
    pub fn is_open(&self) -> bool {
        !matches!(self.standing, Standing::Seen { .. } | Standing::Said { counts: true, .. })
    }
}

/// Says how far each task of a plan is, in the order of the plan. `seen` is what was seen last, of this plan.
pub fn standings<'p>(steps: &'p [LiveStep], case: &Case, seen: Option<&Seen>) -> Vec<TaskStanding<'p>> {
    let of = |step: &'p LiveStep| {
        let (id, task) = (step.id(), step.task()?);
        let sight = seen.and_then(|seen| seen.tasks.get(&id).copied());
        let said = case.task_done(&id);
        let standing = match (seen, sight, said) {
            (Some(seen), Some(Sight::Done), _) => Standing::Seen { looked: seen.evidence.looked.clone() },
            (_, sight, Some((by, at))) => {
                let counts = sight.map_or_else(|| task.is_hidden(), |sight| sight == Sight::Hidden);
                Standing::Said { at, by: by.to_owned(), counts }
            }
            _ => Standing::Open,
        };
        Some(TaskStanding { id, step, task, standing })
    };
    steps.iter().filter_map(of).collect()
}

/// Ids of tasks that people said are done, and against which something speaks: they are seen to be open, or what
/// they are about was written again just now.
pub fn contradicted(
    steps: &[LiveStep],
    said: &BTreeMap<String, Timestamp>,
    carried_out: Option<&CarriedOut>,
    looked: &[Looked],
) -> BTreeSet<String> {
    let is_written = |outcome: &Outcome| matches!(outcome, Outcome::Done | Outcome::Staged);
    let written: BTreeSet<_> = carried_out
        .into_iter()
        .flat_map(|done| &done.steps)
        .filter(|step| is_written(&step.outcome))
        .map(|step| (&step.repository, &*step.path))
        .collect();
    let is_open = |id: &String| looked.iter().any(|own| own.sights.get(id) == Some(&Sight::Open));
    let tasks = steps.iter().filter(|step| step.task().is_some()).map(|step| (step.id(), step));
    tasks
        .filter(|(id, _)| said.contains_key(id))
        .filter(|(id, step)| is_open(id) || written.contains(&(&step.repository, &*step.path)))
        .map(|(id, _)| id)
        .collect()
}

impl Doer {
    /// Its name, for programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Editor => "editor",
            Self::Support => "support",
        }
    }
}

impl Task {
    /// Whether nobody outside of Prismic can see that it is done, as far as that is known before anybody looked.
    fn is_hidden(&self) -> bool {
        match self.code {
            TaskCode::EditSettings
            | TaskCode::CheckHidden
            | TaskCode::CorrectHidden
            | TaskCode::HideOther
            | TaskCode::ShowFile
            | TaskCode::SupportHistory => true,
            TaskCode::DeleteAssetTag => self.id.is_empty(),
            TaskCode::SupportFile => self.urls.is_empty(),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::carry_out::StepOutcome;
    use super::super::step::{LiveAction, Why};
    use super::*;
    use crate::privacy::proof::evidence::LiveEvidence;

    const PATH: &str = "documents/en-us/article/XDoc0AAAAAAAAAAA.json";

    fn step(code: TaskCode) -> LiveStep {
        let task = Task { id: "XDoc0AAAAAAAAAAA".to_owned(), ..Task::new(code, Why::NoInterface) };
        let path = if code == TaskCode::CheckHidden { "" } else { PATH };
        LiveStep {
            repository: "blog".parse().unwrap(),
            path: path.to_owned(),
            action: LiveAction::Task(task),
        }
    }

    fn looked(sights: BTreeMap<String, Sight>) -> Looked {
        let evidence = LiveEvidence {
            repository: "blog".parse().unwrap(),
            read: Some("2026-11-23T10:00:00Z".to_owned()),
            items: 1,
            remaining: 0,
            tasks: 0,
            words: Vec::new(),
            releases: Some(0),
        };
        let (remaining, open, problems, unseen) = Default::default();
        Looked { evidence, remaining, open, sights, problems, unseen }
    }

    #[test]
    fn a_word_is_contradicted_by_what_is_seen_and_by_what_was_written_since() {
        let steps = [TaskCode::SupportHistory, TaskCode::CheckHidden].map(step);
        let [history, hidden] = [&steps[0], &steps[1]].map(LiveStep::id);
        let at = "2026-11-20T10:00:00Z".parse().unwrap();
        let said = BTreeMap::from([(history.clone(), at), (hidden.clone(), at)]);
        let against = |carried: Option<&CarriedOut>, sight: Sight| {
            let looked = looked(BTreeMap::from([(history.clone(), sight), (hidden.clone(), Sight::Hidden)]));
            contradicted(&steps, &said, carried, &[looked])
        };
        let only = BTreeSet::from([history.clone()]);
        assert_eq!(against(None, Sight::Open), only);
        for sight in [Sight::Hidden, Sight::NotRead, Sight::Done] {
            assert_eq!(against(None, sight), BTreeSet::new(), "{sight:?}");
        }
        let put = |path: &str, outcome| CarriedOut {
            steps: vec![StepOutcome {
                id: "put".to_owned(),
                repository: "blog".parse().unwrap(),
                path: path.to_owned(),
                outcome,
            }],
            problems: Vec::new(),
        };
        for outcome in [Outcome::Done, Outcome::Staged] {
            assert_eq!(against(Some(&put(PATH, outcome.clone())), Sight::Hidden), only);
            assert_eq!(against(Some(&put("documents/x", outcome)), Sight::Hidden), BTreeSet::new());
        }
        assert_eq!(against(Some(&put(PATH, Outcome::Already)), Sight::Hidden), BTreeSet::new());
        assert_eq!(contradicted(&steps, &BTreeMap::new(), None, &[]), BTreeSet::new());
    }
}
