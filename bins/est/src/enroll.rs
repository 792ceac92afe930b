//! `est enroll`.

use std::path::PathBuf;

use est_backends::Signer;
use est_core::client::{Answer, Call, CsrAdvice};
use est_core::pkix::{GeneralName, GeneralNames, KeyRequirement, KeyType, Name};

use crate::cli::EnrollArguments;
use crate::csrattrs;
use crate::file::{self, Readers};
use crate::issued::Issued;
use crate::key;
use crate::link::Link;
use crate::output::{Failure, describe, note, say};
use crate::peer::Peer;

pub(crate) async fn run(arguments: EnrollArguments) -> Result<(), Failure> {
    let peer = Peer::new(&arguments.server, &arguments.identity, rustls::DEFAULT_VERSIONS)?;
    if !peer.has_credentials() {
        note("warning: asking without a client certificate or a password, which most servers refuse");
    }
    let names = GeneralNames::from_names(&arguments.san);
    let stem = file_stem(&arguments.subject, &arguments.san);
    let key_path = arguments.key_out.unwrap_or_else(|| PathBuf::from(format!("{stem}.key")));
    let certificate_path = arguments.out.unwrap_or_else(|| PathBuf::from(format!("{stem}.pem")));
    if key_path == certificate_path {
        return Err(Failure::usage("--key-out and --out name the same file"));
    }

    let advice =
        if arguments.no_csrattrs { CsrAdvice::default() } else { peer.advice(arguments.patience.max_wait).await? };
    let missing = advice.missing(&arguments.subject, &arguments.san);
    if !missing.is_empty() {
        let missing: Vec<String> = missing.iter().map(ToString::to_string).collect();
        return Err(Failure::usage(format!(
            "the server wants {}: give it by --subject and --san, or ask all the same with --no-csrattrs",
            missing.join(", and ")
        )));
    }
    let usual = match advice.key.as_ref().map(KeyRequirement::key_type) {
        Some(Some(key_type)) => key_type,
        Some(None) if arguments.key_type.is_none() && !key_path.exists() => {
            let text = "the server wants a type of key that est cannot make: name another by --key-type";
            return Err(Failure::error(text));
        }
        Some(None) | None => KeyType::EcdsaP256,
    };
    let signer = key::load_or_make(&key_path, Readers::Owner, arguments.key_type, usual)?;
    if advice.key.as_ref().is_some_and(|key| !key.is_met_by(signer.public_key().key_type())) {
        note(&format!("note: the server asks for a key of another type: {usual}"));
    }
    let request = advice.complete(key::request(&signer, arguments.subject, names));
    let link = Link::by(&peer, arguments.linking.link, &advice.attributes);
    let left_out: Vec<String> =
        csrattrs::left_out(&advice).iter().filter(|id| !link.serves(id)).map(csrattrs::show_id).collect();
    if !left_out.is_empty() {
        note(&format!("note: the server also wants what est does not send: {}", left_out.join(", ")));
    }
    let call = async |exporter| {
        let csr = key::sign(&signer, &request, &link.texts(exporter)).await?;
        Ok(peer.authorize(Call::simple_enroll(peer.base_path(), peer.label.as_deref(), &csr)))
    };
    let Answer::Certificates(certificates) = peer.ask_on(&link.tls, call, arguments.patience.max_wait).await? else {
        return Err(Failure::error("the server sent something other than a certificate"));
    };
    let issued = Issued::find(certificates, signer.public_key().as_der())?;
    file::write(&certificate_path, &issued.to_pem(&[]), Readers::Anyone)?;
    say(&describe(&issued.certificate))?;
    for difference in issued.differences(&request.subject, request.subject_alt_name.as_ref()) {
        note(&format!("note: {difference}"));
    }
    say(&format!("certificate  {}\nkey          {}", certificate_path.display(), key_path.display()))?;
    Ok(())
}

/// A file name from the names that are asked for: different devices have different files.
pub(crate) fn file_stem(subject: &Name, names: &[GeneralName]) -> String {
    let from_names = || match names.first() {
        Some(GeneralName::Dns(text) | GeneralName::Rfc822(text) | GeneralName::Uri(text)) => Some(text.clone()),
        Some(GeneralName::Ip(address)) => Some(address.to_string()),
        Some(GeneralName::Directory(_) | GeneralName::Other(_)) | None => None,
    };
    let name = subject.common_name().map(ToString::to_string).or_else(from_names).unwrap_or_default();
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "._-".contains(character);
    let stem: String =
        name.chars().map(|character| if is_plain(character) { character } else { '_' }).take(64).collect();
    // Neither a hidden file nor what looks like a flag.
    let stem = stem.trim_start_matches(['.', '-']);
    if stem.is_empty() { "client".to_string() } else { stem.to_string() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    #[test]
    fn names_files_after_the_device() {
        for (subject, san, stem) in [
            ("CN=device-1,O=Example", "DNS:a", "device-1"),
            ("O=Example", "DNS:*.a.example", "_.a.example"),
            ("", "IP:2001:db8::1", "2001_db8__1"),
            ("CN=../../etc/passwd", "DNS:a", "_.._etc_passwd"),
            ("CN=-rf", "DNS:a", "rf"),
            ("CN=..", "DNS:a", "client"),
            ("CN=Zoë's phone", "DNS:a", "Zo__s_phone"),
        ] {
            let names = [GeneralName::from_text(san).unwrap()];
            assert_eq!(file_stem(&Name::from_text(subject).unwrap(), &names), stem, "{subject}");
        }
    }
}
