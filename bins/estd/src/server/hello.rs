//! What the ServerHello says of a connection. The TLS library knows it, too, and does not tell; but the message goes to the
//! client in clear.
//!
//! - Whether TLS 1.2 has the extended master secret (RFC 7627). Only then is the connection's exporter its own: without,
//!   somebody in the middle can bring two connections to the same master secret (RFC 9266 §4.2).
//! - Whether a client of TLS 1.3 runs without middlebox compatibility (RFC 8446 §D.4), which shows in a session id that is
//!   empty. That is wolfSSL as it is built by default, which reads no ticket of rustls: it takes nonces of 8 octets, where
//!   RFC 8446 §4.6.1 allows 255 and rustls sends 32. It fails with the first answer (error -425), so it gets no ticket.

use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::tls::sessions;

/// A ServerHello of TLS 1.2 with everything that this server puts there is shorter.
const MAX_OCTETS: usize = 512;

/// A stream that keeps the first octets that were written to it, until they are looked at after the handshake.
pub(super) struct Overheard<S> {
    stream: S,
    first: Option<Vec<u8>>,
}

impl<S> Overheard<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, first: Some(Vec::new()) }
    }

    /// Whether a ServerHello was written that agrees to the extended master secret. Forgets what was written.
    pub(super) fn takes_extended_master_secret(&mut self) -> bool {
        let first = self.first.take().unwrap_or_default();
        Hello::read(&first).is_some_and(|hello| hello.has(EXTENDED_MASTER_SECRET))
    }

    fn keep<'a>(&mut self, written: impl Iterator<Item = &'a [u8]>) {
        if let Some(first) = &mut self.first {
            let room = MAX_OCTETS - first.len();
            first.extend(written.flatten().take(room));
            if Hello::read(first).is_some_and(|hello| hello.session_id.is_empty() && hello.has(SUPPORTED_VERSIONS)) {
                sessions::spare_ticket();
            }
        }
    }
}

const EXTENDED_MASTER_SECRET: [u8; 2] = [0, 23];
/// Only TLS 1.3 has it in a ServerHello.
const SUPPORTED_VERSIONS: [u8; 2] = [0, 43];

/// A ServerHello.
struct Hello<'a> {
    session_id: &'a [u8],
    extensions: &'a [u8],
}

impl<'a> Hello<'a> {
    /// Walks through the record and the handshake message (RFC 5246 §6.2.1, §7.4.1.3); `None` until all of it is there.
    fn read(octets: &'a [u8]) -> Option<Self> {
        const HANDSHAKE: u8 = 22;
        const SERVER_HELLO: u8 = 2;
        /// The heads of the record and of the message, the version, the random.
        const FIXED: usize = 5 + 4 + 2 + 32;
        let (fixed, rest) = octets.split_at_checked(FIXED).filter(|(fixed, _)| fixed[0] == HANDSHAKE)?;
        let (session_id_length, rest) = rest.split_first().filter(|_| fixed[5] == SERVER_HELLO)?;
        let (session_id, rest) = rest.split_at_checked(usize::from(*session_id_length))?;
        // The cipher suite, and the compression that there is none.
        let (length, rest) = rest.get(3..)?.split_first_chunk()?;
        Some(Self { session_id, extensions: rest.get(..usize::from(u16::from_be_bytes(*length)))? })
    }

    fn has(&self, wanted: [u8; 2]) -> bool {
        let mut rest = self.extensions;
        while let Some((id, after)) = rest.split_first_chunk::<2>() {
            if *id == wanted {
                return true;
            }
            let next = after.split_first_chunk::<2>();
            rest = next
                .and_then(|(length, after)| after.get(usize::from(u16::from_be_bytes(*length))..))
                .unwrap_or_default();
        }
        false
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Overheard<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Overheard<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, octets: &[u8]) -> Poll<Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, octets))?;
        self.keep([&octets[..written]].into_iter());
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(context, slices))?;
        if self.first.is_some() {
            let mut left = written;
            self.keep(slices.iter().map(|slice| {
                let octets = &slice[..left.min(slice.len())];
                left -= octets.len();
                octets
            }));
        }
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ServerHello in its record, with a session id and these extensions.
    fn server_hello(extensions: &[u8]) -> Vec<u8> {
        let mut hello = vec![22, 3, 3, 0, 0, 2, 0, 0, 0, 3, 3];
        hello.extend([7; 32]);
        hello.push(32);
        hello.extend([8; 32]);
        hello.extend([0xc0, 0x2b, 0]);
        hello.extend(u16::try_from(extensions.len()).expect("short").to_be_bytes());
        hello.extend(extensions);
        hello
    }

    fn is_extended(octets: &[u8]) -> bool {
        Hello::read(octets).is_some_and(|hello| hello.has(EXTENDED_MASTER_SECRET))
    }

    #[test]
    fn finds_the_extension_wherever_it_stands() {
        const RENEGOTIATION: &[u8] = b"\xff\x01\x00\x01\x00";
        const EXTENDED: &[u8] = b"\x00\x17\x00\x00";
        // Neither another extension's contents nor what follows the message counts.
        const LIAR: &[u8] = b"\x00\x10\x00\x04\x00\x17\x00\x00";
        for extensions in [EXTENDED.to_vec(), [RENEGOTIATION, EXTENDED].concat(), [LIAR, EXTENDED].concat()] {
            let hello = server_hello(&extensions);
            assert!(is_extended(&hello));
            for end in 0..hello.len() {
                assert!(!is_extended(&hello[..end]), "{end}");
            }
        }
        for extensions in [&[][..], RENEGOTIATION, LIAR] {
            assert!(!is_extended(&[&server_hello(extensions), EXTENDED].concat()));
        }
        let mut alert = server_hello(EXTENDED);
        alert[0] = 21;
        assert!(!is_extended(&alert));
    }
}
