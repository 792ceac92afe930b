//! How a connection to PostgreSQL begins.

use tokio_postgres::Config;
use tokio_postgres::config::SslMode;

use super::tls::Encryption;
use super::{Postgres, told};
use crate::StoreError;
use crate::connection::patience::{ANSWER_SECS, KEEPALIVE, LOCK_SECS};
use crate::url::{Address, Host, Tls};

/// Connects, and sees to it that neither side waits for the other for ever.
pub(crate) async fn connect(address: &Address) -> Result<Postgres, StoreError> {
    let mut config = Config::new();
    match &address.host {
        Host::Name(name) => config.host(name),
        #[cfg(unix)]
        Host::Socket(folder) => config.host_path(folder),
        #[cfg(not(unix))]
        Host::Socket(_) => return Err(StoreError::Database("there are no Unix sockets here".into())),
    };
    config.port(address.port).user(&address.user).dbname(&address.database).application_name("ohia");
    if let Some(password) = &address.password {
        config.password(password.reveal());
    }
    config.ssl_mode(match address.tls {
        Tls::Disable => SslMode::Disable,
        Tls::Prefer => SslMode::Prefer,
        Tls::Require | Tls::VerifyCa(_) | Tls::VerifyFull(_) => SslMode::Require,
    });
    config.keepalives_idle(KEEPALIVE).keepalives_interval(KEEPALIVE).tcp_user_timeout(2 * KEEPALIVE);
    let (client, connection) = config.connect(Encryption::of(&address.tls)?).await.map_err(told)?;
    // It ends when the client is dropped, and the client's user gets the reason if it ends before.
    tokio::spawn(connection);
    let session = format!(
        "SET default_transaction_isolation = 'read committed'; \
         SET lock_timeout = '{LOCK_SECS}s'; \
         SET statement_timeout = '{ANSWER_SECS}s'; \
         SET idle_in_transaction_session_timeout = '{ANSWER_SECS}s'; \
         SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
    );
    client.batch_execute(&session).await.map_err(told)?;
    Ok(Postgres::new(client))
}
