//! Every state and event against a table, and random walks against what must always hold.

mod tasks;

use std::collections::{BTreeMap, HashSet};
use std::sync::Mutex;

use proptest::prelude::*;
use serde_json::json;

use super::state::{PlanState, Verification};
use super::*;
use crate::ids::Digest;
use crate::vault::signing::{SigningKey, VerifyingKey};

const PLAN: Digest = Digest([7; 32]);
/// Nothing is left, and that was seen.
const SEEN: Verification = Verification { remaining: 0, canary: true, whole: true, tasks: 0 };
/// A task of the plan.
const TASK: &str = "00c0ffee00c0ffee";

fn at(minute: i64) -> Timestamp {
    let start: Timestamp = "2026-03-02T09:00:00Z".parse().unwrap();
    start + chrono::TimeDelta::minutes(minute)
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn event(minute: i64, actor: &str, what: What) -> Event {
    Event { at: at(minute), actor: actor.to_owned(), reason: Some("as agreed".to_owned()), what }
}

fn received(rights: &[Right]) -> What {
    What::Received {
        on: day("2026-03-02"),
        channel: "e-mail".to_owned(),
        rights: rights.to_vec(),
        rules: "eu".to_owned(),
        language: "en".to_owned(),
        from_case: None,
    }
}

fn opened(rights: &[Right]) -> Case {
    Case::open("2026-7K3F9Q".parse().unwrap(), event(0, "anna", received(rights))).unwrap()
}

fn check() -> IdentityCheck {
    IdentityCheck {
        method: "reply from the known address".to_owned(),
        result: "it matches".to_owned(),
        who: "anna".to_owned(),
        on: day("2026-03-02"),
    }
}

/// The key of somebody, the same each time.
fn key(name: &str) -> VerifyingKey {
    static KEYS: Mutex<BTreeMap<String, VerifyingKey>> = Mutex::new(BTreeMap::new());
    let mut keys = KEYS.lock().unwrap();
    keys.entry(name.to_owned()).or_insert_with(|| SigningKey::generate().public().clone()).clone()
}

fn approved(plan: Digest, by: &str) -> What {
    What::Approved {
        plan,
        key: key(by),
        signatures: vec!["of the plan".to_owned(), "of its order".to_owned()],
    }
}

fn planned() -> PlanState {
    PlanState {
        hash: PLAN,
        orders: 1,
        approvals: 2,
        by: "anna".to_owned(),
        key: key("anna"),
        approved: BTreeMap::new(),
    }
}

fn approve(state: &mut State, by: &str) {
    state.plan.as_mut().unwrap().approved.insert(key(by), by.to_owned());
}

/// An event of each kind, one that its conditions allow where the kind is possible at all.
fn sample(kind: Kind) -> What {
    let on = day("2026-03-02");
    let text = || "something".to_owned();
    match kind {
        Kind::Received => received(&[Right::Erasure]),
        Kind::Acknowledged => What::Acknowledged { on },
        Kind::IdentityAsked => What::IdentityAsked { on },
        Kind::IdentityVerified => What::IdentityVerified(check()),
        Kind::IdentityFailed => What::IdentityFailed(check()),
        Kind::SubjectChanged => {
            What::SubjectChanged { subject: SubjectValue(json!({"names": ["Erika Mustermann"]})) }
        }
        Kind::Scoped => What::Scoped { repositories: vec!["blog".parse().unwrap()], snapshots: text() },
        Kind::Searched => What::Searched { search: text(), items: 10, findings: 0, unsearchable: 0 },
        Kind::ReviewChanged => {
            What::ReviewChanged { decided: 3, unsure: 0, open: 0, decisions: None, key: None }
        }
        Kind::ReviewFinished => What::ReviewFinished,
        Kind::LegalAssessed => What::LegalAssessed { changes: true, note: text() },
        Kind::Exported => What::Exported {
            right: Right::Access,
            manifest: PLAN,
            records: 3,
            files: 1,
            name: "answer".to_owned(),
        },
        Kind::ApprovalRequested => What::ApprovalRequested {
            plan: PLAN,
            file: PLAN,
            orders: 1,
            approvals: 2,
            planned_by: key("anna"),
        },
        Kind::Approved => approved(PLAN, "carla"),
        Kind::CoolingOff => What::CoolingOff { until: day("2026-03-09") },
        Kind::Executing => What::Executing { plan: PLAN, orders: vec![PLAN], live: false },
        Kind::Executed => What::Executed,
        Kind::Verified => {
            What::Verified { remaining: 0, canary: true, whole: true, tasks: 0, evidence: Some(PLAN) }
        }
        Kind::TaskDone => What::TaskDone { plan: PLAN, tasks: [TASK.to_owned()].into() },
        Kind::TaskReopened => What::TaskReopened { tasks: [TASK.to_owned()].into() },
        Kind::RecipientsNotified => What::RecipientsNotified { recipients: 1 },
        Kind::Answered => What::Answered { on },
        Kind::Completed => What::Completed,
        Kind::CompletedWithRetention => What::CompletedWithRetention { ground: text() },
        Kind::PartiallyCompleted => What::PartiallyCompleted { missing: text() },
        Kind::StepFailed => What::StepFailed { step: text(), retryable: true },
        Kind::StepRetried => What::StepRetried,
        Kind::Hold => What::Hold { ground: text(), item: Some(text()) },
        Kind::HoldReleased => What::HoldReleased { hold: 1, new_case: None },
        Kind::Extended => What::Extended { told_on: on },
        Kind::Paused => What::Paused { kind: PauseKind::Clarification, on },
        Kind::Resumed => What::Resumed { kind: PauseKind::Clarification, on },
        Kind::Blocked => What::Blocked,
        Kind::Unblocked => What::Unblocked,
        Kind::Refused => What::Refused { ground: text(), told_on: on },
        Kind::Withdrawn => What::Withdrawn,
        Kind::DuplicateOf => What::DuplicateOf { case: "2026-7K3F9R".parse().unwrap() },
        Kind::Expired => What::Expired,
        Kind::Reopened => What::Reopened,
        Kind::HorizonSet => What::HorizonSet { until: day("2026-09-01") },
        Kind::HorizonReached => What::HorizonReached,
        Kind::Rewrapped => {
            What::Rewrapped { search: None, decisions: None, key: None, plan: None, evidence: None }
        }
        Kind::Note => What::Note { text: text() },
        Kind::Unknown => What::Unknown,
    }
}

/// A state of this stage in which all that the stage allows is allowed: what must be there is.
fn ready(stage: Stage, kind: Kind) -> State {
    let mut state = State::received(vec![Right::Access, Right::Erasure]);
    state.stage = stage;
    state.plan = Some(planned());
    state.answered = true;
    match kind {
        Kind::SubjectChanged | Kind::Scoped | Kind::ReviewChanged | Kind::LegalAssessed => {
            state.answered = false;
        }
        Kind::Completed | Kind::CompletedWithRetention => drop(state.exported.insert(Right::Access)),
        // The second of two, and by another than who carries it out.
        Kind::Approved => approve(&mut state, "berta"),
        Kind::Verified => state.executed = true,
        Kind::TaskDone => state.live_done = true,
        Kind::TaskReopened => drop(state.tasks_done.insert(TASK.to_owned(), at(0))),
        Kind::StepRetried => state.error = Some(("copy".to_owned(), true)),
        Kind::HoldReleased => state.holds.push(state::HoldState { on_all: false, released: false }),
        Kind::Resumed => drop(state.paused.insert(PauseKind::Clarification)),
        Kind::Unblocked => state.blocked = true,
        Kind::HorizonReached => state.horizon = Some(state::Horizon::Pending(day("2026-09-01"))),
        _ => {}
    }
    state
}

/// From where to where each kind leads; stages by their short names, `=` for staying.
/// Written by hand from section (c) of the reference, one line a kind.
const TABLE: &str = "
Received:
Acknowledged: Rec>Ack
IdentityAsked: Rec>IdP Ack>IdP
IdentityVerified: Rec>IdV Ack>IdV IdP>IdV
IdentityFailed: IdP>Fai
SubjectChanged: Rec= Ack= IdP= IdV>Sco Sco= Sea= Rev>Sea Leg>Sea Wai>Sea App>Sea Coo>Sea Res>Sea
Scoped: IdV>Sea Sco>Sea Sea= Rev>Sea Leg>Sea Wai>Sea App>Sea Coo>Sea Ver>Sea Not>Sea Res>Sea
Searched: Sea>Rev Rev= Leg>Rev
ReviewChanged: Rev= Leg>Rev Wai>Rev App>Rev Coo>Rev Res>Rev
ReviewFinished: Rev>Leg
LegalAssessed: Leg>Wai Wai= App>Wai Coo>Wai Res>Wai
Exported: Leg= Wai= App= Coo= Exe= Ver= Not= Res= Com= Ret= Par=
ApprovalRequested: Wai= App>Wai Coo>Wai
Approved: Wai>App
CoolingOff: App>Coo
Executing: App>Exe Coo>Exe Exe=
Executed: Exe>Ver
Verified: Ver>Not Not= Res= Com= Ret= Par=
TaskDone: Exe= Ver= Not= Res= Com= Ret= Par=
TaskReopened: Exe= Ver= Not= Res= Com= Ret= Par=
RecipientsNotified: Not>Res
Answered: Res=
Completed: Res>Com
CompletedWithRetention: Res>Ret
PartiallyCompleted: Res>Par
StepFailed: Sea= Exe= Ver= Not=
StepRetried: Sea= Exe= Ver= Not=
Hold: Rec= Ack= IdP= IdV= Sco= Sea= Rev= Leg= Wai= App= Coo= Exe= Ver= Not= Res= Com= Ret= Par=
HoldReleased: Rec= Ack= IdP= IdV= Sco= Sea= Rev= Leg= Wai= App= Coo= Exe= Ver= Not= Res= Com= Ret= Par=
Extended: Rec= Ack= IdP= IdV= Sco= Sea= Rev= Leg= Wai= App= Coo= Exe= Ver= Not= Res=
Paused: Rec= Ack= IdP= IdV= Sco= Sea= Rev= Leg= Wai= App= Coo= Exe= Ver= Not= Res=
Resumed: Rec= Ack= IdP= IdV= Sco= Sea= Rev= Leg= Wai= App= Coo= Exe= Ver= Not= Res=
Blocked: Rec= Ack= IdP= IdV= Sco= Sea= Rev= Leg= Wai= App= Coo= Exe= Ver= Not= Res=
Unblocked: Rec= Ack= IdP= IdV= Sco= Sea= Rev= Leg= Wai= App= Coo= Exe= Ver= Not= Res=
Refused: Rec>Ref Ack>Ref IdP>Ref IdV>Ref Sco>Ref Sea>Ref Rev>Ref Leg>Ref Wai>Ref App>Ref Coo>Ref Res>Ref
Withdrawn: Rec>Wit Ack>Wit IdP>Wit IdV>Wit Sco>Wit Sea>Wit Rev>Wit Leg>Wit Wai>Wit App>Wit Coo>Wit Res>Wit
DuplicateOf: IdV>Dup Sco>Dup Sea>Dup Rev>Dup
Expired: IdP>Exp
Reopened: Com>Sco Ret>Sco Par>Sco
HorizonSet: Exe= Ver= Not= Res= Com= Ret= Par=
HorizonReached: Exe= Ver= Not= Res= Com= Ret= Par=
Note: Rec= Ack= IdP= IdV= Sco= Sea= Rev= Leg= Wai= App= Coo= Exe= Ver= Not= Res= Com= Ret= Par= Fai= Ref= Wit= Dup= Exp=
Rewrapped: Rec= Ack= IdP= IdV= Sco= Sea= Rev= Leg= Wai= App= Coo= Exe= Ver= Not= Res= Com= Ret= Par= Fai= Ref= Wit= Dup= Exp=
Unknown:
";

const SHORT: [&str; 23] = [
    "Rec", "Ack", "IdP", "IdV", "Sco", "Sea", "Rev", "Leg", "Wai", "App", "Coo", "Exe", "Ver", "Not", "Res",
    "Com", "Ret", "Par", "Fai", "Ref", "Wit", "Dup", "Exp",
];

fn expected(stage: Stage, kind: Kind) -> Option<Stage> {
    let line = TABLE
        .lines()
        .find_map(|line| line.strip_prefix(&format!("{kind:?}:")))
        .expect("every kind has a line");
    let short = SHORT[Stage::ALL.iter().position(|one| *one == stage).unwrap()];
    let cell = line.split_whitespace().find_map(|cell| cell.strip_prefix(short))?;
    match cell.strip_prefix('>') {
        None => Some(stage),
        Some(to) => Some(Stage::ALL[SHORT.iter().position(|one| *one == to).unwrap()]),
    }
}

#[test]
fn every_state_and_event_is_as_the_table_says() {
    let mut pairs = 0;
    for stage in Stage::ALL {
        for kind in Kind::ALL {
            let mut what = sample(kind);
            if let What::HoldReleased { new_case, .. } = &mut what
                && stage.is_closed()
            {
                *new_case = Some("2026-7K3F9R".parse().unwrap());
            }
            let result = next(ready(stage, kind), &event(1, "carla", what));
            assert_eq!(
                result.as_ref().ok().map(|state| state.stage),
                expected(stage, kind),
                "{stage} {kind:?}"
            );
            if let Err(illegal) = result {
                assert!(!illegal.to_string().is_empty() && !illegal.instead().is_empty());
                assert!(!illegal.possible.contains(&kind));
            }
            pairs += 1;
        }
    }
    assert_eq!(pairs, 23 * 44);
    let lists: HashSet<_> = Stage::ALL.iter().map(|stage| stage.name()).collect();
    assert_eq!(lists.len(), 23);
    assert_eq!(Kind::ALL.iter().collect::<HashSet<_>>().len(), 44);
}

/// An event is refused in a state, in these words.
fn refused(stage: Stage, kind: Kind, what: What, change: &dyn Fn(&mut State), words: &str) {
    let mut state = ready(stage, kind);
    change(&mut state);
    let error = next(state, &event(1, "carla", what)).unwrap_err();
    assert!(error.to_string().contains(words), "{error}");
}

fn hold_all(state: &mut State) {
    state.holds.push(state::HoldState { on_all: true, released: false });
}

#[test]
fn plans_are_approved_and_carried_out_by_others_than_who_made_them() {
    use Stage as S;
    let other = approved(Digest([8; 32]), "carla");
    refused(S::AwaitingApproval, Kind::Approved, other, &|_| (), "not the plan");
    let by_carla = |s: &mut State| approve(s, "carla");
    let again = || approved(PLAN, "carla");
    refused(S::AwaitingApproval, Kind::Approved, again(), &by_carla, "approved it already");
    refused(S::AwaitingApproval, Kind::Approved, approved(PLAN, "berta"), &|_| (), "approved it already");
    refused(S::AwaitingApproval, Kind::Approved, approved(PLAN, "anna"), &|_| (), "who made the plan");
    let carla_planned = |s: &mut State| s.plan.as_mut().unwrap().by = "carla".to_owned();
    refused(S::AwaitingApproval, Kind::Approved, again(), &carla_planned, "who made the plan");
    refused(S::AwaitingApproval, Kind::Approved, again(), &|s| s.plan = None, "no plan to approve");
    let more_orders = |s: &mut State| s.plan.as_mut().unwrap().orders = 2;
    refused(S::AwaitingApproval, Kind::Approved, again(), &more_orders, "not those of this plan");
    let run = |orders: &[Digest]| What::Executing { plan: PLAN, orders: orders.to_vec(), live: false };
    refused(S::Approved, Kind::Executing, run(&[PLAN]), &by_carla, "must not carry it out");
    refused(S::Approved, Kind::Executing, run(&[]), &|_| (), "ledger");
    let nothing_done = What::Verified { remaining: 0, canary: true, whole: true, tasks: 0, evidence: None };
    refused(S::Verifying, Kind::Verified, nothing_done, &|s| s.executed = false, "nothing was carried out");
    refused(S::Approved, Kind::Executing, run(&[PLAN]), &hold_all, "under hold");
    let later = |s: &mut State| s.not_before = Some(day("2026-03-09"));
    refused(S::CoolingOff, Kind::Executing, run(&[PLAN]), &later, "wait until 2026-03-09");
}

#[test]
fn conditions_beside_the_stage_are_kept_in_plain_words() {
    use Stage as S;
    refused(
        S::Review,
        Kind::ReviewFinished,
        What::ReviewFinished,
        &|s| s.unsure = 2,
        "2 findings are marked as unsure",
    );
    refused(
        S::Review,
        Kind::ReviewFinished,
        What::ReviewFinished,
        &|s| s.open_findings = 1,
        "no decision yet",
    );
    refused(S::Review, Kind::ReviewFinished, What::ReviewFinished, &|s| s.blocked = true, "blocked");
    let assess = || What::LegalAssessed { changes: true, note: "n".to_owned() };
    refused(
        S::LegalAssessment,
        Kind::LegalAssessed,
        assess(),
        &|s| s.rights = vec![Right::Access],
        "copy only",
    );
    refused(S::Responding, Kind::Completed, What::Completed, &|s| s.exported.clear(), "no copy for access");
    refused(
        S::Responding,
        Kind::Completed,
        What::Completed,
        &|s| s.answered = false,
        "does not have the answer",
    );
    refused(S::Responding, Kind::Completed, What::Completed, &|s| s.executed = true, "not verified");
    refused(
        S::Responding,
        Kind::Completed,
        What::Completed,
        &|s| s.verified = Some(Verification { remaining: 1, ..SEEN }),
        "1 findings are still there",
    );
    refused(
        S::Responding,
        Kind::Completed,
        What::Completed,
        &|s| s.verified = Some(Verification { canary: false, ..SEEN }),
        "planted person",
    );
    let with_task = |s: &mut State| s.verified = Some(Verification { tasks: 1, ..SEEN });
    refused(S::Responding, Kind::Completed, What::Completed, &with_task, "1 tasks for people were open");
    let mark = || sample(Kind::TaskDone);
    refused(S::Executing, Kind::TaskDone, mark(), &|s| s.live_done = false, "comes after it");
    refused(S::Verifying, Kind::TaskDone, mark(), &|s| s.plan = None, "no plan");
    let other = What::TaskDone { plan: Digest([8; 32]), tasks: [TASK.to_owned()].into() };
    refused(S::Verifying, Kind::TaskDone, other, &|_| (), "not the plan");
    let unsaid = What::TaskReopened { tasks: ["f".repeat(16)].into() };
    refused(S::Verifying, Kind::TaskReopened, unsaid, &|_| (), "nobody said");
    let in_part = |s: &mut State| s.verified = Some(Verification { whole: false, ..SEEN });
    refused(S::Responding, Kind::Completed, What::Completed, &in_part, "not everything could be looked at");
    refused(S::Responding, Kind::Completed, What::Completed, &hold_all, "data that is kept");
    refused(S::Responding, Kind::Withdrawn, What::Withdrawn, &|s| s.executed = true, "was changed already");
    refused(S::Review, Kind::Extended, sample(Kind::Extended), &|s| s.extended = true, "once");
    let released = What::HoldReleased { hold: 1, new_case: None };
    let with_hold = |s: &mut State| s.holds = vec![state::HoldState { on_all: true, released: false }];
    refused(S::Completed, Kind::Note, released, &with_hold, "needs a new request");
    let identity = What::Paused { kind: PauseKind::Identity, on: day("2026-03-02") };
    refused(S::Review, Kind::Paused, identity, &|_| (), "steps of their own");
}

#[test]
fn until_the_answer_everything_can_be_looked_at_again_and_approvals_are_void_then() {
    for stage in Stage::ALL.into_iter().filter(|stage| stage.is_revisable()) {
        for kind in [Kind::SubjectChanged, Kind::Scoped, Kind::ReviewChanged, Kind::LegalAssessed] {
            let mut state = ready(stage, kind);
            approve(&mut state, "berta");
            let after = next(state.clone(), &event(1, "carla", sample(kind))).unwrap();
            assert_eq!(after.plan, None, "{stage} {kind:?}");
            if stage == Stage::Responding {
                let answered = State { answered: true, ..state.clone() };
                let error = next(answered, &event(1, "carla", sample(kind))).unwrap_err();
                assert!(error.to_string().contains("open it again"), "{error}");
                let executed = State { executed: true, ..state };
                assert!(next(executed, &event(1, "carla", sample(kind))).is_err());
            }
        }
    }
}

/// All the way through an erasure, and what a case says at its end.
#[test]
fn an_erasure_goes_through() {
    let mut case = opened(&[Right::Erasure]);
    let steps = [
        ("anna", Kind::Acknowledged, Stage::Acknowledged),
        ("anna", Kind::IdentityAsked, Stage::IdentityPending),
        ("anna", Kind::IdentityVerified, Stage::IdentityVerified),
        ("anna", Kind::SubjectChanged, Stage::Scoping),
        ("anna", Kind::Scoped, Stage::Searching),
        ("anna", Kind::Searched, Stage::Review),
        ("anna", Kind::ReviewChanged, Stage::Review),
        ("anna", Kind::ReviewFinished, Stage::LegalAssessment),
        ("anna", Kind::LegalAssessed, Stage::AwaitingApproval),
        ("anna", Kind::ApprovalRequested, Stage::AwaitingApproval),
        ("berta", Kind::Approved, Stage::AwaitingApproval),
        ("carla", Kind::Approved, Stage::Approved),
        ("anna", Kind::Executing, Stage::Executing),
        ("anna", Kind::Executed, Stage::Verifying),
        ("anna", Kind::Verified, Stage::NotifyingRecipients),
        ("anna", Kind::RecipientsNotified, Stage::Responding),
        ("anna", Kind::Answered, Stage::Responding),
        ("anna", Kind::Completed, Stage::Completed),
    ];
    for (minute, (actor, kind, stage)) in (1..).zip(steps) {
        assert!(case.is_owed() || case.state().answered);
        assert!(!guide::next_command(&case).why.is_empty());
        let what = if kind == Kind::Approved { approved(PLAN, actor) } else { sample(kind) };
        case.apply(event(minute, actor, what)).unwrap();
        assert_eq!(case.state().stage, stage);
    }
    assert!(!case.is_owed());
    assert_eq!(case.keep_until(), Some(day("2029-03-02")));
    let again = Case::from_events(case.id().clone(), case.events().to_vec()).unwrap();
    assert_eq!(again.state(), case.state());
    assert_eq!(case.subject().unwrap().0["names"][0], "Erika Mustermann");
    // Nothing of the person in what logs may show.
    let shown = format!("{case:?} {:?} {:?}", case.events(), case.state());
    assert!(!shown.contains("Erika") && !shown.contains("agreed") && !shown.contains("carla"), "{shown}");
}

#[test]
fn events_survive_storage_and_one_of_a_later_version_is_noticed() {
    for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Unknown) {
        let event = event(3, "anna", sample(kind));
        let json = serde_json::to_string(&event).unwrap();
        assert!(serde_json::from_str::<Event>(&json).unwrap() == event, "{json}");
    }
    let later =
        json!({"at": "2026-03-02T10:00:00Z", "actor": "anna", "event": "teleported", "to": "the moon"});
    let later: Event = serde_json::from_value(later).unwrap();
    let error = opened(&[Right::Access]).apply(later).unwrap_err();
    assert!(error.to_string().contains("does not know"), "{error}");
}

#[test]
fn a_clock_turned_back_and_days_that_cannot_be_are_refused() {
    let mut case = opened(&[Right::Access]);
    case.apply(event(5, "anna", sample(Kind::Note))).unwrap();
    let error = case.apply(event(4, "anna", sample(Kind::Note))).unwrap_err();
    assert!(matches!(error, CaseError::ClockTurnedBack { .. }), "{error}");
    assert!(error.next_step().unwrap().contains("clock"));
    for (what, words) in [
        (What::Acknowledged { on: day("2026-03-01") }, "before the request was received"),
        (What::Acknowledged { on: day("2026-03-04") }, "in the future"),
        (What::Note { text: " ".to_owned() }, "1 to 10000"),
        (What::Note { text: "x".repeat(10_001) }, "1 to 10000"),
    ] {
        let error = case.apply(event(6, "anna", what)).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
    let nobody = case.apply(event(6, " ", sample(Kind::Note))).unwrap_err();
    assert!(nobody.to_string().contains("who records"), "{nobody}");
    let silent = Event { reason: None, ..event(6, "anna", sample(Kind::Hold)) };
    assert!(case.apply(silent).unwrap_err().to_string().contains("needs a reason"));
    let large = What::SubjectChanged { subject: SubjectValue(json!("x".repeat(300_000))) };
    assert!(case.apply(event(6, "anna", large)).unwrap_err().to_string().contains("at most"));
    assert_eq!(case.events().len(), 2, "what was refused left nothing");
    assert!(
        case.apply(event(7, "anna", What::Acknowledged { on: day("2026-03-03") })).is_ok(),
        "east of here"
    );
}

#[test]
fn the_due_date_follows_the_events() {
    let mut case = opened(&[Right::Access]);
    assert_eq!(case.due().date, day("2026-04-02"));
    let later = |days: i64, what| Event { at: at(days * 24 * 60), ..event(0, "anna", what) };
    case.apply(later(2, What::IdentityAsked { on: day("2026-03-04") })).unwrap();
    assert_eq!(case.due().waits_for, Some(PauseKind::Identity));
    let early = IdentityCheck { on: day("2026-03-03"), ..check() };
    let error = case.apply(later(14, What::IdentityVerified(early))).unwrap_err();
    assert!(error.to_string().contains("before the person was asked"), "{error}");
    let proved = IdentityCheck { on: day("2026-03-16"), ..check() };
    case.apply(later(14, What::IdentityVerified(proved))).unwrap();
    assert_eq!((case.due().date, case.due().waits_for), (day("2026-04-14"), None));
    case.apply(later(20, What::Extended { told_on: day("2026-03-22") })).unwrap();
    assert_eq!(case.due().date, day("2026-06-15"));
}

#[test]
fn a_package_is_made_once_everything_is_decided_and_the_guide_asks_for_it() {
    let exported =
        |right| What::Exported { right, manifest: PLAN, records: 1, files: 0, name: "answer".to_owned() };
    let mut state = State::received(vec![Right::Access, Right::Erasure]);
    let refused = |state: &State, what: What, words: &str| {
        let error = next(state.clone(), &event(1, "anna", what)).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    };
    state.stage = Stage::Review;
    refused(&state, exported(Right::Access), "the case is under review");
    state.stage = Stage::LegalAssessment;
    refused(&state, exported(Right::Portability), "did not ask for portability");
    refused(&state, exported(Right::Erasure), "made for access or portability");
    state.unsure = 1;
    refused(&state, exported(Right::Access), "not every finding is decided");
    state.unsure = 0;
    state.blocked = true;
    refused(&state, exported(Right::Access), "blocked");
    state.blocked = false;
    let state = next(state, &event(1, "anna", exported(Right::Access))).unwrap();
    assert!(state.exported.contains(&Right::Access) && state.stage == Stage::LegalAssessment);
    // What is found anew is not in what was handed over.
    let again = What::Searched { search: "s".to_owned(), items: 1, findings: 0, unsearchable: 0 };
    assert!(next(state, &event(2, "anna", again)).unwrap().exported.is_empty());

    let mut case = opened(&[Right::Access, Right::Portability]);
    for (minute, kind) in
        [Kind::IdentityVerified, Kind::Scoped, Kind::Searched, Kind::ReviewFinished].into_iter().enumerate()
    {
        case.apply(event(minute as i64 + 1, "anna", sample(kind))).unwrap();
    }
    let assessed = What::LegalAssessed { changes: false, note: "nobody else is in it".to_owned() };
    case.apply(event(10, "anna", assessed)).unwrap();
    let command = |case: &Case| guide::next_command(case).command.unwrap();
    assert!(command(&case).contains("export 2026-7K3F9Q --right access --to"), "{}", command(&case));
    case.apply(event(11, "anna", exported(Right::Access))).unwrap();
    assert!(command(&case).contains("--right portability --portability-note"), "{}", command(&case));
    case.apply(event(12, "anna", exported(Right::Portability))).unwrap();
    assert!(command(&case).contains("letter 2026-7K3F9Q answer"));
}

#[test]
fn a_case_begins_with_a_receipt_that_can_be() {
    let id: CaseId = "2026-7K3F9Q".parse().unwrap();
    let open = |what| Case::open(id.clone(), event(0, "anna", what));
    assert!(open(sample(Kind::Note)).is_err());
    assert!(open(received(&[])).is_err());
    assert!(open(received(&[Right::Access, Right::Access])).is_err());
    let mut what = received(&[Right::Access]);
    if let What::Received { rules, .. } = &mut what {
        "mars".clone_into(rules);
    }
    let error = open(what).unwrap_err();
    assert!(error.next_step().unwrap().contains("de-by"), "{error}");
    assert!(Case::from_events(id.clone(), []).is_err());
    let mut what = received(&[Right::Access]);
    if let What::Received { on, .. } = &mut what {
        *on = day("2026-03-20");
    }
    assert!(open(what).unwrap_err().to_string().contains("in the future"));
}

proptest! {
    #[test]
    fn whatever_happens_the_rules_of_a_case_hold(
        rights in proptest::sample::subsequence(Right::ALL.to_vec(), 1..4),
        walk in proptest::collection::vec((0_usize..258, 0_u64..3, 0_u64..3, 0_usize..3), 1..120),
    ) {
        let mut case = opened(&rights);
        for (minute, (kind, unsure, open, actor)) in (1..).zip(walk) {
            let before = case.state().clone();
            // Most of the time something that leads on, or the walk would never get far.
            let forward: Vec<Kind> = before
                .possible()
                .into_iter()
                .filter(|kind| stage::stage_after(before.stage, *kind) != Some(before.stage))
                .filter(|kind| !stage::stage_after(before.stage, *kind).is_some_and(Stage::is_closed))
                .collect();
            let kind = match kind / 43 {
                0 => Kind::ALL[kind % 43],
                1 => before.possible()[kind % before.possible().len()],
                _ if forward.is_empty() => Kind::Answered,
                _ => forward[kind % forward.len()],
            };
            let mut what = sample(kind);
            match &mut what {
                What::ReviewChanged { unsure: u, open: o, .. } => (*u, *o) = (unsure, open),
                What::Searched { findings, .. } => *findings = open,
                What::LegalAssessed { changes, .. } => *changes = unsure == 0,
                What::Approved { key: by, .. } => *by = key(["anna", "berta", "carla"][actor]),
                What::Verified { remaining, canary, .. } => (*remaining, *canary) = (open, unsure == 0),
                What::HoldReleased { hold, new_case } => {
                    *hold = u32::try_from(open).unwrap();
                    *new_case = (unsure == 0).then(|| "2026-7K3F9R".parse().unwrap());
                }
                _ => {}
            }
            let result = case.apply(event(minute, ["anna", "berta", "carla"][actor], what));
            let state = case.state();
            if result.is_err() {
                prop_assert_eq!(state, &before, "what was refused changed nothing");
                continue;
            }
            if before.stage.is_closed() {
                prop_assert!(state.stage == before.stage || (kind == Kind::Reopened && before.stage.is_done()));
            }
            if before.stage == Stage::Review && state.stage == Stage::LegalAssessment {
                prop_assert_eq!((before.unsure, before.open_findings), (0, 0));
            }
            if state.stage.is_done() && !before.stage.is_done() {
                prop_assert!(state.answered && state.unsure == 0);
                prop_assert!(!state.executed || state.verified.is_some() || state.stage == Stage::PartiallyCompleted);
            }
            if state.stage == Stage::Completed && before.stage != Stage::Completed {
                prop_assert!(!before.is_held());
                prop_assert!(state.verified.is_none_or(|verified| verified == SEEN));
            }
            if state.stage == Stage::Executing {
                let plan = state.plan.as_ref().unwrap();
                prop_assert!(plan.missing() == 0 && plan.approved.len() == 2);
                prop_assert!(!plan.approved.contains_key(&plan.key));
                prop_assert!(case.rights().iter().any(|right| right.changes_data()));
            }
            if state.stage == Stage::Duplicate && before.stage != Stage::Duplicate {
                let checked = |event: &Event| event.what.kind() == Kind::IdentityVerified;
                prop_assert!(case.events().iter().any(checked), "a duplicate has its own check");
            }
            prop_assert!(case.due().date >= day("2026-04-02"));
            prop_assert!(!guide::next_command(&case).why.is_empty());
        }
        let again = Case::from_events(case.id().clone(), case.events().to_vec()).unwrap();
        prop_assert_eq!(again.state(), case.state());
    }
}
