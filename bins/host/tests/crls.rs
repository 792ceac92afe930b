//! CRLs in files and folders, looked at by hand.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use est_auth::{PathValidator, Purpose, RevocationPolicy, RevocationStatus};
use est_core::pkix::pem;
use est_core::{Doubt, UnixTime};
use host::crls::CrlFiles;

/// In June 2027.
const NOW: UnixTime = UnixTime(1_812_000_000);

/// An empty folder.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("host-crls-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = Self(std::env::temp_dir().join(name));
        fs::create_dir(&folder.0).unwrap();
        folder
    }

    fn write(&self, name: &str, contents: &[u8]) {
        fs::write(self.0.join(name), contents).unwrap();
    }

    fn remove(&self, name: &str) {
        fs::remove_file(self.0.join(name)).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn given(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pki").join(name)).unwrap()
}

fn der(name: &str) -> Vec<u8> {
    pem::decode(std::str::from_utf8(&given(name)).unwrap()).unwrap().remove(0).contents.clone()
}

/// What CRLs tell of `server.pem`.
fn asked(paths: &PathValidator) -> Result<RevocationStatus, Doubt> {
    paths.validate(&[der("server.pem")], NOW).map(|validated| validated.revocation)
}

#[test]
fn reads_files_and_folders_in_pem_and_der() {
    let folder = Folder::new();
    folder.write("one.pem", &given("crl.pem"));
    folder.write("two.crl", &der("crl-of-server.pem"));
    folder.write(".hidden", b"no CRL");
    fs::create_dir(folder.0.join("below")).unwrap();
    let (_, crls) = CrlFiles::read(vec![folder.0.clone()]).unwrap();
    assert_eq!(crls.len(), 2);
    let (_, crls) = CrlFiles::read(vec![folder.0.join("one.pem"), folder.0.clone()]).unwrap();
    assert_eq!(crls.len(), 2, "a file that is named twice counts once");
}

#[test]
fn names_the_file_that_it_cannot_read() {
    let folder = Folder::new();
    folder.write("one.pem", &given("crl.pem"));
    folder.write("two.pem", &given("server.pem"));
    let error = CrlFiles::read(vec![folder.0.clone()]).unwrap_err();
    assert_eq!(error.to_string(), format!("{}: it has no CRL", folder.0.join("two.pem").display()));
    let missing = folder.0.join("missing");
    let error = CrlFiles::read(vec![missing.clone()]).unwrap_err();
    assert!(error.to_string().starts_with(&format!("cannot read {}: ", missing.display())));
}

#[test]
fn takes_up_what_has_changed_and_keeps_the_old_where_it_cannot() {
    let folder = Folder::new();
    let (mut files, crls) = CrlFiles::read(vec![folder.0.clone()]).unwrap();
    let paths = PathValidator::new(&[der("ca.pem")], &[] as &[Vec<u8>], Purpose::Any).unwrap();
    let paths = paths.with_crls(crls, RevocationPolicy::Hard);
    let mut look = || files.look_for(&paths);
    assert_eq!(asked(&paths), Err(Doubt::RevocationUnknown));
    look();
    assert_eq!(asked(&paths), Err(Doubt::RevocationUnknown));

    folder.write("crl.pem", &given("crl.pem"));
    look();
    assert_eq!(asked(&paths), Ok(RevocationStatus::Good));
    folder.write("crl.pem", &given("crl-of-server.pem"));
    look();
    assert_eq!(asked(&paths), Err(Doubt::CertificateRevoked));
    folder.write("another", b"not a CRL");
    folder.remove("crl.pem");
    look();
    assert_eq!(asked(&paths), Err(Doubt::CertificateRevoked));
    folder.write("another", &given("crl.pem"));
    look();
    assert_eq!(asked(&paths), Ok(RevocationStatus::Good));
    folder.remove("another");
    look();
    assert_eq!(asked(&paths), Err(Doubt::RevocationUnknown));
}

#[test]
fn complains_once_for_each_change() {
    let folder = Folder::new();
    folder.write("crl.pem", &given("crl.pem"));
    let (mut files, _) = CrlFiles::read(vec![folder.0.join("crl.pem")]).unwrap();
    assert!(files.look().unwrap().is_none());
    folder.write("crl.pem", b"-----BEGIN X509 CRL-----");
    assert!(files.look().is_err());
    assert!(files.look().unwrap().is_none());
    folder.remove("crl.pem");
    assert!(files.look().is_err());
    assert!(files.look().unwrap().is_none());
    folder.write("crl.pem", &given("crl.pem"));
    assert_eq!(files.look().unwrap().map(|crls| crls.len()), Some(1));
}
