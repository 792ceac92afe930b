//! Every section and key, said once: what is read, what is told to be unknown, and what the reference page lists.

/// A section of the file.
pub(super) struct Section {
    /// Its name with those above it: `tls.client_auth`.
    pub(super) name: &'static str,
    /// Whether it is written `[[name]]`, once for each thing.
    pub(super) repeated: bool,
    /// What it is about.
    pub(super) about: &'static str,
    /// Its keys, in the order of the reference page.
    pub(super) keys: &'static [Key],
    /// Keys of other versions, refused with a word of their own.
    pub(super) later: &'static [&'static str],
}

/// A key.
pub(super) struct Key {
    /// Its name.
    pub(super) name: &'static str,
    /// What its value looks like.
    pub(super) kind: &'static str,
    /// What its absence means.
    pub(super) absent: Absent,
    /// What it does.
    pub(super) about: &'static str,
    /// What people call it elsewhere.
    pub(super) other_names: &'static [&'static str],
}

/// What the absence of a key means.
pub(super) enum Absent {
    /// A mistake.
    Mistake,
    /// The value that this TOML text stands for.
    Default(&'static str),
    /// What these words say.
    Means(&'static str),
}

use Absent::{Default, Means, Mistake};

const fn key(name: &'static str, kind: &'static str, absent: Absent, about: &'static str) -> Key {
    Key { name, kind, absent, about, other_names: &[] }
}

impl Key {
    const fn also(self, other_names: &'static [&'static str]) -> Self {
        Self { other_names, ..self }
    }
}

impl Section {
    /// The last part of the name.
    pub(super) fn leaf(&self) -> &'static str {
        self.name.rsplit('.').next().unwrap_or(self.name)
    }

    /// The names of the sections above, empty at the top.
    pub(super) fn parent(&self) -> &'static str {
        self.name.rsplit_once('.').map_or("", |(parent, _)| parent)
    }

    /// As it is written in a file.
    pub(super) fn header(&self) -> String {
        if self.repeated { format!("[[{}]]", self.name) } else { format!("[{}]", self.name) }
    }

    /// The key with this name.
    pub(super) fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }
}

/// Sections of other versions.
pub(super) const LATER: [&str; 8] = ["hsm", "audit", "ha", "admin", "coap", "kerberos", "gssapi", "star"];

/// What people call the sections at the top elsewhere.
pub(super) const OTHER_NAMES: [(&str, &str); 14] = [
    ("database", "[db]"),
    ("store", "[db]"),
    ("storage", "[db]"),
    ("logging", "[log]"),
    ("logs", "[log]"),
    ("label", "[[est.label]]"),
    ("labels", "[[est.label]]"),
    ("client_auth", "[tls.client_auth]"),
    ("limit", "[limits]"),
    ("listener", "[server]"),
    ("http", "[server]"),
    ("cas", "[[ca]]"),
    ("profiles", "[[profile]]"),
    ("registration_authority", "[[ra]]"),
];

/// The file itself.
pub(super) static ROOT: Section = Section { name: "", repeated: false, about: "", keys: &[], later: &[] };

pub(super) static SECTIONS: [&Section; 16] = [
    &SERVER,
    &PROXY,
    &TLS,
    &TLS_ADDITIONAL,
    &CLIENT_AUTH,
    &LIMITS,
    &DB,
    &CA,
    &PROFILE,
    &PROFILE_EXTENSION,
    &EST,
    &SYMMETRIC_KEY,
    &LABEL,
    &RA,
    &OTP,
    &LOG,
];

pub(super) static SERVER: Section = Section {
    name: "server",
    repeated: false,
    about: "Where the server listens and how it runs.",
    keys: &[
        key("listen", "address", Default(r#""0.0.0.0:8443""#), "Where EST is served, over HTTPS.").also(&[
            "bind",
            "address",
            "listen_addr",
            "listen_address",
            "bind_address",
        ]),
        key(
            "admin_listen",
            "address",
            Default(r#""127.0.0.1:9443""#),
            "Where the admin API will be served. Accepted, not in use yet.",
        )
        .also(&["admin_bind", "admin_address"]),
        key("workers", "integer", Means("the number of cores"), "How many threads serve; 1 to 1024.")
            .also(&["threads", "worker_threads"]),
        key("max_body_size", "size", Default(r#""1MB""#), "The longest request body; 1KB to 64MB.").also(&[
            "max_body",
            "body_limit",
            "max_request_size",
        ]),
        key(
            "shutdown_timeout",
            "duration",
            Default(r#""30s""#),
            "How long requests under way may take after SIGTERM; up to 1h.",
        )
        .also(&["grace_period", "drain_timeout"]),
    ],
    later: &[],
};

pub(super) static PROXY: Section = Section {
    name: "server.proxy",
    repeated: true,
    about: "A proxy that ends the clients' TLS and forwards their certificates in the headers `Client-Cert` and \
            `Client-Cert-Chain` (RFC 9440). Nobody else's headers are looked at.",
    keys: &[
        key(
            "addresses",
            "array of addresses or networks",
            Mistake,
            "Where it connects from: `10.0.0.7`, `10.0.0.0/24`, `fd00::/64`.",
        )
        .also(&["address", "from", "networks", "trusted_proxies"]),
        key(
            "certificate",
            "path or array of paths",
            Mistake,
            "PEM files with the client certificates that it shows to this server, of which it must show one.",
        )
        .also(&["cert", "certificates", "client_cert"]),
    ],
    later: &[],
};

pub(super) static TLS: Section =
    Section {
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
                "string",
                Means("the key is not encrypted"),
                "What the key is encrypted with. Write `${NAME}` and keep it out of the file.",
            )
            .also(&["passphrase", "key_password", "password"]),
            key("min_version", "`\"1.2\"` or `\"1.3\"`", Default(r#""1.2""#), "The oldest TLS that is spoken.")
                .also(&["tls_min_version", "minimum_version", "min_tls_version"]),
            key(
                "cipher_suites",
                "array of names",
                Means("all that are secure"),
                "The cipher suites of TLS 1.2, by their IANA names. Those of TLS 1.3 are always on.",
            )
            .also(&["ciphers", "cipher_suite"]),
        ],
        later: &[],
    };

pub(super) static TLS_ADDITIONAL: Section = Section {
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
            "string",
            Means("the key is not encrypted"),
            "What the key is encrypted with. Write `${NAME}` and keep it out of the file.",
        )
        .also(&["passphrase", "key_password", "password"]),
    ],
    later: &[],
};

pub(super) static CLIENT_AUTH: Section = Section {
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
            "CRLs that tell which clients' certificates and CAs were revoked: files in PEM or DER, or folders of them. \
             They are read again when they change. Of what this server's own CAs issued, the database tells.",
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

pub(super) static LIMITS: Section = Section {
    name: "limits",
    repeated: false,
    about: "What one client, or all of them, may take.",
    keys: &[
        key("header_bytes", "size", Default(r#""16KB""#), "The longest request head; 8KB to 1MB.").also(&[
            "max_header_size",
            "header_size",
            "max_header_bytes",
        ]),
        key("handshake_timeout", "duration", Default(r#""10s""#), "How long a TLS handshake may take; 100ms to 10m.")
            .also(&["tls_timeout"]),
        key(
            "request_timeout",
            "duration",
            Default(r#""60s""#),
            "How long a request may take, from its first octet to the answer; 100ms to 1h.",
        )
        .also(&["timeout", "read_timeout"]),
        key(
            "idle_timeout",
            "duration",
            Default(r#""60s""#),
            "How long a connection may wait for its next request; 100ms to 24h.",
        )
        .also(&["keep_alive", "keepalive_timeout", "keep_alive_timeout"]),
        key("max_connections", "integer", Default("10000"), "How many connections may be open; 1 to 1000000.")
            .also(&["connections"]),
        key(
            "requests_per_connection",
            "integer",
            Means("no limit"),
            "After how many requests a connection is closed; 1 to 1000000. Accepted, not in use yet.",
        )
        .also(&["max_requests", "max_requests_per_connection"]),
    ],
    later: &[],
};

pub(super) static DB: Section = Section {
    name: "db",
    repeated: false,
    about: "Where everything is remembered.",
    keys: &[
        key(
            "url",
            "string",
            Default(r#""sqlite://ohia.db""#),
            "`sqlite://relative.db` or `sqlite:///absolute.db`. The file is made when it is not there.",
        )
        .also(&["path", "file", "database", "database_url", "dsn", "connection_string"]),
        key(
            "max_connections",
            "integer",
            Default("5"),
            "How many connections read at a time; 1 to 1000. Accepted, not in use yet.",
        )
        .also(&["pool_size", "max_pool_size"]),
        key(
            "connect_timeout",
            "duration",
            Default(r#""5s""#),
            "How long to wait for the database when it is locked; 100ms to 10m. Accepted, not in use yet.",
        )
        .also(&["timeout", "connection_timeout", "busy_timeout"]),
        key("auto_migrate", "boolean", Default("true"), "Whether the schema is brought up to date at the start.")
            .also(&["migrate", "run_migrations"]),
    ],
    later: &[],
};

pub(super) static CA: Section = Section {
    name: "ca",
    repeated: true,
    about: "A certification authority. The first one also serves requests without a label.",
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
            "string",
            Means("the key is not encrypted"),
            "What the key is encrypted with. Write `${NAME}` and keep it out of the file.",
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
            "PEM files with what `/cacerts` lists besides while a root gets another key: the other root, and each root's \
             key certified by the other one. `estd ca rollover` makes them.",
        )
        .also(&["rollover_certs", "cross_certs", "cross_certificates", "extra_certs"]),
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
            "The extended key usages given. Without clientAuth a certificate cannot renew itself.",
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
    ],
    later: &["hsm_slot", "dogtag", "dogtag_profile", "backend", "file", "upstream", "type"],
};

pub(super) static PROFILE: Section = Section {
    name: "profile",
    repeated: true,
    about: "What labels issue. Built in are `device`, `tls-server`, `tls-client`, `br-tls`, `ra` and `smime`; a profile of your own begins with one of them or with nothing.",
    keys: &[
        key("name", "string", Mistake, "What labels call it.").also(&["id", "profile"]),
        key(
            "base",
            "name of a profile",
            Means("nothing: every name and key, digitalSignature and keyEncipherment, no purpose"),
            "The profile that it begins with: a built-in one, or one that stands above.",
        )
        .also(&["extends", "inherits", "template"]),
        key("key_types", "array of names", Means("those of the base"), "The key types it takes.").also(&["allowed_key_types"]),
        key("key_reuse", "boolean", Means("as the base; `true`"), "Whether a renewal may keep its key."),
        key("serverkeygen", "boolean", Means("as the base; `true`"), "Whether `/serverkeygen` may make keys for it."),
        key("key_usage", "array of names", Means("those of the base"), "The key usages given; each key gets those that its type can have.")
            .also(&["default_key_usage"]),
        key("ext_key_usage", "array of names or OIDs", Means("those of the base"), "The extended key usages given.")
            .also(&["default_ext_key_usage", "extended_key_usage", "eku"]),
        key("validity_days", "integer", Means("as the base; 365"), "For how many days a certificate is valid; 1 to 36500.")
            .also(&["default_validity_days", "days"]),
        key("max_validity_days", "integer", Means("as the base; 398"), "For how many days at most; 1 to 36500.").also(&["max_days"]),
        key("backdate", "duration", Means("as the base; 0"), "How long before its issuance a certificate begins to be valid, for clocks that are late; up to 48h.")
            .also(&["not_before_skew", "skew"]),
        key("subject_pattern", "regular expression", Means("any subject"), "What the subject's RFC 4514 text must match, besides what the base demands.")
            .also(&["subject_regex"]),
        key("subject_attributes", "array of names or OIDs", Means("as the base; any"), "The attributes that a subject may have: `CN`, `O`, `serialNumber`, …."),
        key("required_subject_attributes", "array of names or OIDs", Means("as the base; none"), "The attributes that a subject must have."),
        key("names", "array of kinds", Means("as the base; any"), "The kinds of name that a subjectAltName may have, each with or without a regular expression: `dns`, `dns:^.*\\.plant\\.example$`, `ip`, `email`, `uri`, `directory`, `rid`, `upn`, `hardware`, `smtp-utf8`, or the OID of an otherName.")
            .also(&["allowed_names", "san_types"]),
        key("required_names", "array of kinds", Means("as the base; none"), "The kinds of which there must be one."),
        key("require_san", "boolean", Means("as the base; `false`"), "Whether a request must ask for a subjectAltName.").also(&["san_required"]),
        key("wildcards", "boolean", Means("as the base; `true`"), "Whether a dNSName may be a wildcard."),
        key("common_name", "`\"free\"` or `\"san\"`", Means("as the base; `\"free\"`"), "Whether a commonName must be one of the subjectAltName's names."),
        key("change_subject_name", "boolean", Means("as the base; `false`"), "Whether a holder may change the names of its certificate (RFC 6402 §2.8)."),
        key("subject_key_identifier", "boolean", Means("as the base; `true`"), "Whether certificates get a subjectKeyIdentifier."),
        key("policies", "array of OIDs", Means("those of the base"), "What certificatePolicies lists.").also(&["certificate_policies"]),
        key("crl_urls", "array of URLs", Means("those of the base"), "Where the CRL is (cRLDistributionPoints).").also(&["crl_distribution_points", "crl_url"]),
        key("issuer_urls", "array of URLs", Means("none"), "Where the CA's certificate is (authorityInfoAccess, caIssuers).").also(&["ca_issuers", "aia"]),
        key("ocsp_urls", "array of URLs", Means("none"), "Where the OCSP responder is (authorityInfoAccess, ocsp).").also(&["ocsp", "ocsp_url"]),
        key("pass_extensions", "array of OIDs", Means("as the base; none"), "Requested extensions that certificates get as they were asked for.")
            .also(&["allowed_extensions"]),
        key("approval", "`\"automatic\"` or `\"manual\"`", Means("as the base; `\"automatic\"`"), "Whether a person looks at each request first."),
        key(
            "linking",
            "`\"off\"`, `\"optional\"` or `\"required\"`",
            Means("as the base; what the label says"),
            "Whether a request must say of which TLS connection it is (RFC 7030 §3.5). A label may be stricter.",
        )
        .also(&["channel_binding", "identity_linking", "pop_linking"]),
    ],
    later: &[],
};

pub(super) static PROFILE_EXTENSION: Section = Section {
    name: "profile.extension",
    repeated: true,
    about: "An extension that every certificate of the profile above gets.",
    keys: &[
        key("id", "OID", Mistake, "Which one.").also(&["oid"]),
        key("critical", "boolean", Default("false"), "Whether who does not know it must reject the certificate."),
        key("value", "string", Mistake, "Its value, DER, in hexadecimal digits.").also(&["der", "hex"]),
    ],
    later: &[],
};

pub(super) static RA: Section = Section {
    name: "ra",
    repeated: true,
    about: "A registration authority: who holds a certificate of the label's own CA with id-kp-cmcRA may enroll for others (RFC 7030 §3.7).",
    keys: &[
        key("name", "string", Mistake, "What audit records call it.").also(&["id"]),
        key("certificate", "regular expression", Mistake, "What the RFC 4514 text of its own certificate's subject must match; begin it with `^` and end it with `$`.")
            .also(&["subject", "ra_subject"]),
        key("labels", "array of labels", Mistake, "The labels that it may use.").also(&["label"]),
        key("subject_pattern", "regular expression", Means("any subject"), "What the subjects that it asks for must match."),
        key("names", "array of kinds", Means("any"), "The kinds of name that it may ask for, as in a profile."),
    ],
    later: &[],
};

pub(super) static EST: Section = Section {
    name: "est",
    repeated: false,
    about: "Which operations are served, and how.",
    keys: &[
        key("base_path", "string", Default(r#""/.well-known/est""#), "The path that the operations lie below.")
            .also(&["path", "prefix", "path_prefix"]),
        key("cacerts", "boolean", Default("true"), "Whether `/cacerts` is served (RFC 7030 §4.1)."),
        key("simpleenroll", "boolean", Default("true"), "Whether `/simpleenroll` is served (§4.2.1)."),
        key("simplereenroll", "boolean", Default("true"), "Whether `/simplereenroll` is served (§4.2.2).")
            .also(&["reenroll"]),
        key("fullcmc", "boolean", Default("false"), "`/fullcmc` (§4.3). Only `false` in this version."),
        key("serverkeygen", "boolean", Default("false"), "Whether `/serverkeygen` is served (§4.4): the server makes clients' keys, and sends them the private half."),
        key(
            "recipients",
            "path, or array of paths",
            Default("[]"),
            "PEM files with certificates to whose keys `/serverkeygen` encrypts new keys, for clients that ask for it \
             by the subjectKeyIdentifier. A client's own certificate need not be listed.",
        ),
        key("csrattrs", "boolean", Default("true"), "Whether `/csrattrs` is served (§4.5)."),
        key(
            "csr_attributes",
            "array of names or OIDs",
            Default("[]"),
            "What `/csrattrs` lists besides what the profile asks for: `challengePassword`, `2.5.4.3`, …. With nothing \
             to list it answers 204.",
        )
        .also(&["attributes", "csrattrs_oids"]),
        key("csrattrs_auth", "boolean", Default("false"), "Whether `/csrattrs` is only for those who authenticate."),
        key(
            "retry_after",
            "duration",
            Default("60"),
            "When a client whose request waits for somebody is to come back; 1s to 24h.",
        )
        .also(&["retry_after_secs", "poll_interval"]),
        key(
            "replay_window",
            "duration",
            Default(r#""10m""#),
            "For how long the same request gets the same certificate again; 1s to 7d.",
        ),
        key(
            "strict_encoding",
            "boolean",
            Default("false"),
            "Whether request bodies must be base64 of DER (RFC 8951); otherwise DER and PEM are read too.",
        )
        .also(&["strict"]),
        key(
            "key_blocklist",
            "path or array of paths",
            Default("[]"),
            "Files with the keys that get no certificate, besides those that are known to be weak or published: on each \
             line the SHA-256 of a SubjectPublicKeyInfo in hexadecimal digits.",
        )
        .also(&["blocklist", "blocked_keys"]),
        key(
            "base64_line_length",
            "integer",
            Means("one line"),
            "Characters in a line of base64 in answers; a multiple of 4 from 4 to 1024.",
        )
        .also(&["line_length"]),
        key(
            "linking",
            "`\"off\"`, `\"optional\"` or `\"required\"`",
            Default(r#""optional""#),
            "Whether requests without a label are linked to their TLS connections by `tls-exporter` (RFC 7030 §3.5, RFC \
             9266): never looked at, right where it is there, demanded.",
        )
        .also(&["channel_binding", "identity_linking", "pop_linking"]),
        key(
            "default_label",
            "string",
            Means("the first CA, without a label's rules"),
            "The label that serves requests without one.",
        ),
    ],
    later: &["cmc"],
};

pub(super) static SYMMETRIC_KEY: Section = Section {
    name: "est.symmetric_key",
    repeated: true,
    about: "A key that a client shares with the server, for `/serverkeygen` to encrypt the client's new key with.",
    keys: &[
        key("id", "string", Mistake, "Its name in the client's DecryptKeyIdentifier: text, or `hex:` and digits.")
            .also(&["name", "key_id"]),
        key(
            "key",
            "string",
            Means("`key_file`"),
            "The key: 16 or 32 octets in hexadecimal. Better `${NAME}`, from the environment.",
        )
        .also(&["secret"]),
        key("key_file", "path", Means("`key`"), "A file with the key in hexadecimal."),
    ],
    later: &[],
};

pub(super) static LABEL: Section = Section {
    name: "est.label",
    repeated: true,
    about: "A label (RFC 7030 §3.2.2): a path segment with a CA and rules of its own.",
    keys: &[
        key("name", "string", Mistake, "Its path segment.").also(&["id", "label"]),
        key("ca_id", "string", Mistake, "The `id` of the CA that issues.").also(&["ca", "caid", "issuer"]),
        key(
            "profile",
            "name of a profile",
            Means("a plain one with what the CA gives"),
            "What is issued. The keys below may tighten it, never loosen it.",
        ),
        key(
            "allowed_key_types",
            "array of names",
            Means("every type"),
            "The key types it takes: `rsa-2048`, `ecdsa-p256`, `ed25519`, `ml-dsa-65`, ….",
        )
        .also(&["key_types", "allowed_keys"]),
        key(
            "required_ext_key_usage",
            "array of names or OIDs",
            Default("[]"),
            "Extended key usages that certificates get besides the default ones, whether asked for or not.",
        )
        .also(&["ext_key_usage", "extended_key_usage", "required_eku", "eku"]),
        key(
            "default_key_usage",
            "array of names",
            Means("those of the CA, or of the profile"),
            "The key usages given, in place of the CA's.",
        )
        .also(&["key_usage"]),
        key(
            "default_ext_key_usage",
            "array of names or OIDs",
            Means("those of the CA, or of the profile"),
            "The extended key usages given, in place of the CA's.",
        )
        .also(&["default_extended_key_usage"]),
        key(
            "max_validity_days",
            "integer",
            Means("that of the CA, or of the profile"),
            "For how many days at most; never more than the CA's.",
        )
        .also(&["max_validity", "max_days"]),
        key(
            "validity_days",
            "integer",
            Means("that of the CA, or of the profile"),
            "For how many days a certificate is valid.",
        )
        .also(&["default_validity_days", "validity", "days"]),
        key(
            "require_san",
            "boolean",
            Means("`true`; with a profile, what that says"),
            "Whether a request must ask for a subjectAltName.",
        )
        .also(&["san_required"]),
        key(
            "subject_pattern",
            "regular expression",
            Means("any subject"),
            "What the subject's RFC 4514 text must match; begin it with `^` and end it with `$`.",
        )
        .also(&["subject_regex", "dn_pattern", "subject"]),
        key(
            "approval",
            "`\"automatic\"` or `\"manual\"`",
            Means("`\"automatic\"`; with a profile, what that says"),
            "Whether a person looks at each request first.",
        ),
        key(
            "certificate_names",
            "`\"own\"` or `\"any\"`",
            Default(r#""own""#),
            "Which names somebody with a certificate may ask for at `/simpleenroll`: its own, or any (for a \
             manufacturer's certificates, say).",
        ),
        key(
            "linking",
            "`\"off\"`, `\"optional\"` or `\"required\"`",
            Means("that of `[est]`"),
            "Whether requests are linked to their TLS connections, as in `[est]`.",
        )
        .also(&["channel_binding", "identity_linking", "pop_linking"]),
        key(
            "csr_attributes",
            "array of names or OIDs",
            Means("`est.csr_attributes`"),
            "What `/csrattrs` lists here besides what the profile asks for.",
        )
        .also(&["attributes"]),
    ],
    later: &["ha_group", "require_proof_of_possession"],
};

pub(super) static OTP: Section =
    Section {
        name: "otp",
        repeated: false,
        about: "One-time passwords.",
        keys: &[
            key("enabled", "boolean", Default("false"), "Whether clients may authenticate with them.")
                .also(&["enable"]),
            key(
                "token_length",
                "integer",
                Default("20"),
                "Characters in the secret part of a password; 16 to 128. Accepted, not in use yet.",
            )
            .also(&["length"]),
            key("default_ttl", "duration", Default(r#""24h""#), "For how long a password is good; 1s to 365d.")
                .also(&["ttl", "expiry", "expires_in"]),
            key("max_uses", "integer", Default("1"), "How often a password is good; 1 to 1000000.").also(&["uses"]),
            key("hash_algorithm", "`\"argon2id\"`", Default(r#""argon2id""#), "How passwords are kept.")
                .also(&["hash", "algorithm"]),
            key(
                "max_failures",
                "integer",
                Default("5"),
                "After how many failures a client is locked out; 1 to 1000. Accepted, not in use yet.",
            )
            .also(&["max_attempts"]),
            key(
                "failure_window",
                "duration",
                Default(r#""15m""#),
                "Within which time failures count; 1s to 7d. Accepted, not in use yet.",
            ),
            key(
                "lockout_duration",
                "duration",
                Default(r#""30m""#),
                "For how long a client is locked out; 1s to 7d. Accepted, not in use yet.",
            )
            .also(&["lockout"]),
        ],
        later: &[],
    };

pub(super) static LOG: Section = Section {
    name: "log",
    repeated: false,
    about: "What is written to standard error.",
    keys: &[
        key(
            "level",
            "`\"error\"`, `\"warn\"`, `\"info\"`, `\"debug\"` or `\"trace\"`",
            Default(r#""info""#),
            "How much.",
        )
        .also(&["verbosity", "log_level"]),
        key("format", "`\"text\"` or `\"json\"`", Default(r#""text""#), "In lines for people, or for programs.")
            .also(&["style", "log_format"]),
    ],
    later: &[],
};
