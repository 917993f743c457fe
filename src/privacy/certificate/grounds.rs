//! Legal grounds as codes: what people typed stays in the case, because it may name somebody.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A ground on which something is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ground {
    /// GDPR Art. 17(3)(a): freedom of expression and information.
    Expression,
    /// Art. 17(3)(b): a legal obligation, or a task in the public interest.
    Obligation,
    /// Art. 17(3)(c): public health.
    Health,
    /// Art. 17(3)(d): archives, research, statistics.
    Archive,
    /// Art. 17(3)(e): legal claims.
    Claims,
    /// Another one, or one that is not spelled as an article: it stands in the case.
    InTheCase,
}

/// Words that stand between the numbers of an article.
const BETWEEN: [&str; 17] = [
    "abs",
    "absatz",
    "para",
    "paragraph",
    "paragraphe",
    "par",
    "al",
    "alinea",
    "alinéa",
    "lit",
    "litt",
    "buchst",
    "buchstabe",
    "point",
    "letter",
    "let",
    "no",
];

impl Ground {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Expression, Self::Obligation, Self::Health, Self::Archive, Self::Claims, Self::InTheCase];

    /// Reads the article out of what somebody typed, such as `Art. 17(3)(e)` or `Art. 17 Abs. 3 lit. b`; of two the
    /// first. Nothing else of the text is taken over.
    pub fn of(typed: &str) -> Self {
        let typed = typed.to_lowercase();
        let mut rest = typed.split(|char: char| !char.is_alphanumeric()).filter(|word| !word.is_empty());
        while let Some(word) = rest.next() {
            if word != "17" {
                continue;
            }
            let mut parts = rest.clone().filter(|word| !BETWEEN.contains(word));
            if parts.next() != Some("3") {
                continue;
            }
            match parts.next() {
                Some("a") => return Self::Expression,
                Some("b") => return Self::Obligation,
                Some("c") => return Self::Health,
                Some("d") => return Self::Archive,
                Some("e") => return Self::Claims,
                _ => {}
            }
        }
        Self::InTheCase
    }

    /// The article; `None` where it stands in the case.
    pub fn article(self) -> Option<&'static str> {
        match self {
            Self::Expression => Some("Art. 17(3)(a)"),
            Self::Obligation => Some("Art. 17(3)(b)"),
            Self::Health => Some("Art. 17(3)(c)"),
            Self::Archive => Some("Art. 17(3)(d)"),
            Self::Claims => Some("Art. 17(3)(e)"),
            Self::InTheCase => None,
        }
    }
}

/// Counts what is kept, by ground.
pub(super) fn counted<'t>(typed: impl Iterator<Item = &'t str>) -> BTreeMap<Ground, u64> {
    let mut counts = BTreeMap::new();
    for text in typed {
        *counts.entry(Ground::of(text)).or_default() += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_article_is_read_however_it_is_typed_and_nothing_else_is_taken_over() {
        for (typed, ground) in [
            ("Art. 17(3)(e)", Ground::Claims),
            ("GDPR Art. 17 (3) (a): Perpetua Exampleton is in public life", Ground::Expression),
            ("Art. 17 Abs. 3 lit. b DSGVO", Ground::Obligation),
            ("article 17, paragraphe 3", Ground::InTheCase),
            ("art. 17 al. 3 litt. d", Ground::Archive),
            ("17.3.c", Ground::Health),
            ("Perpetua Exampleton sues us", Ground::InTheCase),
            ("on 17 March, 3 e-mails", Ground::InTheCase),
            ("Art. 17(1)(e)", Ground::InTheCase),
            ("Art. 17(1) and 17(3)(e)", Ground::Claims),
            ("", Ground::InTheCase),
        ] {
            assert_eq!(Ground::of(typed), ground, "{typed}");
        }
    }
}
