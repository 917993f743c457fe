//! What was rehearsed, by whom and where; and what a real disaster asks for besides.

use super::{LINES_MAX, NESTED_MAX, REPOSITORIES_MAX, WHOLE, last_known, or_none, time_of, when};
use crate::drill::page::{Cell, Column, Mark, Sheet};
use crate::drill::report::{Communication, Incident, Report};

/// Scope, scenario, exclusions, known limits.
pub(super) fn scope(sheet: &mut Sheet, report: &Report) {
    sheet.section("scope", "Scope and scenario");
    let columns = [
        Column::text("Repository"),
        Column::text("Snapshot"),
        Column::time("Taken"),
        Column::time("Newest edit in it"),
        Column::number("Documents"),
        Column::number("Assets"),
        Column::number("As they were"),
    ];
    let maybe =
        |text: &Option<String>| Cell::text(text.as_deref().map_or_else(|| "not known".to_owned(), when));
    let rows = report.repositories.iter().map(|own| {
        let snapshot = match &own.snapshot {
            Some(snapshot) => Cell::code(snapshot),
            None => Cell::mark(Mark::Bad, "none was found"),
        };
        let mut row = vec![Cell::head(&own.repository), snapshot, maybe(&own.taken), maybe(&own.newest_edit)];
        let numbers = [own.documents, own.assets, own.compared];
        row.extend(numbers.map(|(all, those)| Cell::text(format!("{those} of {all}"))));
        row
    });
    sheet.table("What was recovered: restored of what the snapshot has, and as they were of what was compared field by field.", &columns, rows, (REPOSITORIES_MAX, WHOLE));
    or_none(sheet, report.repositories.is_empty(), "Nothing was recovered.");
    sheet.part(if report.real { "What happened" } else { "What was made to happen" });
    sheet.list(report.scenario.iter(), LINES_MAX, WHOLE);
    or_none(sheet, report.scenario.is_empty(), "Nothing: everything was there.");
    sheet.part("Left out on purpose");
    let columns = [Column::text("What"), Column::wide("Why")];
    if report.exclusions.is_empty() {
        sheet.say_as("soft", "Nothing was left out.");
    } else {
        let rows = report.exclusions.iter().map(|(what, why)| vec![Cell::head(what), Cell::text(why)]);
        sheet.table("Exclusions.", &columns, rows, (LINES_MAX, WHOLE));
    }
    sheet.part("What no recovery can bring back, known before it began");
    sheet.list(report.limits.iter(), LINES_MAX, WHOLE);
    or_none(sheet, report.limits.is_empty(), "Nothing is listed.");
    if !report.abandoned.is_empty() {
        sheet.part("Drills that were killed, and after which this one cleaned up");
        sheet.list(report.abandoned.iter(), LINES_MAX, WHOLE);
    }
}

/// Participants and contacts.
pub(super) fn people(sheet: &mut Sheet, report: &Report) {
    sheet.section("people", "People");
    let columns =
        [Column::text("Name"), Column::text("Role"), Column::text("Substitute"), Column::text("Took part")];
    let rows = report.participants.iter().map(|own| {
        vec![
            Cell::head(&own.name),
            Cell::text(&own.role),
            Cell::text(own.substitute.as_deref().unwrap_or("nobody")),
            match own.absent {
                true => Cell::mark(Mark::Warn, "taken away by the scenario"),
                false => Cell::text("as planned"),
            },
        ]
    });
    match report.participants.is_empty() {
        true => sheet.say_as("soft", "The plan names nobody: this drill shows nothing of people."),
        false => sheet.table("Participants.", &columns, rows, (NESTED_MAX, WHOLE)),
    }
    sheet.part("Whom to call");
    if report.contacts.is_empty() {
        sheet.say_as("soft", "Neither the plan nor the configuration names contacts.");
        return;
    }
    let columns = [Column::text("Repository"), Column::wide("Contacts")];
    let rows = report.contacts.iter().map(|(name, whom)| vec![Cell::head(name), Cell::text(whom.join("\n"))]);
    sheet.table("Contacts.", &columns, rows, (NESTED_MAX, WHOLE));
}

/// Where it ran.
pub(super) fn environment(sheet: &mut Sheet, report: &Report) {
    let own = &report.environment;
    sheet.section("environment", "Environment");
    sheet.facts(&[
        ("Program", Cell::text(&own.tool)),
        ("Host", Cell::text(&own.host)),
        ("Recovered to", Cell::text(&own.target)),
        ("Configuration, SHA-256", Cell::code(own.configuration)),
    ]);
    sheet.part("Isolation");
    sheet.list(own.isolation.iter(), LINES_MAX, WHOLE);
    or_none(sheet, own.isolation.is_empty(), "The report says nothing of what kept the copy apart.");
    sheet.part("Replicas");
    if own.replicas.is_empty() {
        sheet.say_as("soft", "No replica is listed.");
    } else {
        let columns = [Column::text("Replica"), Column::wide("Part that it took")];
        let rows = own.replicas.iter().map(|(name, part)| vec![Cell::head(name), Cell::text(part)]);
        sheet.table("Replicas.", &columns, rows, (LINES_MAX, WHOLE));
    }
    sheet.part("Identities that were used");
    sheet.list(own.identities.iter(), LINES_MAX, WHOLE);
    or_none(sheet, own.identities.is_empty(), "None: nothing had to be decrypted, or no key was there.");
}

/// A real disaster: when it struck, and who is to be told until when.
pub(super) fn incident(sheet: &mut Sheet, own: &Incident, report: &Report) {
    sheet.section("incident", "The incident");
    let personal = match own.personal_data {
        Some(true) => Cell::mark(Mark::Bad, "concerned"),
        Some(false) => Cell::text("not concerned"),
        None => Cell::mark(Mark::Warn, "nobody knows yet: the deadline runs all the same"),
    };
    sheet.facts(&[
        ("Struck", Cell::text(when(&own.struck))),
        ("Known since", Cell::text(when(&own.aware))),
        ("Personal data", personal),
    ]);
    sheet.part("Who is to be told");
    if own.communications.is_empty() {
        sheet.say_as("soft", "Nobody is listed.");
        return;
    }
    let columns = [
        Column::text("Id"),
        Column::text("To"),
        Column::wide("What, and why"),
        Column::time("Due"),
        Column::text("Stands"),
        Column::time("Done"),
    ];
    let rows = own.communications.iter().map(|one| {
        vec![
            Cell::head(&one.id),
            Cell::text(&one.to),
            Cell::text(&one.why),
            Cell::text(one.due.as_deref().map_or_else(|| "without undue delay".to_owned(), when)),
            stands(one, report),
            Cell::text(one.done.as_deref().map_or_else(|| "not yet".to_owned(), when)),
        ]
    });
    let caption = "Deadlines count from when the incident was known (GDPR Art. 33: 72 hours).";
    sheet.table(caption, &columns, rows, (NESTED_MAX, WHOLE));
}

fn stands(one: &Communication, report: &Report) -> Cell {
    let due = one.due.as_deref().and_then(time_of);
    let is_over = |at| due.is_some_and(|due| at > due);
    match one.done.as_deref() {
        Some(done) if time_of(done).is_some_and(is_over) => Cell::mark(Mark::Bad, "done too late"),
        Some(_) => Cell::mark(Mark::Good, "done"),
        None if last_known(report).is_some_and(is_over) => Cell::mark(Mark::Bad, "overdue"),
        None => Cell::mark(Mark::Warn, "open"),
    }
}
