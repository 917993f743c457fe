//! The requests themselves: one function each.

use std::ops::Range;
use std::sync::{Arc, Mutex};

use aws_sdk_s3::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::primitives::{ByteStream, DateTime, Length};
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumMode, ChecksumType, ServerSideEncryption};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};
use tokio::time::{Instant, timeout_at};

use super::errors::{Call, causes};
use super::options::ServerEncryption;
use super::{S3Store, passing, versions};
use crate::clock::Timestamp;
use crate::ids::Digest;
use crate::objects::{
    Body, BodySource, ErrorKind, ObjectMeta, Pieces, PutMode, Result, StoreError, VersionId, check_range,
    is_valid_key, version,
};

/// Bytes of a spool file that are read at once: each piece is handed to another thread and back,
/// which costs more than the 4 KiB that the SDK takes by itself.
const FILE_PIECE_BYTES: usize = 128 << 10;

impl S3Store {
    /// Sends the bytes. `body` holds a spool file until the last byte has been read from it.
    pub(super) async fn send(
        &self,
        call: Call<'_>,
        full_key: &str,
        body: &Body,
        mode: PutMode,
    ) -> Result<ObjectMeta> {
        let mut passing = None;
        let stream = match body.source() {
            BodySource::Bytes(bytes) => ByteStream::from(bytes.clone()),
            BodySource::File(spool) => {
                let file = ByteStream::read_from()
                    .path(&spool.path)
                    .buffer_size(FILE_PIECE_BYTES)
                    .length(Length::Exact(body.len()));
                file.build().await.map_err(|err| {
                    let why = "the spool file of its body cannot be read";
                    self.error(ErrorKind::Permanent, call.operation, call.key, why).because(err)
                })?
            }
            BodySource::Object(object) => {
                let (stream, failure) = passing::stream(object, body);
                passing = Some(failure);
                stream
            }
        };
        let length = i64::try_from(body.len()).map_err(|_| {
            self.error(ErrorKind::Permanent, call.operation, call.key, "it is larger than any store takes")
        })?;
        let checksum = BASE64.encode(body.sha256().0);
        let (encryption, encryption_key) = match &self.encryption {
            None => (None, None),
            Some(ServerEncryption::Aes256) => (Some(ServerSideEncryption::Aes256), None),
            Some(ServerEncryption::Kms { key }) => (Some(ServerSideEncryption::AwsKms), key.clone()),
        };
        let lock = self.rule.map(|rule| versions::headers(rule.at(self.clock.now())));
        let (lock_mode, locked_until) = lock.unzip();
        let request = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(full_key)
            .content_length(length)
            // Both: to some stores a lock without the name of the algorithm is one without checksum.
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .checksum_sha256(&checksum)
            .set_if_none_match((mode == PutMode::CreateOnly).then(|| "*".to_owned()))
            .set_storage_class(self.storage_class.clone())
            .set_server_side_encryption(encryption)
            .set_ssekms_key_id(encryption_key)
            .set_object_lock_mode(lock_mode)
            .set_object_lock_retain_until_date(locked_until)
            .body(stream);
        let answer = request.send().await;
        // Without its last piece the store has not got the object, whatever it answered.
        if let Some(failure) = passing.and_then(|failure| failure.take()) {
            return Err(failure.into_store_error(call.key, self));
        }
        let answer = answer.map_err(|err| self.failed(call, err))?;
        let stored = answer.checksum_sha256();
        if stored.is_some_and(|stored| stored != checksum) {
            let why = "the store answers with another checksum than that of the bytes sent";
            return Err(self.error(ErrorKind::Corrupt, call.operation, call.key, why));
        }
        let sha256 = stored.map(|_| body.sha256());
        Ok(ObjectMeta { key: call.key.to_owned(), size: body.len(), sha256, modified: None })
    }

    /// Asks for an object, or a part of it that is not empty. Returns its bytes, which are still to
    /// come, and how many the store says they are: at most `max`.
    async fn open(
        &self,
        call: Call<'_>,
        version: Option<&VersionId>,
        range: Option<Range<u64>>,
        max: u64,
    ) -> Result<(ByteStream, Option<u64>)> {
        let full_key = self.full_key(call.operation, call.key)?;
        let header = range.as_ref().map(|range| format!("bytes={}-{}", range.start, range.end - 1));
        let request = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(full_key)
            .set_version_id(version.map(ToString::to_string))
            .set_range(header);
        let answer = request.send().await.map_err(|err| self.failed(call, err))?;
        self.check_version(call, version, answer.version_id())?;
        // A range that goes beyond the end is cut by the store; the size is behind the slash.
        let size = answer.content_range().and_then(|range| range.rsplit('/').next()?.parse().ok());
        if let (Some(range), Some(size)) = (&range, size) {
            check_range(range, size, call.key, self)?;
        }
        let announced = answer.content_length().and_then(|length| u64::try_from(length).ok());
        match announced.filter(|size| *size > max) {
            Some(size) => Err(self.too_large(call, size, max)),
            None => Ok((answer.body, announced)),
        }
    }

    fn too_large(&self, call: Call<'_>, size: u64, max: u64) -> StoreError {
        let why = format!("it has {size} bytes or more, at most {max} are accepted");
        self.error(ErrorKind::TooLarge, call.operation, call.key, why)
    }

    fn cut_off(&self, call: Call<'_>, after: u64, err: &(dyn std::error::Error + 'static)) -> StoreError {
        let why = format!("the connection failed after {after} bytes");
        self.error(ErrorKind::Transient, call.operation, call.key, why).because(causes(err))
    }

    fn too_short(&self, call: Call<'_>, after: u64, size: u64) -> StoreError {
        let why = format!("the answer ended after {after} of {size} bytes");
        self.error(ErrorKind::Corrupt, call.operation, call.key, why)
    }

    /// Gets an object, or a part of it that is not empty. At most `max` bytes are read.
    pub(super) async fn fetch(
        &self,
        call: Call<'_>,
        version: Option<&VersionId>,
        range: Option<Range<u64>>,
        max: u64,
    ) -> Result<Bytes> {
        let (mut body, announced) = self.open(call, version, range, max).await?;
        let mut bytes =
            Vec::with_capacity(announced.and_then(|size| size.try_into().ok()).unwrap_or_default());
        while let Some(piece) = body.next().await {
            let piece = piece.map_err(|err| self.cut_off(call, bytes.len() as u64, &err))?;
            let size = (bytes.len() + piece.len()) as u64;
            if size > max {
                return Err(self.too_large(call, size, max));
            }
            bytes.extend_from_slice(&piece);
        }
        match announced.filter(|size| *size != bytes.len() as u64) {
            Some(size) => Err(self.too_short(call, bytes.len() as u64, size)),
            None => Ok(bytes.into()),
        }
    }

    /// Gets a part of an object, which is not empty, as it comes.
    pub(super) async fn fetch_pieces(&self, key: &str, range: Range<u64>) -> Result<Pieces> {
        let call = Call::read("read", key);
        let length = range.end - range.start;
        // One deadline for all of it, whoever takes it and however slowly.
        let deadline = Instant::now() + self.time_for(length);
        let (body, _) = self.within(call, 0, self.open(call, None, Some(range), length)).await?;
        let coming = Coming { store: self.clone(), key: key.to_owned(), body, deadline, came: 0, length };
        Ok(stream::try_unfold(coming, Coming::next).boxed())
    }

    /// Asks for all that the store tells of an object without its bytes.
    pub(super) async fn head_answer(
        &self,
        call: Call<'_>,
        version: Option<&VersionId>,
    ) -> Result<HeadObjectOutput> {
        let full_key = self.full_key(call.operation, call.key)?;
        let ask = async |version: Option<String>| {
            let request = self
                .client
                .head_object()
                .bucket(&self.bucket)
                .key(&full_key)
                .set_version_id(version)
                .checksum_mode(ChecksumMode::Enabled);
            request.send().await.map_err(|err| self.failed(call, err))
        };
        match ask(version.map(ToString::to_string)).await {
            // Without versions some stores do not know the version `null` that they have told.
            Err(err) if err.kind == ErrorKind::Permanent && version.is_some_and(VersionId::is_null) => {
                let answer = ask(None).await?;
                match answer.version_id() {
                    None | Some("null") => Ok(answer),
                    Some(_) => Err(err),
                }
            }
            Err(err) => Err(err),
            Ok(answer) => {
                self.check_version(call, version, answer.version_id())?;
                Ok(answer)
            }
        }
    }

    /// Refuses the answer of a store that does not look at the version it was asked for, and gives
    /// the newest for any.
    fn check_version(&self, call: Call<'_>, asked: Option<&VersionId>, given: Option<&str>) -> Result<()> {
        match asked {
            Some(asked) if !asked.is_null() && given != Some(asked.as_str()) => {
                Err(version::not_found(call.operation, call.key, self))
            }
            _ => Ok(()),
        }
    }

    pub(super) async fn look_up(&self, call: Call<'_>, version: Option<&VersionId>) -> Result<ObjectMeta> {
        let answer = self.head_answer(call, version).await?;
        let size =
            answer.content_length().and_then(|length| u64::try_from(length).ok()).ok_or_else(|| {
                self.error(ErrorKind::Permanent, call.operation, call.key, "the store does not tell its size")
            })?;
        // The checksum of a multipart upload is one of checksums: not that of the bytes.
        let composite = answer.checksum_type() == Some(&ChecksumType::Composite);
        let sha256 = answer.checksum_sha256().filter(|_| !composite).and_then(decode_checksum);
        let modified = answer.last_modified().and_then(to_timestamp);
        Ok(ObjectMeta { key: call.key.to_owned(), size, sha256, modified })
    }

    /// Lists the object of the name `call.key` and what is below it, sorted; `""` lists all.
    pub(super) async fn all_objects(&self, call: Call<'_>) -> Result<Vec<ObjectMeta>> {
        let mut objects = match call.key {
            "" => self.list_pages(call, &self.prefix).await?,
            prefix => self.list_segment(call, &self.full_key(call.operation, prefix)?).await?,
        };
        objects.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        Ok(objects)
    }

    /// Lists the object of this name and what is below it.
    ///
    /// S3 lists by text: `a/b` gives `a/bc` too, perhaps thousands of pages of it. So only the
    /// first page is asked for in this way, which is mostly all there is; it begins with the
    /// object of the very name, because S3 lists in the order of keys. (A `head` would tell that
    /// too, but stores on a file system fail at one for a directory.)
    async fn list_segment(&self, call: Call<'_>, full_key: &str) -> Result<Vec<ObjectMeta>> {
        let below = format!("{full_key}/");
        let page = self.list_page(call, full_key, None).await?;
        let (itself, others): (Vec<_>, Vec<_>) =
            page.objects.into_iter().partition(|meta| self.full_key_is(meta, full_key));
        let others = match page.goes_on {
            false => others.into_iter().filter(|meta| self.is_below(meta, &below)).collect(),
            true => self.list_pages(call, &below).await?,
        };
        Ok(itself.into_iter().chain(others).collect())
    }

    /// Lists all keys that begin with this text.
    async fn list_pages(&self, call: Call<'_>, text: &str) -> Result<Vec<ObjectMeta>> {
        let mut objects = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let page = self.list_page(call, text, token.clone()).await?;
            objects.extend(page.objects);
            if !page.goes_on {
                return Ok(objects);
            }
            // A store that promises more and gives no way on, or the same way again, would make
            // an incomplete list look complete, or never end.
            if page.token.is_none() || page.token == token {
                let why = "the store has more objects and does not say how to go on";
                return Err(self.error(ErrorKind::Permanent, call.operation, call.key, why));
            }
            token = page.token;
        }
    }

    async fn list_page(&self, call: Call<'_>, text: &str, token: Option<String>) -> Result<Page> {
        let request = self
            .client
            .list_objects_v2()
            .bucket(&self.bucket)
            .set_prefix(Some(text.to_owned()).filter(|text| !text.is_empty()))
            .set_continuation_token(token);
        let send = async { request.send().await.map_err(|err| self.failed(call, err)) };
        let page = self.within(call, 0, send).await?;
        let mut objects = Vec::with_capacity(page.contents().len());
        for object in page.contents() {
            // What has no valid key was not put here by a store, and none can reach it.
            let Some(key) = object.key().and_then(|key| key.strip_prefix(&self.prefix)) else { continue };
            if !is_valid_key(key) {
                continue;
            }
            let size = object.size().and_then(|size| u64::try_from(size).ok()).ok_or_else(|| {
                self.error(ErrorKind::Permanent, call.operation, key, "the store does not tell its size")
            })?;
            let modified = object.last_modified().and_then(to_timestamp);
            objects.push(ObjectMeta { key: key.to_owned(), size, sha256: None, modified });
        }
        let token = page.next_continuation_token().map(str::to_owned);
        Ok(Page { objects, goes_on: page.is_truncated() == Some(true), token })
    }

    fn full_key_is(&self, meta: &ObjectMeta, full_key: &str) -> bool {
        full_key.strip_prefix(&self.prefix) == Some(&meta.key)
    }

    fn is_below(&self, meta: &ObjectMeta, below: &str) -> bool {
        below.strip_prefix(&self.prefix).is_some_and(|below| meta.key.starts_with(below))
    }
}

/// A part of an object that is being read.
struct Coming {
    store: S3Store,
    key: String,
    body: ByteStream,
    deadline: Instant,
    came: u64,
    length: u64,
}

impl Coming {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>> {
        let call = Call::read("read", &self.key);
        let Ok(piece) = timeout_at(self.deadline, self.body.next()).await else {
            let limit = self.store.time_for(self.length).as_secs();
            let why = format!("the store has not given all of it within {limit} s");
            return Err(self.store.error(ErrorKind::Transient, call.operation, call.key, why));
        };
        let Some(piece) = piece else {
            return match self.came == self.length {
                true => Ok(None),
                false => Err(self.store.too_short(call, self.came, self.length)),
            };
        };
        let piece = piece.map_err(|err| self.store.cut_off(call, self.came, &err))?;
        self.came += piece.len() as u64;
        if self.came > self.length {
            return Err(self.store.too_large(call, self.came, self.length));
        }
        Ok(Some((piece, self)))
    }
}

/// One page of a listing.
struct Page {
    objects: Vec<ObjectMeta>,
    goes_on: bool,
    token: Option<String>,
}

/// Keeps the time of the last answer. The SDK's outputs do not have the `Date` header.
#[derive(Debug, Clone, Default)]
pub(super) struct DateHeader(Arc<Mutex<Option<Timestamp>>>);

impl DateHeader {
    pub(super) fn time(&self) -> Option<Timestamp> {
        *self.0.lock().expect("no holder of this lock can panic")
    }
}

impl Intercept for DateHeader {
    fn name(&self) -> &'static str {
        "DateHeader"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> std::result::Result<(), BoxError> {
        let answer = context.response();
        // Something in between may have made a server error, by its own clock.
        if answer.status().as_u16() < 500 {
            let time =
                answer.headers().get("date").and_then(|text| chrono::DateTime::parse_from_rfc2822(text).ok());
            *self.0.lock().expect("no holder of this lock can panic") = time.map(Into::into);
        }
        Ok(())
    }
}

fn decode_checksum(text: &str) -> Option<Digest> {
    Some(Digest(BASE64.decode(text).ok()?.try_into().ok()?))
}

pub(super) fn to_timestamp(time: &DateTime) -> Option<Timestamp> {
    Timestamp::from_timestamp(time.secs(), time.subsec_nanos())
}
