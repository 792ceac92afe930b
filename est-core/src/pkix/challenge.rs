//! The attributes of a request that carry one text each: challengePassword (PKCS #9) and those of RFC 7894.

use alloc::string::{String, ToString};

use rasn::types::SetOf;

use super::{CsrError, Oid, asn1, der, oid};
use crate::Secret;

/// As many characters at most (RFC 2985 §5.4.1, RFC 7894 §3).
const MAX_CHARS: usize = 255;

/// The texts by which a request is linked to its connection, or proves a claim of its own. Whether they are right is
/// not decided here.
#[derive(Clone, Debug, Default)]
pub struct Challenges {
    /// challengePassword: in EST the channel binding (RFC 7030 §3.5), elsewhere a password.
    pub challenge_password: Option<Secret>,
    /// estIdentityLinking: the channel binding (RFC 7894 §3.3).
    pub est_identity_linking: Option<Secret>,
    /// otpChallenge: a one-time password (RFC 7894 §3.1).
    pub otp_challenge: Option<Secret>,
    /// revocationChallenge: by what the certificate may be revoked one day (RFC 7894 §3.2).
    pub revocation_challenge: Option<Secret>,
}

impl Challenges {
    /// The attributes that they stand in.
    pub(super) const ATTRIBUTES: [Oid; 4] =
        [oid::CHALLENGE_PASSWORD, oid::EST_IDENTITY_LINKING, oid::OTP_CHALLENGE, oid::REVOCATION_CHALLENGE];

    /// Finds them among the attributes of a request, none of which stands there twice.
    pub(super) fn read(attributes: &SetOf<asn1::Attribute>) -> Result<Self, CsrError> {
        let mut found = Self::default();
        for attribute in attributes.iter() {
            let id = Oid::from_der(attribute.id.as_bytes()).ok_or(CsrError::NotACsr)?;
            let Some(place) = found.place(&id) else { continue };
            let mut values = attribute.values.iter();
            let (Some(value), None) = (values.next(), values.next()) else { return Err(CsrError::Attribute(id)) };
            match directory_string(value.as_bytes()) {
                Some(text) => *place = Some(Secret::new(text)),
                None => return Err(CsrError::NotText(id)),
            }
        }
        Ok(found)
    }

    fn place(&mut self, id: &Oid) -> Option<&mut Option<Secret>> {
        let places = [
            &mut self.challenge_password,
            &mut self.est_identity_linking,
            &mut self.otp_challenge,
            &mut self.revocation_challenge,
        ];
        Self::ATTRIBUTES.iter().zip(places).find(|(known, _)| *known == id).map(|(_, place)| place)
    }
}

/// Reads a DirectoryString of 1 to [`MAX_CHARS`] characters, or an IA5String, which some clients send instead.
fn directory_string(der: &[u8]) -> Option<String> {
    let contents = der::contents(der);
    let text = match der.first()? {
        0x0c => core::str::from_utf8(contents).ok()?.to_string(),
        0x13 | 0x16 if contents.is_ascii() => contents.iter().copied().map(char::from).collect(),
        // A TeletexString is read as Latin-1, as everybody does.
        0x14 => contents.iter().copied().map(char::from).collect(),
        0x1e => of_units::<2>(contents)?,
        0x1c => of_units::<4>(contents)?,
        _ => return None,
    };
    (1..=MAX_CHARS).contains(&text.chars().count()).then_some(text)
}

/// Reads a BMPString or a UniversalString: characters of so many octets each.
fn of_units<const OCTETS: usize>(contents: &[u8]) -> Option<String> {
    let (units, rest) = contents.as_chunks::<OCTETS>();
    let number = |unit: &[u8; OCTETS]| unit.iter().fold(0, |number: u32, octet| number << 8 | u32::from(*octet));
    rest.is_empty().then(|| units.iter().map(|unit| char::from_u32(number(unit))).collect())?
}
