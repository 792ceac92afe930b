//! A certificate file and a key file that change together.
//!
//! No file system renames two files at once. So the new certificate is written beside the old one first; from then on
//! the renewal counts as done, and whoever comes next can tell from the public keys how far the renaming got.

use std::path::{Path, PathBuf};

use est_backends::Signer;
use est_core::pkix::Certificate;
use zeroize::Zeroizing;

use crate::file::{self, Readers};
use crate::key;
use crate::output::{Failure, note};

/// The two files in use, and their neighbours that end in `.new` and `.old`.
#[derive(Debug)]
pub(super) struct Pair {
    certificate: PathBuf,
    key: PathBuf,
}

impl Pair {
    pub(super) fn new(certificate: PathBuf, key: PathBuf) -> Self {
        Self { certificate, key }
    }

    /// Where the new key waits for its certificate.
    pub(super) fn new_key(&self) -> PathBuf {
        file::beside(&self.key, ".new")
    }

    fn new_certificate(&self) -> PathBuf {
        file::beside(&self.certificate, ".new")
    }

    /// Puts the certificate, PEM, in place, and the new key if the certificate is for that one.
    pub(super) fn replace(&self, pem: &str) -> Result<(), Failure> {
        file::write(&self.new_certificate(), pem, Readers::Anyone)?;
        self.finish_interrupted().map(|_| ())
    }

    /// Carries on with a replacement of which the new certificate has been written. Says whether there was one.
    pub(super) fn finish_interrupted(&self) -> Result<bool, Failure> {
        let new_certificate = self.new_certificate();
        if !new_certificate.exists() {
            return Ok(false);
        }
        let public_key = leaf(&new_certificate)?.public_key_der().to_vec();
        let new_key = self.new_key();
        let is_for = |key: &Path| Ok(key.exists() && key::load(key)?.public_key().as_der() == public_key);
        if is_for(&new_key)? {
            // The old pair is complete as long as the key has not been renamed, so both copies are made before.
            copy(&self.certificate, &file::beside(&self.certificate, ".old"), Readers::Anyone)?;
            copy(&self.key, &file::beside(&self.key, ".old"), Readers::Owner)?;
            file::rename(&new_key, &self.key)?;
        } else if is_for(&self.key)? {
            // Either the key stays, or it has been renamed already and the old pair is safe.
            if leaf(&self.certificate)?.public_key_der() == public_key {
                copy(&self.certificate, &file::beside(&self.certificate, ".old"), Readers::Anyone)?;
            }
        } else {
            note(&format!("warning: {} fits no key here and is left alone", new_certificate.display()));
            let aside = file::beside(&new_certificate, ".unused");
            file::rename(&new_certificate, &aside)?;
            return Ok(false);
        }
        file::rename(&new_certificate, &self.certificate)?;
        Ok(true)
    }
}

fn leaf(path: &Path) -> Result<Certificate, Failure> {
    let certificates = file::read_certificates(path)?;
    Certificate::parse(&certificates[0]).map_err(|error| Failure::error(format!("{}: {error}", path.display())))
}

fn copy(from: &Path, to: &Path, readers: Readers) -> Result<(), Failure> {
    let contents = Zeroizing::new(file::read_text(from)?);
    file::write(to, &contents, readers)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use std::fs;

    use est_backends::FileSigner;
    use est_core::pkix::KeyType;

    use super::*;
    use crate::file::Scratch;
    use crate::issued::tests::certificate;

    /// A key's PEM and its certificate's.
    fn make(subject: &str) -> (String, String) {
        let (signer, key) = FileSigner::generate(KeyType::EcdsaP256).unwrap();
        let certificate = certificate(&signer, subject);
        (key.to_string(), file::certificates_to_pem([certificate.as_slice()]))
    }

    struct Files {
        scratch: Scratch,
        pair: Pair,
        old: (String, String),
        new: (String, String),
    }

    impl Files {
        /// An old pair in place and a new key beside it.
        fn new(test: &str) -> Self {
            let scratch = Scratch::new(test);
            let pair = Pair::new(scratch.path("c.pem"), scratch.path("c.key"));
            let files = Self { scratch, pair, old: make("CN=old"), new: make("CN=new") };
            files.put("c.key", &files.old.0);
            files.put("c.pem", &files.old.1);
            files.put("c.key.new", &files.new.0);
            files
        }

        fn put(&self, name: &str, text: &str) {
            file::write(&self.scratch.path(name), text, Readers::Owner).unwrap();
        }

        fn text(&self, name: &str) -> Option<String> {
            fs::read_to_string(self.scratch.path(name)).ok()
        }

        fn has_replaced(&self) -> bool {
            self.text("c.key").as_ref() == Some(&self.new.0)
                && self.text("c.pem").as_ref() == Some(&self.new.1)
                && self.text("c.key.old").as_ref() == Some(&self.old.0)
                && self.text("c.pem.old").as_ref() == Some(&self.old.1)
                && self.text("c.key.new").is_none()
                && self.text("c.pem.new").is_none()
        }
    }

    #[test]
    fn replaces_both_and_keeps_the_old_ones() {
        let files = Files::new("pair");
        files.pair.replace(&files.new.1).unwrap();
        assert!(files.has_replaced());
        assert!(!files.pair.finish_interrupted().unwrap());
    }

    #[test]
    fn carries_on_wherever_it_was_interrupted() {
        let files = Files::new("interrupted-before");
        files.put("c.pem.new", &files.new.1);
        assert!(files.pair.finish_interrupted().unwrap());
        assert!(files.has_replaced(), "nothing but the new certificate had been written");

        let files = Files::new("interrupted-between");
        files.put("c.pem.new", &files.new.1);
        files.put("c.pem.old", &files.old.1);
        files.put("c.key.old", &files.old.0);
        fs::rename(files.scratch.path("c.key.new"), files.scratch.path("c.key")).unwrap();
        assert!(files.pair.finish_interrupted().unwrap());
        assert!(files.has_replaced(), "the key had been renamed");
    }

    #[test]
    fn leaves_a_pair_alone_whose_certificate_has_not_come() {
        let files = Files::new("pending");
        assert!(!files.pair.finish_interrupted().unwrap());
        assert_eq!(files.text("c.pem"), Some(files.old.1.clone()));
        assert_eq!(files.text("c.key.new"), Some(files.new.0.clone()));
    }

    #[test]
    fn keeps_the_key_where_the_certificate_is_for_it() {
        let files = Files::new("keep-key");
        let signer = FileSigner::from_pem(&files.old.0, None).unwrap();
        let renewed = file::certificates_to_pem([certificate(&signer, "CN=renewed").as_slice()]);
        files.pair.replace(&renewed).unwrap();
        assert_eq!(files.text("c.pem"), Some(renewed));
        assert_eq!(files.text("c.pem.old"), Some(files.old.1.clone()));
        assert_eq!((files.text("c.key"), files.text("c.key.old")), (Some(files.old.0.clone()), None));
    }

    #[test]
    fn sets_a_certificate_aside_that_fits_no_key() {
        let files = Files::new("strange");
        files.put("c.pem.new", &make("CN=strange").1);
        assert!(!files.pair.finish_interrupted().unwrap());
        assert_eq!(files.text("c.pem"), Some(files.old.1.clone()));
        assert!(files.text("c.pem.new").is_none() && files.text("c.pem.new.unused").is_some());
    }
}
