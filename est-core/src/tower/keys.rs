//! Keys for clients that wait for them.

use alloc::boxed::Box;
use alloc::sync::{Arc, Weak};

use crate::{Generated, KeyGenerator, KeyWish, PortError, PortFuture};

/// Makes keys for a client that waits for its answer. A key is kept nowhere: one that nobody takes ends the exchange before
/// anything is issued for it, so that the client gets another when it asks again.
pub(super) struct KeysWhileAwaited {
    keys: Arc<dyn KeyGenerator>,
    client: Weak<()>,
}

impl KeysWhileAwaited {
    /// The client waits for as long as `client` is there.
    pub(super) fn of(keys: Arc<dyn KeyGenerator>, client: &Arc<()>) -> Self {
        Self { keys, client: Arc::downgrade(client) }
    }
}

impl KeyGenerator for KeysWhileAwaited {
    fn generate<'a>(&'a self, wish: &'a KeyWish) -> PortFuture<'a, Generated> {
        Box::pin(async move {
            let generated = self.keys.generate(wish).await?;
            if self.client.strong_count() == 0 {
                return Err(PortError("nobody waits for the key any more".into()));
            }
            Ok(generated)
        })
    }
}
