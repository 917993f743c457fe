//! What the media library says of a file, and JSON of no special shape: models, the answers of the API's
//! root, languages, tags, members.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::prismic::walk::Pointer;
use crate::privacy::passage::Channel;

use super::desk::{Desk, Outcome};
use super::{joins, json};

/// Reads the metadata of an asset.
pub(super) fn read_asset(desk: &mut Desk<'_>, bytes: &[u8]) -> Outcome {
    let value = json::parse(desk, bytes, Channel::AssetMetadata)?;
    let group = desk.group();
    let mut at = Pointer::default();
    let Value::Object(asset) = &value else {
        return generic(desk, &value, &mut at, Channel::AssetMetadata, group);
    };
    for (key, value) in asset {
        let before = at.push(key);
        let channel = match key.as_str() {
            "filename" => Channel::AssetFileName,
            "notes" => Channel::AssetNotes,
            "credits" => Channel::AssetCredits,
            "alt" => Channel::AssetAlt,
            "tags" => Channel::AssetTag,
            _ => Channel::AssetMetadata,
        };
        if let (Channel::AssetMetadata, Value::String(address)) = (channel, value)
            && let Some(name) = json::file_name_of_url(address)
            && address.contains("://")
        {
            desk.hand_out(Channel::AssetFileName, at.as_str(), group, &name)?;
        }
        match (channel, value) {
            (Channel::AssetTag, Value::Array(tags)) => asset_tags(desk, tags, &mut at, group)?,
            _ => generic(desk, value, &mut at, channel, group)?,
        }
        at.back(before);
    }
    Ok(())
}

/// Tags are strings in old answers and objects with a `name` in those of today.
fn asset_tags(desk: &mut Desk<'_>, tags: &[Value], at: &mut Pointer, group: u32) -> Outcome {
    for (index, tag) in tags.iter().enumerate() {
        let before = at.push(&index.to_string());
        let Value::Object(tag) = tag else {
            generic(desk, tag, at, Channel::AssetTag, group)?;
            at.back(before);
            continue;
        };
        for (key, value) in tag {
            let channel = if key == "name" { Channel::AssetTag } else { Channel::AssetMetadata };
            let inner = at.push(key);
            generic(desk, value, at, channel, group)?;
            at.back(inner);
        }
        at.back(before);
    }
    Ok(())
}

/// Reads JSON of no special shape. Names of members count, since lists are often objects by id.
pub(super) fn read_json(desk: &mut Desk<'_>, bytes: &[u8], channel: Channel) -> Outcome {
    let value = json::parse(desk, bytes, channel)?;
    let group = desk.group();
    generic(desk, &value, &mut Pointer::default(), channel, group)
}

/// Hands out all that stands in a value, in one channel. Objects in arrays are records of their own:
/// what they hold belongs together.
pub(super) fn generic(
    desk: &mut Desk<'_>,
    value: &Value,
    at: &mut Pointer,
    channel: Channel,
    group: u32,
) -> Outcome {
    match value {
        Value::String(text) => desk.hand_out(channel, at.as_str(), group, text),
        Value::Number(number) => desk.hand_out(channel, at.as_str(), group, &number.to_string()),
        Value::Array(elements) => {
            for (index, element) in elements.iter().enumerate() {
                let before = at.push(&index.to_string());
                let group = if element.is_object() { desk.group() } else { group };
                generic(desk, element, at, channel, group)?;
                at.back(before);
            }
            let texts: Vec<_> = elements.iter().filter_map(part).collect();
            joins::siblings(desk, at.as_str(), group, &texts)
        }
        Value::Object(members) => {
            let is_told = matches!(channel, Channel::Repository | Channel::PlainText | Channel::Integration);
            for (key, value) in members {
                let before = at.push(key);
                if is_told {
                    desk.hand_out(channel, at.as_str(), group, key)?;
                }
                generic(desk, value, at, channel, group)?;
                at.back(before);
            }
            join_members(desk, members, at, channel, group)
        }
        Value::Null | Value::Bool(_) => Ok(()),
    }
}

/// Joins are made where records of people are to be expected.
fn join_members(
    desk: &mut Desk<'_>,
    members: &Map<String, Value>,
    at: &Pointer,
    channel: Channel,
    group: u32,
) -> Outcome {
    if channel == Channel::Repository || channel == Channel::AssetMetadata {
        return Ok(());
    }
    let texts: Vec<_> = members.values().filter_map(part).collect();
    joins::siblings(desk, at.as_str(), group, &texts)
}

fn part(value: &Value) -> Option<Cow<'_, str>> {
    let text = value.as_str()?;
    joins::is_part(text).then_some(Cow::Borrowed(text))
}
