//! A CA below a root that is kept offline.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use est_testkit::peers::is_installed;
use est_testkit::server::Launch;
use est_testkit::shell::Shell;

use crate::init::{enrolls, init};
use crate::{ESTD, estd, stderr, stdout};

/// The one certificate that the root in this folder has issued.
fn issued(root: &Path) -> String {
    let entries = fs::read_dir(root).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut issued = entries.filter(|path| path.to_string_lossy().contains("/issued-"));
    let only = issued.next().expect("a certificate").display().to_string();
    assert!(issued.next().is_none());
    only
}

#[test]
fn a_ca_below_a_new_root_serves_and_is_revoked_by_that_root() {
    if !is_installed("openssl") {
        return;
    }
    let medium = tempfile::tempdir().expect("a folder");
    let root = medium.path().join("root");
    let at = root.to_str().expect("UTF-8");
    let url = "http://pki.example.com/root.crl";
    let (server, shell) = enrolls(&[
        "--root",
        at,
        "--root-subject",
        "CN=Example Root CA,O=Example",
        "--root-crl-url",
        url,
        "--subject",
        "CN=Example Issuing CA 1,O=Example",
        "--key-type",
        "ecdsa-p384",
    ]);
    let key = root.join("root-key.pem");
    assert_eq!(fs::metadata(&key).expect("a key").permissions().mode() & 0o777, 0o600);
    let etc = server.folder().display().to_string();
    assert!(
        !fs::read_dir(server.folder())
            .expect("a folder")
            .any(|entry| { entry.expect("an entry").file_name().to_string_lossy().contains("root-key") })
    );
    let verify = format!(
        "{ESTD} crl --config {etc}/estd.toml --out main.crl.pem --pem
         openssl crl -inform DER -in {at}/root.crl -out root.crl.pem
         openssl verify -x509_strict -purpose sslclient -crl_check_all -CRLfile root.crl.pem -CRLfile main.crl.pem \
             -CAfile {at}/root.pem -untrusted {etc}/ca.pem device.pem"
    );
    shell.run(&verify);
    let ca = shell.run(&format!("openssl x509 -in {etc}/ca.pem -noout -text"));
    assert!(ca.contains("pathlen:0") && ca.contains(url), "{ca}");

    // The key is encrypted from now on, by the command that was printed.
    shell.run(&format!(
        "printf 'a long one\\nand more\\n' > passphrase
         openssl pkcs8 -topk8 -v2 aes-256-cbc -passout file:passphrase -in {at}/root-key.pem -out {at}/encrypted.pem
         mv {at}/encrypted.pem {at}/root-key.pem"
    ));
    let certificate = issued(&root);
    let revoke = ["ca", "root-crl", "--root", at, "--revoke", &certificate, "--reason", "cACompromise"];
    let refused = stderr(&estd(&revoke));
    assert!(refused.contains("--passphrase-file"), "{refused}");
    let passphrase = shell.folder().join("passphrase");
    let passphrase = ["--passphrase-file", passphrase.to_str().expect("UTF-8")];
    let told = stdout(&estd(&[&revoke[..], &passphrase].concat()));
    assert!(told.contains("made CRL 2") && told.contains("lists 1 certificate"), "{told}");
    shell.fails(&verify);
    // It stays revoked.
    let told = stdout(&estd(&[&["ca", "root-crl", "--root", at][..], &passphrase].concat()));
    assert!(told.contains("made CRL 3") && told.contains("lists 1 certificate"), "{told}");
    shell.fails(&verify);

    // Another CA takes its place, below the same root, under another name.
    let namesake = ["--root", at, "--subject", "CN=Example Issuing CA 1,O=Example"];
    let refused = stderr(&init(&medium.path().join("other"), &[&namesake[..], &passphrase].concat()));
    assert!(refused.contains("two CAs of one name"), "{refused}");
    let options = ["--root", at, "--subject", "CN=Example Issuing CA 2,O=Example"];
    let (server, shell) = enrolls(&[&options[..], &passphrase].concat());
    shell.run(&format!(
        "openssl crl -inform DER -in {at}/root.crl -out root.crl.pem
         openssl verify -x509_strict -crl_check -CRLfile root.crl.pem -CAfile {at}/root.pem {0}/ca.pem
         openssl verify -x509_strict -CAfile {at}/root.pem -untrusted {0}/ca.pem device.pem",
        server.folder().display()
    ));
}

#[test]
fn a_root_is_made_and_certifies_apart_from_the_server() {
    if !is_installed("openssl") {
        return;
    }
    let (medium, folder, shell) = (Shell::new(), tempfile::tempdir().expect("a folder"), Shell::new());
    let root = medium.folder().join("root");
    let at = root.to_str().expect("UTF-8");
    let made = ["ca", "root", at, "--subject", "CN=Example Root CA", "--key-type", "rsa-3072", "--days", "30"];
    stdout(&estd(&made));
    let again = stderr(&estd(&made));
    assert!(again.contains("exists already"), "{again}");

    stdout(&init(folder.path(), &["--csr", "--subject", "CN=Example Issuing CA"]));
    let csr = folder.path().join("ca.csr").display().to_string();
    shell.run(&format!("openssl req -in {csr} -noout -verify -subject"));
    let out = medium.folder().join("ca-and-root.pem").display().to_string();
    let certify = ["ca", "certify", "--root", at, "--csr", &csr, "--out", &out, "--path-length", "1"];
    stdout(&estd(&certify));
    let again = stderr(&estd(&certify));
    assert!(again.contains("exists already"), "{again}");
    stdout(&init(folder.path(), &["--ca-cert", &out, "--name", "est.example.com"]));
    shell.run(&format!(
        "openssl verify -x509_strict -CAfile {at}/root.pem {out}
         openssl x509 -in {out} -noout -text | grep pathlen:1
         root=$(date -d \"$(openssl x509 -in {at}/root.pem -noout -enddate | cut -d= -f2)\" +%s)
         ca=$(date -d \"$(openssl x509 -in {out} -noout -enddate | cut -d= -f2)\" +%s)
         test $ca -le $root"
    ));
    assert!(
        stdout(&estd(&["check", "--config", &folder.path().join("estd.toml").display().to_string()]))
            .contains("no mistakes")
    );

    // What is not the root's is not revoked by it, and a root does not revoke itself.
    for foreign in [format!("{at}/root.pem"), folder.path().join("server.pem").display().to_string()] {
        let refused = stderr(&estd(&["ca", "root-crl", "--root", at, "--revoke", &foreign]));
        assert!(refused.contains("not a certificate that this root issued"), "{refused}");
    }
    fs::remove_file(root.join("root.crl")).expect("the CRL was there");
    let refused = stderr(&estd(&["ca", "root-crl", "--root", at]));
    assert!(refused.contains("bring the last CRL back"), "{refused}");
}

#[test]
fn a_root_that_is_made_with_a_passphrase_is_encrypted_from_the_start() {
    if !is_installed("openssl") {
        return;
    }
    let (medium, shell) = (tempfile::tempdir().expect("a folder"), Shell::new());
    shell.run("printf 'a long one\\n' > passphrase; printf '\\nnot this line\\n' > empty; printf 'another\\n' > wrong");
    let file = |name: &str| shell.folder().join(name).display().to_string();
    let made = medium.path().join("made").display().to_string();
    let refused = stderr(&estd(&["ca", "root", &made, "--passphrase-file", &file("empty")]));
    assert!(refused.contains("its first line is empty"), "{refused}");
    assert!(!Path::new(&made).exists(), "nothing is made without a passphrase");

    let told = stdout(&estd(&["ca", "root", &made, "--passphrase-file", &file("passphrase")]));
    assert!(!told.contains("Encrypt its key"), "{told}");
    let beside = medium.path().join("beside").display().to_string();
    let folder = medium.path().join("ca").display().to_string();
    let told = stdout(&init(Path::new(&folder), &["--root", &beside, "--passphrase-file", &file("passphrase")]));
    assert!(!told.contains("Encrypt its key"), "{told}");
    for root in [&made, &beside] {
        shell.run(&format!("openssl pkey -in {root}/root-key.pem -passin file:passphrase -noout -check"));
        shell.fails(&format!("openssl pkey -in {root}/root-key.pem -passin file:wrong -noout"));
        let next = ["ca", "root-crl", "--root", root, "--passphrase-file"];
        let told = stdout(&estd(&[&next[..], &[&file("passphrase")]].concat()));
        assert!(told.contains("made CRL 2"), "{told}");
        let refused = stderr(&estd(&[&next[..], &[&file("wrong")]].concat()));
        assert!(refused.contains("root-key.pem"), "{refused}");
    }
}

#[test]
fn a_ca_is_finished_with_what_a_root_elsewhere_has_certified() {
    if !is_installed("openssl") {
        return;
    }
    let (folder, shell) = (tempfile::tempdir().expect("a folder"), Shell::new());
    stdout(&init(folder.path(), &["--csr", "--subject", "CN=Issuing", "--key-type", "rsa-2048"]));
    assert_eq!(fs::metadata(folder.path().join("ca-key.pem")).expect("a key").permissions().mode() & 0o777, 0o600);
    // Two levels above it, and a certificate that is no CA's.
    shell.run(&format!(
        "ec='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
         openssl req -x509 $ec -keyout top-key.pem -subj /CN=top -days 100 -out top.pem \
             -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
         openssl req -new $ec -keyout middle-key.pem -subj /CN=middle -out middle.csr
         printf 'basicConstraints=critical,CA:TRUE\\nkeyUsage=critical,keyCertSign,cRLSign\\n' > ca.ext
         printf 'subjectKeyIdentifier=hash\\nauthorityKeyIdentifier=keyid\\n' >> ca.ext
         openssl x509 -req -in middle.csr -CA top.pem -CAkey top-key.pem -CAcreateserial -days 90 -extfile ca.ext -out middle.pem
         sign='openssl x509 -req -in {csr} -CA middle.pem -CAkey middle-key.pem -CAcreateserial'
         $sign -days 80 -extfile ca.ext -out ca.pem
         echo basicConstraints=CA:FALSE > leaf.ext
         $sign -days 80 -extfile leaf.ext -out leaf.pem
         cat middle.pem top.pem > above.pem; cat top.pem middle.pem > upside-down.pem",
        csr = folder.path().join("ca.csr").display()
    ));
    let file = |name: &str| shell.folder().join(name).display().to_string();
    let (ca, above) = (file("ca.pem"), file("above.pem"));
    for (options, why) in [
        (vec!["--ca-cert".to_owned(), ca.clone()], "CN=middle, which issued CN=Issuing, is missing"),
        (vec!["--ca-cert".into(), ca.clone(), "--chain".into(), file("middle.pem")], "CN=top, which issued CN=middle"),
        (vec!["--ca-cert".into(), file("top.pem")], "not the certificate of"),
        (vec!["--ca-cert".into(), file("leaf.pem"), "--chain".into(), above.clone()], "not the certificate of a CA"),
    ] {
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        let refused = stderr(&init(folder.path(), &options));
        assert!(refused.contains(why), "{options:?}: {refused}");
    }
    let printed = stdout(&init(folder.path(), &["--ca-cert", &ca, "--chain", &file("upside-down.pem")]));
    assert!(printed.contains("The SHA-256 fingerprint of CN=top is"), "{printed}");
    let etc = folder.path().display().to_string();
    let checked = estd(&["check", "--config", &format!("{etc}/estd.toml")]);
    assert!(stdout(&checked).trim().ends_with("no mistakes"), "{}{}", stdout(&checked), stderr(&checked));
    let server = Launch::of(ESTD, folder).start();
    let est = Path::new(ESTD).with_file_name("est");
    shell.run(&format!(
        "{} enroll --server {} --cacert {etc}/root.pem --password {} --subject CN=device-1 --out device.pem
         openssl verify -x509_strict -CAfile top.pem -untrusted {etc}/ca.pem -untrusted {etc}/chain.pem device.pem",
        est.display(),
        server.url().replace("127.0.0.1", "localhost"),
        server.password(1),
    ));
}
