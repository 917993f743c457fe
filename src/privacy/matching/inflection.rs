//! Endings that languages put behind names. For review only: `Meiers` is also another name.

/// Shortest word that endings are taken off from, in letters.
pub(super) const BASE_MIN: usize = 4;

/// Endings, without marks as words are compared: genitives of the Germanic languages, cases of the Slavic and Baltic ones, of Finnish,
/// Hungarian, Estonian and Turkish, and Greek, as far as names take them.
const ENDINGS: [&str; 81] = [
    "s", "es", "n", "en", "ens", "a", "u", "e", "i", "y", "o", "em", "om", "ovi", "owi", "ova", "owa", "ove",
    "ie", "ego", "emu", "im", "ym", "iej", "ej", "am", "ami", "ach", "ow", "ou", "oi", "in", "un", "nin",
    "nun", "lle", "lla", "lta", "sta", "ssa", "ksi", "ta", "nak", "nek", "val", "vel", "t", "at", "et", "ot",
    "dan", "den", "da", "de", "ya", "ye", "yi", "а", "у", "ом", "ем", "е", "ы", "и", "ои", "ою", "ого",
    "ому", "ым", "им", "ім", "ю", "я", "еи", "ові", "еві", "і", "оі", "іи", "ου", "η",
];

/// Hands out what a word may be an inflected form of.
pub(super) fn bases(word: &str, mut each: impl FnMut(&str)) {
    for ending in ENDINGS {
        if let Some(base) = word.strip_suffix(ending)
            && base.len() >= BASE_MIN
            && base.chars().count() >= BASE_MIN
        {
            each(base);
        }
    }
}

/// The word without what declension replaces or drops: `kowalska`, `kowalsk`; `nemecek`, `nemeck`.
pub(super) fn stems(word: &str) -> Vec<String> {
    const REPLACED: [&str; 16] =
        ["ий", "ая", "ия", "ии", "οσ", "ησ", "ασ", "а", "я", "й", "a", "y", "i", "o", "e", "ь"];
    // Vowels that are only in the nominative of Slavic names, and what else changes before endings.
    const DROPPED: [(&str, &str); 10] = [
        ("ek", "k"),
        ("ec", "c"),
        ("el", "l"),
        ("er", "r"),
        // Finnish: Virtanen, Virtasen.
        ("nen", "se"),
        ("ok", "k"),
        ("ек", "к"),
        ("ец", "ц"),
        ("ок", "к"),
        ("ел", "л"),
    ];
    let replaced = REPLACED.iter().find_map(|ending| word.strip_suffix(ending)).map(str::to_owned);
    let dropped =
        DROPPED.iter().find_map(|(ending, rest)| Some(format!("{}{rest}", word.strip_suffix(ending)?)));
    replaced.into_iter().chain(dropped).filter(|stem| stem.chars().count() >= BASE_MIN).collect()
}
