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
    let title = |text: String| text.replace("[admin]\n", "[admin]\ntitle = \"Plant 7 (test)\"\n");
    let label = "\n[est]\nunlabelled = true\n[[est.label]]\nname = \"looked-at\"\nca_id = \"main\"\napproval = \"manual\"\nrequire_san = false\n";
    Launch::configured(ESTD, |text| title(text) + label).start()
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
    for name in ["CN=visitor", "CN=intruder", "CN=one-more", "CN=yet-another"] {
        assert_eq!(enroll(&server, "/looked-at/simpleenroll", name), 202);
    }

    log_in(&browser, &server);
    browser.text_with("#installation", "Plant 7 (test)");
    browser.text_with("#needs", "4 requests wait");
    assert_eq!(browser.script("return document.title"), "Overview · Plant 7 (test) · Ohia");
    browser.text_with("#chart", "1 in all");
    browser.text_with("#pending-count", "4");
    everywhere(&browser, "overview");

    browser.click("#nav a[href='#passwords']");
    browser.type_into("#password-form input[name=entity_id]", "device-18");
    browser.type_into("#password-form input[name=ttl]", "2h");
    browser.click("#password-form [type=submit]");
    let password = browser.text_with("#secret", ".");
    browser.screenshot(&picture("password-created"));
    browser.click("dialog [type=submit]");
    browser.text_with("#view tbody", "device-18");
    assert!(!browser.shown("body").expect("a page").contains(&password), "it is shown once");
    everywhere(&browser, "passwords");
    let body = base64(&Key::p256().csr("CN=device-18", &[]));
    let client = Client::new(server.port(), &server.ca());
    let request = post_as("/simpleenroll", Some(("device-18", &password)), body.as_bytes());
    let answer = client.exchange(&request).expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.text());

    browser.click("#nav a[href='#requests']");
    browser.text_with("#view tbody", "CN=visitor");
    everywhere(&browser, "requests");
    open(&browser, "CN=visitor");
    browser.text_with("#view h1", "CN=visitor");
    browser.text_with("#view", "What would be issued");
    everywhere(&browser, "request");
    browser.click("#view .primary");
    browser.text_with("dialog", "CN=visitor");
    browser.screenshot(&picture("approve"));
    browser.click("dialog .primary");
    browser.text_with("#message", "CN=visitor is approved");
    browser.text_with("#pending-count", "3");
    browser.click("#nav a[href='#requests']");
    open(&browser, "CN=intruder");
    browser.click("#view .danger");
    browser.type_into("dialog input[name=comment]", "nobody knows this device");
    browser.click("dialog .danger");
    browser.text_with("#message", "CN=intruder is denied");
    browser.click("#nav a[href='#requests']");
    for _ in 0..2 {
        browser.click("xpath://tr[.//input[not(@data-chosen)]]//input[not(@data-chosen)]");
        browser
            .script("document.querySelectorAll('tbody input:checked').forEach((box) => { box.dataset.chosen = 1; })");
    }
    browser.text_with(".bulk", "2 requests chosen");
    browser.screenshot(&picture("requests-chosen"));
    browser.click(".bulk .primary");
    browser.click("dialog .primary");
    browser.text_with("#message", "2 requests are approved");
    browser.text_with("#view", "No requests are waiting");

    browser.click("#nav a[href='#certificates']");
    browser.type_into("#view input[name=subject]", "device-17");
    browser.click("#view form [type=submit]");
    browser.text_with("#view form", "Clear");
    browser.text_with("#view tbody", "CN=device-17");
    assert!(!browser.shown("#view tbody").expect("rows").contains("device-18"));
    everywhere(&browser, "certificates");
    open(&browser, "CN=device-17");
    browser.text_with(".timeline", "Issued");
    everywhere(&browser, "certificate");
    browser.click("#view .danger");
    browser.text_with("dialog", "CN=device-17");
    browser.screenshot(&picture("revoke"));
    browser.click("dialog .danger");
    browser.text_with("#message", "CN=device-17 is revoked");
    browser.text_with("#view h1", "revoked");
    browser.text_with(".timeline", "cert.revoked");

    browser.click("#nav a[href='#authorities']");
    browser.text_with("#view tbody", "main");
    everywhere(&browser, "authorities");
    open(&browser, "main");
    browser.text_with("#view", "BEGIN CERTIFICATE");
    everywhere(&browser, "authority");

    browser.click("#nav a[href='#audit']");
    browser.text_with("#chain", "intact");
    browser.text_with("#view tbody", "cert.revoked");
    assert!(!browser.shown("#view tbody").expect("rows").contains("admin.access"), "the page leaves out its own reads");
    browser.type_into("#view input[name=event]", "cert.revoked");
    browser.click("#view form [type=submit]");
    browser.text_with("#view form", "Clear");
    browser.text_with("#view tbody", "cert.revoked");
    everywhere(&browser, "audit");

    browser.click("#nav a[href='#configuration']");
    browser.text_with("#view", "max_requests");
    everywhere(&browser, "configuration");
    browser.click("#view .buttons button");
    browser.click("dialog .primary");
    browser.text_with("#message", "The configuration is in force");

    browser.click("#logout");
    browser.text_with("#login-form", "Bearer token");
    assert_eq!(browser.script("return document.getElementById('view').textContent"), "", "nothing stays in the page");

    let complaints = browser.console();
    let complaints: Vec<_> = complaints.iter().filter(|message| !message.contains("401")).collect();
    assert!(complaints.is_empty(), "{complaints:?}");
}

#[test]
fn a_session_survives_a_reload_of_the_browser_and_ends_with_a_logout() {
    let Some(browser) = Browser::start() else { return };
    let server = server();
    log_in(&browser, &server);
    browser.click("#nav a[href='#certificates']");
    browser.text_with("#view h1", "Certificates");
    browser.script("location.reload()");
    browser.text_with("#view h1", "Certificates");
    browser.text_with("#who", "operator");
    let within_reach = browser.script("return document.cookie + JSON.stringify([localStorage, sessionStorage])");
    let within_reach = within_reach.as_str().expect("text").to_owned();
    assert_eq!(
        within_reach,
        r#"[{"theme":"auto"},{}]"#.replace(r#""theme":"auto""#, ""),
        "no script can read a credential"
    );

    browser.click("#logout");
    browser.text_with("#login-form", "Bearer token");
    browser.script("location.reload()");
    browser.text_with("#login-form", "Bearer token");
}

#[test]
fn an_installation_that_needs_nobody_says_so() {
    let Some(browser) = Browser::start() else { return };
    let server = server();
    log_in(&browser, &server);
    browser.text_with("#needs", "Nothing needs you");
    browser.text_with("#view", "Make a one-time password");
    everywhere(&browser, "overview-calm");
}

#[test]
fn keys_lead_everywhere() {
    let Some(browser) = Browser::start() else { return };
    let server = server();
    for name in ["CN=first", "CN=second"] {
        assert_eq!(enroll(&server, "/simpleenroll", name), 200);
    }
    log_in(&browser, &server);
    browser.text_with("#needs", "needs you");
    browser.press("gc");
    browser.text_with("#view tbody", "CN=first");
    browser.press("jj");
    assert_eq!(browser.script("return document.activeElement.textContent"), "CN=first");
    browser.press("k");
    assert_eq!(browser.script("return document.activeElement.textContent"), "CN=second");
    browser.press("/");
    assert_eq!(browser.script("return document.activeElement.name"), "subject");
    browser.script("document.activeElement.blur()");
    browser.press("?");
    browser.text_with("dialog", "Search");
    browser.screenshot(&picture("keys"));
}

#[test]
fn what_changes_meanwhile_is_shown_without_a_reload() {
    let Some(browser) = Browser::start() else { return };
    let server = server();
    log_in(&browser, &server);
    browser.click("#nav a[href='#requests']");
    browser.text_with("#view", "No requests are waiting");
    assert_eq!(enroll(&server, "/looked-at/simpleenroll", "CN=newcomer"), 202);
    browser.text_with("#view tbody", "CN=newcomer");
    browser.text_with("#pending-count", "1");
}

/// Keeps a picture of the view in light and dark, and on a phone, and holds each to its width.
fn everywhere(browser: &Browser, name: &str) {
    for (theme, width, height, kind) in
        [("light", 1280, 900, ""), ("dark", 1280, 900, "-dark"), ("light", 390, 844, "-phone")]
    {
        browser.resize(width, height);
        browser.script(&format!("document.documentElement.dataset.theme = '{theme}'"));
        browser.screenshot(&picture(&format!("{name}{kind}")));
        let too_wide = browser.script("return document.documentElement.scrollWidth - innerWidth");
        assert!(too_wide.as_i64().is_some_and(|octets| octets <= 0), "{name}{kind} is too wide by {too_wide}");
    }
    browser.resize(1280, 900);
    browser.script("document.documentElement.dataset.theme = 'auto'");
}

/// Opens what a row is about.
fn open(browser: &Browser, text: &str) {
    browser.click(&format!("xpath://tbody//a[text()='{text}']"));
}

#[test]
fn a_stranger_sees_nothing() {
    let Some(browser) = Browser::start() else { return };
    let server = server();
    browser.open(&format!("https://127.0.0.1:{}/", server.admin_port()));
    browser.type_into("#token", "not-the-token-of-anybody");
    browser.click("#login-form button");
    browser.text_with("#login-message", "does not belong to an operator");
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
    browser.text_with("#view tbody", "<img src=x");
    let title = "Certificates · Plant 7 (test) · Ohia";
    assert_eq!(browser.script("return document.title"), title);
    assert_eq!(browser.script("return document.querySelectorAll('#view img').length"), 0);
    // Nor would a script run that got into the page.
    let script = "const s = document.createElement('script'); s.textContent = 'document.title = 2'; \
                  document.body.append(s); return document.title";
    assert_eq!(browser.script(script), title);
}

#[test]
fn more_passwords_than_a_page_holds_are_all_to_be_had() {
    let Some(browser) = Browser::start() else { return };
    let server = server();
    assert!(server.estd(&["otp", "create", "--entity", "the-first-of-all"]).status.success());
    assert!(server.estd(&["otp", "create", "--entity", "device", "--count", "50"]).status.success());
    log_in(&browser, &server);
    browser.click("a[href='#passwords']");
    browser.text_with("#view tbody", "device");
    assert!(!browser.shown("#view tbody").expect("rows").contains("the-first-of-all"));
    browser.click("xpath://button[text()='More']");
    browser.text_with("#view tbody", "the-first-of-all");
    assert!(browser.element_is_absent("xpath://button[text()='More']"));
}
