//! `estd dev`: from nothing to serving.

use std::net::TcpListener;
use std::path::Path;

use anyhow::{Context as _, Result};
use est_core::Seconds;
use est_core::pkix::{Certificate, pem};
use est_store::Database;
use host::config::Settings;
use host::otp::{self, Request};
use host::shell;

use super::actor;
use super::init::{ADMIN_TOKEN, CA, CONFIG, FirstRun};
use super::run::{self, Bound, Hangup, Listen};
use crate::cli::Dev;
use crate::output;

/// Makes what is missing in the folder, and reads the configuration there. Where nothing can listen, nothing is made.
pub(crate) async fn prepare(options: &Dev) -> Result<Settings> {
    for (address, option) in [(options.listen, "--listen"), (options.admin_listen, "--admin-listen")] {
        TcpListener::bind(address)
            .with_context(|| format!("cannot listen on {address}: choose another port with {option} 127.0.0.1:PORT"))?;
    }
    let dir = options.dir.as_path();
    let config = dir.join(CONFIG);
    if !config.exists() {
        FirstRun::for_development(dir)?.make(shell::now()).await?;
    }
    super::settings_to_serve(&config)
}

/// Serves, and tells how to enroll.
pub(crate) async fn serve(settings: Settings, options: &Dev) -> Result<()> {
    let listen = Listen { est: options.listen, admin: options.admin_listen };
    run::serve(settings.clone(), &options.dir.join(CONFIG), listen, Hangup::End, async |bound, store| {
        tell(&settings, &options.dir, bound, store).await
    })
    .await
}

async fn tell(settings: &Settings, dir: &Path, bound: Bound, store: &Database) -> Result<()> {
    let for_a_day = || Request { ttl: Some(Seconds::from_days(1)), uses: Some(1), ..Request::default() };
    let for_est = otp::create(settings, store, for_a_day(), &actor()).await?;
    let for_curl = otp::create(settings, store, for_a_day(), &actor()).await?;
    let ca = dir.join(CA);
    let fingerprint = fingerprint(&ca)?;
    let (ca, port) = (output::path(&ca), bound.est.port());
    let (config, url) = (output::path(&dir.join(CONFIG)), format!("https://localhost:{port}"));
    run::tell(bound);
    let admin = bound.admin.map_or(String::new(), |admin| {
        format!(
            "The operator's page: https://localhost:{}/ with the token in {}\n",
            admin.port(),
            dir.join(ADMIN_TOKEN).display()
        )
    });
    output::line(format!(
        r#"
Ohia, for development: everything lies in {folder}
The CA's SHA-256 fingerprint is {fingerprint}

Enroll with est (cargo run --release --bin est -- …):

  EST_PASSWORD={password} est enroll --server {url} --cacert {ca} --user device-1 \
      --subject CN=device-1 --san DNS:device-1.example --key-out device-1.key --out device-1.pem

or with OpenSSL and curl:

  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout device-2.key \
      -subj /CN=device-2 -addext subjectAltName=DNS:device-2.example -outform DER | openssl base64 -out device-2.csr
  curl -fsS --cacert {ca} --user device-2:{other} -H 'Content-Type: application/pkcs10' \
      --data-binary @device-2.csr {url}/.well-known/est/simpleenroll |
      openssl base64 -d -A | openssl pkcs7 -inform DER -print_certs -out device-2.pem

and renew with the certificate that you got:

  est reenroll --server {url} --cacert {ca} --cert device-1.pem --key device-1.key

Each password is good for one request within a day. More of them: estd otp create --config {config}
{admin}Stop with Ctrl-C."#,
        folder = dir.display(),
        password = for_est.clear.reveal(),
        other = for_curl.clear.reveal(),
    ))?;
    Ok(())
}

fn fingerprint(ca: &Path) -> Result<String> {
    let text = std::fs::read_to_string(ca).with_context(|| format!("cannot read {}", ca.display()))?;
    let blocks = pem::decode(&text).unwrap_or_default();
    let block = blocks.first().with_context(|| format!("{} holds no certificate", ca.display()))?;
    Ok(Certificate::parse(&block.contents)?.fingerprint().to_string())
}
