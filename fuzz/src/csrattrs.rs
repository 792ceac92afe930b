//! CsrAttrs.

use est_core::pkix::{der, read_csr_attrs};
use est_testkit::der::sequence;

/// Reads CsrAttrs; the elements put together again are what was read.
pub fn run(input: &[u8]) {
    let Some(elements) = read_csr_attrs(input) else { return };
    assert!(elements.iter().all(|element| der::check(element).is_ok() && [0x06, 0x30].contains(&element[0])));
    assert_eq!(sequence(&elements.iter().map(Vec::as_slice).collect::<Vec<_>>()), input);
}
