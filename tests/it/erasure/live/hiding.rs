//! The live side of a restriction: nothing is written, people take things offline, and what is published counts.

use prismvault::sandbox::Faults;

use super::*;

#[tokio::test]
async fn a_restriction_writes_nothing_and_holds_until_nothing_of_it_is_published() {
    let case = Case { change: Change::Hiding, ..Case::new().await };
    let steps = case.plan().await;
    assert_eq!(steps, case.plan().await);
    let file = case.source.repository.library().assets()[0].id.clone();
    let mut all: Vec<(TaskCode, String)> =
        tasks(&steps).into_iter().map(|(code, _, id)| (code, id)).collect();
    all.sort();
    let mut expected = vec![
        (TaskCode::HideDocument, HOME.to_owned()),
        (TaskCode::HideDocument, NOTE.to_owned()),
        (TaskCode::HideFile, file.clone()),
    ];
    expected.sort();
    assert_eq!((all, steps.len()), (expected, 3), "nothing but tasks: {steps:?}");
    let done = case.carry_out(&steps, true).await;
    assert!(done.is_complete() && case.writes() == 0, "{done:?}");

    let said: BTreeSet<String> = steps.iter().map(LiveStep::id).collect();
    let urls = case.probe(&steps, &[], 1).await;
    assert!(!urls.is_empty() && urls.iter().all(|url| url.asset == file && url.status == Some(200)));
    let looked = case.look(&steps, &urls, &said).await;
    assert!(looked.evidence.remaining >= 2 && looked.open.len() >= 2, "they are published: {looked:?}");

    // The editor takes them offline, and deletes nothing.
    case.source.repository.remove_documents(&[HOME]);
    let looked = case.look(&steps, &urls, &said).await;
    assert!(looked.remaining.iter().all(|one| one.path.contains(NOTE)), "{looked:?}");
    case.source.repository.remove_documents(&[NOTE]);
    let looked = case.look(&steps, &urls, &said).await;
    assert_eq!((looked.evidence.remaining, looked.open.len()), (0, 0), "{looked:?}");
    assert!(looked.evidence.read.is_some() && case.source.repository.library().find(&file).is_some());
    // That a file answers at its address is for people to weigh, until they say that they did or it is gone.
    assert_eq!(case.look(&steps, &urls, &BTreeSet::new()).await.open.len(), 1);
    case.source.control().set_faults(Faults { missing_files: [file].into(), ..Faults::default() });
    let urls = case.probe(&steps, &urls, 2).await;
    assert_eq!(case.look(&steps, &urls, &BTreeSet::new()).await.open.len(), 0);
    // Where nobody answers nothing is known.
    case.source.control().set_faults(Faults {
        errors: Some(prismvault::sandbox::ErrorRate { status: 500, share: 1.0 }),
        ..Faults::default()
    });
    let looked = case.look(&steps, &urls, &said).await;
    assert!(looked.evidence.read.is_none() && looked.evidence.tasks > 0, "{looked:?}");
}
