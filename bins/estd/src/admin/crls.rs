//! The CRLs of the CAs: which there are, and how current they are.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use est_core::UnixTime;
use est_core::pkix::CrlHead;
use host::crl_publisher::CrlStatus;
use host::shell;
use schemars::JsonSchema;
use serde::Serialize;

use super::Admin;
use super::endpoint::Endpoint;
use super::input::Time;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/admin/crls", "Lists the last CRL of each key of the CAs.")
            .json::<Vec<KeyCrl>>(StatusCode::OK, "The CRLs, by their CAs, that of the key which signs first.")
            .by(list),
    ]
}

/// The last CRL of a key of a CA.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct KeyCrl {
    /// The id of the CA.
    ca_id: String,
    /// Which key of it: the first 16 digits of the SHA-256 of the SubjectPublicKeyInfo.
    key_id: String,
    /// Where the EST listener serves it, and the listener for plain HTTP.
    path: String,
    /// Its cRLNumber; null where no CRL was made yet, as are the next three.
    number: Option<u64>,
    /// When it was made.
    this_update: Option<Time>,
    /// By when there will be another one.
    next_update: Option<Time>,
    /// How many certificates it lists.
    entries: Option<u64>,
    /// How it is.
    status: Freshness,
    /// Why the next CRL was not made, if it should have been.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// How a CRL is.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "CrlStatus")]
enum Freshness {
    /// It is the last one, and no other is due.
    Current,
    /// Another one is due and was not made; this one is served until it ends.
    Late,
    /// It has ended and is not served any more.
    Expired,
    /// There is none yet.
    Missing,
    /// Its key is not configured any more: it is served until it ends, and is the last one.
    Final,
}

async fn list(State(admin): State<Arc<Admin>>) -> Json<Vec<KeyCrl>> {
    let now = shell::now();
    let crls = admin.serving.get().crls.published().all(now);
    Json(crls.into_iter().map(|one| KeyCrl::of(one, now)).collect())
}

impl KeyCrl {
    fn of(one: CrlStatus, now: UnixTime) -> Self {
        let CrlStatus { ca, key, crl, is_configured, trouble } = one;
        let crl = crl.as_deref();
        let status = match crl {
            None => Freshness::Missing,
            Some(crl) if crl.next_update <= now => Freshness::Expired,
            Some(_) if !is_configured => Freshness::Final,
            Some(_) if trouble.is_some() => Freshness::Late,
            Some(_) => Freshness::Current,
        };
        Self {
            path: format!("/crl/{ca}.{key}.crl"),
            ca_id: ca,
            key_id: key,
            number: crl.map(|crl| crl.number),
            this_update: crl.map(|crl| Time(crl.this_update)),
            next_update: crl.map(|crl| Time(crl.next_update)),
            entries: crl.and_then(|crl| CrlHead::count_entries(&crl.der)),
            status,
            error: trouble,
        }
    }
}
