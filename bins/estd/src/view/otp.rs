//! One-time passwords.

use est_core::UnixTime;
use est_store::{IssuedCertificate, PasswordSummary};
use host::otp::Created;
use schemars::JsonSchema;
use serde::Serialize;

use super::Time;

/// What is said of a password that is bound to nothing.
const FREE: &str = "anybody with this password may ask for any name that the label allows; entity_id or names binds it";

/// A password, without its secret.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Otp {
    /// Its public half.
    id: String,
    /// The client's name; null if any client may use it.
    entity_id: Option<String>,
    /// The EST label at which alone it is good; any if null.
    est_label: Option<String>,
    /// Names that it gives in addition to the entity's own.
    names: Vec<String>,
    /// When it was made.
    created: Time,
    /// Who made it, where that is known.
    created_by: Option<String>,
    /// When it ends.
    expires: Time,
    /// For how many requests it was good at first.
    max_uses: u32,
    /// For how many it still is.
    remaining_uses: u32,
    /// Whether it is good for something, and if not, why.
    pub(crate) state: Standing,
    /// When it was revoked, if it was.
    revoked: Option<Time>,
}

/// A password, and what was got with it.
#[derive(Serialize, JsonSchema)]
pub(crate) struct OtpDetail {
    #[serde(flatten)]
    otp: Otp,
    /// The certificates that were issued for it, the oldest first: at most 100.
    certificates: Vec<Got>,
}

/// A certificate that was got with a password.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CertificateOfOtp", deny_unknown_fields)]
struct Got {
    /// Its serial number.
    serial: String,
    /// The CA's id.
    ca_id: String,
    /// Whom it names.
    subject: String,
    /// When it was issued.
    issued_at: Time,
}

/// Whether a password is good for something.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "OtpState")]
pub(crate) enum Standing {
    /// It is.
    Good,
    /// It has expired.
    Expired,
    /// It has no use left.
    Spent,
    /// It was revoked.
    Revoked,
}

/// A password that was just made.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct CreatedOtp {
    /// Its public half, by which it is listed and revoked.
    pub(crate) id: String,
    /// The client's name; null if any client may use it.
    entity_id: Option<String>,
    /// The EST label at which alone it is good; any if null.
    est_label: Option<String>,
    /// Names that it gives in addition to the entity's own.
    names: Vec<String>,
    /// The password.
    otp: String,
    /// When it was made.
    created: Time,
    /// When it ends.
    expires: Time,
    /// For how many requests it is good.
    max_uses: u32,
    /// For how many it still is.
    remaining_uses: u32,
    /// What to think of, if there is something.
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<&'static str>,
}

impl Otp {
    pub(crate) fn of(password: PasswordSummary, now: UnixTime) -> Self {
        let state = if password.revoked_at.is_some() {
            Standing::Revoked
        } else if password.expires <= now {
            Standing::Expired
        } else if password.uses >= password.max_uses {
            Standing::Spent
        } else {
            Standing::Good
        };
        Self {
            id: password.id,
            entity_id: password.entity,
            est_label: password.label,
            names: password.names,
            created: Time(password.created),
            created_by: password.created_by,
            expires: Time(password.expires),
            max_uses: password.max_uses,
            remaining_uses: password.max_uses.saturating_sub(password.uses),
            state,
            revoked: password.revoked_at.map(Time),
        }
    }
}

impl OtpDetail {
    pub(crate) fn of(password: PasswordSummary, certificates: Vec<IssuedCertificate>, now: UnixTime) -> Self {
        let certificates = certificates.into_iter().map(|certificate| Got {
            serial: certificate.serial.to_string(),
            ca_id: certificate.ca,
            subject: certificate.subject,
            issued_at: Time(certificate.issued_at),
        });
        Self { certificates: certificates.collect(), otp: Otp::of(password, now) }
    }
}

impl CreatedOtp {
    pub(crate) fn of(made: Created) -> Self {
        Self {
            warning: made.is_free().then_some(FREE),
            entity_id: made.entity,
            est_label: made.label,
            names: made.names,
            otp: made.clear.reveal().to_owned(),
            created: Time(made.created),
            expires: Time(made.expires),
            max_uses: made.max_uses,
            remaining_uses: made.max_uses,
            id: made.id,
        }
    }
}
