//! What the formatter writes, read by a grammar of its own.

use super::super::sample;
use super::grammar::{Message, parse};
use super::*;
use est_store::SerialNumber;

fn sender() -> Sender {
    Sender { facility: 16, enterprise: 32_473, host: "est.example.com".into(), program: "estd".into(), process: 4_711 }
}

fn read(record: &ChainedRecord) -> Message {
    let message = sender().message(record, CertificateData::LeftOut);
    assert!(message.len() <= MAX_BYTES, "{} octets", message.len());
    parse(message.as_bytes()).unwrap_or_else(|error| panic!("{error}: {message:?}"))
}

#[test]
fn writes_a_record_as_the_grammar_wants_it() {
    let message = sender().message(&sample::issued(7), CertificateData::LeftOut);
    let expected = "<134>1 2026-11-21T09:30:00.000007Z est.example.com estd 4711 cert.issued \
        [audit@32473 event_type=\"cert.issued\" outcome=\"success\" node=\"node-1\" sequence=\"7\" \
        hash=\"0707070707070707070707070707070707070707070707070707070707070707\" actor=\"operator\" method=\"otp\" \
        source_ip=\"192.0.2.45\" label=\"devices\" ca=\"main\" serial=\"4A:3F\" \
        fingerprint=\"22:22:22:22:22:22:22:22:22:22:22:22:22:22:22:22:22:22:22:22:22:22:22:22:22:22:22:22:22:22:22:22\"]\
        [meta sequenceId=\"7\"] profile device";
    assert_eq!(message, expected);
    let message = parse(message.as_bytes()).expect("the grammar reads it");
    assert_eq!((message.priority, message.host.as_str(), message.id.as_str()), (134, "est.example.com", "cert.issued"));
    assert_eq!((message.program.as_str(), message.process.as_str()), ("estd", "4711"));
    assert_eq!(message.timestamp, "2026-11-21T09:30:00.000007Z");
}

#[test]
fn warns_of_what_did_not_come_about() {
    let mut record = sample::issued(1);
    record.record.success = false;
    assert_eq!(read(&record).priority, 16 * 8 + 4);
    for facility in 0..24 {
        let message = Sender { facility, ..sender() }.message(&record, CertificateData::LeftOut);
        assert_eq!(parse(message.as_bytes()).map(|message| message.priority), Ok(u16::from(facility) * 8 + 4));
    }
}

#[test]
fn brings_hostile_text_through_without_a_raw_control_character() {
    for text in sample::hostile_texts() {
        let mut record = sample::issued(1);
        record.record.actor = Some(text.clone());
        record.record.reason = Some(text.clone());
        let raw = sender().message(&record, CertificateData::LeftOut);
        assert!(!raw.chars().any(char::is_control), "{raw:?}");
        let message = read(&record);
        assert_eq!(message.elements.len(), 2, "{raw:?}");
        assert_eq!(message.parameter("audit@32473", "sequence"), Some("1"));
        assert_eq!(message.parameter("meta", "sequenceId"), Some("1"));
        let shown: String = text.chars().map(visible).collect();
        let (actor, reason) = (message.parameter("audit@32473", "actor"), message.text.as_deref());
        for found in [actor.unwrap_or_default(), reason.unwrap_or_default()] {
            let is_cut = found.strip_suffix(CUT).is_some_and(|start| shown.starts_with(start));
            assert!(found == shown || (is_cut && shown.len() > 400), "{found:?} is not {shown:?}");
        }
        assert_eq!(message.has_mark, !reason.unwrap_or_default().is_ascii());
    }
}

#[test]
fn a_serial_number_that_nobody_may_have_makes_no_message_too_long() {
    let mut record = sample::issued(9);
    record.record.serial = Some(SerialNumber::from_contents(&[0x5a; 64]));
    let whole = read(&record);
    assert_eq!(whole.parameter("audit@32473", "serial").map(str::len), Some(64 * 3 - 1));
    // The server writes none that is longer; somebody may have written one into its database.
    record.record.serial = Some(SerialNumber::from_contents(&[0x5a; 23_000]));
    let message = read(&record);
    assert!(message.parameter("audit@32473", "serial").is_some_and(|serial| serial.ends_with(CUT)));
    assert_eq!(message.parameter("audit@32473", "hash").map(str::len), Some(64));
}

#[test]
fn cuts_the_text_first_and_what_others_chose_next() {
    let mut record = sample::issued(9);
    record.record.reason = Some("x".repeat(5_000));
    let message = read(&record);
    assert!(message.text.as_ref().is_some_and(|text| text.ends_with("xxx...")), "{message:?}");
    assert_eq!(message.parameter("audit@32473", "actor"), Some("operator"));

    record.record.actor = Some("\u{7f}\"é".repeat(3_000));
    record.record.label = Some("]".repeat(3_000));
    let message = read(&record);
    assert!(message.parameter("audit@32473", "actor").is_some_and(|actor| actor.ends_with(CUT)));
    assert_eq!(message.parameter("audit@32473", "hash").map(str::len), Some(64));
    assert_eq!(message.parameter("audit@32473", "fingerprint").map(str::len), Some(95));
    assert_eq!(message.parameter("audit@32473", "sequence"), Some("9"));
}

#[test]
fn has_the_certificate_where_there_is_room() {
    let record = sample::with_certificate(1);
    let message = sender().message(&record, CertificateData::Included);
    let message = parse(message.as_bytes()).expect("the grammar reads it");
    let certificate = message.parameter("audit@32473", "certificate").expect("the certificate");
    assert!(certificate.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"+/=".contains(&octet)));
    assert_eq!(message.parameter("audit@32473", "subject"), Some("CN=device-1"));

    let mut record = record;
    record.certificate.as_mut().expect("it has one").der.extend([0; 9_000]);
    let message = sender().message(&record, CertificateData::Included);
    assert!(message.len() <= MAX_BYTES);
    assert_eq!(parse(message.as_bytes()).expect("read").parameter("audit@32473", "certificate"), None);
}

#[test]
fn says_nothing_where_the_header_has_no_room() {
    let sender = Sender { host: "hôte".into(), program: "a".repeat(49), ..sender() };
    let mut record = sample::issued(1);
    record.record.event = "x".repeat(33);
    record.record.reason = None;
    let message = parse(sender.message(&record, CertificateData::LeftOut).as_bytes()).expect("read");
    assert_eq!((message.host.as_str(), message.program.as_str(), message.id.as_str()), ("-", "-", "-"));
    assert_eq!(message.text, None);
}

#[test]
fn counts_sequence_ids_from_one_again_after_the_largest() {
    let expected = [(0, 1), (1, 1), (2_147_483_647, 2_147_483_647), (2_147_483_648, 1), (2_147_483_649, 2)];
    for (sequence, id) in expected {
        assert_eq!(sequence_id(sequence), id, "{sequence}");
    }
}
