//! What an error of the SDK means, without what it repeats of the request.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use super::S3Store;
use crate::objects::{ErrorKind, StoreError};

/// What a request is for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) operation: &'static str,
    pub(super) key: &'a str,
    pub(super) writes: bool,
    /// Whether it is about one version.
    pub(super) of_version: bool,
}

impl<'a> Call<'a> {
    pub(super) fn read(operation: &'static str, key: &'a str) -> Self {
        Self { operation, key, writes: false, of_version: false }
    }

    pub(super) fn write(operation: &'static str, key: &'a str) -> Self {
        Self { writes: true, ..Self::read(operation, key) }
    }

    pub(super) fn of_version(self) -> Self {
        Self { of_version: true, ..self }
    }

    /// Kind of an error after which nobody knows whether the store got the request.
    pub(super) fn interrupted(&self) -> ErrorKind {
        if self.writes { ErrorKind::Unknown } else { ErrorKind::Transient }
    }
}

impl S3Store {
    /// Returns the error of a request that failed.
    pub(super) fn failed<E>(&self, call: Call<'_>, err: SdkError<E, HttpResponse>) -> StoreError
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let error = |kind, why: String| self.error(kind, call.operation, call.key, why);
        match &err {
            SdkError::ServiceError(service) => {
                let status = service.raw().status().as_u16();
                let code = service.err().code().unwrap_or_default();
                let mut kind = classify(status, code, call);
                let mut why = describe(kind, code).to_owned();
                if let (true, Some(credentials)) = (is_expired(code), &self.credentials) {
                    credentials.refuse();
                    kind = ErrorKind::Transient;
                }
                if kind == ErrorKind::Permanent && call.operation == "write" && self.rule.is_some() {
                    why.push_str(" with a lock, for which Object Lock must be on for the bucket");
                }
                if let Some(region) = service.raw().headers().get("x-amz-bucket-region")
                    && matches!(status, 301 | 307 | 400)
                {
                    why = format!("the bucket is in the region {region}");
                }
                if status < 300 {
                    why = "the answer of the store cannot be understood".to_owned();
                }
                let code = if code.is_empty() { String::new() } else { format!(", {code}") };
                error(kind, format!("{why} (HTTP {status}{code})"))
            }
            SdkError::ConstructionFailure(_) | SdkError::DispatchFailure(_) if is_about_credentials(&err) => {
                let kind = if may_come_back(&err) { ErrorKind::Transient } else { ErrorKind::Denied };
                error(kind, "there are no usable AWS credentials".into()).because(causes(&err))
            }
            SdkError::ConstructionFailure(_) => {
                error(ErrorKind::Permanent, "the request cannot be built".into()).because(causes(&err))
            }
            SdkError::DispatchFailure(_) if is_refused(&err) => {
                error(ErrorKind::Transient, "the store cannot be reached".into()).because(causes(&err))
            }
            SdkError::ResponseError(_) => {
                // Its text could quote the response.
                error(call.interrupted(), "the answer of the store cannot be understood".into())
            }
            _ => error(call.interrupted(), "the connection to the store failed".into()).because(causes(&err)),
        }
    }
}

/// Tells from status and code what a caller can decide by. Codes first: stores differ in status.
fn classify(status: u16, code: &str, call: Call<'_>) -> ErrorKind {
    let writes = call.writes;
    match (status, code) {
        (_, "NoSuchKey" | "NoSuchVersion" | "NoSuchBucket" | "NotFound") => ErrorKind::NotFound,
        // The version is a delete marker.
        (_, "MethodNotAllowed") | (405, _) if call.of_version => ErrorKind::NotFound,
        // It is there, but in an archive from which it would have to be restored first.
        (_, "InvalidObjectState") => ErrorKind::Permanent,
        (_, "ObjectLocked") => ErrorKind::Locked,
        (_, "BadDigest" | "InvalidDigest" | "XAmzContentSHA256Mismatch" | "XAmzContentChecksumMismatch") => {
            ErrorKind::Corrupt
        }
        // Another writer is at this key right now; this put has not happened.
        (_, "ConditionalRequestConflict" | "OperationAborted") => ErrorKind::Transient,
        // Refused before anything was done.
        (
            _,
            "SlowDown" | "Throttling" | "ThrottlingException" | "RequestLimitExceeded" | "RequestTimeout",
        )
        | (429, _) => ErrorKind::Transient,
        (_, "InvalidToken" | "InvalidAccessKeyId") => ErrorKind::Denied,
        (_, code) if is_expired(code) => ErrorKind::Denied,
        (401 | 403, _) => ErrorKind::Denied,
        (_, "QuotaExceeded" | "StorageFull" | "XMinioStorageFull") | (507, _) => ErrorKind::NoSpace,
        (_, "NotImplemented") | (501, _) => ErrorKind::Unsupported,
        (_, "InvalidRange") | (416, _) => ErrorKind::OutOfRange,
        (412, _) => ErrorKind::AlreadyExists,
        (404, _) => ErrorKind::NotFound,
        // The failure may have come after the work.
        (408 | 500..=599, _) if writes => ErrorKind::Unknown,
        (408 | 500..=599, _) => ErrorKind::Transient,
        _ => ErrorKind::Permanent,
    }
}

/// Whether a code says that credentials were good once.
fn is_expired(code: &str) -> bool {
    matches!(code, "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired")
}

fn describe(kind: ErrorKind, code: &str) -> &'static str {
    match kind {
        _ if is_expired(code) => "the credentials have expired",
        _ if code == "InvalidObjectState" => {
            "it lies in an archive class, from which nothing is read at once"
        }
        ErrorKind::NotFound => "there is no such object or bucket",
        ErrorKind::AlreadyExists => "there is such an object already",
        ErrorKind::Denied => "the store refuses these credentials",
        ErrorKind::NoSpace => "the store is full",
        ErrorKind::Transient => "the store cannot answer now",
        ErrorKind::Unknown => "the store failed and may have done it",
        ErrorKind::Corrupt => "the store got other bytes than announced",
        ErrorKind::OutOfRange => "the range is outside the object",
        ErrorKind::Unsupported => "the store cannot do this",
        ErrorKind::Unconfigured | ErrorKind::TooLarge | ErrorKind::Permanent => {
            "the store refuses the request"
        }
        ErrorKind::Locked => "it is locked",
    }
}

/// Writes down the causes of an error of the SDK. The error itself is not kept: its debug form
/// shows the whole response.
pub(super) fn causes(err: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    for cause in chain(err) {
        let line = cause.to_string();
        // What a credential process says there is not ours to vouch for.
        let line = line.split(" Stderr:").next().unwrap_or_default();
        let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
        if !text.contains(&line) {
            text.push_str(if text.is_empty() { "" } else { ": " });
            text.push_str(&line);
        }
    }
    text
}

/// Returns the code of the service, `""` for an error of another kind.
pub(super) fn code_of<E: ProvideErrorMetadata>(err: &SdkError<E, HttpResponse>) -> &str {
    err.as_service_error().and_then(ProvideErrorMetadata::code).unwrap_or_default()
}

/// Whether whoever gives out credentials may only be away.
fn may_come_back(err: &(dyn Error + 'static)) -> bool {
    chain(err)
        .filter_map(|err| err.downcast_ref::<CredentialsError>())
        .any(|err| matches!(err, CredentialsError::ProviderTimedOut(_) | CredentialsError::ProviderError(_)))
}

fn is_about_credentials(err: &(dyn Error + 'static)) -> bool {
    chain(err).any(<dyn Error>::is::<CredentialsError>)
}

fn chain<'a>(err: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(err), |err: &&'a (dyn Error + 'static)| (*err).source())
}

/// Whether nothing can have reached the store.
fn is_refused(err: &(dyn Error + 'static)) -> bool {
    chain(err)
        .filter_map(|err| err.downcast_ref::<std::io::Error>())
        .any(|err| err.kind() == std::io::ErrorKind::ConnectionRefused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Cause {
        text: &'static str,
        source: Option<Box<Cause>>,
    }

    #[test]
    fn causes_are_one_line_without_repetition_and_without_what_other_programs_print() {
        let deepest = Cause { text: "it exited with 2. Stderr: key is hunter2", source: None };
        let middle = Cause { text: "no credentials\n  in any\n  place", source: Some(Box::new(deepest)) };
        let outer = Cause { text: "no credentials in any place", source: Some(Box::new(middle)) };
        assert_eq!(causes(&outer), "no credentials in any place: it exited with 2.");
    }

    #[test]
    fn what_fails_for_want_of_credentials_is_recognised_at_any_depth() {
        let sdk =
            SdkError::<aws_sdk_s3::operation::get_object::GetObjectError, HttpResponse>::construction_failure(
                CredentialsError::not_loaded_no_source(),
            );
        assert!(is_about_credentials(&sdk));
        assert!(!is_about_credentials(&Cause { text: "credentials", source: None }));
    }
}
