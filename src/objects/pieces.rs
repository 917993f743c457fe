//! Part of an object as a stream of pieces, for those who pass it on or hash it: it is neither in
//! memory as a whole nor asked for by many requests.
//!
//! Pieces are of any size. Together they are the range, or an error is among them and ends them;
//! what comes is not checked against anything. Nothing is read that nobody takes.

use std::ops::Range;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};

use super::Result;

/// Part of an object, as it comes.
pub type Pieces = BoxStream<'static, Result<Bytes>>;

/// Bytes of a piece where the store has no stream of its own: large enough that opening the object
/// for each does not matter, small enough for many at once.
const PIECE_BYTES: u64 = 1 << 20;

/// Returns a range in pieces that `read` reads, each when it is wanted, the first at once.
///
/// # Errors
///
/// Those of reading the first.
pub(crate) async fn by_ranges<F>(
    range: Range<u64>,
    read: impl Fn(Range<u64>) -> F + Send + 'static,
) -> Result<Pieces>
where
    F: Future<Output = Result<Bytes>> + Send + 'static,
{
    let end = range.end;
    let after = move |start: u64| end.min(start.saturating_add(PIECE_BYTES));
    let first = read(range.start..after(range.start)).await?;
    let rest = stream::try_unfold((after(range.start), read), move |(start, read)| async move {
        if start >= end {
            return Ok(None);
        }
        let piece = read(start..after(start)).await?;
        Ok(Some((piece, (after(start), read))))
    });
    Ok(stream::iter([Ok(first)]).chain(rest).boxed())
}

/// Takes pieces until they are `bytes` together or more; fewer are left at the end only.
///
/// # Errors
///
/// That of a piece.
pub(crate) async fn batch(pieces: &mut Pieces, bytes: u64) -> Result<Vec<Bytes>> {
    let (mut batch, mut size) = (Vec::new(), 0);
    while size < bytes {
        let Some(piece) = pieces.try_next().await? else { break };
        size += piece.len() as u64;
        batch.push(piece);
    }
    Ok(batch)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_range_is_read_piece_by_piece_and_only_what_is_taken() {
        let read_to = Arc::new(AtomicU64::new(0));
        let noting = Arc::clone(&read_to);
        let read = move |range: Range<u64>| {
            noting.store(range.end, Ordering::Relaxed);
            async move { Ok(range.map(|at| (at % 251) as u8).collect::<Vec<_>>().into()) }
        };
        let (start, end) = (7, 2 * PIECE_BYTES + 11);
        let mut pieces = by_ranges(start..end, read).await.unwrap();
        assert_eq!(pieces.next().await.unwrap().unwrap().len() as u64, PIECE_BYTES);
        assert_eq!(read_to.load(Ordering::Relaxed), start + PIECE_BYTES);
        let rest: Vec<Bytes> = pieces.try_collect().await.unwrap();
        assert_eq!(rest.iter().map(Bytes::len).collect::<Vec<_>>(), [PIECE_BYTES as usize, 4]);
        assert_eq!(rest[1][3], ((end - 1) % 251) as u8);
        assert_eq!(read_to.load(Ordering::Relaxed), end);
    }
}
