//! Models, and tags of the media library: both are known by names, so lost answers do no harm.

use std::collections::BTreeMap;

use super::super::super::error::Result;
use super::super::entries::{Fate, Request};
use super::super::models::{Action, ModelStep};
use super::super::plan::model_request;
use super::super::source::SLICES;
use super::{Applying, Made, Sent, said};
use crate::prismic::ErrorKind as ApiErrorKind;
use crate::prismic::write::ModelKind;
use crate::progress::Phase;

impl Applying<'_> {
    /// Writes the models that the target lacks: shared slices, then custom types.
    pub(super) async fn models(&mut self) -> Result<()> {
        let work = self.work();
        let steps = &work.models.steps;
        self.tools.progress.start(Phase::Models, Some(steps.len() as u64));
        for step in steps {
            let request = model_request(step);
            if self.fate(&request) != Fate::Done {
                self.model(step, request).await?;
            }
            self.tools.progress.advance(Phase::Models, 1, 0);
        }
        self.tools.progress.finish(Phase::Models);
        Ok(())
    }

    async fn model(&mut self, step: &ModelStep, request: Request) -> Result<()> {
        let kind = if step.kind == SLICES { ModelKind::SharedSlice } else { ModelKind::CustomType };
        let writer = self.tools.writer;
        let mut action = step.action;
        for _ in 0..2 {
            let sending = async {
                match action {
                    Action::Insert => writer.insert_model(kind, step.bytes.clone()).await,
                    Action::Update => writer.update_model(kind, step.bytes.clone()).await,
                }
            };
            match self.send(request.clone(), sending, |()| Made::default()).await? {
                Sent::Done(()) => return Ok(()),
                // It came to be since the target was looked at: by this request, whose answer was
                // lost, or by somebody else.
                Sent::Refused(error)
                    if *error.kind() == ApiErrorKind::Conflict && action == Action::Insert =>
                {
                    action = Action::Update;
                }
                Sent::Lost => action = self.model_action(step).await?,
                Sent::Refused(error) => {
                    let why = format!("the target does not take this model: {}", said(&error));
                    self.problem("model-refused", &step.id, why);
                    return Ok(());
                }
            }
        }
        self.problem("model-unsure", &step.id, "whether the target took this model is not known");
        Ok(())
    }

    /// Looks whether a model whose answer was lost is there now.
    async fn model_action(&self, step: &ModelStep) -> Result<Action> {
        let (custom_types, slices) = self.tools.target.models().await.map_err(|error| self.stopped(error))?;
        let there = if step.kind == SLICES { slices } else { custom_types };
        Ok(match there.contains_key(&step.id) {
            true => Action::Update,
            false => Action::Insert,
        })
    }

    /// Creates the tags that assets need. Returns the ids of all by name.
    pub(super) async fn tags(&mut self) -> Result<BTreeMap<String, String>> {
        let work = self.work();
        let mut there = self.existing.tags.clone();
        for old in &work.tags {
            let request = Request::Tag(old.as_str().into());
            let name = &work.source.tags[old];
            // One whose answer was lost and that is not listed was never made.
            if there.contains_key(name) || self.fate(&request) == Fate::Refused {
                continue;
            }
            let writer = self.tools.writer;
            let sending = async { writer.create_asset_tag(name).await };
            let made =
                |tag: &crate::prismic::write::AssetTag| Made { id: Some(tag.id.clone()), ..Made::default() };
            match self.send(request, sending, made).await? {
                Sent::Done(tag) => {
                    there.insert(tag.name, tag.id);
                }
                // Another has made it meanwhile; or it is listed below.
                Sent::Refused(error) if *error.kind() == ApiErrorKind::Conflict => {}
                Sent::Lost => {}
                Sent::Refused(error) => {
                    self.problem(
                        "tag-refused",
                        old,
                        format!("the target does not take this tag: {}", said(&error)),
                    );
                }
            }
        }
        if work.tags.iter().any(|old| !there.contains_key(&work.source.tags[old])) {
            there = self.tools.target.tags().await.map_err(|error| self.stopped(error))?;
        }
        Ok(there)
    }
}
