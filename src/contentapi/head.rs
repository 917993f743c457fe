//! What nearly every query needs of a document, in as little memory as it takes.
//!
//! A standby keeps the head of every document of every snapshot that it serves, and of a document
//! nothing else. So the texts of a head lie in one allocation, one after the other, each behind its
//! length: as boxes of their own they took three times as much.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::dates::Millis;

/// The values of a [`Head`], as they are read and written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeadParts<'a> {
    /// 16 characters of `[A-Za-z0-9_-]`.
    #[serde(borrow)]
    pub id: Cow<'a, str>,
    /// Unique per type and language.
    pub uid: Option<Cow<'a, str>>,
    /// Id of the custom type.
    #[serde(borrow)]
    pub type_id: Cow<'a, str>,
    /// Locale id.
    #[serde(borrow)]
    pub lang: Cow<'a, str>,
    /// Tags in their order.
    pub tags: Vec<Cow<'a, str>>,
    /// Slugs, newest first, percent-encoded where they are not ASCII.
    pub slugs: Vec<Cow<'a, str>>,
    /// Null for what was never published.
    pub first_publication: Option<Millis>,
    /// Null for what was never published.
    pub last_publication: Option<Millis>,
}

/// What nearly every query needs of a document; [`HeadParts`] says what each value is.
#[derive(Clone, PartialEq, Eq)]
pub struct Head {
    /// Whether there is a uid, the number of tags, then the texts: id, type, language, uid (empty where
    /// there is none), tags, slugs. That number, and the length before each text, is in LEB128.
    packed: Box<[u8]>,
    first_publication: Millis,
    last_publication: Millis,
}

/// Stands for a date that there is not: no year is that far away.
const NEVER: Millis = Millis::MIN;
/// Place of the first tag among the texts.
const TAGS: usize = 4;

impl Head {
    /// Returns the head with these values.
    pub fn new(parts: &HeadParts<'_>) -> Self {
        let mut packed = Vec::with_capacity(128);
        packed.push(u8::from(parts.uid.is_some()));
        push_number(parts.tags.len(), &mut packed);
        let uid = parts.uid.as_deref().unwrap_or_default();
        let single = [&*parts.id, &*parts.type_id, &*parts.lang, uid].into_iter();
        for text in single.chain(parts.tags.iter().chain(&parts.slugs).map(|text| &**text)) {
            push_number(text.len(), &mut packed);
            packed.extend_from_slice(text.as_bytes());
        }
        Self {
            packed: packed.into(),
            first_publication: parts.first_publication.unwrap_or(NEVER),
            last_publication: parts.last_publication.unwrap_or(NEVER),
        }
    }

    /// Its values.
    pub fn parts(&self) -> HeadParts<'_> {
        HeadParts {
            id: self.id().into(),
            uid: self.uid().map(Cow::from),
            type_id: self.type_id().into(),
            lang: self.lang().into(),
            tags: self.tags().map(Cow::from).collect(),
            slugs: self.slugs().map(Cow::from).collect(),
            first_publication: self.first_publication(),
            last_publication: self.last_publication(),
        }
    }

    /// 16 characters of `[A-Za-z0-9_-]`.
    pub fn id(&self) -> &str {
        self.text(0)
    }

    /// Id of the custom type.
    pub fn type_id(&self) -> &str {
        self.text(1)
    }

    /// Locale id.
    pub fn lang(&self) -> &str {
        self.text(2)
    }

    /// Unique per type and language.
    pub fn uid(&self) -> Option<&str> {
        self.has_uid().then(|| self.text(3))
    }

    /// Tags in their order.
    pub fn tags(&self) -> impl Iterator<Item = &str> {
        let (tags, texts) = self.texts();
        texts.skip(TAGS).take(tags)
    }

    /// Slugs, newest first, percent-encoded where they are not ASCII.
    pub fn slugs(&self) -> impl Iterator<Item = &str> {
        let (tags, texts) = self.texts();
        texts.skip(TAGS + tags)
    }

    /// `None` for what was never published.
    pub fn first_publication(&self) -> Option<Millis> {
        Some(self.first_publication).filter(|at| *at != NEVER)
    }

    /// `None` for what was never published.
    pub fn last_publication(&self) -> Option<Millis> {
        Some(self.last_publication).filter(|at| *at != NEVER)
    }

    fn has_uid(&self) -> bool {
        self.packed[0] != 0
    }

    /// Returns the number of tags, and all texts.
    fn texts(&self) -> (usize, Texts<'_>) {
        let mut texts = Texts(&self.packed[1..]);
        (texts.number(), texts)
    }

    fn text(&self, place: usize) -> &str {
        self.texts().1.nth(place).expect("every head has these four")
    }
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts().fmt(f)
    }
}

fn push_number(mut number: usize, to: &mut Vec<u8>) {
    loop {
        let digit = number.to_le_bytes()[0];
        number >>= 7;
        match number {
            0 => return to.push(digit & 0x7f),
            _ => to.push(digit | 0x80),
        }
    }
}

/// The texts of a head from one on.
struct Texts<'a>(&'a [u8]);

impl Texts<'_> {
    fn number(&mut self) -> usize {
        let (mut number, mut shift) = (0, 0);
        while let Some((digit, rest)) = self.0.split_first() {
            self.0 = rest;
            number |= usize::from(digit & 0x7f) << shift;
            shift += 7;
            if digit & 0x80 == 0 {
                break;
            }
        }
        number
    }
}

impl<'a> Iterator for Texts<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        if self.0.is_empty() {
            return None;
        }
        let length = self.number();
        let (text, rest) = self.0.split_at(length);
        self.0 = rest;
        Some(str::from_utf8(text).expect("it was a text when it was packed"))
    }

    /// Without looking at those before.
    fn nth(&mut self, place: usize) -> Option<&'a str> {
        for _ in 0..place {
            let length = self.number();
            self.0 = &self.0[length..];
        }
        self.next()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text() -> impl Strategy<Value = Cow<'static, str>> {
        prop_oneof![3 => "[a-z\u{0}é]{0,20}", 1 => "[a-z]{120,140}", 1 => "x{20000}"].prop_map(Cow::Owned)
    }

    fn parts() -> impl Strategy<Value = HeadParts<'static>> {
        let texts = || prop::collection::vec(text(), 0..4);
        let date = || prop::option::of(-5_000_000_000_000..5_000_000_000_000_i64);
        let single = (text(), prop::option::of(text()), text(), text());
        (single, texts(), texts(), date(), date()).prop_map(
            |((id, uid, type_id, lang), tags, slugs, first_publication, last_publication)| HeadParts {
                id,
                uid,
                type_id,
                lang,
                tags,
                slugs,
                first_publication,
                last_publication,
            },
        )
    }

    proptest! {
        #[test]
        fn a_head_gives_back_what_it_was_made_of(parts in parts()) {
            let head = Head::new(&parts);
            prop_assert_eq!(&head.parts(), &parts);
            prop_assert_eq!(head.slugs().collect::<Vec<_>>(), parts.slugs);
        }
    }

    #[test]
    fn more_tags_than_a_digit_counts_are_tags() {
        let tags: Vec<Cow<'_, str>> = (0..300).map(|n| n.to_string().into()).collect();
        let parts = HeadParts { tags, slugs: vec!["slug".into()], ..HeadParts::default() };
        let head = Head::new(&parts);
        assert_eq!((head.tags().count(), head.slugs().collect::<Vec<_>>()), (300, vec!["slug"]));
        assert_eq!(head.uid(), None);
    }
}
