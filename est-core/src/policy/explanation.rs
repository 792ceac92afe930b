//! What was decided, in one line: for operators, and for the audit record.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{Plan, Profile};
use crate::Refusal;
use crate::pkix::{GeneralNames, KeyUsage, oid};

impl Plan {
    /// What will be issued, in one line.
    #[must_use]
    pub fn explanation(&self) -> String {
        let value =
            |id| self.extensions.iter().find(|extension| extension.id == id).map(|found| found.value.as_slice());
        let mut parts = Vec::from([format!("profile {}", self.profile), format!("subject {}", self.subject)]);
        parts.extend(value(oid::SUBJECT_ALT_NAME).and_then(GeneralNames::parse).map(|names| names.to_string()));
        parts.push(self.public_key.key_type().to_string());
        parts.extend(value(oid::KEY_USAGE).and_then(KeyUsage::from_der).map(|usage| usage.to_string()));
        parts.push(format!("valid {} to {}", self.not_before, self.not_after));
        parts.extend(self.remarks());
        parts.join("; ")
    }
}

impl Refusal {
    /// Why nothing is issued, and by which rule of `profile` or of which standard, in one line.
    #[must_use]
    pub fn explanation(&self, profile: &Profile) -> String {
        let code = self.row().code;
        let rule = self.rule().map(|rule| match (rule.keys, rule.standard) {
            ([], standard) => standard.to_string(),
            (keys, "") => format!("profile {}, {}", profile.name, keys.join(" or ")),
            (keys, standard) => format!("profile {}, {}; {standard}", profile.name, keys.join(" or ")),
        });
        let pattern = self.pattern().map(|pattern| format!("; it must match {pattern}")).unwrap_or_default();
        match rule {
            Some(rule) => format!("{code}: {self}{pattern} [{rule}]"),
            None => format!("{code}: {self}{pattern}"),
        }
    }
}
