//! Recall and precision of the search for a person, cell by cell.
//!
//! ```text
//! cargo run --release --example privacy-corpus -- [--cells] [--without NAME]... [--each] [--erase]
//! ```
//!
//! `--cells` prints every cell (class, culture, channel), otherwise one line a class and culture.
//! `--without NAME` switches a normaliser off. `--each` switches each off in turn and fails when one
//! of them makes no class miss its gate: then nothing shows what it is good for. `--erase` erases every person from
//! a vault, and fails when a second scanner still finds one of them.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::ExitCode;

use prismvault::privacy::matching::Normaliser;

mod corpus;
mod erase;
mod measure;

use measure::{Cell, failures, measure};

/// The 95 % interval of Wilson for a share.
fn wilson(found: u32, of: u32) -> (f64, f64) {
    if of == 0 {
        return (0.0, 1.0);
    }
    let (n, z) = (f64::from(of), 1.96_f64);
    let share = f64::from(found) / n;
    let middle = share + z * z / (2.0 * n);
    let spread = z * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z * z / n;
    (((middle - spread) / scale).max(0.0), ((middle + spread) / scale).min(1.0))
}

/// Switches each normaliser off in turn, and fails when one makes no class miss its gate.
fn each_off(say: &mut impl FnMut(String) -> bool) -> ExitCode {
    let idle: Vec<&str> = Normaliser::ALL
        .into_iter()
        .filter(|normaliser| {
            let failures = failures(&measure(1, &[*normaliser]));
            say(format!(
                "without {normaliser}: {}",
                failures.first().map_or("NOTHING FAILS", String::as_str)
            ));
            failures.is_empty()
        })
        .map(Normaliser::name)
        .collect();
    if idle.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Erases everybody, and tells what is left of them.
fn erased(say: &mut impl FnMut(String) -> bool) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let erased =
        match runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(Box::pin(erase::erase(1)))) {
            Ok(erased) => erased,
            Err(error) => {
                say(format!("FAIL the people of the corpus cannot be erased: {error}"));
                return ExitCode::FAILURE;
            }
        };
    say(format!("{:<18} {:>7} {:>7}", "erased, by class", "planted", "left"));
    let mut left = erased.elsewhere;
    for (class, (planted, leaks)) in &erased.classes {
        left += leaks;
        say(format!("{class:<18} {planted:>7} {leaks:>7}"));
    }
    let (objects, unscanned) = erased.objects;
    say(format!("{left} leaks in {objects} objects, {unscanned} could not be looked into (goal: 0 and 0)"));
    if left == 0 && unscanned == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn main() -> ExitCode {
    let mut out = std::io::stdout().lock();
    let mut say = |line: String| writeln!(out, "{line}").is_ok();
    let (mut without, mut all_cells, mut each) = (Vec::new(), false, false);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--cells" => all_cells = true,
            "--each" => each = true,
            "--erase" => return erased(&mut say),
            "--without" => match arguments.next().unwrap_or_default().parse::<Normaliser>() {
                Ok(normaliser) => without.push(normaliser),
                Err(error) => {
                    say(format!("{error}; there are: {}", Normaliser::ALL.map(Normaliser::name).join(", ")));
                    return ExitCode::from(2);
                }
            },
            _ => {
                say(format!("unknown option {argument}"));
                return ExitCode::from(2);
            }
        }
    }
    if each {
        return each_off(&mut say);
    }
    let cells = measure(1, &without);
    let mut rows: BTreeMap<(String, String, String), Cell> = BTreeMap::new();
    let mut total = Cell::default();
    for ((_, class, culture, channel), cell) in &cells {
        let channel = if all_cells { channel.clone() } else { "all".to_owned() };
        let add = |row: &mut Cell| {
            row.planted += cell.planted;
            row.found += cell.found;
            row.wrong += cell.wrong;
            row.decoys += cell.decoys;
            row.shown += cell.shown;
        };
        add(rows.entry(((*class).to_owned(), (*culture).to_owned(), channel)).or_default());
        add(&mut total);
    }
    say(format!(
        "{:<18} {:<14} {:<14} {:>7} {:>7} {:>7}  95 %",
        "class", "culture", "channel", "planted", "found", "wrong"
    ));
    for ((class, culture, channel), cell) in &rows {
        let (low, high) = if cell.decoys > 0 {
            wilson(cell.decoys - cell.wrong, cell.decoys)
        } else {
            wilson(cell.found, cell.planted)
        };
        say(format!(
            "{class:<18} {culture:<14} {channel:<14} {:>7} {:>7} {:>7}  {low:.3}-{high:.3}",
            cell.planted + cell.decoys,
            cell.found,
            cell.wrong
        ));
    }
    let load = f64::from(total.shown) / f64::from(total.found.max(1));
    say(format!(
        "recall {}/{}, precision of A and B {}/{} decoys let be, {load:.2} findings shown a true hit",
        total.found,
        total.planted,
        total.decoys - total.wrong,
        total.decoys
    ));
    let failures = failures(&cells);
    for failure in &failures {
        say(format!("FAIL {failure}"));
    }
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
