//! Who may ask for which names.

use super::Absent::{Means, Mistake};
use super::{Section, key};

pub(in crate::config) static IDENTITY: Section = Section {
    name: "identity",
    repeated: true,
    about: "Names that certain clients may ask for beyond their own, and the labels that they may use. Without one, a client \
            with a certificate, or with a password for an entity, gets its own names and nothing else.",
    keys: &[
        key("name", "string", Mistake, "What it is called.").also(&["id"]),
        key("entity", "regular expression", Means("those with a certificate"), "Whom it is about: those whose one-time password was created for an entity that matches this.")
            .also(&["user", "otp_entity", "entity_id"]),
        key("certificate", "regular expression", Means("any subject"), "Whom it is about: those with a certificate whose subject's RFC 4514 text matches this, and all the others here.")
            .also(&["certificate_subject"]),
        key("certificate_name", "kind", Means("any names"), "A name that their certificate has: a kind with a regular expression, as in a profile's `names`.")
            .also(&["certificate_san"]),
        key("issuer", "regular expression", Means("any issuer"), "What the RFC 4514 text of their certificate's issuer matches. Say it where several CAs are trusted."),
        key("fingerprint", "string", Means("any certificate"), "The SHA-256 of their certificate, in hexadecimal digits with or without colons.")
            .also(&["sha256"]),
        key("subject_pattern", "regular expression", Means("their own"), "What a subject that they ask for may match.").also(&["subject"]),
        key("names", "array of kinds", Means("their own"), "The kinds of name that they may ask for, as in a profile.").also(&["san"]),
        key("labels", "array of labels", Means("every label"), "The labels that they may use, and no others; the names are good there alone. These even if their certificate is for fewer purposes than those of the label.")
            .also(&["label"]),
    ],
    later: &[],
};
