//! `estd certs import`: what another server of the same CA has issued and revoked.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use est_core::pkix::{Certificate, IssuedCrl, IssuedCrlError};
use est_store::{Import, Imported, ImportedCrl};
use host::config;
use serde_json::json;

use super::super::{Opened, actor, ca, count, run as server};
use crate::cli::CertsImport;
use crate::file;
use crate::output;

/// Reads everything first: one file with a mistake, and nothing is imported.
pub(crate) async fn run(options: &CertsImport) -> Result<()> {
    let Opened { settings, store } = Opened::open_or_make(&options.config.config).await?;
    server::tell_store(&settings, &store).await?;
    let ca = ca::find(&settings.cas, options.ca.as_deref())?;
    let keys = keys(ca);
    let mut by_key: Vec<Vec<Certificate>> = vec![Vec::new(); keys.len()];
    for path in files(&options.files)? {
        for (index, certificate) in file::certificates(&path)?.into_iter().enumerate() {
            let issuer = keys.iter().position(|key| certificate.is_issued_by(key, est_backends::algorithms()));
            let Some(issuer) = issuer else {
                bail!(
                    "{}: certificate {}, {} with the serial number {}, is of {}, and not of CA `{}`: nothing was imported",
                    path.display(),
                    index + 1,
                    certificate.subject(),
                    certificate.serial_text(),
                    certificate.issuer(),
                    ca.id
                );
            };
            by_key[issuer].push(certificate);
        }
    }
    let crls = options.crls.iter().map(|file| crl(file, &keys, ca)).collect::<Result<Vec<_>>>()?;

    let mut imported = Imported::default();
    let authority = |key: &Certificate| store.authority_of(&ca.id, &key.key_digest());
    for (key, certificates) in std::iter::zip(&keys, by_key) {
        let import = Import { ca: ca.id.clone(), authority: authority(key), certificates };
        imported += store.import(&import, &actor()).await?;
    }
    for (key, crl, der) in crls {
        let crl = ImportedCrl { ca: ca.id.clone(), authority: authority(key), crl, der };
        imported += store.import_crl(&crl, &actor()).await?;
    }
    store.close().await;
    let Imported { added, known, revoked, listed } = imported;
    if options.output.json {
        let told = json!({ "ca_id": ca.id, "added": added, "known": known, "revoked": revoked, "listed": listed });
        return Ok(output::json(&told)?);
    }
    let number = |number: u64, what: &str| count(usize::try_from(number).unwrap_or(usize::MAX), what);
    output::line(format!("{} added, {known} known before, {revoked} revoked", number(added, "certificate")))?;
    if listed > 0 {
        output::line(format!(
            "{} of the CRL are of certificates that are not in the inventory: they stay on the CRL for ever, unless the \
             certificates are imported",
            number(listed, "serial number")
        ))?;
    }
    Ok(())
}

/// The certificates of the keys of a CA.
fn keys(ca: &config::Ca) -> Vec<Certificate> {
    let mut keys = vec![ca.certificate.clone()];
    for other in ca.rollover.iter().filter(|other| other.subject() == ca.certificate.subject()) {
        if keys.iter().all(|known| known.public_key_der() != other.public_key_der()) {
            keys.push(other.clone());
        }
    }
    keys
}

/// The files, and those in the folders, in the order of their names.
fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let within = fs::read_dir(path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut within = within.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
        within.retain(|file| file.is_file() && file.file_name().is_none_or(|name| name.as_encoded_bytes()[0] != b'.'));
        within.sort();
        files.extend(within);
    }
    Ok(files)
}

/// The CRL in a file, and the key that signed it.
fn crl<'a>(path: &Path, keys: &'a [Certificate], ca: &config::Ca) -> Result<(&'a Certificate, IssuedCrl, Vec<u8>)> {
    let [der] = <[Vec<u8>; 1]>::try_from(file::blocks(path, "X509 CRL")?)
        .map_err(|_| anyhow::anyhow!("{} has more than one CRL: give each in a file", path.display()))?;
    let mut why = IssuedCrlError::Malformed;
    for key in keys {
        match IssuedCrl::parse(&der, key, est_backends::algorithms()) {
            Ok(crl) => return Ok((key, crl, der)),
            Err(error) => why = error,
        }
    }
    bail!("{}: the CRL is {why} (`{}`)", path.display(), ca.id)
}
