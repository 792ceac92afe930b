//! `estd crl`.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use est_core::pkix::pem;
use host::wiring::{self, CaKey};
use host::{config, crl_publisher, shell};
use serde_json::json;

use super::{Opened, actor, ca, run as server};
use crate::cli::Crl;
use crate::output;

/// Prints the last CRL of a CA, or writes it to a file; makes the next one first if that is wanted.
pub(crate) async fn run(options: &Crl) -> Result<()> {
    let Opened { settings, store } = Opened::open(&options.config.config)?;
    server::tell_store(&settings, &store).await?;
    let ca = ca::find(&settings.cas, options.ca.as_deref())?;
    let keys = wiring::crl_keys(ca)?;
    let chosen = chosen(ca, &keys, options.key.as_deref())?;
    if options.renew {
        let rules = ca.crls.ok_or_else(|| crl_publisher::CrlError::NotWanted { ca: ca.id.clone() })?;
        let validity = options.valid_for.unwrap_or(rules.validity);
        // Where a key is named, its CRL alone.
        for own in keys.iter().filter(|own| options.key.is_none() || own.certificate == chosen.certificate) {
            // If another process has just made the next CRL, that one counts.
            crl_publisher::renew(&store, ca, own, validity, shell::now(), Some(&actor())).await?;
        }
    }
    let Some(crl) = store.crl(&store.authority_of(&ca.id, &chosen.certificate.key_digest())).await? else {
        bail!("CA `{}` has no CRL yet: `estd run` makes it, or `estd crl --renew`", ca.id);
    };
    let key = config::Ca::key_id(&chosen.certificate);
    store.close().await;
    let text = pem::encode("X509 CRL", &crl.der);
    if let Some(file) = &options.out {
        write(file, if options.pem { text.as_bytes() } else { &crl.der })?;
        if file == Path::new("-") {
            return Ok(());
        }
    }
    let (this_update, next_update) = (crl.this_update.to_string(), crl.next_update.to_string());
    if options.output.json {
        output::json(&json!({
            "ca_id": ca.id,
            "key": key,
            "number": crl.number,
            "this_update": this_update,
            "next_update": next_update,
            "pem": text,
        }))?;
        return Ok(());
    }
    let mut fields = vec![
        ("CA", ca.id.clone()),
        ("key", key),
        ("number", crl.number.to_string()),
        ("this update", this_update),
        ("next update", next_update),
    ];
    fields.extend(options.out.iter().map(|file| ("written to", file.display().to_string())));
    output::fields(&fields)?;
    if options.out.is_none() {
        output::line(text.trim_end())?;
    }
    Ok(())
}

/// The key with this id; the one that signs, if none is named.
fn chosen<'a>(ca: &config::Ca, keys: &'a [CaKey], id: Option<&str>) -> Result<&'a CaKey> {
    let Some(id) = id else { return Ok(&keys[0]) };
    let found = keys.iter().find(|own| config::Ca::key_id(&own.certificate) == id.to_ascii_lowercase());
    found.with_context(|| {
        let known: Vec<_> = keys.iter().map(|own| config::Ca::key_id(&own.certificate)).collect();
        format!("--key {id}: CA `{}` has no such key here, but {}", ca.id, known.join(", "))
    })
}

/// Writes a file at once: its readers, for example a web server, get the old one or the new one whole.
fn write(file: &Path, octets: &[u8]) -> Result<()> {
    if file == Path::new("-") {
        return Ok(output::octets(octets)?);
    }
    crate::file::replace(file, octets)
}
