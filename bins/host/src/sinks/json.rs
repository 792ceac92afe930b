//! A record as a line of JSON.

use serde_json::Value;

use super::CertificateData;
use super::record::{CERTIFICATE, ChainedRecord, SEQUENCE};

/// A JSON object in one line, and LF. Control characters in values are escaped, so that a record is never two lines.
pub(super) fn line(record: &ChainedRecord, certificates: CertificateData) -> String {
    let pem = record.certificate_pem().filter(|_| certificates == CertificateData::Included);
    let certificate = pem.map(|pem| (CERTIFICATE, pem));
    let members = record.fields().into_iter().chain(certificate).map(|(name, value)| match name {
        SEQUENCE => format!("\"{name}\":{value}"),
        _ => format!("\"{name}\":{}", Value::from(value)),
    });
    format!("{{{}}}\n", members.collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn writes_every_field_in_one_line() {
        let line = line(&sample::issued(7), CertificateData::LeftOut);
        let expected = "{\"timestamp\":\"2026-11-21T09:30:00.000007Z\",\"event_type\":\"cert.issued\",\"outcome\":\"success\",\
             \"node\":\"node-1\",\"sequence\":7,\
             \"hash\":\"0707070707070707070707070707070707070707070707070707070707070707\",\"actor\":\"operator\",\
             \"method\":\"otp\",\"source_ip\":\"192.0.2.45\",\"label\":\"devices\",\"ca\":\"main\",\
             \"reason\":\"profile device\",\"serial\":\"4A:3F\",\
             \"fingerprint\":\"22:22:22:22:22:22:22:22:22:22:22:22:22:22:22:22:22:22:22:22:22:22:22:22:22:22:22:22:22:22:22:22\"}\n";
        assert_eq!(line, expected);
    }

    #[test]
    fn tells_what_the_certificate_says_and_has_it_where_asked_to() {
        let record = sample::with_certificate(1);
        let object: Value = serde_json::from_str(&line(&record, CertificateData::Included)).expect("JSON");
        assert_eq!(object["subject"], "CN=device-1");
        assert_eq!(object["issuer"], "CN=Test CA,O=Example");
        assert_eq!(object["not_before"], "2026-11-21T09:30:00Z");
        assert!(object["not_after"].as_str().is_some_and(|text| text.ends_with('Z')), "{object}");
        let pem = object["certificate"].as_str().expect("PEM");
        assert!(pem.starts_with("-----BEGIN CERTIFICATE-----\n"), "{pem}");
        assert!(!line(&record, CertificateData::LeftOut).contains("BEGIN CERTIFICATE"));
    }

    #[test]
    fn keeps_hostile_text_in_its_line_and_its_value() {
        for text in sample::hostile_texts() {
            let mut record = sample::issued(1);
            record.record.actor = Some(text.clone());
            record.record.reason = Some(text.clone());
            let line = line(&record, CertificateData::LeftOut);
            assert_eq!(line.matches(['\n', '\r', '\0']).count(), 1, "{line:?}");
            let object: Value = serde_json::from_str(&line).expect("JSON");
            assert_eq!((object["actor"].as_str(), object["reason"].as_str()), (Some(&*text), Some(&*text)));
        }
    }
}
