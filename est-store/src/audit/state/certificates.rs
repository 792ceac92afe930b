//! Certificates: whether their rows say what they say themselves, and what is on record.

use est_core::pkix::{self, Fingerprint, RevocationReason};

use super::rows::{Certificate, Tables};
use super::told::{Issued, Told};
use super::{Fault, Mismatch};
use crate::database::seconds;
use crate::{ConfiguredCa, SerialNumber};

const VALID: &str = "not revoked";

impl Told {
    pub(super) fn compare_certificate(
        &mut self,
        row: &Certificate,
        tables: &Tables,
        cas: &[ConfiguredCa],
    ) -> Vec<Mismatch> {
        let parsed = pkix::Certificate::parse(&row.der).ok();
        let fingerprint = match &parsed {
            Some(parsed) if !self.certificates.contains_key(&row.fingerprint) => parsed.fingerprint().0,
            _ => row.fingerprint,
        };
        let mut faults = match &parsed {
            // The row is that of another certificate.
            Some(parsed) if parsed.fingerprint().0 != fingerprint => vec![Fault::Misfit { column: "certificates.der" }],
            Some(parsed) => misfits(row, parsed),
            None => vec![Fault::Misfit { column: "certificates.der" }],
        };
        if let Some(parsed) = &parsed
            && !is_of_its_ca(row, parsed, tables, cas)
        {
            faults.push(Fault::Misfit { column: "certificates.ca, or the row of authorities that it names," });
        }
        let ca = tables.ca(&row.authority);
        let is_of_the_ca = |issued: &Issued| issued.ca.as_deref().is_none_or(|then| self.may_be_called(then, ca));
        faults.extend(match self.certificates.get(&fingerprint) {
            None => vec![Fault::NotRecorded],
            Some(issued) => {
                let mut faults = self.differences(row, issued);
                if !is_of_the_ca(issued) {
                    let recorded = format!("of {}", issued.ca.as_deref().unwrap_or_default());
                    faults.push(Fault::State { recorded, found: format!("of {ca}") });
                }
                let key = parsed.as_ref().map(pkix::Certificate::key_digest).or(row.key);
                if is_stolen(issued)
                    && let Some(key) = key
                {
                    self.stolen.insert(key);
                    if !tables.compromised.contains(&key) {
                        faults.push(Fault::KeyForgotten);
                    }
                }
                faults
            }
        });
        if let Some(issued) = self.certificates.get_mut(&fingerprint) {
            issued.is_there = true;
        }
        let object = format!("certificate {}", SerialNumber::from_contents(&row.serial));
        faults.into_iter().map(|fault| Mismatch { object: object.clone(), fault }).collect()
    }

    /// Where a row is not what is on record.
    fn differences(&self, row: &Certificate, issued: &Issued) -> Vec<Fault> {
        let mut faults = Vec::new();
        if issued.serial != row.serial {
            faults.push(Fault::State {
                recorded: format!("number {}", SerialNumber::from_contents(&issued.serial)),
                found: Fingerprint(row.fingerprint).to_string(),
            });
        }
        let word = |reason: Option<&str>| reason.map_or(VALID.to_owned(), |reason| format!("revoked ({reason})"));
        let recorded = issued.revoked.as_ref().map(|revoked| revoked.reason.as_str());
        let found = row.revocation.as_ref();
        let reason = |code| RevocationReason::from_code(code).map_or("unknown", RevocationReason::name);
        let found = found.map(|revocation| reason(revocation.reason));
        if recorded != found {
            faults.push(Fault::State { recorded: word(recorded), found: word(found) });
        } else if let (Some(told), Some(revocation)) = (&issued.revoked, &row.revocation)
            && !self.is_since(told, revocation.at)
        {
            faults.push(Fault::Altered { columns: "revocations.revoked_at" });
        }
        faults
    }

    /// What is on record and was found nowhere, and keys that are refused though none of them is on record.
    pub(super) fn missing_certificates(&self, tables: &Tables) -> Vec<Mismatch> {
        let hex = |octets: &[u8]| octets.iter().map(|octet| format!("{octet:02X}")).collect::<String>();
        let gone = || self.certificates.values().filter(|one| !one.is_there);
        let mut missing: Vec<_> = gone()
            .filter(|one| !self.pruned.contains(&hex(&one.serial)))
            .map(|one| {
                let object = format!("certificate {}", SerialNumber::from_contents(&one.serial));
                Mismatch { object, fault: Fault::Missing }
            })
            .collect();
        if missing.len() as u64 <= self.pruned_unnamed {
            missing.clear();
        }
        let key =
            |key: &[u8; 32], fault| Mismatch { object: format!("the key sha-256:{}", hex(key).to_lowercase()), fault };
        let forgotten =
            self.keys.iter().filter(|key| !tables.compromised.contains(*key) && !self.stolen.contains(*key));
        missing.extend(forgotten.map(|one| key(one, Fault::Missing)));
        let known = |key: &&[u8; 32]| self.keys.contains(*key) || self.stolen.contains(*key);
        let unknown: Vec<_> = tables.compromised.iter().filter(|key| !known(key)).collect();
        // Before keys were written down, what was deleted since may have been revoked for one.
        if unknown.len() > gone().filter(|one| is_stolen(one)).count() {
            missing.extend(unknown.into_iter().map(|one| key(one, Fault::NotRecorded)));
        }
        missing
    }
}

/// Whether the row says that a key of the CA issued it which did, as far as its authorityKeyIdentifier and the configured CAs
/// tell.
fn is_of_its_ca(row: &Certificate, certificate: &pkix::Certificate, tables: &Tables, cas: &[ConfiguredCa]) -> bool {
    let Some(identifier) = certificate.authority_key_identifier() else { return true };
    let has_issued = |ca: &&pkix::Certificate| {
        ca.subject() == certificate.issuer() && ca.subject_key_identifier().as_ref() == Some(&identifier)
    };
    let of = |ca: &ConfiguredCa| ca.others.iter().chain([&ca.certificate]).any(|one| has_issued(&one));
    let Some(ca) = cas.iter().find(|ca| of(ca)) else { return true };
    let is_a_key = |key| ca.others.iter().chain([&ca.certificate]).any(|one| one.key_digest() == key);
    // A key that is not noted yet is noted by the next start.
    tables.authorities.get(&row.authority).is_some_and(|known| known.key.is_none_or(is_a_key))
}

fn is_stolen(issued: &Issued) -> bool {
    issued.revoked.as_ref().is_some_and(|revoked| revoked.reason == RevocationReason::KeyCompromise.name())
}

/// The columns that do not say what the certificate says.
fn misfits(row: &Certificate, certificate: &pkix::Certificate) -> Vec<Fault> {
    let contents = certificate.contents_digest();
    let fits = [
        ("certificates.serial", row.serial == certificate.serial()),
        ("certificates.fingerprint", row.fingerprint == certificate.fingerprint().0),
        ("certificates.not_before", row.not_before == seconds(certificate.not_before())),
        ("certificates.not_after", row.not_after == seconds(certificate.not_after())),
        ("certificates.key_digest", row.key == Some(certificate.key_digest())),
        ("certificates.contents", row.contents == Some(contents)),
        ("revocations.contents", row.revocation.as_ref().is_none_or(|revocation| revocation.contents == contents)),
    ];
    fits.into_iter().filter(|(_, fits)| !fits).map(|(column, _)| Fault::Misfit { column }).collect()
}
