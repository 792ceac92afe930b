//! Headless Chromium, driven by its own ChromeDriver over the WebDriver protocol (W3C WebDriver).

use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::peers::{Directory, is_installed};

/// How long a page may take to come to what a test expects. Long, because machines differ; a test that passes does not
/// wait for it.
const PATIENCE: Duration = Duration::from_secs(30);

/// The key under which WebDriver names an element (W3C WebDriver §12).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Starts ChromeDriver; `None` if it ends before it tells its port.
fn start_driver() -> Option<(Child, u16, Lines<BufReader<ChildStdout>>)> {
    let mut driver = Command::new("chromedriver")
        .arg("--port=0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("chromedriver starts");
    let mut lines = BufReader::new(driver.stdout.take().expect("stdout is piped")).lines();
    let port = lines.by_ref().map_while(Result::ok).find_map(|line| {
        let (_, port) = line.split_once("started successfully on port ")?;
        port.trim_end_matches('.').parse().ok()
    });
    match port {
        Some(port) => Some((driver, port, lines)),
        None => {
            let _ = driver.kill();
            let _ = driver.wait();
            None
        }
    }
}

/// A browser with one window. Ends when it is dropped.
pub struct Browser {
    driver: Child,
    port: u16,
    session: String,
    _profile: Directory,
}

impl Browser {
    /// Starts Chromium; `None` skips the test. Certificates that nobody vouches for are accepted.
    ///
    /// # Panics
    /// As [`is_installed`], and when the browser does not start.
    #[must_use]
    pub fn start() -> Option<Self> {
        if !is_installed("chromedriver") || !is_installed("chromium") {
            return None;
        }
        // Where many start at once, one may find the port taken that it had chosen, and end.
        let started = (0..5).find_map(|_| start_driver());
        let (driver, port, lines) = started.expect("chromedriver starts and tells its port");
        // It may go on printing.
        std::thread::spawn(move || lines.for_each(drop));
        let profile = Directory::new();
        let mut browser = Self { driver, port, session: String::new(), _profile: profile };
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1280,900",
            &format!("--user-data-dir={}", browser._profile.path().display()),
        ];
        let options = json!({ "args": arguments, "binary": "/usr/bin/chromium" });
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome", "acceptInsecureCerts": true, "goog:chromeOptions": options,
            "goog:loggingPrefs": { "browser": "ALL" },
        } } });
        let started = browser.ask("POST", "/session", &wanted);
        browser.session = started["sessionId"].as_str().unwrap_or_else(|| panic!("{started}")).to_owned();
        Some(browser)
    }

    /// Opens a page.
    pub fn open(&self, url: &str) {
        self.tell("/url", &json!({ "url": url }));
    }

    /// Clicks what a CSS selector finds, or an XPath after `xpath:`, when it is there to be clicked.
    pub fn click(&self, selector: &str) {
        self.until(&format!("{selector} can be clicked"), || {
            let element = self.element(selector)?;
            self.ask("POST", &self.path(&format!("/element/{element}/click")), &json!({})).is_null().then_some(())
        });
    }

    /// Types into what a CSS selector finds.
    pub fn type_into(&self, selector: &str, text: &str) {
        self.until(&format!("{selector} can be typed into"), || {
            let element = self.element(selector)?;
            let path = self.path(&format!("/element/{element}/value"));
            self.ask("POST", &path, &json!({ "text": text })).is_null().then_some(())
        });
    }

    /// Presses keys, one after the other, wherever the focus is.
    pub fn press(&self, keys: &str) {
        let strokes: Vec<Value> = keys
            .chars()
            .flat_map(|key| ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key.to_string() })))
            .collect();
        self.tell("/actions", &json!({ "actions": [{ "type": "key", "id": "keys", "actions": strokes }] }));
    }

    /// Makes the page's window this large, in CSS pixels.
    pub fn resize(&self, width: u32, height: u32) {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
        let wanted = json!({ "cmd": "Emulation.setDeviceMetricsOverride", "params": metrics });
        let _ = self.ask("POST", &self.path("/goog/cdp/execute"), &wanted);
    }

    /// Whether a selector finds nothing.
    #[must_use]
    pub fn element_is_absent(&self, selector: &str) -> bool {
        self.element(selector).is_none()
    }

    /// Waits until the text that is shown by what a selector finds contains `words`, and returns it.
    pub fn text_with(&self, selector: &str, words: &str) -> String {
        self.until(&format!("{selector} shows {words:?}"), || {
            let text = self.shown(selector)?;
            text.contains(words).then_some(text)
        })
    }

    /// The text that is shown by what a selector finds.
    #[must_use]
    pub fn shown(&self, selector: &str) -> Option<String> {
        let element = self.element(selector)?;
        let path = self.path(&format!("/element/{element}/text"));
        self.ask("GET", &path, &Value::Null).as_str().map(str::to_owned)
    }

    /// Runs a script in the page and returns its answer.
    pub fn script(&self, script: &str) -> Value {
        self.ask("POST", &self.path("/execute/sync"), &json!({ "script": script, "args": [] }))
    }

    /// What the page wrote to the browser's console: errors and breaches of its policy among them.
    #[must_use]
    pub fn console(&self) -> Vec<String> {
        let entries = self.ask("POST", &self.path("/se/log"), &json!({ "type": "browser" }));
        let entries = entries.as_array().cloned().unwrap_or_default();
        entries.iter().map(|entry| entry["message"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Keeps a picture of the window.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn screenshot(&self, path: &Path) {
        let picture = self.ask("GET", &self.path("/screenshot"), &Value::Null);
        let picture = STANDARD.decode(picture.as_str().expect("a picture")).expect("base64");
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).expect("a folder for pictures");
        }
        std::fs::write(path, picture).expect("a picture can be kept");
    }

    fn element(&self, selector: &str) -> Option<String> {
        let wanted = match selector.strip_prefix("xpath:") {
            Some(path) => json!({ "using": "xpath", "value": path }),
            None => json!({ "using": "css selector", "value": selector }),
        };
        self.ask("POST", &self.path("/element"), &wanted)[ELEMENT].as_str().map(str::to_owned)
    }

    /// Looks again and again until there is an answer: a page changes when its own requests are answered.
    fn until<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let give_up = Instant::now() + PATIENCE;
        loop {
            if let Some(answer) = look() {
                return answer;
            }
            assert!(Instant::now() < give_up, "{what}: never; the page shows {:?}", self.shown("body"));
            std::thread::park_timeout(Duration::from_millis(30));
        }
    }

    fn tell(&self, path: &str, body: &Value) {
        let answer = self.ask("POST", &self.path(path), body);
        assert!(answer.is_null(), "{path}: {answer}");
    }

    fn path(&self, rest: &str) -> String {
        format!("/session/{}{rest}", self.session)
    }

    /// One command; its `value`, which is an object with `error` where it failed.
    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("chromedriver listens");
        stream.set_read_timeout(Some(2 * PATIENCE)).expect("a timeout");
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n",
            self.port,
            body.len()
        );
        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())).expect("it reads");
        // It keeps the connection open, whatever it is told.
        let mut reader = BufReader::new(stream);
        let mut length = 0;
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            assert_ne!(reader.read_line(&mut line).expect("it answers in time"), 0, "it answers in full");
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().expect("a length");
            }
        }
        let mut answer = vec![0; length];
        reader.read_exact(&mut answer).expect("it answers in full");
        let mut answer: Value = serde_json::from_slice(&answer).expect("JSON");
        answer["value"].take()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            let _ = self.ask("DELETE", &self.path(""), &Value::Null);
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
