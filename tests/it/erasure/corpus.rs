//! The person in every place of the corpus (fields, metadata, pictures, PDF, office files, mail): erased, and
//! looked for by the second path in every encoding.

use std::collections::BTreeMap;

use prismvault::privacy::proof::headers::OldHeaders;
use prismvault::privacy::proof::stays::Stays;

use super::planning::{Case, subject_of_all};
use super::proof::{checked, scanned};
use super::*;
use crate::privacy_channels::plant::places;
use crate::privacy_search::PERSON;

/// Places in which the name is not there as such: words in fields, cells and blocks beside each other, and a PDF
/// that names glyphs of a font instead of letters. Who reads their formats puts it together, as the matcher does;
/// raw bytes hold no name to be found.
const CUT: [&str; 11] = [
    "csv.row",
    "document.embedded_joined",
    "document.group_joined",
    "document.slice_joined",
    "document.two_blocks",
    "document.two_cells",
    "document.two_fields",
    "document.two_fields_apart",
    "json.joined",
    "pdf.composite_font",
    "xlsx.row",
];

/// Every place that takes the name, as an item of its own, by its path.
fn planted() -> BTreeMap<String, (&'static str, ItemKind, Vec<u8>)> {
    let mut planted = BTreeMap::new();
    for (number, place) in places().into_iter().enumerate().filter(|(_, place)| place.takes.accepts(PERSON)) {
        let own = |text: &str| text.replace("AACwAI", &format!("AA{number:04}"));
        let path = own(place.path);
        let kind = ItemKind::of_path(&path).unwrap();
        let mut bytes = place.plant(PERSON).bytes;
        if kind != ItemKind::Asset {
            bytes = own(&String::from_utf8(bytes).unwrap()).into_bytes();
        }
        planted.entry(path).or_insert((place.name, kind, bytes));
    }
    planted
}

#[tokio::test]
async fn the_corpus_is_found_by_both_paths_and_erased() {
    let vault = TestVault::new(2, true).await;
    let planted = planted();
    let items: Vec<(&str, ItemKind, &[u8])> =
        planted.iter().map(|(path, (_, kind, bytes))| (&**path, *kind, &bytes[..])).collect();
    vault.snapshot("blog", &items).await;
    let case = Case::of(vault.backup).await;

    let found: BTreeMap<_, String> = case
        .report
        .found
        .iter()
        .filter_map(|found| Some((found.item?, (*found.paths().first()?).to_owned())))
        .collect();
    assert_eq!(found.len(), planted.len(), "the search finds every place");
    for replica in scanned(&case, Stays::default()).await {
        let seen: std::collections::BTreeSet<_> = replica.leaks.iter().filter_map(|leak| leak.item).collect();
        let mut missed: Vec<&str> =
            found.iter().filter(|(item, _)| !seen.contains(item)).map(|(_, path)| planted[path].0).collect();
        missed.sort_unstable();
        assert_eq!(missed, CUT, "of {} places the second path finds all others", planted.len());
        assert_eq!(replica.unscanned, []);
    }

    let plan = case.carry_out(&subject_of_all).await;
    let left: Vec<&str> = plan.left.iter().map(|left| &*left.path).collect();
    assert!(
        left.iter().all(|path| path.starts_with("models/") || path.starts_with("repository/")),
        "{left:?}"
    );
    let seen = checked(&case, &plan, &subject_of_all, &OldHeaders::default()).await;
    assert_eq!(seen.remaining(), 0, "{:?} {:?}", seen.replicas, seen.restored.found);
    assert!(seen.is_whole(), "{:?} {:?}", seen.replicas, seen.restored.problems);
}
