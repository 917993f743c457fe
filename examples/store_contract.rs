//! Tries on a real store what the contract of stores says: for those who want to know whether a
//! store can hold a vault, and for `scripts/test-moto`.
//!
//! ```text
//! cargo run --example store_contract -- s3://bucket/prefix --endpoint http://127.0.0.1:9000 --path-style
//! ```
//!
//! First it probes the store, as `prismvault` would. Then it checks every line of the contract with
//! what the probe left of the store's abilities. Credentials come from the usual AWS sources. It
//! leaves nothing behind but objects that a lock protects, for five minutes at most.
//!
//! An example and not a test: it needs something that the repository does not hold, and a test that
//! is left out quietly is worth nothing.

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use chrono::TimeDelta;
use clap::Parser;
use prismvault::clock::SystemClock;
use prismvault::limits::Limits;
use prismvault::objects::contract::{self, Line};
use prismvault::objects::probe::probe;
use prismvault::objects::probed::ProbedStore;
use prismvault::objects::url::{Opening, ReplicaOptions, open_replica};
use prismvault::objects::{LockMode, LockRule, ObjectStore};

/// Tries on a real store what the contract of stores says.
#[derive(Debug, Parser)]
struct Arguments {
    /// s3://BUCKET/PREFIX, file:///DIRECTORY, or the path of a directory
    place: String,
    /// address of a store that is not Amazon's
    #[arg(long, value_name = "URL")]
    endpoint: Option<url::Url>,
    /// region of the bucket
    #[arg(long)]
    region: Option<String>,
    /// the bucket goes into the path
    #[arg(long)]
    path_style: bool,
    /// the bucket has Object Lock: governance or compliance
    #[arg(long, value_name = "MODE")]
    lock: Option<String>,
    /// line of the contract that the store is known not to keep; it fails when it keeps it
    #[arg(long, value_name = "LINE")]
    except: Vec<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(code) => code,
        Err(err) => {
            let mut text = err.to_string();
            let mut cause = err.source();
            while let Some(source) = cause {
                text = format!("{text}: {source}");
                cause = source.source();
            }
            say(&format!("error: {text}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let limits = Limits::default();
    let lock = match arguments.lock.as_deref() {
        None => None,
        Some("governance") => Some(LockMode::Governance),
        Some("compliance") => Some(LockMode::Compliance),
        Some(other) => return Err(format!("{other} is no mode of Object Lock").into()),
    };
    let options = ReplicaOptions {
        opening: Opening::Create,
        endpoint: arguments.endpoint,
        region: arguments.region,
        force_path_style: arguments.path_style,
        lock: lock.map(|mode| LockRule { mode, window: TimeDelta::minutes(5) }),
        ..ReplicaOptions::default()
    };
    let store = open_replica(&arguments.place, &options, &limits).await?;
    let found = probe(&store, &SystemClock, &limits, "prismvault-probe").await;
    say(&serde_json::to_string_pretty(&found)?);

    let abilities = found.abilities(store.abilities());
    say(&format!("{abilities:?}"));
    let store: Arc<dyn ObjectStore> = Arc::new(ProbedStore::new(store, abilities));
    let mut wrong = 0;
    for line in Line::ALL {
        let excused = arguments.except.contains(&format!("{line:?}"));
        match (contract::check(&store, line).await, excused) {
            (Ok(()), false) => say(&format!("kept       {line:?}")),
            (Err(violation), true) => say(&format!("excused    {violation}")),
            (Ok(()), true) => {
                wrong += 1;
                say(&format!("KEPT NOW   {line:?}: do not except it any more"));
            }
            (Err(violation), false) => {
                wrong += 1;
                say(&format!("VIOLATED   {violation}"));
            }
        }
    }
    say(&format!("{} lines, {wrong} not as expected", Line::ALL.len()));
    Ok(if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn say(text: &str) {
    // Whoever closed standard output does not want to know.
    drop(writeln!(std::io::stdout(), "{text}"));
}
