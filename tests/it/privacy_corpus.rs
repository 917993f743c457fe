//! The gates of the search for a person, on a share of the corpus of `scripts/bench-privacy`.

use prismvault::privacy::matching::Normaliser;

#[path = "../../examples/privacy-corpus/corpus.rs"]
mod corpus;
#[path = "../../examples/privacy-corpus/measure.rs"]
mod measure;

/// Every so many people of the corpus: enough cultures, and seconds where nothing is optimised.
const STEP: usize = 4;

#[test]
fn the_gates_hold() {
    let cells = measure::measure(STEP, &[]);
    assert!(cells.len() > 500, "{} cells", cells.len());
    assert_eq!(measure::failures(&cells), Vec::<String>::new());
}

#[test]
fn the_gates_bite() {
    for normaliser in
        [Normaliser::Case, Normaliser::Percent, Normaliser::PhoneDigits, Normaliser::Obfuscation]
    {
        assert!(
            !measure::failures(&measure::measure(STEP, &[normaliser])).is_empty(),
            "without {normaliser}"
        );
    }
}
