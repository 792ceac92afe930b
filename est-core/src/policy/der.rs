//! Whether what a request brings along can stand in a certificate, which is DER to its last octet (RFC 5280 §4.1).

use alloc::format;
use alloc::string::ToString;

use super::Wanted;
use crate::Refusal;
use crate::pkix::GeneralName;
use crate::pkix::der::check_distinguished;

/// Looks at the values that no rule about their kind has looked at.
pub(super) fn check(wanted: &Wanted<'_>) -> Result<(), Refusal> {
    wanted.subject.check_der().map_err(Refusal::Subject)?;
    wanted.names().iter().try_for_each(|name| {
        let fault = match name {
            GeneralName::Directory(directory) => directory.check_der().err().map(|error| error.to_string()),
            GeneralName::Other(der) => {
                check_distinguished(der).err().map(|error| format!("its value is not DER: {error}"))
            }
            GeneralName::Rfc822(_) | GeneralName::Dns(_) | GeneralName::Uri(_) | GeneralName::Ip(_) => None,
        };
        fault.map_or(Ok(()), |fault| Err(Refusal::NameForm { name: name.to_string(), fault }))
    })
}
