//! Requests that a person has to look at.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use est_store::{Decided, Decision, RequestState, Ruling};
use host::shell;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Admin;
use super::caller::Caller;
use super::endpoint::Endpoint;
use super::input::{Body, Paging, Parameters, Segment, at_most};
use super::problem::Problem;
use crate::view::{Request, RequestDetail, RequestState as Standing};

/// How many requests can be decided at once.
const MOST_AT_ONCE: usize = 100;
/// The longest comment, in characters.
pub(crate) const LONGEST_COMMENT: usize = 1000;

pub(super) fn endpoints() -> Vec<Endpoint> {
    let decide = |path, about| {
        Endpoint::post(path, about)
            .optional_body::<Comment>()
            .json::<Request>(StatusCode::OK, "It is decided; the client gets the outcome when it asks again.")
            .fails(&[
                StatusCode::BAD_REQUEST,
                StatusCode::NOT_FOUND,
                StatusCode::CONFLICT,
                StatusCode::PAYLOAD_TOO_LARGE,
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
            ])
    };
    vec![
        Endpoint::get("/admin/requests", "Lists requests, those that await a decision unless others are asked for.")
            .query::<ListRequests>()
            .json::<RequestList>(StatusCode::OK, "Requests, the latest first.")
            .fails(&[StatusCode::BAD_REQUEST])
            .by(list),
        Endpoint::get("/admin/requests/{id}", "Shows a request, and what it would get.")
            .json::<RequestDetail>(StatusCode::OK, "The request.")
            .fails(&[StatusCode::NOT_FOUND])
            .by(show),
        Endpoint::post("/admin/requests/decide", "Decides about several requests, each for itself.")
            .body::<Decisions>()
            .json::<DecisionResults>(StatusCode::OK, "What came of each.")
            .fails(&[StatusCode::BAD_REQUEST, StatusCode::PAYLOAD_TOO_LARGE, StatusCode::UNSUPPORTED_MEDIA_TYPE])
            .by(decide_several),
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

/// Why a request is decided so.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Comment {
    /// Kept with the request and in the audit trail. Also read as `reason`.
    #[serde(alias = "reason")]
    #[schemars(length(max = 1000))]
    comment: Option<String>,
}

/// Requests to decide about.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Decisions {
    /// Their ids.
    #[schemars(length(min = 1, max = 100), inner(length(min = 1, max = 64)))]
    ids: Vec<String>,
    /// What is decided about all of them.
    decision: Verdict,
    /// Why: kept with each request and in the audit trail. Also read as `reason`.
    #[serde(alias = "reason")]
    #[schemars(length(max = 1000))]
    comment: Option<String>,
}

/// A decision.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Decision")]
enum Verdict {
    Approve,
    Deny,
}

/// What came of deciding about several requests.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct DecisionResults {
    /// One for each id, in their order.
    results: Vec<DecisionResult>,
}

/// What came of deciding about a request.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct DecisionResult {
    /// Its id.
    id: String,
    /// What it is now; null where there is no such request.
    state: Option<Standing>,
    /// Why it is not decided so.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// A page of requests.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct RequestList {
    /// The number of this page; 1 after a cursor.
    page: u32,
    /// How many there are on a page at most.
    per_page: u32,
    /// How many wait for a decision in all.
    awaiting: u64,
    /// Where the next page begins; null after the last.
    cursor: Option<String>,
    /// The requests.
    requests: Vec<Request>,
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
        awaiting: admin.store.count_requests(RequestState::Awaiting).await?,
        cursor: page.next.map(|next| next.to_string()),
        requests: page.items.into_iter().map(Request::of).collect(),
    }))
}

async fn show(State(admin): State<Arc<Admin>>, Segment(id): Segment) -> Result<Json<RequestDetail>, Problem> {
    let store = &admin.store;
    let request = store.request(&id).await?.ok_or_else(|| unknown(&id))?;
    let password = match &request.password {
        Some(id) => store.password_summary(id).await?,
        None => None,
    };
    let certificate = store.certificate_of_request(&request.id).await?;
    let site = admin.serving.get().site.clone();
    Ok(Json(RequestDetail::of(request, password, certificate, &site, shell::now())))
}

async fn approve(
    State(admin): State<Arc<Admin>>,
    caller: Caller,
    Segment(id): Segment,
    Body(body): Body<Option<Comment>>,
) -> Result<Json<Request>, Problem> {
    admin.decide(&caller, &id, Decision::Approve, body.unwrap_or_default().comment).await
}

async fn deny(
    State(admin): State<Arc<Admin>>,
    caller: Caller,
    Segment(id): Segment,
    Body(body): Body<Option<Comment>>,
) -> Result<Json<Request>, Problem> {
    admin.decide(&caller, &id, Decision::Deny, body.unwrap_or_default().comment).await
}

async fn decide_several(
    State(admin): State<Arc<Admin>>,
    caller: Caller,
    Body(wanted): Body<Decisions>,
) -> Result<Json<DecisionResults>, Problem> {
    if !(1..=MOST_AT_ONCE).contains(&wanted.ids.len()) {
        return Err(Problem::invalid(format_args!("ids: name 1 to {MOST_AT_ONCE} requests")));
    }
    if !wanted.ids.iter().all(|id| (1..=64).contains(&id.chars().count())) {
        return Err(Problem::invalid("ids: each must be 1 to 64 characters long"));
    }
    let decision = match wanted.decision {
        Verdict::Approve => Decision::Approve,
        Verdict::Deny => Decision::Deny,
    };
    let mut results = Vec::with_capacity(wanted.ids.len());
    for id in wanted.ids {
        let decided = admin.decide(&caller, &id, decision, wanted.comment.clone()).await;
        let error = match decided {
            Ok(_) => None,
            Err(Problem::NotFound(error) | Problem::Conflict(error)) => Some(error),
            Err(problem) => return Err(problem),
        };
        let state = admin.store.request(&id).await?.map(|request| request.state.into());
        results.push(DecisionResult { id, state, error });
    }
    Ok(Json(DecisionResults { results }))
}

impl Admin {
    async fn decide(
        &self,
        caller: &Caller,
        id: &str,
        decision: Decision,
        comment: Option<String>,
    ) -> Result<Json<Request>, Problem> {
        at_most(LONGEST_COMMENT, "comment", &comment)?;
        let comment = comment.filter(|comment| !comment.trim().is_empty());
        let ruling = Ruling { decision, comment, dual_control: self.current().settings.admin.dual_control };
        match (self.store.decide_request(id, ruling, &caller.actor, shell::now()).await?, decision) {
            (Decided::Already(RequestState::Denied), Decision::Approve) => {
                Err(Problem::Conflict(format!("request {id} was denied before")))
            }
            (Decided::Already(RequestState::Approved), Decision::Deny) => {
                Err(Problem::Conflict(format!("request {id} was approved before")))
            }
            (Decided::NeedsAnother, _) => Err(Problem::Conflict(format!("request {id}: {NEEDS_ANOTHER}"))),
            // To decide the same again changes nothing; an unknown request is not found.
            _ => Ok(Json(self.store.request(id).await?.map(Request::of).ok_or_else(|| unknown(id))?)),
        }
    }
}

/// Why an operator may not approve a request.
pub(crate) const NEEDS_ANOTHER: &str = "somebody else has to approve it: you made the password that it came with, or its maker is not on record (admin.dual_control)";

fn unknown(id: &str) -> Problem {
    Problem::not_found(format_args!("there is no request {id}"))
}
