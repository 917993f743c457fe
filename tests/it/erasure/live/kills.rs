//! Kills and lost answers: the same call goes on.

use prismvault::sandbox::{Endpoint, ErrorRate, Faults};

use super::*;

/// Carries it out, and drops it at the n-th request, as a kill does; whether it was killed.
async fn killed_at(case: &Case, steps: &[LiveStep], n: u64) -> bool {
    let killed = CancellationToken::new();
    let kill = killed.clone();
    case.source.control().reset_counters();
    case.source.control().on_request(n, move |_| kill.cancel());
    case.with(async |live| {
        tokio::select! {
            () = killed.cancelled() => true,
            done = live.carry_out(steps, Options { publish: true }) => {
                assert!(done.unwrap().is_complete());
                false
            }
        }
    })
    .await
}

#[tokio::test]
async fn after_a_kill_at_any_request_the_same_call_finishes() {
    let mut case = Case::new().await;
    let mut n = 0;
    loop {
        n += 1;
        // What is live begins anew; what was found and decided is the same.
        case.source = Source::of(content(), options());
        let steps = case.plan().await;
        let was_killed = killed_at(&case, &steps, n).await;
        let done = case.until_done(&steps).await;
        assert!(!case.names_the_person(), "killed at {n}");
        let file = steps.iter().find_map(|step| match &step.action {
            LiveAction::Delete(delete) => Some(delete.id.clone()),
            _ => None,
        });
        assert!(case.source.repository.library().find(&file.unwrap()).is_none(), "killed at {n}");
        assert_eq!(case.source.repository.staged().len(), 0, "killed at {n}");
        assert_eq!(done.problems, [], "killed at {n}");
        if !was_killed {
            break;
        }
    }
    assert!(n > 12, "it was killed at each of its requests: {n}");
}

#[tokio::test]
async fn a_rectification_that_is_killed_at_any_request_is_finished_by_the_same_call() {
    let mut case = Case::new().await.correcting(&super::corrections::CORRECTIONS);
    let mut n = 0;
    loop {
        n += 1;
        case.source = Source::of(content(), options());
        let steps = case.plan().await;
        let was_killed = killed_at(&case, &steps, n).await;
        let done = case.until_done(&steps).await;
        let texts: String = documents(&case.source).values().map(Value::to_string).collect();
        assert!(!texts.contains(PERSON) && !texts.contains(ADDRESS), "killed at {n}");
        assert!(texts.contains(super::corrections::RIGHT), "killed at {n}");
        assert!(texts.contains(super::corrections::NEW_ADDRESS), "killed at {n}");
        assert_eq!((case.source.repository.staged().len(), done.problems.len()), (0, 0), "killed at {n}");
        if !was_killed {
            break;
        }
    }
    assert!(n > 8, "it was killed at each of its requests: {n}");
}

#[tokio::test]
async fn lost_answers_failures_and_a_slow_publish_that_leaves_some_behind_cost_nothing() {
    let mut case = Case::new().await;
    for seed in 1..4 {
        case.source = Source::of(content(), options());
        let steps = case.plan().await;
        case.source.control().set_faults(Faults {
            seed,
            lost_answers: 0.15,
            lost_requests: 0.1,
            late_errors: Some(ErrorRate { status: 504, share: 0.05 }),
            publish_takes: std::time::Duration::from_millis(30),
            publish_leaves: 0.3,
            ..Faults::default()
        });
        case.until_done(&steps).await;
        assert!(!case.names_the_person(), "seed {seed}");
    }
}

#[tokio::test]
async fn a_document_that_prismic_refuses_costs_no_other() {
    let case = Case::new().await;
    let steps = case.plan().await;
    let repository = Arc::clone(&case.source.repository);
    // The type goes before the second document is put.
    case.source.control().reset_counters();
    case.source.control().on_request_to(Endpoint::Documents, 2, move |_| {
        repository.remove_custom_type("article").unwrap();
    });
    let done = case.carry_out(&steps, true).await;
    let failed = done.steps.iter().filter(|step| matches!(step.outcome, Outcome::Failed { .. })).count();
    assert!(failed >= 1 && !done.is_complete(), "{done:?}");
    let file = steps.iter().find(|step| matches!(step.action, LiveAction::Delete(_))).unwrap();
    let file = done.steps.iter().find(|step| step.id == file.id()).unwrap();
    assert_eq!(file.outcome, Outcome::Done, "{done:?}");
    for step in &done.steps {
        if let Outcome::Failed { why } = &step.outcome {
            assert!(!why.contains(PERSON), "{why}");
        }
    }
}
