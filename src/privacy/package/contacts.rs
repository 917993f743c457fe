//! E-mail addresses and telephone numbers in a text, whoever they are of.
//!
//! For hiding those of others: what could be one is taken for one. Dates, prices and numbers of books are
//! told apart, because a copy must be faithful as well. Linear in the text.

use std::ops::Range;

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Contact {
    Email,
    Phone,
}

/// Longest side of an address that is followed, in bytes: RFC 5321 has 64 before the `@`, 255 after it.
const SIDE_MAX: usize = 255;
/// Fewest and most digits of a telephone number (E.164 has at most 15).
const DIGITS: std::ops::RangeInclusive<usize> = 7..=15;
/// How an `@` is written in texts, links and markup.
const ATS: [&str; 11] =
    ["@", "＠", "%40", "&#64;", "&#064;", "&#x40;", "&commat;", "(at)", "[at]", "{at}", "(ät)"];

/// Finds them, in order.
pub(super) fn contacts(text: &str) -> Vec<(Range<usize>, Contact)> {
    let mut found: Vec<(Range<usize>, Contact)> = Vec::new();
    found.extend(emails(text).into_iter().map(|range| (range, Contact::Email)));
    found.extend(phones(text).into_iter().map(|range| (range, Contact::Phone)));
    found.sort_by_key(|(range, _)| (range.start, range.end));
    found
}

fn emails(text: &str) -> Vec<Range<usize>> {
    // Lower case in ASCII only: every byte stays where it is.
    let lower = text.to_ascii_lowercase();
    let mut ats: Vec<Range<usize>> = Vec::new();
    for at in ATS {
        ats.extend(lower.match_indices(at).map(|(start, _)| start..start + at.len()));
    }
    ats.sort_by_key(|at| at.start);
    let mut found: Vec<Range<usize>> = Vec::new();
    for at in ats {
        let spaced = text[at.clone()].starts_with(['(', '[', '{']);
        let (mut left, mut right) = (at.start, at.end);
        if spaced {
            left -= text[..left].len() - text[..left].trim_end_matches(' ').len();
            right += text[right..].len() - text[right..].trim_start_matches(' ').len();
        }
        let local = text[..left].chars().rev().take_while(|char| is_local(*char));
        let start = left - limited(local);
        let domain = text[right..].chars().take_while(|char| is_domain(*char));
        let end = right + limited(domain);
        let end = right + text[right..end].trim_end_matches(['.', '-']).len();
        let start =
            start + (text[start..left].len() - text[start..left].trim_start_matches(['.', '\'']).len());
        let has_both = text[start..left].chars().any(char::is_alphanumeric)
            && text[right..end].chars().any(char::is_alphanumeric);
        if has_both {
            match found.last_mut() {
                Some(last) if last.end >= start => last.end = last.end.max(end),
                _ => found.push(start..end),
            }
        }
    }
    found
}

/// Bytes of these characters, up to a bound.
fn limited(chars: impl Iterator<Item = char>) -> usize {
    let mut bytes = 0;
    for char in chars {
        if bytes >= SIDE_MAX {
            break;
        }
        bytes += char.len_utf8();
    }
    bytes
}

fn is_local(char: char) -> bool {
    char.is_alphanumeric() || "._%+-~'".contains(char)
}

fn is_domain(char: char) -> bool {
    char.is_alphanumeric() || ".-%".contains(char)
}

/// Groups of digits with what divides them.
#[derive(Default)]
struct Number {
    start: usize,
    end: usize,
    plus: bool,
    groups: Vec<String>,
    dividers: Vec<String>,
}

impl Number {
    fn digits(&self) -> usize {
        self.groups.iter().map(|group| group.chars().count()).sum()
    }
}

fn is_divider(char: char) -> bool {
    " -./()\u{a0}\u{202f}\u{2009}\u{2010}\u{2011}\u{2012}\u{2013}".contains(char)
}

/// Characters between two groups: `) ` or ` - `, and no more.
const DIVIDER_MAX: usize = 3;

fn phones(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut chars = text.char_indices().peekable();
    let mut before: Option<char> = None;
    while let Some((start, char)) = chars.next() {
        let after_word = before.is_some_and(|char| char.is_alphanumeric() || char == '_');
        before = Some(char);
        let begins = char.is_numeric() || matches!(char, '+' | '＋');
        if !begins || after_word {
            continue;
        }
        let mut number = Number { start, end: start + char.len_utf8(), ..Number::default() };
        if char.is_numeric() {
            number.groups.push(char.to_string());
        } else {
            number.plus = true;
            number.groups.push(String::new());
        }
        let mut divider = String::new();
        while let Some((at, next)) = chars.peek().copied() {
            if next.is_numeric() {
                if !divider.is_empty() {
                    number.dividers.push(std::mem::take(&mut divider));
                    number.groups.push(String::new());
                }
                if let Some(group) = number.groups.last_mut() {
                    group.push(next);
                }
                number.end = at + next.len_utf8();
            } else if is_divider(next) && divider.chars().count() < DIVIDER_MAX {
                divider.push(next);
            } else {
                break;
            }
            before = Some(next);
            chars.next();
        }
        let in_word =
            divider.is_empty() && text[number.end..].chars().next().is_some_and(char::is_alphabetic);
        number.groups.retain(|group| !group.is_empty());
        let is_called = ["tel:", "callto:", "sms:"].iter().any(|scheme| {
            text[..start].len() >= scheme.len()
                && text.as_bytes()[start - scheme.len()..start].eq_ignore_ascii_case(scheme.as_bytes())
        });
        if DIGITS.contains(&number.digits()) && (is_called || (!in_word && is_phone(&number))) {
            found.push(number.start..number.end);
        }
    }
    found
}

fn is_phone(number: &Number) -> bool {
    let first = number.groups.first().map_or("", String::as_str);
    if number.plus {
        return true;
    }
    if is_date(number) || is_years(number) || is_amount(number) || is_book(number) {
        return false;
    }
    first.starts_with('0') || number.groups.len() > 1
}

/// `2026-11-23`, `23.11.2026`, `1/2/2026`, also two of them.
fn is_date(number: &Number) -> bool {
    let lengths: Vec<usize> = number.groups.iter().map(String::len).collect();
    let is_short = |length: usize| length == 1 || length == 2;
    let one = |part: &[usize]| match part {
        [4, month, day] => is_short(*month) && is_short(*day),
        [day, month, 4] => is_short(*day) && is_short(*month),
        _ => false,
    };
    match lengths.len() {
        3 => one(&lengths),
        6 => one(&lengths[..3]) && one(&lengths[3..]),
        _ => false,
    }
}

/// `2019-2024`, `1999 2000`.
fn is_years(number: &Number) -> bool {
    number.groups.len() > 1
        && number
            .groups
            .iter()
            .all(|group| group.len() == 4 && (group.starts_with("19") || group.starts_with("20")))
}

/// `12 500 000`, `1.000.000`.
fn is_amount(number: &Number) -> bool {
    let [first, rest @ ..] = &number.groups[..] else { return false };
    !rest.is_empty()
        && rest.iter().all(|group| group.len() == 3)
        && first.len() <= 3
        && !first.starts_with('0')
        && number.dividers.windows(2).all(|pair| pair[0] == pair[1])
        && number.dividers.iter().all(|divider| matches!(&**divider, " " | "." | "\u{a0}" | "\u{202f}"))
        && (first.len() < 3 || rest.last().is_some_and(|last| last == "000"))
}

/// An ISBN of 13 digits.
fn is_book(number: &Number) -> bool {
    number.digits() == 13
        && number.groups.concat().get(..3).is_some_and(|first| first == "978" || first == "979")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(text: &str) -> String {
        let mut out = text.to_owned();
        for (range, contact) in contacts(text).into_iter().rev() {
            out.replace_range(range, if contact == Contact::Email { "<E>" } else { "<P>" });
        }
        out
    }

    #[test]
    fn addresses_are_found_however_they_are_written() {
        for (text, expected) in [
            ("write to max@example.org.", "write to <E>."),
            ("mailto:max%40example.org?subject=x", "mailto:<E>?subject=x"),
            ("max.beispiel+tag@sub.example.co.uk, or", "<E>, or"),
            ("max&#64;example.org", "<E>"),
            ("max (at) example.org", "<E>"),
            ("MAX[AT]EXAMPLE.ORG", "<E>"),
            ("jörg@müller.example", "<E>"),
            ("山田@例え.jp", "<E>"),
            ("@handle and a @ b", "@handle and a @ b"),
            ("https://social.example/@max", "https://social.example/@max"),
            ("a@b@c", "<E>"),
            ("x@", "x@"),
        ] {
            assert_eq!(marked(text), expected);
        }
    }

    #[test]
    fn numbers_of_telephones_are_told_from_others() {
        for (text, expected) in [
            ("call +49 30 1234567 now", "call <P> now"),
            ("030 / 123 45 67", "<P>"),
            ("(030) 1234567", "(<P>"),
            ("555-123-4567", "<P>"),
            ("tel:12345678", "tel:<P>"),
            ("0301234567", "<P>"),
            ("2026-11-23", "2026-11-23"),
            ("23.11.2026", "23.11.2026"),
            ("2020-02-03T12:13:14+0000", "2020-02-03T12:13:14+0000"),
            ("1 000 000 or 12.500.000", "1 000 000 or 12.500.000"),
            ("2019-2024", "2019-2024"),
            ("ISBN 978-3-16-148410-0", "ISBN 978-3-16-148410-0"),
            ("12345678", "12345678"),
            ("ZbFUe12345678", "ZbFUe12345678"),
            ("１２３-４５６-７８９０", "<P>"),
            ("version 1.2.3", "version 1.2.3"),
        ] {
            assert_eq!(marked(text), expected);
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_found_lies_at_the_edges_of_characters(text in "[a@＠0-9 +()%4ä.-]{0,60}") {
            let found = contacts(&text);
            for (range, _) in &found {
                proptest::prop_assert!(text.get(range.clone()).is_some_and(|part| !part.is_empty()));
            }
        }
    }
}
