//! Who is on record for what a command did.

use std::process::Command;

use serde_json::Value;

use super::{ESTD, initialized, stderr, stdout};

#[test]
fn the_environment_does_not_say_who_did_it() {
    let (_folder, config) = initialized();
    let created = Command::new(ESTD)
        .args(["otp", "create", "--config", &config])
        .envs([("USER", "ceo"), ("LOGNAME", "ceo"), ("SUDO_UID", "4711"), ("SUDO_USER", "mallory")])
        .output()
        .expect("estd runs");
    assert!(created.status.success(), "{}", stderr(&created));
    let id = |option: &str| {
        let output = Command::new("id").args([option]).output().expect("id runs");
        stdout(&output).trim().to_owned()
    };
    let me = format!("local:{} (uid {})", id("-run"), id("-ru"));
    let listed = stdout(&super::estd(&["audit", "list", "--event", "otp.created", "--json", "--config", &config]));
    let listed: Value = serde_json::from_str(&listed).expect("JSON");
    let actor = listed["events"][0]["actor"].as_str().expect("an actor");
    let rest = actor.strip_prefix(&me).unwrap_or_else(|| panic!("{actor} is not {me}"));
    assert!(!actor.contains("ceo"), "{actor}");
    assert!(rest.ends_with(", sudo by mallory as claimed"), "{actor}");
}
