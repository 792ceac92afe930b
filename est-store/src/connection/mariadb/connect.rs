//! How a connection to MariaDB begins.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, DriverError, Error, OptsBuilder, SslOpts};

use super::{Mariadb, told};
use crate::StoreError;
use crate::connection::patience::{ANSWER_SECS, KEEPALIVE, LOCK_SECS};
use crate::url::{Address, Host, Tls};

/// Connects, and sees to it that neither side waits for the other for ever.
pub(crate) async fn connect(address: &Address) -> Result<Mariadb, StoreError> {
    let encrypted = options(address).ssl_opts(encryption(&address.tls));
    let connection = match Conn::new(encrypted).await {
        Err(Error::Driver(DriverError::NoClientSslFlagFromServer)) if address.tls == Tls::Prefer => {
            Conn::new(options(address)).await
        }
        connection => connection,
    };
    let mut connection = connection.map_err(told)?;
    let session = format!(
        "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO', \
         innodb_lock_wait_timeout = {LOCK_SECS}, max_statement_time = {ANSWER_SECS}, \
         idle_transaction_timeout = {ANSWER_SECS}, autocommit = 1"
    );
    let names = "SET NAMES utf8mb4 COLLATE utf8mb4_nopad_bin";
    let isolation = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";
    for statement in [names, isolation, &session] {
        connection.query_drop(statement).await.map_err(told)?;
    }
    Ok(Mariadb::new(connection))
}

fn options(address: &Address) -> OptsBuilder {
    let options = match &address.host {
        Host::Name(name) => OptsBuilder::default().ip_or_hostname(name).tcp_port(address.port).prefer_socket(false),
        Host::Socket(file) => OptsBuilder::default().socket(Some(file.display().to_string())),
    };
    options
        .user(Some(&address.user))
        .pass(address.password.as_ref().map(|password| password.reveal()))
        .db_name(Some(&address.database))
        .tcp_keepalive(Some(KEEPALIVE))
        // An UPDATE that meets a row counts it, whether or not it says something new.
        .client_found_rows(true)
        .stmt_cache_size(128)
}

fn encryption(tls: &Tls) -> Option<SslOpts> {
    let (file, name) = match tls {
        Tls::Disable => return None,
        Tls::Prefer | Tls::Require => {
            return Some(SslOpts::default().with_danger_accept_invalid_certs(true));
        }
        Tls::VerifyCa(file) => (file, false),
        Tls::VerifyFull(file) => (file, true),
    };
    let options = SslOpts::default().with_root_certs(vec![file.clone().into()]).with_disable_built_in_roots(true);
    Some(options.with_danger_skip_domain_validation(!name))
}
