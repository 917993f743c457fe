//! Words around names that are not part of them, or may be left out. Compared in lower case,
//! without dots and hyphens at their ends.

/// Titles and forms of address that are nobody's name.
const TITLES: [&str; 84] = [
    "dr",
    "ddr",
    "dra",
    "drs",
    "doctor",
    "doktor",
    "prof",
    "professor",
    "professorin",
    "professeur",
    "mr",
    "mrs",
    "ms",
    "miss",
    "mx",
    "sir",
    "herr",
    "herrn",
    "hr",
    "frau",
    "fräulein",
    "dipl",
    "univ",
    "habil",
    "phd",
    "dphil",
    "mphil",
    "msc",
    "bsc",
    "mba",
    "llm",
    "llb",
    "mme",
    "mlle",
    "madame",
    "mademoiselle",
    "monsieur",
    "señor",
    "señora",
    "señorita",
    "senhor",
    "senhora",
    "sra",
    "srta",
    "dott",
    "dottssa",
    "dottore",
    "dottoressa",
    "signor",
    "signora",
    "mgr",
    "mudr",
    "judr",
    "phdr",
    "rndr",
    "csc",
    "dhr",
    "mevr",
    "mevrouw",
    "meneer",
    "esq",
    "magister",
    "magistra",
    "г-н",
    "г-жа",
    "господин",
    "госпожа",
    "κύριος",
    "κυρία",
    "श्री",
    "श्रीमती",
    "السيد",
    "السيدة",
    "الدكتور",
    "ดร",
    "รศ",
    "ผศ",
    "ศ",
    "นาย",
    "นาง",
    "นางสาว",
    "คุณ",
    "씨",
    "님",
];

/// Parts of titles, and forms of address, that are names as well: Phil Collins, Yo-Yo Ma, Pan Wei.
/// They are titles where a full stop says so, or beside another title.
const MAYBE_TITLES: [&str; 41] = [
    "phil", "nat", "med", "rer", "jur", "hc", "ing", "inż", "mag", "ma", "md", "ba", "bc", "doc", "lic",
    "ir", "oec", "pol", "theol", "vet", "dent", "agr", "sc", "tech", "sig", "mult", "soc", "cand", "stud",
    "fr", "sr", "rev", "hon", "don", "doña", "dona", "pan", "pani", "dame", "lord", "lady",
];

/// Forms of address among them. Before two words or more they are no name.
const ADDRESSES: [&str; 11] =
    ["fr", "sr", "rev", "hon", "don", "doña", "dona", "pan", "pani", "dame", "lady"];

/// What stands behind a name in capitals or after a comma: degrees, orders.
const BEHIND: [&str; 22] = [
    "ma", "md", "ba", "bsc", "msc", "phd", "mba", "esq", "cpa", "qc", "kc", "obe", "mbe", "cbe", "dds", "rn",
    "jd", "llm", "sj", "ofm", "osb", "mp",
];

/// Ranks of nobility. Between given and family name they are left out as often as not.
const RANKS: [&str; 31] = [
    "graf",
    "gräfin",
    "grafin",
    "graefin",
    "freiherr",
    "freifrau",
    "freiin",
    "frhr",
    "baron",
    "baronin",
    "baroness",
    "baronne",
    "fürst",
    "fürstin",
    "prinz",
    "prinzessin",
    "prince",
    "princess",
    "ritter",
    "edler",
    "edle",
    "herzog",
    "herzogin",
    "count",
    "countess",
    "comte",
    "comtesse",
    "conte",
    "contessa",
    "jonkheer",
    "jhr",
];

/// Words between given and family name that are often left out. Without marks.
const PARTICLES: [&str; 49] = [
    "von", "vom", "zu", "zum", "zur", "van", "vander", "den", "der", "des", "de", "del", "della", "dello",
    "delle", "degli", "di", "da", "das", "do", "dos", "du", "la", "le", "les", "los", "las", "lo", "ten",
    "ter", "te", "el", "al", "ul", "bin", "ibn", "bint", "ben", "bar", "abu", "af", "av", "und", "d", "l",
    "y", "e", "i", "of",
];

/// Particles that are given names as well, written with a capital: Ben, Al, Van.
const GIVEN_TOO: [&str; 14] =
    ["ben", "al", "bar", "abu", "van", "den", "lo", "do", "da", "di", "le", "el", "bin", "zu"];

/// Articles that Arabic names have before a hyphen; `ash` is `al` before `sh`.
const ARTICLES: [&str; 13] = ["al", "el", "ul", "ad", "an", "ar", "as", "ash", "at", "az", "es", "esh", "ez"];

/// Words after a name.
const SUFFIXES: [&str; 8] = ["jr", "sr", "jun", "sen", "junior", "ii", "iii", "iv"];

/// Words that begin an earlier family name, or a later one.
const BORN: [&str; 15] = [
    "geb",
    "geborene",
    "geborener",
    "née",
    "nee",
    "né",
    "born",
    "roz",
    "rozená",
    "урождённая",
    "verh",
    "verheiratete",
    "married",
    "épouse",
    "ép",
];

/// Words that begin another name of the same person.
const ALIAS: [&str; 9] = ["aka", "alias", "genannt", "gen", "dit", "dite", "also", "known", "called"];

/// Endings of patronymics, which stand behind the given name.
const PATRONYMICS: [&str; 25] = [
    "ович",
    "евич",
    "ёвич",
    "йович",
    "ьич",
    "овна",
    "евна",
    "ёвна",
    "ична",
    "івна",
    "ївна",
    "ович",
    "ovich",
    "evich",
    "yevich",
    "ovych",
    "yovych",
    "owitsch",
    "ewitsch",
    "ovna",
    "evna",
    "yevna",
    "ivna",
    "ichna",
    "owna",
];

/// The word in lower case, without what stands around it.
pub(super) fn bare(word: &str) -> String {
    word.trim_matches(|char: char| !char.is_alphanumeric()).to_lowercase()
}

/// Without the dots and hyphens in it: `M.Sc.` is `msc`.
fn compact(word: &str) -> String {
    bare(word).chars().filter(|char| char.is_alphanumeric()).collect()
}

fn is_dotted(word: &str) -> bool {
    word.trim_end_matches([',', ';', ')']).ends_with('.') || bare(word).contains('.')
}

/// Whether every part of the word is a title: `Dr.med.`, `Dipl.-Ing.`, `M.Sc.`
fn is_title(word: &str) -> bool {
    let word = bare(word);
    let known = |part: &str| TITLES.contains(&part);
    let listed = |part: &str| known(part) || MAYBE_TITLES.contains(&part);
    if word.is_empty() {
        return false;
    }
    let parts: Vec<&str> = word.split(['.', '-', '/']).filter(|part| !part.is_empty()).collect();
    known(&word)
        || (parts.len() == 1 && known(parts[0]))
        || (parts.len() > 1 && parts.iter().all(|part| listed(part)))
        || (word.contains('.') && listed(&compact(&word)))
}

/// Whether the word may be one, read beside another title or with its full stop.
fn may_be_title(word: &str) -> bool {
    MAYBE_TITLES.contains(&compact(word).as_str())
}

/// The words of a name without titles, degrees and the like.
pub(super) fn without_titles<'a>(words: &[&'a str]) -> Vec<&'a str> {
    let mut kept: Vec<&str> = Vec::with_capacity(words.len());
    let mut beside = false;
    for word in words {
        // `Md.` is short for Mohammed where it begins a name.
        let begins_name = kept.is_empty() && !beside && compact(word) == "md";
        let short = compact(word).chars().count() <= 5 && !word.starts_with(char::is_uppercase);
        let title = is_title(word)
            || (may_be_title(word) && !begins_name && (is_dotted(word) || beside))
            || (beside && short && is_dotted(word));
        if !title && bare(word).is_empty() {
            continue;
        }
        beside = title;
        if !title {
            kept.push(word);
        }
    }
    while kept.len() > 2
        && kept.last().is_some_and(|word| is_degree(word))
        && kept.iter().any(|word| word.chars().any(char::is_lowercase))
    {
        kept.pop();
    }
    if kept.len() > 2 && ADDRESSES.contains(&bare(kept[0]).as_str()) {
        kept.remove(0);
    }
    kept
}

/// Whether it is a degree in capitals: `MA`.
fn is_degree(word: &str) -> bool {
    BEHIND.contains(&compact(word).as_str()) && !word.chars().any(char::is_lowercase)
}

/// Whether nothing in a part after a comma is a name: `PhD`, `MA`, `Jr.`
pub(super) fn is_behind(part: &str) -> bool {
    let mut words = part.split_whitespace().peekable();
    words.peek().is_some()
        && words.all(|word| {
            is_title(word)
                || is_suffix(word)
                || (BEHIND.contains(&compact(word).as_str()) && (is_dotted(word) || is_degree(word)))
        })
}

/// Whether the word may stand between the names of a person in a text. `word` is folded.
pub(crate) fn may_stand_between(word: &str) -> bool {
    const LONGEST: usize = 24;
    word.len() <= LONGEST
        && [TITLES.as_slice(), &MAYBE_TITLES, &RANKS, &PARTICLES, &SUFFIXES]
            .iter()
            .any(|list| list.contains(&word))
}

/// Whether the word, folded, is a title or part of one: its full stop ends no sentence.
pub(crate) fn is_title_word(word: &str) -> bool {
    word.len() < 24 && (TITLES.contains(&word) || MAYBE_TITLES.contains(&word))
}

/// Whether it is a particle of a family name.
pub(super) fn is_particle(word: &str) -> bool {
    // A capital alone is an initial: `E.`, not the Portuguese `e`.
    PARTICLES.contains(&bare(word).as_str())
        && !(bare(word).chars().count() == 1 && word.starts_with(char::is_uppercase))
}

/// Whether the particle may be a given name: `Ben`, not `ben`.
pub(super) fn may_be_given(word: &str) -> bool {
    word.starts_with(char::is_uppercase) && GIVEN_TOO.contains(&bare(word).as_str())
}

/// Whether it is a rank of nobility.
pub(super) fn is_rank(word: &str) -> bool {
    RANKS.contains(&bare(word).as_str())
}

/// Whether it stands behind names: `Jr.`
pub(super) fn is_suffix(word: &str) -> bool {
    SUFFIXES.contains(&bare(word).as_str())
}

/// Whether an earlier or later family name follows.
pub(super) fn is_born(word: &str) -> bool {
    BORN.contains(&bare(word).as_str())
}

/// Whether another name of the person follows.
pub(super) fn is_alias(word: &str) -> bool {
    let compact = compact(word);
    // Gen is a given name too.
    ALIAS.contains(&compact.as_str()) && (compact != "gen" || is_dotted(word))
}

/// Whether it is a patronymic by its ending.
pub(super) fn is_patronymic(word: &str) -> bool {
    let word = bare(word);
    word.chars().count() > 5 && PATRONYMICS.iter().any(|ending| word.ends_with(ending))
}

/// The Arabic article before a hyphen, and the name behind it: `al-Namudhaji`.
pub(super) fn split_article(word: &str) -> Option<(&str, &str)> {
    let (article, rest) = word.split_once(['-', '\u{2010}', '\u{2011}'])?;
    let known = ARTICLES.contains(&article.to_lowercase().as_str());
    (known && rest.chars().count() > 2).then_some((article, rest))
}
