//! Who reads an input, and whether both read the same.

use std::fmt;

use est_core::pkix::{Certificate, Csr, Extension, GeneralName, GeneralNames, Name, der, oid};
use est_core::{Algorithms, Refusal};
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::{Decode, Encode};
use x509_cert::ext::Extensions;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName as TheirName;
use x509_cert::request::CertReq;

use crate::mutation::with_sorted_sets;
use crate::oracle::known_difference;

/// Who reads an input.
pub(crate) enum Reading {
    /// Both, and they agree.
    Both,
    /// We alone, for this reason if it is known.
    Ours(Option<&'static str>),
    /// `x509-cert` alone: what we say against it.
    Theirs(Option<&'static str>),
    /// Nobody.
    Neither,
    /// Both, but not this field.
    Differently(&'static str),
}

impl Reading {
    /// Who reads it, in a word.
    pub(crate) fn reader(&self) -> &'static str {
        match self {
            Self::Both => "both",
            Self::Ours(_) => "we alone",
            Self::Theirs(_) => "x509-cert alone",
            Self::Neither => "nobody",
            Self::Differently(_) => "differently",
        }
    }
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reader())?;
        match self {
            Self::Ours(reason) | Self::Theirs(reason) => write!(f, ": {}", reason.unwrap_or("?")),
            _ => Ok(()),
        }
    }
}

/// Reads a request; what we say against it is the code of the refusal.
pub(crate) fn read_request(der: &[u8], algorithms: Algorithms) -> Reading {
    match (Csr::parse(der, algorithms), CertReq::from_der(der)) {
        (Ok(ours), Ok(theirs)) => same_request(&ours, &theirs).map_or_else(Reading::Differently, |()| Reading::Both),
        (Ok(_), Err(_)) => Reading::Ours(known_difference(der)),
        // It looks into extensions only when asked to.
        (Err(_), Ok(theirs)) if !their_extensions(&theirs).is_some_and(|listed| can_be_read(&listed)) => {
            Reading::Neither
        }
        (Err(error), Ok(_)) => Reading::Theirs(Some(Refusal::Csr(error).row().code)),
        (Err(_), Err(_)) => Reading::Neither,
    }
}

/// Reads a certificate; what we say against it is one of [`STRICTER`].
pub(crate) fn read_certificate(der: &[u8]) -> Reading {
    match (Certificate::parse(der), x509_cert::Certificate::from_der(der)) {
        (Ok(ours), Ok(theirs)) => {
            same_certificate(&ours, &theirs).map_or_else(Reading::Differently, |()| Reading::Both)
        }
        (Ok(_), Err(_)) => Reading::Ours(known_difference(der)),
        (Err(_), Ok(theirs)) if !can_be_read(listed_in(&theirs)) => Reading::Neither,
        (Err(_), Ok(theirs)) => {
            let fitting = STRICTER.iter().find(|(_, holds)| holds(der, &theirs));
            Reading::Theirs(fitting.map(|(rule, _)| *rule))
        }
        (Err(_), Err(_)) => Reading::Neither,
    }
}

/// What we refuse in a certificate, and whether it holds.
type Rule = (&'static str, fn(&[u8], &x509_cert::Certificate) -> bool);

/// Why we refuse certificates that `x509-cert` reads.
const STRICTER: [Rule; 5] = [
    ("not DER", |der, _| der::check(der).is_err()),
    ("not of version 3", |_, theirs| theirs.tbs_certificate().version() != x509_cert::Version::V3),
    ("two signature algorithms", |_, theirs| theirs.signature_algorithm() != theirs.tbs_certificate().signature()),
    ("an extension twice", |_, theirs| {
        let mut ids: Vec<_> = listed_in(theirs).iter().map(|extension| extension.extn_id).collect();
        ids.sort_unstable();
        ids.windows(2).any(|pair| pair[0] == pair[1])
    }),
    ("a malformed subjectAltName", |_, theirs| {
        alternative_names(listed_in(theirs))
            .is_some_and(|names| GeneralNames::parse(names.extn_value.as_bytes()).is_none())
    }),
];

/// `Err` names the field in which they differ.
type Same = Result<(), &'static str>;

fn same_request(ours: &Csr, theirs: &CertReq) -> Same {
    equal("version", theirs.info.version as u8, 0)?;
    equal("public key", theirs.info.public_key.to_der().unwrap().as_slice(), ours.public_key().as_der())?;
    same_name("subject", &theirs.info.subject, ours.subject())?;
    let Some(listed) = their_extensions(theirs) else {
        return known_difference(ours.as_der()).map(|_| ()).ok_or("list of extensions");
    };
    same_extensions(&listed, ours.extensions())?;
    same_alternative_names(&listed, ours.subject_alt_name())
}

/// The extensions that a request asks for, as `x509-cert` reads them when asked to.
fn their_extensions(theirs: &CertReq) -> Option<Extensions> {
    let ids = [oid::EXTENSION_REQUEST, oid::MS_EXTENSION_REQUEST];
    // Where both are there, they ask for the same.
    let request = ids.iter().find_map(|known| {
        theirs.info.attributes.iter().find(|attribute| attribute.oid.to_der().unwrap() == known.as_der())
    });
    let values = request.into_iter().flat_map(|attribute| attribute.values.iter());
    let lists: Result<Vec<Extensions>, _> = values.map(|value| value.decode_as()).collect();
    lists.ok().map(|lists| lists.concat())
}

fn listed_in(certificate: &x509_cert::Certificate) -> &[x509_cert::ext::Extension] {
    certificate.tbs_certificate().extensions().map_or(&[][..], |listed| listed)
}

/// Whether `x509-cert` reads the subjectAltName among these.
fn can_be_read(listed: &[x509_cert::ext::Extension]) -> bool {
    alternative_names(listed).is_none_or(|names| SubjectAltName::from_der(names.extn_value.as_bytes()).is_ok())
}

fn alternative_names(listed: &[x509_cert::ext::Extension]) -> Option<&x509_cert::ext::Extension> {
    listed.iter().find(|extension| extension.extn_id.to_der().unwrap() == oid::SUBJECT_ALT_NAME.as_der())
}

fn same_certificate(ours: &Certificate, theirs: &x509_cert::Certificate) -> Same {
    let tbs = theirs.tbs_certificate();
    let seconds = |time: x509_cert::time::Time| time.to_unix_duration().as_secs();
    equal("public key", tbs.subject_public_key_info().to_der().unwrap().as_slice(), ours.public_key_der())?;
    equal("serial number", tbs.serial_number().as_bytes(), ours.serial())?;
    equal("notBefore", seconds(tbs.validity().not_before), ours.not_before().0)?;
    equal("notAfter", seconds(tbs.validity().not_after), ours.not_after().0)?;
    same_name("subject", tbs.subject(), ours.subject())?;
    same_name("issuer", tbs.issuer(), ours.issuer())?;
    let listed = listed_in(theirs);
    same_extensions(listed, ours.extensions())?;
    same_alternative_names(listed, ours.subject_alt_name())
}

fn equal<T: PartialEq>(field: &'static str, theirs: T, ours: T) -> Same {
    if theirs == ours { Ok(()) } else { Err(field) }
}

/// `x509-cert` sorts the attributes of an RDN, we keep their order.
fn same_name(field: &'static str, theirs: &x509_cert::name::Name, ours: &Name) -> Same {
    equal(field, with_sorted_sets(&theirs.to_der().unwrap()), with_sorted_sets(ours.as_der()))
}

fn same_extensions(theirs: &[x509_cert::ext::Extension], ours: &[Extension]) -> Same {
    equal("number of extensions", theirs.len(), ours.len())?;
    theirs.iter().zip(ours).try_for_each(|(theirs, ours)| {
        equal("extension's identifier", theirs.extn_id.to_der().unwrap().as_slice(), ours.id.as_der())?;
        equal("extension's criticality", theirs.critical, ours.critical)?;
        equal("extension's value", theirs.extn_value.as_bytes(), &ours.value)
    })
}

fn same_alternative_names(listed: &[x509_cert::ext::Extension], ours: Option<&GeneralNames>) -> Same {
    let (Some(theirs), Some(ours)) = (alternative_names(listed), ours) else {
        return equal("presence of subjectAltName", alternative_names(listed).is_some(), ours.is_some());
    };
    let value = theirs.extn_value.as_bytes();
    let Ok(SubjectAltName(theirs)) = SubjectAltName::from_der(value) else {
        // It does not know x400Address, looks into ediPartyName, where we do not, and has narrow object identifiers.
        let is_odd = |name: &GeneralName| match name {
            GeneralName::Other(der) if der[0] == 0x88 => ObjectIdentifier::from_bytes(der::contents(der)).is_err(),
            GeneralName::Other(der) => matches!(der[0], 0xa3 | 0xa5),
            _ => false,
        };
        let is_known = known_difference(value).is_some() || ours.names().iter().any(is_odd);
        return equal("subjectAltName", is_known, true);
    };
    equal("number of names", theirs.len(), ours.names().len())?;
    theirs.iter().zip(ours.names()).try_for_each(|pair| match pair {
        (TheirName::Rfc822Name(theirs), GeneralName::Rfc822(ours)) => equal("rfc822Name", theirs.as_str(), ours),
        (TheirName::DnsName(theirs), GeneralName::Dns(ours)) => equal("dNSName", theirs.as_str(), ours),
        (TheirName::UniformResourceIdentifier(theirs), GeneralName::Uri(ours)) => equal("URI", theirs.as_str(), ours),
        (TheirName::DirectoryName(theirs), GeneralName::Directory(ours)) => same_name("directoryName", theirs, ours),
        (TheirName::IpAddress(theirs), GeneralName::Ip(ours)) => match ours {
            std::net::IpAddr::V4(ours) => equal("iPAddress", theirs.as_bytes(), &ours.octets()),
            std::net::IpAddr::V6(ours) => equal("iPAddress", theirs.as_bytes(), &ours.octets()),
        },
        (
            TheirName::OtherName(_) | TheirName::RegisteredId(_) | TheirName::EdiPartyName(_),
            GeneralName::Other(ours),
        ) => equal("other name", &pair.0.to_der().unwrap(), ours),
        _ => Err("kind of name"),
    })
}
