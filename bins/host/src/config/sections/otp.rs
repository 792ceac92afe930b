//! `[otp]`.

use est_auth::HashAlgorithm;
use est_core::Lockout;

use super::{DAY, Reader};
use crate::config::diagnostic::Fault;
use crate::config::settings::{ClientAuthMode, Otp};
use crate::config::{secret, value};

pub(super) fn read(section: &Reader<'_>, mode: Option<ClientAuthMode>) -> Option<Otp> {
    let enabled = section.get("enabled", value::boolean);
    let token_length = section.get("token_length", |given| given.integer(16..=128));
    let default_ttl = section.get("default_ttl", |given| given.seconds(365 * DAY));
    let max_uses = section.get("max_uses", |given| given.integer(1..=1_000_000));
    let hash_algorithm = section.get("hash_algorithm", |given| {
        given.choice(&[
            ("argon2id", HashAlgorithm::Argon2id),
            ("bcrypt", HashAlgorithm::Bcrypt),
            ("sha256-hmac", HashAlgorithm::Sha256Hmac),
        ])
    });
    let pepper = section.optional("pepper", secret::source);
    if hash_algorithm == Some(HashAlgorithm::Sha256Hmac) && matches!(pepper, Some(None)) {
        let fault = Fault::new("sha256-hmac wants a pepper").help("set pepper = \"file:PATH\" or \"env:NAME\"");
        section.fault("hash_algorithm", fault);
    }
    let max_failures = section.get("max_failures", |given| given.integer(1..=1_000));
    let max_address_failures = section.optional("max_address_failures", |given| given.integer(1..=10_000));
    let window = section.get("failure_window", |given| given.seconds(7 * DAY));
    let duration = section.get("lockout_duration", |given| given.seconds(7 * DAY));
    if enabled == Some(true) && mode == Some(ClientAuthMode::Required) {
        let fault = Fault::new("only clients that have a certificate can use a one-time password");
        section.warn("enabled", fault.help("tls.client_auth.mode = \"optional\" lets the others in"));
    }
    Some(Otp {
        enabled: enabled?,
        token_length: token_length? as usize,
        default_ttl: default_ttl?,
        max_uses: max_uses?,
        hash_algorithm: hash_algorithm?,
        pepper: pepper?,
        lockout: Lockout {
            max_failures: max_failures?,
            max_address_failures: max_address_failures?.unwrap_or(max_failures? * 10),
            window: window?,
            duration: duration?,
        },
    })
}
