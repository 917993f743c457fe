//! Handles and addresses of profiles in a text; and the words that support other findings.

use super::fold::{Fold, Folded, is_mark};
use super::{Normaliser, Raw, Rule};
use crate::privacy::subject::{Handle, IdentifierKind, IdentifierRef};

/// Bytes before a profile's name in which its host is looked for: scheme, `www.`, host.
const HOST_BYTES: usize = 120;
/// Shortest name that is told where it stands alone.
const BARE_MIN: usize = 5;

/// Hosts under which one platform is known.
const HOSTS: [(&str, &[&str]); 9] = [
    ("x.com", &["x.com", "twitter.com", "mobile.twitter.com", "mobile.x.com", "nitter.net"]),
    ("facebook.com", &["facebook.com", "m.facebook.com", "fb.com", "fb.me"]),
    ("instagram.com", &["instagram.com", "instagr.am"]),
    ("linkedin.com", &["linkedin.com"]),
    ("youtube.com", &["youtube.com", "m.youtube.com"]),
    ("t.me", &["t.me", "telegram.me"]),
    ("github.com", &["github.com", "gist.github.com", "raw.githubusercontent.com"]),
    ("tiktok.com", &["tiktok.com"]),
    ("threads.net", &["threads.net", "threads.com"]),
];

/// What follows the name where a platform makes a host of it.
const SITES: [(&str, &str); 4] = [
    ("github.com", ".github.io"),
    ("gitlab.com", ".gitlab.io"),
    ("medium.com", ".medium.com"),
    ("bsky.app", ".bsky.social"),
];

/// The handles of a subject.
#[derive(Debug, Default)]
pub(super) struct Handles {
    handles: Vec<Known>,
    hosts: bool,
}

#[derive(Debug)]
struct Known {
    host: Option<String>,
    /// Folded; without the `@` that some platforms put before it in addresses.
    name: String,
    weak: bool,
}

impl Known {
    /// Whether it is a site of one's own.
    fn is_site(&self) -> bool {
        self.host.is_none() && self.name.contains('.')
    }
}

/// The host of a platform under its own name.
fn platform(host: &str, aliases: bool) -> &str {
    let host = host.strip_prefix("www.").unwrap_or(host);
    if !aliases {
        return host;
    }
    // Countries have hosts of their own: de.linkedin.com.
    let main = host
        .split_once('.')
        .filter(|(first, rest)| first.len() == 2 && rest.contains('.'))
        .map_or(host, |(_, rest)| rest);
    let known = |host: &str| HOSTS.iter().find(|(_, names)| names.contains(&host)).map(|(name, _)| *name);
    known(host).or_else(|| known(main)).unwrap_or(host)
}

impl Handles {
    pub(super) fn new(list: &[Handle], fold: Fold) -> Self {
        let hosts = fold.switches.on(Normaliser::HandleHosts);
        let handles = list.iter().map(|handle| Known {
            host: handle.host.as_deref().map(|host| platform(&fold.string(host), hosts).to_owned()),
            name: fold.string(handle.name.trim_start_matches('@')),
            weak: handle.is_weak(),
        });
        Self { handles: handles.collect(), hosts }
    }

    /// The names, for the prefilter.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.handles.iter().map(|handle| handle.name.as_str())
    }

    pub(super) fn find(&self, folded: &Folded, found: &mut Vec<Raw>) {
        let text = folded.text.as_str();
        for (index, handle) in (0..).zip(&self.handles) {
            for at in memchr::memmem::find_iter(text.as_bytes(), handle.name.as_bytes()) {
                let end = at + handle.name.len();
                let site = SITES.iter().find(|(host, suffix)| {
                    handle.host.as_deref() == Some(host) && text[end..].starts_with(suffix)
                });
                let end = end + site.map_or(0, |(_, suffix)| suffix.len());
                if !is_word(text, at, end, handle.is_site()) {
                    continue;
                }
                if site.is_some() {
                    let identifier = IdentifierRef { kind: IdentifierKind::Handle, index };
                    found.push(Raw { identifier, rule: Rule::HandleAddress, start: at, end });
                    continue;
                }
                if let Some((rule, start)) = self.rule(handle, text, at, end) {
                    let identifier = IdentifierRef { kind: IdentifierKind::Handle, index };
                    found.push(Raw { identifier, rule, start, end });
                }
            }
        }
    }

    fn rule(&self, handle: &Known, text: &str, at: usize, end: usize) -> Option<(Rule, usize)> {
        let before = &text[..at];
        let vague = |rule| if handle.weak { Rule::HandleBare } else { rule };
        // An address of e-mail is none of a handle's.
        if text[end..].starts_with('@') {
            let host = handle.host.as_deref()?;
            let rest = &text[end + 1..];
            let own = rest.starts_with(host)
                && !rest[host.len()..].starts_with(|char: char| char.is_alphanumeric());
            return (own && before.ends_with('@')).then_some((Rule::HandleAddress, at));
        }
        if handle.is_site() {
            // Behind the `@` of an e-mail address it is not the person who is meant.
            let mailbox = before.strip_suffix('@').is_some_and(|rest| rest.ends_with(is_part));
            return (!mailbox).then_some((Rule::HandleAddress, at));
        }
        let (before, mention) = match before.strip_suffix('@') {
            Some(rest) => (rest, true),
            None => (before, false),
        };
        // `git@github.com:name/repository`; `/users/name` is how the Fediverse names accounts.
        if let Some(rest) = before.strip_suffix(['/', ':']) {
            let (host, start) = host_before(rest.strip_suffix("/users").unwrap_or(rest));
            let found = platform(host, self.hosts);
            if handle.host.as_deref().is_some_and(|own| own == found) {
                return Some((Rule::HandleAddress, start));
            }
            let known = HOSTS.iter().any(|(name, _)| *name == found);
            if handle.host.is_none() && known {
                return Some((vague(Rule::HandleMention), start));
            }
            return (handle.name.len() >= BARE_MIN).then_some((Rule::HandleBare, at));
        }
        // `.@name` begins a post that everybody is to read; `a.@name` is none.
        if mention && !before.strip_suffix('.').unwrap_or(before).ends_with(char::is_alphanumeric) {
            return Some((vague(Rule::HandleMention), at - 1));
        }
        (!mention && handle.name.len() >= BARE_MIN && !handle.name.contains('/'))
            .then_some((Rule::HandleBare, at))
    }
}

/// The host at the end of a text, and where its address begins.
fn host_before(text: &str) -> (&str, usize) {
    let from = text.len().saturating_sub(HOST_BYTES);
    let from = (from..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    let tail = &text[from..];
    let start = tail
        .char_indices()
        .rev()
        .take_while(|(_, char)| char.is_alphanumeric() || matches!(char, '.' | '-'))
        .last()
        .map_or(text.len(), |(at, _)| from + at);
    (&text[start..], start)
}

fn is_part(char: char) -> bool {
    char.is_alphanumeric() || char == '_'
}

/// Whether a handle stands there as a whole; what is under the host of a `site` is of its owner.
fn is_word(text: &str, at: usize, end: usize, site: bool) -> bool {
    let before = text[..at].chars().next_back();
    // A mark is of the letter before it.
    let mut behind = text[end..].chars().skip_while(|char| is_mark(*char));
    let next = behind.next();
    // `name.surname` is another handle than `name`; a full stop ends a sentence.
    let longer = next.is_some_and(|char| matches!(char, '.' | '-')) && behind.next().is_some_and(is_part);
    let begun =
        before.is_some_and(|char| is_part(char) || is_mark(char) || char == '-' || (char == '.' && !site));
    !begun && !next.is_some_and(is_part) && !longer
}

/// Where words stand that support other findings: employer, role, town.
pub(super) fn context(words: &[String], folded: &Folded) -> Vec<usize> {
    let mut places = Vec::new();
    for word in words {
        for at in memchr::memmem::find_iter(folded.text.as_bytes(), word.as_bytes()) {
            let end = at + word.len();
            let letter = |char: Option<char>| char.is_some_and(char::is_alphanumeric);
            if !letter(folded.text[..at].chars().next_back()) && !letter(folded.text[end..].chars().next()) {
                places.push(at);
            }
        }
    }
    places.sort_unstable();
    places
}
