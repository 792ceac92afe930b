//! The attributes of a request that carry one text each: challengePassword (PKCS #9) and those of RFC 7894.

use alloc::string::String;

use rasn::types::SetOf;

use super::{CsrError, Oid, asn1, oid, text_of};
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
    /// Why one of them cannot be read.
    fault: Option<CsrError>,
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
            let fault = match (values.next(), values.next()) {
                (Some(value), None) => match text(value.as_bytes()) {
                    Some(text) => {
                        *place = Some(Secret::new(text));
                        continue;
                    }
                    None => CsrError::NotText(id),
                },
                _ => CsrError::Attribute(id),
            };
            found.fault.get_or_insert(fault);
        }
        Ok(found)
    }

    /// Checks that each of them that is there can be read: for where they are looked at.
    ///
    /// # Errors
    /// [`CsrError::Attribute`], [`CsrError::NotText`].
    pub fn check(&self) -> Result<(), CsrError> {
        self.fault.clone().map_or(Ok(()), Err)
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

/// Reads text of 1 to [`MAX_CHARS`] characters: a DirectoryString, or another string, which some clients send instead.
fn text(der: &[u8]) -> Option<String> {
    text_of(der).filter(|text| (1..=MAX_CHARS).contains(&text.chars().count()))
}
