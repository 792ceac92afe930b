//! Points on edwards25519 (RFC 8032 §5.1).

use num_bigint::BigUint;

use super::KeyError;

/// The curve's constant d (RFC 8032 §5.1), in hexadecimal.
const D: &[u8] = b"52036cee2b6ffe738cc740797779e89800700a4d4141d8ab75eb4dca135978a3";

/// The y coordinates of the points of order 8, little-endian; those of the others of small order are 0, 1 and −1.
const ORDER_8: [[u8; 32]; 2] = [
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf,
        0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20,
        0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
];

/// Checks an Ed25519 public key: not of small order, in canonical form, on the curve.
pub(super) fn check(key: &[u8]) -> Result<(), KeyError> {
    let mut y = <[u8; 32]>::try_from(key).map_err(|_| KeyError::Length)?;
    y[31] &= 0x7f;
    if is_of_small_order(&y) {
        return Err(KeyError::Ed25519SmallOrder);
    }
    let (y, p) = (BigUint::from_bytes_le(&y), (BigUint::from(1_u32) << 255_u32) - 19_u32);
    if y >= p {
        return Err(KeyError::Ed25519NotCanonical);
    }
    // x² is (y² − 1) / (dy² + 1) (RFC 8032 §5.1.3): a square when the product of the two is one, by Euler's criterion.
    let d = BigUint::parse_bytes(D, 16).expect("hexadecimal digits");
    let squared = &y * &y % &p;
    let product = (&squared + &p - 1_u32) * (d * squared + 1_u32);
    let is_square = product.modpow(&((&p - 1_u32) >> 1_u32), &p) == BigUint::from(1_u32);
    if is_square { Ok(()) } else { Err(KeyError::Ed25519NotOnCurve) }
}

/// Whether y is that of one of the few points for which anybody can make signatures that verify, so that none proves
/// possession; also where it is not reduced modulo 2^255 − 19.
fn is_of_small_order(y: &[u8; 32]) -> bool {
    let is_wide = y[31] == 0x7f && y[1..31].iter().all(|octet| *octet == 0xff);
    // 0, 1; p − 1, p, p + 1.
    let is_plain = y[1..].iter().all(|octet| *octet == 0) && y[0] <= 1 || is_wide && (0xec..=0xee).contains(&y[0]);
    is_plain || ORDER_8.contains(y)
}
