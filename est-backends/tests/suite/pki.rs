//! A CA and orders for it.

use std::sync::Arc;

use est_backends::authority::{Validity, self_signed_ca};
use est_backends::{FileSigner, LocalCa, SignatureCheck, Signer, algorithms};
use est_core::pkix::{Certificate, Csr, Name, oid};
use est_core::policy::{Profile, decide};
use est_core::{
    Approval, Ca, CaBackend, Entropy, Issuance, Label, NameBinding, Order, PortError, Principal, Seconds, Serial,
    UnixTime,
};

/// The time of every test.
pub(crate) const NOW: UnixTime = UnixTime(1_800_000_000);

pub(crate) fn serial(first: u8) -> Serial {
    Serial::from_entropy(&Entropy([first; 32]))
}

/// Makes a root CA of ten years.
pub(crate) async fn root(id: &str, signer: &dyn Signer) -> Arc<Ca> {
    let validity = Validity { not_before: NOW, span: Seconds::from_days(3650) };
    let subject = Name::from_text(&format!("CN={id},O=Example")).unwrap();
    let der = self_signed_ca(&subject, signer, validity, serial(1)).await.unwrap();
    Arc::new(Ca {
        id: id.into(),
        certificate: Certificate::parse(&der).unwrap(),
        chain: Vec::new(),
        rollover: Vec::new(),
    })
}

/// What a label with an ordinary profile orders for this request.
pub(crate) fn order(ca: &Arc<Ca>, csr: &[u8]) -> Order {
    order_at(ca, csr, NOW)
}

/// As [`order`], at another time.
pub(crate) fn order_at(ca: &Arc<Ca>, csr: &[u8], now: UnixTime) -> Order {
    let profile = Profile {
        ext_key_usage: vec![oid::CLIENT_AUTH, oid::SERVER_AUTH],
        validity: Seconds::from_days(90),
        max_validity: Seconds::from_days(90),
        ..Profile::new("device")
    };
    let label = Label::new(None, ca.clone(), profile, Approval::Automatic, NameBinding::Own, &[]);
    let principal = Principal::OneTimePassword {
        id: "id".into(),
        entity: None,
        expires: now,
        label: None,
        allowance: Arc::default(),
    };
    let csr = Arc::new(Csr::parse(csr, algorithms()).unwrap());
    let plan = decide(&label, &principal, &csr, None, now).unwrap();
    Order { ca: ca.clone(), serial: serial(2), plan, csr, ticket: None }
}

pub(crate) fn local_ca(ca: &Arc<Ca>, signer: FileSigner) -> LocalCa {
    LocalCa::new(ca.clone(), Arc::new(signer), SignatureCheck::default()).unwrap()
}

pub(crate) async fn issue(backend: &dyn CaBackend, order: &Order) -> Result<Vec<u8>, PortError> {
    match backend.issue(order).await? {
        Issuance::Issued(der) => Ok(der),
        other => panic!("{other:?}"),
    }
}
