//! Points on the NIST curves: full validation (NIST SP 800-56A §5.6.2.3.3). The curves have cofactor 1, so that every
//! point on them but the one at infinity is of the right order.

use num_bigint::BigUint;

use super::KeyError;

/// A curve y² = x³ − 3x + b over the integers modulo p (NIST SP 800-186 §3.2.1), in hexadecimal.
pub(super) struct Curve {
    /// The length of a coordinate in octets.
    length: usize,
    p: &'static [u8],
    b: &'static [u8],
}

pub(super) const P256: Curve = Curve {
    length: 32,
    p: b"ffffffff00000001000000000000000000000000ffffffffffffffffffffffff",
    b: b"5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b",
};

pub(super) const P384: Curve = Curve {
    length: 48,
    p: b"fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000ffffffff",
    b: b"b3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aef",
};

pub(super) const P521: Curve = Curve {
    length: 66,
    p: b"01ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff\
         ffffffffffffffffffffffffffffffffffff",
    b: b"0051953eb9618e1c9a1f929a21a0b68540eea2da725b99b315f3b8b489918ef109e156193951ec7e937b1652c0bd3bb1\
         bf073573df883d2c34f1ef451fd46b503f00",
};

impl Curve {
    /// Checks an ECPoint (SEC 1 §2.3.3): in uncompressed form, its coordinates below p, on the curve.
    pub(super) fn check(&self, point: &[u8]) -> Result<(), KeyError> {
        let coordinates = match point {
            [0] => return Err(KeyError::EcInfinity),
            [2 | 3, ..] => return Err(KeyError::EcCompressed),
            [4, coordinates @ ..] if coordinates.len() == 2 * self.length => coordinates,
            _ => return Err(KeyError::EcForm),
        };
        let (x, y) = coordinates.split_at(self.length);
        let [x, y] = [x, y].map(BigUint::from_bytes_be);
        let [p, b] = [self.p, self.b].map(|digits| BigUint::parse_bytes(digits, 16).expect("hexadecimal digits"));
        if x >= p || y >= p {
            return Err(KeyError::EcCoordinate);
        }
        // p − 3 stands for −3.
        let right = (&x * &x + &p - 3_u32) * &x + b;
        if &y * &y % &p == right % p { Ok(()) } else { Err(KeyError::EcNotOnCurve) }
    }
}
