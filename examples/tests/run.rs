//! Every example runs to its end and shows what it promises.

use std::path::PathBuf;
use std::process::Command;

/// Examples lie beside the tests: `target/debug/deps/run-…` and `target/debug/examples/axum`.
fn run(name: &str) -> String {
    let test = std::env::current_exe().expect("the path of this test");
    let folder = test.parent().and_then(|deps| deps.parent()).expect("target/PROFILE/deps");
    let program: PathBuf = folder.join("examples").join(name);
    assert!(program.exists(), "{}: build it with `cargo build -p examples --examples`", program.display());
    let output = Command::new(program).output().expect("the example runs");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
    printed
}

#[test]
fn step_by_step_enrolls_by_hand() {
    let printed = run("step_by_step");
    assert!(printed.contains("record") && printed.contains("-----BEGIN CERTIFICATE-----"), "{printed}");
}

#[test]
fn axum_serves_an_enrollment() {
    assert!(run("axum").starts_with("HTTP/1.1 200 OK"));
}

#[test]
fn a_backend_of_ones_own_issues() {
    if est_testkit::peers::is_installed("openssl") {
        assert!(run("backend").contains("-----BEGIN CERTIFICATE-----"));
    }
}
