//! `prismvault drill note`: a note, or that a communication was made.

use super::speaking::Speaking;
use crate::cli::confirm::parse_reason;
use crate::cli::error::CommandError;
use crate::cli::record::Effect;
use crate::cli::{Context, Outcome};
use crate::drill::report::after::What;

/// Arguments of `drill note`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The drill: its id or the beginning of it, latest, latest:PLAN
    drill: String,
    /// The note; kept encrypted like content
    #[arg(long, value_name = "TEXT", value_parser = parse_reason)]
    note: String,
    /// A communication that was due and has been made, by the id that `drill show` prints
    #[arg(long, value_name = "ID")]
    communication: Option<String>,
    #[command(flatten)]
    speaking: Speaking,
}

impl Args {
    pub(super) fn effect(&self) -> Effect {
        self.speaking.effect("drill note")
    }
}

pub(super) async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let Args { drill, note, communication, speaking } = args;
    let (what, done) = match communication {
        None => (What::Note { text: Some(note) }, "a note".to_owned()),
        Some(id) => {
            let done = format!("the communication {id} has been made");
            (What::Communication { id, note: Some(note) }, done)
        }
    };
    speaking.speak(&drill, context, |_| Ok((what, done))).await
}
