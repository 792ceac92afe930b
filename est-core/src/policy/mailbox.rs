//! Mailboxes (RFC 5321 §4.1.2, RFC 9598 §3).

use alloc::string::String;

use super::host::is_dns_name;
use crate::pkix::{is_treacherous, text_of};

/// Whether `text` is a mailbox of ASCII at a host. Quoted local parts are not taken: readers disagree on where they end.
pub(super) fn is_mailbox(text: &str) -> bool {
    text.is_ascii() && is_at_host(text)
}

/// Whether `value` is UTF8String, with letters beyond ASCII before the `@`, and a host in A-labels after it.
pub(super) fn is_utf8_mailbox(value: &[u8]) -> bool {
    utf8(value)
        .is_some_and(|text| text.rsplit_once('@').is_some_and(|(local, _)| !local.is_ascii()) && is_at_host(&text))
}

/// The text of a UTF8String that reads as what it is.
pub(super) fn utf8(value: &[u8]) -> Option<String> {
    text_of(value).filter(|text| value.first() == Some(&0x0c) && !text.chars().any(is_treacherous))
}

/// `local@host`, the former a Dot-string of 64 octets at most (RFC 5321 §4.5.3.1.1, RFC 6531 §3.3).
fn is_at_host(text: &str) -> bool {
    let is_atom_text =
        |letter: char| letter.is_ascii_alphanumeric() || !letter.is_ascii() || "!#$%&'*+-/=?^_`{|}~".contains(letter);
    let is_atom = |atom: &str| !atom.is_empty() && atom.chars().all(is_atom_text);
    text.rsplit_once('@').is_some_and(|(local, host)| {
        local.len() <= 64 && local.split('.').all(is_atom) && is_dns_name(host) && !host.starts_with('*')
    })
}
