//! Cases in the vault: read, and continued by an event.

use serde_json::value::RawValue;

use super::case::state::Horizon;
use super::case::{Case, CaseError, Event, What};
use crate::ids::{CaseId, Digest};
use crate::progress::Problem;
use crate::vault::case_files;
use crate::vault::error::{ErrorKind, Result, VaultError};
use crate::vault::format::request::RequestSummary;
use crate::vault::open::Vault;
use crate::vault::replica::with_causes;
use crate::vault::requests::{self, RequestRow};

/// A case, and the row of files it lies in.
#[derive(Debug)]
pub struct StoredCase {
    /// The case.
    pub case: Case,
    row: RequestRow,
    raw: Vec<Box<RawValue>>,
}

impl From<CaseError> for VaultError {
    fn from(error: CaseError) -> Self {
        let hint = error.next_step().unwrap_or_default();
        Self::new(ErrorKind::Refused, error.to_string()).hint(hint)
    }
}

/// Returns what everybody who reads catalogs may know of a case.
pub fn summary_of(case: &Case) -> RequestSummary {
    let due = case.is_owed().then(|| case.due());
    RequestSummary {
        case: case.id().clone(),
        state: case.state().stage.name().to_owned(),
        rights: case.rights().iter().map(|right| right.name().to_owned()).collect(),
        due: due.as_ref().map(|due| due.date),
        waits_for: due.and_then(|due| due.waits_for).map(|kind| kind.words().to_owned()),
        closed: case.state().stage.is_closed(),
        promised: match case.state().horizon {
            Some(Horizon::Pending(until)) => Some(until),
            Some(Horizon::Reached) | None => None,
        },
    }
}

impl StoredCase {
    /// Reads a case.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`]; [`ErrorKind::Identity`] when it cannot be read with what is here;
    /// [`ErrorKind::Integrity`] when its files or events do not fit together.
    pub async fn load(vault: &Vault, id: &CaseId) -> Result<Self> {
        let row = requests::load(vault, id).await?.ok_or_else(|| {
            VaultError::new(ErrorKind::NotFound, format!("there is no case {id}"))
                .hint("`prismvault privacy list --all` shows the cases")
        })?;
        let raw = row.events(vault)?;
        let broken = |n: usize, why: String| {
            VaultError::new(ErrorKind::Integrity, format!("entry {n} of case {id} does not fit: {why}"))
                .hint("a newer prismvault may have written it; use that one")
        };
        let mut events = Vec::with_capacity(raw.len());
        for (n, text) in (1..).zip(&raw) {
            // What serde says may quote what it read.
            let event = serde_json::from_str::<Event>(text.get());
            events.push(event.map_err(|_| broken(n, "it cannot be read".to_owned()))?);
        }
        let count = events.len();
        let case = Case::from_events(id.clone(), events).map_err(|error| broken(count, error.to_string()))?;
        Ok(Self { case, row, raw })
    }

    /// Makes a case without storing it: for its first event, or to see whether it may be.
    ///
    /// # Errors
    ///
    /// What is wrong with the event.
    pub fn draft(id: CaseId, received: Event) -> Result<Self> {
        let raw = vec![to_raw(&received)];
        let case = Case::open(id.clone(), received)?;
        Ok(Self { case, row: RequestRow::new(id), raw })
    }

    /// Stores the first event of a [draft](Self::draft).
    ///
    /// # Errors
    ///
    /// Those of [`RequestRow::append`].
    pub async fn store_draft(&mut self, vault: &Vault) -> Result<()> {
        let (Some(first), true) = (self.raw.first(), self.row.is_empty()) else { return Ok(()) };
        self.row.append(vault, first.clone(), Vec::new(), summary_of(&self.case)).await
    }

    /// Returns the case after an event, which is not stored.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Refused`], when the event is not allowed now.
    pub fn after(&self, event: Event) -> Result<Case> {
        let mut case = self.case.clone();
        case.apply(event)?;
        Ok(case)
    }

    /// Records an event on every live replica.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Refused`], when the event is not allowed now; those of [`RequestRow::append`].
    /// Then nothing was recorded.
    pub async fn record(&mut self, vault: &Vault, event: Event) -> Result<()> {
        let raw = to_raw(&event);
        let case = self.after(event)?;
        self.row.append(vault, raw.clone(), self.raw.clone(), summary_of(&case)).await?;
        self.raw.push(raw);
        self.case = case;
        Ok(())
    }

    /// Its files.
    pub fn row(&self) -> &RequestRow {
        &self.row
    }

    /// Whether a privacy recipient of now may be unable to read some of it.
    pub fn needs_rewrap(&self, vault: &Vault) -> bool {
        // A file was written on the day of the first event that names it.
        let is_for_all = |file: Digest| {
            let mut events = self.case.events().iter();
            let first = events.position(|event| event.what.files().all().any(|own| own == file));
            first.is_some_and(|at| self.row.is_for_all(vault, at))
        };
        self.row.needs_rewrap(vault) || !self.case.files().all().all(is_for_all)
    }
}

fn to_raw(event: &Event) -> Box<RawValue> {
    serde_json::value::to_raw_value(event).expect("events always serialise")
}

/// Reads every case; one that cannot be read is a problem.
///
/// # Errors
///
/// When no replica could be listed.
pub async fn load_all(vault: &Vault) -> Result<(Vec<StoredCase>, Vec<Problem>)> {
    let (mut cases, mut problems) = (Vec::new(), Vec::new());
    for id in requests::cases(vault).await? {
        match StoredCase::load(vault, &id).await {
            Ok(case) => cases.push(case),
            // One without any file by a trusted key is no case.
            Err(error) if error.kind == ErrorKind::NotFound => {}
            Err(error) => {
                let hint = error.next_step().map(|hint| format!("; {hint}")).unwrap_or_default();
                let detail = format!("{}{hint}", with_causes(&error));
                problems.push(Problem::new("case-unreadable", format!("case {id}"), detail));
            }
        }
    }
    cases.sort_by_key(|stored| (stored.case.state().stage.is_closed(), stored.case.due().date));
    Ok((cases, problems))
}

/// Stores the files of a case again. One that no replica has whole is left as it is: nothing can be
/// made readable of it.
async fn rewrapped(vault: &Vault, case: &Case) -> Result<What> {
    let again = async |file: Option<Digest>| match file {
        None => Ok(None),
        Some(file) => match case_files::load(vault, case.id(), &file).await {
            Ok(bytes) => case_files::store(vault, case.id(), bytes.into()).await.map(Some),
            Err(error) if error.is_damage() => Ok(None),
            Err(error) => Err(error),
        },
    };
    let files = case.files();
    let (decisions, key) = files.decisions.unzip();
    Ok(What::Rewrapped {
        search: again(files.search).await?,
        decisions: again(decisions).await?,
        key: again(key).await?,
        plan: again(files.plan).await?,
        evidence: again(files.evidence).await?,
    })
}

/// Makes every case readable for the privacy recipients of now, by an event in each that is not; returns
/// the cases.
///
/// # Errors
///
/// Those of reading and writing.
pub async fn rewrap(vault: &Vault, actor: &str, dry_run: bool) -> Result<Vec<CaseId>> {
    let mut done = Vec::new();
    for id in requests::cases(vault).await? {
        let mut stored = StoredCase::load(vault, &id).await?;
        if !stored.needs_rewrap(vault) {
            continue;
        }
        if !dry_run {
            let what = rewrapped(vault, &stored.case).await?;
            let event = Event { at: vault.now(), actor: actor.to_owned(), reason: None, what };
            stored.record(vault, event).await?;
        }
        done.push(id);
    }
    Ok(done)
}
