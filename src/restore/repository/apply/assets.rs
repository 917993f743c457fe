//! Assets: uploads, which are live at once, and the tags that no upload carries.

use std::collections::{BTreeMap, HashSet};

use super::super::super::error::Result;
use super::super::entries::{Entry, Fate, Request, Thing};
use super::super::source::SourceAsset;
use super::{Applying, Made, Sent, said};
use crate::prismic::write::{ASSET_TEXT_CHARS_MAX, AssetChange, Upload, UploadedAsset};
use crate::prismic::{Asset, AssetData, parse_json};
use crate::progress::Phase;
use crate::vault::pack::ItemData;

/// How often an upload is sent or looked for, where answers are lost again and again.
const TRIES: usize = 6;

impl Applying<'_> {
    /// Uploads the assets that the target lacks.
    pub(super) async fn assets(&mut self) -> Result<()> {
        let work = self.work();
        for (old, there) in &work.assets_there {
            self.take_asset(old, there).await?;
        }
        let tags = self.tags().await?;
        self.tools.progress.start(Phase::Assets, Some(work.uploads.len() as u64));
        for at in &work.uploads {
            let asset = &work.source.assets[*at];
            self.asset(asset, &tags).await?;
            self.tools.progress.advance(Phase::Assets, 1, asset.bytes);
        }
        self.tools.progress.finish(Phase::Assets);
        Ok(())
    }

    /// Notes that the target has an asset already.
    async fn take_asset(&mut self, old: &str, id: &str) -> Result<()> {
        if self.recorded.assets.contains_key(old) {
            return Ok(());
        }
        let url = self.existing.assets.get(id).and_then(|asset| asset.url.as_ref()).map(ToString::to_string);
        self.note(Entry::Taken { thing: Thing::Asset(old.into()), id: id.to_owned(), url, published: None })
            .await
    }

    async fn asset(&mut self, asset: &SourceAsset, tags: &BTreeMap<String, String>) -> Result<()> {
        let request = Request::Upload(asset.id.clone());
        for _ in 0..TRIES {
            match self.fate(&request) {
                Fate::Done => return self.describe(asset, tags).await,
                Fate::Refused => return Ok(()),
                Fate::Unknown => self.find_upload(asset, &request).await?,
                Fate::Undone => self.upload(asset, request.clone()).await?,
            }
        }
        match self.fate(&request) {
            Fate::Done => self.describe(asset, tags).await,
            _ => {
                self.problem("asset-unsure", &asset.id, "whether the target has this asset is not known");
                Ok(())
            }
        }
    }

    async fn upload(&mut self, asset: &SourceAsset, request: Request) -> Result<()> {
        let Some(original) = asset.original else { return Ok(()) };
        let data = match self.reader.item(original).await {
            Ok(ItemData::Memory(bytes)) => AssetData::Memory(bytes),
            Ok(ItemData::File(file, _)) => AssetData::File(file),
            Err(error) => {
                self.problem("asset-unreadable", &asset.id, error.to_string());
                return Ok(());
            }
        };
        let writer = self.tools.writer;
        let filename = asset.filename.as_deref().unwrap_or(&asset.id);
        let (alt, notes, credits) = (sent(&asset.alt), sent(&asset.notes), sent(&asset.credits));
        let sending = async {
            let upload = Upload {
                filename,
                data: &data,
                len: asset.bytes,
                media_type: None,
                alt: &alt,
                notes: &notes,
                credits: &credits,
            };
            writer.upload_asset(upload).await
        };
        match self.send(request, sending, made).await? {
            Sent::Done(_) | Sent::Lost => {}
            Sent::Refused(error) => {
                let why = format!("the target does not take this asset: {}", said(&error));
                self.problem("asset-refused", &asset.id, why);
            }
        }
        Ok(())
    }

    /// Looks in the media library for an upload whose answer was lost: the newest that has its name, size
    /// and texts and that nobody else claims. Where another upload of this restore looks the same, whose
    /// it is is not known: then it is sent again, which leaves a file too many rather than a document with
    /// a wrong picture.
    async fn find_upload(&mut self, asset: &SourceAsset, request: &Request) -> Result<()> {
        let newest = self.tools.writer.newest_assets(self.tools.limits.asset_page_size).await;
        let newest = newest.map_err(|error| self.stopped(error))?;
        let before = self.recorded.begun.as_ref().and_then(|begun| begun.newest.asset);
        let claimed: HashSet<&str> = self.recorded.assets.values().map(|asset| asset.id.as_str()).collect();
        let filename = asset.filename.as_deref().unwrap_or(&asset.id);
        let found = newest.into_iter().find(|there| {
            !claimed.contains(there.id.as_str())
                && there.filename.as_deref() == Some(filename)
                && there.size == Some(asset.bytes)
                && there.created_at.map(|at| at.timestamp_millis()) > before
                && has_texts(there, asset)
        });
        let request = request.clone();
        match found {
            Some(there) if self.has_double(asset) => {
                let why =
                    format!("it may be there twice, once as {}: remove what no document uses", there.id);
                self.problem("asset-maybe-twice", &asset.id, why);
                self.note(Entry::Undone { request, refused: false }).await
            }
            Some(there) => {
                let url = there.url.as_ref().map(ToString::to_string);
                self.note(Entry::Done { request, id: Some(there.id), url, incomplete: false }).await
            }
            None => self.note(Entry::Undone { request, refused: false }).await,
        }
    }

    /// Whether another upload looks the same before its bytes are seen.
    fn has_double(&self, asset: &SourceAsset) -> bool {
        let looks = |asset: &SourceAsset| {
            (asset.filename.clone(), asset.bytes, [&asset.alt, &asset.notes, &asset.credits].map(sent))
        };
        let own = looks(asset);
        let others = self.work().uploads.iter().map(|at| &self.work().source.assets[*at]);
        others.filter(|other| other.id != asset.id).any(|other| looks(other) == own)
    }

    /// Gives an asset its tags.
    async fn describe(&mut self, asset: &SourceAsset, tags: &BTreeMap<String, String>) -> Result<()> {
        let request = Request::Describe(asset.id.clone());
        if asset.tags.is_empty() || matches!(self.fate(&request), Fate::Done | Fate::Refused) {
            return Ok(());
        }
        let Some(there) = self.recorded.assets.get(&asset.id).map(|asset| asset.id.clone()) else {
            return Ok(());
        };
        let names = asset.tags.iter().filter_map(|id| self.work().source.tags.get(id));
        let tags: Vec<String> = names.filter_map(|name| tags.get(name).cloned()).collect();
        if tags.is_empty() {
            return Ok(());
        }
        let (writer, change) =
            (self.tools.writer, AssetChange { tags: Some(tags), ..AssetChange::default() });
        // It says how the asset shall be, so it may be sent as often as it takes.
        for _ in 0..TRIES {
            let sending = async { writer.describe_asset(&there, &change).await };
            match self.send(request.clone(), sending, |()| Made::default()).await? {
                Sent::Done(()) => return Ok(()),
                Sent::Lost => {}
                Sent::Refused(error) => {
                    self.problem(
                        "asset-tags-refused",
                        &asset.id,
                        format!("it has no tags: {}", said(&error)),
                    );
                    return Ok(());
                }
            }
        }
        self.problem("asset-tags-unsure", &asset.id, "whether this asset has its tags is not known");
        Ok(())
    }
}

fn made(asset: &UploadedAsset) -> Made {
    Made { id: Some(asset.id.clone()), url: asset.url.as_ref().map(ToString::to_string), incomplete: false }
}

/// Returns a text as it is sent: what the media library takes of it.
fn sent(text: &Option<String>) -> String {
    text.iter().flat_map(|text| text.chars()).take(ASSET_TEXT_CHARS_MAX).collect()
}

/// Whether an asset of the library has the texts that this one was sent with.
fn has_texts(there: &Asset, asset: &SourceAsset) -> bool {
    let value = parse_json(&there.bytes).unwrap_or_default();
    [("alt", &asset.alt), ("notes", &asset.notes), ("credits", &asset.credits)].iter().all(|(key, ours)| {
        value.get(key).and_then(serde_json::Value::as_str).unwrap_or_default() == sent(ours)
    })
}
