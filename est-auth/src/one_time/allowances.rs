//! What names passwords are good for, compiled once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use est_core::PortError;
use est_core::policy::Allowance;

/// So many patterns are kept; with more than that, all are forgotten and compiled again when they are needed.
const PATTERNS: usize = 2048;

/// Remembers allowances by how they are written. To compile one takes as long as its patterns like: nobody is to cause that
/// without the secret of the password that has them.
#[derive(Default)]
pub(super) struct Allowances(Mutex<Known>);

#[derive(Default)]
struct Known {
    allowances: HashMap<Vec<String>, Arc<Allowance>>,
    patterns: usize,
}

impl Allowances {
    /// The allowance that is written like this, if it is known already.
    pub(super) fn known(&self, names: &[String]) -> Option<Arc<Allowance>> {
        if names.is_empty() {
            return Some(Arc::default());
        }
        self.0.lock().unwrap_or_else(PoisonError::into_inner).allowances.get(names).cloned()
    }

    /// The allowance that is written like this; compiles it if it is not known.
    ///
    /// # Errors
    /// [`PortError`] when it cannot be read.
    pub(super) fn of(&self, names: &[String]) -> Result<Arc<Allowance>, PortError> {
        if let Some(known) = self.known(names) {
            return Ok(known);
        }
        let allowance = Allowance::parse(names)
            .map_err(|error| PortError(format!("the names that a password is for cannot be read: {error}")))?;
        let allowance = Arc::new(allowance);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.patterns + names.len() > PATTERNS {
            *known = Known::default();
        }
        known.patterns += names.len();
        known.allowances.insert(names.to_vec(), allowance.clone());
        Ok(allowance)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    #[test]
    fn compiles_an_allowance_once_and_keeps_a_bounded_number() {
        let allowances = Allowances::default();
        let names = |number: usize| vec![format!("dns:host-{number}.example"), "email:*@example.com".to_owned()];
        assert!(allowances.known(&names(0)).is_none());
        let first = allowances.of(&names(0)).unwrap();
        assert!(Arc::ptr_eq(&first, &allowances.of(&names(0)).unwrap()));
        for number in 0..PATTERNS {
            allowances.of(&names(number)).unwrap();
            let known = allowances.0.lock().unwrap();
            assert!(known.patterns <= PATTERNS && known.allowances.len() <= PATTERNS / 2);
        }
        assert!(allowances.known(&[]).unwrap().is_empty());
    }

    #[test]
    fn what_cannot_be_read_is_an_outage() {
        let error = Allowances::default().of(&["host.example".to_owned()]).unwrap_err();
        assert!(error.to_string().contains("host.example"), "{error}");
    }
}
