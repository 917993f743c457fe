//! What the page of a certificate says, in the languages of the letters. The words are in `texts/*.toml`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use super::{ClaimKind, Code, Copies, Ground, Limit, Method, PrismicKeeps};
use crate::privacy::letters::Language;

/// The words of one language. Names in double braces stand for what is filled in.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Texts {
    pub(super) page: BTreeMap<String, String>,
    pub(super) columns: BTreeMap<String, String>,
    pub(super) claim: BTreeMap<ClaimKind, String>,
    pub(super) state: BTreeMap<String, String>,
    pub(super) why: BTreeMap<Code, String>,
    pub(super) ground: BTreeMap<Ground, String>,
    pub(super) prismic: BTreeMap<PrismicKeeps, String>,
    pub(super) method: BTreeMap<Method, String>,
    pub(super) limit: BTreeMap<Limit, String>,
    pub(super) copies: BTreeMap<Copies, String>,
}

/// The catalogues, in the order of [`Language::ALL`].
static CATALOGUES: LazyLock<[Texts; 3]> = LazyLock::new(|| {
    [include_str!("texts/en.toml"), include_str!("texts/de.toml"), include_str!("texts/fr.toml")]
        .map(|text| toml::from_str(text).expect("the catalogues of the program are read by a test"))
});

impl Texts {
    /// Returns the words of a language.
    pub(super) fn of(language: Language) -> &'static Self {
        let [en, de, fr] = &*CATALOGUES;
        match language {
            Language::En => en,
            Language::De => de,
            Language::Fr => fr,
        }
    }

    /// A sentence of the page.
    pub(super) fn page(&self, key: &str) -> &str {
        self.page.get(key).map_or("", String::as_str)
    }

    /// The head of a column.
    pub(super) fn column(&self, key: &str) -> &str {
        self.columns.get(key).map_or("", String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names in double braces.
    fn holes(text: &str) -> Vec<&str> {
        let mut holes: Vec<&str> =
            text.split("{{").skip(1).filter_map(|rest| Some(rest.split_once("}}")?.0)).collect();
        holes.sort_unstable();
        holes.dedup();
        holes
    }

    fn same<K: Ord + std::fmt::Debug>(
        language: Language,
        one: &BTreeMap<K, String>,
        other: &BTreeMap<K, String>,
    ) {
        assert_eq!(one.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>(), "{language:?}");
        for (key, text) in one {
            assert!(!other[key].trim().is_empty(), "{language:?}: {key:?}");
            assert_eq!(holes(text), holes(&other[key]), "{language:?}: {key:?}");
        }
    }

    #[test]
    fn every_language_has_the_same_words_with_the_same_holes() {
        let en = Texts::of(Language::En);
        assert_eq!(en.why.keys().collect::<Vec<_>>(), Code::ALL.iter().collect::<Vec<_>>());
        assert_eq!(en.claim.len(), ClaimKind::ALL.len());
        assert_eq!(en.ground.len(), Ground::ALL.len());
        assert_eq!(en.prismic.len(), PrismicKeeps::ALL.len());
        assert_eq!(en.method.len(), Method::ALL.len());
        assert_eq!(en.limit.len(), Limit::ALL.len());
        assert_eq!(en.copies.len(), 4);
        for language in Language::ALL {
            let texts = Texts::of(language);
            same(language, &en.page, &texts.page);
            same(language, &en.columns, &texts.columns);
            same(language, &en.claim, &texts.claim);
            same(language, &en.state, &texts.state);
            same(language, &en.why, &texts.why);
            same(language, &en.ground, &texts.ground);
            same(language, &en.prismic, &texts.prismic);
            same(language, &en.method, &texts.method);
            same(language, &en.limit, &texts.limit);
            same(language, &en.copies, &texts.copies);
        }
    }
}
