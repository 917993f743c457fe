//! The body of a put that comes from another store, piece by piece.
//!
//! A task reads and hashes; the connection takes what is there. Two pieces are in memory: one that is
//! sent and one that is read or waits. The last piece is only given out when all of them have the
//! digest that was announced; without it the request has fewer bytes than its length says, and no
//! store makes an object of that.
//!
//! The SDK tells little of why a body failed, so the reason is kept beside it. When the request is
//! dropped the task ends.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use aws_sdk_s3::primitives::{ByteStream, SdkBody};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::sync::mpsc::{self, Receiver};
use tokio::task::JoinSet;

use crate::objects::copy::{CopyError, pass_on};
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
    let (sender, pieces) = mpsc::channel(1);
    let mut reading = JoinSet::new();
    reading.spawn(pass_on(Arc::clone(object), body.len(), body.sha256(), sender));
    let failure = Failure::default();
    let passing = Passing { pieces, left: body.len(), failure: failure.clone(), _reading: reading };
    (ByteStream::new(SdkBody::from_body_1_x(passing)), failure)
}

struct Passing {
    pieces: Receiver<Result<Bytes, CopyError>>,
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
        self.pieces.poll_recv(context).map(|piece| {
            Some(match piece? {
                Ok(piece) => {
                    self.left = self.left.saturating_sub(piece.len() as u64);
                    Ok(Frame::data(piece))
                }
                Err(error) => {
                    self.failure.set(error);
                    Err(Ended)
                }
            })
        })
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
