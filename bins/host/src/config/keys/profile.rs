//! What is issued.

use super::Absent::{Default, Means, Mistake};
use super::{Section, key};

pub(in crate::config) static PROFILE: Section = Section {
    name: "profile",
    repeated: true,
    about: "What labels issue. Built in are `device`, `tls-server`, `tls-client`, `br-tls`, `ra` and `smime`; a profile of your own begins with one of them or with nothing.",
    keys: &[
        key("name", "string", Mistake, "What labels call it.").also(&["id", "profile"]),
        key(
            "base",
            "name of a profile",
            Means("nothing: every name and key, digitalSignature and keyEncipherment, no purpose"),
            "The profile that it begins with: a built-in one, or one that is above it in the file.",
        )
        .also(&["extends", "inherits", "template"]),
        key("key_types", "array of names", Means("those of the base"), "The key types it takes.").also(&["allowed_key_types"]),
        key("key_reuse", "boolean", Means("as the base; `true`"), "Whether a renewal may keep its key."),
        key("serverkeygen", "boolean", Means("as the base; `true`"), "Whether `/serverkeygen` may make keys for it."),
        key("key_usage", "array of names", Means("those of the base"), "The key usages given; each key gets those that its type can have.")
            .also(&["default_key_usage"]),
        key("ext_key_usage", "array of names or OIDs", Means("those of the base"), "The extended key usages given, of which a request may ask for fewer.")
            .also(&["default_ext_key_usage", "extended_key_usage", "eku"]),
        key("validity_days", "integer", Means("as the base; 365"), "For how many days a certificate is valid; 1 to 36500.")
            .also(&["default_validity_days", "days"]),
        key("max_validity_days", "integer", Means("as the base; 398"), "For how many days at most; 1 to 36500.").also(&["max_days"]),
        key("backdate", "duration", Means("as the base; 0"), "How long before its issuance a certificate begins to be valid, for clocks that are late; up to 48h.")
            .also(&["not_before_skew", "skew"]),
        key("subject_pattern", "regular expression", Means("any subject"), "What the subject's RFC 4514 text must match, in addition to what the base demands.")
            .also(&["subject_regex"]),
        key("subject_attributes", "array of names or OIDs", Means("as the base; any"), "The attributes that a subject may have: `CN`, `O`, `serialNumber`, …."),
        key("required_subject_attributes", "array of names or OIDs", Means("as the base; none"), "The attributes that a subject must have."),
        key("names", "array of kinds", Means("as the base; any"), "The kinds of name that a subjectAltName may have, each with or without a regular expression: `dns`, `dns:^.*\\.plant\\.example$`, `ip`, `email`, `uri`, `directory`, `rid`, `upn`, `hardware`, `smtp-utf8`, or the OID of an otherName.")
            .also(&["allowed_names", "san_types"]),
        key("required_names", "array of kinds", Means("as the base; none"), "The kinds of which there must be one."),
        key("require_san", "boolean", Means("as the base; `false`"), "Whether a request must ask for a subjectAltName.").also(&["san_required"]),
        key("wildcards", "boolean", Means("as the base; `true`"), "Whether a dNSName may be a wildcard."),
        key("common_name", "`\"free\"` or `\"san\"`", Means("as the base; `\"free\"`"), "Whether a commonName must be one of the subjectAltName's names."),
        key("change_subject_name", "boolean or `\"any\"`", Means("as the base; `false`"), "Whether a holder may change the names of its certificate (RFC 6402 §2.8): to those that an `[[identity]]` allows it, or to any that the profile gives. Where an `[[identity]]` allows a holder names, `\"any\"` is `true`."),
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

pub(in crate::config) static PROFILE_EXTENSION: Section = Section {
    name: "profile.extension",
    repeated: true,
    about: "An extension that every certificate of the profile above gets.",
    keys: &[
        key("id", "OID", Mistake, "Which one.").also(&["oid"]),
        key(
            "critical",
            "boolean",
            Default("false"),
            "Whether a verifier that does not know it must reject the certificate.",
        ),
        key("value", "string", Mistake, "Its value, DER, in hexadecimal digits.").also(&["der", "hex"]),
    ],
    later: &[],
};
