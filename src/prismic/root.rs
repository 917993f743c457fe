//! The root of a repository: its refs, languages and types.

use std::collections::BTreeMap;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde_json::Value;
use url::Url;

use super::answer::Answer;
use super::error::Result;
use crate::clock::Timestamp;

/// What the API says about a repository and its current state.
///
/// Read leniently: payloads have changed over the years, and only refs are needed to go on.
/// `bytes` holds the rest.
#[derive(Debug, Clone, PartialEq)]
pub struct Root {
    /// The answer as it was sent.
    pub bytes: Bytes,
    /// The ref of what is published.
    pub master_ref: String,
    /// Releases that this client may see.
    pub releases: Vec<Release>,
    /// Pins the content of integration fields.
    pub integration_fields_ref: Option<String>,
    /// Custom types: id and label. A type is known here only once a document of it was published.
    pub types: BTreeMap<String, String>,
    /// Languages in the order of the API, which puts the master first.
    pub languages: Vec<Language>,
    /// Where the tags are.
    pub tags_url: Option<Url>,
    /// Version of the service.
    pub version: Option<String>,
}

/// A release: documents that are to be published together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Its id.
    pub id: String,
    /// The ref of master's content overlaid with that of the release. It changes whenever master
    /// does.
    pub reference: String,
    /// Its title: what editors typed.
    pub label: String,
    /// When it is to be published. The API sends milliseconds since 1970, at times as a string.
    pub scheduled_at: Option<Timestamp>,
}

/// A language of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Language {
    /// Its id: `en-us`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whether it is the master language: the one flagged so, or else the first.
    pub is_master: bool,
}

impl Root {
    pub(super) fn parse(answer: &Answer) -> Result<Self> {
        let root: Value = answer.json()?;
        let Some(refs) = root.get("refs").and_then(Value::as_array) else {
            return Err(answer.bad("answered with JSON that is not the root of a repository: it has no refs"));
        };
        // Entries of releases often lack `isMasterRef`.
        let is_master = |entry: &&Value| entry.get("isMasterRef").and_then(Value::as_bool).unwrap_or(false);
        let master = refs.iter().find(is_master);
        let master = master.or_else(|| refs.iter().find(|entry| text(entry, "id") == Some("master")));
        let Some(master_ref) = master.and_then(|entry| text(entry, "ref")).filter(|text| !text.is_empty())
        else {
            return Err(answer.bad("answered with a root that has no master ref"));
        };
        Ok(Self {
            bytes: answer.body.clone(),
            master_ref: master_ref.to_owned(),
            releases: refs
                .iter()
                .filter(|entry| master.is_none_or(|master| !std::ptr::eq(*entry, master)))
                .filter_map(release)
                .collect(),
            integration_fields_ref: text(&root, "integrationFieldsRef").map(str::to_owned),
            types: types(&root),
            languages: languages(&root),
            tags_url: root
                .pointer("/forms/tags/action")
                .and_then(Value::as_str)
                .and_then(|url| url.parse().ok()),
            version: text(&root, "version").map(str::to_owned),
        })
    }

    /// The id of the master language, where the repository tells its languages.
    pub fn master_language(&self) -> Option<&str> {
        self.languages.iter().find(|language| language.is_master).map(|language| language.id.as_str())
    }
}

fn release(entry: &Value) -> Option<Release> {
    Some(Release {
        id: text(entry, "id")?.to_owned(),
        reference: text(entry, "ref").filter(|text| !text.is_empty())?.to_owned(),
        label: text(entry, "label").unwrap_or_default().to_owned(),
        scheduled_at: entry.get("scheduledAt").and_then(time),
    })
}

fn types(root: &Value) -> BTreeMap<String, String> {
    let entries = root.get("types").and_then(Value::as_object).into_iter().flatten();
    entries.map(|(id, label)| (id.clone(), label.as_str().unwrap_or(id).to_owned())).collect()
}

fn languages(root: &Value) -> Vec<Language> {
    let entries = root.get("languages").and_then(Value::as_array).into_iter().flatten();
    let mut languages: Vec<_> = entries
        .filter_map(|entry| {
            let id = text(entry, "id")?.to_owned();
            let name = text(entry, "name").unwrap_or(&id).to_owned();
            let is_master = entry.get("is_master").and_then(Value::as_bool).unwrap_or(false);
            Some(Language { id, name, is_master })
        })
        .collect();
    // Old payloads do not flag the master language; it is the first, as for the official client.
    if languages.iter().all(|language| !language.is_master)
        && let Some(first) = languages.first_mut()
    {
        first.is_master = true;
    }
    languages
}

fn time(value: &Value) -> Option<Timestamp> {
    let milliseconds = |number: i64| DateTime::<Utc>::from_timestamp_millis(number);
    match value {
        Value::Number(number) => milliseconds(number.as_i64()?),
        Value::String(text) => text
            .parse()
            .ok()
            .and_then(milliseconds)
            .or_else(|| DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc()))
            // The API's own form has an offset without colon.
            .or_else(|| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%z").ok().map(|at| at.to_utc())),
        _ => None,
    }
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;
    use serde_json::json;

    use super::super::error::ErrorKind;
    use super::*;

    fn parse(body: &Value) -> Result<Root> {
        Root::parse(&Answer {
            subject: "the Content API at https://acme.example/api/v2".to_owned(),
            status: StatusCode::OK,
            body: body.to_string().into(),
            secret: None,
            retry_after: None,
        })
    }

    #[test]
    fn a_root_is_read_with_all_its_variations() {
        let body = json!({
            "refs": [
                { "id": "R1", "ref": "rel1~m", "label": "Spring", "scheduledAt": 1602111600000i64 },
                { "id": "master", "ref": "m", "label": "Master", "isMasterRef": true },
                { "id": "R2", "ref": "rel2~m", "label": "Summer", "isMasterRef": false, "scheduledAt": "1602111600000" },
                { "id": "R3", "ref": "rel3~m", "scheduledAt": "2020-10-07T23:00:00+0000" },
                { "id": "no ref" },
            ],
            "integrationFieldsRef": null,
            "types": { "page": "Page", "odd": null },
            "languages": [{ "id": "en-us", "name": "English" }, { "id": "fr-fr" }],
            "forms": { "tags": { "action": "https://acme.cdn.prismic.io/api/tags" } },
            "version": "8991d98",
        });
        let root = parse(&body).expect("a root");
        assert_eq!(root.master_ref, "m");
        let at: Timestamp = "2020-10-07T23:00:00Z".parse().expect("a time");
        let releases: Vec<_> = root.releases.iter().map(|r| (r.id.as_str(), r.scheduled_at)).collect();
        assert_eq!(releases, [("R1", Some(at)), ("R2", Some(at)), ("R3", Some(at))]);
        assert_eq!(root.master_language(), Some("en-us"));
        assert_eq!((root.types.len(), root.languages.len()), (2, 2));
        assert_eq!(root.tags_url.as_ref().map(Url::path), Some("/api/tags"));
        assert_eq!(root.integration_fields_ref, None);
        assert_eq!(root.bytes, body.to_string());
    }

    #[test]
    fn a_master_ref_without_flag_is_known_by_its_id() {
        let root = parse(&json!({ "refs": [{ "id": "x", "ref": "r" }, { "id": "master", "ref": "m" }] }))
            .expect("a root");
        assert_eq!((root.master_ref.as_str(), root.releases.len()), ("m", 1));
    }

    #[test]
    fn what_is_not_a_root_is_a_bad_answer() {
        for body in [
            json!({}),
            json!([]),
            json!({ "refs": {} }),
            json!({ "refs": [] }),
            json!({ "refs": [{ "isMasterRef": true }] }),
        ] {
            assert_eq!(*parse(&body).expect_err("no root").kind(), ErrorKind::BadAnswer, "{body}");
        }
    }
}
