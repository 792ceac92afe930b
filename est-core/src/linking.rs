//! Whether a request was made on the connection over which it came: linking identity and possession (RFC 7030 §3.5).

use alloc::string::{String, ToString};

use subtle::ConstantTimeEq;

use crate::pkix::Challenges;
use crate::{Refusal, Secret, base64};

/// The channel binding `tls-exporter` (RFC 9266): what only the two ends of one TLS connection can compute.
///
/// TLS 1.3, and TLS 1.2 with the extended master secret. It is no secret, but nobody else can make it come true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TlsExporter(pub [u8; 32]);

impl TlsExporter {
    /// The exporter's label. Its context has no octets but is there, which makes a difference in TLS 1.2.
    pub const LABEL: &'static [u8] = b"EXPORTER-Channel-Binding";

    /// As it stands in a request: base64.
    #[must_use]
    pub fn to_text(self) -> String {
        base64::encode(&self.0, None).trim_end().to_string()
    }
}

/// What a label wants to see of the connection in a request: in challengePassword (RFC 7030 §3.5), in
/// estIdentityLinking (RFC 7894 §3.3), or in both. The strictest is the greatest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Linking {
    /// Nothing: the attributes are not looked at. For clients that put a password of another protocol there.
    Off,
    /// What is there must be right.
    #[default]
    Optional,
    /// At least one of the attributes, and what is there must be right.
    Required,
}

/// Checks what stands in `challenges` against the connection; whether anything linked the request to it.
///
/// `binding` is `None` where the connection to the client ends elsewhere, or has none.
pub(crate) fn check(linking: Linking, challenges: &Challenges, binding: Option<&TlsExporter>) -> Result<bool, Refusal> {
    if linking == Linking::Off {
        return Ok(false);
    }
    let values = [&challenges.challenge_password, &challenges.est_identity_linking];
    let mut linked = false;
    for value in values.into_iter().flatten() {
        verify(value, binding)?;
        linked = true;
    }
    match binding {
        _ if linked || linking == Linking::Optional => Ok(linked),
        Some(_) => Err(Refusal::LinkingRequired),
        None => Err(Refusal::LinkingUnavailable),
    }
}

/// "If this value is present it MUST be verified" (RFC 7030 §3.5): a password is not a right value.
fn verify(value: &Secret, binding: Option<&TlsExporter>) -> Result<(), Refusal> {
    /// The lengths of `tls-unique` (RFC 5929 §3), a Finished message: in TLS 1.2 with every cipher suite that is spoken,
    /// and what a client of TLS 1.3 takes for it where the hash is SHA-384. With SHA-256 it is as long as tls-exporter.
    const TLS_UNIQUE_OCTETS: [usize; 2] = [12, 48];
    let TlsExporter(expected) = binding.ok_or(Refusal::LinkingUnavailable)?;
    match base64::decode(value.reveal().as_bytes()) {
        Some(octets) if bool::from(octets.ct_eq(expected)) => Ok(()),
        Some(octets) if TLS_UNIQUE_OCTETS.contains(&octets.len()) => Err(Refusal::LinkingTlsUnique),
        _ => Err(Refusal::LinkingMismatch),
    }
}
