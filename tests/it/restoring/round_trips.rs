//! What goes in comes out, modulo ids.

use prismvault::restore::repository::OnConflict;
use prismvault::sandbox::{Endpoint, RepositoryOptions, WriteBounds};
use prismvault::verification::Level;

use super::{Rehearsal, bare, content, options};

#[tokio::test]
async fn a_repository_comes_back_with_everything_but_what_was_foretold() {
    let rehearsal = Rehearsal::of(content(200, 40, 1)).await;
    let plan = rehearsal.plan().await.unwrap();
    assert_eq!(plan.refusals, []);
    assert_eq!(rehearsal.target.repository.documents().len(), 0, "a plan writes nothing");
    rehearsal.control().reset_counters();
    let report = rehearsal.run().await.unwrap();
    rehearsal.assert_restored(&report);
    let writes = rehearsal.control().log().iter().filter(|request| request.method != "GET").count() as u64;
    assert_eq!(writes, plan.forecast.requests + 1, "those of the plan, and one that asks who we are");
    assert!(report.problems.is_empty(), "{:?}", report.problems);
    // The copies of its journal are known to whoever looks at the vault.
    let verified = rehearsal.backup.verified(Level::Content).await;
    assert_eq!((&verified.damage[..], verified.unreferenced), (&[][..], 0), "{verified:?}");
}

#[tokio::test]
async fn more_documents_than_a_release_holds_are_published_in_between() {
    let content = content(90, 5, 2);
    let writing = WriteBounds { release_documents_max: 20, ..WriteBounds::default() };
    let target = bare(&content);
    let mut rehearsal = Rehearsal::into(content, target, RepositoryOptions { writing, ..options() }).await;
    rehearsal.choice.release_documents = 20;
    let report = rehearsal.run().await.unwrap();
    rehearsal.assert_restored(&report);
    assert!(rehearsal.control().requests_to(Endpoint::Publish) >= 5);
}

#[tokio::test]
async fn generated_repositories_come_back() {
    for seed in [11, 12, 13] {
        let rehearsal = Rehearsal::of(content(60, 10, seed)).await;
        let report = rehearsal.run().await.unwrap();
        rehearsal.assert_restored(&report);
    }
}

#[tokio::test]
async fn what_was_restored_is_restored_again_into_a_third_repository() {
    let mut rehearsal = Rehearsal::of(content(60, 10, 21)).await;
    let report = rehearsal.run().await.unwrap();
    rehearsal.assert_restored(&report);
    // Into another repository it is another restore; the same one is finished, and its ids are known.
    let again = rehearsal.plan().await.unwrap();
    assert!(again.refusals[0].what.contains("60 of 60"), "{:?}", again.refusals);
    rehearsal.choice.on_conflict = OnConflict::Update;
    let again = rehearsal.run().await.unwrap();
    assert_eq!(again.read_back.as_ref().unwrap().defects, 0);
    assert_eq!(rehearsal.target.repository.documents().len(), 60, "nothing is there twice");
    let assets = rehearsal.source.repository.library().assets().len();
    assert_eq!(rehearsal.target.repository.library().assets().len(), assets);
    rehearsal.choice.on_conflict = OnConflict::Fail;
    rehearsal.target = crate::backups::Source::of(bare(&content(60, 10, 21)), options());
    rehearsal.target.target.name = "third".parse().unwrap();
    let report = rehearsal.run().await.unwrap();
    rehearsal.assert_restored(&report);
}
