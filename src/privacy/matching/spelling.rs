//! Other spellings of one word of a name: ae for ä, and what it becomes in another alphabet.
//!
//! Between alphabets two ways are needed. A name that was typed in Cyrillic or Greek is written in
//! Latin letters by one of few systems, all of which are made here. A name typed in Latin letters
//! is too irregular for that; it is reduced to a coarse form, in several readings, and the words of
//! a text in Cyrillic or Greek are reduced letter by letter to the same ([`coarse`]). Both are for
//! review only.

use super::fold::is_cyrillic_or_greek;

/// Readings that are kept of one word; what is cut off are the less likely ones.
const READINGS_MAX: usize = 64;

/// Spellings of a word in which letters with marks are written by two: German, Nordic, Croatian.
/// `marked` is folded, with its marks.
pub(super) fn expanded(marked: &str) -> Vec<String> {
    const PAIRS: [(char, &str); 9] = [
        ('ä', "ae"),
        ('ö', "oe"),
        ('ü', "ue"),
        ('ø', "oe"),
        ('å', "aa"),
        ('æ', "ae"),
        ('đ', "dj"),
        ('ð', "d"),
        ('ñ', "ny"),
    ];
    let mut out = String::new();
    for char in marked.chars() {
        match PAIRS.iter().find(|(from, _)| *from == char) {
            Some((_, to)) => out.push_str(to),
            None => out.push(char),
        }
    }
    if out == marked { Vec::new() } else { vec![out] }
}

/// The other way about: spellings with marks of a word that was typed without (`mueller`). They
/// must be met with their marks: `muller` is another name.
pub(super) fn contracted(marked: &str) -> Vec<String> {
    const PAIRS: [(&str, &str); 7] =
        [("ae", "ä"), ("oe", "ö"), ("ue", "ü"), ("oe", "ø"), ("aa", "å"), ("ae", "æ"), ("ss", "ß")];
    let mut out: Vec<String> = PAIRS
        .iter()
        .filter(|(from, _)| marked.contains(from))
        .map(|(from, to)| marked.replace(from, to))
        .collect();
    // Two kinds in one word: Müßigbrückner has ue twice, Goessler-Baer oe and ae.
    let german = marked.replace("ae", "ä").replace("oe", "ö").replace("ue", "ü");
    if german != marked {
        out.push(german);
    }
    out.sort();
    out.dedup();
    out
}

/// Reduces one letter of Cyrillic or Greek, folded and without marks, to the coarse form. Other
/// characters come back as they are.
pub(super) fn coarse_char(char: char) -> Option<&'static str> {
    Some(match char {
        'а' | 'я' | 'α' => "a",
        'б' => "b",
        'в' | 'β' => "v",
        'г' | 'ґ' | 'ѓ' | 'γ' => "g",
        'д' | 'ђ' | 'δ' => "d",
        'е' | 'є' | 'э' | 'ё' | 'ε' => "e",
        'ж' | 'з' | 'џ' | 'ζ' => "z",
        'и' | 'і' | 'ї' | 'й' | 'ы' | 'ј' | 'η' | 'ι' => "i",
        'к' | 'ќ' | 'κ' => "k",
        'л' | 'љ' | 'λ' => "l",
        'м' | 'μ' => "m",
        'н' | 'њ' | 'ν' => "n",
        'о' | 'ο' | 'ω' => "o",
        'п' | 'π' => "p",
        'р' | 'ρ' => "r",
        'с' | 'ш' | 'щ' | 'σ' => "s",
        'т' | 'τ' => "t",
        'у' | 'ю' | 'ў' | 'υ' => "u",
        'ф' | 'φ' => "f",
        'х' | 'χ' => "h",
        'ц' | 'ч' | 'ћ' => "c",
        'ъ' | 'ь' => "",
        'θ' => "th",
        'ξ' => "x",
        'ψ' => "ps",
        _ => return None,
    })
}

/// Reduces a word of Cyrillic or Greek, folded and without marks, to the coarse form.
pub(super) fn coarse(plain: &str) -> String {
    let mut out = String::with_capacity(plain.len());
    for char in plain.chars() {
        match coarse_char(char) {
            Some(letters) => out.push_str(letters),
            None => out.push(char),
        }
    }
    out
}

/// How letters of Latin spellings are read, longest first. The first reading of each is the likeliest.
const RULES: [(&str, &[&str]); 42] = [
    ("schtsch", &["s"]),
    ("shch", &["s"]),
    ("tsch", &["c"]),
    ("sch", &["s", "z"]),
    ("tch", &["c"]),
    ("iya", &["ia"]),
    ("iia", &["ia"]),
    ("ija", &["ia"]),
    ("szcz", &["s"]),
    ("zh", &["z"]),
    ("kh", &["h"]),
    ("ch", &["c", "h"]),
    ("cz", &["c"]),
    ("sz", &["s"]),
    ("rz", &["r"]),
    ("sh", &["s"]),
    ("ts", &["c"]),
    ("tz", &["c"]),
    ("ya", &["a"]),
    ("ja", &["a"]),
    ("yu", &["u"]),
    ("ju", &["u"]),
    ("ye", &["e"]),
    ("je", &["e"]),
    ("yo", &["e", "o"]),
    ("jo", &["e", "o"]),
    ("ia", &["a", "ia"]),
    ("iu", &["u", "iu"]),
    ("ie", &["e", "ie"]),
    ("ph", &["f"]),
    ("th", &["th", "t"]),
    ("ou", &["ou", "u"]),
    ("ks", &["ks", "x"]),
    ("ff", &["f", "ff"]),
    ("w", &["v"]),
    ("y", &["i", "u"]),
    ("j", &["i", "z"]),
    ("c", &["c", "k"]),
    ("z", &["z", "c"]),
    ("b", &["b", "v", "mp"]),
    ("v", &["v", "u"]),
    ("x", &["x", "ks"]),
];

/// Readings of a word in Latin letters (folded, without marks) in the coarse form.
pub(super) fn readings(plain: &str) -> Vec<String> {
    let mut rest = plain;
    let mut readings = vec![String::new()];
    // The endings that one adjective of Russian has in Latin letters.
    let mut ending: &[&str] = &[];
    for (written, read) in [
        ("iy", &["ii"] as &[&str]),
        ("ij", &["ii"]),
        ("yi", &["ii"]),
        ("ii", &["ii"]),
        ("y", &["ii", "i"]),
        ("i", &["i", "ii"]),
    ] {
        if let Some(stem) = plain.strip_suffix(written)
            && stem.len() > 1
            && !stem.ends_with(['a', 'e', 'o', 'u'])
        {
            rest = stem;
            ending = read;
            break;
        }
    }
    while let Some(first) = rest.chars().next() {
        let rule = RULES.iter().find(|(written, _)| rest.starts_with(written));
        let own;
        let (length, read): (usize, &[&str]) = match rule {
            Some((written, read)) => (written.len(), read),
            None => {
                own = [&rest[..first.len_utf8()]];
                (first.len_utf8(), &own)
            }
        };
        append(&mut readings, read);
        rest = &rest[length..];
    }
    if !ending.is_empty() {
        append(&mut readings, ending);
    }
    readings.sort();
    readings.dedup();
    readings
}

/// Continues every reading by each of the alternatives, likelier ones first.
fn append(readings: &mut Vec<String>, alternatives: &[&str]) {
    let mut next = Vec::with_capacity(readings.len() * alternatives.len());
    for alternative in alternatives {
        next.extend(readings.iter().map(|reading| format!("{reading}{alternative}")));
    }
    next.truncate(READINGS_MAX);
    *readings = next;
}

/// Latin spellings of a word in Cyrillic or Greek, folded and composed.
pub(super) fn latin(word: &str) -> Vec<String> {
    if !word.chars().any(is_cyrillic_or_greek) {
        return Vec::new();
    }
    let greek = word.chars().any(|char| matches!(char, '\u{370}'..='\u{3ff}' | '\u{1f00}'..='\u{1fff}'));
    let mut out = Vec::new();
    let all: Vec<String> = if greek {
        GREEK.iter().map(|system| in_greek_system(word, system)).collect()
    } else {
        (0..CYRILLIC[0].1.len()).map(|system| in_cyrillic_system(word, system)).collect()
    };
    for written in all {
        for (ending, other) in [("iy", "y"), ("iy", "i"), ("ii", "y"), ("ii", "i"), ("ij", "y"), ("yy", "y")]
        {
            if let Some(stem) = written.strip_suffix(ending) {
                out.push(format!("{stem}{other}"));
            }
        }
        if let Some(rest) = written.strip_prefix('e').filter(|_| !greek) {
            out.push(format!("ye{rest}"));
        }
        out.push(written);
    }
    out.sort();
    out.dedup();
    out
}

/// Letters of Cyrillic that the systems write differently: English (BGN/PCGN), scientific, ISO 9
/// without its marks, passports (ICAO 9303), German, French, Polish, Ukrainian (resolution 55 of
/// 2010), Bulgarian (law of 2009), Serbian.
const CYRILLIC: [(char, [&str; 10]); 25] = [
    ('ж', ["zh", "z", "z", "zh", "sch", "j", "z", "zh", "zh", "z"]),
    ('х', ["kh", "ch", "h", "kh", "ch", "kh", "ch", "kh", "h", "h"]),
    ('ц', ["ts", "c", "c", "ts", "z", "ts", "c", "ts", "ts", "c"]),
    ('ч', ["ch", "c", "c", "ch", "tsch", "tch", "cz", "ch", "ch", "c"]),
    ('ш', ["sh", "s", "s", "sh", "sch", "ch", "sz", "sh", "sh", "s"]),
    ('щ', ["shch", "sc", "s", "shch", "schtsch", "chtch", "szcz", "shch", "sht", "sc"]),
    ('ю', ["yu", "ju", "u", "iu", "ju", "iou", "iu", "iu", "yu", "ju"]),
    ('я', ["ya", "ja", "a", "ia", "ja", "ia", "ia", "ia", "ya", "ja"]),
    ('й', ["y", "j", "j", "i", "j", "i", "j", "i", "y", "j"]),
    ('в', ["v", "v", "v", "v", "w", "v", "w", "v", "v", "v"]),
    ('ы', ["y", "y", "y", "y", "y", "y", "y", "y", "y", "y"]),
    ('ё', ["yo", "e", "e", "e", "jo", "io", "io", "io", "yo", "e"]),
    ('є', ["ye", "je", "e", "ie", "je", "ie", "ie", "ie", "ye", "je"]),
    ('ї', ["yi", "ji", "i", "i", "ji", "i", "ji", "i", "yi", "ji"]),
    ('у', ["u", "u", "u", "u", "u", "ou", "u", "u", "u", "u"]),
    ('с', ["s", "s", "s", "s", "s", "s", "s", "s", "s", "s"]),
    ('и', ["i", "i", "i", "i", "i", "i", "i", "y", "i", "i"]),
    ('г', ["g", "g", "g", "g", "g", "g", "g", "h", "g", "g"]),
    ('ъ', ["", "", "", "", "", "", "", "", "a", ""]),
    ('љ', ["l", "l", "l", "l", "l", "l", "l", "l", "l", "lj"]),
    ('њ', ["n", "n", "n", "n", "n", "n", "n", "n", "n", "nj"]),
    ('ђ', ["d", "d", "d", "d", "d", "d", "d", "d", "d", "dj"]),
    ('ћ', ["c", "c", "c", "c", "c", "c", "c", "c", "c", "c"]),
    ('џ', ["z", "z", "z", "z", "z", "z", "z", "z", "z", "dz"]),
    ('ј', ["i", "i", "i", "i", "i", "i", "i", "i", "i", "j"]),
];
/// Which of the systems is the Ukrainian one: it writes a few letters otherwise where a word begins.
const UKRAINIAN: usize = 7;

/// How Ukrainian letters are written at the beginning of a word.
fn initially(char: char) -> Option<&'static str> {
    Some(match char {
        'ю' => "yu",
        'я' => "ya",
        'є' => "ye",
        'ї' => "yi",
        'й' => "y",
        _ => return None,
    })
}

fn in_cyrillic_system(word: &str, system: usize) -> String {
    let mut out = String::new();
    for (at, char) in word.char_indices() {
        if let Some(written) = initially(char).filter(|_| at == 0 && system == UKRAINIAN) {
            out.push_str(written);
            continue;
        }
        match CYRILLIC.iter().find(|(letter, _)| *letter == char) {
            Some((_, systems)) => out.push_str(systems[system]),
            None => match coarse_char(char) {
                Some(letters) => out.push_str(letters),
                None => out.push(char),
            },
        }
    }
    out
}

/// How a system writes Greek: pairs of letters first, then single ones.
type GreekSystem = &'static [(&'static str, &'static str)];

/// ELOT 743 with the usual simplifications; with i for υ and h for χ; the classical one.
const GREEK: [GreekSystem; 3] = [
    &[
        ("ου", "ou"),
        ("αυ", "av"),
        ("ευ", "ev"),
        ("μπ", "b"),
        ("ντ", "nt"),
        ("γγ", "ng"),
        ("γκ", "gk"),
        ("χ", "ch"),
        ("υ", "y"),
    ],
    &[
        ("ου", "ou"),
        ("αυ", "af"),
        ("ευ", "ef"),
        ("μπ", "mp"),
        ("ντ", "d"),
        ("γγ", "g"),
        ("γκ", "g"),
        ("χ", "h"),
        ("υ", "i"),
        ("ξ", "ks"),
    ],
    &[
        ("ου", "u"),
        ("αυ", "au"),
        ("ευ", "eu"),
        ("γγ", "ng"),
        ("χ", "ch"),
        ("υ", "y"),
        ("φ", "ph"),
        ("η", "e"),
        ("β", "b"),
    ],
];

fn in_greek_system(word: &str, system: GreekSystem) -> String {
    // Without the accents, which say nothing of the letters: but a diaeresis parts two.
    let bare: String = icu_normalizer::DecomposingNormalizerBorrowed::new_nfd()
        .normalize_iter(word.chars())
        .filter(|char| *char != '\u{301}')
        .collect();
    let mut rest = bare.as_str();
    let mut out = String::new();
    while let Some(first) = rest.chars().next() {
        if let Some((written, latin)) = system.iter().find(|(written, _)| rest.starts_with(written)) {
            out.push_str(latin);
            rest = &rest[written.len()..];
            continue;
        }
        if !super::fold::is_mark(first) {
            match coarse_char(first) {
                Some(letters) => out.push_str(letters),
                None => out.push(first),
            }
        }
        rest = &rest[first.len_utf8()..];
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spellings_in_use_meet_the_native_word() {
        for (native, written) in [
            (
                "чаиковскии",
                &["tchaikovsky", "chaikovskii", "chaykovskiy", "tschaikowski", "czajkowski"] as &[&str],
            ),
            ("дмитрии", &["dmitry", "dmitri", "dmitriy", "dmitrij"]),
            ("наталья", &["natalya", "natalia", "natalja"]),
            ("юлия", &["yulia", "julia", "yuliya", "iuliia"]),
            ("жуков", &["zhukov", "schukow"]),
            ("παπαδοπουλοσ", &["papadopoulos"]),
            ("χρηστοσ", &["christos", "hristos"]),
        ] {
            for word in written {
                assert!(
                    readings(word).contains(&coarse(native)),
                    "{word}: {:?} {}",
                    readings(word),
                    coarse(native)
                );
            }
        }
    }

    #[test]
    fn the_systems_write_native_words() {
        for (native, written) in [
            ("чайковский", &["chaykovskiy", "tschajkowskij", "chaikovskii", "chaykovsky"] as &[&str]),
            ("екатерина", &["ekaterina", "yekaterina"]),
            ("юлия", &["iuliia", "julija", "yuliya"]),
            ("юлія", &["yuliia"]),
            ("григорій", &["hryhorii"]),
            ("щърбев", &["shtarbev"]),
            ("љубица", &["ljubica"]),
            ("παπαδόπουλος", &["papadopoulos"]),
            ("γιώργος", &["giorgos"]),
        ] {
            let latin = latin(&native.replace('ς', "σ"));
            for word in written {
                assert!(latin.iter().any(|spelling| spelling == word), "{word}: {latin:?}");
            }
        }
    }

    #[test]
    fn readings_are_bounded() {
        assert!(readings(&"cjzbxy".repeat(100)).len() <= READINGS_MAX);
    }
}
