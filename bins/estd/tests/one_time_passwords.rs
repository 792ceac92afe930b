//! One-time passwords: the names that they give, the labels where they are good, and guesses.

use std::fs;
use std::process::Command;

use est_core::pkix::{Certificate, Extension, oid};
use est_testkit::https::{Client, Response, base64, post_as};
use est_testkit::peers::is_installed;
use est_testkit::pki::Key;
use est_testkit::server::{Launch, Server};
use serde_json::Value;

const ESTD: &str = env!("CARGO_BIN_EXE_estd");

const LABELS: &str = r#"
[est]
unlabelled = true

[[est.label]]
name = "clients"
ca_id = "main"
profile = "device"

[[est.label]]
name = "servers"
ca_id = "main"
require_san = false

[[est.label]]
name = "ras"
ca_id = "main"
profile = "ra"

[[identity]]
name = "gateways"
entity = "^gateway-[0-9]+$"
subject_pattern = "^CN=gateway-[0-9]+,O=Lab$"
names = ["dns:^[a-z0-9-]+\\.lab\\.example$"]

[[identity]]
name = "clients-that-serve"
certificate = "^CN=both$"
issuer = "^CN=Ohia CA$"
labels = ["servers"]
names = ["dns:^both\\.lab\\.example$"]
"#;

fn served() -> Server {
    Launch::configured(ESTD, |text| text + LABELS).start()
}

/// As `served`, with as many failures from one address as of one user.
fn served_for_few_failures() -> Server {
    let strict = "[otp]\nmax_address_failures = 5\n";
    Launch::configured(ESTD, |text| text.replace("[otp]\n", strict) + LABELS).start()
}

/// A password made with these arguments.
fn create(server: &Server, arguments: &[&str]) -> String {
    let created = server.estd_json(&[&["otp", "create"], arguments].concat());
    created["otp"].as_str().expect("a password").to_owned()
}

/// What a server says, as curl tells it.
struct Answer {
    status: u16,
    retry_after: Option<u64>,
    text: String,
}

/// Enrolls with curl, from this address of the machine.
fn curl(server: &Server, from: &str, credentials: &str, label: &str, subject: &str, names: &[&str]) -> Answer {
    let folder = tempfile::tempdir().expect("a folder");
    let body = folder.path().join("request");
    fs::write(&body, base64(&Key::p256().csr(subject, names))).expect("a file");
    let output = Command::new("curl")
        .args(["-sS", "-i", "--interface", from, "--user", credentials, "--cacert"])
        .arg(server.ca())
        .args(["-H", "Content-Type: application/pkcs10", "--data-binary", &format!("@{}", body.display())])
        .arg(server.est(&format!("{label}/simpleenroll")))
        .output()
        .expect("curl runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let status = text.split_whitespace().nth(1).and_then(|status| status.parse().ok());
    let header = |line: &str| line.to_ascii_lowercase().strip_prefix("retry-after: ").map(str::to_owned);
    let retry_after = text.lines().find_map(header).and_then(|seconds| seconds.trim().parse().ok());
    let status = status.unwrap_or_else(|| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)));
    Answer { status, retry_after, text }
}

fn status(server: &Server, credentials: &str, label: &str, subject: &str, names: &[&str]) -> u16 {
    curl(server, "127.0.0.1", credentials, label, subject, names).status
}

/// A wrong password for this id.
fn wrong(password: &str) -> String {
    let (id, secret) = password.split_once('.').expect("id.secret");
    format!("{id}.{}", "0".repeat(secret.len()))
}

fn events(server: &Server, event: &str) -> usize {
    let listed = server.estd_json(&["audit", "list", "--event", event, "--limit", "10000"]);
    listed["events"].as_array().expect("a list").len()
}

#[test]
fn gives_the_names_of_its_entity_and_never_those_of_somebody_else() {
    if !is_installed("curl") {
        return;
    }
    let server = served();
    let password = create(&server, &["--entity", "test-device", "--uses", "20"]);
    let credentials = format!("test-device:{password}");
    for (subject, names) in [
        ("CN=root-admin", &[][..]),
        ("CN=test-device,O=Example", &[]),
        ("CN=test-device,OU=admins", &[]),
        ("CN=test-device,CN=root-admin", &[]),
        ("UID=root-admin", &[]),
        ("CN=test-device", &["DNS:root-admin"]),
        ("CN=test-device", &["DNS:test-device", "DNS:*.test-device.example"]),
        ("CN=test-device", &["URI:spiffe://test-device/root"]),
        ("CN=test-device", &["IP:192.0.2.7"]),
        ("CN=root-admin", &["DNS:test-device"]),
        ("CN=Test-Device", &[]),
    ] {
        let answer = curl(&server, "127.0.0.1", &credentials, "", subject, names);
        assert_eq!(answer.status, 403, "{subject} {names:?}: {}", answer.text);
        assert!(answer.text.contains("your own names are test-device;"), "{}", answer.text);
    }
    for (subject, names) in
        [("CN=test-device", &[][..]), ("CN=test-device", &["DNS:test-device"]), ("", &["DNS:TEST-device"])]
    {
        assert_eq!(status(&server, &credentials, "", subject, names), 200, "{subject} {names:?}");
    }
    let denied = server.estd_json(&["audit", "list", "--event", "cert.denied"]);
    assert!(denied["events"][0]["reason"].as_str().expect("a reason").starts_with("name-not-bound"), "{denied}");
}

#[test]
fn the_refusal_of_a_name_ends_with_the_allow_that_gives_it() {
    if !is_installed("curl") {
        return;
    }
    let server = served();
    for (subject, names) in [
        ("CN=tedge1,O=Thin Edge,OU=Device", &[][..]),
        ("CN=Zoë (2)", &[]),
        ("CN=rack-1", &["DNS:www.lab.example"]),
        ("CN=rack-1", &["IP:192.0.2.7"]),
        ("CN=rack-1", &["IP:2001:db8::7"]),
        ("CN=rack-1", &["email:rack@lab.example"]),
        ("CN=rack-1", &["URI:urn:x:1?2+(3)"]),
    ] {
        let bound = create(&server, &["--entity", "rack-1"]);
        let refused = curl(&server, "127.0.0.1", &format!("rack-1:{bound}"), "", subject, names);
        assert_eq!(refused.status, 403, "{}", refused.text);
        let allow = refused.text.split_once("(--allow '").and_then(|(_, rest)| rest.split_once("')"));
        let (allow, _) = allow.unwrap_or_else(|| panic!("nothing to type: {}", refused.text));
        let allowed = create(&server, &["--entity", "rack-1", "--allow", allow]);
        assert_eq!(status(&server, &format!("rack-1:{allowed}"), "", subject, names), 200, "{allow}");
    }
    // What a pattern would read in another way is left to the operator.
    for (subject, names) in [("CN=rack-1", &["DNS:*.lab.example"][..]), ("CN=a\\, b", &[]), ("CN=Zoë's", &[])] {
        let bound = create(&server, &["--entity", "rack-1"]);
        let refused = curl(&server, "127.0.0.1", &format!("rack-1:{bound}"), "", subject, names);
        assert!(refused.status == 403 && !refused.text.contains("--allow"), "{}", refused.text);
    }
}

#[test]
fn gives_the_names_that_it_was_allowed_besides() {
    if !is_installed("curl") {
        return;
    }
    let server = served();
    let allow = ["--allow", "dns:*.lab.example", "--allow", "subject:CN=*,O=Lab", "--uses", "20"];
    for (entity, user) in [(&["--entity", "rack-1"][..], "rack-1"), (&[], "")] {
        let credentials = format!("{user}:{}", create(&server, &[entity, &allow].concat()));
        let ask = |subject, names: &[&str]| status(&server, &credentials, "", subject, names);
        assert_eq!(ask("CN=a.lab.example", &["DNS:a.lab.example"]), 200, "{user}");
        assert_eq!(ask("CN=anything,O=Lab", &["DNS:a.lab.example", "DNS:b.lab.example"]), 200, "{user}");
        assert_eq!(ask("CN=a.lab.example", &[]), 403, "{user}");
        assert_eq!(ask("CN=anything,O=Evil", &[]), 403, "{user}");
        assert_eq!(ask("CN=a.b.lab.example", &["DNS:a.b.lab.example"]), 403, "{user}");
        assert_eq!(ask("", &["DNS:*.lab.example"]), 403, "{user}");
        assert_eq!(ask("CN=rack-1", &[]), if user.is_empty() { 403 } else { 200 });
        // What was allowed is the operator's to know.
        let refused = curl(&server, "127.0.0.1", &credentials, "", "CN=anything,O=Evil", &[]);
        assert!(!refused.text.contains("lab.example") && !refused.text.contains('*'), "{}", refused.text);
        let denied = server.estd_json(&["audit", "list", "--event", "cert.denied"]);
        let reason = denied["events"][0]["reason"].as_str().expect("a reason");
        assert!(reason.contains("it must match dns:*.lab.example, subject:CN=*,O=Lab"), "{reason}");
    }
    let refused = server.estd(&["otp", "create", "--allow", "host.example"]);
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("begins with no kind of name"));
}

#[test]
fn gives_any_name_when_it_is_for_nobody_and_whoever_makes_it_is_told() {
    let server = served();
    let output = server.estd(&["otp", "create"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("any name that the label allows"));
    let output = server.estd(&["otp", "create", "--entity", "test-device"]);
    assert!(!String::from_utf8_lossy(&output.stderr).contains("any name"));
    let password = server.password(1);
    let body = base64(&Key::p256().csr("CN=root-admin", &[]));
    assert_eq!(
        Client::new(server.port(), &server.ca()).enroll("/simpleenroll", Some(&password), body.as_bytes()).status,
        200
    );
}

#[test]
fn is_good_at_its_label_alone_and_makes_authorities_only_there() {
    if !is_installed("curl") {
        return;
    }
    let server = served();
    let clients = format!(":{}", create(&server, &["--label", "clients", "--uses", "9"]));
    let ras = format!(":{}", create(&server, &["--label", "ras", "--uses", "9"]));
    let any = format!(":{}", create(&server, &["--uses", "9"]));
    for (credentials, good, bad) in [
        (&clients, &["/clients"][..], &["", "/servers", "/ras"][..]),
        (&ras, &["/ras"], &["", "/servers", "/clients"]),
        (&any, &["", "/servers", "/clients"], &["/ras"]),
    ] {
        good.iter().for_each(|label| assert_eq!(status(&server, credentials, label, "CN=a", &[]), 200, "{label}"));
        bad.iter().for_each(|label| assert_eq!(status(&server, credentials, label, "CN=a", &[]), 403, "{label}"));
    }
    let unknown = server.estd(&["otp", "create", "--label", "nobody"]);
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("there are: clients, servers, ras"));
}

#[test]
fn a_rule_gives_certain_entities_and_certificates_more_names_and_labels() {
    if !is_installed("curl") {
        return;
    }
    let server = served();
    let gateway = format!("gateway-4:{}", create(&server, &["--entity", "gateway-4", "--uses", "9"]));
    assert_eq!(status(&server, &gateway, "", "CN=gateway-4,O=Lab", &["DNS:x.lab.example"]), 200);
    assert_eq!(status(&server, &gateway, "", "CN=gateway-4,O=Lab", &["DNS:x.office.example"]), 403);

    // A client with a certificate for clients gets none for servers, unless a rule lists the label.
    let serves = |answer: &Response| {
        let certificate = Certificate::parse(&answer.certificate()).expect("a certificate");
        let purposes = certificate.extension(&oid::EXT_KEY_USAGE).and_then(Extension::read_ext_key_usage);
        purposes.expect("purposes").contains(&oid::SERVER_AUTH)
    };
    for (name, is_for_servers, names, names_status) in [
        ("plain", false, "DNS:plain.lab.example", 403),
        ("both", true, "DNS:both.lab.example", 200),
        ("both", true, "DNS:root.lab.example", 403),
    ] {
        let (key, subject) = (Key::p256(), format!("CN={name}"));
        let client = Client::new(server.port(), &server.ca());
        let password = server.password(1);
        let body = base64(&key.csr(&subject, &[]));
        let issued = client.enroll("/clients/simpleenroll", Some(&password), body.as_bytes()).certificate();
        let holder = Client::showing(server.port(), &server.ca(), &[issued], &key.to_pem());
        let ask = |path: &str, names: &[&str]| {
            let body = base64(&Key::p256().csr(&subject, names));
            holder.enroll(path, None, body.as_bytes())
        };
        for path in ["/servers/simpleenroll", "/servers/simplereenroll"] {
            let answer = ask(path, &[]);
            assert_eq!(answer.status, 200, "{name} {path}: {}", answer.text());
            assert_eq!(serves(&answer), is_for_servers, "{name} {path}");
        }
        assert_eq!(ask("/servers/simpleenroll", &[names]).status, names_status, "{name} {names}");
        assert_eq!(ask("/servers/simplereenroll", &[names]).status, 403, "{name}: a renewal changes no name");
        // The rule confines too.
        let confined = if name == "both" { 403 } else { 200 };
        assert_eq!(ask("/clients/simplereenroll", &[]).status, confined, "{name}");
    }
}

#[test]
fn a_certificate_gives_its_own_names_and_never_those_of_somebody_else() {
    let server = served();
    let key = Key::p256();
    let own = ["DNS:test-device.example"];
    let body = base64(&key.csr("CN=test-device", &own));
    let client = Client::new(server.port(), &server.ca());
    let issued = client.enroll("/clients/simpleenroll", Some(&server.password(1)), body.as_bytes()).certificate();
    let holder = Client::showing(server.port(), &server.ca(), &[issued], &key.to_pem());
    let ask = |path: &str, subject: &str, names: &[&str]| {
        holder.enroll(path, None, base64(&Key::p256().csr(subject, names)).as_bytes())
    };
    for (subject, names) in [
        ("CN=root-admin", &[][..]),
        ("CN=root-admin", &own),
        ("CN=test-device,OU=admins", &own),
        ("CN=test-device", &["DNS:root-admin"]),
        ("CN=test-device", &["DNS:test-device.example", "DNS:root-admin"]),
        ("CN=test-device", &["DNS:*.test-device.example"]),
        ("CN=test-device", &["URI:spiffe://test-device/root"]),
        ("CN=root-admin", &["DNS:test-device.example"]),
    ] {
        for path in ["/clients/simpleenroll", "/clients/simplereenroll"] {
            let answer = ask(path, subject, names);
            assert_eq!(answer.status, 403, "{path} {subject} {names:?}: {}", answer.text());
        }
    }
    let denied = server.estd_json(&["audit", "list", "--event", "cert.denied"]);
    let denied = denied["events"].as_array().expect("events");
    let is_for_names = |event: &Value| event["reason"].as_str().is_some_and(|why| why.starts_with("names-differ"));
    assert!(denied.len() == 16 && denied.iter().all(is_for_names), "{denied:?}");
    assert_eq!(ask("/clients/simpleenroll", "CN=test-device", &own).status, 200);
    assert_eq!(ask("/clients/simplereenroll", "CN=test-device", &own).status, 200);
}

#[test]
fn a_rule_is_for_those_whom_it_names_at_the_labels_that_it_lists() {
    let rule = "\n[[identity]]\nname = \"racks\"\nentity = \"^rack-[0-9]+$\"\nlabels = [\"servers\"]\n\
                names = [\"dns:^[a-z]+\\\\.rack\\\\.example$\"]\n";
    let server = Launch::configured(ESTD, |text| text + LABELS + rule).start();
    let client = Client::new(server.port(), &server.ca());
    let ask = |entity: &str, label: &str, names: &[&str]| {
        let password = create(&server, &["--entity", entity]);
        let body = base64(&Key::p256().csr(&format!("CN={entity}"), names));
        let request = post_as(&format!("{label}/simpleenroll"), Some((entity, &password)), body.as_bytes());
        client.exchange(&request).expect("a response").status
    };
    let more = &["DNS:a.rack.example"];
    assert_eq!(ask("rack-7", "/servers", more), 200);
    assert_eq!(ask("rack-7", "/servers", &["DNS:a.other.example"]), 403, "the rule does not go so far");
    assert_eq!(ask("rack-7", "/clients", &[]), 403, "the rule lists another label");
    assert_eq!(ask("rack-7", "", &[]), 403, "the rule lists another label");
    for other in ["shelf-7", "my-rack-7", "rack-7b"] {
        assert_eq!(ask(other, "/servers", more), 403, "{other}: the rule is not about it");
        assert_eq!(ask(other, "/servers", &[]), 200, "{other}: nothing confines it");
    }
}

#[test]
fn locks_a_user_out_for_whom_too_many_guess_and_nobody_else() {
    if !is_installed("curl") {
        return;
    }
    let server = served();
    let password = create(&server, &["--entity", "device-7"]);
    let other = create(&server, &["--entity", "device-8"]);
    let guess = |from: &str| curl(&server, from, &format!("device-7:{}", wrong(&password)), "", "CN=device-7", &[]);
    // From five addresses, so that none of them is locked out.
    for number in 2..7 {
        assert_eq!(guess(&format!("127.0.0.{number}")).status, 401);
    }
    let right = format!("device-7:{password}");
    let locked = curl(&server, "127.0.0.9", &right, "", "CN=device-7", &[]);
    assert_eq!(locked.status, 403, "{}", locked.text);
    assert!((1790..=1800).contains(&locked.retry_after.expect("Retry-After")), "{}", locked.text);
    assert_eq!(curl(&server, "127.0.0.2", &format!("device-8:{other}"), "", "CN=device-8", &[]).status, 200);
    // Once for the user name and once for the password, however often they go on.
    assert_eq!(guess("127.0.0.2").status, 403);
    assert_eq!(events(&server, "auth.otp.lockout"), 2);

    let listed = server.estd_json(&["otp", "list"]);
    let failures = listed["failures"].as_array().expect("a list");
    let user = failures.iter().find(|one| one["who"] == "user device-7").expect("the user is listed");
    assert!(user["failures"] == 5 && !user["locked_until"].is_null(), "{listed}");

    // It outlives the server, and an operator ends it.
    let server = server.kill().start();
    let retry = || curl(&server, "127.0.0.9", &right, "", "CN=device-7", &[]).status;
    assert_eq!(retry(), 403);
    assert!(server.estd(&["otp", "unlock", "device-7"]).status.success());
    assert_eq!(retry(), 403, "the password is locked still");
    let (id, _) = password.split_once('.').expect("id.secret");
    assert!(server.estd(&["otp", "unlock", id]).status.success());
    assert_eq!(retry(), 200);
    assert_eq!(events(&server, "auth.otp.unlocked"), 2);
    assert!(!server.estd(&["otp", "unlock", "nobody"]).status.success());
}

#[test]
fn finds_and_unlocks_a_user_whose_name_is_not_written_down_as_it_is() {
    if !is_installed("curl") {
        return;
    }
    let server = served();
    let entity = "x".repeat(65);
    let password = create(&server, &["--entity", &entity]);
    let (right, guess) = (format!("{entity}:{password}"), format!("{entity}:{}", wrong(&password)));
    let subject = format!("CN={}", "x".repeat(64));
    let ask = |from: &str, credentials: &str| curl(&server, from, credentials, "", &subject, &[]).status;
    for number in 2..7 {
        assert_eq!(ask(&format!("127.0.0.{number}"), &guess), 401);
    }
    let (id, _) = password.split_once('.').expect("id.secret");
    let shown = server.estd_json(&["otp", "show", id]);
    assert_eq!(shown["failures"].as_array().map(Vec::len), Some(2), "of the password and of the user: {shown}");
    assert!(server.estd(&["otp", "unlock", id]).status.success());
    assert_eq!(ask("127.0.0.9", &right), 403, "the user is locked out still");
    let unlocked = server.estd_json(&["otp", "unlock", &entity]);
    let unlocked = unlocked["unlocked"][0].as_str().expect("a name").to_owned();
    assert!(unlocked.starts_with("user sha256:"), "{unlocked}");
    assert_eq!(ask("127.0.0.9", &guess), 401, "nobody is locked out");
    // As the listing has it, with or without its kind.
    for who in [&unlocked, unlocked.trim_start_matches("user ")] {
        assert!(server.estd(&["otp", "unlock", who]).status.success(), "{who}");
        assert_eq!(ask("127.0.0.9", &guess), 401);
    }
}

#[test]
fn locks_an_address_out_from_which_too_many_guesses_come_and_no_other() {
    if !is_installed("curl") {
        return;
    }
    let server = served_for_few_failures();
    let password = create(&server, &["--entity", "device-7", "--uses", "9"]);
    let right = format!("device-7:{password}");
    // Another user name and another id each time, half of them no password at all.
    for number in 0..5 {
        let guess = if number % 2 == 0 { format!("0000000{number:03}.{}", "0".repeat(20)) } else { "x".to_owned() };
        let answer = curl(&server, "127.0.0.2", &format!("user-{number}:{guess}"), "", "CN=a", &[]);
        assert_eq!(answer.status, 401, "{}", answer.text);
    }
    let locked = curl(&server, "127.0.0.2", &right, "", "CN=device-7", &[]);
    assert_eq!((locked.status, locked.retry_after.is_some()), (403, true), "{}", locked.text);
    assert_eq!(curl(&server, "127.0.0.3", &right, "", "CN=device-7", &[]).status, 200);
    assert_eq!(events(&server, "auth.otp.lockout"), 1);
    let log = server.stop().1;
    assert!(!log.contains(password.split_once('.').expect("id.secret").1), "the log has the secret");
}

#[test]
fn forgives_the_user_who_comes_with_the_right_password_and_not_the_address() {
    if !is_installed("curl") {
        return;
    }
    let server = served_for_few_failures();
    let password = create(&server, &["--entity", "device-7", "--uses", "9"]);
    let (right, wrong) = (format!("device-7:{password}"), format!("device-7:{}", wrong(&password)));
    let ask = |from: &str, credentials: &str| curl(&server, from, credentials, "", "CN=device-7", &[]).status;
    for _ in 0..4 {
        assert_eq!(ask("127.0.0.2", &wrong), 401);
    }
    assert_eq!(ask("127.0.0.2", &right), 200);
    assert_eq!(ask("127.0.0.2", &wrong), 401, "the fifth from there");
    assert_eq!(ask("127.0.0.2", &right), 403, "the address is locked out");
    assert_eq!(ask("127.0.0.3", &right), 200, "the user is not");
}

#[test]
fn takes_no_pattern_that_costs_much_to_compile_and_says_why() {
    let server = served();
    let output = server.estd(&["otp", "create", "--allow", r"dns:^[\w-]{1,63}\.(lab|x)1\.example$"]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && text.contains("is too large once it is compiled"), "{text}");
    create(&server, &["--allow", r"dns:^[a-z0-9-]{1,63}\.(lab|x)1\.example$"]);
}

#[test]
fn the_right_password_of_a_device_locks_nobody_out_when_it_has_ended_and_the_record_says_so() {
    if !is_installed("curl") {
        return;
    }
    let server = served_for_few_failures();
    let expired = create(&server, &["--entity", "device-7", "--ttl", "1s"]);
    let revoked = create(&server, &["--entity", "device-8"]);
    let good = create(&server, &["--entity", "device-9"]);
    let (id, _) = revoked.split_once('.').expect("id.secret");
    assert!(server.estd(&["otp", "revoke", id]).status.success());
    let (id, _) = expired.split_once('.').expect("id.secret");
    while server.estd_json(&["otp", "show", id])["state"] != "expired" {}
    for (user, password, told) in [("device-7", &expired, "expired"), ("device-8", &revoked, "revoked")] {
        for _ in 0..7 {
            let answer = curl(&server, "127.0.0.2", &format!("{user}:{password}"), "", &format!("CN={user}"), &[]);
            assert_eq!(answer.status, 401, "{}", answer.text);
            assert!(answer.text.contains(told), "{}", answer.text);
        }
        let reason = format!("password-{told} as user {user}");
        let failures = server.estd_json(&["audit", "list", "--event", "auth.otp.failure"]);
        assert!(failures["events"].as_array().expect("a list").iter().any(|one| one["reason"] == reason), "{failures}");
    }
    assert_eq!(status(&server, &format!("device-9:{good}"), "", "CN=device-9", &[]), 200);
    assert_eq!(
        curl(&server, "127.0.0.2", &format!("device-9:{good}"), "", "CN=device-9", &[]).status,
        401,
        "it is spent"
    );
    assert_eq!(events(&server, "auth.otp.lockout"), 0);
}

#[test]
fn an_old_password_stays_good_when_another_algorithm_hashes_the_next() {
    let mut server = Launch::configured(ESTD, |text| text).start();
    let (mut passwords, mut hashed) = (vec![server.password(9)], "argon2id");
    for algorithm in ["bcrypt", "sha256-hmac", "argon2id"] {
        let config = server.folder().join("estd.toml");
        fs::write(server.folder().join("pepper"), "0123456789abcdef\n").expect("a file");
        let text = fs::read_to_string(&config).expect("the configuration");
        let text =
            text.replace(&format!("hash_algorithm = \"{hashed}\"\n"), "").replace("pepper = \"file:pepper\"\n", "");
        let keys = format!("[otp]\nhash_algorithm = \"{algorithm}\"\npepper = \"file:pepper\"\n");
        fs::write(&config, text.replace("[otp]\n", &keys)).expect("the configuration can be written");
        hashed = algorithm;
        server = server.kill().start();
        passwords.push(server.password(9));
        let client = Client::new(server.port(), &server.ca());
        for password in &passwords {
            let body = base64(&Key::p256().csr("CN=a", &[]));
            assert_eq!(client.enroll("/simpleenroll", Some(password), body.as_bytes()).status, 200, "{algorithm}");
        }
        let body = base64(&Key::p256().csr("CN=a", &[]));
        let wrong = wrong(passwords.last().expect("there is one"));
        assert_eq!(client.enroll("/simpleenroll", Some(&wrong), body.as_bytes()).status, 401, "{algorithm}");
    }
}

#[test]
fn has_as_many_characters_as_the_configuration_says() {
    for (length, keys) in
        [(20, ""), (16, "token_length = 16\n"), (128, "token_length = 128\nhash_algorithm = \"bcrypt\"\n")]
    {
        let server = Launch::configured(ESTD, |text| text.replace("[otp]\n", &format!("[otp]\n{keys}"))).start();
        let password = server.password(1);
        assert_eq!(password.split_once('.').expect("id.secret").1.len(), length);
        let body = base64(&Key::p256().csr("CN=a", &[]));
        let client = Client::new(server.port(), &server.ca());
        assert_eq!(client.enroll("/simpleenroll", Some(&password), body.as_bytes()).status, 200, "{length}");
    }
}
