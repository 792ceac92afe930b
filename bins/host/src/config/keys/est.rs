//! What is served, at which labels, to which clients.

use super::Absent::{Default, Means, Mistake};
use super::{Section, key};

pub(in crate::config) static EST: Section = Section {
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
        key("serverkeygen", "boolean", Default("false"), "Whether `/serverkeygen` is served (§4.4): the server makes clients' keys, and sends them the private half. RSA keys have 3072 bits at most, unless the profile or the label lists longer ones."),
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
            "What `/csrattrs` lists in addition to what the profile asks for: `challengePassword`, `2.5.4.3`, …. With nothing \
             to list it answers 204.",
        )
        .also(&["attributes", "csrattrs_oids"]),
        key("csrattrs_auth", "boolean", Default("false"), "Whether `/csrattrs` needs authentication."),
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
            "Files with keys that get no certificate, in addition to those that are known to be weak or published: on each \
             line the SHA-256 of a SubjectPublicKeyInfo in hexadecimal digits.",
        )
        .also(&["blocklist", "blocked_keys"]),
        key(
            "base64_line_length",
            "integer",
            Means("one line"),
            "Characters in a line of base64 in answers: a multiple of 4 from 4 to 1024, or 0 for one line. libest gets \
             lines of 64 unless this is 76 or less.",
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
            Means("see `unlabelled`"),
            "The label that serves requests without one.",
        ),
        key(
            "unlabelled",
            "boolean",
            Means("`true` if there is no `[[est.label]]`, else `false`"),
            "Whether requests without a label get a certificate of the first CA, by no label's rules, where there is no \
             `default_label`. Otherwise they get 404.",
        ),
        key(
            "client_anchors",
            "path or array of paths",
            Means("the `tls.client_auth.trust_anchors` that are not another CA of this server"),
            "PEM files with the CA certificates whose clients may authenticate, in addition to those of the CA that issues: for \
             requests without a label, and at labels that do not say otherwise. `[]` for none.",
        ),
    ],
    later: &["cmc"],
};

pub(in crate::config) static SYMMETRIC_KEY: Section = Section {
    name: "est.symmetric_key",
    repeated: true,
    about: "A key that a client shares with the server, for `/serverkeygen` to encrypt the client's new key with.",
    keys: &[
        key("id", "string", Mistake, "Its name in the client's DecryptKeyIdentifier: text, or `hex:` and digits.")
            .also(&["name", "key_id"]),
        key("key", "secret", Means("`key_file`"), "The key: 16 or 32 octets in hexadecimal.").also(&["secret"]),
        key("key_file", "path", Means("`key`"), "A file with the key in hexadecimal."),
    ],
    later: &[],
};

pub(in crate::config) static LABEL: Section = Section {
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
            "Extended key usages that certificates get in addition to the default ones, whether asked for or not.",
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
            "The extended key usages given, of which a request may ask for fewer, in place of the CA's.",
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
            "client_anchors",
            "path or array of paths",
            Means("`est.client_anchors`"),
            "PEM files with the CA certificates whose clients may authenticate here, in addition to those of the label's own \
             CA: each is a trust anchor, or below one. Another CA of this server counts only if it is listed itself. \
             Renewals (`/simplereenroll`) are for certificates of the label's own CA alone.",
        ),
        key(
            "certificate_names",
            "`\"own\"` or `\"any\"`",
            Default(r#""own""#),
            "Which names a client with a certificate may ask for at `/simpleenroll`: its own, or any. `\"any\"` is for \
             certificates that no CA of this server issued, a manufacturer's for example; others keep to their own.",
        ),
        key(
            "certificate_purposes",
            "`\"own\"` or `\"any\"`",
            Means("`\"own\"`; with `certificate_names = \"any\"`, `\"any\"`"),
            "Whether somebody with a certificate may get purposes (extended key usages) here that it lacks. Set \
             `\"any\"` for a while after the label was given another purpose.",
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
            "What `/csrattrs` lists here in addition to what the profile asks for.",
        )
        .also(&["attributes"]),
        key(
            "base64_line_length",
            "integer",
            Means("that of `[est]`"),
            "Characters in a line of base64 in answers, as in `[est]`; 0 for one line.",
        )
        .also(&["line_length"]),
    ],
    later: &["ha_group", "require_proof_of_possession"],
};

pub(in crate::config) static RA: Section = Section {
    name: "ra",
    repeated: true,
    about: "A registration authority: a client with a certificate of the label's own CA for id-kp-cmcRA, which may enroll for others (RFC 7030 §3.7).",
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
