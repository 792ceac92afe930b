//! A secret that is asked for on the terminal, on a real one: that of `script`.

use std::fs;
use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

use est_testkit::peers::is_installed;

const ESTD: &str = env!("CARGO_BIN_EXE_estd");
const PASSPHRASE: &str = "correct horse battery";

/// A folder as of `estd init`, the CA's key encrypted, its passphrase to be asked for.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path();
    let run = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).current_dir(dir).output().expect("it runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    run(ESTD, &["init", "pki"]);
    let passout = format!("pass:{PASSPHRASE}");
    run("openssl", &["pkcs8", "-topk8", "-in", "pki/ca-key.pem", "-out", "pki/encrypted.pem", "-passout", &passout]);
    let path = dir.join("pki/estd.toml");
    let text = fs::read_to_string(&path).expect("the configuration");
    let text = text
        .replace("key = \"ca-key.pem\"", "key = \"encrypted.pem\"\nkey_passphrase = \"prompt\"")
        .replace("127.0.0.1:9443", "127.0.0.1:0");
    fs::write(&path, text).expect("the configuration can be written");
    folder
}

/// Runs a command on a terminal and types each answer once its question is there; everything the terminal showed, and
/// whether the command succeeded.
fn on_a_terminal(folder: &tempfile::TempDir, command: &str, answers: &[(&str, &str)]) -> (String, bool) {
    // In the shell's place: the interrupt of a shell that waits would be what is told of the end.
    let command = format!("exec {ESTD} {command} --config pki/estd.toml");
    let mut script = Command::new("script")
        .args(["--quiet", "--return", "--command", &command, "/dev/null"])
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("script runs");
    let (mut keyboard, mut screen) = (script.stdin.take().expect("a pipe"), script.stdout.take().expect("a pipe"));
    let (mut shown, mut octets, mut answers) = (String::new(), [0; 512], answers.iter().peekable());
    while let count @ 1.. = screen.read(&mut octets).expect("what it shows") {
        shown.push_str(std::str::from_utf8(&octets[..count]).expect("text"));
        if let Some((_, answer)) = answers.next_if(|(question, _)| shown.contains(question)) {
            keyboard.write_all(answer.as_bytes()).expect("it can be typed");
        }
    }
    (shown, script.wait().expect("its end").success())
}

#[test]
fn a_prompt_is_asked_once_and_its_answer_not_shown() {
    if !is_installed("script") || !is_installed("openssl") {
        return;
    }
    let folder = folder();
    // Serving takes the key twice: it signs certificates, and the keys that the server makes.
    let path = folder.path().join("pki/estd.toml");
    let text = fs::read_to_string(&path).expect("the configuration");
    fs::write(&path, format!("est.serverkeygen = true\n{text}")).expect("it can be written");

    let passphrase = format!("{PASSPHRASE}\n");
    let interrupt = ("listening on", "\u{3}");
    let (shown, succeeded) =
        on_a_terminal(&folder, "run --listen 127.0.0.1:0", &[("key_passphrase: ", &passphrase), interrupt]);
    assert!(succeeded && shown.contains("listening on"), "{shown}");
    assert_eq!(shown.matches("ca.key_passphrase: ").count(), 1, "{shown}");
    // A server that runs as root says so before.
    assert!(shown.lines().any(|line| line.starts_with("line ")) && !shown.contains("horse"), "{shown}");

    let (shown, succeeded) = on_a_terminal(&folder, "check", &[("key_passphrase: ", "another\n")]);
    assert!(!succeeded && shown.contains("the passphrase does not open it"), "{shown}");
}

#[test]
fn nobody_is_asked_where_there_is_no_terminal_and_by_commands_that_need_no_key() {
    if !is_installed("setsid") || !is_installed("openssl") {
        return;
    }
    let folder = folder();
    let without_terminal = |arguments: &[&str]| {
        let arguments = [&["--wait", ESTD], arguments, &["--config", "pki/estd.toml"]].concat();
        let output = Command::new("setsid").args(arguments).current_dir(folder.path()).output().expect("setsid runs");
        (String::from_utf8_lossy(&output.stderr).into_owned(), output.status.success())
    };
    let (errors, succeeded) = without_terminal(&["check"]);
    assert!(!succeeded && errors.contains("ca.key_passphrase: there is no terminal to ask on"), "{errors}");
    let (errors, succeeded) = without_terminal(&["migrate"]);
    assert!(succeeded, "{errors}");
    let (errors, succeeded) = without_terminal(&["certs", "list"]);
    assert!(succeeded, "{errors}");
}
