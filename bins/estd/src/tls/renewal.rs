//! The renewal of the server's own certificates: recorded, then in its file.

use anyhow::{Context as _, Result, ensure};
use est_core::UnixTime;
use est_core::pkix::Certificate;
use est_store::{Actor, CaEvent, CaNote, Database};
use host::own_certificates::{self, OwnCertificate};
use tracing::{info, warn};

use crate::file;

/// Renews a certificate for the key that it has, on the server's own behalf, and returns the chain to show. One that
/// somebody else has put into the file meanwhile is taken instead: servers that share the file renew it once.
///
/// A file that cannot be written, since the server may not, keeps what it has; then the chain is shown until the server
/// ends.
pub(crate) async fn renew(own: &OwnCertificate<'_>, now: UnixTime, store: &Database) -> Result<Vec<Certificate>> {
    let path = &own.certificate.path;
    if let Some(chain) = own.replaced() {
        info!(file = %path.display(), not_after = %chain[0].not_after(), "a certificate was renewed by another process");
        return Ok(chain);
    }
    // Written for the key of before, it would be half of a pair.
    ensure!(!own.has_another_key(), "{} holds a certificate for another key: reload the server", path.display());
    let chain = own.renew(None, now).await?;
    record(own, &chain[0], store, None).await?;
    match file::replace_like(path, own_certificates::to_pem(&chain).as_bytes()) {
        Ok(()) => info!(file = %path.display(), not_after = %chain[0].not_after(), "a certificate was renewed"),
        Err(error) => warn!(
            error = format!("{error:#}"),
            not_after = %chain[0].not_after(),
            "a certificate was renewed, and is shown until the server ends: run `estd tls renew` as a user that may write \
             its file"
        ),
    }
    Ok(chain)
}

/// Writes down that a certificate was made, before anybody sees it.
pub(crate) async fn record(
    own: &OwnCertificate<'_>,
    made: &Certificate,
    store: &Database,
    actor: Option<&Actor>,
) -> Result<()> {
    let note = CaNote {
        ca: own.ca.id.clone(),
        event: CaEvent::TlsRenewed,
        certificate: Some(made.clone()),
        reason: own_certificates::told(&own.certificate.path, made),
    };
    store.note_cas(vec![note], actor).await.context("the renewal cannot be recorded")
}
