//! What makes two spellings of a letter the same letter.
//!
//! Every fold here looks at one character at a time. That is what lets the prefilter
//! ([`super::prefilter`]) fold raw bytes and be sure never to lose what the search would find.

use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};

use super::{Normaliser, Switches};

/// The folds of one matcher: the same for its identifiers and for the texts it reads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fold {
    pub(super) switches: Switches,
}

/// A text after [`Fold::text`], and where each of its bytes came from.
#[derive(Debug, Default)]
pub(super) struct Folded {
    /// The folded text.
    pub(super) text: String,
    /// For each byte of `text`, and one past the last: the byte of the source it came from.
    pub(super) origin: Vec<u32>,
    /// For each byte of `text`: the letter was a capital in the source.
    pub(super) capital: Vec<bool>,
}

impl Fold {
    /// Folds one character: case, compatibility forms (full width, ligatures, letters of
    /// mathematics), characters that nobody sees.
    pub(super) fn char(self, char: char, out: &mut String) {
        if char.is_ascii() {
            let char = if self.switches.on(Normaliser::Case) { char.to_ascii_lowercase() } else { char };
            out.push(char);
            return;
        }
        if is_invisible(char) {
            if !self.switches.on(Normaliser::Invisible) {
                out.push(' ');
            }
            return;
        }
        if self.switches.on(Normaliser::Compatibility) && !is_jamo(char) {
            for part in ComposingNormalizerBorrowed::new_nfkc().normalize_iter(std::iter::once(char)) {
                self.case(part, out);
            }
        } else {
            self.case(char, out);
        }
    }

    fn case(self, char: char, out: &mut String) {
        // Hyphens and apostrophes of all kinds, so that the rest need to know one of each.
        let char = match char {
            '\u{58a}'
            | '\u{5be}'
            | '\u{2010}'..='\u{2015}'
            | '\u{2212}'
            | '\u{fe58}'
            | '\u{fe63}'
            | '\u{ff0d}' => '-',
            '\u{2018}' | '\u{2019}' | '\u{201b}' | '\u{2bc}' | '\u{2b9}' | '\u{2032}' | '\u{60}'
            | '\u{b4}' => '\'',
            _ => char,
        };
        if let Some(digit) = digit(char) {
            out.push(digit);
            return;
        }
        if !self.switches.on(Normaliser::Case) {
            out.push(char);
            return;
        }
        match char {
            // Full case folding; the rest of it is what `to_lowercase` does.
            'ß' | 'ẞ' => out.push_str("ss"),
            'ς' => out.push('σ'),
            _ => out.extend(char.to_lowercase()),
        }
    }

    /// Folds a text and remembers where every byte came from.
    pub(super) fn text(self, text: &str) -> Folded {
        let mut folded = Folded::default();
        folded.text.reserve(text.len());
        folded.origin.reserve(text.len() + 1);
        folded.capital.reserve(text.len());
        for (at, char) in text.char_indices() {
            let before = folded.text.len();
            self.char(char, &mut folded.text);
            let capital = char.is_uppercase();
            for _ in before..folded.text.len() {
                folded.origin.push(u32::try_from(at).unwrap_or(u32::MAX));
                folded.capital.push(capital);
            }
        }
        folded.origin.push(u32::try_from(text.len()).unwrap_or(u32::MAX));
        folded
    }

    /// Folds a short text: an identifier.
    pub(super) fn string(self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        for char in text.chars() {
            self.char(char, &mut out);
        }
        out
    }

    /// The key under which a folded token is looked up first: marks kept, composed.
    pub(super) fn marked(self, token: &str) -> String {
        if token.is_ascii() || !self.switches.on(Normaliser::Form) {
            return token.to_owned();
        }
        ComposingNormalizerBorrowed::new_nfc().normalize(token).into_owned()
    }

    /// The key of a folded token without marks, in its own script.
    pub(super) fn plain(self, token: &str) -> String {
        let marked = self.marked(token);
        if token.is_ascii() || !self.switches.on(Normaliser::Diacritics) {
            return marked;
        }
        let mut bare = String::with_capacity(marked.len());
        for char in DecomposingNormalizerBorrowed::new_nfd().normalize_iter(marked.chars()) {
            if !is_mark(char) {
                push_bare(char, &mut bare);
            }
        }
        self.marked(&bare)
    }
}

/// Characters that take no room and change no letter: soft hyphens, zero-width characters, marks
/// of direction, variation selectors, tags. And the half rings by which Arabic, Hebrew and Hawaiian
/// names are written exactly, and mostly not: `Saʿid`.
pub(super) fn is_invisible(char: char) -> bool {
    matches!(
        char,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{2bb}' | '\u{2bd}'..='\u{2bf}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{e0000}'..='\u{e0fff}'
    )
}

/// Marks over and under letters that a reader may leave out. Vowel signs of Indic scripts are
/// marks too, but letters in all but name, and stay.
pub(super) fn is_mark(char: char) -> bool {
    matches!(
        char,
        '\u{300}'..='\u{36f}' | '\u{483}'..='\u{487}' | '\u{591}'..='\u{5bd}' | '\u{5bf}'
            | '\u{5c1}'..='\u{5c2}' | '\u{5c4}'..='\u{5c5}' | '\u{5c7}' | '\u{610}'..='\u{61a}'
            | '\u{640}' | '\u{64b}'..='\u{65f}' | '\u{670}' | '\u{6d6}'..='\u{6dc}'
            | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}'
            | '\u{fe20}'..='\u{fe2f}'
    )
}

/// Marks that belong to a word although they are no letters: those above, and what joins letters
/// of Indic scripts and kana.
pub(super) fn is_word_mark(char: char) -> bool {
    is_mark(char)
        || matches!(
            char,
            '\u{93c}'
                | '\u{94d}'
                | '\u{9bc}'
                | '\u{9cd}'
                | '\u{a3c}'
                | '\u{a4d}'
                | '\u{abc}'
                | '\u{acd}'
                | '\u{b3c}'
                | '\u{b4d}'
                | '\u{bcd}'
                | '\u{c4d}'
                | '\u{cbc}'
                | '\u{ccd}'
                | '\u{d4d}'
                | '\u{dca}'
                | '\u{e47}'..='\u{e4e}' | '\u{3099}' | '\u{309a}' | '\u{1039}' | '\u{103a}'
        )
}

fn is_jamo(char: char) -> bool {
    matches!(char, '\u{1100}'..='\u{11ff}')
}

/// Letters with a stroke, and the like, that Unicode does not take apart; and letters of Arabic
/// and Hebrew that are written for each other.
fn push_bare(char: char, out: &mut String) {
    let bare = match char {
        'ø' => "o",
        'Ø' => "O",
        'ł' => "l",
        'Ł' => "L",
        'đ' | 'ð' | 'ɖ' | 'ɗ' => "d",
        'Đ' | 'Ð' => "D",
        'ħ' => "h",
        'Ħ' => "H",
        'ŧ' => "t",
        'ı' => "i",
        'ŋ' => "n",
        'ə' => "e",
        'ɓ' => "b",
        'ƙ' => "k",
        'æ' => "ae",
        'Æ' => "AE",
        'œ' => "oe",
        'Œ' => "OE",
        'þ' => "th",
        'Þ' => "TH",
        'ى' | 'ی' => "ي",
        'ة' => "ه",
        'ک' => "ك",
        'ٱ' => "ا",
        char => {
            out.push(char);
            return;
        }
    };
    out.push_str(bare);
}

/// Decimal digits of the scripts in use, as ASCII.
fn digit(char: char) -> Option<char> {
    const ZEROS: [u32; 12] =
        [0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xe50, 0x17e0, 0xff10];
    let code = u32::from(char);
    let zero = ZEROS.into_iter().find(|zero| (*zero..*zero + 10).contains(&code))?;
    char::from_digit(code - zero, 10)
}

/// Scripts that put no spaces between words; in them a name is looked for anywhere in a run.
pub(crate) fn is_unspaced(char: char) -> bool {
    matches!(
        char,
        '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1100}'..='\u{11ff}' | '\u{1780}'..='\u{17ff}'
            | '\u{3005}'..='\u{3007}' | '\u{3040}'..='\u{30fa}' | '\u{30fc}'..='\u{30ff}'
            | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7ff}'
            | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}'
    )
}

/// Syllables of Korean, whose words are spaced but carry particles at their end.
pub(super) fn is_hangul(char: char) -> bool {
    matches!(char, '\u{1100}'..='\u{11ff}' | '\u{ac00}'..='\u{d7ff}')
}

/// Letters of katakana, in which foreign names are written.
pub(super) fn is_katakana(char: char) -> bool {
    matches!(char, '\u{30a1}'..='\u{30fa}' | '\u{30fc}'..='\u{30ff}')
}

/// Letters of Cyrillic and Greek, which are compared across scripts.
pub(super) fn is_cyrillic_or_greek(char: char) -> bool {
    matches!(char, '\u{370}'..='\u{3ff}' | '\u{400}'..='\u{52f}' | '\u{1f00}'..='\u{1fff}')
}

/// Latin letters that letters of Cyrillic and Greek look like; for tokens in which scripts are
/// mixed. After Unicode's `confusables.txt`, lower case, the letters that fonts draw alike.
pub(super) fn look_alike(char: char) -> Option<char> {
    Some(match char {
        'а' | 'α' | 'ɑ' => 'a',
        'в' | 'β' => 'b',
        'с' | 'ϲ' => 'c',
        'ԁ' => 'd',
        'е' | 'є' | 'ε' => 'e',
        'ɡ' => 'g',
        'һ' | 'н' | 'η' => 'h',
        'і' | 'ι' => 'i',
        'ј' | 'ϳ' => 'j',
        'к' | 'κ' => 'k',
        'ӏ' => 'l',
        'м' | 'μ' => 'm',
        'п' | 'ո' => 'n',
        'о' | 'ο' | 'σ' | 'օ' => 'o',
        'р' | 'ρ' => 'p',
        'ԛ' => 'q',
        'г' => 'r',
        'ѕ' => 's',
        'т' | 'τ' => 't',
        'υ' => 'u',
        'ν' | 'ѵ' => 'v',
        'ԝ' | 'ω' => 'w',
        'х' | 'χ' => 'x',
        'у' | 'ү' | 'γ' => 'y',
        'ᴢ' | 'ζ' => 'z',
        _ => return None,
    })
}
