//! A form with a file (`multipart/form-data`, RFC 7578), made while it is sent.
//!
//! A file may have a hundred megabytes, so it is read a piece at a time, off the async threads. The
//! length is known before, because servers and gateways want `Content-Length`.
//!
//! Names of files go out as browsers, and so Prismic's own client, send them (HTML standard,
//! "multipart/form-data encoding algorithm"): UTF-8 as it is, `"` as `%22`, line breaks as `%0D` and
//! `%0A`. Texts go out byte by byte.
//!
//! Whoever sends asks [`Sending`] how it goes: as long as not even the last piece was taken, no
//! server can have acted on the form. A form can be sent again: each time is a body of its own.

use std::fs::File;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::files::read_piece;
use crate::ids::{hex, random};

/// Bytes that are read, and handed to the connection, at once.
const PIECE: usize = 128 << 10;

/// A form with one file; cheap to clone.
#[derive(Clone)]
pub(super) struct Form {
    boundary: Arc<str>,
    head: Bytes,
    file: FormFile,
    tail: Bytes,
}

/// The bytes of the file.
#[derive(Clone)]
pub(super) enum FormFile {
    Memory(Bytes),
    /// The file, and how many bytes of it are sent.
    Disk(Arc<File>, u64),
}

impl FormFile {
    fn len(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::Disk(_, len) => *len,
        }
    }
}

impl Form {
    /// Returns a form with the file as its field `file`, and these fields after it. `media_type` is
    /// what the file says to be; one that no header can hold is left out.
    pub(super) fn new(
        filename: &str,
        media_type: Option<&str>,
        file: FormFile,
        fields: &[(&str, &str)],
    ) -> Self {
        let boundary: Arc<str> = format!("prismvault-{}", hex(&random::<16>())).into();
        let is_plain =
            |text: &&str| !text.is_empty() && text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
        let media_type = media_type.filter(is_plain).unwrap_or("application/octet-stream");
        let head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{}\"\r\nContent-Type: {media_type}\r\n\r\n",
            escaped(filename)
        );
        let mut tail = String::from("\r\n");
        for (name, text) in fields {
            tail.push_str(&format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"\r\n\r\n{text}\r\n",
                escaped(name)
            ));
        }
        tail.push_str(&format!("--{boundary}--\r\n"));
        Self { boundary, head: head.into(), file, tail: tail.into() }
    }

    /// Bytes of all of it.
    pub(super) fn len(&self) -> u64 {
        (self.head.len() + self.tail.len()) as u64 + self.file.len()
    }

    /// The header `Content-Type`.
    pub(super) fn content_type(&self) -> String {
        format!("multipart/form-data; boundary={}", self.boundary)
    }

    /// Returns a body to send, and who knows how that goes.
    pub(super) fn body(&self) -> (FormBody, Arc<Sending>) {
        let sending = Arc::new(Sending {
            state: Mutex::new(SendingState { last: Instant::now(), handed_over: false, unreadable: false }),
            handed_over: Notify::new(),
        });
        let body = FormBody {
            form: self.clone(),
            next: Next::Head,
            left: self.len(),
            sending: Arc::clone(&sending),
        };
        (body, sending)
    }
}

/// As browsers write names.
fn escaped(name: &str) -> String {
    name.replace('\r', "%0D").replace('\n', "%0A").replace('"', "%22")
}

/// How the sending of a body goes.
#[derive(Debug)]
pub(super) struct Sending {
    state: Mutex<SendingState>,
    handed_over: Notify,
}

#[derive(Debug, Clone, Copy)]
struct SendingState {
    /// When the connection last took something.
    last: Instant,
    handed_over: bool,
    unreadable: bool,
}

impl Sending {
    fn state(&self) -> std::sync::MutexGuard<'_, SendingState> {
        self.state.lock().expect("no holder of this lock can panic")
    }

    /// Whether the connection took the last piece. Before, no server can have seen all of it.
    pub(super) fn is_handed_over(&self) -> bool {
        self.state().handed_over
    }

    /// Whether the file could not be read.
    pub(super) fn is_unreadable(&self) -> bool {
        self.state().unreadable
    }

    /// Waits until the connection has taken the last piece.
    pub(super) async fn handed_over(&self) {
        while !self.is_handed_over() {
            self.handed_over.notified().await;
        }
    }

    /// Waits until nothing has moved for `patience`. The connection counts as moving until its last
    /// piece was taken, and then once more: what is on its way is not seen.
    pub(super) async fn silent_for(&self, patience: Duration) {
        loop {
            let last = self.state().last;
            tokio::time::sleep_until(last + patience).await;
            if self.state().last == last {
                return;
            }
        }
    }

    fn moved(&self, is_last: bool) {
        let mut state = self.state();
        state.last = Instant::now();
        state.handed_over |= is_last;
        drop(state);
        if is_last {
            self.handed_over.notify_one();
        }
    }
}

/// The body of a form that is being sent.
pub(super) struct FormBody {
    form: Form,
    next: Next,
    /// Bytes that were not handed over.
    left: u64,
    sending: Arc<Sending>,
}

enum Next {
    Head,
    /// The file, from this byte on; and the piece that is being read.
    File(u64, Option<JoinHandle<io::Result<Bytes>>>),
    Tail,
    End,
}

impl FormBody {
    fn hand_over(&mut self, piece: Bytes) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.left = self.left.saturating_sub(piece.len() as u64);
        self.sending.moved(self.left == 0);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    /// The next piece of the file.
    fn poll_file(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        let Next::File(at, reading) = &mut self.next else { return Poll::Ready(Ok(Bytes::new())) };
        let (file, len) = match &self.form.file {
            FormFile::Memory(bytes) => {
                let from = usize::try_from(*at).unwrap_or(usize::MAX).min(bytes.len());
                return Poll::Ready(Ok(bytes.slice(from..bytes.len().min(from + PIECE))));
            }
            FormFile::Disk(file, len) => (file, *len),
        };
        let from = *at;
        let piece = usize::try_from(len - from).unwrap_or(usize::MAX).min(PIECE);
        let task = reading.get_or_insert_with(|| {
            let file = Arc::clone(file);
            tokio::task::spawn_blocking(move || read_piece(&file, from, piece))
        });
        let read = match Pin::new(task).poll(context) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(read) => read,
        };
        *reading = None;
        Poll::Ready(read.unwrap_or_else(|_| Err(io::Error::other("the program is stopping"))))
    }
}

impl Body for FormBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        loop {
            match &self.next {
                Next::Head => {
                    self.next = Next::File(0, None);
                    let head = self.form.head.clone();
                    return self.hand_over(head);
                }
                Next::File(at, _) if *at >= self.form.file.len() => self.next = Next::Tail,
                Next::File(at, _) => {
                    let at = *at;
                    let piece = match self.poll_file(context) {
                        Poll::Pending => return Poll::Pending,
                        Poll::Ready(Err(error)) => {
                            self.sending.state().unreadable = true;
                            return Poll::Ready(Some(Err(error)));
                        }
                        Poll::Ready(Ok(piece)) => piece,
                    };
                    self.next = Next::File(at + piece.len() as u64, None);
                    return self.hand_over(piece);
                }
                Next::Tail => {
                    self.next = Next::End;
                    let tail = self.form.tail.clone();
                    return self.hand_over(tail);
                }
                Next::End => return Poll::Ready(None),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.next, Next::End)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    async fn sent(form: &Form) -> (io::Result<Vec<u8>>, Arc<Sending>) {
        let (mut body, sending) = form.body();
        assert_eq!(body.size_hint().exact(), Some(form.len()));
        let mut all = Vec::new();
        loop {
            assert_eq!(sending.is_handed_over(), body.is_end_stream());
            match std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
                None => return (Ok(all), sending),
                Some(Ok(frame)) => all.extend_from_slice(&frame.into_data().expect("data")),
                Some(Err(error)) => return (Err(error), sending),
            }
        }
    }

    #[tokio::test]
    async fn a_form_is_what_browsers_send() {
        let file = FormFile::Memory(Bytes::from_static(b"\x89PNG\r\n--x"));
        let form = Form::new("Zo\u{eb} \"1\"\r\n.png", Some("image/png"), file, &[("alt", "na\u{ef}ve\n")]);
        let (bytes, sending) = sent(&form).await;
        let boundary = form.content_type().split_once("boundary=").expect("a boundary").1.to_owned();
        let expected = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"Zo\u{eb} %221%22%0D%0A.png\"\r\n\
             Content-Type: image/png\r\n\r\n\u{0}PNG\r\n--x\r\n\
             --{boundary}\r\nContent-Disposition: form-data; name=\"alt\"\r\n\r\nna\u{ef}ve\n\r\n--{boundary}--\r\n"
        );
        let mut expected = expected.into_bytes();
        let at = expected.iter().position(|byte| *byte == 0).expect("the place");
        expected[at] = 0x89;
        assert_eq!(bytes.expect("readable"), expected);
        assert!(sending.is_handed_over());
    }

    #[tokio::test]
    async fn a_large_file_is_read_in_pieces_and_as_often_as_it_is_sent() {
        let content: Vec<u8> = (0..3 * PIECE + 17).map(|at| (at / 7) as u8).collect();
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(&content).expect("written");
        let form =
            Form::new("a", Some("no\nheader"), FormFile::Disk(Arc::new(file), content.len() as u64), &[]);
        for _ in 0..2 {
            let bytes = sent(&form).await.0.expect("readable");
            assert_eq!(bytes.len() as u64, form.len());
            let from = form.head.len();
            assert!(bytes[from..from + content.len()] == content[..]);
        }
        assert!(!form.head.windows(9).any(|part| part == b"no\nheader"));
    }

    #[tokio::test]
    async fn a_file_that_got_shorter_is_never_sent_as_a_whole() {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(b"short").expect("written");
        let (outcome, sending) = sent(&Form::new("a", None, FormFile::Disk(Arc::new(file), 6), &[])).await;
        assert_eq!(outcome.expect_err("too short").kind(), io::ErrorKind::UnexpectedEof);
        assert!(!sending.is_handed_over());
    }

    #[tokio::test]
    async fn an_empty_file_is_sent() {
        let form = Form::new("", None, FormFile::Memory(Bytes::new()), &[]);
        assert_eq!(sent(&form).await.0.expect("readable").len() as u64, form.len());
    }

    #[tokio::test(start_paused = true)]
    async fn silence_counts_from_the_last_piece() {
        let (mut body, sending) =
            Form::new("a", None, FormFile::Memory(vec![0; 3 * PIECE].into()), &[]).body();
        let started = Instant::now();
        let patience = Duration::from_secs(60);
        let pieces = async {
            for _ in 0..3 {
                tokio::time::sleep(Duration::from_secs(50)).await;
                std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await;
            }
        };
        futures_util::join!(sending.silent_for(patience), pieces);
        assert_eq!(started.elapsed(), Duration::from_secs(150 + 60));
    }
}
