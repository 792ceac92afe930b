//! `estd tls`.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use est_backends::{FileSigner, Signer as _};
use est_core::pkix::{Certificate, SubjectPublicKeyInfo};
use host::config::{Settings, TlsCertificate};
use host::own_certificates::{self, OwnCertificate};
use host::shell;
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
    let TlsCertificate { path, chain, key } = own.certificate;
    let new_key = wants_new_key.then(|| new_key(own.certificate)).transpose()?;
    let public_key = new_key.as_ref().map(|(public, _)| public);
    let made = own.renew(public_key, shell::now()).await?;
    // Where there is no database yet, there is no trail.
    if settings.db.url.file().is_none_or(Path::exists) {
        let store = super::open_as_it_is(settings)?;
        renewal::record(own, &made[0], &store, Some(&super::actor())).await?;
        store.close().await;
    }
    let text = own_certificates::to_pem(&made);
    match &new_key {
        None => file::replace_like(path, text.as_bytes())?,
        Some((_, pem)) => {
            let before = Zeroizing::new(fs::read(&key.path).with_context(|| key.path.display().to_string())?);
            file::replace_like(&key.path, pem.as_bytes())?;
            // The two belong together: one alone would keep the server from starting.
            file::replace_like(path, text.as_bytes()).inspect_err(|_| drop(file::replace_like(&key.path, &before)))?;
        }
    }
    let names = made[0].subject_alt_name().map(ToString::to_string).unwrap_or_default();
    let until = made[0].not_after();
    Ok(output::line(format!("renewed {} for {names}, until {until} (before: {})", path.display(), end(chain)))?)
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
    let leaf = certificate.chain.first().context("there is no certificate")?;
    let key_type = SubjectPublicKeyInfo::parse(leaf.public_key_der())?.key_type();
    let (signer, pem) = FileSigner::generate(key_type).context("--new-key")?;
    Ok((signer.public_key().clone(), pem))
}
