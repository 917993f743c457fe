//! The pack as a page: for the table, and for paper.

use std::time::Duration;

use super::inventory::{Held, Inventory};
use super::worksheet::name_of;
use super::{Pack, Question};
use crate::drill::measure::in_words;
use crate::drill::page::charts::{Kind, bar};
use crate::drill::page::{Cell, Column, Mark, Sheet};
use crate::drill::report::Rating;

/// Where everything is that a page leaves out.
const WHOLE: &str = "tabletop.json";
const ROWS_MAX: usize = 300;
/// Empty lines of the decision log.
const DECISIONS: usize = 14;

pub(super) fn page(pack: &Pack) -> String {
    let title = format!("Tabletop: {}", pack.title);
    let mut sheet = Sheet::new(&title, &format!("Tabletop {} {}", pack.plan, pack.inventory.made));
    sheet.say_as("lead", &pack.summary);
    sheet.say(
        "For the parts of a recovery that no machine can rehearse. One person leads, and reads out what happens at each \
         time; the others say what they would do, and look it up rather than guess. Somebody writes answers into \
         tabletop.csv, and decisions into the log at the end.",
    );
    sheet.contents();
    scenario(&mut sheet, pack);
    people(&mut sheet, pack);
    inventory(&mut sheet, &pack.inventory);
    predicted(&mut sheet, pack);
    questions(&mut sheet, &pack.questions);
    decisions(&mut sheet);
    sheet.finish()
}

fn scenario(sheet: &mut Sheet, pack: &Pack) {
    sheet.section("scenario", "Scenario");
    sheet.list(pack.scenario.iter(), ROWS_MAX, WHOLE);
    if pack.scenario.is_empty() {
        sheet.say_as(
            "soft",
            "The plan injects nothing: everything is there, and content is lost in Prismic alone.",
        );
    }
    let rows = pack.objectives.iter().map(|(name, target)| vec![Cell::head(name), Cell::text(target)]);
    let columns = [Column::text("Objective"), Column::wide("To be reached")];
    sheet.table("What is to be reached.", &columns, rows, (ROWS_MAX, WHOLE));
}

fn people(sheet: &mut Sheet, pack: &Pack) {
    sheet.section("people", "Who is at the table");
    let columns = [
        Column::wide("Role"),
        Column::text("Name"),
        Column::text("Substitute"),
        Column::text("In this scenario"),
        Column::text("Present"),
    ];
    let rows = pack.participants.iter().map(|own| {
        vec![
            Cell::head(&own.role),
            Cell::text(&own.name),
            Cell::text(own.substitute.as_deref().unwrap_or("nobody")),
            match own.absent {
                true => Cell::mark(Mark::Warn, "cannot be reached"),
                false => Cell::text("takes part"),
            },
            Cell::Blank,
        ]
    });
    match pack.participants.is_empty() {
        true => sheet.say_as("soft", "The plan names nobody."),
        false => sheet.table("Participants of the plan.", &columns, rows, (ROWS_MAX, WHOLE)),
    }
    let columns = [Column::text("Gate"), Column::text("Who decides"), Column::wide("Criterion")];
    let rows = pack.gates.iter().map(|(gate, owner, criterion)| {
        let owner = match owner {
            Some(owner) => Cell::text(owner),
            None => Cell::mark(Mark::Warn, "nobody is named"),
        };
        vec![Cell::head(gate), owner, Cell::text(criterion)]
    });
    sheet.table("The way back to service.", &columns, rows, (ROWS_MAX, WHOLE));
    let people = &pack.inventory.people;
    match people.is_empty() {
        true => sheet.say("The configuration gives nobody a key to sign off with."),
        false => sheet.say(&format!("May sign off: {}.", people.join(", "))),
    }
}

fn inventory(sheet: &mut Sheet, own: &Inventory) {
    sheet.section("inventory", "Inventory");
    sheet.facts(&[("Vault", Cell::code(own.vault)), ("As of", Cell::text(&own.made))]);
    let columns = [
        Column::text("Repository"),
        Column::text("At Prismic"),
        Column::number("Snapshots"),
        Column::text("Newest complete"),
        Column::time("Age"),
        Column::number("Documents"),
        Column::number("Assets"),
        Column::number("Bytes"),
        Column::text("On"),
        Column::wide("Contacts"),
    ];
    sheet.table(
        "Repositories, in the order of recovery.",
        &columns,
        own.repositories.iter().map(held),
        (ROWS_MAX, WHOLE),
    );
    let columns = [
        Column::text("Replica"),
        Column::text("Region"),
        Column::wide("Where"),
        Column::text("Lock"),
        Column::wide("When this was made"),
    ];
    let rows = own.replicas.iter().map(|own| {
        vec![
            Cell::head(&own.name),
            Cell::text(own.region.as_deref().unwrap_or("none")),
            Cell::code(&own.place),
            Cell::text(own.lock.as_deref().unwrap_or("none")),
            match &own.failure {
                Some(why) => Cell::mark(Mark::Bad, why),
                None => Cell::text("could be read"),
            },
        ]
    });
    sheet.table("Copies of the vault.", &columns, rows, (ROWS_MAX, WHOLE));
    let columns = [
        Column::text("Key"),
        Column::wide("Public half"),
        Column::text("Whose"),
        Column::text("This host looks for one of its kind in"),
    ];
    let rows = own.keys.iter().map(|own| {
        vec![
            Cell::head(&own.what),
            own.public.as_ref().map_or_else(|| Cell::text("not known here"), Cell::code),
            match &own.holder {
                Some(holder) => Cell::text(holder),
                None => Cell::mark(Mark::Warn, "nobody has said"),
            },
            Cell::text(own.place.as_deref().unwrap_or("nowhere")),
        ]
    });
    sheet.table("Keys, and who holds them as far as is known.", &columns, rows, (ROWS_MAX, WHOLE));
    match &own.last {
        Some(last) => sheet.say(&format!(
            "Last drill of this plan: {}, began {}, {}, to {}; {} findings were open.",
            last.drill,
            last.began,
            last.result.words(),
            last.target,
            last.findings
        )),
        None => sheet.say("There was no drill of this plan yet."),
    }
}

fn held(own: &Held) -> Vec<Cell> {
    let mut row = vec![Cell::head(&own.repository), Cell::text(&own.prismic), Cell::text(own.snapshots)];
    match &own.newest {
        Some(newest) => row.extend([
            Cell::code(&newest.snapshot),
            Cell::text(in_words(Duration::from_secs(newest.age_seconds))),
            Cell::text(newest.documents),
            Cell::text(newest.assets),
            Cell::text(newest.bytes),
            Cell::text(newest.on.join("\n")),
        ]),
        None => {
            row.push(Cell::mark(Mark::Bad, "none"));
            row.extend(["", "", "", "", ""].map(Cell::text));
        }
    }
    row.push(match own.contacts.is_empty() {
        true => Cell::mark(Mark::Warn, "nobody is named"),
        false => Cell::text(own.contacts.join("\n")),
    });
    row
}

fn predicted(sheet: &mut Sheet, pack: &Pack) {
    sheet.section("predicted", "Predicted times");
    let floor_ms = pack.floor.seconds.saturating_mul(1000);
    let ends = pack.predicted.iter().filter_map(|own| own.ends_ms);
    let whole = ends.max().unwrap_or(0);
    let time =
        |ms: Option<u64>| ms.map_or_else(|| "not known".to_owned(), |ms| in_words(Duration::from_millis(ms)));
    let columns = [
        Column::text("Phase"),
        Column::wide("From beginning to end"),
        Column::number("Takes"),
        Column::number("Ends at T+"),
        Column::wide("From"),
    ];
    let mut rows: Vec<Vec<Cell>> = pack
        .predicted
        .iter()
        .map(|own| {
            let drawn = match own.ends_ms.zip(own.takes_ms) {
                Some((end, takes)) => {
                    let title = format!("ends {} after the beginning", time(Some(end)));
                    Cell::Drawn(bar((end.saturating_sub(takes), end), whole, Kind::Usual, &title))
                }
                None => Cell::text(""),
            };
            vec![
                Cell::head(own.phase.name()),
                drawn,
                Cell::text(time(own.takes_ms)),
                Cell::text(time(own.ends_ms)),
                Cell::text(&own.from),
            ]
        })
        .collect();
    rows.push(vec![
        Cell::head("floor"),
        match floor_ms <= whole {
            true => Cell::Drawn(bar((0, floor_ms), whole, Kind::Floor, "least time of writing into Prismic")),
            // Beside it nothing else could be seen.
            false => Cell::text("longer than all of the above"),
        },
        Cell::text(time(Some(floor_ms))),
        Cell::text(""),
        Cell::text(format!("least time of writing all of it into Prismic: {}", pack.floor.bound)),
    ]);
    sheet.table("What the machine does; people come on top.", &columns, rows.into_iter(), (ROWS_MAX, WHOLE));
}

fn questions(sheet: &mut Sheet, questions: &[Question]) {
    sheet.section("script", "Script: what happens, and what is asked");
    for own in questions.iter().take(ROWS_MAX) {
        sheet.begin_inject();
        sheet.part(&format!("T+{} min: {}", own.minute, own.inject));
        sheet.say(&own.question);
        let clause = own.clause.map(|clause| format!(" ({clause})")).unwrap_or_default();
        sheet.say_as("soft", &format!("{}{clause}", own.id));
        sheet.end_inject();
    }
    sheet.more(questions.len().saturating_sub(ROWS_MAX), WHOLE);
    let words = |rating, words: &str| format!("{}: {words}", name_of(rating));
    sheet.part("Ratings");
    let ratings = [
        words(Rating::Performed, "it was done, and nothing stood in the way"),
        words(Rating::SomeChallenges, "it was done, and something should be mended"),
        words(Rating::MajorChallenges, "it was done late, or in part: becomes a finding"),
        words(Rating::Unable, "it could not be done: becomes a grave finding"),
    ];
    sheet.list(ratings.iter(), ratings.len(), WHOLE);
}

fn decisions(sheet: &mut Sheet) {
    sheet.section("decisions", "Decision log");
    let columns = [
        Column::text("T+"),
        Column::wide("Decided"),
        Column::wide("On what grounds"),
        Column::text("By whom"),
        Column::text("Who was told"),
    ];
    let rows = (0..DECISIONS).map(|_| vec![Cell::Blank, Cell::Blank, Cell::Blank, Cell::Blank, Cell::Blank]);
    sheet.table("What was decided, as it was decided.", &columns, rows, (DECISIONS, WHOLE));
}
