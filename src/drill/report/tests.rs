use super::after::{Refused, Stated, What, after, in_place_of, refusal};
use super::sample::{real, sample};
use super::*;
use crate::drill::gate::{Gate, Standing, Verdict};
use Standing::{NotReached, Passed, Stopped, Waits};

fn stated(n: u32, by: &str, what: What) -> Stated {
    let at = format!("2026-11-21T10:{n:02}:00Z").parse().unwrap();
    Stated { at, by: by.to_owned(), for_: None, may_sign_off: true, what }
}

fn decided(n: u32, by: &str, gate: Gate, verdict: Verdict) -> Stated {
    stated(n, by, What::Decision { gate, verdict, note: Some("looked at it".to_owned()) })
}

fn go(n: u32, by: &str, gate: Gate) -> Stated {
    decided(n, by, gate, Verdict::Go)
}

fn no(n: u32, by: &str, gate: Gate) -> Stated {
    decided(n, by, gate, Verdict::NoGo)
}

fn standings(report: &Report) -> Vec<Standing> {
    report.gates.iter().map(|own| own.standing).collect()
}

#[test]
fn decisions_of_those_who_may_pass_one_gate_after_the_other() {
    let recorded = sample();
    assert_eq!(after(&recorded, &[], &[]), recorded, "nothing was said, and nothing is different");
    let mut accepted = go(2, "dora", Gate::Acceptance);
    accepted.for_ = in_place_of(&recorded, Gate::Acceptance, "dora");
    assert_eq!(accepted.for_.as_deref(), Some("clara"));
    let all = [
        go(1, "bela", Gate::Functional),
        accepted,
        go(3, "emil", Gate::Limited),
        go(4, "clara", Gate::Declared),
    ];
    let now = after(&recorded, &all, &[]);
    assert_eq!(standings(&now), [Passed; 7]);
    assert_eq!(now.deviations, recorded.deviations);
    assert_eq!(now.gates[4].evidence, "go by the substitute of its owner, 2026-11-21T10:02:00Z");
    assert_eq!((now.gates[4].owner.as_deref(), now.gates[5].owner.as_deref()), (Some("clara"), Some("emil")));
    let said: Vec<_> = now.said.iter().map(|own| (own.by.as_str(), own.for_.as_deref(), own.gate)).collect();
    assert_eq!(said[1], ("dora", Some("clara"), Some(Gate::Acceptance)));
    // Eight hours after it began.
    let last = now.timeline.last().unwrap();
    assert_eq!((last.at_ms, last.by.as_str()), ((8 * 60 + 4) * 60_000, "clara"));
    assert_eq!(last.what, "go at the gate declared: looked at it");
    assert_eq!((now.result, &now.outcome), (recorded.result, &recorded.outcome), "as the machine saw it");
}

#[test]
fn a_no_stops_all_behind_it_and_what_was_decided_there_is_decided_anew() {
    let recorded = sample();
    let mut all = vec![
        go(1, "bela", Gate::Functional),
        go(2, "clara", Gate::Acceptance),
        no(3, "bela", Gate::Functional),
    ];
    let now = after(&recorded, &all, &[]);
    assert_eq!(standings(&now)[3..], [Stopped, NotReached, NotReached, NotReached]);
    assert!(now.outcome.ends_with("stopped by its owner at the gate functional"), "{}", now.outcome);
    assert_eq!(now.gates[4].verdict, None);
    all.push(go(4, "bela", Gate::Functional));
    assert_eq!(standings(&after(&recorded, &all, &[]))[3..], [Passed, Waits, NotReached, NotReached]);
    // What the machine passed a person may stop, and only that person's no can be taken back.
    all.push(no(5, "clara", Gate::Integrity));
    let now = after(&recorded, &all, &[]);
    assert_eq!(standings(&now)[..3], [Passed, Stopped, NotReached]);
    assert_eq!(now.gates[1].owner.as_deref(), Some("machine"));
    all.push(go(6, "clara", Gate::Integrity));
    assert_eq!(standings(&after(&recorded, &all, &[]))[..4], [Passed, Passed, Passed, Waits]);
}

/// The report, what was said before, what somebody says, and why it is refused; nothing where it is taken.
#[test]
fn who_may_not_say_something_is_told_why_before_and_it_counts_for_nothing_afterwards() {
    let recorded = sample();
    let mut stopped = sample();
    (stopped.gates[1].verdict, stopped.gates[1].standing) = (Some(Verdict::NoGo), Stopped);
    let mut unseen = sample();
    (unseen.gates[2].verdict, unseen.gates[2].standing) = (None, Waits);
    let mut without_dora = sample();
    without_dora.scenario.push("dora cannot be reached".to_owned());
    let mut fewer = sample();
    fewer.gates.pop();
    let may_not = Stated { may_sign_off: false, ..go(1, "bela", Gate::Functional) };
    let for_bela = Stated { for_: Some("bela".to_owned()), ..go(2, "clara", Gate::Acceptance) };
    let functional = || vec![go(1, "bela", Gate::Functional)];
    let limited = || [functional(), vec![go(2, "clara", Gate::Acceptance)]].concat();
    let cases = [
        (&recorded, vec![], go(1, "clara", Gate::Acceptance), "functional is not passed"),
        (&recorded, vec![], no(1, "clara", Gate::Acceptance), "functional is not passed"),
        (&recorded, vec![], go(1, "clara", Gate::Functional), "bela decides at the gate functional"),
        (&recorded, vec![], go(1, "anna", Gate::Functional), "anna was away"),
        (&recorded, vec![], no(1, "anna", Gate::Integrity), "anna was away"),
        (&recorded, vec![], may_not, "may not sign off"),
        (&recorded, vec![], go(1, "clara", Gate::Integrity), "may only stop it"),
        (
            &recorded,
            functional(),
            go(2, "bela", Gate::Acceptance),
            "clara decides at the gate acceptance, or dora",
        ),
        (&without_dora, functional(), go(2, "dora", Gate::Acceptance), "dora was away"),
        (&recorded, functional(), for_bela, "does not stand in for bela"),
        (&recorded, limited(), go(3, "anna", Gate::Limited), "anna was away"),
        (&stopped, vec![], go(1, "clara", Gate::Integrity), "drill again"),
        (&stopped, vec![], go(1, "bela", Gate::Functional), "integrity is stopped"),
        (&unseen, vec![], go(1, "clara", Gate::Privacy), "saw nothing that decides it"),
        (&fewer, vec![], go(1, "clara", Gate::Declared), "has no gate declared"),
    ];
    for (report, before, next, words) in cases {
        let refused = refusal(report, &before, &next).unwrap_or_else(|| panic!("{next:?} is taken"));
        assert!(refused.to_string().contains(words), "{next:?}: {refused}");
        // Somebody signs it all the same, with another program.
        let now = after(report, &[before.clone(), vec![next.clone()]].concat(), &[]);
        let mut expected = after(report, &before, &[]);
        let (n, by) = (before.len() + 1, &next.by);
        expected.deviations.push(format!("statement {n}, by {by}, does not count: {refused}"));
        assert_eq!(now, expected, "{next:?}");
    }
    assert_eq!(refusal(&recorded, &functional(), &go(2, "dora", Gate::Acceptance)), None);
    assert_eq!(refusal(&recorded, &limited(), &no(3, "emil", Gate::Limited)), None);
    let away = stated(1, "anna", What::Note { text: Some("I was on leave".to_owned()) });
    assert_eq!(refusal(&recorded, &[], &away), None, "a note is no decision");
}

#[test]
fn a_communication_is_made_once_and_answers_are_to_questions_that_were_asked() {
    let made = |n, id: &str| stated(n, "bela", What::Communication { id: id.to_owned(), note: None });
    let report = real();
    let now = after(&report, &[made(1, "authority")], &[]);
    let communications = &now.incident.as_ref().unwrap().communications;
    assert_eq!(communications[0].done.as_deref(), Some("2026-11-21T10:01:00Z"));
    assert_eq!(communications[1].done, None);
    assert_eq!(now.said[0].communication.as_deref(), Some("authority"));
    assert!(matches!(
        refusal(&report, &[made(1, "authority")], &made(2, "authority")),
        Some(Refused::AlreadyMade { .. })
    ));
    let unknown = refusal(&report, &[made(1, "authority")], &made(2, "press")).unwrap().to_string();
    assert!(unknown.contains("open are contacts-blog"), "{unknown}");
    assert!(refusal(&sample(), &[], &made(1, "authority")).is_some(), "a rehearsal has none");

    let answers = |n, by: &str, id: &str, text: &str| {
        let answer = Answer {
            id: id.to_owned(),
            question: String::new(),
            answer: Some(text.to_owned()),
            rating: Some(Rating::MajorChallenges),
            by: None,
        };
        stated(n, by, What::Answers { answers: Some(vec![answer]) })
    };
    let all =
        [answers(1, "bela", "recovery-key", "the safe"), answers(2, "clara", "recovery-key", "the bank")];
    let now = after(&sample(), &all, &[]);
    let own = &now.tabletop[0];
    assert_eq!((own.answer.as_deref(), own.by.as_deref()), (Some("the bank"), Some("clara")));
    assert!(own.question.contains("recovery identity"), "the question stays");
    assert_eq!((own.rating, now.tabletop[1].answer.as_ref()), (Some(Rating::MajorChallenges), None));
    assert_eq!(
        refusal(&sample(), &[], &answers(1, "bela", "dns", "x")),
        Some(Refused::NoSuchQuestion("dns".to_owned()))
    );
}

fn closed(finding: &str) -> Closed {
    Closed {
        finding: finding.to_owned(),
        at: "2026-11-22T09:00:00Z".to_owned(),
        by: "bela".to_owned(),
        note: Some("clara mended it".to_owned()),
    }
}

#[test]
fn a_finding_is_open_until_it_is_closed_and_others_do_not_appear() {
    let recorded = sample();
    let now = after(&recorded, &[], &[closed(&recorded.findings[0].id), closed("F-of-another-drill-1")]);
    assert_eq!(now.findings, recorded.findings, "what was met was met");
    assert_eq!(now.closed, [closed(&recorded.findings[0].id)]);
    let open: Vec<&str> = now.open_findings().map(|own| own.id.as_str()).collect();
    assert_eq!(open, [recorded.findings[1].id.as_str()]);
    let csv = String::from_utf8(csv::findings_since(&now.findings, &now.closed)).unwrap();
    let lines: Vec<&str> = csv.lines().collect();
    assert!(lines[1].ends_with(",2026-11-22T09:00:00Z,bela") && lines[2].ends_with(",,"), "{csv}");
}

#[test]
fn nothing_that_names_people_or_is_content_is_in_what_auditors_get() {
    let mut report = real();
    report.outcome = "annabel and anna were told".to_owned();
    let answer = Answer { answer: Some("dora has it".to_owned()), ..report.tabletop[0].clone() };
    let all = [
        go(1, "bela", Gate::Functional),
        Stated { for_: Some("clara".to_owned()), ..go(2, "dora", Gate::Acceptance) },
        stated(3, "emil", What::Note { text: Some("ask clara".to_owned()) }),
        stated(4, "clara", What::Answers { answers: Some(vec![answer]) }),
        go(5, "anna", Gate::Limited),
    ];
    let now = after(&report, &all, &[closed(&report.findings[0].id)]);
    assert_eq!((now.said.len(), now.deviations.len()), (4, 2), "{:?}", now.deviations);
    let masked = now.for_auditors();
    assert_eq!(masked.outcome, "annabel and person 1 were told", "one name is the beginning of another word");
    let json = String::from_utf8(files::json(&masked)).unwrap().replace("annabel", "");
    for word in
        ["anna", "bela", "clara", "dora", "emil", "dr@example.org", "Prices", "looked at", "backup-1", "ask "]
    {
        assert!(!json.contains(word), "{word}: {json}");
    }
    // Who decided what can be followed all the same.
    assert_eq!(masked.said[0].by, masked.gates[3].owner.clone().unwrap());
    assert_eq!(masked.said[1].for_, masked.gates[4].owner);
    assert_eq!(
        masked.gates.iter().map(|own| own.verdict).collect::<Vec<_>>(),
        now.gates.iter().map(|own| own.verdict).collect::<Vec<_>>()
    );
    assert_eq!(masked.participants[0].name, "person 1");
    assert_eq!(masked.timeline[0].by, "machine");
    assert_eq!(masked.repositories[0].lost_edits.as_ref().unwrap()[0].id, "YxP1");
    assert_eq!(masked.for_auditors().said, masked.said, "once is enough");
}
