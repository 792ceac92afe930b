//! Issued certificates.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use est_store::{
    AuditFilter, AuditRecord, CertificateFilter, CertificateStatus, Release, Revocation, RevocationReason, Withdrawal,
    Withdrawn,
};
use host::shell;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Admin;
use super::caller::Caller;
use super::endpoint::{Access, Endpoint};
use super::input::{Body, Paging, Parameters, Segment, at_most, serial, time};
use super::problem::Problem;
use crate::view::{CertificateDetail, CertificateSummary, Record, Status, Time};

const BODY_PROBLEMS: [StatusCode; 5] = [
    StatusCode::BAD_REQUEST,
    StatusCode::NOT_FOUND,
    StatusCode::CONFLICT,
    StatusCode::PAYLOAD_TOO_LARGE,
    StatusCode::UNSUPPORTED_MEDIA_TYPE,
];

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/admin/certs", "Lists and finds issued certificates.")
            .query::<ListCertificates>()
            .json::<CertificateList>(StatusCode::OK, "Certificates, the latest first.")
            .fails(&[StatusCode::BAD_REQUEST])
            .by(list),
        Endpoint::get("/admin/certs/{serial}", "Shows a certificate, and what happened to it.")
            .query::<OfCa>()
            .json::<CertificateDetail>(StatusCode::OK, "The certificate.")
            .fails(&[StatusCode::BAD_REQUEST, StatusCode::NOT_FOUND, StatusCode::CONFLICT])
            .by(show),
        Endpoint::post("/admin/certs/{serial}/revoke", "Revokes a certificate.")
            .optional_body::<Reason>()
            .json::<Revoked>(StatusCode::OK, "It is revoked; what was revoked before stays as it was.")
            .fails(&BODY_PROBLEMS)
            .by(revoke),
        Endpoint::post("/admin/certs/{serial}/release", "Takes back a certificateHold.")
            .optional_body::<OfCa>()
            .json::<Released>(StatusCode::OK, "It is good again, and the next CRL does not list it.")
            .fails(&BODY_PROBLEMS)
            .by(release),
        Endpoint::post("/admin/revoke", "Revokes a certificate, as `/admin/certs/{serial}/revoke` does.")
            .body::<RevokeSerial>()
            .json::<Revoked>(StatusCode::OK, "It is revoked; what was revoked before stays as it was.")
            .fails(&BODY_PROBLEMS)
            .by(revoke_serial),
    ]
}

/// Which certificates to list.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ListCertificates {
    /// Text that the subject or the subjectAltName has in it, or that the serial number begins with. Also read as `find`.
    #[serde(alias = "find")]
    #[schemars(length(max = 255))]
    subject: Option<String>,
    /// What it is now.
    status: Option<Status>,
    /// The CA that issued it.
    #[serde(alias = "ca")]
    #[schemars(length(max = 64))]
    ca_id: Option<String>,
    /// The label that it was asked for at.
    #[schemars(length(max = 255))]
    label: Option<String>,
    /// Issued at this time or later.
    #[schemars(extend("format" = "date-time"))]
    issued_after: Option<String>,
    /// Issued before this time.
    #[schemars(extend("format" = "date-time"))]
    issued_before: Option<String>,
    /// That ends before this time.
    #[schemars(extend("format" = "date-time"))]
    ends_before: Option<String>,
    /// The number of the page.
    #[schemars(range(min = 1, max = 100))]
    page: Option<u32>,
    /// How many at most.
    #[serde(alias = "limit")]
    #[schemars(range(min = 1, max = 500))]
    per_page: Option<u32>,
    /// Where to go on, as a listing before said; goes before `page`.
    #[schemars(regex(pattern = "^[0-9]{1,18}$"))]
    cursor: Option<String>,
}

/// The CA, where several have issued a serial number.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct OfCa {
    /// The CA's id.
    #[serde(alias = "ca")]
    #[schemars(length(max = 64))]
    ca_id: Option<String>,
}

/// Why a certificate is revoked.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Reason {
    /// By its name in RFC 5280; `unspecified` if it is left out.
    reason: Option<ReasonName>,
    /// The CA's id, where several have issued the serial number.
    #[serde(alias = "ca")]
    #[schemars(length(max = 64))]
    ca_id: Option<String>,
    /// Also revoke what its holder got with it: after keyCompromise as privilegeWithdrawn.
    #[serde(default)]
    with_successors: bool,
}

/// A certificate to revoke.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RevokeSerial {
    /// Its serial number.
    #[schemars(regex(pattern = super::openapi::SERIAL))]
    serial: String,
    /// By its name in RFC 5280; `unspecified` if it is left out.
    reason: Option<ReasonName>,
    /// The CA's id, where several have issued the serial number.
    #[serde(alias = "ca")]
    #[schemars(length(max = 64))]
    ca_id: Option<String>,
    /// Also revoke what its holder got with it: after keyCompromise as privilegeWithdrawn.
    #[serde(default)]
    with_successors: bool,
}

/// Why a certificate is revoked (RFC 5280 §5.3.1).
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum ReasonName {
    Unspecified,
    KeyCompromise,
    #[serde(rename = "cACompromise", alias = "caCompromise")]
    CaCompromise,
    AffiliationChanged,
    Superseded,
    CessationOfOperation,
    CertificateHold,
    PrivilegeWithdrawn,
    #[serde(rename = "aACompromise", alias = "aaCompromise")]
    AaCompromise,
}

impl From<ReasonName> for RevocationReason {
    fn from(name: ReasonName) -> Self {
        match name {
            ReasonName::Unspecified => Self::Unspecified,
            ReasonName::KeyCompromise => Self::KeyCompromise,
            ReasonName::CaCompromise => Self::CaCompromise,
            ReasonName::AffiliationChanged => Self::AffiliationChanged,
            ReasonName::Superseded => Self::Superseded,
            ReasonName::CessationOfOperation => Self::CessationOfOperation,
            ReasonName::CertificateHold => Self::CertificateHold,
            ReasonName::PrivilegeWithdrawn => Self::PrivilegeWithdrawn,
            ReasonName::AaCompromise => Self::AaCompromise,
        }
    }
}

/// A page of certificates.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct CertificateList {
    /// The number of this page; 1 after a cursor.
    page: u32,
    /// How many there are on a page at most.
    per_page: u32,
    /// How many there are in all; null where counting them would take long.
    total: Option<u64>,
    /// Where the next page begins; null after the last.
    cursor: Option<String>,
    /// The certificates. A page may come out short while there is a next one.
    certificates: Vec<CertificateSummary>,
}

/// A certificate that is revoked.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Revoked {
    /// Its serial number.
    serial: String,
    /// `revoked`.
    status: Status,
    /// When it was revoked.
    revocation_time: Option<Time>,
    /// Why.
    revocation_reason: Option<&'static str>,
    /// What else was revoked: certificates for the same key, and successors.
    also_revoked: Vec<CertificateSummary>,
}

/// A certificate that is not on hold any more.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Released {
    /// Its serial number.
    serial: String,
    /// What it is now: `active`, or `expired`.
    status: Status,
}

async fn list(
    State(admin): State<Arc<Admin>>,
    Parameters(wanted): Parameters<ListCertificates>,
) -> Result<Json<CertificateList>, Problem> {
    let paging = Paging::of(wanted.page, wanted.per_page, wanted.cursor.as_deref())?;
    at_most(255, "subject", &wanted.subject)?;
    at_most(64, "ca_id", &wanted.ca_id)?;
    at_most(255, "label", &wanted.label)?;
    let now = shell::now();
    let filter = CertificateFilter {
        status: wanted.status.map(|status| (status.into(), now)),
        containing: wanted.subject,
        ca: wanted.ca_id,
        label: wanted.label,
        issued_since: wanted.issued_after.map(|text| time("issued_after", &text)).transpose()?,
        issued_before: wanted.issued_before.map(|text| time("issued_before", &text)).transpose()?,
        ends_before: wanted.ends_before.map(|text| time("ends_before", &text)).transpose()?,
    };
    let total = admin.store.count_certificates(filter.clone()).await?;
    let page = paging.read(|limit, after| admin.store.certificates(filter.clone(), limit, after)).await?;
    Ok(Json(CertificateList {
        page: paging.page,
        per_page: paging.per_page,
        total,
        cursor: page.next.map(|next| next.to_string()),
        certificates: page.items.into_iter().map(|found| CertificateSummary::of(found, now)).collect(),
    }))
}

async fn show(
    State(admin): State<Arc<Admin>>,
    caller: Caller,
    Segment(text): Segment,
    Parameters(OfCa { ca_id }): Parameters<OfCa>,
) -> Result<Json<CertificateDetail>, Problem> {
    let number = serial(&text)?;
    at_most(64, "ca_id", &ca_id)?;
    let story = admin.store.story(&number, ca_id.as_deref()).await?;
    let story = story.ok_or_else(|| unknown(&number))?;
    let events = if Access::Auditor.includes(caller.role) {
        // Not by the id of the CA, which may have had another one at the time.
        let filter = AuditFilter { serial: Some(number), ..AuditFilter::default() };
        let events = admin.store.audit(filter, 100, None).await?.items.into_iter();
        let found = &story.this.certificate;
        let is_its =
            |event: &AuditRecord| event.ca.as_ref() == Some(&found.ca) || event.fingerprint == Some(found.fingerprint);
        Some(events.filter(is_its).map(Record::of).collect())
    } else {
        None
    };
    Ok(Json(CertificateDetail::of(story, events, shell::now())))
}

async fn revoke(
    State(admin): State<Arc<Admin>>,
    caller: Caller,
    Segment(serial): Segment,
    Body(body): Body<Option<Reason>>,
) -> Result<Json<Revoked>, Problem> {
    let Reason { reason, ca_id, with_successors } = body.unwrap_or_default();
    admin.revoke(&caller, RevokeSerial { serial, reason, ca_id, with_successors }).await
}

async fn revoke_serial(
    State(admin): State<Arc<Admin>>,
    caller: Caller,
    Body(body): Body<RevokeSerial>,
) -> Result<Json<Revoked>, Problem> {
    admin.revoke(&caller, body).await
}

async fn release(
    State(admin): State<Arc<Admin>>,
    caller: Caller,
    Segment(text): Segment,
    Body(body): Body<Option<OfCa>>,
) -> Result<Json<Released>, Problem> {
    let number = serial(&text)?;
    let ca_id = body.and_then(|body| body.ca_id);
    at_most(64, "ca_id", &ca_id)?;
    match admin.store.release(&number, ca_id.as_deref(), &caller.actor).await? {
        Release::Released => {}
        Release::NotRevoked => return Err(Problem::Conflict("the certificate is not revoked".to_owned())),
        Release::ForGood(reason) => {
            let text =
                format!("the certificate is revoked for {}: only a certificateHold can be taken back", reason.name());
            return Err(Problem::Conflict(text));
        }
        Release::Unknown => return Err(unknown(&number)),
    }
    // Of what an imported CRL listed alone, the inventory has nothing.
    let found = admin.store.certificate(&number, ca_id.as_deref()).await?;
    let status = found.map_or(CertificateStatus::Valid, |found| found.status(shell::now()));
    Ok(Json(Released { serial: number.to_string(), status: status.into() }))
}

impl Admin {
    async fn revoke(&self, caller: &Caller, wanted: RevokeSerial) -> Result<Json<Revoked>, Problem> {
        let number = serial(&wanted.serial)?;
        at_most(64, "ca_id", &wanted.ca_id)?;
        let reason = wanted.reason.map_or(RevocationReason::Unspecified, Into::into);
        let withdrawal = Withdrawal {
            serial: number.clone(),
            ca: wanted.ca_id.clone(),
            reason,
            with_successors: wanted.with_successors,
        };
        let Withdrawn { revocation, others } = self.store.withdraw(withdrawal, shell::now(), &caller.actor).await?;
        let found = self.store.certificate(&number, wanted.ca_id.as_deref()).await?;
        for (one, revoked) in others.iter().filter_map(|one| Some((one, one.revoked?))) {
            self.metrics.revoked(&one.ca, revoked.reason.name());
        }
        match (revocation, found) {
            (Revocation::Unknown, _) | (_, None) => Err(unknown(&number)),
            (Revocation::Revoked | Revocation::AlreadyRevoked | Revocation::NowCompromised, Some(found)) => {
                if revocation == Revocation::Revoked {
                    self.metrics.revoked(&found.ca, reason.name());
                }
                Ok(Json(Revoked {
                    serial: number.to_string(),
                    status: Status::Revoked,
                    revocation_time: found.revoked.map(|revoked| Time(revoked.at)),
                    revocation_reason: found.revoked.map(|revoked| revoked.reason.name()),
                    also_revoked: others.into_iter().map(|one| CertificateSummary::of(one, shell::now())).collect(),
                }))
            }
        }
    }
}

fn unknown(serial: &est_store::SerialNumber) -> Problem {
    Problem::not_found(format_args!("no certificate with serial number {serial} was issued here"))
}
