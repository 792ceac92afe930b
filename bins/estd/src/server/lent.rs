//! Bodies that an answer leaves unread.
//!
//! Whoever answers before the body has come has its stream reset over HTTP/2 (RFC 9113 §8.1), and its connection closed
//! over HTTP/1.1. Clients must not throw the answer away for that, but some do, curl 7.88 among them. So what is left of
//! a short body is read before the answer leaves.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http::HeaderMap;
use http::header::EXPECT;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Bytes, Frame, SizeHint};

/// A body that comes back when it is dropped before its end.
pub(crate) struct Lent<B> {
    body: Option<B>,
    home: Option<Home<B>>,
    /// How many octets it may have yet.
    left: usize,
}

/// Where a body comes back to, with how many octets it may have yet.
type Home<B> = Arc<Mutex<Option<(B, usize)>>>;

/// What may come back.
pub(crate) struct Unread<B>(Option<Home<B>>);

/// Lends out the body of a request with these `headers`. One that is empty, surely longer than `limit` octets, or sent
/// only after a 100 (RFC 9110 §10.1.1), does not come back.
pub(crate) fn lend<B: Body>(body: B, headers: &HeaderMap, limit: usize) -> (Lent<B>, Unread<B>) {
    let is_short = body.size_hint().lower() <= limit as u64;
    let comes_back = is_short && !body.is_end_stream() && !headers.contains_key(EXPECT);
    let home = comes_back.then(Home::default);
    (Lent { body: Some(body), home: home.clone(), left: limit }, Unread(home))
}

/// For how long an answer is kept back for its request's body.
const PATIENCE: Duration = Duration::from_secs(1);

impl<B: Body<Data = Bytes> + Unpin> Unread<B> {
    /// Reads what came back to its end, not beyond the limit, and not for long.
    pub(crate) async fn read(self) {
        self.read_within(PATIENCE).await;
    }

    async fn read_within(self, patience: Duration) {
        let Self(Some(home)) = self else { return };
        let returned = home.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((body, left)) = returned {
            // The answer does without a body that does not come.
            let _ = tokio::time::timeout(patience, read_out(body, left)).await;
        }
    }
}

async fn read_out<B: Body<Data = Bytes> + Unpin>(mut body: B, mut left: usize) {
    while let Some(Ok(frame)) = body.frame().await {
        let length = frame.data_ref().map_or(0, Bytes::len);
        let Some(rest) = left.checked_sub(length) else { return };
        left = rest;
    }
}

impl<B> Drop for Lent<B> {
    fn drop(&mut self) {
        if let Some(home) = &self.home {
            let unread = self.body.take().map(|body| (body, self.left));
            *home.lock().unwrap_or_else(PoisonError::into_inner) = unread;
        }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Lent<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = Pin::new(body).poll_frame(context);
        match &frame {
            Poll::Ready(None) => self.home = None,
            Poll::Ready(Some(Ok(frame))) => {
                let length = frame.data_ref().map_or(0, Bytes::len);
                self.left = self.left.saturating_sub(length);
            }
            Poll::Ready(Some(Err(_))) | Poll::Pending => {}
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(Body::size_hint).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http::HeaderValue;

    use super::*;

    /// So many frames of two octets, and how many of them were read; without an end if there are none.
    struct Frames {
        left: usize,
        read: Arc<Mutex<usize>>,
        ends: bool,
    }

    impl Body for Frames {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            let Some(left) = self.left.checked_sub(1) else {
                return if self.ends { Poll::Ready(None) } else { Poll::Pending };
            };
            self.left = left;
            *self.read.lock().expect("a count") += 1;
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"ab")))))
        }
    }

    /// How many of five frames were read in the end, when `taken` were before the body was dropped.
    async fn read(taken: usize, headers: &HeaderMap, limit: usize) -> usize {
        let count = Arc::default();
        let (mut lent, unread) = lend(Frames { left: 5, read: Arc::clone(&count), ends: true }, headers, limit);
        for _ in 0..taken {
            let _ = lent.frame().await;
        }
        drop(lent);
        unread.read().await;
        *count.lock().expect("a count")
    }

    #[tokio::test]
    async fn what_was_left_is_read_up_to_the_limit() {
        let none = HeaderMap::new();
        for taken in 0..=6 {
            assert_eq!(read(taken, &none, 10).await, 5);
        }
        assert_eq!(read(0, &none, 5).await, 3, "the third frame is over it");
    }

    #[tokio::test]
    async fn a_body_that_is_sent_only_to_who_wants_it_is_not_asked_for() {
        let mut headers = HeaderMap::new();
        headers.insert(EXPECT, HeaderValue::from_static("100-continue"));
        assert_eq!(read(0, &headers, 10).await, 0);
    }

    #[tokio::test]
    async fn an_answer_is_not_kept_back_for_a_body_that_never_comes() {
        let count = Arc::default();
        let never = Frames { left: 1, read: Arc::clone(&count), ends: false };
        let (lent, unread) = lend(never, &HeaderMap::new(), 10);
        drop(lent);
        unread.read_within(Duration::ZERO).await;
        assert_eq!(*count.lock().expect("a count"), 1);
    }
}
