//! What the trail tells of the rows, from its first record to its last.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use est_core::pkix::RevocationReason;

use super::rows::{ListedRow, PasswordRow, Record, RequestRow, Tables};
use super::{Fault, Mismatch};
use crate::audit::{Seal, seal, text};
use crate::{SerialNumber, UnixMicros, crls, passwords, requests};

/// How far what a row says of the time may be from what a record says, in seconds.
const MOMENT: u64 = 60;
/// The states of requests, and of claims that wait for them, as the tables have them.
const AWAITING: (u8, &str) = (1, "waiting");
const APPROVED: (u8, &str) = (2, "approved");
const DENIED: (u8, &str) = (3, "denied");

/// What the trail tells.
#[derive(Default)]
pub(super) struct Told {
    /// By their fingerprints.
    pub(super) certificates: HashMap<[u8; 32], Issued>,
    /// The keys that are compromised.
    pub(super) keys: BTreeSet<[u8; 32]>,
    /// Those of certificates that were found and were revoked since their keys are compromised.
    pub(super) stolen: BTreeSet<[u8; 32]>,
    /// By serial numbers, what imported CRLs said of certificates that were not in the inventory then.
    listed: HashMap<Vec<u8>, Vec<Listed>>,
    /// The CAs whose names are known that CRLs were imported of, with the SHA-256 of those.
    issuers: BTreeMap<String, [u8; 32]>,
    /// The CAs of which a version imported CRLs that did not say what was on them.
    unsealed_lists: BTreeSet<String>,
    /// The last CRL of each key.
    crls: BTreeMap<String, Seal>,
    /// What the CA of a key was last called, and may have been called since.
    cas: BTreeMap<[u8; 32], Vec<String>>,
    renamed: Vec<(String, String)>,
    passwords: Named,
    /// How many certificates were issued for each password.
    uses: BTreeMap<String, u64>,
    requests: Named,
    /// The serial numbers of certificates that were deleted, in hexadecimal.
    pub(super) pruned: BTreeSet<String>,
    /// How many certificates were deleted by a version that did not name them.
    pub(super) pruned_unnamed: u64,
}

/// A certificate of the inventory.
pub(super) struct Issued {
    pub(super) serial: Vec<u8>,
    /// What its CA was called.
    pub(super) ca: Option<Box<str>>,
    pub(super) revoked: Option<ToldRevocation>,
    pub(super) is_there: bool,
}

/// A revocation, as a record tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ToldRevocation {
    pub(super) reason: String,
    /// Since when, in seconds; `None` where the record does not say.
    since: Option<u64>,
}

impl ToldRevocation {
    fn of(reason: &str, at: UnixMicros) -> Self {
        let (reason, since) = match reason.split_once(", since ") {
            Some((reason, since)) => (reason, since.parse::<UnixMicros>().ok()),
            None => (reason, Some(at)),
        };
        Self { reason: reason.to_owned(), since: since.map(|since| since.seconds().0) }
    }

    /// Whether this is a time that it may have happened at.
    fn is_since(&self, at: i64) -> bool {
        let at = u64::try_from(at).unwrap_or_default();
        self.since.is_none_or(|since| since.abs_diff(at) <= MOMENT)
    }
}

struct Listed {
    ca: String,
    revoked: ToldRevocation,
    is_there: bool,
}

/// Rows that records know by an id.
#[derive(Default)]
struct Named {
    rows: BTreeMap<String, NamedRow>,
    pruned: BTreeSet<String>,
    pruned_unnamed: u64,
}

struct NamedRow {
    state: String,
    /// What it was when it was written; `None` where a version wrote it that did not say.
    seal: Option<Seal>,
    is_there: bool,
}

impl Named {
    fn set(&mut self, id: &str, state: String, seal: Option<Seal>) {
        let known = self.rows.get(id).and_then(|row| row.seal);
        self.rows.insert(id.to_owned(), NamedRow { state, seal: seal.or(known), is_there: false });
    }

    fn compare(&mut self, object: String, id: &str, found: String, seal: Seal, columns: &'static str) -> Vec<Mismatch> {
        let Some(row) = self.rows.get_mut(id) else {
            return vec![Mismatch { object, fault: Fault::NotRecorded }];
        };
        row.is_there = true;
        let mut mismatches = Vec::new();
        if row.state != found {
            let fault = Fault::State { recorded: row.state.clone(), found };
            mismatches.push(Mismatch { object: object.clone(), fault });
        }
        if row.seal.is_some_and(|recorded| recorded != seal) {
            mismatches.push(Mismatch { object, fault: Fault::Altered { columns } });
        }
        mismatches
    }

    fn missing(&self, kind: &'static str) -> Vec<Mismatch> {
        let missing = self.rows.iter().filter(|(id, row)| !row.is_there && !self.pruned.contains(*id));
        let missing: Vec<_> =
            missing.map(|(id, _)| Mismatch { object: format!("{kind} {id}"), fault: Fault::Missing }).collect();
        if missing.len() as u64 <= self.pruned_unnamed { Vec::new() } else { missing }
    }
}

/// A password, as far as records tell in words.
struct Password<'a> {
    entity: Option<&'a str>,
    is_revoked: bool,
}

impl fmt::Display for Password<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.entity.map(text::plain) {
            Some(entity) => write!(f, "for {entity}")?,
            None => f.write_str("for anybody")?,
        }
        f.write_str(if self.is_revoked { " and revoked" } else { " and not revoked" })
    }
}

impl Told {
    pub(super) fn take(&mut self, record: Record) {
        let Record { at, event, actor, ca, serial, fingerprint, reason, .. } = record;
        let reason = reason.unwrap_or_default();
        match event.as_str() {
            "cert.issued" | "cert.renewed" | "cert.imported" => {
                if let (Some(serial), Some(fingerprint)) = (serial, fingerprint) {
                    self.delist(&serial, ca.as_deref());
                    let ca = ca.map(String::into_boxed_str);
                    self.certificates.insert(fingerprint, Issued { serial, ca, revoked: None, is_there: false });
                }
                let password = actor.as_deref().and_then(|actor| actor.strip_prefix("password "));
                if let Some(id) = password.and_then(|rest| rest.split(' ').next()) {
                    *self.uses.entry(id.to_owned()).or_default() += 1;
                }
            }
            "cert.revoked" => {
                if let Some(issued) = fingerprint.and_then(|fingerprint| self.certificates.get_mut(&fingerprint)) {
                    let mut revoked = ToldRevocation::of(&reason, at);
                    // Since when it is revoked stays as it was.
                    if let Some(before) = &issued.revoked {
                        revoked.since = before.since;
                    }
                    issued.revoked = Some(revoked);
                }
            }
            "cert.released" => {
                if let Some(issued) = fingerprint.and_then(|fingerprint| self.certificates.get_mut(&fingerprint)) {
                    issued.revoked = None;
                }
                self.delist(&serial.unwrap_or_default(), ca.as_deref());
            }
            "cert.listed" => {
                let (serial, ca) = (serial.unwrap_or_default(), ca.unwrap_or_default());
                self.delist(&serial, Some(&ca));
                let listed = Listed { ca, revoked: ToldRevocation::of(&reason, at), is_there: false };
                self.listed.entry(serial).or_default().push(listed);
            }
            "key.compromised" => {
                self.keys.extend(reason.strip_prefix("key sha-256:").and_then(seal::read));
            }
            "crl.published" | "crl.imported" => self.take_crl(&event, &reason, ca.unwrap_or_default()),
            "ca.started" => {
                let key = reason.rsplit_once("key sha-256:").and_then(|(_, key)| seal::read(key));
                if let (Some(key), Some(ca)) = (key, ca) {
                    self.cas.insert(key, vec![ca]);
                }
            }
            "ca.renamed" => {
                let Some(((from, _), to)) = reason.split_once(" of before, ").zip(ca) else { return };
                self.cas.values_mut().for_each(|ids| ids.push(to.clone()));
                self.renamed.push((from.to_owned(), to));
            }
            "otp.created" | "otp.revoked" => {
                let Some(about) = reason.strip_prefix("password ") else { return };
                let (id, seal, rest) = Seal::split(about);
                let password = Password { entity: rest.strip_prefix(" of "), is_revoked: event == "otp.revoked" };
                self.passwords.set(id, password.to_string(), seal);
            }
            "store.pruned" => self.take_pruned(&reason),
            _ => self.take_request(&event, &reason),
        }
    }

    /// `number 7, 3 revoked, until TIME, of KEY (sha-256:…)`; that of a CRL which was imported has its issuer behind.
    fn take_crl(&mut self, event: &str, reason: &str, ca: String) {
        if let Some((_, of)) = reason.split_once(", of ")
            && let (key, Some(seal), _) = Seal::split(of)
        {
            self.crls.insert(key.to_owned(), seal);
        }
        if event == "crl.imported" {
            match reason.rsplit_once("; issuer sha-256:").and_then(|(_, issuer)| seal::read(issuer)) {
                Some(issuer) => drop(self.issuers.insert(ca, issuer)),
                None => drop(self.unsealed_lists.insert(ca)),
            }
        }
    }

    fn take_request(&mut self, event: &str, reason: &str) {
        let Some(about) = reason.strip_prefix("request ") else { return };
        let (id, seal, _) = Seal::split(about);
        match event {
            "request.created" => self.requests.set(id, AWAITING.1.to_owned(), seal),
            "request.approved" => self.requests.set(id, APPROVED.1.to_owned(), None),
            "request.denied" => self.requests.set(id, DENIED.1.to_owned(), None),
            // What was approved stays listed as that.
            _ if self.requests.rows.get(id).is_some_and(|row| row.state == AWAITING.1) => {
                self.requests.rows.remove(id);
            }
            _ => {}
        }
    }

    /// `passwords: 2 that ended or were revoked before TIME: p1, p2`, in which the last part may be absent.
    fn take_pruned(&mut self, reason: &str) {
        let Some((table, rest)) = reason.split_once(": ") else { return };
        let (pruned, unnamed) = match table {
            "certificates" => (&mut self.pruned, &mut self.pruned_unnamed),
            "passwords" => (&mut self.passwords.pruned, &mut self.passwords.pruned_unnamed),
            "requests" => (&mut self.requests.pruned, &mut self.requests.pruned_unnamed),
            _ => return,
        };
        match rest.split_once(": ") {
            Some((_, names)) => pruned.extend(names.split(", ").map(str::to_owned)),
            None => *unnamed += rest.split(' ').next().and_then(|count| count.parse().ok()).unwrap_or(0),
        }
    }

    fn delist(&mut self, serial: &[u8], ca: Option<&str>) {
        let renamed = &self.renamed;
        if let Some(listed) = self.listed.get_mut(serial) {
            listed.retain(|one| !ca.is_some_and(|ca| may_be_called(renamed, &one.ca, ca)));
        }
    }

    /// Whether the CA that was called so when something was written down may be called that since.
    pub(super) fn may_be_called(&self, then: &str, now: &str) -> bool {
        may_be_called(&self.renamed, then, now)
    }

    /// Whether times of revocations can be compared: a version imported CRLs without saying since when.
    pub(super) fn is_since(&self, revoked: &ToldRevocation, at: i64) -> bool {
        !self.unsealed_lists.is_empty() || revoked.is_since(at)
    }

    /// Compares everything that is not a certificate; to be called after these were.
    pub(super) fn compare(&mut self, tables: Tables) -> Vec<Mismatch> {
        let mut mismatches = self.missing_certificates(&tables);
        mismatches.extend(self.compare_authorities(&tables));
        for row in &tables.listed {
            mismatches.extend(self.compare_listed(row, tables.ca(&row.authority)));
        }
        for (serial, listed) in &self.listed {
            let missing = listed.iter().filter(|one| !one.is_there);
            mismatches.extend(missing.map(|_| Mismatch { object: listed_object(serial), fault: Fault::Missing }));
        }
        for (authority, recorded) in &self.crls {
            let fault = match tables.crls.get(authority) {
                None => Fault::Missing,
                Some(found) if found != recorded => Fault::Altered { columns: crls::SEALED },
                Some(_) => continue,
            };
            mismatches.push(Mismatch { object: format!("the CRL of {authority}"), fault });
        }
        tables.passwords.into_iter().for_each(|row| mismatches.extend(self.compare_password(row)));
        tables.requests.into_iter().for_each(|row| mismatches.extend(self.compare_request(row)));
        mismatches.extend(self.passwords.missing("password"));
        mismatches.extend(self.requests.missing("request"));
        mismatches
    }

    fn compare_authorities(&self, tables: &Tables) -> Vec<Mismatch> {
        let moved = tables.authorities.values().filter_map(|one| {
            let ids = self.cas.get(&one.key?)?;
            let fault = Fault::State { recorded: format!("of {}", ids.first()?), found: format!("of {}", one.ca) };
            (!ids.contains(&one.ca)).then(|| Mismatch { object: format!("the key {}", one.name), fault })
        });
        moved.collect()
    }

    fn compare_listed(&mut self, row: &ListedRow, ca: &str) -> Option<Mismatch> {
        let object = listed_object(&row.serial);
        let renamed = &self.renamed;
        let of_serial = self.listed.get_mut(&row.serial);
        let Some(told) = of_serial.and_then(|all| all.iter_mut().find(|one| may_be_called(renamed, &one.ca, ca)))
        else {
            let may_be = self.unsealed_lists.iter().any(|then| may_be_called(renamed, then, ca));
            return (!may_be).then_some(Mismatch { object, fault: Fault::NotRecorded });
        };
        told.is_there = true;
        let found = RevocationReason::from_code(row.reason).map_or("unknown", RevocationReason::name);
        if told.revoked.reason != found {
            let fault = Fault::State { recorded: told.revoked.reason.clone(), found: found.to_owned() };
            return Some(Mismatch { object, fault });
        }
        let issuer = self.issuers.get(&told.ca);
        let is_altered = !told.revoked.is_since(row.at) || issuer.is_some_and(|issuer| *issuer != row.issuer);
        is_altered.then_some(Mismatch { object, fault: Fault::Altered { columns: "revoked_at, issuer" } })
    }

    fn compare_password(&mut self, row: PasswordRow) -> Vec<Mismatch> {
        let PasswordRow { id, entity, is_revoked, uses, seal } = row;
        let object = format!("password {id}");
        let found = Password { entity: entity.as_deref(), is_revoked }.to_string();
        let mut mismatches = self.passwords.compare(object.clone(), &id, found, seal, passwords::SEALED);
        let recorded = self.uses.get(&id).copied().unwrap_or_default();
        if uses < recorded {
            let fault =
                Fault::State { recorded: format!("used {recorded} times"), found: format!("used {uses} times") };
            mismatches.push(Mismatch { object, fault });
        }
        mismatches
    }

    fn compare_request(&mut self, row: RequestRow) -> Vec<Mismatch> {
        let RequestRow { id, state, claim, seal } = row;
        let object = format!("request {id}");
        let states = [AWAITING, APPROVED, DENIED];
        let word = |number| states.iter().find(|one| one.0 == number).map_or("open", |one| one.1).to_owned();
        let mut mismatches = self.requests.compare(object.clone(), &id, word(state), seal, requests::SEALED);
        // What waits can only be decided together with its request.
        if let Some(claim) = claim.filter(|claim| state == AWAITING.0 && *claim != AWAITING.0) {
            let found = format!("{} as a claim", word(claim));
            mismatches.push(Mismatch { object, fault: Fault::State { recorded: word(state), found } });
        }
        mismatches
    }
}

fn may_be_called(renamed: &[(String, String)], then: &str, now: &str) -> bool {
    let mut names = vec![then];
    let mut looked = 0;
    while let Some(name) = names.get(looked).copied() {
        if name == now {
            return true;
        }
        looked += 1;
        let next = renamed.iter().filter(|(from, _)| from == name).map(|(_, to)| to.as_str());
        names.extend(next.filter(|to| !names.contains(to)).collect::<BTreeSet<_>>());
    }
    false
}

fn listed_object(serial: &[u8]) -> String {
    format!("the imported revocation of certificate {}", SerialNumber::from_contents(serial))
}
