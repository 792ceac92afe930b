//! The operator page, in a real browser: what an operator does on a day, with pictures kept.

use std::path::PathBuf;

use est_testkit::browser::Browser;
use est_testkit::https::{Client, base64, post_as};
use est_testkit::pki::Key;
use est_testkit::server::{Launch, Server};

const ESTD: &str = env!("CARGO_BIN_EXE_estd");

/// Where pictures are kept, for people to look at after a run.
fn picture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("operator-page").join(format!("{name}.png"))
}

/// A server with a label where a person looks at each request.
fn server() -> Server {
    let label = "\n[[est.label]]\nname = \"looked-at\"\nca_id = \"main\"\napproval = \"manual\"\nrequire_san = false\n";
    Launch::configured(ESTD, |text| text + label).start()
}

fn enroll(server: &Server, path: &str, subject: &str) -> u16 {
    let body = base64(&Key::p256().csr(subject, &[]));
    let client = Client::new(server.port(), &server.ca());
    client.enroll(path, Some(&server.password(1)), body.as_bytes()).status
}

fn log_in(browser: &Browser, server: &Server) {
    browser.open(&format!("https://127.0.0.1:{}/", server.admin_port()));
    browser.type_into("#token", &server.admin_token());
    browser.click("#login-form button");
    browser.text_with("#who", "operator");
}

#[test]
fn an_operator_gets_through_a_day() {
    let Some(browser) = Browser::start() else { return };
    let server = server();
    assert_eq!(enroll(&server, "/simpleenroll", "CN=device-17"), 200);
    assert_eq!(enroll(&server, "/looked-at/simpleenroll", "CN=visitor"), 202);
    assert_eq!(enroll(&server, "/looked-at/simpleenroll", "CN=intruder"), 202);

    log_in(&browser, &server);
    browser.text_with("#health", "healthy");
    browser.text_with("#chart", "1 in all");
    browser.text_with("#pending-count", "2");
    browser.screenshot(&picture("overview"));

    browser.click("a[href='#passwords']");
    browser.type_into("#password-form input[name=entity_id]", "device-18");
    browser.type_into("#password-form input[name=ttl]", "2h");
    browser.click("#password-form button");
    let password = browser.text_with("#secret", ".");
    browser.screenshot(&picture("password"));
    browser.click("#secret-dialog button[type=submit]");
    browser.text_with("#password-rows", "device-18");
    assert!(!browser.shown("body").expect("a page").contains(&password), "it is shown once");
    let body = base64(&Key::p256().csr("CN=device-18", &[]));
    let client = Client::new(server.port(), &server.ca());
    let request = post_as("/simpleenroll", Some(("device-18", &password)), body.as_bytes());
    let answer = client.exchange(&request).expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.text());

    browser.click("a[href='#requests']");
    browser.text_with("#request-rows", "CN=visitor");
    browser.screenshot(&picture("requests"));
    let visitor = "//tr[td[text()='CN=visitor']]";
    press(&browser, visitor, "Approve");
    browser.text_with("#message", "CN=visitor is approved");
    press(&browser, "//tr[td[text()='CN=intruder']]", "Deny");
    browser.text_with("#message", "CN=intruder is denied");
    browser.text_with("#request-none", "Nobody waits");

    browser.click("a[href='#certificates']");
    browser.type_into("#certificate-search input[name=subject]", "device-17");
    browser.click("#certificate-search button");
    browser.text_with("#certificate-rows", "CN=device-17");
    press(&browser, "//tr[td[text()='CN=device-17']]", "Revoke");
    browser.text_with("#revoke-subject", "CN=device-17");
    browser.screenshot(&picture("revoke"));
    browser.click("#revoke-form .danger");
    browser.text_with("#message", "CN=device-17 is revoked");
    browser.text_with("#certificate-rows", "revoked");

    browser.click("a[href='#audit']");
    browser.text_with("#chain", "intact");
    browser.type_into("#audit-search input[name=event]", "cert.revoked");
    browser.click("#audit-search button");
    browser.text_with("#audit-rows", "cert.revoked");
    browser.screenshot(&picture("audit"));
    browser.click("#logout");
    browser.text_with("#login-form", "Bearer token");
    assert_eq!(browser.shown("#audit-rows").unwrap_or_default(), "", "nothing stays in the page");

    let complaints = browser.console();
    let complaints: Vec<_> = complaints.iter().filter(|message| !message.contains("401")).collect();
    assert!(complaints.is_empty(), "{complaints:?}");
}

/// Presses a button in the row that an XPath finds.
fn press(browser: &Browser, row: &str, button: &str) {
    browser.click(&format!("xpath:{row}//button[text()='{button}']"));
}

#[test]
fn a_stranger_sees_nothing() {
    let Some(browser) = Browser::start() else { return };
    let server = server();
    browser.open(&format!("https://127.0.0.1:{}/", server.admin_port()));
    browser.type_into("#token", "not-the-token-of-anybody");
    browser.click("#login-form button");
    browser.text_with("#login-message", "No operator has this token");
    assert_eq!(browser.script("return document.getElementById('shell').hidden"), true);
    browser.screenshot(&picture("login"));
}

#[test]
fn what_a_device_calls_itself_stays_text() {
    let Some(browser) = Browser::start() else { return };
    let server = server();
    let hostile = "CN=<img src=x onerror=document.title=1>";
    assert_eq!(enroll(&server, "/simpleenroll", hostile), 200);
    log_in(&browser, &server);
    browser.click("a[href='#certificates']");
    browser.text_with("#certificate-rows", "<img src=x");
    assert_eq!(browser.script("return document.title"), "Ohia");
    assert_eq!(browser.script("return document.querySelectorAll('#certificate-rows img').length"), 0);
    // Nor would a script run that got into the page.
    let script = "const s = document.createElement('script'); s.textContent = 'document.title = 2'; \
                  document.body.append(s); return document.title";
    assert_eq!(browser.script(script), "Ohia");
}

#[test]
fn more_passwords_than_a_page_holds_are_all_to_be_had() {
    let Some(browser) = Browser::start() else { return };
    let server = server();
    assert!(server.estd(&["otp", "create", "--entity", "the-first-of-all"]).status.success());
    assert!(server.estd(&["otp", "create", "--entity", "device", "--count", "50"]).status.success());
    log_in(&browser, &server);
    browser.click("a[href='#passwords']");
    browser.text_with("#password-rows", "device");
    assert!(!browser.shown("#password-rows").expect("rows").contains("the-first-of-all"));
    browser.click("#password-more");
    browser.text_with("#password-rows", "the-first-of-all");
    assert_eq!(browser.script("return document.getElementById('password-more').hidden"), true);
}
