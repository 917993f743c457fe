//! A known person found in text: by rules that can be named, each with its evidence tier.
//!
//! | room | what is in it |
//! | --- | --- |
//! | `fold`, `decode`, `spelling`, `inflection` | what makes two spellings the same |
//! | `tokens`, `names`, `dense`, `fuzzy` | names |
//! | `addresses`, `numbers`, `handles` | e-mail addresses; phones and ids; handles and profiles |
//! | `grade` | what findings are worth together: the tiers |
//! | `excerpt` | what of a text may be shown |
//! | `places` | where words stand that a copy is not to show |
//! | `prefilter` | whether an item can hold the person at all, from its raw bytes |
//!
//! [`Matcher::may_contain`] is asked first, of every distinct item; [`Matcher::search`] then reads
//! the passages of the few that are left, of which most are passed over in the same way.
//!
//! Cost: linear in the text for a given subject, whatever the text is. Memory: some twenty bytes
//! for each byte of the longest passage while it is read.

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::passage::{Channel, Passage};
use super::subject::{IdentifierRef, Subject};

mod addresses;
mod decode;
mod dense;
mod excerpt;
mod fold;
mod fuzzy;
mod grade;
mod handles;
mod inflection;
mod names;
mod normaliser;
mod numbers;
mod places;
mod prefilter;
mod rarity;
mod spelling;
mod tokens;

#[cfg(test)]
mod tests;

pub(crate) use fold::is_unspaced;
pub use grade::{Rule, Tier};
pub use normaliser::Normaliser;
use normaliser::Switches;
pub use rarity::Rarity;
pub(in crate::privacy) use tokens::is_boundary;

/// Hits of one identifier that a finding keeps the places of; more are only counted. A passage of
/// so many is decided as a whole.
const HITS_MAX: usize = 10_000;

/// What was found of one identifier in one passage.
///
/// Holds personal data only in [`excerpt`](Self::excerpt), masked, and by its fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Which identifier of the subject.
    pub identifier: IdentifierRef,
    /// How strong the best evidence is.
    pub tier: Tier,
    /// The rule that gave it.
    pub rule: Rule,
    /// Kind of place.
    pub channel: Channel,
    /// Where in the item, as in [`Passage::place`].
    pub place: String,
    /// Which of the passages that were searched, from 0.
    pub passage: usize,
    /// Where in the text, best evidence first; never empty.
    pub hits: Vec<Hit>,
    /// Hits that were not kept because there are too many.
    pub more_hits: u64,
    /// The text around the best hit, with whatever may be personal masked.
    pub excerpt: String,
    /// Stands for the identifier and the text around the best hit.
    pub fingerprint: Fingerprint,
}

/// One place of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hit {
    /// First byte in [`Passage::text`]; at a character boundary.
    pub start: usize,
    /// First byte after it.
    pub end: usize,
    /// How strong the evidence of this hit is.
    pub tier: Tier,
    /// The rule that gave it.
    pub rule: Rule,
}

impl Hit {
    /// The bytes of [`Passage::text`].
    pub fn range(&self) -> Range<usize> {
        self.start..self.end
    }
}

/// Digest of what a finding is about: the identifier, the kind of place, and the text around the
/// hit with its spelling folded. The same content in another snapshot has the same one.
///
/// A digest of a short text can be guessed back: it is personal data. Store it only keyed
/// (HMAC under a key that can be destroyed), together with the id of the document where decisions
/// are to hold for that document only.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The digest, for keying it.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint(…)")
    }
}

/// A hit before it is graded: where in the text given, or in a reading of it.
#[derive(Debug, Clone, Copy)]
struct Raw {
    identifier: IdentifierRef,
    rule: Rule,
    start: usize,
    end: usize,
}

/// Looks for one subject.
pub struct Matcher {
    fold: fold::Fold,
    names: names::Names,
    dense: dense::DenseNames,
    emails: addresses::Emails,
    phones: numbers::Phones,
    ids: numbers::Ids,
    handles: handles::Handles,
    context: Vec<String>,
    prefilter: prefilter::Prefilter,
    /// The same for single passages: what only supports other findings counts as well.
    passages: prefilter::Prefilter,
    subject: Subject,
    lowest: Tier,
}

impl fmt::Debug for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Matcher").field("subject", &self.subject).finish_non_exhaustive()
    }
}

impl Matcher {
    /// Prepares the search for a subject. `without` switches normalisers off, for measuring what
    /// each is good for; a real search leaves none out.
    pub fn new(subject: &Subject, without: &[Normaliser]) -> Self {
        let fold = fold::Fold { switches: Switches::without(without) };
        let (names, mut anchors) = names::Names::new(subject.names(), fold);
        let dense = dense::DenseNames::new(subject.names(), fold, &mut anchors);
        let (emails, email_anchors) = addresses::Emails::new(subject.emails(), fold);
        let phones = numbers::Phones::new(subject.phones(), fold);
        let ids = numbers::Ids::new(subject.ids(), subject.author_documents(), fold);
        let handles = handles::Handles::new(subject.handles(), fold);
        let context: Vec<String> = subject.context().iter().map(|word| fold.string(word)).collect();
        let wanted = prefilter::Wanted {
            anchors: &anchors,
            support: None,
            fuzzy: &names.fuzzy,
            emails: &email_anchors,
            phones: &phones,
            ids: &ids,
            handles: &handles,
        };
        let support = prefilter::Support { given: &names.given, context: &context };
        let filter = |wanted: &prefilter::Wanted<'_>| match without {
            [] => prefilter::Prefilter::new(wanted),
            _ => prefilter::Prefilter::everything(),
        };
        let prefilter = filter(&wanted);
        let passages = filter(&prefilter::Wanted { support: Some(support), ..wanted });
        Self {
            fold,
            names,
            dense,
            emails,
            phones,
            ids,
            handles,
            context,
            prefilter,
            passages,
            subject: subject.clone(),
            lowest: Tier::D,
        }
    }

    /// Also tells given names that stand alone (tier E). Then every item may hold the subject, and
    /// [`may_contain`](Self::may_contain) says so.
    #[must_use]
    pub fn with_given_names(mut self) -> Self {
        self.lowest = Tier::E;
        self.prefilter = prefilter::Prefilter::everything();
        self
    }

    /// Whether an item can hold anything that [`search`](Self::search) would find in its passages,
    /// told from its raw bytes: JSON or any text. Never `false` for one that does; usually `false`
    /// for one that does not.
    ///
    /// Not for formats that hide their text, such as images and PDF: those are read in any case.
    pub fn may_contain(&self, item: &[u8]) -> bool {
        self.prefilter.may_contain(item)
    }

    /// Finds the subject in the passages of one item. One finding an identifier and passage, in
    /// the order of the passages; none below tier D.
    pub fn search(&self, passages: &[Passage<'_>]) -> Vec<Finding> {
        let read: Vec<grade::Read> = passages.iter().map(|passage| self.read(passage)).collect();
        grade::findings(self, passages, read)
    }

    /// The text around the best hit of a finding as it is, for the person who reviews it. Never for
    /// logs. `None` where the passage is not the one that was searched.
    pub fn unmasked_excerpt(&self, passage: &Passage<'_>, finding: &Finding) -> Option<String> {
        excerpt::unmasked(passage.text, finding.hits.first()?)
    }

    /// Whether a finding of an earlier search was made in this passage: the same identifier, kind of place,
    /// and text around the best hit.
    pub fn is_of(&self, passage: &Passage<'_>, finding: &Finding) -> bool {
        passage.channel == finding.channel
            && passage.place == finding.place
            && finding.hits.first().is_some_and(|hit| {
                let print = excerpt::fingerprint(self, finding.identifier, passage, hit);
                passage.text.get(hit.range()).is_some() && print == finding.fingerprint
            })
    }

    /// A whole text with everything masked that may name people, but for what is to be shown: bytes of
    /// the text. Other than in excerpts no first letters stay: they would name who is in a copy.
    pub fn masked_around(&self, passage: &Passage<'_>, shown: &[Range<usize>]) -> String {
        excerpt::masked_around(passage, shown)
    }

    /// Where these words stand in a text, in whatever case, form or diacritics, as whole words: bytes of
    /// the text, in order, none over another.
    pub fn places_of(&self, text: &str, words: &[String]) -> Vec<Range<usize>> {
        places::of(self.fold, text, words)
    }

    /// Every hit in a text and its readings, by place in the text.
    fn read(&self, passage: &Passage<'_>) -> grade::Read {
        let text = passage.text;
        let mut read = grade::Read::default();
        if !self.passages.may_contain(text.as_bytes()) {
            return read;
        }
        let mut raws = Vec::new();
        // Fields that are read as one: only names are spread over several, and digits of two fields
        // are no number.
        let joined = passage.channel == Channel::Joined;
        self.one(text, joined, &mut raws, &mut read.context, &|at| at);
        read.hits.append(&mut raws);
        decode::views(text, self.fold.switches, |view| {
            let mut places = Vec::new();
            self.one(&view.text, joined, &mut raws, &mut places, &|at| view.source(at));
            read.context.append(&mut places);
            read.hits.append(&mut raws);
        });
        read.tidy(text);
        read
    }

    /// The hits in one reading.
    fn one(
        &self,
        text: &str,
        joined: bool,
        found: &mut Vec<Raw>,
        context: &mut Vec<usize>,
        source: &dyn Fn(usize) -> usize,
    ) {
        let folded = self.fold.text(text);
        self.names.find(&folded, self.fold, found);
        self.dense.find(&folded, self.fold, found);
        if !joined {
            self.emails.find(&folded, self.fold, found);
            self.phones.find(&folded, found);
            self.ids.find(&folded, found);
            self.handles.find(&folded, found);
        }
        let place = |at: usize| source(folded.origin.get(at).map_or(text.len(), |at| *at as usize));
        for raw in found.iter_mut() {
            // The end is where the last character ends, not where the next one that is left begins.
            let last = folded.origin.get(raw.end.saturating_sub(1)).map_or(0, |at| *at as usize);
            let after = last + text[last..].chars().next().map_or(0, char::len_utf8);
            (raw.start, raw.end) = (place(raw.start), source(after));
        }
        context.extend(handles::context(&self.context, &folded).into_iter().map(place));
    }
}
