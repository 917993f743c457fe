//! Files of the media library, below `/files` of a repository, by the path that they have on Prismic's
//! hosts: `/files/acme-blog/ZoQE4h5LeNNTwtnO_photo.jpg?auto=format&w=800`.
//!
//! Which file is at which path stand the metadata of assets say; they are read when the first file is
//! asked for. Files that are used again soon are kept, small ones in memory and large ones as
//! temporary files without a name; pictures that were made are kept in memory. All of it is bounded.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::stream;
use lru::LruCache;
use serde::Deserialize;
use tokio::sync::{OnceCell, Semaphore};
use tokio::time::timeout;

use super::images::Transform;
use super::shelf::Shelf;
use super::source::Standby;
use crate::contentapi::SourceError;
use crate::contentapi::files::{Asked, content_type, decode_path, parse_range};
use crate::ids::{Digest, ItemId};
use crate::limits::Limits;
use crate::vault::pack::ItemData;

/// Bytes of a file that are sent at once.
const CHUNK: usize = 256 << 10;
/// Files that are kept. Each large one is an open temporary file of at most 100 MB.
const FILES_KEPT: usize = 32;
/// Bytes of pictures that are kept.
const PICTURES_BYTES: usize = 64 << 20;
/// Pictures that are made at once: each may take as much memory as an original decodes to.
const PICTURES_AT_ONCE: usize = 2;
/// How long a browser may keep a file: its address names these bytes, but a person may be erased.
const CACHE: &str = "public, max-age=86400";
/// For files that a browser would run: an SVG or a page that somebody uploaded runs nothing here.
const SANDBOX: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox";

/// A file of the media library.
#[derive(Debug, Clone)]
struct File {
    item: ItemId,
    size: u64,
}

/// Files of an edition, by the path of their address.
#[derive(Debug, Default)]
pub(super) struct Files {
    /// Metadata and original of each asset.
    assets: Vec<(ItemId, ItemId, u64)>,
    by_path: OnceCell<HashMap<String, File>>,
}

#[derive(Deserialize)]
struct Metadata {
    url: String,
}

impl Files {
    pub(super) fn new(assets: Vec<(ItemId, ItemId, u64)>) -> Self {
        Self { assets, by_path: OnceCell::new() }
    }

    async fn find(&self, path: &str, shelf: &Shelf) -> Result<Option<&File>, SourceError> {
        let read = || async {
            let mut originals: HashMap<ItemId, Vec<File>> = HashMap::new();
            for (metadata, item, size) in &self.assets {
                originals.entry(*metadata).or_default().push(File { item: *item, size: *size });
            }
            let mut by_path = HashMap::with_capacity(self.assets.len());
            shelf
                .read_small(originals.keys().copied().collect(), |id, bytes| {
                    let Ok(Metadata { url }) = serde_json::from_slice(bytes) else { return };
                    let path = url.split_once("://").and_then(|(_, rest)| rest.split_once('/'));
                    if let (Some((_, path)), Some(files)) = (path, originals.get(&id)) {
                        by_path.extend(files.iter().map(|file| (decode_path(path), file.clone())));
                    }
                })
                .await?;
            Ok::<_, SourceError>(by_path)
        };
        Ok(self.by_path.get_or_try_init(read).await?.get(path))
    }
}

#[derive(Debug)]
struct Pictures {
    made: LruCache<(ItemId, Transform), (Bytes, &'static str)>,
    bytes: usize,
}

/// What is kept of the files of all repositories.
#[derive(Debug)]
pub struct FileCache {
    files: Mutex<LruCache<ItemId, Arc<ItemData>>>,
    pictures: Mutex<Pictures>,
    making: Arc<Semaphore>,
    wait: Duration,
    time: Duration,
}

impl FileCache {
    /// Returns one that is empty.
    pub fn new(limits: &Limits) -> Self {
        Self {
            files: Mutex::new(LruCache::unbounded()),
            pictures: Mutex::new(Pictures { made: LruCache::unbounded(), bytes: 0 }),
            making: Arc::new(Semaphore::new(PICTURES_AT_ONCE)),
            wait: limits.query_wait,
            time: limits.query_time,
        }
    }

    /// Forgets files, and pictures that were made of them.
    pub(super) fn forget(&self, is_gone: impl Fn(&ItemId) -> bool) {
        let mut files = self.files.lock().expect("no holder of this lock can panic");
        let gone: Vec<ItemId> = files.iter().map(|(item, _)| *item).filter(|item| is_gone(item)).collect();
        gone.iter().for_each(|item| drop(files.pop(item)));
        drop(files);
        let mut pictures = self.pictures.lock().expect("no holder of this lock can panic");
        let made = pictures.made.iter().map(|(key, _)| key.clone());
        let gone: Vec<_> = made.filter(|(item, _)| is_gone(item)).collect();
        for key in gone {
            if let Some((bytes, _)) = pictures.made.pop(&key) {
                pictures.bytes -= bytes.len();
            }
        }
    }

    async fn file(&self, item: ItemId, shelf: &Shelf) -> Result<Arc<ItemData>, SourceError> {
        if let Some(kept) = self.files.lock().expect("no holder of this lock can panic").get(&item) {
            return Ok(Arc::clone(kept));
        }
        let data = Arc::new(shelf.read(item).await?);
        let mut files = self.files.lock().expect("no holder of this lock can panic");
        files.put(item, Arc::clone(&data));
        while files.len() > FILES_KEPT {
            files.pop_lru();
        }
        Ok(data)
    }

    /// A picture made of a file; `None` when the original is to be given.
    async fn picture(
        &self,
        item: ItemId,
        transform: &Transform,
        data: &Arc<ItemData>,
    ) -> Option<(Bytes, &'static str)> {
        let key = (item, transform.clone());
        let kept = || {
            let mut pictures = self.pictures.lock().expect("no holder of this lock can panic");
            pictures.made.get(&key).cloned()
        };
        if let Some(kept) = kept() {
            return Some(kept);
        }
        // The original is better than waiting for long.
        let permit = timeout(self.wait, Arc::clone(&self.making).acquire_owned()).await.ok()?.ok()?;
        // Somebody else may have waited for the same.
        if let Some(kept) = kept() {
            return Some(kept);
        }
        let (work, data) = (transform.clone(), Arc::clone(data));
        let made = tokio::task::spawn_blocking(move || {
            let made = data.part(0..data.len()).ok().and_then(|original| work.apply(&original));
            drop(permit);
            made
        });
        let (bytes, media_type) = made.await.ok()??;
        let made = (Bytes::from(bytes), media_type);
        let mut pictures = self.pictures.lock().expect("no holder of this lock can panic");
        pictures.bytes += made.0.len();
        if let Some((before, _)) = pictures.made.put(key, made.clone()) {
            pictures.bytes -= before.len();
        }
        while pictures.bytes > PICTURES_BYTES {
            let Some((_, (oldest, _))) = pictures.made.pop_lru() else { break };
            pictures.bytes -= oldest.len();
        }
        Some(made)
    }
}

/// What answers need.
#[derive(Debug, Clone)]
pub(super) struct Shop {
    pub(super) standby: Arc<Standby>,
    pub(super) cache: Arc<FileCache>,
}

/// Answers `/files/…`.
pub(super) async fn get(State(shop): State<Shop>, request: Request) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let Some((_, path)) = request.uri().path().split_once("/files/") else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let path = decode_path(path);
    for edition in shop.standby.editions() {
        let found = timeout(shop.cache.time, edition.files().find(&path, edition.shelf())).await;
        match found.unwrap_or(Err(SourceError::TooLong)) {
            Err(_) => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
            Ok(None) => {}
            Ok(Some(file)) => {
                let query = request.uri().query().unwrap_or_default();
                let answered = answer(&shop.cache, file, &path, query, edition.shelf(), request.headers());
                let mut response = match timeout(shop.cache.time, answered).await {
                    Ok(Ok(response)) => response,
                    _ => StatusCode::SERVICE_UNAVAILABLE.into_response(),
                };
                if *request.method() == Method::HEAD {
                    *response.body_mut() = Body::empty();
                }
                return response;
            }
        }
    }
    StatusCode::NOT_FOUND.into_response()
}

async fn answer(
    cache: &FileCache,
    file: &File,
    path: &str,
    query: &str,
    shelf: &Shelf,
    headers: &HeaderMap,
) -> Result<Response, SourceError> {
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let media_type = content_type(path);
    let accept = text(header::ACCEPT).unwrap_or_default();
    let transform = match media_type {
        "image/jpeg" | "image/png" | "image/webp" => Transform::parse(query, accept),
        _ => None,
    };
    let tag = match &transform {
        None => format!("\"{}\"", file.item),
        Some(_) => {
            let asked = format!("{query} {}", accept.contains("image/webp"));
            format!("\"{}-{}\"", file.item, Digest::of(asked.as_bytes()))
        }
    };
    if text(header::IF_NONE_MATCH).is_some_and(|known| known.split(',').any(|one| one.trim() == tag)) {
        return Ok(with_headers(StatusCode::NOT_MODIFIED.into_response(), &tag, None));
    }
    let data = cache.file(file.item, shelf).await?;
    if let Some(transform) = &transform
        && let Some((bytes, media_type)) = cache.picture(file.item, transform, &data).await
    {
        return Ok(with_headers(bytes.into_response(), &tag, Some(media_type)));
    }
    // What cannot be made now may be made the next time: then it is not the same.
    let tag = format!("\"{}\"", file.item);
    let asked = text(header::RANGE).map(|range| parse_range(range, file.size));
    let (status, range) = match asked {
        Some(Asked::Outside) => {
            let headers = [(header::CONTENT_RANGE, format!("bytes */{}", file.size))];
            return Ok((StatusCode::RANGE_NOT_SATISFIABLE, headers).into_response());
        }
        Some(Asked::Part(range)) => (StatusCode::PARTIAL_CONTENT, range),
        Some(Asked::Unclear) | None => (StatusCode::OK, 0..file.size),
    };
    let mut response = (status, body(data, range.clone())).into_response();
    let head = response.headers_mut();
    head.insert(header::CONTENT_LENGTH, (range.end - range.start).into());
    head.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if status == StatusCode::PARTIAL_CONTENT
        && let Ok(value) = format!("bytes {}-{}/{}", range.start, range.end - 1, file.size).parse()
    {
        head.insert(header::CONTENT_RANGE, value);
    }
    Ok(with_headers(response, &tag, Some(media_type)))
}

fn with_headers(mut response: Response, tag: &str, media_type: Option<&'static str>) -> Response {
    let headers = response.headers_mut();
    if let Ok(tag) = tag.parse() {
        headers.insert(header::ETAG, tag);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(CACHE));
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::VARY, HeaderValue::from_static("accept"));
    if let Some(media_type) = media_type {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
        if !matches!(media_type, "image/jpeg" | "image/png" | "image/webp" | "video/mp4") {
            headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(SANDBOX));
        }
    }
    response
}

/// Sends a part in chunks, so that the size of a file does not matter.
fn body(data: Arc<ItemData>, range: Range<u64>) -> Body {
    Body::from_stream(stream::unfold((data, range), |(data, range)| async move {
        if range.is_empty() {
            return None;
        }
        let chunk = range.start..range.end.min(range.start + CHUNK as u64);
        let rest = chunk.end..range.end;
        let read = match &*data {
            ItemData::Memory(_) => data.part(chunk),
            ItemData::File(..) => {
                let of_file = Arc::clone(&data);
                let reading = tokio::task::spawn_blocking(move || of_file.part(chunk));
                reading.await.unwrap_or_else(|error| Err(std::io::Error::other(error)))
            }
        };
        let rest = if read.is_ok() { rest } else { range.end..range.end };
        Some((read, (data, rest)))
    }))
}
