//! Makes a vault of many nightly snapshots, and searches it for an invented person: how fast, in how much
//! memory, and how often each item is read. `scripts/bench-privacy` compares it with others.
//!
//! ```text
//! cargo run --release --example privacy-pass -- make DIRECTORY [--documents N] [--snapshots N] [--plain]
//! cargo run --release --example privacy-pass -- search DIRECTORY [--frequent]
//! cargo run --release --example privacy-pass -- order DIRECTORY
//! cargo run --release --example privacy-pass -- erase DIRECTORY
//! cargo run --release --example privacy-pass -- leaks DIRECTORY
//! ```
//!
//! `make` writes a vault into a directory that must not exist: documents of the project's own generator in
//! five languages, of which one in a hundred changes every night. Beside it lie `packs.txt` (the packs with
//! documents, whose frames `zstd -dc` reads where the vault is `--plain`) and `patterns.txt` (what the person
//! is looked for by, a line each). `search` looks for the person once, and prints what it took as one line of
//! JSON; with `--frequent` also by a name of which parts are in many documents.
//!
//! `order` plans the erasure of the person and puts its order into the ledger; `erased.txt` then names bodies and
//! headers of the packs that hold them. `erase` rewrites and destroys these, and `leaks` looks afterwards for what
//! is left in any encoding. `scripts/bench-privacy-erase` measures it.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

mod contents;
mod erase;
mod measure;
mod place;

/// What the command line says.
struct Arguments {
    command: String,
    directory: PathBuf,
    documents: usize,
    snapshots: usize,
    plain: bool,
    frequent: bool,
}

impl Arguments {
    fn read(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut next = |what: &str| words.next().ok_or_else(|| format!("{what} is missing"));
        let (command, directory) = (next("a command")?, next("a directory")?.into());
        let mut arguments =
            Self { command, directory, documents: 1000, snapshots: 1, plain: false, frequent: false };
        while let Some(word) = words.next() {
            let mut number = || {
                let number = words.next().and_then(|number| number.parse().ok()).filter(|number| *number > 0);
                number.ok_or_else(|| format!("{word} wants a number"))
            };
            match &*word {
                "--documents" => arguments.documents = number()?,
                "--snapshots" => arguments.snapshots = number()?,
                "--plain" => arguments.plain = true,
                "--frequent" => arguments.frequent = true,
                _ => return Err(format!("unknown option {word}")),
            }
        }
        Ok(arguments)
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let mut out = std::io::stdout();
    let mut say = |line: &str| {
        // Whoever does not listen any more wants nothing.
        writeln!(out, "{line}").ok();
    };
    let arguments = match Arguments::read(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(error) => {
            say(&error);
            return ExitCode::from(2);
        }
    };
    let done = match &*arguments.command {
        "make" => place::make(&arguments).await,
        "search" => measure::search(&arguments).await,
        "order" => Box::pin(erase::order(&arguments)).await,
        "erase" => Box::pin(erase::erase(&arguments)).await,
        "leaks" => Box::pin(erase::leaks(&arguments)).await,
        other => Err(format!("unknown command {other}").into()),
    };
    match done {
        Ok(line) => {
            say(&line.to_string());
            ExitCode::SUCCESS
        }
        Err(error) => {
            say(&format!("privacy-pass: {error}"));
            ExitCode::FAILURE
        }
    }
}
