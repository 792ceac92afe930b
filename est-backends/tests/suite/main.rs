//! What other implementations make, read; what we make, read by other implementations.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic, and says what it skips")]

mod authority;
mod cms_cryptography;
mod cms_openssl;
mod crl;
mod cryptography;
mod csr;
mod key_file;
mod key_generation;
mod local_ca;
mod ml_dsa;
mod pki;
mod rollover;
mod wycheproof;

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// Runs a future that never waits: without a runtime nothing of ours does.
fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}
