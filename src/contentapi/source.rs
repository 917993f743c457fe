//! Where the engine gets a repository from: the sandbox's memory, later snapshots of a vault.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::set::DocumentSet;

/// Why a source cannot answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// There is no such repository: 404 with an empty body.
    #[error("no such repository")]
    NoRepository,
    /// The evaluation took longer than it may, or nobody waits for it any more: 503.
    #[error("the search takes too long")]
    TooLong,
    /// What holds the documents cannot be read now: 503.
    #[error("the repository cannot be read: {0}")]
    Unavailable(String),
}

/// One entry of the root's `refs`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootRef {
    /// `master`, or the release's id.
    pub id: String,
    /// The opaque value that queries send.
    pub reference: String,
    /// Name shown to editors.
    pub label: String,
    /// Whether this is the published content.
    pub is_master: bool,
    /// When a release will be published, in milliseconds since 1970.
    pub scheduled_at: Option<i64>,
}

/// One entry of the root's `languages`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Language {
    /// Locale id, like `en-us`.
    pub id: String,
    /// Name shown to editors.
    pub name: String,
    /// Whether queries without `lang` mean this one.
    pub is_master: bool,
}

/// A named query that editors made: a form of the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collection {
    /// Key in `forms`.
    pub id: String,
    /// Name shown to editors.
    pub name: String,
    /// Default of its `q` field.
    pub query: String,
}

/// What `GET /api/v2` tells of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RepositoryRoot {
    /// The master ref and those of all releases; the router leaves out what a caller may not see.
    pub refs: Vec<RootRef>,
    /// Ref of the newest integration field data.
    pub integration_fields_ref: Option<String>,
    /// Custom types that have had a published document: id and label.
    pub types: Vec<(String, String)>,
    /// The master language first.
    pub languages: Vec<Language>,
    /// Answer of the tags endpoint; `None` when the repository never had a tag.
    pub tags: Option<Vec<String>>,
    /// Further forms.
    pub collections: Vec<Collection>,
    /// Deprecated names of documents.
    pub bookmarks: Vec<(String, String)>,
    /// Short hash that the service calls its version.
    pub version: String,
    /// The licence of the content.
    pub license: String,
}

impl RepositoryRoot {
    /// Returns the published content's ref.
    pub fn master_ref(&self) -> Option<&str> {
        self.refs.iter().find(|entry| entry.is_master).map(|entry| entry.reference.as_str())
    }

    /// Returns the language that queries without `lang` mean.
    pub fn master_language(&self) -> Option<&str> {
        let flagged = self.languages.iter().find(|language| language.is_master);
        flagged.or(self.languages.first()).map(|language| language.id.as_str())
    }

    /// Reads the answer of `GET /api/v2`, with `tags` from the tags endpoint. Members that are
    /// missing are empty; `None` when it is not an object with a master ref.
    pub fn from_api(answer: &Value, tags: Option<Vec<String>>) -> Option<Self> {
        let text =
            |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let list = |key: &str| answer.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
        let pairs = |key: &str| {
            let members = answer.get(key).and_then(Value::as_object).cloned().unwrap_or_default();
            members
                .into_iter()
                .map(|(key, value)| (key, value.as_str().unwrap_or_default().to_owned()))
                .collect()
        };
        let flag = |value: &Value, key: &str| value.get(key).and_then(Value::as_bool).unwrap_or(false);
        let scheduled = |value: &Value| {
            let at = value.get("scheduledAt")?;
            at.as_i64().or_else(|| at.as_str()?.parse().ok())
        };
        let refs = list("refs");
        let refs = refs.iter().map(|entry| RootRef {
            id: text(entry, "id"),
            reference: text(entry, "ref"),
            label: text(entry, "label"),
            is_master: flag(entry, "isMasterRef"),
            scheduled_at: scheduled(entry),
        });
        let languages = list("languages");
        let languages = languages.iter().map(|language| Language {
            id: text(language, "id"),
            name: text(language, "name"),
            is_master: flag(language, "is_master"),
        });
        let forms = answer.get("forms").and_then(Value::as_object).cloned().unwrap_or_default();
        let collections = forms.iter().filter_map(|(id, form)| {
            let query = form.pointer("/fields/q/default")?.as_str()?.to_owned();
            Some(Collection { id: id.clone(), name: text(form, "name"), query })
        });
        let root = Self {
            refs: refs.collect(),
            integration_fields_ref: answer
                .get("integrationFieldsRef")
                .and_then(Value::as_str)
                .map(str::to_owned),
            types: pairs("types"),
            languages: languages.collect(),
            tags,
            collections: collections.collect(),
            bookmarks: pairs("bookmarks"),
            version: text(answer, "version"),
            license: text(answer, "license"),
        };
        root.master_ref().is_some().then_some(root)
    }

    /// Writes the answer of `GET /api/v2` as a server at `base` gives it, with or without
    /// releases.
    pub(super) fn to_api(&self, base: &str, with_releases: bool) -> Value {
        let refs: Vec<Value> = self
            .refs
            .iter()
            .filter(|entry| entry.is_master || with_releases)
            .map(|entry| {
                let mut value = json!({"id": entry.id, "ref": entry.reference, "label": entry.label});
                // As the live API: the flag only on the master, the date only where there is one.
                if entry.is_master {
                    value["isMasterRef"] = true.into();
                }
                if let Some(at) = entry.scheduled_at {
                    value["scheduledAt"] = at.into();
                }
                value
            })
            .collect();
        let languages: Vec<Value> = self
            .languages
            .iter()
            .map(
                |language| json!({"id": language.id, "name": language.name, "is_master": language.is_master}),
            )
            .collect();
        let object = |pairs: &[(String, String)]| -> Map<String, Value> {
            pairs.iter().map(|(key, value)| (key.clone(), value.as_str().into())).collect()
        };
        json!({
            "refs": refs,
            "integrationFieldsRef": self.integration_fields_ref,
            "bookmarks": object(&self.bookmarks),
            "types": object(&self.types),
            "languages": languages,
            "tags": [],
            "forms": self.forms(base),
            "oauth_initiate": format!("{base}/auth"),
            "oauth_token": format!("{base}/auth/token"),
            "version": self.version,
            "license": self.license,
            "experiments": {"draft": [], "running": []},
        })
    }

    fn forms(&self, base: &str) -> Map<String, Value> {
        let mut fields = Map::new();
        for (name, kind, multiple, default) in [
            ("ref", "String", false, None),
            ("q", "String", true, None),
            ("lang", "String", false, None),
            ("page", "Integer", false, Some("1")),
            ("pageSize", "Integer", false, Some("20")),
            ("after", "String", false, None),
            ("fetch", "String", false, None),
            ("fetchLinks", "String", false, None),
            ("graphQuery", "String", false, None),
            ("orderings", "String", false, None),
            ("routes", "String", false, None),
            ("brokenRoute", "String", false, None),
            ("referer", "String", false, None),
        ] {
            let mut field = json!({"type": kind, "multiple": multiple});
            if let Some(default) = default {
                field["default"] = default.into();
            }
            fields.insert(name.to_owned(), field);
        }
        let form = |action: &str, fields: &Map<String, Value>| {
            json!({
                "method": "GET",
                "enctype": "application/x-www-form-urlencoded",
                "action": format!("{base}{action}"),
                "fields": fields,
            })
        };
        let mut forms = Map::new();
        forms.insert("everything".to_owned(), form("/api/v2/documents/search", &fields));
        forms.insert("tags".to_owned(), form("/api/tags", &Map::new()));
        for collection in &self.collections {
            let mut form = form("/api/v2/documents/search", &fields);
            form["name"] = collection.name.as_str().into();
            form["rel"] = "collection".into();
            form["fields"]["q"]["default"] = collection.query.as_str().into();
            forms.insert(collection.id.clone(), form);
        }
        forms
    }
}

/// What a ref stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefKind {
    /// The published content as it is now.
    Master,
    /// Published content as it was before a later publish.
    SupersededMaster,
    /// A release over published content.
    Release,
}

/// What a source says about a ref.
#[derive(Debug, Clone)]
pub enum RefAnswer {
    /// The documents at it.
    Found(RefKind, Arc<DocumentSet>),
    /// There was such a ref, but its content is no longer kept.
    Expired,
    /// There never was.
    Unknown,
}

/// A repository that the engine serves.
#[async_trait]
pub trait ContentSource: Send + Sync + 'static {
    /// Returns what the repository says of itself now.
    async fn root(&self) -> Result<Arc<RepositoryRoot>, SourceError>;

    /// Returns the documents at a ref. What a ref stands for never changes while it is found.
    async fn documents(&self, reference: &str) -> Result<RefAnswer, SourceError>;
}
