//! usg-est-client, a published crate. `test.sh` builds it: its packages are none of ours.

use std::path::Path;
use std::process::Command;

use est_testkit::peers::has_file;
use est_testkit::server::Launch;
use est_testkit::shell::Shell;

use crate::session::Session;
use crate::{ESTD, EVERY_FLOW};

#[test]
fn usg_est_client_enrolls_renews_waits_and_has_keys_made_for_it() {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/peers/usg/debug/usg");
    if !has_file("usg-est-client, which ./test.sh builds,", &program) {
        return;
    }
    let server = Launch::configured(ESTD, |text| text + EVERY_FLOW).start();
    let shell = Shell::new();
    let mut command = Command::new(program);
    command.arg(server.url().replace("127.0.0.1", "localhost")).arg(server.ca()).current_dir(shell.folder());
    let mut client = Session::start(&mut command);
    let password = format!("password device {}", server.password(50));
    client.expect(&[
        ("cacerts", "1"),
        ("csrattrs", "1"),
        (&password, "ok"),
        ("enroll first device", "issued"),
        ("serverkeygen made device", "issued"),
        ("password -", "ok"),
        ("as first", "ok"),
        ("keep first device", "issued"),
        ("enroll second device", "issued"),
        ("as second", "ok"),
        ("reenroll third device", "issued"),
        ("as third", "ok"),
        ("serverkeygen made device", "issued"),
        ("as nobody", "ok"),
        (&password, "ok"),
        ("label vetted", "ok"),
        ("enroll waiting waiting", "wait 60"),
    ]);
    shell.run(&format!(
        "openssl verify -x509_strict -CAfile {} first.pem second.pem third.pem made.pem
         openssl pkey -inform DER -in made.key.der -out made.key
         for name in first second third made; do
             openssl x509 -in $name.pem -noout -pubkey > cert.pub
             openssl pkey -in $name.key -pubout | cmp - cert.pub
         done",
        server.ca().display()
    ));
}
