//! Requests of the encoders that are in the field: each is issued, and what is issued is read back by OpenSSL, by PyPI's
//! `cryptography` and by Bouncy Castle.
//!
//! `tests/vectors/encoders` holds a request of each. Where the encoder is installed it makes another one here, for what it
//! writes may change.

mod readers;
mod tools;

use std::fs;
use std::path::Path;

use est_core::pkix::pem;
use est_testkit::https::Client;
use est_testkit::server::{Launch, Server};

const ESTD: &str = env!("CARGO_BIN_EXE_estd");

/// A label that looks at no challengePassword: some tools always write one.
const LABEL: &str = r#"
[[est.label]]
name = "encoders"
ca_id = "main"
require_san = false
linking = "off"
"#;

#[test]
fn each_stored_request_is_issued_and_others_read_the_certificate() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/encoders");
    let files = fs::read_dir(folder).expect("a folder").map(|file| file.expect("a file").path());
    let requests = files.filter(|file| file.extension().is_some_and(|extension| extension == "csr"));
    let requests: Vec<_> = requests
        .map(|file| {
            (file.file_stem().expect("a name").to_string_lossy().into_owned(), fs::read(&file).expect("octets"))
        })
        .collect();
    assert!(requests.len() >= 16, "only {} requests", requests.len());
    are_issued_and_read_back(&requests);
}

#[test]
fn each_request_that_is_made_here_is_issued_and_others_read_the_certificate() {
    are_issued_and_read_back(&tools::requests());
}

/// Requests with the names of their tools, as the tools wrote them.
fn are_issued_and_read_back(requests: &[(String, Vec<u8>)]) {
    let server = Launch::configured(ESTD, |text| text + LABEL).start();
    let client = Client::new(server.port(), &server.ca());
    let password = server.password(u32::try_from(requests.len()).expect("not that many"));
    let mut issued = Vec::new();
    let mut refused = Vec::new();
    for (tool, request) in requests {
        let answer = client.enroll("/encoders/simpleenroll", Some(&password), request);
        if answer.status == 200 {
            issued.push((tool.clone(), answer.certificate()));
        } else {
            refused.push(format!("{tool}: {}", answer.text()));
        }
    }
    assert!(refused.is_empty(), "{}", refused.concat());
    readers::read_back(&ca(&server), &issued);
}

fn ca(server: &Server) -> Vec<u8> {
    let text = fs::read_to_string(server.ca()).expect("the CA's certificate");
    pem::decode(&text).expect("PEM")[0].contents.clone()
}
