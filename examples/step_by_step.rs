//! An enrollment without a runtime, a socket or a database: the program itself answers every step.
//!
//! `cargo run -p examples --example step_by_step`

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use est_core::pkix::{
    CsrTemplate, GeneralName, GeneralNames, Name, assemble_certificate, assemble_csr, pem, read_certs_only,
};
use est_core::{
    Body, Ca, Claimed, Evidence, Generated, Issuance, KeyRefusal, Operation, Principal, Reply, Request, Seconds, Step,
    UnixTime, Verdict, begin,
};
use examples::{Key, entropy, self_signed, site};

fn main() -> Result<(), Box<dyn Error>> {
    let now = UnixTime(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs());
    let (ca_key, device_key) = (Key::generate()?, Key::generate()?);
    let ca = Arc::new(Ca {
        id: "example".into(),
        certificate: self_signed(&ca_key, now)?,
        chain: Vec::new(),
        rollover: Vec::new(),
    });
    let site = Arc::new(site(&ca));

    // The device asks.
    let template = CsrTemplate {
        subject: Name::from_text("CN=device-1,O=Example")?,
        subject_alt_name: GeneralNames::from_names(&[GeneralName::Dns("device-1.example".into())]),
        public_key: device_key.public_key.clone(),
        challenge_password: None,
        extensions: Vec::new(),
    };
    let info = template.to_be_signed();
    let signature = device_key.sign(&info)?;
    let body = Body::Der(assemble_csr(info, &device_key.algorithm, &signature));
    let request = Request { operation: Operation::SimpleEnroll, label: None, evidence: Evidence::default(), body };

    // The server answers, one step after the other.
    let mut step = begin(site, request, now, &entropy()?);
    let reply = loop {
        step = match step {
            Step::Authenticate(step) => {
                // A server looks at step.evidence(): a client certificate, a password.
                let expires = now + Seconds(3600);
                let principal = Principal::OneTimePassword {
                    id: "first".into(),
                    entity: None,
                    expires,
                    label: None,
                    allowance: Arc::default(),
                };
                step.answer(Ok(Verdict::Known(principal)))
            }
            Step::Claim(step) => {
                // A server remembers step.intent() now, so that the same request is never answered twice.
                println!("claim   serial number {}", step.intent().serial);
                step.answer(Ok(Claimed::Fresh))
            }
            // Only for /serverkeygen, which nobody asked for here.
            Step::GenerateKey(step) => step.answer(Ok(Generated::Refused(KeyRefusal::KeyTypeNotOffered))),
            Step::Issue(step) => {
                let order = step.order();
                let tbs = order.plan.to_be_signed(&order.ca.certificate, order.serial, &ca_key.algorithm);
                let signature = ca_key.sign(&tbs)?;
                println!("issue   {} until {}", order.plan.subject, order.plan.not_after);
                step.answer(Ok(Issuance::Issued(assemble_certificate(tbs, &ca_key.algorithm, &signature))))
            }
            Step::Record(step) => {
                // A server makes step.entry() durable now: nothing is handed out before.
                let events: Vec<_> = step.entry().events.iter().map(|event| event.kind.name()).collect();
                println!("record  {}", events.join(", "));
                step.answer(Ok(()))
            }
            Step::Done(reply) => break reply,
        };
    };
    let Reply::Certificate(message) = reply else { return Err(format!("{reply:?}").into()) };
    let certificates = read_certs_only(&message).ok_or("not a certs-only message")?;
    println!("{}", pem::encode("CERTIFICATE", &certificates[0]));
    Ok(())
}
