//! Encrypted keys, as a client opens them.

use std::sync::LazyLock;

use est_backends::{RecipientKey, SymmetricKey, open};
use est_core::cms::{Enveloped, SignedData, read_key_package, write_key_package};
use zeroize::Zeroizing;

static OWN: LazyLock<RecipientKey> = LazyLock::new(own);

/// The key that the corpus is encrypted with.
///
/// # Panics
/// Never: it has 128 bits.
#[must_use]
pub fn key() -> SymmetricKey {
    SymmetricKey::new(Zeroizing::new(vec![7; 16])).expect("128 bits")
}

/// The same, as it opens.
#[must_use]
pub fn own() -> RecipientKey {
    key().into()
}

/// Reads the input as each layer, and opens it with a key that the corpus is encrypted with: where that is CBC, whatever
/// is flipped reaches the layers inside. What is read is written and read again as the same.
pub fn run(input: &[u8]) {
    if let Some(enveloped) = Enveloped::parse(input) {
        let whole = Enveloped { recipients: enveloped.recipients.clone(), ..enveloped };
        assert_eq!(Enveloped::parse(&whole.to_der()), Some(whole));
    }
    if let Some(signed) = SignedData::parse(input) {
        let again = SignedData::parse(&signed.to_der()).expect("what we wrote");
        assert_eq!((&again.package, &again.signature), (&signed.package, &signed.signature));
        assert_eq!((&again.certificate, again.digest), (&signed.certificate, signed.digest));
    }
    if let Some(key) = read_key_package(input) {
        assert_eq!(write_key_package(key).as_slice(), input);
    }
    if let Ok(opened) = open(input, &OWN) {
        assert!(opened.key.len() < input.len());
    }
}
