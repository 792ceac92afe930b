//! EST in an axum router, with an authenticator of one's own.
//!
//! Plain HTTP keeps it short; a real server puts TLS below and inserts a `Peer` with the client's certificates.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use est_backends::{FileSigner, LocalCa, SignatureCheck};
use est_core::client::Call;
use est_core::pkix::{Certificate, CsrTemplate, GeneralName, GeneralNames, KeyType, Name, assemble_csr};
use est_core::tower::{Est, Shell, Task};
use est_core::{
    Authenticator, Ca, Doubt, Entropy, Evidence, NoKeyGenerator, PortError, PortFuture, Ports, Principal, Seconds,
    Secret, Serial, Site, UnixTime, Verdict,
};
use est_store::{Actor, Database, Options};

/// Accepts any client that knows the word. The id separates the requests of one person from those of another.
struct Word(&'static str);

impl Authenticator for Word {
    fn authenticate<'a>(&'a self, evidence: &'a Evidence, now: UnixTime) -> PortFuture<'a, Verdict> {
        let credentials = evidence.credentials.as_ref();
        let known = credentials.filter(|shown| shown.password.reveal() == self.0).map(|shown| shown.user.clone());
        Box::pin(async move {
            Ok(match known {
                Some(id) => Verdict::Known(Principal::OneTimePassword {
                    id,
                    entity: None,
                    expires: now + Seconds(600),
                    label: None,
                    allowance: Arc::default(),
                }),
                None => Verdict::Unknown(Doubt::PasswordRejected),
            })
        })
    }
}

/// The clock, the randomness and the runtime of this program.
struct Here(Arc<Site>);

impl Shell for Here {
    fn site(&self) -> Arc<Site> {
        self.0.clone()
    }

    fn now(&self) -> UnixTime {
        UnixTime(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
    }

    fn entropy(&self) -> Result<Entropy, PortError> {
        examples::entropy().map_err(|error| PortError(error.to_string()))
    }

    fn spawn(&self, task: Task) {
        tokio::spawn(task);
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (signer, _) = FileSigner::generate(KeyType::EcdsaP256)?;
    let validity = est_backends::authority::Validity {
        not_before: UnixTime(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs()),
        span: Seconds::from_days(3650),
    };
    let (subject, serial) = (Name::from_text("CN=Example CA")?, Serial::from_entropy(&examples::entropy()?));
    let der = est_backends::authority::self_signed_ca(&subject, &signer, validity, serial).await?;
    let ca = Arc::new(Ca {
        id: "example".into(),
        certificate: Certificate::parse(&der)?,
        chain: Vec::new(),
        rollover: Vec::new(),
    });
    let store = Database::in_memory(Options::default())?;
    // The store gives a password's uses out, so it has to know of it.
    let now = validity.not_before;
    let (id, hash) = ("device-1".to_owned(), Secret::new(String::new()));
    let (created, expires, names) = (now, now + Seconds(600), Vec::new());
    let password = est_store::NewPassword { id, hash, entity: None, label: None, names, created, expires, max_uses: 1 };
    store.create_password(password, &Actor::local("example")).await?;

    let ports = Ports {
        authenticator: Arc::new(Word("sesame")),
        ca: Arc::new(LocalCa::new(ca.clone(), Arc::new(signer), SignatureCheck::default())?),
        keys: Arc::new(NoKeyGenerator),
        store: Arc::new(store),
    };
    let est = Est::new(Arc::new(Here(Arc::new(examples::site(&ca)))), ports, 64 * 1024);
    let router = axum::Router::new()
        .route("/", axum::routing::get(|| async { "EST lies below /.well-known/est\n" }))
        .fallback_service(est);
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, router).await });

    let answer = tokio::task::spawn_blocking(move || enroll(address).map_err(|error| error.to_string())).await??;
    println!("{answer}");
    if answer.starts_with("HTTP/1.1 200") { Ok(()) } else { Err("not enrolled".into()) }
}

/// What a device does.
fn enroll(address: SocketAddr) -> Result<String, Box<dyn Error>> {
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
    let csr = assemble_csr(info, &key.algorithm, &signature);
    let call =
        Call::simple_enroll("/.well-known/est", None, &csr).with_basic("device-1", &Secret::new("sesame".into()));
    let mut head = format!("{} {} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n", call.method, call.path);
    call.headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
    let mut stream = TcpStream::connect(address)?;
    write!(stream, "{head}Content-Length: {}\r\n\r\n", call.body.len())?;
    stream.write_all(&call.body)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
