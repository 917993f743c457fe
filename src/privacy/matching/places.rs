//! Where given words stand in a text, as a reader would say that they do: in whatever case, form or
//! diacritics, `ä` also as `ae`. For hiding them, so more is found rather than less.

use std::ops::Range;

use super::fold::{Fold, is_unspaced, is_word_mark};

/// A text with its spelling folded, and where each character of it stood.
struct Spelled {
    text: String,
    /// For each byte of `text`: the character of the source that it came from.
    from: Vec<Range<usize>>,
}

/// Letters that German and Scandinavian write with two where the marks are missing.
fn in_two_letters(char: char) -> Option<&'static str> {
    Some(match char {
        'ä' | 'Ä' | 'æ' | 'Æ' => "ae",
        'ö' | 'Ö' | 'ø' | 'Ø' | 'œ' | 'Œ' => "oe",
        'ü' | 'Ü' => "ue",
        'å' | 'Å' => "aa",
        _ => return None,
    })
}

/// Folds a text character by character. Whatever divides words is one blank.
fn spelled(fold: Fold, text: &str, two_letters: bool) -> Spelled {
    let mut out = Spelled { text: String::with_capacity(text.len()), from: Vec::with_capacity(text.len()) };
    let mut chars = text.char_indices().peekable();
    while let Some((at, char)) = chars.next() {
        let mut end = at + char.len_utf8();
        let mut letter = char.to_string();
        // A letter and its marks are one, also where they are written one after the other.
        while let Some((next, mark)) = chars.peek().copied().filter(|(_, char)| is_word_mark(*char)) {
            letter.push(mark);
            end = next + mark.len_utf8();
            chars.next();
        }
        let marked = fold.marked(&letter);
        let two = two_letters.then(|| marked.chars().next().and_then(in_two_letters)).flatten();
        let folded = match two {
            Some(two) => two.to_owned(),
            None => fold.plain(&fold.string(&letter)),
        };
        let is_divider = !folded.is_empty() && !folded.chars().any(is_of_word);
        if is_divider {
            if !out.text.is_empty() && !out.text.ends_with(' ') {
                out.text.push(' ');
                out.from.push(at..end);
            }
            continue;
        }
        out.text.push_str(&folded);
        out.from.resize(out.text.len(), at..end);
    }
    out
}

fn is_of_word(char: char) -> bool {
    char.is_alphanumeric() || is_word_mark(char)
}

/// Where the words stand. Whole words of the text: what is left of one would tell who it was.
pub(super) fn of(fold: Fold, text: &str, words: &[String]) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    for two_letters in [false, true] {
        let spelled_text = spelled(fold, text, two_letters);
        for word in words {
            let word = spelled(fold, word, two_letters);
            let wanted = word.text.trim();
            if wanted.is_empty() {
                continue;
            }
            for (at, _) in spelled_text.text.match_indices(wanted) {
                let (Some(first), Some(last)) =
                    (spelled_text.from.get(at), spelled_text.from.get(at + wanted.len() - 1))
                else {
                    continue;
                };
                if is_worth(text, first.start, wanted) {
                    found.push(whole_words(text, first.start..last.end));
                }
            }
        }
    }
    merged(found)
}

/// Letters from which on a word is hidden also where it stands within another.
const WITHIN_MIN: usize = 4;

/// Whether a match is more than chance: a short one begins a word.
fn is_worth(text: &str, start: usize, wanted: &str) -> bool {
    let before = text[..start].chars().next_back();
    wanted.chars().count() >= WITHIN_MIN
        || wanted.chars().any(is_unspaced)
        || !before.is_some_and(char::is_alphanumeric)
}

/// Widens a stretch to the ends of the words that it begins and ends in. Where a script has no spaces it
/// stays as it is.
fn whole_words(text: &str, stretch: Range<usize>) -> Range<usize> {
    let is_part = |char: &char| is_of_word(*char) && !is_unspaced(*char);
    let joins = |char: Option<char>| char.is_some_and(|char| is_part(&char));
    let (mut start, mut end) = (stretch.start, stretch.end);
    if joins(text[start..].chars().next()) {
        start -= text[..start].chars().rev().take_while(is_part).map(char::len_utf8).sum::<usize>();
    }
    if joins(text[..end].chars().next_back()) {
        end += text[end..].chars().take_while(is_part).map(char::len_utf8).sum::<usize>();
    }
    start..end
}

/// Puts stretches in order, and those that touch together.
pub(in crate::privacy) fn merged(mut stretches: Vec<Range<usize>>) -> Vec<Range<usize>> {
    stretches.sort_by_key(|stretch| (stretch.start, stretch.end));
    let mut out: Vec<Range<usize>> = Vec::with_capacity(stretches.len());
    for stretch in stretches {
        match out.last_mut() {
            Some(last) if stretch.start <= last.end => last.end = last.end.max(stretch.end),
            _ => out.push(stretch),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use crate::privacy::matching::Matcher;
    use crate::privacy::subject::Subject;

    fn hidden(text: &str, words: &[&str]) -> String {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let matcher = Matcher::new(&Subject::default(), &[]);
        let mut out = text.to_owned();
        for place in matcher.places_of(text, &words).into_iter().rev() {
            out.replace_range(place, "#");
        }
        out
    }

    #[test]
    fn words_are_found_however_they_are_written() {
        for (text, words, expected) in [
            ("with Max Beispiel there", &["max beispiel"][..], "with # there"),
            ("with MAX  BEISPIEL, there", &["Max Beispiel"], "with #, there"),
            ("Jörg, JOERG, Jorg, jo\u{308}rgs", &["Jörg"], "#, #, #, #"),
            ("Müllers Max and Mueller", &["Müller"], "# Max and #"),
            ("max-beispiel-arbeitet", &["Max Beispiel"], "#-arbeitet"),
            ("Ann in a channel", &["Ann"], "# in a channel"),
            ("Anna", &["Ann"], "#"),
            ("ＭＡＸ", &["max"], "#"),
            ("straße STRASSE", &["Straße"], "# #"),
            ("山田太郎さん", &["太郎"], "山田#さん"),
            ("nothing here", &["", "  ", "!"], "nothing here"),
            ("", &["x"], ""),
        ] {
            assert_eq!(hidden(text, words), expected, "{text} {words:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_found_lies_at_the_edges_of_characters_and_holds_every_plain_mention(
            before in "\\PC{0,12}", word in "[a-zäöüß]{4,8}", after in "\\PC{0,12}",
        ) {
            let text = format!("{before} {} {after}", word.to_uppercase());
            let matcher = Matcher::new(&Subject::default(), &[]);
            let places = matcher.places_of(&text, std::slice::from_ref(&word));
            for place in &places {
                proptest::prop_assert!(text.get(place.clone()).is_some_and(|part| !part.is_empty()));
            }
            let at = before.len() + 1;
            let covered = places.iter().any(|place| place.start <= at && at < place.end);
            proptest::prop_assert!(covered, "{text}");
        }
    }
}
