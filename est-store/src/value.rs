//! What goes into a statement and what comes out of it: the four kinds of value that every database has.

use std::borrow::Cow;
use std::fmt;

use crate::StoreError;

/// A value in a statement or in a row.
#[derive(Clone, PartialEq)]
pub(crate) enum Value<'a> {
    Null,
    Integer(i64),
    Text(Cow<'a, str>),
    Octets(Cow<'a, [u8]>),
}

/// Tells the kind alone: a value can be the hash of a password.
impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "NULL",
            Self::Integer(_) => "an integer",
            Self::Text(_) => "a text",
            Self::Octets(_) => "octets",
        })
    }
}

/// The values of a statement's parameters, in the order of their numbers.
macro_rules! values {
    ($($value:expr),* $(,)?) => { [$($crate::value::Value::from($value)),*] };
}
pub(crate) use values;

impl Value<'_> {
    /// The same, with everything that it borrowed.
    pub(crate) fn into_owned(self) -> Value<'static> {
        match self {
            Value::Null => Value::Null,
            Value::Integer(number) => Value::Integer(number),
            Value::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
            Value::Octets(octets) => Value::Octets(Cow::Owned(octets.into_owned())),
        }
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<u32> for Value<'_> {
    fn from(number: u32) -> Self {
        Self::Integer(number.into())
    }
}

impl From<u8> for Value<'_> {
    fn from(number: u8) -> Self {
        Self::Integer(number.into())
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl<'a> From<Cow<'a, str>> for Value<'a> {
    fn from(text: Cow<'a, str>) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(octets: &'a [u8]) -> Self {
        Self::Octets(Cow::Borrowed(octets))
    }
}

impl From<Vec<u8>> for Value<'_> {
    fn from(octets: Vec<u8>) -> Self {
        Self::Octets(Cow::Owned(octets))
    }
}

impl<'a> From<&'a Vec<u8>> for Value<'a> {
    fn from(octets: &'a Vec<u8>) -> Self {
        Self::Octets(Cow::Borrowed(octets))
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Value<'a> {
    fn from(octets: &'a [u8; N]) -> Self {
        Self::Octets(Cow::Borrowed(octets))
    }
}

impl<const N: usize> From<[u8; N]> for Value<'_> {
    fn from(octets: [u8; N]) -> Self {
        Self::Octets(Cow::Owned(octets.to_vec()))
    }
}

impl<'a, T> From<Option<T>> for Value<'a>
where
    T: Into<Self>,
{
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl<'a> From<&'a Option<String>> for Value<'a> {
    fn from(text: &'a Option<String>) -> Self {
        text.as_deref().into()
    }
}

/// A row of an answer.
pub(crate) struct Row(pub(crate) Vec<Value<'static>>);

impl Row {
    /// Takes the value of a column out of the row.
    ///
    /// # Errors
    /// [`StoreError::Database`] when there is no such column or it holds something else.
    pub(crate) fn take<T: FromValue>(&mut self, column: usize) -> Result<T, StoreError> {
        let value = self.0.get_mut(column).map(|value| std::mem::replace(value, Value::Null));
        value
            .and_then(T::from_value)
            .ok_or_else(|| StoreError::Database(format!("column {column} holds something else").into()))
    }
}

/// What can be read from a column.
pub(crate) trait FromValue: Sized {
    /// Reads it; `None` when the column holds something else.
    fn from_value(value: Value<'static>) -> Option<Self>;
}

impl FromValue for i64 {
    fn from_value(value: Value<'static>) -> Option<Self> {
        match value {
            Value::Integer(number) => Some(number),
            _ => None,
        }
    }
}

impl FromValue for u64 {
    fn from_value(value: Value<'static>) -> Option<Self> {
        i64::from_value(value)?.try_into().ok()
    }
}

impl FromValue for u32 {
    fn from_value(value: Value<'static>) -> Option<Self> {
        i64::from_value(value)?.try_into().ok()
    }
}

impl FromValue for u8 {
    fn from_value(value: Value<'static>) -> Option<Self> {
        i64::from_value(value)?.try_into().ok()
    }
}

impl FromValue for bool {
    fn from_value(value: Value<'static>) -> Option<Self> {
        i64::from_value(value).map(|number| number != 0)
    }
}

impl FromValue for String {
    fn from_value(value: Value<'static>) -> Option<Self> {
        match value {
            Value::Text(text) => Some(text.into_owned()),
            _ => None,
        }
    }
}

impl FromValue for Vec<u8> {
    fn from_value(value: Value<'static>) -> Option<Self> {
        match value {
            Value::Octets(octets) => Some(octets.into_owned()),
            _ => None,
        }
    }
}

impl<const N: usize> FromValue for [u8; N] {
    fn from_value(value: Value<'static>) -> Option<Self> {
        match value {
            Value::Octets(octets) => octets.as_ref().try_into().ok(),
            _ => None,
        }
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: Value<'static>) -> Option<Self> {
        match value {
            Value::Null => Some(None),
            value => T::from_value(value).map(Some),
        }
    }
}
