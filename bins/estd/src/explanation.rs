//! What a request would get, and why: the same for `estd explain`, for a request that awaits a decision, and in the API.

use std::sync::Arc;

use est_core::pkix::{Certificate, Csr, Extension, GeneralNames, KeyRequest, KeyUsage, Oid, der, oid};
use est_core::policy::{Allowance, Plan, decide_for};
use est_core::{Approval, Label, Operation, Principal, Refusal, Site, UnixTime};
use est_store::{ApprovalRequest, PasswordSummary};
use host::config;
use schemars::JsonSchema;
use serde::Serialize;

/// What a request would get.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Explanation {
    /// Whether a certificate would be issued.
    pub(crate) would_be: WouldBe,
    /// What would be issued, or by which rule nothing is, in one line.
    pub(crate) explanation: String,
    /// The profile.
    pub(crate) profile: String,
    /// The CA that would issue.
    pub(crate) ca_id: String,
    /// What has to happen first.
    pub(crate) approval: Option<&'static str>,
    /// The certificate's subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) subject: Option<String>,
    /// Its subjectAltName.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) names: Option<String>,
    /// The type of its key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key_type: Option<String>,
    /// The first second in which it would be valid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) not_before: Option<String>,
    /// The last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) not_after: Option<String>,
    /// When it would end if its CA lived longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) clamped_from: Option<String>,
    /// Its extensions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) extensions: Option<Vec<Described>>,
    /// The extensions that were asked for and that the profile does not pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) dropped: Option<Vec<String>>,
    /// The registration authority that asks for somebody else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) registration_authority: Option<String>,
    /// The refusal's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<&'static str>,
    /// Its HTTP status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<u16>,
    /// What the client is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) text: Option<String>,
    /// The pattern that fits nothing of what is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pattern: Option<String>,
    /// The standard that demands it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) standard: Option<&'static str>,
}

/// What would become of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum WouldBe {
    /// A certificate would be issued.
    Issued,
    /// It would be refused.
    Refused,
}

/// An extension in words.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DescribedExtension", deny_unknown_fields)]
pub(crate) struct Described {
    /// Its name, or its OID, and its value as far as there are words for it.
    pub(crate) extension: String,
    /// Whether it is critical.
    pub(crate) critical: bool,
}

impl Described {
    pub(crate) fn of(extension: &Extension) -> Self {
        Self { extension: described(extension), critical: extension.critical }
    }
}

/// Decides about a certification request as the server would.
pub(crate) fn decide(
    site: &Site,
    label: &Label,
    principal: &Principal,
    operation: Operation,
    csr: &[u8],
    now: UnixTime,
) -> Result<Plan, Refusal> {
    let renewing = match (operation, principal.certificate()) {
        (Operation::SimpleReenroll, None) => return Err(Refusal::CertificateRequired),
        (Operation::SimpleReenroll, certificate) => certificate,
        (Operation::CaCerts | Operation::CsrAttrs | Operation::SimpleEnroll | Operation::ServerKeyGen, _) => None,
    };
    let csr = read(csr, operation, label, site).map_err(Refusal::Csr)?;
    if site.blocks(csr.public_key()) {
        return Err(Refusal::KeyBlocked);
    }
    let ra = principal.certificate().and_then(|own| label.authority(own, site.algorithms));
    match (label.admit(principal, operation, site.algorithms), principal) {
        // What is kept of a request is the certificate alone. Its path was looked at when the request came.
        (Err(Refusal::OtherCa { .. }), Principal::Certificate(own))
            if own.paths().is_empty() && operation != Operation::SimpleReenroll => {}
        (admitted, _) => admitted?,
    }
    decide_for(label, principal, ra, &csr, renewing, now)
}

/// Reads a certification request: where the server makes the key, as one for a key of the type that it would make.
fn read(csr: &[u8], operation: Operation, label: &Label, site: &Site) -> Result<Csr, est_core::pkix::CsrError> {
    match operation {
        Operation::ServerKeyGen => {
            let request = KeyRequest::parse(csr)?;
            let key_type = request.key_type(label.profile.key_types.as_deref());
            Ok(request.wish(key_type, None).0)
        }
        _ => Csr::parse(csr, site.algorithms),
    }
}

/// A request that awaits a decision, as far as it is understood.
pub(crate) struct Understood {
    /// The type of the key in it.
    pub(crate) key_type: Option<String>,
    /// The extensions that it asks for.
    pub(crate) extensions: Vec<Described>,
    /// What it would get; `None` if the client is not on record any more, or the label is gone.
    pub(crate) explanation: Option<Explanation>,
}

impl Understood {
    /// Looks at a request, and at the password that it came with as far as that is kept.
    pub(crate) fn of(
        site: &Site,
        request: &ApprovalRequest,
        password: Option<&PasswordSummary>,
        now: UnixTime,
    ) -> Self {
        let label = site.label(request.label.as_deref());
        let der = request.csr.as_deref().unwrap_or_default();
        let csr = label.and_then(|label| read(der, request.operation, label, site).ok());
        let principal = principal(request, password);
        let explanation = label.zip(principal).map(|(label, principal)| {
            let decided = decide(site, label, &principal, request.operation, der, now);
            Explanation::of(label, &decided)
        });
        let is_made_here = request.operation == Operation::ServerKeyGen;
        Self {
            key_type: csr.as_ref().filter(|_| !is_made_here).map(|csr| csr.public_key().key_type().to_string()),
            extensions: csr.iter().flat_map(Csr::extensions).map(Described::of).collect(),
            explanation,
        }
    }
}

/// Who asked.
fn principal(request: &ApprovalRequest, password: Option<&PasswordSummary>) -> Option<Principal> {
    if let Some(shown) = &request.shown {
        return Certificate::parse(shown).ok().map(|shown| Principal::Certificate(Arc::new(shown).into()));
    }
    let password = password?;
    Some(Principal::OneTimePassword {
        id: password.id.clone(),
        entity: password.entity.clone(),
        expires: password.expires,
        label: password.label.clone(),
        allowance: Arc::new(Allowance::parse(&password.names).ok()?),
    })
}

impl Explanation {
    pub(crate) fn of(label: &Label, decided: &Result<Plan, Refusal>) -> Self {
        let explanation = match decided {
            Ok(plan) => plan.explanation(),
            Err(refusal) => refusal.explanation(&label.profile),
        };
        let would_be = if decided.is_ok() { WouldBe::Issued } else { WouldBe::Refused };
        let base = Self {
            would_be,
            explanation,
            profile: label.profile.name.clone(),
            ca_id: label.ca.id.clone(),
            approval: None,
            subject: None,
            names: None,
            key_type: None,
            not_before: None,
            not_after: None,
            clamped_from: None,
            extensions: None,
            dropped: None,
            registration_authority: None,
            code: None,
            status: None,
            text: None,
            pattern: None,
            standard: None,
        };
        match decided {
            Ok(plan) => Self {
                profile: plan.profile.clone(),
                approval: approval(label),
                subject: Some(plan.subject.to_string()),
                names: alternative_names(plan),
                key_type: Some(plan.public_key.key_type().to_string()),
                not_before: Some(plan.not_before.to_string()),
                not_after: Some(plan.not_after.to_string()),
                clamped_from: plan.clamped_from.map(|end| end.to_string()),
                extensions: Some(plan.extensions.iter().map(Described::of).collect()),
                dropped: Some(plan.dropped.iter().map(Oid::to_string).collect()),
                registration_authority: plan.ra.clone(),
                ..base
            },
            Err(refusal) => Self {
                code: Some(refusal.row().code),
                status: Some(refusal.row().http_status),
                text: Some(refusal.to_string()),
                pattern: refusal.pattern().map(str::to_owned),
                standard: refusal.rule().map(|rule| rule.standard).filter(|standard| !standard.is_empty()),
                ..base
            },
        }
    }
}

fn alternative_names(plan: &Plan) -> Option<String> {
    let extension = plan.extensions.iter().find(|extension| extension.id == oid::SUBJECT_ALT_NAME)?;
    GeneralNames::parse(&extension.value).map(|names| names.to_string())
}

pub(crate) fn approval(label: &Label) -> Option<&'static str> {
    match label.approval {
        Approval::Manual => Some("once somebody has approved the request"),
        Approval::Automatic => None,
    }
}

/// The uniformResourceIdentifiers in a value, wherever they are.
fn urls(der: &[u8]) -> Vec<String> {
    der::parts(der::contents(der))
        .flat_map(|part| match part.first() {
            Some(0x86) => vec![String::from_utf8_lossy(der::contents(part)).into_owned()],
            Some(tag) if tag & 0x20 != 0 => urls(part),
            _ => Vec::new(),
        })
        .collect()
}

/// An extension in words, as far as there are any.
fn described(extension: &Extension) -> String {
    let value = extension.value.as_slice();
    let hex = || value.iter().map(|octet| format!("{octet:02x}")).collect::<String>();
    match &extension.id {
        id if *id == oid::BASIC_CONSTRAINTS => "basicConstraints: not a CA".to_owned(),
        id if *id == oid::KEY_USAGE => {
            format!("keyUsage: {}", KeyUsage::from_der(value).map_or_else(hex, |usage| usage.to_string()))
        }
        id if *id == oid::EXT_KEY_USAGE => {
            format!(
                "extKeyUsage: {}",
                Extension::read_ext_key_usage(value)
                    .map_or_else(hex, |ids| { ids.iter().map(config::purpose).collect::<Vec<_>>().join(", ") })
            )
        }
        id if *id == oid::SUBJECT_ALT_NAME => {
            format!("subjectAltName: {}", GeneralNames::parse(value).map_or_else(hex, |names| names.to_string()))
        }
        id if *id == oid::SUBJECT_KEY_IDENTIFIER => "subjectKeyIdentifier of the key".to_owned(),
        id if *id == oid::CRL_DISTRIBUTION_POINTS => format!("cRLDistributionPoints: {}", urls(value).join(", ")),
        id if *id == oid::AUTHORITY_INFO_ACCESS => format!("authorityInfoAccess: {}", urls(value).join(", ")),
        id if *id == oid::CERTIFICATE_POLICIES => format!("certificatePolicies: {}", hex()),
        id => format!("{id}: {}", hex()),
    }
}
