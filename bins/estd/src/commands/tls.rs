//! `estd tls`.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use est_backends::{FileSigner, Signer as _};
use est_core::pkix::{Certificate, SubjectPublicKeyInfo};
use host::config::{Settings, TlsCertificate};
use host::own_certificates::{self, OwnCertificate};
use host::{shell, wiring};
use zeroize::Zeroizing;

use crate::cli::{Tls, TlsRenew};
use crate::file;
use crate::output;
use crate::tls::renewal;

pub(crate) async fn run(command: Tls) -> Result<()> {
    let Tls::Renew(options) = command;
    renew(&options).await
}

/// Renews the server's own certificates that its own CAs issued; needs no server that runs.
async fn renew(options: &TlsRenew) -> Result<()> {
    let settings = super::settings(&options.config.config)?;
    let own = own_certificates::of_settings(&settings);
    let others = settings.tls.certificates.iter().chain(&settings.admin.certificate);
    let others = others.filter(|other| own.iter().all(|own| own.certificate.path != other.path));
    let issuer = |certificate: &TlsCertificate| {
        certificate.chain.first().map(|leaf| leaf.issuer().to_string()).unwrap_or_default()
    };
    let others: Vec<_> = others
        .map(|other| {
            format!("{} is from {}, which is no [[ca]] here: renew it there", other.path.display(), issuer(other))
        })
        .collect();
    if own.is_empty() {
        bail!("{}", others.join("; "));
    }
    for own in &own {
        renew_one(&settings, own, options.new_key).await?;
    }
    others.iter().try_for_each(output::line)?;
    Ok(output::line("now reload the server: systemctl reload estd")?)
}

async fn renew_one(settings: &Settings, own: &OwnCertificate<'_>, wants_new_key: bool) -> Result<()> {
    let TlsCertificate { path, chain, .. } = own.certificate;
    finish(own.certificate)?;
    let new_key = wants_new_key.then(|| new_key(own.certificate)).transpose()?;
    let public_key = new_key.as_ref().map(|(public, _)| public);
    let made = own.renew(public_key, shell::now()).await?;
    // Before the first start nothing is written down: the audit trail is in the database.
    if settings.db.url.file().is_none_or(Path::exists) {
        let store = super::open_as_it_is(settings)?;
        renewal::record(own, &made[0], &store, Some(&super::actor())).await?;
        store.close().await;
    }
    let text = own_certificates::to_pem(&made);
    match &new_key {
        None => file::replace_like(path, text.as_bytes())?,
        Some((_, pem)) => replace_both(own.certificate, pem, &text)?,
    }
    let names = made[0].subject_alt_name().map(ToString::to_string).unwrap_or_default();
    let until = made[0].not_after();
    Ok(output::line(format!("renewed {} for {names}, until {until} (before: {})", path.display(), end(chain)))?)
}

/// Replaces a certificate and its key. No file system does both at once, so the key waits beside the old one until its
/// certificate is in place. A server that starts in between uses the key that fits the certificate.
fn replace_both(old: &TlsCertificate, key: &str, chain: &str) -> Result<()> {
    let waiting = wiring::new_key_file(&old.key.path);
    file::write_like(&old.key.path, &waiting, key.as_bytes())?;
    #[cfg(feature = "fault-points")]
    host::fault::pass("tls:key-waits");
    file::replace_like(&old.path, chain.as_bytes())?;
    #[cfg(feature = "fault-points")]
    host::fault::pass("tls:certificate");
    file::rename(&waiting, &old.key.path)
        .with_context(|| format!("{} is renewed, and its key is in {}", old.path.display(), waiting.display()))?;
    #[cfg(feature = "fault-points")]
    host::fault::pass("tls:key");
    Ok(())
}

/// Puts the key in place that an interrupted renewal has left beside it.
fn finish(certificate: &TlsCertificate) -> Result<()> {
    let holds = wiring::tls_key_file(certificate);
    if holds == certificate.key.path { Ok(()) } else { file::rename(&holds, &certificate.key.path) }
}

fn end(chain: &[Certificate]) -> String {
    chain.first().map(|leaf| leaf.not_after().to_string()).unwrap_or_default()
}

/// A key of the type that the certificate's has, and its PEM.
fn new_key(certificate: &TlsCertificate) -> Result<(SubjectPublicKeyInfo, Zeroizing<String>)> {
    if certificate.key.passphrase.is_some() {
        bail!(
            "--new-key: {} is encrypted, and a new key would not be: make one with openssl, or renew without --new-key",
            certificate.key.path.display()
        );
    }
    let leaf = certificate.chain.first().context("the certificate file is empty")?;
    let key_type = SubjectPublicKeyInfo::parse(leaf.public_key_der())?.key_type();
    let (signer, pem) = FileSigner::generate(key_type).context("--new-key")?;
    Ok((signer.public_key().clone(), pem))
}
