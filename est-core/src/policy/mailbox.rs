//! Mailboxes (RFC 5321 §4.1.2, RFC 9598 §3).

use alloc::string::String;
use core::net::{Ipv4Addr, Ipv6Addr};

use super::host::is_dns_name;
use crate::is_hidden;
use crate::pkix::text_of;

/// Whether `text` is a Mailbox of ASCII (RFC 5321 §4.1.2).
pub(super) fn is_mailbox(text: &str) -> bool {
    text.is_ascii()
        && text
            .rsplit_once('@')
            .is_some_and(|(local, host)| is_local_part(local) && (is_host(host) || is_address_literal(host)))
}

/// Whether `value` is UTF8String, with letters beyond ASCII before the `@`, and a host in A-labels after it.
pub(super) fn is_utf8_mailbox(value: &[u8]) -> bool {
    utf8(value).is_some_and(|text| {
        text.rsplit_once('@').is_some_and(|(local, host)| !local.is_ascii() && is_local_part(local) && is_host(host))
    })
}

/// The text of a UTF8String that reads as what it is.
pub(super) fn utf8(value: &[u8]) -> Option<String> {
    text_of(value).filter(|text| value.first() == Some(&0x0c) && !text.chars().any(is_hidden))
}

/// A Dot-string or a Quoted-string of 64 octets at most (RFC 5321 §4.5.3.1.1, RFC 6531 §3.3).
fn is_local_part(local: &str) -> bool {
    local.len() <= 64 && (is_dot_string(local) || quoted(local).is_some_and(|text| !is_dot_string(&text)))
}

fn is_dot_string(local: &str) -> bool {
    let is_atom_text =
        |letter: char| letter.is_ascii_alphanumeric() || !letter.is_ascii() || "!#$%&'*+-/=?^_`{|}~".contains(letter);
    local.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atom_text))
}

/// The text in quotation marks. What needs none is not taken with them, nor is a backslash before anything that needs
/// none: so each mailbox has one spelling, by which constraints and patterns know it.
fn quoted(local: &str) -> Option<String> {
    let mut letters = local.strip_prefix('"')?.strip_suffix('"')?.chars();
    let mut text = String::new();
    while let Some(letter) = letters.next() {
        text.push(match letter {
            '\\' => letters.next().filter(|escaped| matches!(escaped, '\\' | '"'))?,
            '"' => return None,
            letter if !letter.is_ascii() || (' '..='~').contains(&letter) => letter,
            _ => return None,
        });
    }
    Some(text)
}

fn is_host(host: &str) -> bool {
    is_dns_name(host) && !host.starts_with('*')
}

/// `[192.0.2.1]`, `[IPv6:2001:db8::1]` (RFC 5321 §4.1.3).
fn is_address_literal(host: &str) -> bool {
    let inside = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    inside.is_some_and(|inside| match inside.split_at_checked(5) {
        Some((tag, address)) if tag.eq_ignore_ascii_case("IPv6:") => address.parse::<Ipv6Addr>().is_ok(),
        _ => inside.parse::<Ipv4Addr>().is_ok(),
    })
}
