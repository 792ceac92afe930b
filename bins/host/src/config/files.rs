//! The files that a configuration names.

use std::path::{Path, PathBuf};
use std::{fs, io};

use est_core::pkix::{Certificate, KeyBlocklist, pem};
use zeroize::Zeroizing;

use super::diagnostic::Fault;
use super::value::Given;

/// The longest file that is read: a bundle of a few thousand certificates.
const MAX_BYTES: u64 = 16 << 20;

/// Reads every certificate of a PEM file, at least one, and tells of those that are not in their time.
pub(super) fn certificates(given: &Given<'_>) -> Result<Vec<Certificate>, Fault> {
    let certificates = certificates_of_any_time(given)?;
    let now = given.context.now;
    for certificate in &certificates {
        let subject = certificate.subject();
        if now > certificate.not_after() {
            given.warn(Fault::new(format!("the certificate of {subject} ended at {}", certificate.not_after())));
        } else if now < certificate.not_before() {
            given.warn(Fault::new(format!("the certificate of {subject} begins at {}", certificate.not_before())));
        }
    }
    Ok(certificates)
}

/// As [`certificates`], with the name of the file.
pub(super) fn certificate_file(given: &Given<'_>) -> Result<(PathBuf, Vec<Certificate>), Fault> {
    Ok((given.path()?, certificates(given)?))
}

/// Reads every certificate of a PEM file; at least one.
pub(super) fn certificates_of_any_time(given: &Given<'_>) -> Result<Vec<Certificate>, Fault> {
    let path = given.path()?;
    let octets = read(&path)?;
    let not_pem = || Fault::new(format!("{} has no certificate in PEM", path.display()));
    if octets.first() == Some(&0x30) && Certificate::parse(&octets).is_ok() {
        return Err(not_pem().help("it is DER: convert it with `openssl x509 -inform der`"));
    }
    let text = std::str::from_utf8(&octets).map_err(|_| not_pem())?;
    let broken = || Fault::new(format!("{} has a broken PEM block", path.display()));
    let blocks = pem::decode(text).ok_or_else(broken)?;
    let found = blocks.iter().filter(|block| block.label == "CERTIFICATE" && !block.has_headers);
    let parsed = found.enumerate().map(|(index, block)| {
        Certificate::parse(&block.contents)
            .map_err(|error| Fault::new(format!("certificate {} of {} is {error}", index + 1, path.display())))
    });
    let certificates = parsed.collect::<Result<Vec<_>, _>>()?;
    if certificates.is_empty() {
        return Err(not_pem());
    }
    Ok(certificates)
}

/// Reads a list of keys that get no certificate.
pub(super) fn key_blocklist(given: &Given<'_>) -> Result<KeyBlocklist, Fault> {
    let path = given.path()?;
    KeyBlocklist::parse(&read(&path)?).map_err(|error| {
        let fault = Fault::new(format!("line {} of {} is not the SHA-256 of a key", error.line, path.display()));
        fault.help("write that of the SubjectPublicKeyInfo, DER, in 64 hexadecimal digits on a line of its own")
    })
}

/// What a private key's file looks like from outside.
pub(super) struct FoundKey {
    pub(super) path: PathBuf,
    pub(super) is_encrypted: bool,
}

/// Finds a private key's file, without decoding the key.
pub(super) fn key(given: &Given<'_>) -> Result<FoundKey, Fault> {
    if given.text()?.starts_with("pkcs11:") {
        return Err(Fault::later("keys in PKCS#11 tokens are").help("name a PEM file"));
    }
    let path = given.path()?;
    let octets = Zeroizing::new(read(&path)?);
    let none = || Fault::new(format!("{} has no private key in PEM", path.display()));
    let text = std::str::from_utf8(&octets).map_err(|_| none())?;
    let (label, block) = private_key(text).ok_or_else(none)?;
    let is_encrypted = label.starts_with("ENCRYPTED ") || block.contains("Proc-Type: 4,ENCRYPTED");
    warn_if_exposed(given, &path);
    Ok(FoundKey { path, is_encrypted })
}

/// Reads a file that holds a secret.
pub(super) fn secret(given: &Given<'_>) -> Result<Zeroizing<String>, Fault> {
    let path = given.path()?;
    let octets = Zeroizing::new(read(&path)?);
    let text = std::str::from_utf8(&octets).map_err(|_| Fault::new(format!("{} is not text", path.display())))?;
    warn_if_exposed(given, &path);
    Ok(Zeroizing::new(text.to_owned()))
}

/// Finds a file or a folder, without reading it.
pub(super) fn file_or_folder(given: &Given<'_>) -> Result<PathBuf, Fault> {
    let path = given.path()?;
    fs::metadata(&path).map_err(|error| cannot_read(&path, &error))?;
    Ok(path)
}

/// The label and the contents of the first block that is a private key.
fn private_key(text: &str) -> Option<(&str, &str)> {
    text.split("-----BEGIN ").skip(1).find_map(|block| {
        let (label, rest) = block.split_once("-----")?;
        let (contents, _) = rest.split_once("-----END ")?;
        label.ends_with("PRIVATE KEY").then_some((label, contents))
    })
}

fn read(path: &Path) -> Result<Vec<u8>, Fault> {
    let cannot = |error: io::Error| cannot_read(path, &error);
    let metadata = fs::metadata(path).map_err(cannot)?;
    if !metadata.is_file() {
        return Err(Fault::new(format!("{} is not a file", path.display())));
    }
    if metadata.len() > MAX_BYTES {
        return Err(Fault::new(format!("{} is longer than {MAX_BYTES} octets", path.display())));
    }
    fs::read(path).map_err(cannot)
}

fn cannot_read(path: &Path, error: &io::Error) -> Fault {
    let reason = match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "this user may not".to_owned(),
        _ => error.to_string(),
    };
    Fault::new(format!("cannot read {}: {reason}", path.display()))
}

/// Tells when others than the owner can read a file that holds a secret.
pub(super) fn warn_if_exposed(given: &Given<'_>, path: &Path) {
    if let Some(readers) = readers(path) {
        let fault = Fault::new(format!("{readers} can read {}", path.display()));
        given.warn(fault.help(format!("chmod 600 {}", path.display())));
    }
}

/// Whether others than its owner can read a file. A file of root's that a group can read is meant: so a service reads what it cannot
/// write.
#[cfg(unix)]
pub(super) fn readers(path: &Path) -> Option<&'static str> {
    use std::os::unix::fs::MetadataExt;
    let metadata = fs::metadata(path).ok()?;
    let is_lent = metadata.uid() == 0 && metadata.gid() != 0;
    match metadata.mode() {
        mode if mode & 0o004 != 0 => Some("every user of this machine"),
        mode if mode & 0o040 != 0 && !is_lent => Some("the group of its owner"),
        _ => None,
    }
}

#[cfg(not(unix))]
pub(super) fn readers(_: &Path) -> Option<&'static str> {
    None
}
