//! One-time passwords.

use super::Absent::Default;
use super::{Section, key};

pub(in crate::config) static OTP: Section =
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
