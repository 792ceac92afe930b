//! Where the inputs come from.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use est_core::pkix::read_certs_only;
use est_testkit::packed;

/// A request or a certificate, perhaps.
pub(crate) struct Input {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) der: Vec<u8>,
}

/// What an input is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Csr,
    Certificate,
}

/// Every input, each octet string once.
pub(crate) fn all() -> Vec<Input> {
    let raw = |folder: &str, kind| {
        let files = files(&format!("fuzz/corpus/{folder}")).into_iter();
        files.map(move |(name, octets)| Input { name: format!("fuzz/{name}"), kind, der: octets })
    };
    let lists = files("fuzz/corpus/certs_only").into_iter().flat_map(|(name, octets)| {
        let certificates = read_certs_only(&octets).unwrap_or_default().into_iter().enumerate();
        certificates.map(move |(number, der)| Input {
            name: format!("fuzz/{name}/{number}"),
            kind: Kind::Certificate,
            der,
        })
    });
    let groups = packed::groups(&root().join("bins/estd/tests/vectors/bad_input"));
    let bodies = groups.iter().flat_map(|(group, text)| {
        let cases = packed::cases(text).into_iter();
        cases.filter_map(move |(name, text)| {
            Some(Input { name: format!("bad_input/{group}/{name}"), kind: Kind::Csr, der: body(text)? })
        })
    });
    let dogtag = files("est-core/tests/vectors/dogtag").into_iter().filter_map(|(name, octets)| {
        let kind = match name.rsplit_once('.')?.1 {
            "p10" => Kind::Csr,
            "pem" => Kind::Certificate,
            _ => return None,
        };
        Some(Input { name, kind, der: undo_pem(&String::from_utf8(octets).ok()?) })
    });
    let mut inputs: Vec<Input> = raw("csr", Kind::Csr).chain(raw("certificate", Kind::Certificate)).collect();
    inputs.extend(lists.chain(bodies).chain(dogtag));
    inputs.extend(limbo());
    let mut seen = BTreeSet::new();
    inputs.retain(|input| seen.insert(input.der.clone()));
    inputs
}

/// One input of the fuzzing corpus.
pub(crate) fn fuzzing(kind: Kind, name: &str) -> Vec<u8> {
    let folder = if kind == Kind::Csr { "csr" } else { "certificate" };
    fs::read(root().join("fuzz/corpus").join(folder).join(name)).unwrap()
}

/// The certificates of x509-limbo.
fn limbo() -> Vec<Input> {
    let text = fs::read_to_string(root().join("est-auth/tests/vectors/limbo.json")).unwrap();
    let limbo: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut inputs = Vec::new();
    for case in limbo.as_array().unwrap() {
        let id = case["id"].as_str().unwrap();
        let peer = case["peer"].as_str().map(|text| (String::from("peer"), text));
        let others = ["trusted", "intermediates"].into_iter().flat_map(|list| {
            let listed = case[list].as_array().into_iter().flatten().enumerate();
            listed.map(move |(number, text)| (format!("{list}-{number}"), text.as_str().unwrap()))
        });
        inputs.extend(peer.into_iter().chain(others).map(|(part, text)| Input {
            name: format!("limbo/{id}/{part}"),
            kind: Kind::Certificate,
            der: STANDARD.decode(text).unwrap(),
        }));
    }
    inputs
}

/// The body of a request in a file, if it is base64 alone.
fn body(text: &str) -> Option<Vec<u8>> {
    let (_, request) = text.split_once("\n\n")?;
    let (head, body) = request.split_once("\n\n")?;
    let body: String = body.lines().filter(|line| !line.starts_with("-----")).collect();
    let der = STANDARD.decode(body).ok().filter(|der| !der.is_empty())?;
    head.contains("enroll").then_some(der)
}

fn undo_pem(text: &str) -> Vec<u8> {
    let lines: String = text.lines().filter(|line| !line.starts_with("-----")).collect();
    STANDARD.decode(lines).unwrap()
}

/// Every file below a folder of the repository, by its last two names, in order.
fn files(folder: &str) -> Vec<(String, Vec<u8>)> {
    let mut paths = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { paths.push(path) }
        }
    }
    paths.sort();
    let name = |path: &Path| {
        let names: Vec<_> = path.iter().map(|name| name.to_string_lossy()).collect();
        names[names.len() - 2..].join("/")
    };
    paths.iter().map(|path| (name(path), fs::read(path).unwrap())).collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
