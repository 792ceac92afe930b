//! Certification authorities.

use super::Absent::{Default, Means, Mistake};
use super::{Section, key};

pub(in crate::config) static CA: Section = Section {
    name: "ca",
    repeated: true,
    about: "A certification authority. The first one also serves requests without a label. A CA is its key: with another `id` it keeps its inventory, its revocations and its CRLs, and two with one key are refused.",
    keys: &[
        key("id", "string", Mistake, "What labels call it.").also(&["ca_id"]),
        key("name", "string", Means("the id"), "What people call it.").also(&["display_name", "description"]),
        key("cert", "path", Mistake, "PEM file with its certificate, alone.").also(&[
            "cert_path",
            "certificate",
            "cert_file",
            "ca_cert",
        ]),
        key("key", "path", Mistake, "PEM file with its private key: PKCS#8, PKCS#1 or SEC1.").also(&[
            "key_path",
            "private_key",
            "key_file",
            "ca_key",
            "signing_key",
        ]),
        key(
            "key_passphrase",
            "secret",
            Means("the key is not encrypted"),
            "What the key is encrypted with; for example `file:PATH`, to keep it out of this file.",
        )
        .also(&["passphrase", "key_password", "password"]),
        key(
            "chain",
            "path",
            Means("no certificate above"),
            "PEM file with the certificates above it: its issuer first, the self-signed root last.",
        )
        .also(&["chain_path", "ca_chain", "chain_file", "intermediates"]),
        key(
            "rollover",
            "path or array of paths",
            Default("[]"),
            "PEM files with what `/cacerts` also lists while a root gets another key: the other root, and each root's \
             key certified by the other one. `estd ca rollover` makes them.",
        )
        .also(&["rollover_certs", "cross_certs", "cross_certificates", "extra_certs"]),
        key(
            "rollover_key",
            "path or array of paths",
            Default("[]"),
            "PEM files with the private keys of other roots in `rollover`. Each of them makes CRLs for as long as it is \
             listed, with the same entries as those of `key`; it issues nothing. `[]` says that the key of the root before is \
             gone.",
        )
        .also(&["previous_key", "old_key", "rollover_keys"]),
        key(
            "rollover_key_passphrase",
            "secret",
            Means("the keys of `rollover_key` are not encrypted"),
            "What the keys of `rollover_key` are encrypted with.",
        )
        .also(&["previous_key_passphrase"]),
        key("validity_days", "integer", Default("365"), "For how many days a certificate is valid; 1 to 36500.")
            .also(&["default_validity_days", "validity", "days"]),
        key("max_validity_days", "integer", Default("398"), "For how many days at most; 1 to 36500.")
            .also(&["max_validity", "max_days"]),
        key(
            "default_key_usage",
            "array of names",
            Default(r#"["digitalSignature", "keyEncipherment"]"#),
            "The key usages given; each key gets those that its type can have.",
        )
        .also(&["key_usage"]),
        key(
            "default_ext_key_usage",
            "array of names or OIDs",
            Default(r#"["serverAuth", "clientAuth"]"#),
            "The extended key usages given, of which a request may ask for fewer. Without clientAuth a certificate cannot renew itself.",
        )
        .also(&["ext_key_usage", "extended_key_usage", "default_extended_key_usage", "eku"]),
        key(
            "check_signatures",
            "boolean",
            Default("false"),
            "Whether the CA checks its own ECDSA and EdDSA signatures before it hands them on; those of RSA keys are \
             always checked.",
        )
        .also(&["verify_signatures"]),
        key("rsa_padding", "`\"pkcs1\"` or `\"pss\"`", Default(r#""pkcs1""#), "How an RSA CA pads what it signs.")
            .also(&["padding"]),
        key(
            "crl",
            "boolean",
            Means("whether `cert` allows cRLSign"),
            "Whether the server makes CRLs, and serves the last one of each key of the CA at `/crl/<id>.<key>.crl`.",
        )
        .also(&["crl_enabled", "publish_crl"]),
        key(
            "crl_validity",
            "duration",
            Default(r#""7d""#),
            "For how long a CRL is good (nextUpdate), and so how long the CA's key may be out of reach; 1m to 400d.",
        )
        .also(&["crl_lifetime", "crl_next_update"]),
        key(
            "crl_interval",
            "duration",
            Default(r#""24h""#),
            "How often a CRL is made though nothing was revoked; no longer than `crl_validity`.",
        )
        .also(&["crl_period", "crl_update_interval"]),
        key(
            "crl_url",
            "URL or array of URLs",
            Default("[]"),
            "Where clients find the CRL: certificates say so (cRLDistributionPoints) whose profile names no other place. \
             `{key}` stands for the key that signs them: `http://pki.example.com/crl/main.{key}.crl` leads to the CRL of that \
             key, also when another one signs.",
        )
        .also(&["crl_urls", "crl_distribution_points", "cdp"]),
    ],
    later: &["hsm_slot", "dogtag", "dogtag_profile", "backend", "file", "upstream", "type"],
};
