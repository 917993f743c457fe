//! Searching the texts of one JSON item.

use serde::Serialize;
use serde_json::Value;

/// Matches that are told of one item; more are only counted.
const MATCHES_TOLD: usize = 5;
/// Characters of an excerpt before and after the match. Enough to know the place again, too
/// little to spill whole texts, which may be personal, into terminals and logs.
const EXCERPT: usize = 30;

/// Where an item matches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Match {
    /// Pointer to the field (`/data/title/0/text`), or what of the path it is: `id`, `type`,
    /// `language`, `release`, `path`.
    pub at: String,
    /// The text around it, on one line; `None` for parts of a path.
    pub excerpt: Option<String>,
}

/// What is being looked for.
#[derive(Debug, Clone)]
pub(super) struct Needle(String);

/// Matches of one item.
#[derive(Debug, Default)]
pub(super) struct Matches {
    pub(super) first: Vec<Match>,
    pub(super) count: u64,
}

impl Needle {
    pub(super) fn new(term: &str) -> Self {
        Self(term.to_lowercase())
    }

    /// Searches all texts of a JSON item: values, not the names of members.
    pub(super) fn search(&self, bytes: &[u8]) -> Matches {
        let mut matches = Matches::default();
        match serde_json::from_slice::<Value>(bytes) {
            Ok(value) => self.walk(&value, &mut String::new(), &mut matches),
            // Bytes of the API that a strict parser refuses (half of an emoji) are still text.
            Err(_) => self.text(&String::from_utf8_lossy(bytes), "", &mut matches),
        }
        matches
    }

    fn walk(&self, value: &Value, at: &mut String, matches: &mut Matches) {
        let length = at.len();
        match value {
            Value::String(text) => self.text(text, at, matches),
            Value::Array(values) => {
                for (index, value) in values.iter().enumerate() {
                    at.push_str(&format!("/{index}"));
                    self.walk(value, at, matches);
                    at.truncate(length);
                }
            }
            Value::Object(members) => {
                for (name, value) in members {
                    at.push('/');
                    at.push_str(&name.replace('~', "~0").replace('/', "~1"));
                    self.walk(value, at, matches);
                    at.truncate(length);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn text(&self, text: &str, at: &str, matches: &mut Matches) {
        if !text.to_lowercase().contains(&self.0) {
            return;
        }
        matches.count += 1;
        if matches.first.len() < MATCHES_TOLD {
            matches.first.push(Match { at: at.to_owned(), excerpt: Some(self.excerpt(text)) });
        }
    }

    /// Returns the match with some text around it. Lower case may be longer or shorter than the
    /// text, so places are mapped back character by character.
    fn excerpt(&self, text: &str) -> String {
        let mut lower = String::with_capacity(text.len());
        let mut places = Vec::new();
        for (number, char) in text.chars().enumerate() {
            for small in char.to_lowercase() {
                places.push((lower.len(), number));
                lower.push(small);
            }
        }
        // The lower case of a whole text may differ from that of its characters (a final sigma).
        let start = lower.find(&self.0).unwrap_or(0);
        let number_at = |byte: usize| {
            let after = places.partition_point(|(at, _)| *at <= byte);
            after.checked_sub(1).map_or(0, |at| places[at].1)
        };
        let first = number_at(start);
        let last = number_at((start + self.0.len()).saturating_sub(1));
        let from = first.saturating_sub(EXCERPT);
        let count = text.chars().count();
        let to = (last + 1 + EXCERPT).min(count);
        let middle: String = text.chars().skip(from).take(to - from).collect();
        let middle = middle.split_whitespace().collect::<Vec<_>>().join(" ");
        let (before, after) = (if from > 0 { "…" } else { "" }, if to < count { "…" } else { "" });
        format!("{before}{middle}{after}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(term: &str, json: &str) -> Vec<(String, String)> {
        let matches = Needle::new(term).search(json.as_bytes());
        matches.first.into_iter().map(|found| (found.at, found.excerpt.unwrap())).collect()
    }

    #[test]
    fn texts_are_found_with_their_place_in_any_case() {
        let json =
            r#"{"uid":"home","tags":["Neu","alt"],"data":{"a/b~c":[{"text":"GRÖSSE und\n\tMaß"}],"n":7}}"#;
        assert_eq!(search("größ", json), []);
        assert_eq!(search("grösse", json), [("/data/a~1b~0c/0/text".into(), "GRÖSSE und Maß".into())]);
        assert_eq!(search("HOME", json), [("/uid".into(), "home".into())]);
        assert_eq!(search("NEU", json), [("/tags/0".into(), "Neu".into())]);
        assert_eq!(search("7", json), []);
        assert_eq!(search("data", json), [], "names of members are no text");
    }

    #[test]
    fn an_excerpt_is_short_and_around_the_match() {
        let text = format!("{}İstanbul ΟΔΟΣ x{}", "ä".repeat(400), "ö".repeat(400));
        let json = serde_json::json!([text]).to_string();
        for term in ["stanbul", "i\u{307}stanbul", "ΟΔΟ"] {
            let found = search(term, &json);
            assert_eq!(found.len(), 1, "{term}");
            let excerpt = &found[0].1;
            assert!(excerpt.starts_with('…') && excerpt.ends_with('…'), "{excerpt}");
            assert!(excerpt.contains("stanbul ΟΔΟΣ"), "{excerpt}");
            assert!(excerpt.chars().count() <= 2 * EXCERPT + 20, "{excerpt}");
        }
    }

    #[test]
    fn many_matches_are_counted_and_few_are_told() {
        let json = serde_json::json!(vec!["hit"; 40]).to_string();
        let matches = Needle::new("hit").search(json.as_bytes());
        assert_eq!((matches.count, matches.first.len()), (40, MATCHES_TOLD));
    }

    #[test]
    fn what_a_strict_parser_refuses_is_searched_as_text() {
        let json = r#"{"data":{"t":"cut \ud83d here"}}"#;
        assert_eq!(search("HERE", json).len(), 1);
        assert_eq!(Needle::new("x").search(b"\xff\xfe").count, 0);
    }
}
