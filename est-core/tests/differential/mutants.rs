//! What becomes of an input when one octet of it is another, or its end is missing. Nothing is drawn at random.

use est_core::pkix::der;

use crate::corpus::Kind;
use crate::mutation::length_of_first;

/// What mutants are made of: between them they hold every kind of key, name and extension that fits into few octets.
pub(crate) const SEEDS: [(Kind, &str); 7] = [
    (Kind::Csr, "ecdsa-p256"),
    (Kind::Csr, "ed25519"),
    (Kind::Csr, "every-kind-of-name"),
    (Kind::Csr, "microsoft"),
    (Kind::Certificate, "leaf"),
    (Kind::Certificate, "ca-ecdsa-p256"),
    (Kind::Certificate, "openssl-past-2049"),
];

/// Every mutant, with what was done.
pub(crate) fn of(seed: &[u8]) -> impl Iterator<Item = (String, Vec<u8>)> {
    let with = |at: usize, octet: u8| {
        let mut mutant = seed.to_vec();
        mutant[at] = octet;
        (format!("octet {at} is {octet:#04x}"), mutant)
    };
    let flips = (0..seed.len()).flat_map(move |at| {
        let masks = (0..8).map(|bit| 1 << bit).chain([0xff]);
        masks.map(move |mask: u8| with(at, seed[at] ^ mask))
    });
    let cuts = (0..seed.len()).map(|end| (format!("it ends after {end} octets"), seed[..end].to_vec()));
    let mut heads = Vec::new();
    find_heads(seed, 0, &mut heads);
    let heads = heads.into_iter().flat_map(move |at| {
        // The flips are among the first.
        let others = (0..=255).filter(move |octet: &u8| !matches!((octet ^ seed[at]).count_ones(), 0 | 1 | 8));
        others.map(move |octet| with(at, octet))
    });
    flips.chain(cuts).chain(heads)
}

/// Finds where tags and lengths stand in one value, within what strings wrap too.
fn find_heads(value: &[u8], start: usize, heads: &mut Vec<usize>) {
    let contents = der::contents(value);
    let head = value.len() - contents.len();
    heads.extend(start..start + head);
    let skipped = match value[0] {
        tag if tag & 0x20 != 0 => 0,
        0x04 if der::check(contents).is_ok() => 0,
        0x03 if der::check(&contents[1..]).is_ok() => 1,
        _ => return,
    };
    let mut at = skipped;
    while at < contents.len() {
        let end = at + length_of_first(&contents[at..]);
        find_heads(&contents[at..end], start + head + at, heads);
        at = end;
    }
}
