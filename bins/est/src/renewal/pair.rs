//! A certificate file and a key file that change together.
//!
//! No file system renames two files at once. So the new certificate is written beside the old one first; from then on
//! the renewal counts as done, and the public keys tell the next start how far the renaming got. Where the second
//! renaming fails the first is taken back, so that a service finds a key and a certificate that fit each other.

use std::path::{Path, PathBuf};

use est_backends::Signer;
use est_core::pkix::Certificate;
use zeroize::Zeroizing;

use crate::file::{self, Readers};
use crate::key;
use crate::output::{Failure, note};

/// The two files in use, and their neighbours that end in `.new` and `.old`.
#[derive(Debug)]
pub(crate) struct Pair {
    certificate: PathBuf,
    key: PathBuf,
}

/// One change that the file system makes at once.
#[derive(Debug)]
enum Step {
    /// Copies one of the files in use to what ends in `.old`.
    Keep(PathBuf),
    /// Renames what ends in `.new` to the file in use.
    Use(PathBuf),
}

impl Pair {
    /// The pair at these paths, or where symbolic links at these paths lead.
    pub(crate) fn new(certificate: &Path, key: &Path) -> Self {
        Self { certificate: file::resolved(certificate), key: file::resolved(key) }
    }

    /// Where the new key waits for its certificate.
    pub(crate) fn new_key(&self) -> PathBuf {
        new(&self.key)
    }

    /// Who may read a key in the place of the one in use.
    pub(crate) fn key_readers(&self) -> Readers {
        Readers::like(&self.key, Readers::Owner)
    }

    /// Puts the certificate, PEM, in place, and the new key if the certificate is for that one.
    pub(crate) fn replace(&self, pem: &str) -> Result<(), Failure> {
        // Two runs at once, by a timer and by hand, put their certificates in place one after the other.
        let _lock = file::lock_folder(&self.certificate);
        file::write(&new(&self.certificate), pem, Readers::like(&self.certificate, Readers::Anyone))?;
        self.finish().map(|_| ())
    }

    /// Carries on with a replacement of which the new certificate has been written. Says whether there was one.
    pub(crate) fn finish_interrupted(&self) -> Result<bool, Failure> {
        let _lock = file::lock_folder(&self.certificate);
        self.finish()
    }

    fn finish(&self) -> Result<bool, Failure> {
        let Some(steps) = self.remaining()? else { return Ok(false) };
        self.carry_out(&steps, carry_out)?;
        Ok(true)
    }

    /// What is left to do of a replacement, if there is one.
    fn remaining(&self) -> Result<Option<Vec<Step>>, Failure> {
        let new_certificate = new(&self.certificate);
        if !new_certificate.exists() {
            return Ok(None);
        }
        let public_key = leaf(&new_certificate)?.public_key_der().to_vec();
        let is_for = |key: &Path| Ok(key.exists() && key::load(key)?.public_key().as_der() == public_key);
        let (certificate, key) = (self.certificate.clone(), self.key.clone());
        if is_for(&self.key)? {
            // Either the key stays, or it has been renamed already and the old pair is safe.
            let stays = leaf(&self.certificate)?.public_key_der() == public_key;
            let kept = stays.then(|| Step::Keep(certificate.clone()));
            return Ok(Some(kept.into_iter().chain([Step::Use(certificate)]).collect()));
        }
        if is_for(&self.new_key())? {
            // The old pair is complete as long as the key has not been renamed, so both copies are made before.
            let kept = [Step::Keep(certificate.clone()), Step::Keep(key.clone())];
            return Ok(Some(kept.into_iter().chain([Step::Use(key), Step::Use(certificate)]).collect()));
        }
        note(&format!("warning: {} fits no key here and is left alone", new_certificate.display()));
        file::rename(&new_certificate, &file::beside(&new_certificate, ".unused"))?;
        Ok(None)
    }

    fn carry_out(&self, steps: &[Step], mut one: impl FnMut(&Step) -> Result<(), Failure>) -> Result<(), Failure> {
        let mut has_new_key = false;
        for step in steps {
            if let Err(failure) = one(step) {
                if has_new_key {
                    self.take_back_key()?;
                }
                return Err(failure);
            }
            has_new_key |= matches!(step, Step::Use(path) if *path == self.key);
        }
        Ok(())
    }

    /// Puts the old key back, and the new one to where it waits. The new key is in both places for a moment: an
    /// interruption then goes on forwards.
    fn take_back_key(&self) -> Result<(), Failure> {
        let readers = self.key_readers();
        copy(&self.key, &self.new_key(), readers)?;
        copy(&file::beside(&self.key, ".old"), &self.key, readers)
    }
}

fn carry_out(step: &Step) -> Result<(), Failure> {
    match step {
        Step::Keep(path) => copy(path, &file::beside(path, ".old"), Readers::like(path, Readers::Owner)),
        Step::Use(path) => file::rename(&new(path), path),
    }
}

fn new(path: &Path) -> PathBuf {
    file::beside(path, ".new")
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
            let pair = Pair::new(&scratch.path("c.pem"), &scratch.path("c.key"));
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
        for done in 0..=4 {
            let files = Files::new(&format!("interrupted-after-{done}"));
            files.put("c.pem.new", &files.new.1);
            let steps = files.pair.remaining().unwrap().unwrap();
            assert_eq!(steps.len(), 4);
            steps[..done].iter().for_each(|step| carry_out(step).unwrap());
            assert_eq!(files.pair.finish_interrupted().unwrap(), done < 4);
            assert!(files.has_replaced(), "{done} steps were made");
        }
    }

    #[test]
    fn takes_the_key_back_where_the_certificate_cannot_be_put_in_place() {
        let files = Files::new("taken-back");
        files.put("c.pem.new", &files.new.1);
        let steps = files.pair.remaining().unwrap().unwrap();
        let fails_at_last = |step: &Step| match step {
            Step::Use(path) if *path == files.pair.certificate => Err(Failure::error("a full disk")),
            step => carry_out(step),
        };
        assert!(files.pair.carry_out(&steps, fails_at_last).is_err());
        assert_eq!((files.text("c.key"), files.text("c.pem")), (Some(files.old.0.clone()), Some(files.old.1.clone())));
        // The certificate is not lost: the next start uses it.
        assert!(files.pair.finish_interrupted().unwrap());
        assert!(
            files.text("c.key").as_ref() == Some(&files.new.0) && files.text("c.pem").as_ref() == Some(&files.new.1)
        );
    }

    #[test]
    fn goes_on_where_taking_the_key_back_was_interrupted() {
        let files = Files::new("half-taken-back");
        files.put("c.pem.new", &files.new.1);
        files.put("c.pem.old", &files.old.1);
        files.put("c.key.old", &files.old.0);
        files.put("c.key", &files.new.0);
        assert!(files.pair.finish_interrupted().unwrap());
        assert_eq!(
            (files.text("c.key"), files.text("c.key.old")),
            (Some(files.new.0.clone()), Some(files.old.0.clone()))
        );
        assert_eq!(
            (files.text("c.pem"), files.text("c.pem.old")),
            (Some(files.new.1.clone()), Some(files.old.1.clone()))
        );
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
