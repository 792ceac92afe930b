//! How long ended and expired things are kept.

use super::Absent::Means;
use super::{Section, key};

pub(in crate::config) static RETENTION: Section = Section {
    name: "retention",
    repeated: false,
    about: "How long expired certificates, spent passwords and decided requests are kept. `estd prune` deletes the rest; the audit record keeps everything.",
    keys: &[
        key(
            "certificates",
            "duration",
            Means("for ever"),
            "How long after its end a certificate is kept; 1s to 36500d, and no less than \
             `tls.client_auth.expired_grace`. One that was revoked is also kept until its CA has made a CRL after its end.",
        )
        .also(&["certs", "expired_certificates"]),
        key(
            "requests",
            "duration",
            Means("for ever"),
            "How long after the decision a request is kept; 1s to 36500d. Undecided ones stay.",
        )
        .also(&["approvals"]),
        key(
            "waiting",
            "duration",
            Means("`\"30d\"`"),
            "How long a request waits for a decision, or an approved one for its client, while its client does not ask again; 1h to \
             36500d. Then it ends (`request.expired`); the server sees to that itself.",
        ),
        key(
            "passwords",
            "duration",
            Means("for ever"),
            "How long a password is kept after its end, or after it was revoked; 1s to 36500d.",
        )
        .also(&["otp", "otps"]),
    ],
    later: &[],
};
