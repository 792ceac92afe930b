//! What the core needs from the world, for shells that like to be driven.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::future::Future;
use core::pin::Pin;

use crate::{Claimed, Entry, Evidence, Intent, Issuance, Order, PortError, UnixTime, Verdict};

/// A boxed answer: dyn-compatible, runtime-free.
pub type PortFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, PortError>> + Send + 'a>>;

/// Decides who a peer is.
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

/// The three ports of a server.
#[derive(Clone)]
pub struct Ports {
    /// Who asks.
    pub authenticator: Arc<dyn Authenticator>,
    /// Who issues.
    pub ca: Arc<dyn CaBackend>,
    /// Who remembers.
    pub store: Arc<dyn Store>,
}
