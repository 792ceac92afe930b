//! Several CAs behind one port.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use est_core::{CaBackend, Issuance, Order, PortError, PortFuture};

/// Asks, for each order, the backend of the CA that it is for.
#[derive(Clone, Default)]
pub struct Cas(BTreeMap<String, Arc<dyn CaBackend>>);

impl fmt::Debug for Cas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cas").field(&self.0.keys()).finish()
    }
}

impl Cas {
    /// Knows no CA yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the backend of the CA with this id; an earlier one of that id gives way.
    #[must_use]
    pub fn with(mut self, id: impl Into<String>, backend: Arc<dyn CaBackend>) -> Self {
        self.0.insert(id.into(), backend);
        self
    }
}

impl FromIterator<(String, Arc<dyn CaBackend>)> for Cas {
    fn from_iter<T: IntoIterator<Item = (String, Arc<dyn CaBackend>)>>(backends: T) -> Self {
        Self(backends.into_iter().collect())
    }
}

impl CaBackend for Cas {
    fn issue<'a>(&'a self, order: &'a Order) -> PortFuture<'a, Issuance> {
        match self.0.get(&order.ca.id) {
            Some(backend) => backend.issue(order),
            None => Box::pin(async { Err(PortError(format!("no backend issues for CA `{}`", order.ca.id))) }),
        }
    }
}
