//! What a server answers, as a client reads it.

use est_core::client::{Answer, Received, read};
use est_core::{KeyPart, Operation, UnixTime};

const OPERATIONS: [Operation; 5] = Operation::ALL;
const STATUSES: [u16; 8] = [200, 202, 204, 302, 400, 401, 503, 100];

/// The first octet picks operation and status, the first line is Retry-After and Location, the rest the body. Whatever
/// comes out is bounded by what went in, and a refusal's text is one harmless line.
pub fn run(input: &[u8]) {
    let Some((first, rest)) = input.split_first() else { return };
    let line_end = rest.iter().position(|octet| *octet == b'\n').unwrap_or(rest.len());
    let (line, body) = (&rest[..line_end], rest.get(line_end + 1..).unwrap_or_default());
    let headers: [(&str, &[u8]); 4] =
        [("Retry-After", line), ("Location", line), ("WWW-Authenticate", line), ("Content-Type", line)];
    let operation = OPERATIONS[usize::from(first % 5)];
    let received = Received { status: STATUSES[usize::from(first / 5) % 8], headers: &headers, body };
    match read(operation, &received, UnixTime(1_795_253_400)) {
        Ok(Answer::Certificates(parts) | Answer::CsrAttrs(parts)) => {
            assert!(!parts.is_empty());
            assert!(parts.iter().map(Vec::len).sum::<usize>() <= 2 * body.len());
        }
        Ok(Answer::KeyAndCertificates { key, certificates }) => {
            let key = match &key {
                KeyPart::Pkcs8(der) => der.as_slice(),
                KeyPart::Enveloped(der) => der,
            };
            assert!(key.len() + certificates.iter().map(Vec::len).sum::<usize>() <= 2 * body.len());
        }
        Ok(Answer::Refused { text, .. }) => {
            assert!(text.chars().all(|character| !character.is_control()));
            assert!(text.len() <= body.len() * 3);
        }
        Ok(Answer::Redirected { location }) => assert_eq!(location.as_bytes(), line),
        Ok(Answer::NoCsrAttrs | Answer::RetryAfter(_)) | Err(_) => {}
    }
}
