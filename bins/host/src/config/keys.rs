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
pub(super) const OTHER_NAMES: [(&str, &str); 12] = [
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
];

/// The file itself.
pub(super) static ROOT: Section = Section { name: "", repeated: false, about: "", keys: &[], later: &[] };

pub(super) static SECTIONS: [&Section; 11] =
    [&SERVER, &PROXY, &TLS, &CLIENT_AUTH, &LIMITS, &DB, &CA, &EST, &LABEL, &OTP, &LOG];

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
        key("serverkeygen", "boolean", Default("false"), "`/serverkeygen` (§4.4). Only `false` in this version."),
        key("csrattrs", "boolean", Default("true"), "Whether `/csrattrs` is served (§4.5)."),
        key(
            "csr_attributes",
            "array of names or OIDs",
            Default("[]"),
            "What `/csrattrs` lists: `challengePassword`, `2.5.4.3`, …. With nothing to list it answers 204.",
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

pub(super) static LABEL: Section = Section {
    name: "est.label",
    repeated: true,
    about: "A label (RFC 7030 §3.2.2): a path segment with a CA and rules of its own.",
    keys: &[
        key("name", "string", Mistake, "Its path segment.").also(&["id", "label"]),
        key("ca_id", "string", Mistake, "The `id` of the CA that issues.").also(&["ca", "caid", "issuer"]),
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
            Means("those of the CA"),
            "The key usages given, in place of the CA's.",
        )
        .also(&["key_usage"]),
        key(
            "default_ext_key_usage",
            "array of names or OIDs",
            Means("those of the CA"),
            "The extended key usages given, in place of the CA's.",
        )
        .also(&["default_extended_key_usage"]),
        key(
            "max_validity_days",
            "integer",
            Means("that of the CA"),
            "For how many days at most; never more than the CA's.",
        )
        .also(&["max_validity", "max_days"]),
        key("validity_days", "integer", Means("that of the CA"), "For how many days a certificate is valid.").also(&[
            "default_validity_days",
            "validity",
            "days",
        ]),
        key("require_san", "boolean", Default("true"), "Whether a request must ask for a subjectAltName.")
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
            Default(r#""automatic""#),
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
        key("csr_attributes", "array of names or OIDs", Means("`est.csr_attributes`"), "What `/csrattrs` lists here.")
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
