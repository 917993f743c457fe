//! Documents: created in the order of the plan, sent again where links came later, published.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::super::super::error::Result;
use super::super::convert::{Converted, Finding, FindingKind, convert};
use super::super::entries::{Entry, Fate, Request, Thing};
use super::super::ids::KnownIds;
use super::super::order::Step;
use super::super::plan::{Leader, Planned};
use super::super::source::memory;
use super::{Applied, Applying, Made, PASSES_MAX, Refusal, Sent, embeds, said};
use crate::prismic::write::{DocumentContent, NewDocument};
use crate::prismic::{ErrorKind as ApiErrorKind, PrismicError, parse_json};
use crate::progress::Phase;
use crate::vault::pack::ItemData;

/// What became of a step in a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progressed {
    /// Nothing is left to do.
    Done,
    /// It was done now.
    Now,
    /// It waits for the answer to another request that was lost.
    Deferred,
}

impl Applying<'_> {
    /// Goes through the steps until nothing is left that can be done.
    pub(super) async fn documents(&mut self) -> Result<Applied> {
        self.take_documents().await?;
        let total = self.work().steps.iter().filter(|step| !matches!(step, Step::Publish { .. })).count();
        self.tools.progress.start(Phase::Restore, Some(total as u64));
        if let Some(waits) = self.go_on_after_publish().await? {
            return Ok(waits);
        }
        for pass in 0..PASSES_MAX {
            let mut deferred = 0;
            for step in &self.work().steps {
                match self.step(*step, pass).await? {
                    StepEnd::Is(Progressed::Deferred) => deferred += 1,
                    StepEnd::Is(_) => {}
                    StepEnd::Waits(waits) => return Ok(waits),
                }
            }
            let open = self.open_creates();
            if deferred == 0 && open == 0 && self.recorded.staged().is_empty() {
                self.tools.progress.finish(Phase::Restore);
                return Ok(Applied::Live);
            }
            // What is open is known once it is published.
            if let Some(waits) = self.publish().await? {
                return Ok(waits);
            }
        }
        Ok(Applied::Open)
    }

    /// Documents of which nobody knows whether they were created.
    fn open_creates(&self) -> usize {
        self.recorded.unknown().filter(|request| matches!(request, Request::Create(_))).count()
    }

    /// Notes which documents of the target stand for documents of the snapshot.
    async fn take_documents(&mut self) -> Result<()> {
        let work = self.work();
        let replaced = work.documents.iter().filter_map(|planned| {
            let there = planned.there.as_ref()?;
            Some((&planned.document.id, there))
        });
        for (old, there) in replaced.chain(work.kept.iter().map(|(old, there)| (old, there))) {
            if !self.recorded.documents.contains_key(old) {
                let thing = Thing::Document(old.clone());
                let published = self.existing.documents.get(there).and_then(|there| there.published.clone());
                self.note(Entry::Taken { thing, id: there.to_string(), url: None, published }).await?;
            }
        }
        Ok(())
    }

    async fn step(&mut self, step: Step, pass: u32) -> Result<StepEnd> {
        let progressed = match step {
            Step::Create { node, .. } => match self.create(node).await? {
                StepEnd::Is(progressed) => progressed,
                waits @ StepEnd::Waits(_) => return Ok(waits),
            },
            Step::Replace { node } => self.send_again(node, Again::Replace).await?,
            Step::Complete { node } => self.send_again(node, Again::Complete).await?,
            Step::Publish { .. } => {
                return Ok(match self.publish().await? {
                    Some(waits) => StepEnd::Waits(waits),
                    None => StepEnd::Is(Progressed::Done),
                });
            }
        };
        if progressed == Progressed::Now || (pass == 0 && progressed == Progressed::Done) {
            self.tools.progress.advance(Phase::Restore, 1, 0);
        }
        Ok(StepEnd::Is(progressed))
    }

    /// Creates a document.
    async fn create(&mut self, node: u32) -> Result<StepEnd> {
        let planned = &self.work().documents[node as usize];
        let id = &planned.document.id;
        let request = Request::Create(id.clone());
        match self.fate(&request) {
            // Incomplete where a link's target got its id only later, though the plan foresaw none.
            Fate::Done => return Ok(StepEnd::Is(self.send_again(node, Again::Complete).await?)),
            Fate::Refused => return Ok(StepEnd::Is(Progressed::Done)),
            // Whoever has a UID is told by a conflict whether it is there; of others only a publish tells.
            Fate::Unknown if planned.document.uid.is_none() => return Ok(StepEnd::Is(Progressed::Deferred)),
            Fate::Unknown | Fate::Undone => {}
        }
        let alternate_language_id = match self.leader(planned) {
            LeaderId::None => None,
            LeaderId::Known(id) => Some(id),
            LeaderId::Later => return Ok(StepEnd::Is(Progressed::Deferred)),
        };
        // The steps publish in time; more than they foresaw was staged by others or in passes.
        if self.is_release_full()
            && let Some(waits) = self.publish().await?
        {
            return Ok(StepEnd::Waits(waits));
        }
        let Some(converted) = self.converted(planned).await? else {
            return Ok(StepEnd::Is(Progressed::Done));
        };
        let incomplete = converted.is_pending;
        let mut document = NewDocument {
            title: converted.title,
            type_: converted.type_,
            lang: converted.lang,
            uid: converted.uid,
            tags: converted.tags,
            alternate_language_id,
            data: converted.data,
        };
        let writer = self.tools.writer;
        let made = |id: &String| Made { id: Some(id.clone()), incomplete, ..Made::default() };
        let refusal = Refusal::of_whole(&converted.findings);
        let mut sent =
            self.send_or(refusal, request.clone(), writer.create_document(&document), made).await?;
        let embeds = (&converted.findings[..], &mut document.data);
        if let Some(left_out) = self.without_embeds(&request, &sent, refusal, embeds).await? {
            sent = self.send(request.clone(), writer.create_document(&document), made).await?;
            self.tell_embeds(id, &sent, &left_out);
        }
        Ok(StepEnd::Is(match sent {
            Sent::Done(_) => Progressed::Now,
            Sent::Lost => Progressed::Deferred,
            Sent::Refused(_) if self.fate(&request) == Fate::Unknown => Progressed::Deferred,
            Sent::Refused(error) => {
                self.refused(id, &error);
                Progressed::Done
            }
        }))
    }

    /// Takes out of a document the embeds for which it was refused; `None`: it was not, or for something
    /// else.
    async fn without_embeds<T>(
        &mut self,
        request: &Request,
        sent: &Sent<T>,
        refusal: Refusal,
        (findings, data): (&[Finding], &mut Map<String, Value>),
    ) -> Result<Option<Vec<String>>> {
        let (Sent::Refused(error), Refusal::MayBeMended) = (sent, refusal) else { return Ok(None) };
        // One that may be there all the same is not sent in another form.
        if self.fate(request) == Fate::Unknown {
            return Ok(None);
        }
        let left_out = embeds::leave_out(error, findings, data);
        if left_out.is_empty() {
            self.note(Entry::Undone { request: request.clone(), refused: true }).await?;
            return Ok(None);
        }
        Ok(Some(left_out))
    }

    fn tell_embeds<T>(&mut self, id: &str, sent: &Sent<T>, left_out: &[String]) {
        if matches!(sent, Sent::Done(_)) {
            let places = left_out.join(", ");
            let why = format!(
                "it is there without embeds that the target refuses, as their page is gone: {places}"
            );
            self.problem("embeds-left-out", id, why);
        }
    }

    /// Notes a document that the target does not take.
    fn refused(&mut self, id: &str, error: &PrismicError) {
        self.hopeless.insert(id.into());
        let (code, why) = match error.kind() {
            ApiErrorKind::Conflict => (
                "uid-taken",
                "its UID is taken by a document that the target did not have when this restore was planned, or by a \
                 draft there"
                    .to_owned(),
            ),
            _ => ("document-refused", format!("the target does not take this document: {}", said(error))),
        };
        self.problem(code, id, why);
    }

    /// Sends a document that has an id: with all its links, or in place of what is there.
    async fn send_again(&mut self, node: u32, why: Again) -> Result<Progressed> {
        let planned = &self.work().documents[node as usize];
        let id = &planned.document.id;
        let request = match why {
            Again::Complete => Request::Complete(id.clone()),
            Again::Replace => Request::Replace(id.clone()),
        };
        let Some(there) = self.recorded.documents.get(id) else {
            let is_lost = self.fate(&Request::Create(id.clone())) == Fate::Unknown;
            return Ok(if is_lost { Progressed::Deferred } else { Progressed::Done });
        };
        let is_needed = match why {
            Again::Complete => there.incomplete,
            Again::Replace => self.fate(&request) != Fate::Done || there.incomplete,
        };
        if !is_needed || self.fate(&request) == Fate::Refused {
            return Ok(Progressed::Done);
        }
        let new_id = there.id.clone();
        let Some(converted) = self.converted(planned).await? else { return Ok(Progressed::Done) };
        let incomplete = converted.is_pending;
        if incomplete && (why == Again::Complete || self.fate(&request) == Fate::Done) {
            return Ok(Progressed::Deferred);
        }
        let mut content = DocumentContent {
            title: converted.title,
            uid: converted.uid,
            tags: converted.tags,
            data: converted.data,
        };
        let writer = self.tools.writer;
        let made = |(): &()| Made { incomplete, ..Made::default() };
        let refusal = Refusal::of_whole(&converted.findings);
        let sending = writer.replace_document(&new_id, &content);
        let mut sent = self.send_or(refusal, request.clone(), sending, made).await?;
        let embeds = (&converted.findings[..], &mut content.data);
        if let Some(left_out) = self.without_embeds(&request, &sent, refusal, embeds).await? {
            sent = self.send(request, writer.replace_document(&new_id, &content), made).await?;
            self.tell_embeds(id, &sent, &left_out);
        }
        match sent {
            Sent::Done(()) => Ok(Progressed::Now),
            Sent::Lost => Ok(Progressed::Deferred),
            Sent::Refused(error) => {
                let what = match why {
                    Again::Complete => "it is there without links to documents that came later",
                    Again::Replace => "the target's document stays as it was",
                };
                self.problem("document-refused", id, format!("{what}: {}", said(&error)));
                Ok(Progressed::Done)
            }
        }
    }

    /// Returns the id by which a translation is linked, when it is created.
    fn leader(&self, planned: &Planned) -> LeaderId {
        let at = match &planned.translation_of {
            None => return LeaderId::None,
            Some(Leader::There(id)) => return LeaderId::Known(id.to_string()),
            Some(Leader::Planned(at)) => *at,
        };
        let leader = &self.work().documents[at as usize].document.id;
        match self.recorded.documents.get(leader) {
            Some(document) => LeaderId::Known(document.id.clone()),
            // It is better to have it without its translation than not at all.
            None if self.hopeless.contains(leader) => LeaderId::None,
            None => LeaderId::Later,
        }
    }

    /// Reads a document from the vault, as it is to be sent now; `None` where it cannot be read.
    async fn converted(&mut self, planned: &Planned) -> Result<Option<Converted>> {
        let document = &planned.document;
        let read = match &planned.overlay {
            Some(overlay) => Ok(ItemData::Memory(overlay.clone())),
            None => self.reader.item(document.item).await,
        };
        let data = match read {
            Ok(data) => memory(data)?,
            Err(error) => {
                self.hopeless.insert(document.id.clone());
                self.problem("item-damaged", &document.id, crate::vault::replica::with_causes(&error));
                return Ok(None);
            }
        };
        let value: Map<String, Value> = match parse_json(&data) {
            Ok(Value::Object(object)) => object,
            _ => {
                self.hopeless.insert(document.id.clone());
                self.problem("not-restorable", &document.id, "what the vault holds of it is not a document");
                return Ok(None);
            }
        };
        let ids = KnownIds {
            recorded: &self.recorded,
            planned: &self.work().planned,
            hopeless: &self.hopeless,
            existing: self.existing,
            earlier: &self.work().earlier,
            names: &self.work().asset_names,
        };
        match convert(&value, &self.work().target_models, &ids) {
            Ok(converted) => Ok(Some(converted)),
            Err(error) => {
                self.hopeless.insert(document.id.clone());
                self.problem("not-restorable", &document.id, error.to_string());
                Ok(None)
            }
        }
    }

    fn is_release_full(&self) -> bool {
        self.recorded.staged().len() as u64 >= u64::from(self.choice.release_documents)
    }

    /// Ids in the target of all documents that are in the release.
    pub(super) fn staged_ids(&self) -> HashSet<String> {
        let staged = self.recorded.staged().iter();
        staged
            .filter_map(|old| self.recorded.documents.get(old))
            .map(|document| document.id.clone())
            .collect()
    }
}

impl Refusal {
    /// What a refusal of a document as a whole means: it may be for its embeds, whose pages may be gone.
    fn of_whole(findings: &[Finding]) -> Self {
        match findings.iter().any(|finding| finding.kind == FindingKind::Embed) {
            true => Self::MayBeMended,
            false => Self::IsFinal,
        }
    }
}

/// How a step ended.
enum StepEnd {
    Is(Progressed),
    Waits(Applied),
}

/// Why a document is sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Again {
    Complete,
    Replace,
}

/// The id by which a translation is linked.
enum LeaderId {
    /// It is linked to nothing.
    None,
    Known(String),
    /// Not known yet.
    Later,
}
