//! Embeds whose page is gone.
//!
//! Prismic fetches the page of every embed when a document is written, and refuses the document when it
//! gets none. A document is worth more than what it embeds: it is sent once more without the embeds that
//! the refusal is about, and where they stood is told. What is told are places, never addresses.
//!
//! **Not here.** Whether a document without them is as it was: reading back calls it different.

use serde_json::{Map, Value};

use super::super::convert::{Finding, FindingKind};
use crate::prismic::{ErrorKind as ApiErrorKind, PrismicError};

/// Mistakes that an error holds at most: where there are as many, there may be more.
const MISTAKES_MAX: usize = 20;

/// Takes out of what is sent the embeds for which it was refused: those that the refusal names, or all
/// where it names nothing. Returns where they stand in the snapshot; empty when the refusal is about
/// something else, also besides.
pub(super) fn leave_out(
    error: &PrismicError,
    findings: &[Finding],
    data: &mut Map<String, Value>,
) -> Vec<String> {
    if *error.kind() != ApiErrorKind::BadRequest {
        return Vec::new();
    }
    let embeds: Vec<(&str, Vec<String>)> = findings
        .iter()
        .filter(|finding| finding.kind == FindingKind::Embed && !finding.is_left_out)
        .map(|finding| (&*finding.at, steps(finding.sent_at.as_deref().unwrap_or(&finding.at))))
        .collect();
    let mistakes = error.mistakes();
    let places: Vec<Vec<String>> = mistakes.iter().map(|mistake| steps(&mistake.property)).collect();
    let is_about = |embed: &[String], place: &[String]| {
        let around = embed.strip_suffix(&["oembed".to_owned()]).unwrap_or(embed);
        place.starts_with(around)
    };
    let is_explained = places.iter().all(|place| embeds.iter().any(|(_, embed)| is_about(embed, place)));
    if !is_explained {
        return Vec::new();
    }
    let is_vague = places.is_empty() || places.len() >= MISTAKES_MAX;
    let is_refused = |embed: &[String]| is_vague || places.iter().any(|place| is_about(embed, place));
    // From the end, so that the places before stay what they are.
    let mut left_out: Vec<String> = embeds
        .iter()
        .rev()
        .filter(|(_, embed)| is_refused(embed) && take(data, embed))
        .map(|(at, _)| (*at).to_owned())
        .collect();
    left_out.reverse();
    left_out
}

/// The steps below `data` of a JSON pointer, or of a path as the API writes it: `data.body[0].video`.
fn steps(place: &str) -> Vec<String> {
    let is_pointer = place.starts_with('/');
    let unescaped =
        |step: &str| if is_pointer { step.replace("~1", "/").replace("~0", "~") } else { step.to_owned() };
    let separators: &[char] = if is_pointer { &['/'] } else { &['.', '[', ']'] };
    let all = place.split(separators).filter(|step| !step.is_empty()).map(unescaped);
    let mut all: Vec<String> = all.collect();
    if all.first().is_some_and(|first| first == "data") {
        all.remove(0);
    }
    all
}

/// Takes one embed out: a field, or a block of a text as a whole. Returns whether it was there.
fn take(data: &mut Map<String, Value>, embed: &[String]) -> bool {
    let (last, way) = match embed {
        [way @ .., last, block] if block == "oembed" => (last, way),
        [way @ .., last] => (last, way),
        [] => return false,
    };
    let Some((first, way)) = way.split_first() else { return data.remove(last).is_some() };
    let mut around = data.get_mut(first);
    for step in way {
        around = around.and_then(|value| match value {
            Value::Array(elements) => elements.get_mut(step.parse::<usize>().ok()?),
            value => value.get_mut(step),
        });
    }
    match around {
        Some(Value::Object(members)) => members.shift_remove(last).is_some(),
        Some(Value::Array(elements)) => match last.parse::<usize>() {
            Ok(at) if at < elements.len() => {
                elements.remove(at);
                true
            }
            _ => false,
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_of_the_api_and_pointers_are_the_same_places() {
        assert_eq!(steps("/data/body/0/primary/video"), steps("data.body[0].primary.video"));
        assert_eq!(steps("/data/a~1b"), ["a/b"]);
    }

    #[test]
    fn a_field_and_a_block_are_taken_out_and_nothing_else() {
        let Value::Object(mut data) = json!({
            "video": { "embed_url": "a" },
            "text": [{ "type": "paragraph" }, { "type": "embed", "oembed": { "embed_url": "b" } }],
            "body": [{ "primary": { "video": { "embed_url": "c" }, "text": "kept" } }],
        }) else {
            return;
        };
        for place in ["/data/video", "/data/text/1/oembed", "/data/body/0/primary/video"] {
            assert!(take(&mut data, &steps(place)), "{place}");
            assert!(!take(&mut data, &steps(place)), "{place}: it is gone");
        }
        let left = json!({ "text": [{ "type": "paragraph" }], "body": [{ "primary": { "text": "kept" } }] });
        assert_eq!(Value::Object(data), left);
    }
}
