//! The requests themselves: one function each.

use std::sync::{Arc, Mutex};

use aws_sdk_s3::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::primitives::{ByteStream, DateTime, Length};
use aws_sdk_s3::types::{ChecksumMode, ChecksumType};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;

use super::S3Store;
use super::errors::{Call, causes};
use crate::clock::Timestamp;
use crate::ids::Digest;
use crate::objects::{Body, BodySource, ErrorKind, ObjectMeta, PutMode, Result, is_valid_key};

impl S3Store {
    /// Sends the bytes. `body` holds a spool file until the last byte has been read from it.
    pub(super) async fn send(
        &self,
        call: Call<'_>,
        full_key: &str,
        body: &Body,
        mode: PutMode,
    ) -> Result<ObjectMeta> {
        let stream = match body.source() {
            BodySource::Bytes(bytes) => ByteStream::from(bytes.clone()),
            BodySource::File(spool) => {
                let file = ByteStream::read_from().path(&spool.path).length(Length::Exact(body.len()));
                file.build().await.map_err(|err| {
                    let why = "the spool file of its body cannot be read";
                    self.error(ErrorKind::Permanent, call.operation, call.key, why).because(err)
                })?
            }
        };
        let length = i64::try_from(body.len()).map_err(|_| {
            self.error(ErrorKind::Permanent, call.operation, call.key, "it is larger than any store takes")
        })?;
        let checksum = BASE64.encode(body.sha256().0);
        let mut request = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(full_key)
            .content_length(length)
            .checksum_sha256(&checksum)
            .body(stream);
        if mode == PutMode::CreateOnly {
            request = request.if_none_match("*");
        }
        let answer = request.send().await.map_err(|err| self.failed(call, err))?;
        let stored = answer.checksum_sha256();
        if stored.is_some_and(|stored| stored != checksum) {
            let why = "the store answers with another checksum than that of the bytes sent";
            return Err(self.error(ErrorKind::Corrupt, call.operation, call.key, why));
        }
        let sha256 = stored.map(|_| body.sha256());
        Ok(ObjectMeta { key: call.key.to_owned(), size: body.len(), sha256, modified: None })
    }

    /// Gets an object or a part of it (`bytes=0-9`); returns it with what the store says of the
    /// whole. At most `max` bytes are read.
    pub(super) async fn fetch(
        &self,
        call: Call<'_>,
        range: Option<String>,
        max: u64,
    ) -> Result<(Bytes, Option<u64>)> {
        let full_key = self.full_key(call.operation, call.key)?;
        let request = self.client.get_object().bucket(&self.bucket).key(full_key).set_range(range);
        let answer = request.send().await.map_err(|err| self.failed(call, err))?;
        let announced = answer.content_length().and_then(|length| u64::try_from(length).ok());
        let too_large = |size: u64| {
            let why = format!("it has {size} bytes or more, at most {max} are accepted");
            self.error(ErrorKind::TooLarge, call.operation, call.key, why)
        };
        if let Some(size) = announced.filter(|size| *size > max) {
            return Err(too_large(size));
        }
        let whole = answer.content_range().and_then(|range| range.rsplit('/').next()?.parse().ok());
        let mut bytes =
            Vec::with_capacity(announced.and_then(|size| size.try_into().ok()).unwrap_or_default());
        let mut body = answer.body;
        while let Some(piece) = body.next().await {
            let piece = piece.map_err(|err| {
                let why = format!("the connection failed after {} bytes", bytes.len());
                self.error(ErrorKind::Transient, call.operation, call.key, why).because(causes(&err))
            })?;
            if (bytes.len() + piece.len()) as u64 > max {
                return Err(too_large((bytes.len() + piece.len()) as u64));
            }
            bytes.extend_from_slice(&piece);
        }
        if let Some(size) = announced.filter(|size| *size != bytes.len() as u64) {
            let why = format!("the answer ended after {} of {size} bytes", bytes.len());
            return Err(self.error(ErrorKind::Corrupt, call.operation, call.key, why));
        }
        Ok((bytes.into(), whole))
    }

    pub(super) async fn look_up(&self, call: Call<'_>) -> Result<ObjectMeta> {
        let full_key = self.full_key(call.operation, call.key)?;
        let request =
            self.client.head_object().bucket(&self.bucket).key(full_key).checksum_mode(ChecksumMode::Enabled);
        let answer = request.send().await.map_err(|err| self.failed(call, err))?;
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

    /// Lists what is below a prefix of the bucket that is empty or ends with a slash.
    pub(super) async fn list_below(&self, call: Call<'_>, full_prefix: &str) -> Result<Vec<ObjectMeta>> {
        let mut objects = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let request = self
                .client
                .list_objects_v2()
                .bucket(&self.bucket)
                .set_prefix(Some(full_prefix).filter(|prefix| !prefix.is_empty()).map(str::to_owned))
                .set_continuation_token(token.clone());
            let page = self
                .within(call, 0, async { request.send().await.map_err(|err| self.failed(call, err)) })
                .await?;
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
            if page.is_truncated() != Some(true) {
                return Ok(objects);
            }
            // A store that promises more and gives no way on, or the same way again, would make
            // an incomplete list look complete, or never end.
            match page.next_continuation_token() {
                Some(next) if token.as_deref() != Some(next) => token = Some(next.to_owned()),
                _ => {
                    let why = "the store has more objects and does not say how to go on";
                    return Err(self.error(ErrorKind::Permanent, call.operation, call.key, why));
                }
            }
        }
    }
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

fn to_timestamp(time: &DateTime) -> Option<Timestamp> {
    Timestamp::from_timestamp(time.secs(), time.subsec_nanos())
}
