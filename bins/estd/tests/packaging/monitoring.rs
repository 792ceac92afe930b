//! Rules, scrape configuration and dashboard: accepted by Prometheus, and about metrics that there are.

use std::collections::BTreeSet;
use std::process::Command;

use est_testkit::peers::is_installed;
use serde_json::Value;

use crate::{read, root};

/// The metrics in the table of `docs/admin.md`, which another test compares with what a server exposes.
fn documented() -> BTreeSet<String> {
    let page = read("docs/admin.md");
    let rows = page.lines().filter(|line| line.starts_with("| `ohia_"));
    let names = rows.flat_map(|row| row.split('|').nth(1).unwrap_or_default().split('`').skip(1).step_by(2));
    names.map(str::to_owned).collect()
}

/// The metrics that an expression names.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    let ours = words.filter(|word| word.starts_with("ohia_"));
    let suffixes = ["_bucket", "_count", "_sum"];
    ours.map(|word| suffixes.iter().find_map(|suffix| word.strip_suffix(suffix)).unwrap_or(word).to_owned()).collect()
}

#[test]
fn every_metric_of_the_rules_and_the_dashboard_exists() {
    let documented = documented();
    let rules = read("packaging/monitoring/ohia.rules.yml");
    let dashboard: Value = serde_json::from_str(&read("packaging/monitoring/ohia-dashboard.json")).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let queries = panels.iter().flat_map(|panel| panel["targets"].as_array().expect("targets"));
    let queries: Vec<&str> = queries.map(|target| target["expr"].as_str().expect("an expression")).collect();
    let wanted: BTreeSet<String> = named(&rules).union(&named(&queries.concat())).cloned().collect();
    let unknown: Vec<_> = wanted.difference(&documented).collect();
    assert!(unknown.is_empty() && wanted.len() > 10, "{unknown:?}");
    for (index, panel) in panels.iter().enumerate() {
        let (place, title) = (&panel["gridPos"], &panel["title"]);
        assert!(place["x"].as_u64().zip(place["w"].as_u64()).is_some_and(|(x, width)| x + width <= 24), "{title}");
        assert_eq!(panel["id"], index + 1);
    }
}

#[test]
fn prometheus_accepts_the_configuration_and_the_rules_do_what_they_say() {
    if !is_installed("promtool") {
        return;
    }
    let folder = root().join("packaging/monitoring");
    for arguments in [
        &["check", "rules", "ohia.rules.yml"][..],
        &["test", "rules", "ohia.test.yml"],
        &["check", "config", "--syntax-only", "prometheus.yml"],
    ] {
        let output = Command::new("promtool").args(arguments).current_dir(&folder).output().expect("promtool runs");
        let printed = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "{arguments:?}: {printed}");
    }
}

/// The queries of the dashboard are PromQL: Prometheus reads them as rules.
#[test]
fn prometheus_reads_every_query_of_the_dashboard() {
    if !is_installed("promtool") {
        return;
    }
    let dashboard: Value = serde_json::from_str(&read("packaging/monitoring/ohia-dashboard.json")).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let queries = panels.iter().flat_map(|panel| panel["targets"].as_array().expect("targets"));
    let rules: Vec<Value> = queries
        .enumerate()
        .map(|(index, target)| {
            let query = target["expr"].as_str().expect("an expression");
            let query = query.replace("$__rate_interval", "5m").replace("$instance", ".*");
            serde_json::json!({ "record": format!("query_{index}"), "expr": query })
        })
        .collect();
    let folder = tempfile::tempdir().expect("a folder");
    // JSON is YAML.
    let file = serde_json::json!({ "groups": [{ "name": "dashboard", "rules": rules }] });
    std::fs::write(folder.path().join("rules.yml"), file.to_string()).expect("a file");
    let output = Command::new("promtool")
        .args(["check", "rules", "rules.yml"])
        .current_dir(folder.path())
        .output()
        .expect("promtool runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
