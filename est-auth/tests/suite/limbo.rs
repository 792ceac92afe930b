//! The path validation cases of C2SP's x509-limbo, as if a client had shown each chain.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use est_auth::{Crl, PathValidator, Purpose, RevocationPolicy};
use est_core::UnixTime;
use pki_types::{CertificateDer, ServerName};
use serde_json::Value;

/// The time of cases that name none: 2026-11-21 09:30:00 UTC.
const NOW: UnixTime = UnixTime(1_795_253_400);

/// Why a server that looks at a client's certificate has no such case.
const PURPOSE: &str = "it is about the purpose serverAuth";
const DEPTH: &str = "it is about a path length that the caller chooses";
const NAME: &str = "it is about the name of a server: a client is not expected to have one";

struct Case(Value);

impl Case {
    fn id(&self) -> &str {
        self.0["id"].as_str().unwrap()
    }

    fn is_good(&self) -> bool {
        match self.0["expected"].as_str().unwrap() {
            "SUCCESS" => true,
            "FAILURE" => false,
            other => panic!("{other}"),
        }
    }

    /// Certificates or CRLs, DER.
    fn list(&self, field: &str) -> Vec<Vec<u8>> {
        self.0[field].as_array().into_iter().flatten().map(|text| decode(text.as_str().unwrap())).collect()
    }

    fn peer(&self) -> Vec<u8> {
        decode(self.0["peer"].as_str().unwrap())
    }

    /// Full seconds: a fraction of one is not over before the next.
    fn time(&self) -> UnixTime {
        self.0["time"].as_str().map_or(NOW, seconds)
    }

    fn asks_for(&self, purpose: &str) -> bool {
        self.0["purposes"].as_array().into_iter().flatten().any(|one| one == purpose)
    }

    /// The reason not to run it.
    fn skipped(&self) -> Option<&'static str> {
        if self.asks_for("serverAuth") {
            return Some(PURPOSE);
        }
        if !self.is_good() && self.0["max_chain_depth"].as_u64().is_some_and(|depth| depth < 2) {
            return Some(DEPTH);
        }
        None
    }

    fn has_the_peer_name(&self) -> bool {
        let Some(name) = self.0["peer_name"].as_str() else { return true };
        let Ok(name) = ServerName::try_from(name) else { return true };
        let peer = CertificateDer::from(self.peer());
        // What cannot be read is not a matter of its name.
        let Ok(peer) = webpki::EndEntityCert::try_from(&peer) else { return true };
        peer.verify_is_valid_for_subject_name(&name).is_ok()
    }

    /// Whether a client with this chain is let in.
    fn is_accepted(&self) -> Result<(), String> {
        let purpose = if self.asks_for("clientAuth") { Purpose::ClientAuth } else { Purpose::Any };
        let shown: Vec<_> = std::iter::once(self.peer()).chain(self.list("intermediates")).collect();
        let mut paths = PathValidator::new(&self.list("trusted"), &[] as &[Vec<u8>], purpose)
            .map_err(|error| format!("trust anchor: {error}"))?;
        let crls = self.list("crls");
        if !crls.is_empty() {
            let crls: Result<_, _> = crls.iter().map(|der| Crl::from_der(der)).collect();
            paths = paths.with_crls(crls.map_err(|error| error.to_string())?, RevocationPolicy::Hard);
        }
        paths.validate(&shown, self.time()).map(drop).map_err(|doubt| format!("{doubt:?}"))
    }
}

#[test]
fn agrees_with_limbo_but_for_the_exceptions() {
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let cases: Vec<Value> = serde_json::from_slice(&fs::read(vectors.join("limbo.json")).unwrap()).unwrap();
    let exceptions = fs::read_to_string(vectors.join("limbo-exceptions.txt")).unwrap();
    let mut exceptions: BTreeMap<&str, [&str; 2]> =
        exceptions.lines().filter(|line| !line.starts_with('#')).map(exception).collect();
    let (mut skipped, mut agreed, mut surprises) = (BTreeMap::new(), 0, Vec::new());
    let total = cases.len();
    for case in cases.into_iter().map(Case) {
        if let Some(reason) = case.skipped() {
            *skipped.entry(reason).or_insert(0) += 1;
            continue;
        }
        let ours = case.is_accepted();
        if ours.is_ok() && !case.is_good() && !case.has_the_peer_name() {
            *skipped.entry(NAME).or_insert(0) += 1;
            continue;
        }
        let word = |is_good| if is_good { "SUCCESS" } else { "FAILURE" };
        let (expected, found) = (word(case.is_good()), word(ours.is_ok()));
        match exceptions.remove(case.id()) {
            Some(exception) if exception == [expected, found] && expected != found => {}
            None if expected == found => agreed += 1,
            Some(_) => surprises.push(format!("{} | {expected} | {found}: the exception is not needed", case.id())),
            None => surprises.push(format!("{} | {expected} | {found} | {ours:?}", case.id())),
        }
    }
    surprises.extend(exceptions.keys().map(|id| format!("{id}: no such case is run")));
    assert!(surprises.is_empty(), "{} surprises:\n{}", surprises.len(), surprises.join("\n"));
    assert_eq!(skipped, BTreeMap::from([(PURPOSE, 4), (DEPTH, 2), (NAME, 13)]));
    assert_eq!((total, agreed), (208, 147));
}

/// `case-id | expected | ours | reason`.
fn exception(line: &str) -> (&str, [&str; 2]) {
    let fields: Vec<&str> = line.split(" | ").collect();
    let [id, expected, ours, reason] = fields[..] else { panic!("not an exception: {line}") };
    assert!(reason.len() > 10, "no reason: {line}");
    (id, [expected, ours])
}

fn decode(text: &str) -> Vec<u8> {
    est_core::pkix::pem::decode(&format!("-----BEGIN X-----\n{text}\n-----END X-----\n"))
        .unwrap()
        .remove(0)
        .contents
        .clone()
}

/// The whole seconds of `2024-03-01T00:00:00.999+00:00`.
fn seconds(text: &str) -> UnixTime {
    let number = |range: std::ops::Range<usize>| -> u64 { text[range].parse().unwrap() };
    let (year, month, day) = (number(0..4), number(5..7), number(8..10));
    // Days since 1970-01-01 in the Gregorian calendar, years beginning with March.
    let (years, months) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = years * 365 + years / 4 - years / 100 + years / 400 + (months * 153 + 2) / 5 + day - 1 - 719_468;
    UnixTime(days * 86_400 + number(11..13) * 3600 + number(14..16) * 60 + number(17..19))
}
