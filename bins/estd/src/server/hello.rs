//! Whether a TLS 1.2 connection has the extended master secret (RFC 7627).
//!
//! Only then is its exporter its own: without, somebody in the middle can bring two connections to the same master
//! secret (RFC 9266 §4.2). The TLS library knows and does not tell. But it says so to the client, in clear, in the first
//! message that it sends.

use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A ServerHello of TLS 1.2 with everything that this server puts there is shorter.
const MAX_OCTETS: usize = 512;

/// A stream that keeps the first octets that were written to it, until they are looked at.
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
        find_extended_master_secret(&self.first.take().unwrap_or_default()).is_some()
    }

    fn keep<'a>(&mut self, written: impl Iterator<Item = &'a [u8]>) {
        if let Some(first) = &mut self.first {
            let room = MAX_OCTETS - first.len();
            first.extend(written.flatten().take(room));
        }
    }
}

/// Walks through the record, the handshake message and its extensions (RFC 5246 §6.2.1, §7.4.1.3).
fn find_extended_master_secret(octets: &[u8]) -> Option<()> {
    const HANDSHAKE: u8 = 22;
    const SERVER_HELLO: u8 = 2;
    const EXTENDED_MASTER_SECRET: [u8; 2] = [0, 23];
    /// The heads of the record and of the message, the version, the random.
    const FIXED: usize = 5 + 4 + 2 + 32;
    let (fixed, rest) = octets.split_at_checked(FIXED).filter(|(fixed, _)| fixed[0] == HANDSHAKE)?;
    let (session_id_length, rest) = rest.split_first().filter(|_| fixed[5] == SERVER_HELLO)?;
    // The session id; then the cipher suite, and the compression that there is none.
    let (length, rest) = rest.get(usize::from(*session_id_length) + 3..)?.split_first_chunk()?;
    let mut extensions = rest.get(..usize::from(u16::from_be_bytes(*length)))?;
    loop {
        let (id, rest) = extensions.split_first_chunk()?;
        if *id == EXTENDED_MASTER_SECRET {
            return Some(());
        }
        let (length, rest) = rest.split_first_chunk()?;
        extensions = rest.get(usize::from(u16::from_be_bytes(*length))..)?;
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

    #[test]
    fn finds_the_extension_wherever_it_stands() {
        const RENEGOTIATION: &[u8] = b"\xff\x01\x00\x01\x00";
        const EXTENDED: &[u8] = b"\x00\x17\x00\x00";
        // Neither another extension's contents nor what follows the message counts.
        const LIAR: &[u8] = b"\x00\x10\x00\x04\x00\x17\x00\x00";
        for extensions in [EXTENDED.to_vec(), [RENEGOTIATION, EXTENDED].concat(), [LIAR, EXTENDED].concat()] {
            let hello = server_hello(&extensions);
            assert!(find_extended_master_secret(&hello).is_some());
            for end in 0..hello.len() {
                assert!(find_extended_master_secret(&hello[..end]).is_none(), "{end}");
            }
        }
        for extensions in [&[][..], RENEGOTIATION, LIAR] {
            assert!(find_extended_master_secret(&[&server_hello(extensions), EXTENDED].concat()).is_none());
        }
        let mut alert = server_hello(EXTENDED);
        alert[0] = 21;
        assert!(find_extended_master_secret(&alert).is_none());
    }
}
