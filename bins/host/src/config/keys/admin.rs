//! The admin API.

use super::Absent::{Default, Means, Mistake};
use super::{Section, key};

pub(in crate::config) static ADMIN: Section = Section {
    name: "admin",
    repeated: false,
    about: "The admin API, served on server.admin_listen to the operators in `[[admin.token]]` and `[[admin.certificate]]`. \
            No credential of EST opens it.",
    keys: &[
        key("enabled", "boolean", Default("false"), "Whether it is served.").also(&["enable"]),
        key(
            "auth",
            "`\"mtls\"`, `\"bearer\"` or `\"both\"`",
            Default(r#""mtls""#),
            "How operators authenticate: by a client certificate, a bearer token, or either.",
        )
        .also(&["mode", "authentication"]),
        key(
            "trust_anchors",
            "path or array of paths",
            Means("a mistake, unless auth is `\"bearer\"`"),
            "PEM files with the CA certificates that operators' certificates must lead to.",
        )
        .also(&["trust_anchor", "client_ca", "ca", "ca_file"]),
        key(
            "dual_control",
            "boolean",
            Default("false"),
            "Whether an approval takes two people: the maker of a one-time password may not approve \
             a request that came with it. People are told apart by their names in the audit trail.",
        )
        .also(&["four_eyes", "two_person", "separation_of_duties"]),
        key(
            "bearer_token_env",
            "string",
            Means("no token from the environment"),
            "The environment variable that holds the token of an operator.",
        )
        .also(&["bearer_token", "token_env"]),
        key(
            "cert",
            "path",
            Means("the certificates of `[tls]`"),
            "PEM file with the certificate of the admin API, then those between it and its root.",
        )
        .also(&["cert_path", "certificate", "cert_file"]),
        key("key", "path", Means("the key of `[tls]`"), "PEM file with its private key: PKCS#8, PKCS#1 or SEC1.")
            .also(&["key_path", "private_key", "key_file"]),
        key("key_passphrase", "secret", Means("the key is not encrypted"), "What the key is encrypted with.").also(&[
            "passphrase",
            "key_password",
            "password",
        ]),
        key(
            "max_requests",
            "integer",
            Default("600"),
            "How many requests a minute one address, and one operator, may make; 1 to 1000000.",
        )
        .also(&["rate_limit", "requests_per_minute"]),
        key(
            "max_failures",
            "integer",
            Default("10"),
            "How many failures to authenticate a minute are heard from one address; 1 to 1000000.",
        )
        .also(&["max_attempts"]),
        key(
            "failure_delay",
            "duration",
            Default(r#""500ms""#),
            "For how long a failure waits for its answer; up to 10s.",
        )
        .also(&["delay"]),
        key("max_connections", "integer", Default("64"), "How many connections may be open; 1 to 10000.")
            .also(&["connections"]),
        key(
            "title",
            "string",
            Means("no name"),
            "What this installation is called, in the header and the title of the operator's page: 1 to 64 characters.",
        )
        .also(&["installation", "name"]),
    ],
    later: &[],
};

pub(in crate::config) static ADMIN_TOKEN: Section =
    Section {
        name: "admin.token",
        repeated: true,
        about: "Somebody with a bearer token.",
        keys: &[
            key("name", "string", Mistake, "Who it is, for the audit trail.").also(&["user", "description", "id"]),
            key("token", "secret", Mistake, "The token, 16 characters at least; or `sha256:HEX`, its SHA-256.")
                .also(&["token_hash", "secret", "value"]),
            key(
                "role",
                "`\"operator\"`, `\"auditor\"` or `\"viewer\"`",
                Mistake,
                "What they may do: everything; read everything; read all but the audit trail and the configuration.",
            )
            .also(&["roles"]),
        ],
        later: &[],
    };

pub(in crate::config) static ADMIN_CERTIFICATE: Section = Section {
    name: "admin.certificate",
    repeated: true,
    about: "Those with a client certificate that leads to admin.trust_anchors and is as every key here says. Of several \
            entries the first that fits counts. A certificate that fits none is refused, whatever CA issued it.",
    keys: &[
        key("name", "string", Means("the certificate's subject"), "Who it is, for the audit trail.").also(&[
            "user",
            "description",
            "id",
        ]),
        key(
            "subject",
            "regular expression",
            Means("any"),
            "What the subject must match, written like `CN=alice,O=Example`.",
        )
        .also(&["subject_pattern", "dn"]),
        key("san", "string", Means("any"), "A kind of subjectAltName that it must have, and what one of them must match: `email:^alice@example\\.com$`.")
            .also(&["names", "subject_alt_name"]),
        key("issuer", "regular expression", Means("any"), "What the issuer must match.").also(&["issuer_pattern"]),
        key("fingerprint", "string", Means("any"), "Its SHA-256, in hexadecimal with or without colons.")
            .also(&["sha256", "thumbprint"]),
        key(
            "issued_here",
            "boolean",
            Default("false"),
            "Whether certificates that this server issued fit without a fingerprint: any client that can enroll under such a \
             name then has the role.",
        )
        .also(&["own_ca", "allow_issued_here"]),
        key(
            "role",
            "`\"operator\"`, `\"auditor\"` or `\"viewer\"`",
            Mistake,
            "What they may do: everything; read everything; read all but the audit trail and the configuration.",
        )
        .also(&["roles"]),
    ],
    later: &[],
};
