//! The Asset API: the list of the media library and its tags. Read only.
//!
//! The end of the list is not marked: a cursor comes with every page that is not empty, a page may
//! be shorter than asked for because the server caps its size, and `total` may be absent or
//! capped. So a listing ends with an empty page or without a cursor, and early only when a short
//! page brings the count to `total`. What goes wrong costs a request, not an asset.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;
use chrono::DateTime;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use url::Url;

use super::answer::Answer;
use super::asset_url;
use super::call::{Call, Credentials};
use super::endpoints::join;
use super::error::{ErrorKind, Patience, PrismicError, Result};
use super::http::{Api, Http};
use super::tolerant;
use super::types::refusal;
use crate::clock::Timestamp;
use crate::secret::Secret;

/// Ids that are asked for in one request: an address with them stays below 2,048 characters.
const IDS_AT_ONCE: usize = 50;

/// Client for the Asset API of one repository; cheap to clone.
#[derive(Debug, Clone)]
pub struct AssetApi {
    http: Http,
    endpoint: Url,
    repository: String,
    token: Secret,
}

/// An asset as the media library lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asset {
    /// The entry as it was sent.
    pub bytes: Bytes,
    /// Its id, as sent: whoever makes a path of it checks it first.
    pub id: String,
    /// Address of the original, without query. `None` when the entry has none that can be
    /// fetched: such an asset cannot be backed up, which must be reported.
    pub url: Option<Url>,
    /// Its file name: what people chose, so never in logs.
    pub filename: Option<String>,
    /// Bytes of the original.
    pub size: Option<u64>,
    /// `image`, `audio`, `video` or `document`.
    pub kind: Option<String>,
    /// When it was uploaded.
    pub created_at: Option<Timestamp>,
    /// When it or what is known of it last changed.
    pub last_modified: Option<Timestamp>,
    /// Ids of its tags.
    pub tags: Vec<String>,
}

/// A whole media library.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AssetList {
    /// The assets, each once, newest first.
    pub assets: Vec<Asset>,
    /// How many there are according to the last page that told.
    pub total: Option<u64>,
}

impl AssetList {
    /// How many assets the API counts and did not list; such a list is not complete.
    pub fn missing(&self) -> u64 {
        self.total.unwrap_or_default().saturating_sub(self.assets.len() as u64)
    }
}

#[derive(Debug)]
struct Page {
    /// Entries, duplicates included.
    items: Vec<Asset>,
    total: Option<u64>,
    cursor: Option<String>,
}

impl AssetApi {
    /// Returns a client for the API at `endpoint`. Its write token is sent there and nowhere else.
    pub fn new(http: Http, endpoint: Url, repository: impl Into<String>, write_token: Secret) -> Self {
        Self { http, endpoint, repository: repository.into(), token: write_token }
    }

    /// Lists the whole media library; `progress` hears the number of assets so far and the total,
    /// where it is known, after each page.
    ///
    /// An upload during the listing may be missed, and one asset is never listed twice. When the
    /// asset that a cursor names is deleted meanwhile, the listing starts again, a bounded number
    /// of times.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unauthorized`] or [`ErrorKind::Forbidden`] for the token,
    /// [`ErrorKind::BadAnswer`] when the list does not come to an end, and those of every request.
    pub async fn list(&self, mut progress: impl FnMut(u64, Option<u64>) + Send) -> Result<AssetList> {
        let mut restarts = 0;
        loop {
            match self.list_once(&mut progress).await? {
                Ok(list) => return Ok(list),
                Err(error) if restarts >= self.http.limits().asset_list_restarts => return Err(error),
                Err(error) => {
                    restarts += 1;
                    tracing::info!(restarts, "{error}; listing again");
                }
            }
        }
    }

    /// Lists the newest assets, newest first: at most `limit`, and what the API gives on one page.
    ///
    /// # Errors
    ///
    /// Those of [`list`](Self::list).
    pub async fn newest(&self, limit: u32) -> Result<Vec<Asset>> {
        let page = self.page(limit.max(1), None).await??;
        Ok(page.items.into_iter().take(limit as usize).collect())
    }

    /// Reads the assets with these ids, those of them that there are.
    ///
    /// # Errors
    ///
    /// Those of [`list`](Self::list).
    pub async fn with_ids(&self, ids: &[String]) -> Result<Vec<Asset>> {
        let mut found = Vec::new();
        for ids in ids.chunks(IDS_AT_ONCE) {
            let mut url = join(&self.endpoint, &["assets"]);
            url.query_pairs_mut()
                .append_pair("limit", &IDS_AT_ONCE.to_string())
                .extend_pairs(ids.iter().map(|id| ("ids", id)));
            let call = self.asking(url);
            let page = self.http.call(&call, |answer| match answer.status.as_u16() {
                200 => Page::parse(&answer),
                _ => Err(refusal(&answer)),
            });
            found.extend(page.await?.items);
        }
        Ok(found)
    }

    /// Reads the tags of the media library as they are sent.
    ///
    /// # Errors
    ///
    /// Those of [`list`](Self::list).
    pub async fn tags(&self) -> Result<Bytes> {
        self.http
            .call(&self.asking(join(&self.endpoint, &["tags"])), |answer| match answer.status.as_u16() {
                200 => answer.json::<serde::de::IgnoredAny>().map(|_| answer.body.clone()),
                _ => Err(refusal(&answer)),
            })
            .await
    }

    /// The inner error is a refused cursor.
    async fn list_once(
        &self,
        progress: &mut (impl FnMut(u64, Option<u64>) + Send),
    ) -> Result<Result<AssetList>> {
        let mut list = AssetList::default();
        let mut known = HashSet::new();
        let mut cursor = None;
        loop {
            let page = match self.page(self.http.limits().asset_page_size, cursor.as_deref()).await? {
                Ok(page) => page,
                Err(refused) => return Ok(Err(refused)),
            };
            let end = self.add(&mut list, &mut known, cursor.as_deref(), page)?;
            progress(list.assets.len() as u64, list.total);
            match end {
                ControlFlow::Continue(next) => cursor = Some(next),
                ControlFlow::Break(()) => return Ok(Ok(list)),
            }
        }
    }

    /// Adds a page and tells the cursor of the next one.
    fn add(
        &self,
        list: &mut AssetList,
        known: &mut HashSet<String>,
        cursor: Option<&str>,
        page: Page,
    ) -> Result<ControlFlow<(), String>> {
        let before = list.assets.len();
        let received = page.items.len();
        list.total = page.total.or(list.total);
        list.assets.extend(page.items.into_iter().filter(|asset| known.insert(asset.id.clone())));
        let (false, Some(next)) = (received == 0, page.cursor) else { return Ok(ControlFlow::Break(())) };
        let short = (received as u64) < u64::from(self.http.limits().asset_page_size);
        if short && list.total.is_some_and(|total| list.assets.len() as u64 >= total) {
            return Ok(ControlFlow::Break(()));
        }
        if cursor == Some(next.as_str()) || list.assets.len() == before {
            let subject = self.subject();
            return Err(PrismicError::new(
                ErrorKind::BadAnswer,
                subject,
                "lists the same assets again and again: its cursor does not move on",
            ));
        }
        Ok(ControlFlow::Continue(next))
    }

    async fn page(&self, limit: u32, cursor: Option<&str>) -> Result<Result<Page>> {
        let mut url = join(&self.endpoint, &["assets"]);
        url.query_pairs_mut().append_pair("limit", &limit.to_string());
        if let Some(cursor) = cursor {
            url.query_pairs_mut().append_pair("cursor", cursor);
        }
        let cursor: Option<Arc<str>> = cursor.map(Arc::from);
        self.http
            .call(&self.asking(url), move |answer| match answer.status.as_u16() {
                200 => Page::parse(&answer).map(Ok),
                400 if cursor.is_some() && answer.said().contains("cursor")
                    || answer.has("code", "invalid_cursor")
                    || answer.has("error", "invalid_cursor") =>
                {
                    Ok(Err(answer.unexpected()))
                }
                _ => Err(refusal(&answer)),
            })
            .await
    }

    fn asking(&self, url: Url) -> Call<'_> {
        let credentials = Credentials::Write { token: &self.token, repository: &self.repository };
        Call::get(Api::Assets, url, credentials)
    }

    fn subject(&self) -> String {
        format!("the {} at {}", Api::Assets.label(), crate::secret::SafeUrl(&self.endpoint))
    }
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    items: Vec<&'a RawValue>,
    total: Option<u64>,
    cursor: Option<String>,
}

impl Page {
    fn parse(answer: &Answer) -> Result<Self> {
        let envelope: Envelope<'_> = answer.parse(serde_json::from_slice(&answer.body))?;
        let items = envelope.items.into_iter().map(|item| {
            Asset::parse(item.get().as_bytes()).ok_or_else(|| {
                answer.bad("answered with an asset that has no id").with_patience(Patience::Brief)
            })
        });
        Ok(Self {
            items: items.collect::<Result<_>>()?,
            total: envelope.total,
            cursor: envelope.cursor.filter(|cursor| !cursor.is_empty()),
        })
    }
}

impl Asset {
    /// Reads an entry of the media library as the API sent it or as it was stored; `None` when it
    /// is no JSON object with an id. All other members may be absent or odd.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let value = tolerant::parse(bytes).ok()?;
        let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        let time =
            |key: &str| value.get(key).and_then(Value::as_i64).and_then(DateTime::from_timestamp_millis);
        let tags = value.get("tags").and_then(Value::as_array).into_iter().flatten();
        Some(Self {
            bytes: Bytes::copy_from_slice(bytes),
            id: text("id").filter(|id| !id.is_empty())?,
            url: text("url").and_then(|url| asset_url::original(&url).ok()),
            filename: text("filename"),
            size: value.get("size").and_then(Value::as_u64),
            kind: text("kind"),
            created_at: time("created_at"),
            last_modified: time("last_modified"),
            tags: tags
                .filter_map(|tag| tag.as_str().or_else(|| tag.get("id").and_then(Value::as_str)))
                .map(str::to_owned)
                .collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_keeps_its_bytes_and_tells_its_members() {
        let sent = r#"{ "id":"ZoQE4h5LeNNTwtnO", "url":"https://images.prismic.io/a/ZoQE4h5LeNNTwtnO_P.jpg?auto=format",
            "filename":"P \u00e9.jpg", "size":8066890, "kind":"image", "created_at":1719928035057,
            "last_modified":1720092571453, "tags":[{"id":"T1","name":"x"},"T2"], "alt":"cut \ud83d" }"#;
        let asset = Asset::parse(sent.as_bytes()).expect("an asset");
        assert_eq!(asset.bytes, sent);
        assert_eq!(
            asset.url.as_ref().map(Url::as_str),
            Some("https://images.prismic.io/a/ZoQE4h5LeNNTwtnO_P.jpg")
        );
        assert_eq!((asset.size, asset.kind.as_deref()), (Some(8_066_890), Some("image")));
        assert_eq!(asset.created_at.map(|at| at.timestamp_millis()), Some(1_719_928_035_057));
        assert_eq!(asset.tags, ["T1", "T2"]);
    }

    #[test]
    fn an_entry_of_odd_form_is_still_listed() {
        let asset = Asset::parse(br#"{"id":"A","url":"file:///etc/passwd","size":"big","tags":7}"#)
            .expect("an asset");
        assert_eq!((asset.url, asset.size, asset.tags), (None, None, Vec::new()));
        for text in ["{}", "[]", r#"{"id":""}"#, r#"{"id":7}"#, "nonsense"] {
            assert_eq!(Asset::parse(text.as_bytes()), None, "{text}");
        }
    }
}
