//! `estd init`: what it makes is served as it is, and what it prints is what to type.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Output;

use est_core::pkix::KeyType;
use est_testkit::databases::PostgresServer;
use est_testkit::peers::is_installed;
use est_testkit::server::{Launch, Server};
use est_testkit::shell::Shell;

use crate::{ESTD, estd, stderr, stdout};

/// `estd init` in this folder.
pub(crate) fn init(folder: &Path, options: &[&str]) -> Output {
    estd(&[&["init", folder.to_str().expect("UTF-8")], options].concat())
}

/// The commands that were printed, one on each line.
fn commands(printed: &str) -> Vec<String> {
    let lines = printed.replace("\\\n", " ");
    let commands = lines.lines().filter_map(|line| line.strip_prefix("  "));
    commands.map(|command| command.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

/// Makes an installation, serves it, and types what was printed, but for the address. A device has then enrolled:
/// `device.pem` is in the shell's folder.
pub(crate) fn enrolls(options: &[&str]) -> (Server, Shell) {
    let (folder, shell) = (tempfile::tempdir().expect("a folder"), Shell::new());
    let printed = stdout(&init(folder.path(), options));
    let commands = commands(&printed);
    let find = |start: &str| {
        let found = commands.iter().find(|command| command.starts_with(start));
        found.unwrap_or_else(|| panic!("{options:?}: no {start} in {printed}"))
    };
    let bin = Path::new(ESTD).parent().expect("a folder").display();
    let typed = |command: &str| format!("export PATH={bin}:$PATH; {command}");
    let checked = shell.run(&typed(&format!("{} 2>&1", find("estd check"))));
    // Of a database server it says that no checkpoints are made.
    let is_shared = options.contains(&"--db");
    assert!(checked.contains("no mistakes") && (is_shared || checked.lines().count() == 1), "{options:?}: {checked}");
    assert!(find("estd run").ends_with("estd.toml"), "{printed}");
    let server = Launch::of(ESTD, folder).start();
    let password = shell.run(&typed(find("estd otp create")));
    let enroll = find("EST_PASSWORD=").replace("=PASSWORD ", &format!("={} ", password.trim()));
    let (_, rest) = enroll.split_once("https://").expect("an address");
    let (address, _) = rest.split_once(' ').expect("more options");
    let here = server.url().replace("127.0.0.1", "localhost");
    shell.run(&typed(&enroll.replace(&format!("https://{address}"), &here)));
    assert!(printed.contains("https://localhost:9443/"), "{printed}");
    (server, shell)
}

#[test]
fn init_makes_what_run_needs_and_overwrites_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("pki");
    let dir = dir.to_str().expect("UTF-8");
    stdout(&estd(&["init", dir, "--name", "est.example.com"]));
    let key = fs::read(format!("{dir}/ca-key.pem")).expect("a key");
    stdout(&estd(&["check", "--config", &format!("{dir}/estd.toml")]));
    let again = estd(&["init", dir]);
    assert_eq!(again.status.code(), Some(1));
    assert!(stderr(&again).contains("exists already"), "{}", stderr(&again));
    assert_eq!(fs::read(format!("{dir}/ca-key.pem")).expect("a key"), key);
}

#[test]
fn a_device_enrolls_by_the_printed_commands_whatever_the_key_of_the_ca_is() {
    for key_type in KeyType::USUAL {
        let (server, shell) = enrolls(&["--key-type", &key_type.to_string(), "--name", "est.example.com"]);
        let is_known_to_openssl = !key_type.to_string().starts_with("ml-dsa");
        if is_known_to_openssl && is_installed("openssl") {
            shell.run(&format!("openssl verify -x509_strict -CAfile {} device.pem", server.ca().display()));
            let algorithm = shell.run(&format!("openssl x509 -in {} -noout -text", server.ca().display()));
            let wanted = match key_type {
                KeyType::Rsa(bits) => format!("Public-Key: ({bits} bit)"),
                KeyType::Ed25519 => "ED25519".to_owned(),
                ecdsa => format!("NIST CURVE: {}", ecdsa.to_string().replace("ecdsa-p", "P-")),
            };
            assert!(algorithm.contains(&wanted), "{key_type}: {algorithm}");
        }
    }
}

#[test]
fn a_device_enrolls_by_the_printed_commands_at_the_first_label_of_any_profile() {
    for profile in ["device", "tls-client", "tls-server", "ra", "smime"] {
        let (server, _) = enrolls(&["--label", &format!("first={profile}"), "--label", "others"]);
        let text = fs::read_to_string(server.folder().join("estd.toml")).expect("the configuration");
        for line in
            [format!("profile = \"{profile}\""), "name = \"others\"".to_owned(), "unlabelled = false".to_owned()]
        {
            assert!(text.lines().any(|found| found == line), "{line} is not in {text}");
        }
    }
}

#[test]
fn init_refuses_what_would_not_work_and_makes_nothing() {
    let parent = tempfile::tempdir().expect("a folder");
    let folder = parent.path().join("pki");
    for (options, why) in [
        (&["--key-type", "rsa-1024"][..], "rsa-2048"),
        (&["--key-type", "dsa"], "ecdsa-p256"),
        (&["--name", "https://est.example.com"], "did you mean est.example.com?"),
        (&["--subject", "est.example.com"], "--subject"),
        (&["--subject", ""], "a CA has a name"),
        (&["--subject", "", "--csr"], "a CA has a name"),
        (&["--subject", "CN=a\u{200b}b"], "U+200B"),
        (&["--label", "cacerts"], "operation"),
        (&["--label", "a", "--label", "a=ra"], "twice"),
        (&["--label", "a=br-tls"], "issuer_urls"),
        (&["--db", "oracle://db"], "--db"),
        (&["--db", "env:NO_SUCH_VARIABLE_HERE"], "NO_SUCH_VARIABLE_HERE"),
        (&["--db", "postgres://ohia:secret@127.0.0.1:1/ohia"], "127.0.0.1:1"),
        (&["--ca-cert", "nowhere.pem"], "ca-key.pem"),
        (&["--root", "root", "--root-crl-url", "https://pki.example.com/root.crl"], "http://"),
    ] {
        let refused = init(&folder, options);
        let told = stderr(&refused);
        assert!(!refused.status.success() && told.contains(why), "{options:?}: {told}");
        assert!(!told.contains("secret"), "{told}");
        let made = fs::read_dir(&folder).map(|entries| entries.count()).unwrap_or(0);
        assert_eq!(made, 0, "{options:?} left files");
    }
    assert!(!Path::new("root").exists(), "a root was made before its options were looked at");
}

#[test]
fn the_url_of_a_database_server_is_tried_and_kept_from_others() {
    let Some(postgres) = PostgresServer::shared() else { return };
    let url = postgres.url();
    let (server, shell) = enrolls(&["--db", &url]);
    let kept = server.folder().join("db-url");
    assert_eq!(fs::read_to_string(&kept).expect("the URL").trim(), url);
    assert_eq!(fs::metadata(&kept).expect("a file").permissions().mode() & 0o777, 0o600);
    let text = fs::read_to_string(server.folder().join("estd.toml")).expect("the configuration");
    assert!(text.contains("url = \"file:db-url\"") && !text.contains("postgres"), "{text}");

    // A second node of the same database, with the URL where it is.
    let other = tempfile::tempdir().expect("a folder");
    let named = format!("file:{}", kept.display());
    let told = stdout(&init(other.path(), &["--db", &named]));
    assert!(told.contains("has the tables of a server already, with 0 pending migrations"), "{told}");
    let text = fs::read_to_string(other.path().join("estd.toml")).expect("the configuration");
    assert!(text.contains(&format!("url = \"{named}\"")), "{text}");
    drop(shell);
}

#[test]
fn the_file_of_a_database_may_be_made_later() {
    let folder = tempfile::tempdir().expect("a folder");
    let told = stdout(&init(folder.path(), &["--db", "sqlite:///no/such/folder/estd.db"]));
    assert!(told.contains("the folder /no/such/folder does not exist"), "{told}");
    let text = fs::read_to_string(folder.path().join("estd.toml")).expect("the configuration");
    assert!(text.contains("url = \"sqlite:///no/such/folder/estd.db\""), "{text}");

    // The folder of the configuration is made by the command itself.
    let new = folder.path().join("new");
    let told = stdout(&init(&new, &["--db", "sqlite://other.db"]));
    assert!(told.contains("other.db is made by the first start"), "{told}");
}
