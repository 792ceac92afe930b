//! A case: what is sent, and what comes of it, read from a file of many.
//!
//! Lines `# …` that say what it is, then `key: value` lines, an empty line, and the request. Its head ends its lines
//! with LF, which become CRLF; its body, after the next empty line, is sent as it stands, without its last LF.
//! `{…}` is replaced, see [`Fill`]; a `{` that begins no placeholder stands for itself.

use std::path::Path;

use est_testkit::https::base64;
use est_testkit::packed;

/// A request.
pub(crate) struct Case {
    /// `group/name`.
    pub(crate) name: String,
    /// What comes of it.
    pub(crate) expect: Expect,
    /// Who shows what in the TLS handshake.
    pub(crate) who: String,
    /// Whether the client closes its side when it has sent everything.
    pub(crate) half_closes: bool,
    /// Whether the head ends where the case ends, without an empty line.
    unfinished: bool,
    request: String,
}

/// What comes of a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Expect {
    /// This status, and this line as the body.
    Answer(u16, String),
    /// This status without a body: the HTTP library could not read the head, or the client learns that it has to
    /// authenticate.
    Bare(u16),
    /// A certificate: the repaired twin of the group's cases.
    Certificate,
    /// 200 and a body: the repaired twin where nothing is issued.
    Content,
    /// The connection ends without an answer.
    Closed,
    /// The client leaves without waiting for an answer.
    HangUp,
}

impl Expect {
    /// Whether the request is one to be granted.
    pub(crate) fn is_control(&self) -> bool {
        matches!(self, Self::Certificate | Self::Content)
    }
}

/// What placeholders stand for, besides `{length}` (octets of the body), `{b64:TEXT}`, `{hex:OCTETS}`, `{times:N:TEXT}`,
/// `{chunks:N}` (of one octet each, and the last one) and `{headers:N}`.
pub(crate) trait Fill {
    /// The text that stands for `name`.
    fn fill(&self, name: &str) -> Option<String>;
}

impl Case {
    /// Reads every case below `folder`, in the order of their names.
    pub(crate) fn all(folder: &Path) -> Vec<Self> {
        let mut all = Vec::new();
        for (group, text) in packed::groups(folder) {
            let cases = packed::cases(&text).into_iter();
            all.extend(cases.map(|(name, text)| Self::read(format!("{group}/{name}"), text)));
        }
        all
    }

    fn read(name: String, text: &str) -> Self {
        let (preface, request) = text.split_once("\n\n").unwrap_or_else(|| panic!("{name}: no request"));
        let (mut expect, mut words, mut cite, mut who) = (None, None, None, "nobody");
        let (mut half_closes, mut unfinished) = (false, false);
        assert!(preface.starts_with("# "), "{name} does not say what it is");
        for line in preface.lines().filter(|line| !line.starts_with("# ")) {
            match line.split_once(": ").unwrap_or_else(|| panic!("{name}: {line}")) {
                ("expect", value) => expect = Some(value),
                ("text", value) => words = Some(value.to_owned()),
                ("cite", value) => cite = Some(value),
                ("as", value) => who = value,
                ("then", "closes its side") => half_closes = true,
                ("head", "unfinished") => unfinished = true,
                _ => panic!("{name}: {line}"),
            }
        }
        assert!(cite.is_some(), "{name} cites nothing");
        let expect = match (expect.unwrap_or_else(|| panic!("{name} expects nothing")), words) {
            ("certificate", None) => Expect::Certificate,
            ("content", None) => Expect::Content,
            ("closed", None) => Expect::Closed,
            ("hang up", None) => Expect::HangUp,
            (status, words) => match (status.parse(), words) {
                (Ok(status @ 400..=499), Some(words)) => Expect::Answer(status, words),
                (Ok(status @ 400..=499), None) => Expect::Bare(status),
                _ => panic!("{name}: expect {status}"),
            },
        };
        Self { name, expect, who: who.to_owned(), half_closes, unfinished, request: request.to_owned() }
    }

    /// The part of the name before the slash.
    pub(crate) fn group(&self) -> &str {
        self.name.split_once('/').map_or("", |(group, _)| group)
    }

    /// The octets to send.
    pub(crate) fn octets(&self, fill: &impl Fill) -> Vec<u8> {
        let (head, body) = match self.request.split_once("\n\n") {
            Some((head, body)) => (head, Some(body.strip_suffix('\n').unwrap_or(body))),
            None => (self.request.trim_end_matches('\n'), None),
        };
        let body = expand(body.unwrap_or_default(), &|name| fill.fill(name), &self.name);
        let length = |name: &str| (name == "length").then(|| body.len().to_string());
        let head = head.replace('\n', "\r\n") + if self.unfinished { "" } else { "\r\n\r\n" };
        let mut octets = expand(&head, &|name| length(name).or_else(|| fill.fill(name)), &self.name);
        octets.extend_from_slice(&body);
        octets
    }

    /// Every secret that the case itself holds: words that begin with `hush`, and base64 of any.
    pub(crate) fn secrets(&self) -> Vec<String> {
        let words = self.request.split(|character: char| !character.is_ascii_alphanumeric() && character != '-');
        let mut secrets: Vec<String> = words.filter(|word| word.starts_with("hush")).map(str::to_owned).collect();
        for (_, rest) in self.request.match_indices("{b64:").map(|(at, mark)| self.request.split_at(at + mark.len())) {
            let (text, _) = rest.split_once('}').expect("a placeholder ends");
            if text.contains("hush") {
                secrets.push(base64(text.as_bytes()));
            }
        }
        secrets
    }
}

fn expand(text: &str, fill: &dyn Fn(&str) -> Option<String>, case: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        octets.extend_from_slice(before.as_bytes());
        let is_name = |name: &str| name.starts_with(|first: char| first.is_ascii_lowercase());
        match after.split_once('}').filter(|(name, _)| is_name(name) && !name.contains('\n')) {
            Some((name, after)) => {
                let value = placeholder(name, fill).unwrap_or_else(|| panic!("{case}: {{{name}}}"));
                octets.extend_from_slice(&value);
                rest = after;
            }
            None => {
                octets.push(b'{');
                rest = after;
            }
        }
    }
    octets.extend_from_slice(rest.as_bytes());
    octets
}

fn placeholder(name: &str, fill: &dyn Fn(&str) -> Option<String>) -> Option<Vec<u8>> {
    if let Some(value) = fill(name) {
        return Some(value.into_bytes());
    }
    match name.split_once(':')? {
        ("b64", text) => Some(base64(text.as_bytes()).into_bytes()),
        ("hex", digits) => {
            let octet = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
            digits.as_bytes().chunks(2).map(octet).collect()
        }
        ("chunks", count) => Some(("1\r\nA\r\n".repeat(count.parse().ok()?) + "0\r\n\r\n").into_bytes()),
        ("headers", count) => Some(vec!["X: y"; count.parse().ok()?].join("\r\n").into_bytes()),
        ("times", rest) => {
            let (count, text) = rest.split_once(':')?;
            Some(text.repeat(count.parse().ok()?).into_bytes())
        }
        _ => None,
    }
}
