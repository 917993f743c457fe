//! One host writes into Prismic, and the others wait.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::TimeDelta;
use prismvault::ids::Name;
use prismvault::vault::lease::{Asked, Holder, Leases, Step};
use prismvault::vault::writing::{NotWritten, Writing, name_of};

use super::*;

impl Case {
    fn writing<'a>(&'a self, host: &'a str) -> Writing<'a> {
        Writing { vault: &self.vault, lease_of: None, host, step: Step::Removes }
    }

    /// Carries the steps out as a host does, and says what could not be asked.
    async fn written_by(
        &self,
        host: &str,
        steps: &[LiveStep],
    ) -> (Result<CarriedOut, NotWritten>, Vec<String>) {
        let written: BTreeSet<&Name> = steps.iter().map(|step| &step.repository).collect();
        let told = Mutex::new(Vec::new());
        let tell = |problem: prismvault::progress::Problem| told.lock().unwrap().push(problem.code.clone());
        let done = self.writing(host).leased(&written, tell, self.carry_out(steps, true)).await;
        (done, told.into_inner().unwrap())
    }
}

async fn probed() -> Case {
    let source = Source::of(content(), options());
    let backup = Backup::in_memory(1).await;
    backup.probe().await;
    backup.snapshot(&source).await.unwrap();
    Case::searched(source, backup, &subject(), &subject_of_all).await
}

#[tokio::test]
async fn while_one_writes_the_other_is_refused_and_one_that_died_holds_it_until_it_ends() {
    let case = probed().await;
    let steps = case.plan().await;
    let repository = steps[0].repository.clone();
    // A host took the lease, and was killed.
    let leases = Leases::of(&case.vault, None, case.vault.limits().lease_lasts).unwrap();
    let asked = leases.acquire(&name_of(&repository), &Holder::new("dead")).await.unwrap();
    assert!(matches!(asked, Asked::Granted(_)));
    let (refused, _) = case.written_by("second", &steps).await;
    let Err(NotWritten::Other(other)) = refused else { panic!("{refused:?}") };
    assert_eq!((&*other.host, &other.repository), ("dead", &repository));
    assert!(other.wait.as_secs() > 500 && other.to_string().contains("dead is writing into"), "{other}");
    assert_eq!(case.writes(), 0);

    case.backup.clock.advance(TimeDelta::minutes(11));
    let (done, told) = case.written_by("second", &steps).await;
    assert!(done.unwrap().is_complete() && told.is_empty(), "{told:?}");
    assert!(!case.names_the_person());
    // It was given back: the next need not wait.
    let (again, _) = case.written_by("third", &steps).await;
    assert!(again.unwrap().is_complete());
}

#[tokio::test]
async fn where_nobody_gives_leases_the_erasure_goes_on_and_says_so() {
    // Nobody has found out what the store of this one does.
    let case = Case::new().await;
    let steps = case.plan().await;
    let (done, told) = case.written_by("first", &steps).await;
    assert!(done.unwrap().is_complete());
    assert_eq!(told, ["no-lease"]);
}

#[tokio::test]
async fn of_two_repositories_both_are_taken_or_none() {
    let case = probed().await;
    let (one, two): (Name, Name) = ("alpha".parse().unwrap(), "beta".parse().unwrap());
    let leases = Leases::of(&case.vault, None, case.vault.limits().lease_lasts).unwrap();
    let Asked::Granted(held) = leases.acquire(&name_of(&two), &Holder::new("other")).await.unwrap() else {
        panic!("it is free")
    };
    let both = BTreeSet::from([&one, &two]);
    let (begun, tell) = (AtomicBool::new(false), |_| ());
    let refused =
        case.writing("here").leased(&both, tell, async { begun.store(true, Ordering::Relaxed) }).await;
    assert!(matches!(refused, Err(NotWritten::Other(_))) && !begun.load(Ordering::Relaxed));
    // The first was given back.
    let asked = leases.acquire(&name_of(&one), &Holder::new("other")).await.unwrap();
    assert!(matches!(asked, Asked::Granted(_)), "{asked:?}");
    leases.release(held).await.unwrap();
}
