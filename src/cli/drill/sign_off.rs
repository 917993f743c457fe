//! `prismvault drill sign-off`: a decision at a gate.

use super::speaking::Speaking;
use crate::cli::confirm::parse_reason;
use crate::cli::error::CommandError;
use crate::cli::record::Effect;
use crate::cli::{Context, Outcome};
use crate::drill::gate::{Gate, Verdict};
use crate::drill::report::after::What;

/// Arguments of `drill sign-off`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The drill: its id or the beginning of it, latest, latest:PLAN
    drill: String,
    /// The gate: quarantine, integrity, privacy, functional, acceptance, limited, declared
    #[arg(long, value_name = "GATE")]
    gate: Gate,
    /// The decision: go or no-go
    #[arg(long, value_name = "DECISION")]
    decision: Verdict,
    /// What it rests on; kept encrypted like content
    #[arg(long, value_name = "TEXT", value_parser = parse_reason)]
    note: String,
    #[command(flatten)]
    speaking: Speaking,
}

impl Args {
    pub(super) fn effect(&self) -> Effect {
        self.speaking.effect("drill sign-off")
    }
}

pub(super) async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let Args { drill, gate, decision: verdict, note, speaking } = args;
    context.record.about(format!("gate {gate}"));
    let done = format!("{} at the gate {gate}", verdict.name());
    let what = What::Decision { gate, verdict, note: Some(note) };
    speaking.speak(&drill, context, |_| Ok((what, done))).await
}
