//! pkilint, in one process for all certificates and CRLs.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use est_testkit::peers::Directory;
use est_testkit::python::Python;
use serde_json::json;

/// The linter, and the files for it.
pub(crate) struct Linter {
    python: Python,
    folder: Directory,
    /// What each file is, by its name.
    names: BTreeMap<String, String>,
    manifest: String,
}

/// Something that it does not like.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) certificate: String,
    pub(crate) linter: String,
    pub(crate) severity: String,
    pub(crate) code: String,
    pub(crate) details: String,
}

impl Linter {
    /// `None` skips the test.
    pub(crate) fn find() -> Option<Self> {
        let python = Python::with(&["pkilint", "cryptography"])?;
        Some(Self { python, folder: Directory::new(), names: BTreeMap::new(), manifest: String::new() })
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Lets `ca` be named as an issuer.
    pub(crate) fn add_ca(&mut self, ca: &str, certificate: &[u8]) {
        fs::write(self.folder().join(format!("{ca}.der")), certificate).unwrap();
    }

    /// Adds a certificate of `ca`, its name in parts between slashes; `is_br` says that it keeps the Baseline Requirements.
    pub(crate) fn add(&mut self, name: &str, certificate: &[u8], ca: &str, is_br: bool) {
        self.add_file(name, certificate, ca, if is_br { &["pkix", "chain", "serverauth"] } else { &["pkix", "chain"] });
    }

    /// Adds a CRL of `ca`, as [`add`](Self::add) does certificates.
    pub(crate) fn add_crl(&mut self, name: &str, crl: &[u8], ca: &str, is_br: bool) {
        self.add_file(name, crl, ca, if is_br { &["crl", "br-crl"] } else { &["crl"] });
    }

    fn add_file(&mut self, name: &str, octets: &[u8], ca: &str, linters: &[&str]) {
        let file = format!("{}.der", self.names.len());
        fs::write(self.folder().join(&file), octets).unwrap();
        let entry = json!({ "file": file, "issuer": format!("{ca}.der"), "linters": linters });
        self.manifest.push_str(&format!("{entry}\n"));
        self.names.insert(file, name.to_owned());
    }

    /// Everything from WARNING upwards.
    pub(crate) fn run(&self) -> Vec<Finding> {
        fs::write(self.folder().join("manifest.jsonl"), &self.manifest).unwrap();
        let printed = self.python.run(include_str!("lint.py"), self.folder(), &["manifest.jsonl"]);
        let findings = printed.lines().map(|line| {
            let found: serde_json::Value = serde_json::from_str(line).unwrap();
            let text = |name: &str| found[name].as_str().unwrap().to_owned();
            Finding {
                certificate: self.names[&text("file")].clone(),
                linter: text("linter"),
                severity: text("severity"),
                code: text("code"),
                details: text("details"),
            }
        });
        findings.collect()
    }
}

/// Findings that are not ours to heed, and where.
#[derive(Debug)]
pub(crate) struct Exception<'a> {
    linter: &'a str,
    code: &'a str,
    place: &'a str,
}

impl Exception<'_> {
    pub(crate) fn covers(&self, finding: &Finding) -> bool {
        let is_part = finding.certificate.split('/').any(|part| part == self.place);
        let is_there = is_part || finding.details.contains(self.place);
        finding.linter == self.linter && finding.code == self.code && is_there
    }
}

/// Reads a list with `linter | code | place | reason` in each line: the place is a part of the certificate's name, or
/// stands in what the linter says.
pub(crate) fn exceptions(list: &str) -> Vec<Exception<'_>> {
    let lines = list.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let entries = lines.map(|line| match line.split(" | ").collect::<Vec<_>>()[..] {
        [linter, code, place, reason] if !reason.is_empty() => Exception { linter, code, place },
        _ => panic!("exceptions.txt: `{line}` lacks a part"),
    });
    entries.collect()
}

/// One line for each kind of finding, with how often it occurs and where first.
pub(crate) fn summary(findings: &[&Finding]) -> String {
    let mut kinds: BTreeMap<_, Vec<&Finding>> = BTreeMap::new();
    for finding in findings {
        kinds.entry((&finding.severity, &finding.linter, &finding.code)).or_default().push(finding);
    }
    let lines = kinds.iter().map(|((severity, linter, code), found)| {
        let first = found[0];
        format!("{severity} {linter} {code}: {} times; {}: {}\n", found.len(), first.certificate, first.details)
    });
    lines.collect()
}
