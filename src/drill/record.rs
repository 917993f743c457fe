//! A drill of the vault with all that people said of it: read, and said further.

use std::collections::BTreeSet;

use super::findings::Finding;
use super::gate::{Gate, Verdict};
use super::report::after::{Refused, Stated, What, after, in_place_of, refusal};
use super::report::{Answer, Closed, Report, files};
use crate::config::Person;
use crate::ids::{Digest, Name, SnapshotId};
use crate::progress::Problem;
use crate::vault::drills::{
    Saying, Signatory, StoredClosed, StoredDrill, StoredStatement, all, closures, ids, load, open_note,
    read_file, state, statements,
};
use crate::vault::error::{ErrorKind, VaultError};
use crate::vault::format::drill::{DrillAttachment, DrillFile, Statement, StatementFile};
use crate::vault::open::Vault;
use crate::vault::replica::with_causes;
use crate::vault::signing::SigningKey;

/// Kind of the problem that what people said is not whole.
pub use crate::vault::drills::BROKEN;

/// Why a drill is not read, or something is not said of it.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The vault.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// Nobody of that name is known.
    #[error("[people] of the configuration has no {name:?}")]
    Stranger {
        /// As it was typed.
        name: String,
        /// Who is.
        known: Vec<String>,
    },
    /// The key is not theirs.
    #[error(
        "the key is not that of {name}: [people.{name}] of the configuration has {expected}, this is {found}"
    )]
    NotTheirKey {
        /// Who.
        name: String,
        /// Their public key.
        expected: String,
        /// The public half of the key that was given.
        found: String,
    },
    /// The rules of the report refuse it.
    #[error("this is not recorded: {0}")]
    Refused(#[from] Refused),
    /// What a selector means.
    #[error("{0}")]
    Unknown(String),
}

/// A drill with all that people said of it.
#[derive(Debug)]
pub struct Record {
    /// The signed record.
    pub stored: StoredDrill,
    /// Statements that count, in order.
    pub statements: Vec<StoredStatement>,
    /// The same, opened as far as an identity here opens them.
    pub stated: Vec<Stated>,
    /// Closures of findings that its report has.
    pub closures: Vec<StoredClosed>,
    /// The same, opened.
    pub closed: Vec<Closed>,
    /// The report as it was stored; why it cannot be read.
    pub report: Result<Report, VaultError>,
    /// Statements that do not count, and why.
    pub problems: Vec<Problem>,
}

impl Record {
    /// Reads a drill. That its report cannot be read is no error: [`report`](Self::report) says why.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`]; what is wrong with the copies of the record, when none is good; when no replica
    /// can be listed.
    pub async fn load(vault: &Vault, stored: StoredDrill, people: &[Person]) -> Result<Self, VaultError> {
        let (mut statements, mut problems) = statements(vault, &stored, &signatories(people)?).await?;
        let report = read_report(vault, &stored.file).await;
        let mut stated = Vec::with_capacity(statements.len());
        for statement in &statements {
            match opened(vault, &statement.file, people) {
                Ok(one) => stated.push(one),
                Err(why) => {
                    let detail = format!("it does not count, and nothing behind it does: {why}");
                    problems.push(Problem::new(BROKEN, &statement.file.key, detail));
                    break;
                }
            }
        }
        statements.truncate(stated.len());
        // Answers at the table may have found something since.
        let found = report.as_ref().map(|report| after(report, &stated, &[]).findings).unwrap_or_default();
        let is_met = |finding: &str| found.iter().any(|own| own.id == finding);
        let closures: Vec<StoredClosed> =
            closures(vault).await?.into_values().filter(|own| is_met(&own.file.finding)).collect();
        let closed = closures.iter().map(|own| Closed {
            finding: own.file.finding.clone(),
            at: own.file.at.clone(),
            by: own.file.by.clone(),
            note: open_note(vault, &own.file.note),
        });
        let closed = closed.collect();
        Ok(Self { stored, statements, stated, closed, closures, report, problems })
    }

    /// The report as it stands now; `None` where it cannot be read.
    pub fn now(&self) -> Option<Report> {
        self.report.as_ref().ok().map(|report| after(report, &self.stated, &self.closed))
    }

    /// Whether anything was said or closed since the report was written.
    pub fn is_continued(&self) -> bool {
        !self.stated.is_empty() || !self.closed.is_empty()
    }

    /// What somebody would say, and whether they may; nothing is stored.
    ///
    /// # Errors
    ///
    /// [`RecordError`]: whoever is no person of the configuration, uses another key than theirs, or says what the
    /// rules refuse; when the report cannot be read, because nobody decides unseen; when what was said before is
    /// not whole.
    pub fn judge(
        &self,
        vault: &Vault,
        people: &[Person],
        by: &str,
        key: &SigningKey,
        what: What,
    ) -> Result<Stated, RecordError> {
        let person = person(people, by)?;
        if person.key != key.public().to_string() {
            return Err(RecordError::NotTheirKey {
                name: by.to_owned(),
                expected: person.key.clone(),
                found: key.public().to_string(),
            });
        }
        let id = &self.stored.file.drill;
        let report = match &self.report {
            Ok(report) => report,
            Err(error) => {
                let kind = if error.kind == ErrorKind::Identity { error.kind } else { ErrorKind::Refused };
                let why = with_causes(error);
                let error = VaultError::new(kind, format!("the report of drill {id} cannot be read: {why}"));
                return Err(error.hint(error_hint(kind)).into());
            }
        };
        if let Some(problem) = self.problems.iter().find(|problem| problem.code == BROKEN) {
            let what = format!(
                "what was said of drill {id} before is not whole: {}: {}",
                problem.subject, problem.detail
            );
            return Err(VaultError::new(ErrorKind::Refused, what)
                .hint(
                    "bring back the replica that holds the rest, or remove what nobody signed where it lies",
                )
                .into());
        }
        let for_ = match &what {
            What::Decision { gate, .. } => in_place_of(report, *gate, by),
            _ => None,
        };
        let (by, may_sign_off) = (by.to_owned(), person.may_sign_off);
        let stated = Stated { at: vault.now(), by, for_, may_sign_off, what };
        match refusal(report, &self.stated, &stated) {
            Some(refused) => Err(refused.into()),
            None => Ok(stated),
        }
    }

    /// Says something of it with the key of a person of the configuration, and stores it on every live replica.
    ///
    /// # Errors
    ///
    /// As [`judge`](Self::judge), and when somebody else spoke meanwhile: then nothing was stored.
    pub async fn say(
        &mut self,
        vault: &Vault,
        people: &[Person],
        by: &str,
        key: &SigningKey,
        what: What,
    ) -> Result<(), RecordError> {
        let stated = self.judge(vault, people, by, key, what)?;
        let (what, body) = sealed_form(&stated.what);
        let saying = Saying { by, for_: stated.for_.as_deref(), what, body: &body, key };
        let stored = state(vault, &self.stored, &self.statements, &saying).await?;
        self.statements.push(stored);
        self.stated.push(stated);
        Ok(())
    }
}

fn error_hint(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Identity => "pass --identity with an identity that reads content: nobody decides unseen",
        _ => "nobody decides on what cannot be read; `prismvault drill verify` says what is wrong with it",
    }
}

/// A person of the configuration.
///
/// # Errors
///
/// [`RecordError::Stranger`].
pub fn person<'p>(people: &'p [Person], name: &str) -> Result<&'p Person, RecordError> {
    people.iter().find(|own| own.name == name).ok_or_else(|| RecordError::Stranger {
        name: name.to_owned(),
        known: people.iter().map(|own| own.name.clone()).collect(),
    })
}

/// The people of a configuration, as their statements are checked.
///
/// # Errors
///
/// [`ErrorKind::Identity`] for a key that is none.
pub fn signatories(people: &[Person]) -> Result<Vec<Signatory>, VaultError> {
    people.iter().map(|own| Ok(Signatory { name: own.name.clone(), key: own.key.parse()? })).collect()
}

/// The report of a drill as it was stored.
///
/// # Errors
///
/// [`ErrorKind::Identity`] where no identity here reads it; [`ErrorKind::Integrity`] where it is damaged
/// everywhere, is no report, or not the one of this record; [`ErrorKind::NotFound`] where the record has none.
pub async fn read_report(vault: &Vault, file: &DrillFile) -> Result<Report, VaultError> {
    let attachment = attachment(file, files::JSON).ok_or_else(|| {
        VaultError::new(ErrorKind::NotFound, format!("the record of drill {} names no report", file.drill))
    })?;
    let bytes = read_file(vault, file, attachment).await?;
    let damaged = |why: &str| VaultError::damaged(files::JSON, &format!("drill {}", file.drill), why);
    let report: Report = serde_json::from_slice(&bytes).map_err(|error| damaged(&error.to_string()))?;
    match disagreements(file, &report).first() {
        None => Ok(report),
        Some(what) => Err(damaged(what)),
    }
}

/// An attachment of a record by its path.
pub fn attachment<'f>(file: &'f DrillFile, path: &str) -> Option<&'f DrillAttachment> {
    file.files.iter().find(|own| own.path == path)
}

/// What a report says otherwise than its record: nothing, where one program wrote both.
pub fn disagreements(file: &DrillFile, report: &Report) -> Vec<String> {
    let plan = attachment(file, files::PLAN).map(|own| own.sha256);
    let criteria = attachment(file, files::CRITERIA).map(|own| own.sha256);
    let differs = |own: Option<Digest>, said: &Digest| own.is_some_and(|own| own != *said);
    let checks = [
        ("the drill", report.drill != file.drill),
        ("the vault", report.vault != file.vault),
        ("the plan", report.plan != file.plan),
        ("whether it was a real disaster", report.real != file.real),
        ("the result", report.result != file.result),
        ("when it began", report.began != file.began),
        ("the criteria", report.criteria_sha256 != file.criteria),
        ("the criteria, as they are stored", differs(criteria, &report.criteria_sha256)),
        ("the plan, as it is stored", differs(plan, &report.plan_sha256)),
    ];
    let wrong = checks.into_iter().filter(|(_, wrong)| *wrong);
    wrong.map(|(what, _)| format!("it says otherwise than the record about {what}")).collect()
}

/// A statement as the rules judge it.
fn opened(vault: &Vault, file: &StatementFile, people: &[Person]) -> Result<Stated, String> {
    let may_sign_off = people.iter().any(|own| own.name == file.by && own.may_sign_off);
    understood(file, open_note(vault, &file.body), may_sign_off)
}

/// A statement with its body, as the rules judge it; `body` is `None` where nobody here reads it.
///
/// # Errors
///
/// In words, when this program does not know what was said.
pub fn understood(file: &StatementFile, body: Option<String>, may_sign_off: bool) -> Result<Stated, String> {
    let what = match &file.what {
        Statement::Decision { gate, verdict } => {
            What::Decision { gate: gate.parse::<Gate>()?, verdict: verdict.parse::<Verdict>()?, note: body }
        }
        Statement::Note => What::Note { text: body },
        Statement::Communication { id } => What::Communication { id: id.clone(), note: body },
        Statement::Tabletop => What::Answers {
            answers: body
                .map(|body| serde_json::from_str::<Vec<Answer>>(&body))
                .transpose()
                .map_err(|error| format!("its answers cannot be read: {error}"))?,
        },
    };
    Ok(Stated {
        at: file.at.parse().map_err(|_| format!("{:?} is no time", file.at))?,
        by: file.by.clone(),
        for_: file.for_.clone(),
        may_sign_off,
        what,
    })
}

/// What is written in the clear of a statement, and what is sealed.
fn sealed_form(what: &What) -> (Statement, String) {
    let text = |note: &Option<String>| note.clone().unwrap_or_default();
    match what {
        What::Decision { gate, verdict, note } => {
            let (gate, verdict) = (gate.name().to_owned(), verdict.name().to_owned());
            (Statement::Decision { gate, verdict }, text(note))
        }
        What::Note { text: note } => (Statement::Note, text(note)),
        What::Communication { id, note } => (Statement::Communication { id: id.clone() }, text(note)),
        What::Answers { answers } => {
            let answers = answers.as_deref().unwrap_or_default();
            (Statement::Tabletop, serde_json::to_string(answers).expect("answers always serialise"))
        }
    }
}

/// A finding that nobody has closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// The plan.
    pub plan: Name,
    /// The newest drill that met or carries it.
    pub drill: SnapshotId,
    /// The finding.
    pub finding: Finding,
}

/// Returns the findings that are open: those of the newest drill of each plan whose report can be read, without
/// those that somebody closed. A report that is damaged is a problem, and the one before it is taken.
///
/// # Errors
///
/// [`ErrorKind::Identity`] without an identity that reads content; when no replica can be listed.
pub async fn open_findings(
    vault: &Vault,
    people: &[Person],
) -> Result<(Vec<Open>, Vec<Problem>), VaultError> {
    vault.require_content_identity()?;
    let (drills, mut problems) = all(vault).await?;
    let closed = closures(vault).await?;
    let (mut open, mut seen) = (Vec::new(), BTreeSet::new());
    for drill in drills.iter().rev() {
        let file = &drill.file;
        if seen.contains(&file.plan) {
            continue;
        }
        let record = Record::load(vault, drill.clone(), people).await?;
        match record.report.as_ref().map(|_| record.now()) {
            Ok(now) => {
                seen.insert(file.plan.clone());
                let all = now.into_iter().flat_map(|now| now.findings);
                let own = all.filter(|own| !closed.contains_key(&own.id));
                open.extend(own.map(|finding| Open {
                    plan: file.plan.clone(),
                    drill: file.drill.clone(),
                    finding,
                }));
            }
            // One that was killed has none.
            Err(error) if error.kind == ErrorKind::NotFound => {}
            Err(error) => {
                let detail = format!("its report cannot be read: {}", with_causes(error));
                problems.push(Problem::new("drill-unreadable", &file.key, detail));
            }
        }
    }
    Ok((open, problems))
}

/// Finds a drill: by its id or the only one that begins so, `latest`, or `latest:PLAN`.
///
/// # Errors
///
/// [`RecordError::Unknown`] with what there is; those of reading records.
pub async fn find(vault: &Vault, typed: &str) -> Result<StoredDrill, RecordError> {
    let ids = ids(vault).await?;
    let newest = ids.last().cloned();
    let Some(newest) = newest else {
        return Err(RecordError::Unknown("this vault has no drill".to_owned()));
    };
    if typed == "latest" {
        return Ok(load(vault, &newest).await?);
    }
    if let Some(plan) = typed.strip_prefix("latest:") {
        for id in ids.iter().rev() {
            // One that is damaged may be the newest of the plan: nobody is given an older one for it unasked.
            let drill = load(vault, id).await?;
            if drill.file.plan.as_str() == plan {
                return Ok(drill);
            }
        }
        return Err(RecordError::Unknown(format!("this vault has no drill of a plan {plan:?}")));
    }
    let mut found = ids.iter().filter(|id| id.as_str().starts_with(typed));
    match (found.next(), found.next()) {
        (Some(id), None) => Ok(load(vault, id).await?),
        (Some(id), Some(_)) if id.as_str() == typed => Ok(load(vault, id).await?),
        (Some(first), Some(second)) => Err(RecordError::Unknown(format!(
            "{typed:?} begins the ids of several drills, such as {first} and {second}"
        ))),
        (None, _) => {
            Err(RecordError::Unknown(format!("this vault has no drill {typed:?}; the newest is {newest}")))
        }
    }
}
