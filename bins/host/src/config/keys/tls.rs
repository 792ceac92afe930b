//! The server's certificates, and those of its clients.

use super::Absent::{Default, Means, Mistake};
use super::{Section, key};

pub(in crate::config) static TLS: Section = Section {
    name: "tls",
    repeated: false,
    about: "The server's own certificate and its TLS.",
    keys: &[
        key("cert", "path", Mistake, "PEM file with the server's certificate, then those between it and its root.")
            .also(&["cert_path", "certificate", "cert_file", "tls_cert", "server_cert"]),
        key("key", "path", Mistake, "PEM file with its private key: PKCS#8, PKCS#1 or SEC1.").also(&[
            "key_path",
            "private_key",
            "key_file",
            "tls_key",
            "server_key",
        ]),
        key(
            "key_passphrase",
            "secret",
            Means("the key is not encrypted"),
            "What the key is encrypted with; for example `file:PATH`, to keep it out of this file.",
        )
        .also(&["passphrase", "key_password", "password"]),
        key("min_version", "`\"1.2\"` or `\"1.3\"`", Default(r#""1.2""#), "The oldest TLS that is spoken.").also(&[
            "tls_min_version",
            "minimum_version",
            "min_tls_version",
        ]),
        key(
            "cipher_suites",
            "array of names",
            Means("all that are secure"),
            "The cipher suites of TLS 1.2, by their IANA names. Those of TLS 1.3 are always on.",
        )
        .also(&["ciphers", "cipher_suite"]),
        key(
            "session_tickets",
            "boolean",
            Default("true"),
            "Whether a client of TLS 1.3 gets a ticket, with which it may resume its session. wolfSSL as it is built \
                 by default cannot read one, is recognised by its ClientHello, and gets none. Set `false` for clients \
                 that end with an error after the handshake, such as -425.",
        )
        .also(&["tickets", "tls13_tickets", "session_resumption"]),
        key(
            "renew",
            "boolean",
            Default("true"),
            "Whether the server renews its own certificates, those of `[tls]`, `[[tls.additional]]` and `[admin]`, in \
                 the last third of their validity, where one of its `[[ca]]` issued them. Names and key stay.",
        )
        .also(&["auto_renew", "renew_automatically"]),
    ],
    later: &[],
};

pub(in crate::config) static TLS_ADDITIONAL: Section = Section {
    name: "tls.additional",
    repeated: true,
    about: "One more certificate of the server, with a key of another type. Each client is shown the first whose \
            signatures it can verify: those with ML-DSA keys before all others, then that of `[tls]`, then these in \
            their order. A client that names the CAs which it trusts, as `est` does, gets a certificate of theirs; let \
            the others trust the root of an ML-DSA certificate before the server shows it.",
    keys: &[
        key("cert", "path", Mistake, "PEM file with the certificate, then those between it and its root.").also(&[
            "cert_path",
            "certificate",
            "cert_file",
        ]),
        key("key", "path", Mistake, "PEM file with its private key: PKCS#8, PKCS#1 or SEC1.").also(&[
            "key_path",
            "private_key",
            "key_file",
        ]),
        key(
            "key_passphrase",
            "secret",
            Means("the key is not encrypted"),
            "What the key is encrypted with; for example `file:PATH`, to keep it out of this file.",
        )
        .also(&["passphrase", "key_password", "password"]),
    ],
    later: &[],
};

pub(in crate::config) static CLIENT_AUTH: Section = Section {
    name: "tls.client_auth",
    repeated: false,
    about: "Which clients' certificates are accepted.",
    keys: &[
        key(
            "trust_anchors",
            "path or array of paths",
            Means("a mistake, unless mode is `\"none\"`"),
            "PEM files with the CA certificates that clients' certificates must lead to. To let clients renew what this \
             server issued, name the certificate of its own CA.",
        )
        .also(&["trust_anchor", "ca", "ca_cert", "ca_file", "client_ca", "ca_bundle"]),
        key(
            "intermediates",
            "path or array of paths",
            Default("[]"),
            "PEM files with CA certificates that clients may leave out of their chains.",
        )
        .also(&["intermediate", "chain"]),
        key(
            "mode",
            "`\"required\"`, `\"optional\"`, `\"required_for_reenroll\"` or `\"none\"`",
            Default(r#""required""#),
            "Whether a client must show a certificate: always; if it has one; to renew; never. One-time passwords need \
             `optional` or `required_for_reenroll`.",
        )
        .also(&["client_auth_mode", "verify", "verify_mode"]),
        key(
            "ext_key_usage",
            "`\"clientAuth\"` or `\"any\"`",
            Default(r#""clientAuth""#),
            "Which purpose a client's certificate must have.",
        )
        .also(&["eku", "extended_key_usage"]),
        key(
            "crls",
            "path or array of paths",
            Default("[]"),
            "CRLs with the clients' certificates and CAs that were revoked: files in PEM or DER, or folders of them. \
             They are read again when they change. For what this server's own CAs issued, the database is asked.",
        )
        .also(&["crl", "crl_file", "crl_path", "crl_dir"]),
        key(
            "revocation",
            "`\"hard\"` or `\"soft\"`",
            Default(r#""hard""#),
            "What becomes of a client whose certificate no current CRL of `crls` covers: it is refused, or let in and \
             logged. Without `crls` nothing is asked but the database.",
        )
        .also(&["revocation_mode", "crl_mode", "crl_policy"]),
        key(
            "expired_grace",
            "duration",
            Means("none"),
            "For how long a certificate that one of this server's own CAs issued may be renewed after its end; 1s to \
             365d.",
        )
        .also(&["grace", "grace_period", "renewal_grace"]),
    ],
    later: &[],
};
