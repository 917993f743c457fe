//! The corpus of `fuzz/`, through the same entries as there: what once broke the engine, or might
//! have, in every run of the tests.

use std::path::Path;

#[path = "../../fuzz/entries.rs"]
mod entries;

/// Hands every file of a corpus to its entry.
fn run(target: &str, entry: impl Fn(&[u8])) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut count = 0;
    for file in std::fs::read_dir(&directory).unwrap() {
        let path = file.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        // The name of the file is what a failure has to tell.
        let held = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| entry(&bytes)));
        assert!(held.is_ok(), "{} breaks the entry {target}", path.display());
        count += 1;
    }
    assert!(count >= 10, "the corpus of {target} has {count} files");
}

#[test]
fn no_query_of_the_corpus_breaks_the_engine() {
    run("predicates", entries::predicates);
}

#[test]
fn no_graph_query_of_the_corpus_breaks_the_engine() {
    run("graph_query", entries::graph_query);
}

#[test]
fn no_routes_of_the_corpus_break_the_engine() {
    run("routes", entries::routes);
}

#[test]
fn no_address_of_the_corpus_breaks_the_engine() {
    run("address", entries::address);
}

#[test]
fn no_item_of_the_corpus_breaks_a_reader() {
    run("item", entries::item);
}
