//! A report for auditors outside: without what may be content, and without the names of people.
//!
//! Counts, ids, times, standings and decisions stay. The same person is the same `person N` everywhere, so that
//! who decided what can be followed. What people wrote themselves is left out, because it may name anybody.

use super::Report;
use crate::drill::timeline::MACHINE;

/// What stands where something was left out.
const LEFT_OUT: &str = "(left out)";

/// Names, and what stands in their place.
struct Aliases(Vec<String>);

impl Aliases {
    fn of(report: &Report) -> Self {
        let mut names: Vec<String> = Vec::new();
        let mut add = |name: &str| {
            if !name.is_empty() && name != MACHINE && !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        };
        for own in &report.participants {
            add(&own.name);
            own.substitute.iter().for_each(|name| add(name));
        }
        report.gates.iter().filter_map(|gate| gate.owner.as_deref()).for_each(&mut add);
        report.findings.iter().for_each(|finding| add(&finding.owner));
        add(&report.owner);
        report.timeline.iter().for_each(|entry| add(&entry.by));
        for said in &report.said {
            add(&said.by);
            said.for_.iter().for_each(|name| add(name));
        }
        report.closed.iter().for_each(|closed| add(&closed.by));
        report.tabletop.iter().filter_map(|answer| answer.by.as_deref()).for_each(&mut add);
        report.approved.iter().for_each(|approved| add(&approved.by));
        Self(names)
    }

    fn alias(&self, name: &str) -> String {
        match self.0.iter().position(|own| own == name) {
            _ if name == MACHINE => name.to_owned(),
            Some(at) => format!("person {}", at + 1),
            None => "a person".to_owned(),
        }
    }

    /// A line of the program, in which names may stand.
    fn mask(&self, line: &mut String) {
        let mut names: Vec<&String> = self.0.iter().collect();
        // The longest first: "anna" is the beginning of "annabel".
        names.sort_by_key(|name| std::cmp::Reverse(name.len()));
        for name in names {
            if line.contains(name.as_str()) {
                *line = replace_words(line, name, &self.alias(name));
            }
        }
    }
}

/// Replaces a name where it stands for itself, and not as a part of another word.
fn replace_words(line: &str, name: &str, alias: &str) -> String {
    let mut done = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find(name) {
        let (before, from) = rest.split_at(at);
        let behind = &from[name.len()..];
        let joins = |char: Option<char>| char.is_some_and(char::is_alphanumeric);
        let is_word = !joins(before.chars().next_back().or_else(|| done.chars().next_back()))
            && !joins(behind.chars().next());
        done.push_str(before);
        done.push_str(if is_word { alias } else { name });
        rest = behind;
    }
    done.push_str(rest);
    done
}

impl Report {
    /// Without what may be content or name people: for auditors outside. Counts, ids, times and decisions stay.
    #[must_use]
    pub fn for_auditors(&self) -> Self {
        let aliases = Aliases::of(self);
        let mut own = self.clone();
        for edit in own.repositories.iter_mut().flat_map(|own| own.lost_edits.iter_mut()).flatten() {
            edit.title = None;
        }
        for one in &mut own.participants {
            one.substitute = one.substitute.as_deref().map(|name| aliases.alias(name));
            one.name = aliases.alias(&one.name);
        }
        for gate in &mut own.gates {
            gate.owner = gate.owner.as_deref().map(|owner| aliases.alias(owner));
            aliases.mask(&mut gate.evidence);
        }
        // A report of before has none.
        if !own.owner.is_empty() {
            own.owner = aliases.alias(&own.owner);
        }
        for finding in &mut own.findings {
            finding.owner = aliases.alias(&finding.owner);
            aliases.mask(&mut finding.what);
        }
        for entry in own.timeline.iter_mut().filter(|entry| entry.by != MACHINE) {
            entry.by = aliases.alias(&entry.by);
            "(a note by a person)".clone_into(&mut entry.what);
        }
        own.timeline.iter_mut().for_each(|entry| aliases.mask(&mut entry.what));
        for (_, whom) in &mut own.contacts {
            *whom = vec![format!("{} contacts", whom.len())];
        }
        people(&mut own, &aliases);
        let lines = own.scenario.iter_mut().chain(&mut own.deviations).chain(&mut own.limits);
        lines.chain(&mut own.abandoned).for_each(|line| aliases.mask(line));
        own.exclusions.iter_mut().for_each(|(_, why)| aliases.mask(why));
        aliases.mask(&mut own.outcome);
        for check in &mut own.checks {
            aliases.mask(&mut check.expected);
            aliases.mask(&mut check.seen);
        }
        LEFT_OUT.clone_into(&mut own.environment.host);
        own
    }
}

/// What people said, answered, closed, approved and are to be told.
fn people(own: &mut Report, aliases: &Aliases) {
    for said in &mut own.said {
        said.by = aliases.alias(&said.by);
        said.for_ = said.for_.as_deref().map(|name| aliases.alias(name));
        said.note = None;
    }
    for answer in &mut own.tabletop {
        answer.by = answer.by.as_deref().map(|name| aliases.alias(name));
        if let Some(answer) = &mut answer.answer {
            LEFT_OUT.clone_into(answer);
        }
        aliases.mask(&mut answer.question);
    }
    for closed in &mut own.closed {
        closed.by = aliases.alias(&closed.by);
        closed.note = None;
    }
    if let Some(approved) = &mut own.approved {
        approved.by = aliases.alias(&approved.by);
    }
    for one in own.incident.iter_mut().flat_map(|incident| &mut incident.communications) {
        // Whom to call is people; who is to be told by law is not.
        if one.id.starts_with("contacts") {
            LEFT_OUT.clone_into(&mut one.to);
        }
        aliases.mask(&mut one.why);
    }
}
