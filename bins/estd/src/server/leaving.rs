//! Answers on their way: their connections are not idle while their clients take them.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http_body_util::Full;
use hyper::body::{Body, Bytes, Frame, SizeHint};

use super::connections::Place;

/// So many octets a client has to take within each `idle_timeout`: the connection of one that takes none ends, and is
/// the first to make room for others before that.
const PIECE: usize = 64 * 1024;

/// A body that leaves piece by piece, as its client takes it.
pub(super) struct Leaving {
    body: Full<Bytes>,
    rest: Bytes,
    place: Arc<Place>,
}

impl Leaving {
    /// `body`, to the client at `place`.
    pub(super) fn new(body: Full<Bytes>, place: Arc<Place>) -> Self {
        Self { body, rest: Bytes::new(), place }
    }
}

impl Body for Leaving {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => self.rest = frame.into_data().unwrap_or_default(),
                end => return Poll::Ready(end),
            }
        }
        // Asked for once there is room for it, since the client has taken what was sent before.
        self.place.took();
        let length = self.rest.len().min(PIECE);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(length)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.rest.len() as u64;
        SizeHint::with_exact(rest + self.body.size_hint().exact().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use std::net::{IpAddr, Ipv4Addr};
    use std::task::Waker;

    use super::*;
    use crate::server::Connections;

    #[test]
    fn each_piece_that_is_taken_is_a_sign_of_life() {
        let connections = Arc::new(Connections::new(2));
        let place = Arc::new(connections.admit(IpAddr::V4(Ipv4Addr::LOCALHOST), 2));
        let octets: Vec<u8> = (0..1_000_000_u32).map(|number| number as u8).collect();
        let mut body = Leaving::new(Full::new(Bytes::from(octets.clone())), place.clone());
        let (mut taken, mut alive) = (Vec::new(), place.waiting_since().unwrap());
        while !body.is_end_stream() {
            assert_eq!(body.size_hint().exact(), Some((octets.len() - taken.len()) as u64));
            let frame = Pin::new(&mut body).poll_frame(&mut Context::from_waker(Waker::noop()));
            let Poll::Ready(Some(Ok(frame))) = frame else { panic!("a piece") };
            let piece = frame.into_data().unwrap();
            assert!(piece.len() <= PIECE);
            taken.extend_from_slice(&piece);
            let since = place.waiting_since().unwrap();
            assert!(since > alive);
            alive = since;
        }
        assert!(taken == octets);
    }
}
