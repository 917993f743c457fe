//! The body of a put that comes from another store, batch by batch.
//!
//! A task reads and hashes; the connection takes what is there, as it came. Two batches are in
//! memory: one that is sent and one that is read or waits. The last is only given out when all of
//! them have the digest that was announced; without it the request has fewer bytes than its length
//! says, and no store makes an object of that. A store that is known to refuse another digest hashes
//! by itself: [`SourceObject::hashed_by_taker`].
//!
//! The SDK tells little of why a body failed, so the reason is kept beside it. When the request is
//! dropped the task ends.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use aws_sdk_s3::primitives::{ByteStream, SdkBody};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::sync::mpsc::{self, Receiver};
use tokio::task::JoinSet;

use crate::objects::copy::{Batch, CopyError, pass_on};
use crate::objects::{Body, SourceObject};

/// Why a body could not be had, if so.
#[derive(Debug, Clone, Default)]
pub(super) struct Failure(Arc<Mutex<Option<CopyError>>>);

impl Failure {
    pub(super) fn take(&self) -> Option<CopyError> {
        self.0.lock().expect("no holder of this lock can panic").take()
    }

    fn set(&self, error: CopyError) {
        *self.0.lock().expect("no holder of this lock can panic") = Some(error);
    }
}

/// Returns the bytes of `object`, which is to be what `body` announces, and the reason if they end
/// too early.
pub(super) fn stream(object: &Arc<SourceObject>, body: &Body) -> (ByteStream, Failure) {
    let (sender, batches) = mpsc::channel(1);
    let mut reading = JoinSet::new();
    reading.spawn(pass_on(Arc::clone(object), body.len(), body.sha256(), sender));
    let failure = Failure::default();
    let passing = Passing {
        batches,
        batch: Vec::new().into_iter(),
        left: body.len(),
        failure: failure.clone(),
        _reading: reading,
    };
    (ByteStream::new(SdkBody::from_body_1_x(passing)), failure)
}

struct Passing {
    batches: Receiver<Result<Batch, CopyError>>,
    /// What is left of the one that is sent.
    batch: std::vec::IntoIter<Bytes>,
    left: u64,
    failure: Failure,
    /// Ends with the body.
    _reading: JoinSet<()>,
}

/// What the SDK hears; the reason is in [`Failure`].
#[derive(Debug, thiserror::Error)]
#[error("the object that is copied cannot be had")]
struct Ended;

impl http_body::Body for Passing {
    type Data = Bytes;
    type Error = Ended;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Ended>>> {
        loop {
            if let Some(piece) = self.batch.next() {
                self.left = self.left.saturating_sub(piece.len() as u64);
                return Poll::Ready(Some(Ok(Frame::data(piece))));
            }
            match ready!(self.batches.poll_recv(context)) {
                None => return Poll::Ready(None),
                Some(Ok(batch)) => self.batch = batch.into_iter(),
                Some(Err(error)) => {
                    self.failure.set(error);
                    return Poll::Ready(Some(Err(Ended)));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
