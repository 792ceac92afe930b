//! A CA of one's own behind the same exchange: here the `openssl` program signs.
//!
//! `cargo run -p examples --example backend`

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use est_core::pkix::{Certificate, CsrTemplate, GeneralName, GeneralNames, Name, assemble_csr, pem, read_certs_only};
use est_core::{
    Authenticator, Body, Ca, CaBackend, Claimed, Entry, Evidence, Intent, Issuance, NoKeyGenerator, Operation, Order,
    PortError, PortFuture, Ports, Principal, Reply, Request, Seconds, Store, UnixTime, Verdict, begin, drive,
};

/// What the profile plans: nothing that it does not give comes through.
const USAGE: &str = "keyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth,serverAuth\n";

/// Issues with `openssl x509 -req`. The core checks what comes back: other names, another key or a later end than was
/// planned are not handed out.
struct OpenSsl(PathBuf);

impl OpenSsl {
    fn run(&self, arguments: &[&str]) -> Result<Vec<u8>, PortError> {
        let output = Command::new("openssl").args(arguments).current_dir(&self.0).output();
        let output = output.map_err(|error| PortError(format!("openssl: {error}")))?;
        if output.status.success() {
            Ok(output.stdout)
        } else {
            Err(PortError(String::from_utf8_lossy(&output.stderr).into_owned()))
        }
    }

    fn sign(&self, order: &Order) -> Result<Issuance, PortError> {
        let failed = |error: std::io::Error| PortError(error.to_string());
        let names = order.csr.subject_alt_name().map(ToString::to_string).unwrap_or_default();
        let serial = order.serial.to_string().replace(':', "");
        fs::write(self.0.join("csr.der"), order.csr.as_der()).map_err(failed)?;
        fs::write(self.0.join("ext"), format!("basicConstraints=critical,CA:FALSE\nsubjectAltName={names}\n{USAGE}"))
            .map_err(failed)?;
        let request = ["x509", "-req", "-in", "csr.der", "-inform", "DER", "-CA", "ca.pem", "-CAkey", "ca.key"];
        let wanted = ["-set_serial", &format!("0x{serial}"), "-days", "89", "-extfile", "ext", "-outform", "DER"];
        self.run(&[&request[..], &wanted].concat()).map(Issuance::Issued)
    }
}

impl CaBackend for OpenSsl {
    fn issue<'a>(&'a self, order: &'a Order) -> PortFuture<'a, Issuance> {
        // A server would do this on a blocking thread.
        Box::pin(async move { self.sign(order) })
    }
}

/// Knows everybody, remembers nothing: est-auth and est-store have the real ones.
struct Anybody;

impl Authenticator for Anybody {
    fn authenticate<'a>(&'a self, _: &'a Evidence, now: UnixTime) -> PortFuture<'a, Verdict> {
        let principal = Principal::OneTimePassword {
            id: "first".into(),
            entity: None,
            expires: now + Seconds(600),
            label: None,
            allowance: Arc::default(),
        };
        Box::pin(async move { Ok(Verdict::Known(principal)) })
    }
}

impl Store for Anybody {
    fn claim<'a>(&'a self, _: &'a Intent) -> PortFuture<'a, Claimed> {
        Box::pin(async { Ok(Claimed::Fresh) })
    }

    fn record<'a>(&'a self, _: &'a Entry) -> PortFuture<'a, ()> {
        Box::pin(async { Ok(()) })
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let openssl = OpenSsl(folder.path().to_owned());
    let make = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 3650";
    openssl.run(&[make.split(' ').collect::<Vec<_>>(), vec!["-subj", "/CN=OpenSSL CA"]].concat())?;
    let blocks = pem::decode(&fs::read_to_string(folder.path().join("ca.pem"))?).ok_or("not PEM")?;
    let certificate = Certificate::parse(&blocks[0].contents)?;
    let ca = Arc::new(Ca { id: "openssl".into(), certificate, chain: Vec::new(), rollover: Vec::new() });

    let key = examples::Key::generate()?;
    let template = CsrTemplate {
        subject: Name::from_text("CN=device-1")?,
        subject_alt_name: GeneralNames::from_names(&[GeneralName::Dns("device-1.example".into())]),
        public_key: key.public_key.clone(),
        challenge_password: None,
        extensions: Vec::new(),
    };
    let info = template.to_be_signed();
    let signature = key.sign(&info)?;
    let body = Body::Der(assemble_csr(info, &key.algorithm, &signature));
    let request = Request { operation: Operation::SimpleEnroll, label: None, evidence: Evidence::default(), body };

    let now = UnixTime(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs());
    let ports = Ports {
        authenticator: Arc::new(Anybody),
        ca: Arc::new(openssl),
        keys: Arc::new(NoKeyGenerator),
        store: Arc::new(Anybody),
    };
    let step = begin(Arc::new(examples::site(&ca)), request, now, &examples::entropy()?);
    match drive(step, &ports).await {
        Reply::Certificate(message) => {
            let certificates = read_certs_only(&message).ok_or("not a certs-only message")?;
            println!("{}", pem::encode("CERTIFICATE", &certificates[0]));
            Ok(())
        }
        other => Err(format!("{other:?}").into()),
    }
}
