//! One-time passwords.

use super::Absent::{Default, Means};
use super::{Section, key};

pub(in crate::config) static OTP: Section = Section {
    name: "otp",
    repeated: false,
    about: "One-time passwords.",
    keys: &[
        key("enabled", "boolean", Default("false"), "Whether clients may authenticate with them.").also(&["enable"]),
        key(
            "token_length",
            "integer",
            Default("20"),
            "Characters in the secret part of a password; 16 to 128. Each is worth five bits.",
        )
        .also(&["length"]),
        key("default_ttl", "duration", Default(r#""24h""#), "For how long a password is good; 1s to 365d.").also(&[
            "ttl",
            "expiry",
            "expires_in",
        ]),
        key("max_uses", "integer", Default("1"), "How often a password is good; 1 to 1000000.").also(&["uses"]),
        key(
            "hash_algorithm",
            "`\"argon2id\"`, `\"bcrypt\"` or `\"sha256-hmac\"`",
            Default(r#""argon2id""#),
            "How passwords are kept from now on; those that there are stay good. `sha256-hmac` wants a pepper.",
        )
        .also(&["hash", "algorithm"]),
        key(
            "pepper",
            "secret",
            Means("none"),
            "The secret that `sha256-hmac` hashes with, 16 octets at least. Passwords are lost with it.",
        )
        .also(&["hmac_key", "secret"]),
        key(
            "max_failures",
            "integer",
            Default("5"),
            "After how many failures a user name or a password is locked out; 1 to 1000.",
        )
        .also(&["max_attempts"]),
        key(
            "max_address_failures",
            "integer",
            Means("ten times `max_failures`"),
            "After how many failures an address, or a /64 where that is IPv6, is locked out; 1 to 10000. A /56 may have \
                 four times as many, a /48 and the /24 of an IPv4 address sixteen times.",
        ),
        key("failure_window", "duration", Default(r#""15m""#), "Within which time failures count; 1s to 7d."),
        key("lockout_duration", "duration", Default(r#""30m""#), "For how long; 1s to 7d.").also(&["lockout"]),
    ],
    later: &[],
};
