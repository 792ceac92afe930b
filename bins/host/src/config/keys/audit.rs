//! Where audit records go apart from the database, and how a change to them is noticed.

use super::Absent::{Default, Means};
use super::{Section, key};

pub(in crate::config) static AUDIT: Section = Section {
    name: "audit",
    repeated: false,
    about: "Where audit records go apart from the database, which always has all of them, and how checkpoints prove them.",
    keys: &[
        key(
            "file",
            "path",
            Means("no file"),
            "The file that records are appended to, as JSON in lines. A file that was renamed is made again.",
        )
        .also(&["path", "log_file", "audit_file"]),
        key(
            "syslog",
            "URL",
            Means("no syslog"),
            "The collector: `udp://host:514`, `tcp://host:601` or `tcp+tls://host:6514`. These are the ports where none \
             is given.",
        )
        .also(&["syslog_url", "syslog_server", "collector"]),
        key(
            "syslog_facility",
            "name",
            Default(r#""local0""#),
            "The facility of the messages: `local0` to `local7`, or another name that RFC 5424 has: `auth`, `authpriv`, \
             `audit`, `daemon`.",
        )
        .also(&["facility"]),
        key(
            "syslog_enterprise",
            "integer",
            Default("32473"),
            "The private enterprise number in the name of the structured data, `audit@32473`. That one is IANA's for \
             examples; an organisation that has its own sets it here.",
        )
        .also(&["enterprise_number", "pen"]),
        key(
            "syslog_ca",
            "path",
            Means("the collector is known by its fingerprint"),
            "PEM file with the trust anchors for the collector's certificate, which must name the host of the URL in its \
             subjectAltName.",
        )
        .also(&["syslog_trust_anchors", "syslog_cacert", "ca"]),
        key(
            "syslog_fingerprints",
            "array of strings",
            Means("any certificate that `syslog_ca` vouches for"),
            "The certificates that the collector may show, each as `sha-256:` and hexadecimal octets with colons. Without \
             `syslog_ca` this is all that is looked at.",
        )
        .also(&["syslog_fingerprint", "fingerprints"]),
        key(
            "syslog_cert",
            "path",
            Means("the collector is shown none"),
            "PEM file with the certificate that the collector is shown, then those between it and its root.",
        )
        .also(&["cert", "client_cert"]),
        key(
            "syslog_key",
            "path",
            Means("the collector is shown none"),
            "PEM file with the private key of `syslog_cert`.",
        )
        .also(&["key", "client_key"]),
        key(
            "syslog_key_passphrase",
            "secret",
            Means("the key is not encrypted"),
            "What the key is encrypted with; for example `file:PATH`, to keep it out of this file.",
        )
        .also(&["key_passphrase", "passphrase"]),
        key(
            "events",
            "array of names",
            Means("all of them"),
            "Which events go to the file and to syslog: names such as `cert.issued`, or what names begin with: `cert`, \
             `auth.otp`. `renew`, `reject` and `revoke` mean the events of renewals, refusals and revocations.",
        )
        .also(&["event_types", "filter"]),
        key(
            "include_cert_data",
            "boolean",
            Default("false"),
            "Whether records have the certificate in them that they are about, in the file and over `tcp` and `tcp+tls`.",
        )
        .also(&["include_certificate", "cert_data"]),
        key(
            "checkpoint_key",
            "path",
            Means("beside an SQLite database: its name and `.checkpoint-key.pem`; else no checkpoints are made"),
            "PEM file with the private key that checkpoints of the audit record are signed with. It is made when it is not \
             there. Keep its public half, and checkpoints, where nobody that can write to the database can write.",
        )
        .also(&["signing_key"]),
        key(
            "checkpoints",
            "path",
            Means("beside the database: its name and `.checkpoints.jsonl`; else beside the key"),
            "The file that checkpoints are appended to, one in a line.",
        )
        .also(&["checkpoint_file", "checkpoints_file"]),
        key(
            "checkpoint_interval",
            "duration",
            Default(r#""1h""#),
            "How often one is made, if there are records since the last; 1m to 7d. One more is made at the end.",
        )
        .also(&["checkpoint_every"]),
    ],
    later: &[],
};
