//! The strict walker: what it accepts is canonical and small.

use est_core::pkix::der::{self, MAX_DEPTH, MAX_VALUES};
use est_testkit::der::value;

use crate::mutation::length_of_first;

/// Checks that accepted octets are exactly what writing them again gives, within the walker's limits.
pub fn run(input: &[u8]) {
    if der::check(input).is_err() {
        return;
    }
    let mut values = 0;
    assert_eq!(rewritten(input, 0, &mut values), input, "not in the one form that DER has");
    assert!(values <= MAX_VALUES, "{values} values");
    assert!(input.ends_with(der::contents(input)));
    for end in 0..input.len().min(64) {
        assert!(der::check(&input[..end]).is_err(), "a part of one value is no value");
    }
}

/// Takes one value apart and writes it again with the shortest lengths.
fn rewritten(input: &[u8], depth: usize, values: &mut usize) -> Vec<u8> {
    assert!(depth <= MAX_DEPTH, "nested {depth} deep");
    *values += 1;
    let contents = der::contents(input);
    if input[0] & 0x20 == 0 {
        return value(input[0], &[contents]);
    }
    let (mut parts, mut rest) = (Vec::new(), contents);
    while !rest.is_empty() {
        let end = length_of_first(rest);
        parts.push(rewritten(&rest[..end], depth + 1, values));
        rest = &rest[end..];
    }
    value(input[0], &parts.iter().map(Vec::as_slice).collect::<Vec<_>>())
}
