//! RSA keys that somebody can factor (CA/Browser Forum BR §6.1.1.3, §6.1.5 and §6.1.6).

use alloc::vec::Vec;

use num_bigint::BigUint;

use super::{KeyError, KeyType};
use crate::pkix::{asn1, der};

/// The primes modulo which a ROCA modulus is a power of 65537; of the other moduli one in 2^28 is, for all of them.
const ROCA_PRIMES: [u32; 17] = [11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157];

/// How many steps of Fermat's method a modulus must withstand.
const FERMAT_ROUNDS: u32 = 100;

/// The odd primes below 752.
const SMALL_PRIMES: [u32; 132] = small_primes();

/// Moduli with a mask of their squares: a number that is no square passes all of them once in some thousand times.
const SQUARES: [(u32, u128); 9] = squares([64, 63, 65, 11, 17, 19, 23, 29, 31]);

/// Odd exponents, each with primes of the form 2kq + 1, modulo which few numbers are q-th powers.
const POWERS: [(u32, &[u32]); 3] =
    [(3, &[7, 13, 19, 31, 37, 43, 61]), (5, &[11, 31, 41, 61, 71]), (7, &[29, 43, 71, 113])];

/// Checks an RSAPublicKey: a modulus of 2048 to 4096 bits in whole octets that no known method factors quickly, and an
/// odd exponent from 65537 on.
pub(super) fn check(key: &[u8]) -> Result<KeyType, KeyError> {
    let key: asn1::RsaPublicKey = asn1::decode(key).map_err(|_| KeyError::Malformed)?;
    let (modulus, exponent) = (unsigned(key.modulus.as_bytes())?, unsigned(key.exponent.as_bytes())?);
    let leading = modulus.first().map_or(0, |octet| octet.leading_zeros() as usize);
    let bits = modulus.len() * 8 - leading;
    if !(2048..=4096).contains(&bits) || bits % 8 != 0 {
        return Err(KeyError::RsaSize { bits });
    }
    let is_odd = |number: &[u8]| number.last().is_some_and(|octet| octet & 1 == 1);
    if !is_odd(modulus) {
        return Err(KeyError::RsaEvenModulus);
    }
    let is_small = exponent.len() < 3 || exponent.len() == 3 && exponent < [0x01, 0x00, 0x01].as_slice();
    if !is_odd(exponent) || is_small || exponent.len() > 32 {
        return Err(KeyError::RsaExponent);
    }
    Modulus::new(modulus).withstands()?;
    Ok(KeyType::Rsa(u16::try_from(bits).expect("at most 4096")))
}

/// The magnitude of a DER INTEGER that is not negative.
fn unsigned(integer: &[u8]) -> Result<&[u8], KeyError> {
    match (integer.first(), der::contents(integer)) {
        (Some(0x02), [first, ..]) if first & 0x80 != 0 => Err(KeyError::RsaNegative),
        (Some(0x02), [0, rest @ ..]) => Ok(rest),
        (Some(0x02), contents) => Ok(contents),
        _ => Err(KeyError::Malformed),
    }
}

/// An odd modulus, as a number and in digits from the lowest on.
struct Modulus {
    number: BigUint,
    digits: Vec<u32>,
}

impl Modulus {
    fn new(octets: &[u8]) -> Self {
        let number = BigUint::from_bytes_be(octets);
        Self { digits: number.to_u32_digits(), number }
    }

    /// The cheap checks come first; none takes longer than the square root in the last.
    fn withstands(&self) -> Result<(), KeyError> {
        if let Some(factor) = self.small_factor() {
            return Err(KeyError::RsaSmallFactor { factor });
        }
        if self.is_of_roca() {
            return Err(KeyError::RsaRoca);
        }
        if let Some((exponent, _)) = POWERS.iter().find(|(exponent, primes)| self.is_power(*exponent, primes)) {
            return Err(KeyError::RsaPower { exponent: *exponent });
        }
        self.withstands_fermat()
    }

    fn small_factor(&self) -> Option<u32> {
        // Three primes at a time: their product still fits into 32 bits.
        let shared = SMALL_PRIMES.chunks(3).find_map(|primes| {
            let rest = residue(&self.digits, primes.iter().product());
            primes.iter().find(|prime| rest.is_multiple_of(**prime))
        });
        shared.copied()
    }

    /// Whether the modulus is a power of 65537 modulo each of the primes, as both its factors are when Infineon's
    /// RSALib made them: k·M + (65537^a mod M), where M is a product of the first primes.
    fn is_of_roca(&self) -> bool {
        ROCA_PRIMES.iter().all(|prime| {
            let rest = residue(&self.digits, *prime);
            let mut power = 1;
            (1..*prime).any(|_| {
                power = power * 65537 % prime;
                power == rest
            })
        })
    }

    fn is_power(&self, exponent: u32, primes: &[u32]) -> bool {
        let may_be =
            primes.iter().all(|prime| power(residue(&self.digits, *prime), (prime - 1) / exponent, *prime) == 1);
        may_be && self.number.nth_root(exponent).pow(exponent) == self.number
    }

    /// Looks for a near the square root of the modulus such that a² − n is a square, b²: then n is (a + b)(a − b).
    fn withstands_fermat(&self) -> Result<(), KeyError> {
        let floor = self.number.sqrt();
        if &floor * &floor == self.number {
            return Err(KeyError::RsaPower { exponent: 2 });
        }
        let first = floor + 1_u32;
        let digits = first.to_u32_digits();
        let residues = SQUARES.map(|(modulus, _)| (residue(&digits, modulus), residue(&self.digits, modulus)));
        let is_factored = (0..FERMAT_ROUNDS).any(|round| {
            let may_be = SQUARES.iter().zip(residues).all(|((modulus, squares), (a, n))| {
                let a = (a + round) % modulus;
                squares >> ((a * a + modulus - n) % modulus) & 1 == 1
            });
            may_be && {
                let a = &first + round;
                let difference = &a * &a - &self.number;
                let b = difference.sqrt();
                &b * &b == difference
            }
        });
        if is_factored { Err(KeyError::RsaClosePrimes) } else { Ok(()) }
    }
}

/// What is left of a number after division.
fn residue(digits: &[u32], divisor: u32) -> u32 {
    let divisor = u64::from(divisor);
    let rest = digits.iter().rev().fold(0, |rest, digit| (rest << 32 | u64::from(*digit)) % divisor);
    u32::try_from(rest).expect("less than the divisor")
}

/// A number to a power, modulo one of less than 16 bits.
fn power(base: u32, exponent: u32, modulus: u32) -> u32 {
    (0..exponent).fold(1, |product, _| product * base % modulus)
}

const fn small_primes() -> [u32; 132] {
    let (mut primes, mut length, mut candidate) = ([0; 132], 0, 3);
    while length < primes.len() {
        let mut factor = 3;
        while factor * factor <= candidate && candidate % factor != 0 {
            factor += 2;
        }
        if factor * factor > candidate {
            primes[length] = candidate;
            length += 1;
        }
        candidate += 2;
    }
    primes
}

const fn squares<const N: usize>(moduli: [u32; N]) -> [(u32, u128); N] {
    let (mut listed, mut index) = ([(0, 0); N], 0);
    while index < N {
        let (modulus, mut mask, mut root) = (moduli[index], 0, 0);
        while root < modulus {
            mask |= 1 << (root * root % modulus);
            root += 1;
        }
        listed[index] = (modulus, mask);
        index += 1;
    }
    listed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_small_primes_end_with_751() {
        assert_eq!((SMALL_PRIMES[0], SMALL_PRIMES[131]), (3, 751));
    }
}
