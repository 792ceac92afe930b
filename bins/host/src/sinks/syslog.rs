//! A record as a syslog message (RFC 5424).

#[cfg(test)]
mod grammar;
#[cfg(test)]
mod tests;

use super::CertificateData;
use super::record::{CERTIFICATE, ChainedRecord};

/// The longest message, in octets: what every receiver should take (RFC 5424 §6.1), and every one that speaks TLS must
/// (RFC 5425 §4.3.1).
pub(super) const MAX_BYTES: usize = 2_048;

/// The longest message with a certificate in it, on streams: what a receiver that speaks TLS should take.
pub(super) const MAX_BYTES_WITH_CERTIFICATE: usize = 8_192;

/// What takes the place of the end of a text that was too long.
const CUT: &str = "...";

/// Fields that are never cut: what the record is, where its place is, and what it is about.
const WHOLE: [&str; 9] =
    ["event_type", "outcome", "node", "sequence", "hash", "serial", "fingerprint", "not_before", "not_after"];

/// Anything longer is not one of those, although it is in the database.
const MAX_WHOLE: usize = 256;

/// Who sends, in every message.
#[derive(Clone, Debug)]
pub(super) struct Sender {
    /// 0 to 23.
    pub(super) facility: u8,
    /// The private enterprise number in the name of the structured data.
    pub(super) enterprise: u32,
    /// HOSTNAME.
    pub(super) host: String,
    /// APP-NAME.
    pub(super) program: String,
    /// PROCID.
    pub(super) process: u32,
}

impl Sender {
    /// The message. Where it would be too long, the certificate is left out first, then the text at its end is cut, then
    /// the longest of the values that other people chose.
    ///
    /// The text has a byte order mark where it is not ASCII (RFC 5424 §6.4 asks for it with UTF-8), and none where it is:
    /// many collectors show it.
    pub(super) fn message(&self, record: &ChainedRecord, certificates: CertificateData) -> String {
        let mut fields = record.fields();
        // It is in the header.
        fields.retain(|(name, _)| *name != "timestamp");
        let reason = fields.iter().position(|(name, _)| *name == "reason").map(|at| fields.remove(at).1);
        let mut text = reason.unwrap_or_default();
        if certificates == CertificateData::Included
            && let Some(pem) = record.certificate_pem()
        {
            fields.push((CERTIFICATE, pem.lines().filter(|line| !line.starts_with("-----")).collect()));
            let message = self.render(record, &fields, &text);
            if message.len() <= MAX_BYTES_WITH_CERTIFICATE {
                return message;
            }
            fields.pop();
        }
        loop {
            let message = self.render(record, &fields, &text);
            let Some(over) = message.len().checked_sub(MAX_BYTES).filter(|over| *over > 0) else { return message };
            if text.len() > CUT.len() {
                cut(&mut text, over);
                continue;
            }
            let is_whole = |name, value: &str| WHOLE.contains(&name) && value.len() <= MAX_WHOLE;
            let others = fields.iter_mut().filter(|(name, value)| !is_whole(*name, value) && value.len() > CUT.len());
            let Some((_, longest)) = others.max_by_key(|(_, value)| value.len()) else { return message };
            cut(longest, over);
        }
    }

    fn render(&self, record: &ChainedRecord, fields: &[(&'static str, String)], text: &str) -> String {
        let audit = &record.record;
        // Informational, or warning.
        let severity = if audit.success { 6 } else { 4 };
        let mut message = format!(
            "<{}>1 {} {} {} {} {} [audit@{}",
            u16::from(self.facility) * 8 + severity,
            audit.at,
            header(&self.host, 255),
            header(&self.program, 48),
            self.process,
            header(&audit.event, 32),
            self.enterprise,
        );
        for (name, value) in fields {
            message.push(' ');
            message.push_str(name);
            message.push_str("=\"");
            for character in value.chars().map(visible) {
                if matches!(character, '"' | '\\' | ']') {
                    message.push('\\');
                }
                message.push(character);
            }
            message.push('"');
        }
        message.push_str(&format!("][meta sequenceId=\"{}\"]", sequence_id(record.chain.sequence)));
        let text: String = text.chars().map(visible).collect();
        if !text.is_empty() {
            message.push_str(if text.is_ascii() { " " } else { " \u{feff}" });
            message.push_str(&text);
        }
        message
    }
}

/// Counts from 1 to 2147483647 and again (RFC 5424 §7.3.1).
fn sequence_id(sequence: u64) -> u64 {
    sequence.saturating_sub(1) % 2_147_483_647 + 1
}

/// A field of the header: visible ASCII, or nothing (§6.2).
fn header(value: &str, max: usize) -> &str {
    let fits = !value.is_empty() && value.len() <= max && value.bytes().all(|octet| octet.is_ascii_graphic());
    if fits { value } else { "-" }
}

/// What to write for a character that would do something to a log or a terminal: the picture of a control character,
/// and the replacement character for what breaks lines or turns their direction.
fn visible(character: char) -> char {
    match character {
        '\0'..='\x1f' => char::from_u32(0x2400 + u32::from(character)).unwrap_or(char::REPLACEMENT_CHARACTER),
        '\x7f' => '\u{2421}',
        '\u{80}'..='\u{9f}'
        | '\u{200e}'
        | '\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}'
        | '\u{feff}' => char::REPLACEMENT_CHARACTER,
        other => other,
    }
}

/// Takes at least `over` octets away at the end, or all, and says so.
fn cut(text: &mut String, over: usize) {
    let wanted = text.len().saturating_sub(over + CUT.len());
    text.truncate(text.floor_char_boundary(wanted));
    text.push_str(CUT);
}
