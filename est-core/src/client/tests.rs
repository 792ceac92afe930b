use std::string::{String, ToString};
use std::vec::Vec;

use super::*;

/// SignedData with one certificate, which is a stand-in: `30 03 02 01 05`.
const CERTS_ONLY: &[u8] = b"\x30\x2a\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0\x1d\x30\x1b\x02\x01\x01\x31\x00\
    \x30\x0b\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01\xa0\x05\x30\x03\x02\x01\x05\x31\x00";

/// The same as Bouncy Castle writes it: indefinite lengths down to the set of certificates.
const CERTS_ONLY_BER: &[u8] =
    b"\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0\x80\x30\x80\x02\x01\x01\x31\x00\
    \x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01\x00\x00\xa0\x80\x30\x03\x02\x01\x05\x00\x00\x31\x00\
    \x00\x00\x00\x00\x00\x00";

const CERTIFICATE: &[u8] = b"\x30\x03\x02\x01\x05";

const NOW: UnixTime = UnixTime(784_111_777);

fn answer(
    operation: Operation,
    status: u16,
    headers: &[(&str, &str)],
    body: impl AsRef<[u8]>,
) -> Result<Answer, ClientError> {
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    read(operation, &Received { status, headers: &headers, body: body.as_ref() }, NOW)
}

fn enrolled(body: impl AsRef<[u8]>) -> Result<Answer, ClientError> {
    answer(Operation::SimpleEnroll, 200, &[], body)
}

#[test]
fn asks_at_the_path_of_the_label() {
    assert_eq!(Call::ca_certs(DEFAULT_BASE_PATH, None).path, "/.well-known/est/cacerts");
    assert_eq!(Call::csr_attrs("/ca/est/", Some("iot")).path, "/ca/est/iot/csrattrs");
    assert_eq!(Call::ca_certs("", Some("Zoë's/ä%")).path, "/Zo%C3%AB%27s%2F%C3%A4%25/cacerts");
}

#[test]
fn sends_a_certification_request_as_one_line_of_base64() {
    let call = Call::simple_enroll(DEFAULT_BASE_PATH, None, &[0x30; 200]);
    assert_eq!((call.method, call.path.as_str()), ("POST", "/.well-known/est/simpleenroll"));
    assert!(call.headers.contains(&("Content-Type", "application/pkcs10".to_string())));
    assert_eq!(call.body.iter().position(|octet| *octet == b'\n'), Some(call.body.len() - 1));
    assert_eq!(base64::decode(&call.body), Some([0x30; 200].to_vec()));
    let again = Call::simple_reenroll(DEFAULT_BASE_PATH, None, &[0x30]);
    assert_eq!((again.operation, again.path.as_str()), (Operation::SimpleReenroll, "/.well-known/est/simplereenroll"));
}

#[test]
fn sends_basic_credentials_in_utf_8_and_keeps_them_out_of_debug() {
    let call = Call::simple_enroll("", None, &[1]).with_basic("Aladdin", &Secret::new("open sesame".to_string()));
    assert_eq!(
        call.headers.last(),
        Some(&("Authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==".to_string())),
        "the example of RFC 7617 §2"
    );
    assert!(!format!("{call:?}").contains("QWxhZGRpbj"));
    let long = Secret::new("é".repeat(100));
    assert!(!Call::ca_certs("", None).with_basic("u", &long).headers[0].1.contains('\n'));
}

#[test]
fn reads_certificates_however_they_are_wrapped() {
    let line = base64::encode(CERTS_ONLY, None);
    let wrapped = base64::encode(CERTS_ONLY, Some(20)).replace('\n', " \t\r\n");
    let pem = pem::encode("PKCS7", CERTS_ONLY);
    let expected = Ok(Answer::Certificates(alloc::vec![CERTIFICATE.to_vec()]));
    assert_eq!(enrolled(&line), expected);
    assert_eq!(enrolled(line.trim_end()), expected);
    assert_eq!(enrolled(wrapped), expected);
    assert_eq!(enrolled(pem), expected);
    assert_eq!(enrolled(CERTS_ONLY), expected);
    assert_eq!(enrolled(base64::encode(CERTS_ONLY_BER, None)), expected);
    assert_eq!(answer(Operation::CaCerts, 200, &[("Content-Transfer-Encoding", "binary")], &line), expected);
}

#[test]
fn refuses_an_answer_that_is_not_certificates() {
    assert_eq!(enrolled(""), Err(ClientError::EmptyBody));
    assert_eq!(enrolled(" \r\n"), Err(ClientError::EmptyBody));
    assert_eq!(enrolled("<html>"), Err(ClientError::NotBase64));
    assert_eq!(enrolled("MAA="), Err(ClientError::NotCertsOnly));
    assert_eq!(enrolled(&CERTS_ONLY[..40]), Err(ClientError::NotCertsOnly));
    assert_eq!(enrolled(crate::pkix::certs_only([])), Err(ClientError::NoCertificate));
    assert_eq!(enrolled("A".repeat(MAX_BODY_BYTES + 1)), Err(ClientError::BodyTooLarge));
}

#[test]
fn reads_attributes_and_every_way_to_have_none() {
    let attributes = |status, body: &[u8]| answer(Operation::CsrAttrs, status, &[], body);
    // challengePassword and an Attribute with id-ecPublicKey: secp384r1, as in RFC 7030 §4.5.2.
    let der = b"\x30\x23\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x07\
        \x30\x12\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x31\x07\x06\x05\x2b\x81\x04\x00\x22\x06\x02\x2a\x03";
    let Ok(Answer::CsrAttrs(elements)) = attributes(200, base64::encode(der, None).as_bytes()) else {
        panic!("attributes first")
    };
    assert_eq!(elements.concat(), der[2..]);
    assert_eq!(elements.len(), 3);
    for (status, body) in [(200, "MAA=\n"), (200, ""), (204, "")] {
        assert_eq!(attributes(status, body.as_bytes()), Ok(Answer::NoCsrAttrs), "{status} {body}");
    }
    let Ok(Answer::Refused { status: 404, text, .. }) = attributes(404, b"not here") else { panic!("a refusal") };
    assert_eq!(text, "not here");
    assert_eq!(attributes(200, b"BQA="), Err(ClientError::NotCsrAttrs));
    assert_eq!(attributes(202, b""), Err(ClientError::Status(202)));
}

#[test]
fn reads_base64_that_ends_with_the_nul_of_a_c_string() {
    let der = b"\x30\x0b\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x07";
    let text = base64::encode(der, None);
    for end in ["\0", "\0\0", "\n\0"] {
        let body = format!("{}{end}", text.trim_end());
        let Ok(Answer::CsrAttrs(elements)) = answer(Operation::CsrAttrs, 200, &[], &body) else { panic!("{body:?}") };
        assert_eq!(elements, [&der[2..]]);
    }
    assert_eq!(answer(Operation::CsrAttrs, 200, &[], "\0"), Ok(Answer::NoCsrAttrs));
    assert_eq!(answer(Operation::CsrAttrs, 200, &[], "MA\0A="), Err(ClientError::NotBase64));
    // DER that ends with zeros keeps them.
    assert_eq!(answer(Operation::CsrAttrs, 200, &[], "\x30\0"), Ok(Answer::NoCsrAttrs));
}

#[test]
fn waits_as_long_as_it_is_told() {
    let pending = |headers: &[(&str, &str)]| answer(Operation::SimpleReenroll, 202, headers, "later");
    assert_eq!(pending(&[("retry-after", "30")]), Ok(Answer::RetryAfter(Seconds(30))));
    assert_eq!(pending(&[("Retry-After", "Sun, 06 Nov 1994 08:50:37 GMT")]), Ok(Answer::RetryAfter(Seconds(60))));
    assert_eq!(pending(&[("Retry-After", "Sun, 06 Nov 1994 08:00:00 GMT")]), Ok(Answer::RetryAfter(Seconds(0))));
    assert_eq!(pending(&[("Retry-After", "soon")]), Ok(Answer::RetryAfter(DEFAULT_RETRY_AFTER)));
    assert_eq!(pending(&[]), Ok(Answer::RetryAfter(DEFAULT_RETRY_AFTER)));
    assert_eq!(answer(Operation::CaCerts, 202, &[("Retry-After", "30")], ""), Err(ClientError::Status(202)));
}

#[test]
fn tells_what_a_refusal_says_and_wants() {
    let headers = [("WWW-Authenticate", "Negotiate"), ("www-authenticate", "Digest realm=\"x\", BASIC realm=\"est\"")];
    assert_eq!(
        answer(Operation::SimpleEnroll, 401, &headers, "authenticate first\n"),
        Ok(Answer::Refused {
            status: 401,
            text: "authenticate first".into(),
            wants_basic: true,
            other_schemes: ["Digest", "Negotiate"].into(),
            retry_after: None
        })
    );
    assert_eq!(
        answer(Operation::SimpleEnroll, 503, &[("Retry-After", "2")], ""),
        Ok(Answer::Refused {
            status: 503,
            text: String::new(),
            wants_basic: false,
            other_schemes: Vec::new(),
            retry_after: Some(Seconds(2))
        })
    );
    let Ok(Answer::Refused { wants_basic, .. }) = answer(Operation::CaCerts, 401, &headers[..1], "") else {
        panic!("a refusal")
    };
    assert!(!wants_basic);
}

#[test]
fn shows_a_refusal_that_cannot_harm_a_terminal() {
    let text = |body: &[u8]| match answer(Operation::SimpleEnroll, 400, &[], body) {
        Ok(Answer::Refused { text, .. }) => text,
        other => panic!("{other:?}"),
    };
    assert_eq!(text(b"\x1b[31mred\x1b[0m\r\n\r\n  second\tline\x07"), "[31mred [0m second line");
    assert_eq!(text("abc\u{202e}def\u{2066}".as_bytes()), "abcdef");
    assert_eq!(text(b"\xff\xfe"), "\u{fffd}\u{fffd}");
    let long = text("é".repeat(10_000).as_bytes());
    assert_eq!(long.chars().count(), MAX_TEXT_CHARS + 1);
    assert!(long.ends_with('…'));
}

#[test]
fn hands_a_redirection_to_the_user() {
    let elsewhere = "https://other.example/.well-known/est/cacerts";
    assert_eq!(
        answer(Operation::CaCerts, 307, &[("Location", elsewhere)], ""),
        Ok(Answer::Redirected { location: elsewhere.into() })
    );
    assert_eq!(answer(Operation::CaCerts, 302, &[], ""), Err(ClientError::Status(302)));
}

#[test]
fn knows_the_statuses_it_does_not_know() {
    for status in [100, 201, 204, 206, 303, 304, 600] {
        assert_eq!(answer(Operation::SimpleEnroll, status, &[], "x"), Err(ClientError::Status(status)));
    }
}

fn key_answer(content_type: &str, body: &str) -> Result<Answer, ClientError> {
    answer(Operation::ServerKeyGen, 200, &[("Content-Type", content_type)], body)
}

#[test]
fn reads_a_key_and_its_certificate_in_either_order() {
    let certificate = base64::encode(CERTS_ONLY, None);
    let key = "--b\r\nContent-Type: application/pkcs8\r\nContent-Transfer-Encoding: base64\r\n\r\nMAA=\r\n";
    let message =
        format!("--b\r\ncontent-type: application/pkcs7-mime; smime-type=certs-only\r\n\r\n{certificate}\r\n");
    let pkcs8 = KeyPart::Pkcs8(zeroize::Zeroizing::new(b"\x30\x00".to_vec()));
    let expected = Answer::KeyAndCertificates { key: pkcs8, certificates: Vec::from([CERTIFICATE.to_vec()]) };
    for (content_type, body) in [
        ("multipart/mixed; boundary=b", format!("{key}{message}--b--\r\n")),
        ("Multipart/Mixed ; charset=x; Boundary=\"b\"", format!("preamble\r\n{message}{key}--b--\r\nepilogue")),
        ("multipart/mixed; boundary=b", format!("{key}{message}--b--\r\n").replace('\r', "")),
    ] {
        assert_eq!(key_answer(content_type, &body), Ok(expected.clone()), "{content_type} {body}");
    }
    let enveloped = key.replace("pkcs8", "pkcs7-mime; smime-type=server-generated-key");
    let Ok(Answer::KeyAndCertificates { key: part, .. }) =
        key_answer("multipart/mixed; boundary=b", &format!("{enveloped}{message}--b--"))
    else {
        panic!("two parts")
    };
    assert_eq!(part, KeyPart::Enveloped(b"\x30\x00".to_vec()));
    for (content_type, body) in [
        ("multipart/mixed; boundary=b", format!("{key}{message}")),
        ("multipart/mixed; boundary=c", format!("{key}{message}--b--")),
        ("multipart/mixed; boundary=", format!("{key}{message}--b--")),
        ("application/pkcs8; boundary=b", format!("{key}{message}--b--")),
        ("multipart/mixed; boundary=b", format!("{key}--b--")),
        ("multipart/mixed; boundary=b", format!("{message}--b--")),
        ("multipart/mixed; boundary=b", format!("{key}{key}{message}--b--")),
        ("multipart/mixed; boundary=b", format!("{key}{message}--b\r\nContent-Type: text/plain\r\n\r\nhello\r\n--b--")),
    ] {
        assert_eq!(key_answer(content_type, &body), Err(ClientError::NotKeyAndCertificate), "{content_type} {body}");
    }
}
