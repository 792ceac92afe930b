//! Digests of rows in records: a record of a row that decides something says what the row is, beside what words tell.

use std::fmt;

use sha2::{Digest as _, Sha256};

use super::chain::field;
use crate::value::Value;

/// What is hashed for a row, before the name of its table and its columns.
const ROW: &[u8] = b"ohia row 1";

/// A digest of those columns of a row that nothing changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seal([u8; 32]);

impl Seal {
    /// That of these columns of a row of the table.
    pub(crate) fn of(table: &str, columns: &[Value<'_>]) -> Self {
        let mut octets = ROW.to_vec();
        field(&mut octets, Some(table.as_bytes()));
        for column in columns {
            match column {
                Value::Null => field(&mut octets, None),
                Value::Integer(number) => field(&mut octets, Some(&number.to_be_bytes())),
                Value::Text(text) => field(&mut octets, Some(text.as_bytes())),
                Value::Octets(value) => field(&mut octets, Some(value)),
            }
        }
        Self(Sha256::digest(octets).into())
    }

    /// Splits a text in which a seal follows the first word: into the word, the seal if there is one, and the rest.
    pub(crate) fn split(text: &str) -> (&str, Option<Self>, &str) {
        let end = text.find([' ', ':']).unwrap_or(text.len());
        let (word, rest) = text.split_at(end);
        let sealed = rest.strip_prefix(" (sha-256:").and_then(|rest| rest.split_once(')'));
        match sealed.and_then(|(hex, rest)| Some((Self(read(hex)?), rest))) {
            Some((seal, rest)) => (word, Some(seal), rest),
            None => (word, None, rest),
        }
    }
}

/// `(sha-256:5e1c…)`.
impl fmt::Display for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(sha-256:")?;
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))?;
        f.write_str(")")
    }
}

/// Reads 32 octets in hexadecimal.
pub(super) fn read(hex: &str) -> Option<[u8; 32]> {
    let digit = |octet: u8| char::from(octet).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, []) = hex.as_bytes().as_chunks::<2>() else { return None };
    let octets: Vec<u8> =
        pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect::<Option<_>>()?;
    octets.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::values;

    #[test]
    fn is_read_as_it_is_written() {
        let seal = Seal::of("passwords", &values!["hash", None::<&str>, 7_i64]);
        assert_eq!(Seal::split(&format!("p1 {seal} of device-1")), ("p1", Some(seal), " of device-1"));
        assert_eq!(Seal::split(&format!("7k3m-p2qx {seal}: CN=a")), ("7k3m-p2qx", Some(seal), ": CN=a"));
        // As earlier versions wrote it.
        assert_eq!(Seal::split("p1 of device-1"), ("p1", None, " of device-1"));
        assert_eq!(Seal::split("7k3m-p2qx: CN=a"), ("7k3m-p2qx", None, ": CN=a"));
        assert_eq!(Seal::split("p1"), ("p1", None, ""));
        assert_eq!(Seal::split("p1 (sha-256:00) of a").1, None);
    }

    #[test]
    fn no_two_rows_have_the_same() {
        let rows = [values!["a", "b"], values!["ab", ""], values![None::<&str>, "ab"], values!["ab", None::<&str>]];
        let seals: Vec<_> = rows.iter().map(|row| Seal::of("t", row)).chain([Seal::of("u", &rows[0])]).collect();
        for (index, seal) in seals.iter().enumerate() {
            assert!(!seals[index + 1..].contains(seal), "{index}");
        }
    }
}
