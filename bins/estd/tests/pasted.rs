//! The commands that `estd dev` prints do what they promise, pasted as they are.

use est_testkit::peers::is_installed;
use est_testkit::server::Server;
use est_testkit::shell::Shell;

const ESTD: &str = env!("CARGO_BIN_EXE_estd");

#[test]
fn every_command_that_dev_prints_works() {
    if !is_installed("curl") || !is_installed("openssl") {
        return;
    }
    let est = std::path::Path::new(ESTD).with_file_name("est");
    assert!(est.exists(), "build it first: cargo build --workspace --all-features --bins");
    let (mut server, shell) = (Server::dev(ESTD), Shell::new());
    // The text goes out in one piece after the address: wait for its last line.
    let _ = server.line_with("Stop with");
    let text = server.printed().join("\n");
    let commands: String =
        text.lines().filter(|line| line.starts_with("  ")).map(|line| format!("{}\n", line.trim())).collect();
    assert!(
        commands.contains("est enroll") && commands.contains("curl") && commands.contains("est reenroll"),
        "{text}"
    );
    let folder = est.parent().expect("a folder").display();
    shell.run(&format!("export PATH=\"{folder}:$PATH\"\n{commands}"));
    let ca = server.ca();
    shell.run(&format!("openssl verify -x509_strict -CAfile {} device-1.pem device-2.pem", ca.display()));
}
