//! Names of hosts: their syntax, and their letters beyond ASCII (RFC 1034 §3.5, RFC 5890).

/// Whether `text` is a host's name: labels of 1 to 63 letters, digits, hyphens and underscores, 253 in all, those that
/// begin with `xn--` A-labels; `*` only as the whole first label of three or more. No top-level domain is a number, so
/// that no address passes for a name (RFC 1123 §2.1).
pub(super) fn is_dns_name(text: &str) -> bool {
    let host = match text.strip_prefix("*.") {
        Some(host) if host.contains('.') => host,
        Some(_) => return false,
        None => text,
    };
    let is_number = |label: &str| label.bytes().all(|octet| octet.is_ascii_digit());
    text.len() <= 253 && host.split('.').all(is_label) && !host.rsplit('.').next().is_some_and(is_number)
}

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'_')
        && !label.starts_with('-')
        && !label.ends_with('-')
        && (!is_encoded(label) || is_a_label(label))
}

fn is_encoded(label: &str) -> bool {
    label.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("xn--"))
}

/// Whether the label decodes to letters that are valid in a name and encode to the very same label (UTS #46, strict).
fn is_a_label(label: &str) -> bool {
    let label = label.to_ascii_lowercase();
    let (unicode, outcome) = idna::domain_to_unicode(&label);
    outcome.is_ok() && !unicode.is_ascii() && idna::domain_to_ascii_strict(&unicode).is_ok_and(|again| again == label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_a_labels_from_what_only_looks_like_one() {
        // bücher, 日本語, faß; the letters may be in either case.
        for name in ["xn--bcher-kva.example", "XN--BCHER-KVA.example", "xn--wgv71a119e.jp", "*.xn--bcher-kva.example"] {
            assert!(is_dns_name(name), "{name}");
        }
        // Nothing encoded; not Punycode; ASCII in disguise; an emoji's joiner alone.
        for name in ["xn--.example", "xn--a.example", "xn--abc-.example", "xn--1ug.example"] {
            assert!(!is_dns_name(name), "{name}");
        }
    }
}
