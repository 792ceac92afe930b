//! What the readers are compared with, and in what they are known to differ.

use est_core::pkix::{Extension, der};
use x509_cert::der::asn1::{AnyRef, ObjectIdentifier};
use x509_cert::der::{Decode, Encode};

use crate::mutation;

/// Compares extensions one by one.
///
/// # Panics
/// When they differ.
pub fn same_extensions(ours: &[Extension], theirs: &[x509_cert::ext::Extension]) {
    assert_eq!(ours.len(), theirs.len());
    for (ours, theirs) in ours.iter().zip(theirs) {
        assert_eq!(ours.id.as_der(), theirs.extn_id.to_der().expect("it was read"));
        assert_eq!((ours.critical, ours.value.as_slice()), (theirs.critical, theirs.extn_value.as_bytes()));
    }
}

/// A reason, and whether it holds for a value with this tag and these contents.
pub type Difference = (&'static str, fn(u8, &[u8]) -> bool);

/// Why `x509-cert` is known to refuse what we read: because of a value that stands somewhere in it.
pub const KNOWN_DIFFERENCES: [Difference; 5] = [
    ("it knows no object identifier with a first or a later arc of more than its integers hold", |tag, contents| {
        tag == 0x06 && ObjectIdentifier::from_bytes(contents).is_err()
    }),
    ("it takes serial numbers of 20 octets at most, we whatever stands there", |tag, contents| {
        tag == 0x02 && contents.len() > 20
    }),
    ("it knows no time before 1970, which we read as 1970", |tag, contents| match tag {
        0x17 => (b"50".as_slice()..b"70".as_slice()).contains(&&contents[..contents.len().min(2)]),
        0x18 => contents < b"1970".as_slice(),
        _ => false,
    }),
    ("it wants the attributes of a request, which we let clients leave out", |tag, contents| {
        tag == 0x30
            && contents.starts_with(b"\x02\x01\x00")
            && der::parts(contents).map(|part| part[0]).eq([0x02, 0x30, 0x30])
    }),
    ("it knows no universal type under this tag", |tag, _| {
        matches!(tag, 0x04..0x1f) && AnyRef::from_der(&[tag, 0]).is_err()
    }),
];

/// Finds the known difference that explains why `x509-cert` refuses `der`; `None` when none does.
#[must_use]
pub fn known_difference(der: &[u8]) -> Option<&'static str> {
    let mut found = None;
    mutation::visit(der, &mut |tag, contents| {
        let fitting = KNOWN_DIFFERENCES.iter().find(|(_, holds)| holds(tag, contents));
        found = found.or(fitting.map(|(reason, _)| *reason));
    });
    found
}
