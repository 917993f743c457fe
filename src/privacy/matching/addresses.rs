//! E-mail addresses in a text.

use std::collections::HashMap;

use super::fold::{Fold, Folded};
use super::tokens::{Token, tokens};
use super::{Normaliser, Raw, Rule};
use crate::privacy::subject::{EmailAddress, IdentifierKind, IdentifierRef};

/// Bytes of a local part or domain that are read: RFC 5321 allows 64 and 255.
const PART_MAX: usize = 255;
/// Bytes that may stand between the pieces of an address written out: ` [ at ] `.
pub(super) const WRITTEN_GAP_MAX: usize = 8;
/// Words for `@` in the languages of the corpus; `a` is for `(a)`.
const AT_WORDS: [&str; 13] = [
    "a",
    "at",
    "ät",
    "arroba",
    "chez",
    "arobase",
    "chiocciola",
    "malpa",
    "małpa",
    "zavinac",
    "zavináč",
    "klammeraffe",
    "kukac",
];
/// Words for the dot of an address.
const DOT_WORDS: [&str; 10] =
    ["dot", "punkt", "punto", "point", "ponto", "tecka", "tečka", "kropka", "nokta", "punt"];
/// Providers that deliver `name+anything` to `name`.
const TAGGING: [&str; 14] = [
    "gmail.com",
    "googlemail.com",
    "outlook.com",
    "hotmail.com",
    "live.com",
    "fastmail.com",
    "icloud.com",
    "me.com",
    "proton.me",
    "protonmail.com",
    "pm.me",
    "yandex.com",
    "posteo.de",
    "mailbox.org",
];

/// The addresses of a subject.
#[derive(Debug, Default)]
pub(super) struct Emails {
    /// Local part and domain as they must be met, with the number of the address.
    exact: HashMap<(String, String), u32>,
    /// The same under the rules of their provider: without tag; dots left out at Gmail.
    provider: HashMap<(String, String), u32>,
    written: Vec<Written>,
    weak: Vec<bool>,
}

/// An address as words.
#[derive(Debug)]
struct Written {
    index: u32,
    local: Vec<String>,
    domain: Vec<String>,
}

/// What must be in a text that holds an address; for the prefilter.
#[derive(Debug)]
pub(super) struct EmailAnchor {
    /// The longest word of the local part; empty where the provider leaves out dots.
    pub(super) local: String,
    /// The longest label of the domain, as letters and in punycode.
    pub(super) domain: Vec<String>,
}

fn is_gmail(domain: &str) -> bool {
    matches!(domain, "gmail.com" | "googlemail.com")
}

fn ascii_domain(domain: &str, fold: Fold) -> String {
    let domain = domain.trim_end_matches('.');
    if domain.is_ascii() || !fold.switches.on(Normaliser::Idna) {
        return domain.to_owned();
    }
    idna::domain_to_ascii(&fold.marked(domain)).unwrap_or_else(|_| domain.to_owned())
}

/// What a provider makes of a local part.
fn delivered(local: &str, domain: &str) -> (String, String) {
    let name = local.split('+').next().unwrap_or_default();
    if is_gmail(domain) {
        (name.replace('.', ""), "gmail.com".to_owned())
    } else {
        (name.to_owned(), domain.to_owned())
    }
}

impl Emails {
    pub(super) fn new(list: &[EmailAddress], fold: Fold) -> (Self, Vec<EmailAnchor>) {
        let mut emails = Self::default();
        let mut anchors = Vec::new();
        for (index, email) in (0..).zip(list) {
            let (local, typed) = (fold.marked(&fold.string(&email.local)), fold.string(&email.domain));
            let domain = ascii_domain(&typed, fold);
            emails.exact.entry((local.clone(), domain.clone())).or_insert(index);
            emails.provider.entry(delivered(&local, &domain)).or_insert(index);
            emails.weak.push(email.is_weak());
            let words = |text: &str| -> Vec<String> {
                let folded = fold.text(text);
                tokens(&folded).into_iter().map(|token| folded.text[token.range()].to_owned()).collect()
            };
            let longest =
                |words: &[String]| words.iter().max_by_key(|word| word.len()).cloned().unwrap_or_default();
            let untagged = local.split('+').next().unwrap_or_default();
            let readable = idna::domain_to_unicode(&domain).0;
            let gmail = is_gmail(&domain);
            let mut labels: Vec<String> = if gmail {
                vec!["gmail".to_owned(), "googlemail".to_owned()]
            } else {
                vec![longest(&words(&readable))]
            };
            // Where the longest label is another one in punycode, any of them will do.
            labels.extend(domain.split('.').filter(|label| label.starts_with("xn--")).map(str::to_owned));
            anchors.push(EmailAnchor {
                local: if gmail { String::new() } else { longest(&words(untagged)) },
                domain: labels,
            });
            emails.written.push(Written { index, local: words(&local), domain: words(&readable) });
        }
        (emails, anchors)
    }

    pub(super) fn find(&self, folded: &Folded, fold: Fold, found: &mut Vec<Raw>) {
        if self.exact.is_empty() {
            return;
        }
        let text = folded.text.as_str();
        let mut plain = Vec::new();
        for at in memchr::memchr_iter(b'@', text.as_bytes()) {
            let (start, end) = (local_start(text, at), domain_end(text, at + 1));
            let (local, domain) = (&text[start..at], &text[at + 1..end]);
            if local.is_empty() || domain.is_empty() {
                continue;
            }
            if let Some((index, rule, skipped)) = self.known(local, domain, fold) {
                found.push(raw(index, rule, start + skipped, end));
                plain.push((start + skipped, end));
            }
        }
        if fold.switches.on(Normaliser::Obfuscation) {
            self.written(folded, &plain, found);
        }
    }

    fn known(&self, local: &str, domain: &str, fold: Fold) -> Option<(u32, Rule, usize)> {
        let domain = ascii_domain(domain, fold);
        let local = fold.marked(local);
        // Apostrophes may be quotes around the address, slashes and equals signs what leads to it.
        let bare = local.trim_start_matches(|char: char| !char.is_alphanumeric());
        for name in [local.as_str(), bare] {
            let skipped = local.len() - name.len();
            let key = (name.to_owned(), domain.clone());
            if let Some(index) = self.exact.get(&key) {
                return Some((*index, self.rule(*index, Rule::EmailExact), skipped));
            }
            if fold.switches.on(Normaliser::Providers)
                && let Some(index) = self.provider.get(&delivered(name, &domain))
            {
                let known = TAGGING.contains(&domain.as_str());
                return Some((*index, if known { Rule::EmailProvider } else { Rule::EmailTag }, skipped));
            }
        }
        None
    }

    fn rule(&self, index: u32, rule: Rule) -> Rule {
        if self.weak.get(index as usize).copied().unwrap_or(false) { Rule::EmailShort } else { rule }
    }

    /// Addresses in words: `erika (dot) muster [at] example (dot) org`.
    /// Those at the places in `plain` are known already.
    fn written(&self, folded: &Folded, plain: &[(usize, usize)], found: &mut Vec<Raw>) {
        let tokens = tokens(folded);
        let reader = Reader { folded, tokens: &tokens };
        let mut heads: HashMap<&str, Vec<&Written>> = HashMap::new();
        for written in &self.written {
            if let Some(first) = written.local.first() {
                heads.entry(first).or_default().push(written);
            }
        }
        for at in 0..tokens.len() {
            for written in heads.get(reader.word(at)).into_iter().flatten() {
                let Some(last) = reader.follow(written, at) else { continue };
                let (start, end) = (tokens[at].start as usize, tokens[last].end as usize);
                let before = plain.partition_point(|known| known.0 <= start);
                if before == 0 || plain[before - 1].1 < end {
                    found.push(raw(written.index, self.rule(written.index, Rule::EmailWritten), start, end));
                }
            }
        }
    }
}

/// Reads the words of a text as those of an address.
struct Reader<'a> {
    folded: &'a Folded,
    tokens: &'a [Token],
}

impl<'a> Reader<'a> {
    fn word(&self, at: usize) -> &'a str {
        self.tokens.get(at).map_or("", |token| &self.folded.text[token.range()])
    }

    /// What stands between a word and the next; `None` where that is too much.
    fn gap(&self, at: usize) -> Option<&'a str> {
        let (first, second) = (self.tokens.get(at)?, self.tokens.get(at + 1)?);
        let between = &self.folded.text[first.end as usize..second.start as usize];
        (between.len() <= WRITTEN_GAP_MAX).then_some(between)
    }

    /// Goes from one word of an address to the next, over a word that stands for what joins them.
    fn step(&self, at: usize, sign: &[char], names: &[&str]) -> Option<usize> {
        let between = self.gap(at)?;
        if between.contains(sign) {
            return Some(at + 1);
        }
        (names.contains(&self.word(at + 1)) && self.gap(at + 1).is_some()).then_some(at + 2)
    }

    /// The last word of an address that begins at `at`.
    fn follow(&self, written: &Written, at: usize) -> Option<usize> {
        // The word before would be part of the address.
        let start = self.tokens[at].start as usize;
        let before = self.folded.text[..start].chars().next_back();
        if at > 0
            && before.is_some_and(|char| ".+_-".contains(char))
            && self.tokens[at - 1].end as usize + 1 == start
        {
            return None;
        }
        let mut at = at;
        for word in &written.local[1..] {
            at = self.step(at, &['.', '-', '_', '+'], &DOT_WORDS)?;
            if self.word(at) != word {
                return None;
            }
        }
        at = self.step(at, &['@'], &AT_WORDS)?;
        for (index, word) in written.domain.iter().enumerate() {
            if index > 0 {
                at = self.step(at, &['.', '-'], &DOT_WORDS)?;
            }
            if self.word(at) != word {
                return None;
            }
        }
        // `example.org.uk` is another domain.
        let goes_on = self.gap(at).is_some_and(|between| matches!(between, "." | "-" | "_"));
        (!goes_on).then_some(at)
    }
}

fn raw(index: u32, rule: Rule, start: usize, end: usize) -> Raw {
    Raw { identifier: IdentifierRef { kind: IdentifierKind::Email, index }, rule, start, end }
}

fn is_local(char: char) -> bool {
    char.is_alphanumeric() || super::fold::is_word_mark(char) || "!#$&'*+/=?^_`{|}~.-".contains(char)
}

fn local_start(text: &str, at: usize) -> usize {
    let mut start = at;
    for (index, char) in text[..at].char_indices().rev().take(PART_MAX) {
        if !is_local(char) {
            break;
        }
        start = index;
    }
    // What leads to an address in a query or path is no part of it.
    let local = &text[start..at];
    let lead = local
        .rfind(['=', '/', '?', '&', '{', '|', '#', '!', '$', '*', '^', '`', '}'])
        .map_or(0, |index| index + 1);
    let local = &local[lead..];
    start + lead + (local.len() - local.trim_start_matches(['.', '-', '\'']).len())
}

fn domain_end(text: &str, from: usize) -> usize {
    let mut end = from;
    for (index, char) in text[from..].char_indices().take(PART_MAX) {
        if !(char.is_alphanumeric() || super::fold::is_word_mark(char) || char == '.' || char == '-') {
            break;
        }
        end = from + index + char.len_utf8();
    }
    from + text[from..end].trim_end_matches(['.', '-']).len()
}
