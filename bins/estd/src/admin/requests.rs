//! Requests that a person has to look at.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use est_core::pkix::pem;
use est_store::{ApprovalRequest, Decided, Decision, RequestState};
use host::shell;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Admin;
use super::caller::Caller;
use super::endpoint::Endpoint;
use super::input::{Paging, Parameters, Time};
use super::problem::Problem;

pub(super) fn endpoints() -> Vec<Endpoint> {
    let decide = |path, about| {
        Endpoint::post(path, about)
            .json::<Request>(StatusCode::OK, "It is decided; who asks hears of it when they ask again.")
            .fails(&[StatusCode::NOT_FOUND, StatusCode::CONFLICT])
    };
    vec![
        Endpoint::get("/admin/requests", "Lists requests, those that await a decision unless others are asked for.")
            .query::<ListRequests>()
            .json::<RequestList>(StatusCode::OK, "Requests, the latest first.")
            .fails(&[StatusCode::BAD_REQUEST])
            .by(list),
        Endpoint::get("/admin/requests/{id}", "Shows a request.")
            .json::<Request>(StatusCode::OK, "The request.")
            .fails(&[StatusCode::NOT_FOUND])
            .by(show),
        decide("/admin/requests/{id}/approve", "Lets the request have its certificate.").by(approve),
        decide("/admin/requests/{id}/deny", "Refuses the request for good.").by(deny),
    ]
}

/// Which requests to list.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ListRequests {
    /// Those in this state; `awaiting` if it is left out.
    state: Option<ListedState>,
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

/// The states of requests that can be listed.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum ListedState {
    Awaiting,
    Approved,
    Denied,
    /// Whatever the state.
    All,
}

/// Whether somebody has decided.
#[derive(Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "RequestState")]
enum Standing {
    Awaiting,
    Approved,
    Denied,
}

impl From<RequestState> for Standing {
    fn from(state: RequestState) -> Self {
        match state {
            RequestState::Awaiting => Self::Awaiting,
            RequestState::Approved => Self::Approved,
            RequestState::Denied => Self::Denied,
        }
    }
}

/// A page of requests.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct RequestList {
    /// The number of this page; 1 after a cursor.
    page: u32,
    /// How many there are on a page at most.
    per_page: u32,
    /// Where the next page begins; null after the last.
    cursor: Option<String>,
    /// The requests.
    requests: Vec<Request>,
}

/// A request that a person has to look at, or has looked at.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Request {
    /// Its id.
    id: String,
    /// Whether somebody has decided.
    state: Standing,
    /// When it came.
    created: Time,
    /// The subject that the certificate is to have.
    subject: String,
    /// The subjectAltName that it is to have.
    names: Option<String>,
    /// Who asks.
    principal: String,
    /// At what label.
    label: Option<String>,
    /// Which CA is to issue.
    ca_id: String,
    /// What is asked for: `simpleenroll`, say.
    enrollment_type: &'static str,
    /// The certification request, PEM.
    csr: String,
    /// When it was decided.
    decided_at: Option<Time>,
    /// Who decided.
    decided_by: Option<String>,
}

impl Request {
    fn of(request: ApprovalRequest) -> Self {
        Self {
            id: request.id,
            state: request.state.into(),
            created: Time(request.created),
            subject: request.subject,
            names: request.names,
            principal: request.principal,
            label: request.label,
            ca_id: request.ca,
            enrollment_type: request.operation.segment(),
            csr: pem::encode("CERTIFICATE REQUEST", &request.csr),
            decided_at: request.decided_at.map(Time),
            decided_by: request.decided_by,
        }
    }
}

async fn list(
    State(admin): State<Arc<Admin>>,
    Parameters(wanted): Parameters<ListRequests>,
) -> Result<Json<RequestList>, Problem> {
    let paging = Paging::of(wanted.page, wanted.per_page, wanted.cursor.as_deref())?;
    let state = match wanted.state.unwrap_or(ListedState::Awaiting) {
        ListedState::Awaiting => Some(RequestState::Awaiting),
        ListedState::Approved => Some(RequestState::Approved),
        ListedState::Denied => Some(RequestState::Denied),
        ListedState::All => None,
    };
    let page = paging.read(|limit, after| admin.store.requests(state, limit, after)).await?;
    Ok(Json(RequestList {
        page: paging.page,
        per_page: paging.per_page,
        cursor: page.next.map(|next| next.to_string()),
        requests: page.items.into_iter().map(Request::of).collect(),
    }))
}

async fn show(State(admin): State<Arc<Admin>>, Path(id): Path<String>) -> Result<Json<Request>, Problem> {
    Ok(Json(admin.request(&id).await?))
}

async fn approve(
    State(admin): State<Arc<Admin>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Request>, Problem> {
    admin.decide(&caller, &id, Decision::Approve).await
}

async fn deny(
    State(admin): State<Arc<Admin>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Request>, Problem> {
    admin.decide(&caller, &id, Decision::Deny).await
}

impl Admin {
    async fn request(&self, id: &str) -> Result<Request, Problem> {
        let found = self.store.request(id).await?;
        found.map(Request::of).ok_or_else(|| Problem::not_found(format_args!("there is no request {id}")))
    }

    async fn decide(&self, caller: &Caller, id: &str, decision: Decision) -> Result<Json<Request>, Problem> {
        match (self.store.decide_request(id, decision, &caller.actor, shell::now()).await?, decision) {
            (Decided::Already(RequestState::Denied), Decision::Approve) => {
                Err(Problem::Conflict(format!("request {id} was denied before")))
            }
            (Decided::Already(RequestState::Approved), Decision::Deny) => {
                Err(Problem::Conflict(format!("request {id} was approved before")))
            }
            // To decide the same again changes nothing; the one who is unknown is not found.
            _ => Ok(Json(self.request(id).await?)),
        }
    }
}
