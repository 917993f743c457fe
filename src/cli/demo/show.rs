//! What people see of a demo while it runs.

use std::time::Instant;

use serde::Serialize;
use serde_json::Value;

use crate::cli::Context;
use crate::cli::error::CommandError;
use crate::cli::output::Page;
use crate::cli::text::{Style, Text};
use crate::cli::units::human_duration;

/// What a step tells when it ends well.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// For people: figures, and what they show.
    pub(super) lines: Vec<String>,
    /// For programs.
    pub(super) figures: Value,
}

/// One step in the report.
#[derive(Debug, Serialize)]
pub(super) struct StepReport {
    number: usize,
    name: &'static str,
    title: &'static str,
    succeeded: bool,
    seconds: f64,
    figures: Value,
}

/// Runs the steps and tells of them.
pub(super) struct Show<'a> {
    context: &'a Context,
    steps: Vec<StepReport>,
}

impl<'a> Show<'a> {
    pub(super) fn new(context: &'a Context) -> Self {
        Self { context, steps: Vec::new() }
    }

    pub(super) fn context(&self) -> &'a Context {
        self.context
    }

    /// All steps so far.
    pub(super) fn steps(&self) -> &[StepReport] {
        &self.steps
    }

    /// Runs one step: title before, figures after.
    ///
    /// # Errors
    ///
    /// Why the step failed, with its number and title above.
    pub(super) async fn step<T>(
        &mut self,
        name: &'static str,
        title: &'static str,
        work: impl Future<Output = Result<(T, Told), CommandError>>,
    ) -> Result<T, CommandError> {
        let number = self.steps.len() + 1;
        if self.context.cancel.is_cancelled() {
            return Err(CommandError::interrupted());
        }
        self.line("")?;
        self.line(Text::styled(Style::Bold, format!("{number:>2}  {title}")))?;
        let began = Instant::now();
        let ended = work.await;
        let took = began.elapsed();
        let mut step = StepReport {
            number,
            name,
            title,
            succeeded: ended.is_ok(),
            seconds: took.as_secs_f64(),
            figures: Value::Null,
        };
        let result = match ended {
            Ok((made, told)) => {
                for (index, line) in told.lines.iter().enumerate() {
                    let text = Text::from(format!("    {line}"));
                    self.line(match index {
                        0 => text.and(Style::Dim, format!("  [{}]", human_duration(took))),
                        _ => text,
                    })?;
                }
                step.figures = told.figures;
                Ok(made)
            }
            Err(error) => Err(error.within(format!("step {number} ({title}) failed"))),
        };
        self.steps.push(step);
        result
    }

    /// Shows a line to people, now.
    pub(super) fn line(&self, text: impl Into<Text>) -> Result<(), CommandError> {
        if self.context.output.is_json() {
            return Ok(());
        }
        self.context.output.item(None, &Value::Null, || Page::new().line(text))
    }
}
