//! What the core needs from the world, for shells that like to be driven.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::fmt;
use core::future::Future;
use core::pin::Pin;

use crate::{
    Claimed, Entry, Evidence, Generated, Intent, Issuance, KeyRefusal, KeyWish, Order, PortError, UnixTime, Verdict,
};

/// A boxed answer: dyn-compatible, runtime-free.
pub type PortFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, PortError>> + Send + 'a>>;

/// Authenticates a peer.
pub trait Authenticator: Send + Sync {
    /// Tells whose evidence this is at this time.
    fn authenticate<'a>(&'a self, evidence: &'a Evidence, now: UnixTime) -> PortFuture<'a, Verdict>;
}

/// Issues certificates.
pub trait CaBackend: Send + Sync {
    /// Issues exactly what `order` says.
    ///
    /// # Errors
    /// [`PortError`] when it is not known whether a certificate was issued, or when none could be for now.
    fn issue<'a>(&'a self, order: &'a Order) -> PortFuture<'a, Issuance>;
}

/// Remembers enrollments.
pub trait Store: Send + Sync {
    /// Reserves a serial number, consumes a one-time password and remembers the intent, in one transaction and once
    /// per [`Identity`](crate::Identity).
    ///
    /// Waits, for a bounded time, while somebody else holds the claim.
    fn claim<'a>(&'a self, intent: &'a Intent) -> PortFuture<'a, Claimed>;

    /// Remembers the outcome, closes the claim and writes the audit events, in one transaction; durable on return.
    ///
    /// # Errors
    /// [`PortError`] when that was not possible, or when the lease had run out and somebody else took over.
    fn record<'a>(&'a self, entry: &'a Entry) -> PortFuture<'a, ()>;
}

/// Generates keys for others (RFC 7030 §4.4).
pub trait KeyGenerator: Send + Sync {
    /// Generates a key, and encrypts it where that is wished.
    ///
    /// # Errors
    /// [`PortError`] when no key could be made for now.
    fn generate<'a>(&'a self, wish: &'a KeyWish) -> PortFuture<'a, Generated>;
}

/// Generates no keys: for a server without `/serverkeygen`.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoKeyGenerator;

impl KeyGenerator for NoKeyGenerator {
    fn generate<'a>(&'a self, _: &'a KeyWish) -> PortFuture<'a, Generated> {
        Box::pin(async { Ok(Generated::Refused(KeyRefusal::KeyTypeNotOffered)) })
    }
}

/// The ports of a server.
#[derive(Clone)]
pub struct Ports {
    /// Who asks.
    pub authenticator: Arc<dyn Authenticator>,
    /// Who issues.
    pub ca: Arc<dyn CaBackend>,
    /// Who generates keys.
    pub keys: Arc<dyn KeyGenerator>,
    /// Who remembers.
    pub store: Arc<dyn Store>,
}

impl fmt::Debug for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ports").finish_non_exhaustive()
    }
}
