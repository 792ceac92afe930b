//! The description and the API agree, as Schemathesis finds.

use est_testkit::python::Python;

use crate::api::{Api, enrolled, patient, pending};

/// Runs `st`, which is a module here as it need not be in the path.
const RUN: &str = r#"
import sys
from schemathesis.cli import schemathesis
sys.argv = ["st", *sys.argv[1:]]
schemathesis()
"#;

#[test]
fn schemathesis_finds_no_failure() {
    let Some(python) = Python::with(&["schemathesis"]) else { return };
    let server = patient();
    let api = Api::operator(&server);
    // Something to find, and to decide about.
    for subject in ["CN=one", "CN=two"] {
        enrolled(&server, subject);
    }
    pending(&server, &api, "CN=three");
    let url = format!("https://localhost:{}", server.admin_port());
    std::fs::write(server.folder().join("openapi.json"), api.get("/admin/openapi.json").body).expect("a file");
    let arguments = [
        "run",
        "openapi.json",
        "--url",
        &url,
        "--header",
        &format!("Authorization: Bearer {}", server.admin_token()),
        "--tls-verify",
        "ca.pem",
        "--checks",
        "all",
        "--max-examples",
        "15",
        "--seed",
        "20261121",
        "--generation-deterministic",
        "--no-color",
    ];
    python.run(RUN, server.folder(), &arguments);
}
