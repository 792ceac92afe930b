//! A database server, and how a connection to it is had.

use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout_at};

use crate::session::Session;
use crate::url::Address;
use crate::{DatabaseUrl, Options, StoreError};

/// How long what a client of EST waits for may take, a connection included: beyond it the network, or the server, is
/// taken for gone.
pub(crate) const REQUEST: Duration = Duration::from_secs(10);

/// The same for what reads many rows, for operators.
pub(crate) const LISTING: Duration = Duration::from_secs(45);

/// The same for many pieces that share a transaction.
pub(crate) const BATCH: Duration = Duration::from_secs(20);

/// How long a commit may take, after all that.
const COMMIT: Duration = Duration::from_secs(10);

/// How long to wait before the second try to connect; twice as long before the next, and so on up to `LONGEST_PAUSE`.
const PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A database server.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) address: Address,
    /// How long to try to connect.
    pub(crate) connect_timeout: Duration,
}

impl Server {
    pub(crate) fn new(address: &Address, options: &Options) -> Self {
        Self { address: address.clone(), connect_timeout: options.connect_timeout }
    }

    /// Connects, and tries again while the server cannot be reached and there is time.
    ///
    /// # Errors
    /// [`StoreError::Unreachable`] when there is no answer in time, or the server's reason.
    pub(crate) async fn connect(&self) -> Result<Session, StoreError> {
        let deadline = Instant::now() + self.connect_timeout;
        let mut pause = PAUSE;
        loop {
            let error = match timeout_at(deadline, self.try_to_connect()).await {
                Ok(Err(StoreError::Unreachable(why))) => why,
                Ok(answer) => return answer,
                Err(_) => format!("it did not answer within {} ms", self.connect_timeout.as_millis()),
            };
            let next = Instant::now() + pause;
            if next >= deadline {
                return Err(StoreError::Unreachable(format!("{}: {error}", self.name())));
            }
            sleep_until(next).await;
            pause = LONGEST_PAUSE.min(pause * 2);
        }
    }

    async fn try_to_connect(&self) -> Result<Session, StoreError> {
        match self.address.product {
            #[cfg(feature = "postgres")]
            crate::url::Product::Postgres => {
                crate::connection::postgres::connect(&self.address).await.map(Session::new)
            }
            #[cfg(feature = "mariadb")]
            crate::url::Product::Mariadb => crate::connection::mariadb::connect(&self.address).await.map(Session::new),
            #[cfg(not(all(feature = "postgres", feature = "mariadb")))]
            _ => Err(StoreError::Database("this program was built without that database".into())),
        }
    }

    /// What it is called in messages.
    pub(crate) fn name(&self) -> String {
        DatabaseUrl::from(self.address.clone()).to_string()
    }
}

/// Waits for an answer until `deadline`. A session that did not answer is not to be used again.
pub(crate) async fn until<T>(
    deadline: Instant,
    answer: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let late = || StoreError::Unreachable("it did not answer in time".into());
    timeout_at(deadline, answer).await.unwrap_or_else(|_| Err(late()))
}

/// Waits for the answer to a commit.
pub(crate) async fn committed(answer: impl Future<Output = Result<(), StoreError>>) -> Result<(), StoreError> {
    until(Instant::now() + COMMIT, answer).await
}

/// Runs a future to its end on this thread, from inside a runtime too.
pub(crate) fn blocking<T: Send>(future: impl Future<Output = Result<T, StoreError>> + Send) -> Result<T, StoreError> {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_err(|error| StoreError::Database(Box::new(error)))?.block_on(future)
    };
    let ended = std::thread::scope(|scope| scope.spawn(run).join());
    ended.unwrap_or_else(|_| Err(StoreError::Database("the work panicked".into())))
}
