//! What somebody may have meant.

use super::diagnostic::Fault;
use super::keys::{LATER, OTHER_NAMES, SECTIONS, Section};

/// The candidate that is nearest to `word`, if one is near.
pub(super) fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let plain = |text: &str| text.to_ascii_lowercase().replace(['-', '_'], "");
    let word = plain(word);
    let allowed = (word.chars().count() / 3).clamp(1, 3);
    let distance = |candidate: &&str| strsim::damerau_levenshtein(&word, &plain(candidate));
    candidates.into_iter().filter(|candidate| distance(candidate) <= allowed).min_by_key(distance)
}

/// Keys of other servers whose meaning is spread over several keys here, or over none: the section, the key, what to do.
const ELSEWHERE: [(&str, &str, &str); 4] = [
    ("admin", "tls", "write `cert` and `key` in [admin]"),
    (
        "admin",
        "client_auth",
        "write `auth = \"mtls\"` and `trust_anchors` in [admin], and [[admin.certificate]] for each operator",
    ),
    (
        "admin",
        "bearer_token",
        "write [[admin.token]] with `name`, `role` and `token = \"sha256:…\"`, the SHA-256 of the token in hexadecimal, or \
         `bearer_token_env` with the name of a variable that holds it",
    ),
    ("est", "enabled", "leave it out: EST is always served"),
];

/// What to say about `[enrollment]`, which other servers have, with these keys in it.
pub(super) fn enrollment<'k>(keys: impl Iterator<Item = &'k str>) -> Fault {
    const OF_LABELS: [&str; 3] = ["allowed_key_types", "max_validity_days", "require_san"];
    let (moved, others): (Vec<&str>, Vec<&str>) = keys.partition(|key| OF_LABELS.contains(key));
    let fault = Fault::new("unknown section");
    let always = "possession of the key must always be proven, and weak signatures are always refused";
    match (moved.as_slice(), others.as_slice()) {
        ([], _) => fault.help(format!("leave it out: {always}")),
        (moved, []) => fault.help(format!("move {} into [[est.label]]", listed(moved))),
        (moved, others) => fault.help(format!(
            "move {} into [[est.label]], else they no longer hold; leave out {}: {always}",
            listed(moved),
            listed(others)
        )),
    }
}

fn listed(keys: &[&str]) -> String {
    keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ")
}

/// What to say about a key that `section` does not have.
pub(super) fn unknown_key(section: &Section, name: &str) -> Fault {
    if section.later.contains(&name) {
        return Fault::later("this key is");
    }
    let fault = Fault::new("unknown key");
    if let Some((_, _, help)) = ELSEWHERE.iter().find(|(of, key, _)| *of == section.name && *key == name) {
        return fault.help(*help);
    }
    if let Some(key) = section.keys.iter().find(|key| key.other_names.contains(&name)) {
        return fault.help(format!("did you mean `{}`?", key.name));
    }
    let children = SECTIONS.iter().filter(|other| other.parent() == section.name).map(|other| other.leaf());
    let names = section.keys.iter().map(|key| key.name).chain(children);
    if let Some(key) = nearest(name, names) {
        return fault.help(format!("did you mean `{key}`?"));
    }
    let homes = || SECTIONS.iter().filter(|other| other.key(name).is_some());
    // A section within this one is meant before another that knows the same key.
    if let Some(home) = homes().find(|other| other.parent() == section.name).or_else(|| homes().next()) {
        return fault.help(format!("`{name}` belongs in {}", home.header()));
    }
    let names: Vec<&str> = section.keys.iter().map(|key| key.name).collect();
    fault.help(format!("the keys of {} are {}", section.header(), names.join(", ")))
}

/// What to say about something at the top of the file that is no section; `None` when it is one.
pub(super) fn unknown_section(name: &str, is_value: bool) -> Option<Fault> {
    let top = || SECTIONS.iter().filter(|section| section.parent().is_empty());
    if top().any(|section| section.name == name) {
        return None;
    }
    if LATER.contains(&name) {
        return Some(Fault::later("this section is"));
    }
    let fault = Fault::new(if is_value { "unknown key" } else { "unknown section" });
    if let Some((_, right)) = OTHER_NAMES.iter().find(|(other, _)| *other == name) {
        return Some(fault.help(format!("did you mean {right}?")));
    }
    if let Some(home) = SECTIONS.iter().find(|section| section.key(name).is_some()) {
        return Some(fault.help(format!("`{name}` belongs in {}", home.header())));
    }
    if let Some(right) = nearest(name, top().map(|section| section.name)) {
        let header = top().find(|section| section.name == right).map(|section| section.header()).unwrap_or_default();
        return Some(fault.help(format!("did you mean {header}?")));
    }
    let mut keys = SECTIONS.iter().flat_map(|section| section.keys.iter().map(move |key| (section, key)));
    if let Some((home, key)) = keys.find(|(_, key)| key.other_names.contains(&name)) {
        return Some(fault.help(format!("did you mean `{}` in {}?", key.name, home.header())));
    }
    let headers: Vec<String> = SECTIONS.iter().map(|section| section.header()).collect();
    Some(fault.help(format!("the sections are {}", headers.join(", "))))
}

/// The first sentence of a text as part of another one: `What labels call it.` becomes `what labels call it`.
pub(super) fn as_clause(text: &str) -> String {
    let sentence = text.split(". ").next().unwrap_or(text).trim_end_matches('.');
    let mut letters = sentence.chars();
    match (letters.next(), letters.clone().next()) {
        (Some(first), Some(second)) if second.is_lowercase() => first.to_lowercase().chain(letters).collect(),
        _ => sentence.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_word_that_is_a_slip_away() {
        assert_eq!(nearest("requird", ["required", "none"]), Some("required"));
        assert_eq!(nearest("maxBodySize", ["max_body_size"]), Some("max_body_size"));
        assert_eq!(nearest("workers", ["listen"]), None);
    }
}
