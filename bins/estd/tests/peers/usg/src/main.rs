//! Makes EST calls with usg-est-client, each a line of words on standard input, and answers each with a line.
//!
//! ```text
//! usg SERVER CA.pem
//!   as NAME | nobody           shows NAME.pem and NAME.key from here on
//!   password USER SECRET       sends them from here on; "password -" does not
//!   label NAME | -
//!   cacerts | csrattrs         prints how many there are
//!   enroll | reenroll | keep | serverkeygen NAME CN
//! ```
//!
//! A certificate goes into NAME.pem, a key into NAME.key; `keep` renews with the key that is there.

use std::error::Error;
use std::{env, fs, io};

use rcgen::KeyPair;
use usg_est_client::csr::CsrBuilder;
use usg_est_client::{Certificate, EnrollmentResponse, EstClient, EstClientConfig};
use x509_cert::der::EncodePem as _;
use x509_cert::der::pem::LineEnding;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[derive(Default)]
struct Script {
    server: String,
    ca: Vec<u8>,
    identity: Option<String>,
    password: Option<(String, String)>,
    label: Option<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().collect();
    let mut script = Script { server: arguments[1].clone(), ca: fs::read(&arguments[2])?, ..Script::default() };
    for line in io::stdin().lines() {
        let line = line?;
        let words: Vec<&str> = line.split_whitespace().collect();
        match script.run(&words).await {
            Ok(text) => println!("{text}"),
            Err(error) => println!("error: {}", told(&*error)),
        }
    }
    Ok(())
}

impl Script {
    async fn run(&mut self, words: &[&str]) -> Result<String> {
        match *words {
            ["as", "nobody"] => self.identity = None,
            ["as", name] => self.identity = Some(name.into()),
            ["password", "-"] => self.password = None,
            ["password", user, secret] => self.password = Some((user.into(), secret.into())),
            ["label", "-"] => self.label = None,
            ["label", name] => self.label = Some(name.into()),
            ["cacerts"] => return Ok(self.client().await?.get_ca_certs().await?.len().to_string()),
            ["csrattrs"] => {
                return Ok(self.client().await?.get_csr_attributes().await?.attributes.len().to_string());
            }
            ["enroll", name, common_name] => {
                let (csr, key) = builder(common_name).build()?;
                return issued(name, Some(key), self.client().await?.simple_enroll(&csr).await?);
            }
            ["reenroll", name, common_name] => {
                let (csr, key) = builder(common_name).build()?;
                return issued(name, Some(key), self.client().await?.simple_reenroll(&csr).await?);
            }
            ["keep", name, common_name] => {
                let key = KeyPair::from_pem(&fs::read_to_string(format!("{name}.key"))?)?;
                let csr = builder(common_name).build_with_key(&key)?;
                return issued(name, None, self.client().await?.simple_reenroll(&csr).await?);
            }
            ["serverkeygen", name, common_name] => {
                let (csr, _) = builder(common_name).build()?;
                let answer = self.client().await?.server_keygen(&csr).await?;
                fs::write(format!("{name}.key.der"), &answer.private_key)?;
                write(name, &answer.certificate)?;
                return Ok("issued".into());
            }
            _ => return Err("no such command".into()),
        }
        Ok("ok".into())
    }

    async fn client(&self) -> Result<EstClient> {
        let mut builder = EstClientConfig::builder().server_url(&self.server)?.trust_explicit(vec![self.ca.clone()]);
        if let Some(name) = &self.identity {
            builder = builder.client_identity_pem(fs::read(format!("{name}.pem"))?, fs::read(format!("{name}.key"))?);
        }
        if let Some((user, secret)) = &self.password {
            builder = builder.http_auth(user, secret);
        }
        if let Some(label) = &self.label {
            builder = builder.ca_label(label);
        }
        Ok(EstClient::new(builder.build()?).await?)
    }
}

/// The error and its causes, in a line.
fn told(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text.replace('\n', " ")
}

fn builder(common_name: &str) -> CsrBuilder {
    CsrBuilder::new().common_name(common_name).san_dns(format!("{common_name}.example"))
}

fn issued(name: &str, key: Option<KeyPair>, answer: EnrollmentResponse) -> Result<String> {
    match answer {
        EnrollmentResponse::Issued { certificate } => {
            if let Some(key) = key {
                fs::write(format!("{name}.key"), key.serialize_pem())?;
            }
            write(name, &certificate)?;
            Ok("issued".into())
        }
        EnrollmentResponse::Pending { retry_after } => Ok(format!("wait {retry_after}")),
    }
}

fn write(name: &str, certificate: &Certificate) -> Result<()> {
    Ok(fs::write(format!("{name}.pem"), certificate.to_pem(LineEnding::LF)?)?)
}
