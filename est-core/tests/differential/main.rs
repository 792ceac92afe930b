//! Every certification request and certificate of the corpora, and mutants of some, read by us and by `x509-cert`.
//!
//! Both agree in every field, or the difference is listed with its reason in `differential-exceptions.txt`; one that is
//! listed and is none any more fails too. How many mutants are read by whom, and what keeps the other from it, stands in
//! `differential-mutants.txt`.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic, and says what it counted")]

mod corpus;
mod mutants;
#[path = "../../../fuzz/src/mutation.rs"]
#[expect(unreachable_pub, reason = "the fuzzers' crate has it in public")]
mod mutation;
#[path = "../../../fuzz/src/oracle.rs"]
#[expect(dead_code, unreachable_pub, reason = "the fuzzers' crate has it in public and uses all of it")]
mod oracle;
mod same;

use std::collections::{BTreeMap, BTreeSet};

use corpus::{Input, Kind};
use same::Reading;

const EXCEPTIONS: &str = include_str!("../vectors/differential-exceptions.txt");
const MUTANTS: &str = include_str!("../vectors/differential-mutants.txt");

#[test]
fn reads_the_corpora_as_x509_cert_does() {
    let inputs = corpus::all();
    let mut differences = Vec::new();
    let mut counts = BTreeMap::new();
    for Input { name, kind, der } in &inputs {
        let reading = match kind {
            Kind::Csr => same::read_request(der, est_testkit::pki::ALGORITHMS),
            Kind::Certificate => same::read_certificate(der),
        };
        let (corpus, _) = name.split_once('/').unwrap();
        *counts.entry(format!("{corpus} | {}", reading.reader())).or_insert(0) += 1;
        match reading {
            Reading::Both | Reading::Neither => {}
            Reading::Ours(_) | Reading::Theirs(_) => differences.push(format!("{name} | {reading}")),
            Reading::Differently(field) => panic!("{name}: both read it, but its {field} differs"),
        }
    }
    let listed = EXCEPTIONS.lines().filter(|line| !line.starts_with('#'));
    let listed: Vec<&str> = listed.map(|line| line.rsplit_once(" | ").expect("a reason").0).collect();
    let faults = unlike(listed.into_iter(), differences.iter().map(String::as_str));
    assert!(faults.is_empty(), "{faults:#?}");
    eprint!("{}", table(&counts));
    for corpus in ["fuzz", "bad_input", "dogtag", "limbo"] {
        assert!(counts.contains_key(&format!("{corpus} | both")), "nothing of {corpus} could be read");
    }
}

#[test]
fn reads_mutants_as_x509_cert_does() {
    let mut counts = BTreeMap::new();
    for (kind, name) in mutants::SEEDS {
        let seed = corpus::fuzzing(kind, name);
        for (change, mutant) in mutants::of(&seed) {
            let (group, reading) = match kind {
                Kind::Csr => ("mutants of requests", same::read_request(&mutant, &est_testkit::trusting::TRUSTING)),
                Kind::Certificate => ("mutants of certificates", same::read_certificate(&mutant)),
            };
            let reason = match &reading {
                Reading::Both | Reading::Neither => None,
                Reading::Ours(reason) | Reading::Theirs(reason) => {
                    Some(reason.unwrap_or_else(|| panic!("{name}, {change}: {reading}")))
                }
                Reading::Differently(field) => panic!("{name}, {change}: both read it, but its {field} differs"),
            };
            let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
            *counts.entry(format!("{group} | {}{reason}", reading.reader())).or_insert(0) += 1;
        }
    }
    let table = table(&counts);
    eprint!("{table}");
    let faults = unlike(MUTANTS.lines(), table.lines());
    assert!(faults.is_empty(), "{faults:#?}");
}

fn table(counts: &BTreeMap<String, usize>) -> String {
    counts.iter().map(|(what, count)| format!("{what} | {count}\n")).collect()
}

/// The lines on either side that the other has not.
fn unlike<'a>(listed: impl Iterator<Item = &'a str>, found: impl Iterator<Item = &'a str>) -> Vec<String> {
    let (listed, found): (BTreeSet<&str>, BTreeSet<&str>) = (listed.collect(), found.collect());
    let gone = listed.difference(&found).map(|line| format!("listed, but not so: {line}"));
    let fresh = found.difference(&listed).map(|line| format!("so, but not listed: {line}"));
    gone.chain(fresh).collect()
}
