//! In what two names differ: for people.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{Name, NameAttribute, Value, keyword};

impl Name {
    /// In what `other` differs from this name, as a clause with `other` as "the subject"; `None` if the octets are the
    /// same.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Option<String> {
        if self == other {
            return None;
        }
        let (own, others) = (&self.attributes, &other.attributes);
        if own.len() == others.len() {
            let in_their_places = own.iter().zip(others).all(|(own, other)| is_same(own, other));
            let is_regrouped = joined(own) != joined(others);
            if in_their_places || sorted(own) == sorted(others) {
                let what = if in_their_places || is_regrouped {
                    "the subject puts its attributes into other RDNs"
                } else {
                    "the subject has its attributes in another order"
                };
                return Some(what.to_string());
            }
        }
        let pairs = own.iter().zip(others);
        match pairs.clone().find(|(own, other)| !is_same(own, other)) {
            Some((own, other)) if own.id == other.id => Some(of_values(own, other)),
            Some((own, other)) => {
                Some(format!("the subject has {} where {} is expected", keyword(&other.id), keyword(&own.id)))
            }
            None => {
                let shared = pairs.count();
                let added = others.get(shared).map(|one| format!("the subject has another {}", keyword(&one.id)));
                let missing = || own.get(shared).map(|one| format!("the subject lacks {}", keyword(&one.id)));
                added.or_else(missing).or_else(|| Some("the subject is encoded differently".to_string()))
            }
        }
    }
}

fn is_same(one: &NameAttribute, other: &NameAttribute) -> bool {
    one.id == other.id && one.value == other.value
}

fn joined(attributes: &[NameAttribute]) -> usize {
    attributes.iter().filter(|attribute| attribute.joined).count()
}

fn sorted(attributes: &[NameAttribute]) -> Vec<(&[u8], String)> {
    let mut texts: Vec<_> = attributes.iter().map(|one| (one.id.as_der(), format!("{:?}", one.value))).collect();
    texts.sort_unstable();
    texts
}

/// Two values of one attribute that are not the same.
fn of_values(own: &NameAttribute, other: &NameAttribute) -> String {
    let name = keyword(&own.id);
    match (&own.value, &other.value) {
        (Value::Text(own_type, own), Value::Text(other_type, other)) if own == other => {
            format!("the subject's {name} is a {}, not a {}", other_type, own_type)
        }
        (Value::Text(_, own), Value::Text(_, other)) if own.to_lowercase() == other.to_lowercase() => {
            format!("the subject's {name} differs in upper and lower case")
        }
        (Value::Text(_, own), Value::Text(_, other)) if own.split_whitespace().eq(other.split_whitespace()) => {
            format!("the subject's {name} differs in its spaces")
        }
        (Value::Text(..), Value::Text(..)) => format!("the subject's {name} is another"),
        (Value::Other(own), Value::Other(other)) if own.first() == other.first() => {
            format!("the subject's {name} is another")
        }
        (own, other) => format!("the subject's {name} is a {}, not a {}", described(other), described(own)),
    }
}

fn described(value: &Value) -> String {
    match value {
        Value::Text(string_type, _) => string_type.to_string(),
        Value::Other(_) => "value of another type".to_string(),
    }
}
