//! What people say of tasks, and when it counts.

use super::*;

#[test]
fn a_word_about_a_task_counts_for_its_plan_until_it_is_taken_back() {
    let done = || event(5, "carla", sample(Kind::TaskDone));
    let mut state = ready(Stage::NotifyingRecipients, Kind::TaskDone);
    state.verified = Some(Verification { tasks: 2, ..SEEN });
    let said = next(state.clone(), &done()).unwrap();
    assert_eq!(said.tasks_done, BTreeMap::from([(TASK.to_owned(), at(5))]));
    // It is looked again, with their word; then somebody takes it back.
    assert!(said.tasks_told);
    let look = What::Verified { remaining: 0, canary: true, whole: true, tasks: 0, evidence: None };
    let looked = State { executed: true, ..said.clone() };
    let looked = next(looked, &event(6, "carla", look)).unwrap();
    assert!(!looked.tasks_told && looked.tasks_done.len() == 1);
    let back = next(looked.clone(), &event(7, "carla", sample(Kind::TaskReopened))).unwrap();
    assert!(back.tasks_done.is_empty() && back.verified.unwrap().tasks == 1, "verified without it no more");
    // Said again, it is of the later day.
    let later = next(looked.clone(), &event(9, "carla", sample(Kind::TaskDone))).unwrap();
    assert_eq!(later.tasks_done[TASK], at(9));
    // Another plan, another round, or a case that is opened again begins without it.
    for kind in [Kind::Scoped, Kind::Reopened] {
        let stage = if kind == Kind::Reopened { Stage::Completed } else { Stage::NotifyingRecipients };
        let round = State { stage, ..looked.clone() };
        let round = next(round, &event(10, "carla", sample(kind))).unwrap();
        assert!(round.tasks_done.is_empty() && !round.live_done, "{kind:?}");
    }
    let waiting = State { stage: Stage::AwaitingApproval, ..looked };
    let planned = next(waiting, &event(10, "carla", sample(Kind::ApprovalRequested))).unwrap();
    assert!(planned.tasks_done.is_empty());
}

#[test]
fn tasks_are_named_by_their_ids_and_the_guide_asks_for_them() {
    let mut case = opened(&[Right::Erasure]);
    let forward = [
        ("anna", Kind::IdentityVerified),
        ("anna", Kind::Scoped),
        ("anna", Kind::Searched),
        ("anna", Kind::ReviewFinished),
        ("anna", Kind::LegalAssessed),
        ("anna", Kind::ApprovalRequested),
        ("berta", Kind::Approved),
        ("carla", Kind::Approved),
        ("anna", Kind::Executing),
    ];
    for (minute, (actor, kind)) in (1..).zip(forward) {
        let what = if kind == Kind::Approved { approved(PLAN, actor) } else { sample(kind) };
        case.apply(event(minute, actor, what)).unwrap();
    }
    let early = case.apply(event(20, "anna", sample(Kind::TaskDone))).unwrap_err();
    assert!(early.to_string().contains("comes after it"), "{early}");
    let live = What::Executing { plan: PLAN, orders: vec![PLAN], live: true };
    case.apply(event(21, "anna", live)).unwrap();
    assert!(guide::next_command(&case).why.contains("`tasks`"));
    let mark = |tasks: &[&str]| What::TaskDone {
        plan: PLAN,
        tasks: tasks.iter().map(|id| (*id).to_owned()).collect(),
    };
    for wrong in [&[][..], &["00C0FFEE00C0FFEE"], &["Perpetua Exämple"], &[TASK, "1"]] {
        let error = case.apply(event(22, "anna", mark(wrong))).unwrap_err();
        assert!(error.to_string().contains("16 hexadecimal digits"), "{error}");
    }
    case.apply(event(22, "berta", mark(&[TASK]))).unwrap();
    assert_eq!(case.task_done(TASK), Some(("berta", at(22))));
    assert_eq!(case.task_done("ffffffffffffffff"), None);
    let silent = Event { reason: None, ..event(23, "anna", sample(Kind::TaskReopened)) };
    assert!(case.apply(silent).unwrap_err().to_string().contains("needs a reason"));

    case.apply(event(24, "anna", What::Executed)).unwrap();
    let look = |tasks| What::Verified { remaining: 0, canary: true, whole: true, tasks, evidence: None };
    case.apply(event(25, "anna", look(2))).unwrap();
    let next = guide::next_command(&case);
    assert!(next.command.as_deref().unwrap().contains("recipients"), "nobody waits for support: {next:?}");
    assert!(next.why.contains("2 tasks for people are open: `tasks`"), "{next:?}");
    case.apply(event(26, "anna", mark(&["ffffffffffffffff"]))).unwrap();
    assert!(guide::next_command(&case).command.unwrap().contains("erase"));
    case.apply(event(27, "anna", look(1))).unwrap();
    case.apply(event(28, "anna", sample(Kind::RecipientsNotified))).unwrap();
    assert!(guide::next_command(&case).command.unwrap().contains("letter"), "the person does not wait");
    case.apply(event(29, "anna", sample(Kind::Answered))).unwrap();
    let next = guide::next_command(&case);
    assert!(next.command.as_deref() == Some("prismvault privacy tasks 2026-7K3F9Q"), "{next:?}");
    assert!(next.why.contains("1 task for people is open"), "{next:?}");
    assert!(case.apply(event(30, "anna", What::Completed)).is_err());
    case.apply(event(31, "anna", look(0))).unwrap();
    assert!(guide::next_command(&case).command.unwrap().contains("close"));
    case.apply(event(32, "anna", What::Completed)).unwrap();
    // Support writes late that it was not done after all.
    case.apply(event(33, "anna", sample(Kind::TaskReopened))).unwrap();
    assert_eq!((case.task_done(TASK), case.state().verified.unwrap().tasks), (None, 1));
}
