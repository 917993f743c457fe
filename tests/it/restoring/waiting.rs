//! Restores that a person publishes.

use prismvault::restore::repository::Ending;
use prismvault::sandbox::Endpoint;

use super::{Rehearsal, content, publish};

#[tokio::test]
async fn without_publish_it_waits_for_a_person_and_the_same_command_goes_on() {
    let mut rehearsal = Rehearsal::of(content(40, 5, 7)).await;
    rehearsal.choice.publish = false;
    rehearsal.choice.release_documents = 25;
    let first = rehearsal.run().await.unwrap();
    assert_eq!(first.ending, Ending::WaitsForPublish { staged: 25 });
    assert!(first.read_back.is_none());
    assert_eq!(rehearsal.target.repository.documents().len(), 0);
    let creates = rehearsal.control().requests_to(Endpoint::Documents);
    let again = rehearsal.run().await.unwrap();
    assert_eq!(again.ending, Ending::WaitsForPublish { staged: 25 }, "nobody has published");
    assert_eq!(rehearsal.control().requests_to(Endpoint::Documents), creates + 1, "only who we are is asked");
    let mut report = again;
    for _ in 0..6 {
        if report.read_back.is_some() {
            break;
        }
        publish(&rehearsal.target).await;
        report = rehearsal.run().await.unwrap();
    }
    rehearsal.assert_restored(&report);
    assert_eq!(rehearsal.target.repository.staged().len(), 0);
}
