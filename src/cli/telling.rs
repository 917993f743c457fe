//! Tells of the runs of jobs: hooks, pings and messages around what
//! [`carry_out`](super::jobs::work::carry_out) does.

use std::sync::{Arc, OnceLock};

use super::Context;
use super::error::CommandError;
use super::exit::Outcome;
use super::jobs::work::Order;
use super::record::Finding;
use crate::clock::Timestamp;
use crate::config::Config;
use crate::notify::{Notifier, RunEnd, RunFacts, Stopped};
use crate::progress::Problem;

/// Tells of one run.
pub(super) struct Telling<'a> {
    notifier: Notifier,
    order: &'a Order,
    context: &'a Context,
    began: Timestamp,
    stopped: OnceLock<Stopped>,
}

impl<'a> Telling<'a> {
    /// Returns what tells of an order that is about to be carried out.
    pub(super) fn of(order: &'a Order, config: &Config, context: &'a Context) -> Self {
        let notifier = Notifier::new(config, Arc::clone(&context.clock)).remembering(context.said.clone());
        Self { notifier, order, context, began: context.clock.now(), stopped: OnceLock::new() }
    }

    /// Tells that the run begins.
    ///
    /// # Errors
    ///
    /// When a hook stops it.
    pub(super) async fn before(&self) -> Result<(), Stopped> {
        match self.notifier.before(&self.facts(true)).await {
            Ok(problems) => {
                self.warn(problems);
                Ok(())
            }
            Err(stopped) => {
                self.stopped.set(stopped.clone()).ok();
                Err(stopped)
            }
        }
    }

    /// Tells how it ended. Another attempt may follow, and what somebody stopped is made up for;
    /// then only hooks are told.
    pub(super) async fn ended(&self, result: &Result<Outcome, CommandError>) {
        let outcome = match result {
            Ok(outcome) => *outcome,
            Err(error) => error.kind.outcome(),
        };
        let end = match self.stopped.get() {
            Some(stopped) => RunEnd::Stopped(stopped.clone()),
            None => match self.context.record.finding().filter(|_| has_work_for_people(outcome)) {
                Some(Finding { what, next }) => RunEnd::Found { exit_code: outcome.code(), what, next },
                None => RunEnd::Ended(outcome.code()),
            },
        };
        let job = &self.order.job;
        let took = (self.context.clock.now() - self.began).to_std().unwrap_or_default();
        let is_last = match outcome {
            Outcome::Interrupted if took < job.timeout => false,
            Outcome::Interrupted | Outcome::Failed => {
                !self.order.is_retried || self.order.attempt > job.retries
            }
            _ => true,
        };
        let vault = self.context.record.vault();
        self.warn(self.notifier.ended(vault.as_deref(), &self.facts(is_last), &end).await);
    }

    fn facts(&self, is_last: bool) -> RunFacts<'_> {
        RunFacts {
            job: &self.order.job,
            run: &self.context.run,
            planned: self.order.planned,
            began: self.began,
            attempt: self.order.attempt,
            is_last,
        }
    }

    /// That somebody was not told must not go unseen either.
    fn warn(&self, problems: Vec<Problem>) {
        for problem in problems {
            self.context.output.warning(format!("{}: {}", problem.subject, problem.detail));
        }
    }
}

/// Whether a run did its work, and what it found is for people to do.
fn has_work_for_people(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::ObjectiveMissed | Outcome::Partial)
}
