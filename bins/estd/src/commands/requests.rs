//! `estd requests`.

use anyhow::{Result, bail};
use est_store::{ApprovalRequest, Decided, Decision, RequestState};
use host::shell;
use serde_json::{Value, json};

use super::{Opened, actor, all_pages};
use crate::cli::{Config, Output, Requests};
use crate::output;

pub(crate) async fn run(command: Requests) -> Result<()> {
    match command {
        Requests::List { config, all, output } => {
            let Opened { store, .. } = Opened::open(&config.config)?;
            let state = (!all).then_some(RequestState::Awaiting);
            let requests = all_pages(|after| store.requests(state, 1000, after)).await?;
            if output.json {
                let requests: Vec<Value> = requests.iter().map(to_json).collect();
                output::json(&json!({ "requests": requests }))?;
            } else {
                let rows: Vec<Vec<String>> = requests.iter().map(row).collect();
                output::table(&["ID", "STATE", "SINCE", "LABEL", "SUBJECT", "NAMES", "WHO ASKS"], &rows)?;
            }
            Ok(())
        }
        Requests::Approve { config, id, output } => decide(&config, &id, Decision::Approve, &output).await,
        Requests::Deny { config, id, output } => decide(&config, &id, Decision::Deny, &output).await,
    }
}

async fn decide(config: &Config, id: &str, decision: Decision, output: &Output) -> Result<()> {
    let Opened { store, .. } = Opened::open(&config.config)?;
    let decided = store.decide_request(id, decision, &actor(), shell::now()).await?;
    store.close().await;
    let done = match (decided, decision) {
        (Decided::Done, Decision::Approve) => "approved",
        (Decided::Done, Decision::Deny) => "denied",
        (Decided::Already(state), _) => bail!("request {id} was {} before", name(state)),
        (Decided::Unknown, _) => bail!("there is no request {id}: `estd requests list` shows them"),
    };
    if output.json {
        output::json(&json!({ "id": id, "result": done }))?;
    } else {
        output::line(format!("request {id}: {done}"))?;
    }
    Ok(())
}

fn name(state: RequestState) -> &'static str {
    match state {
        RequestState::Awaiting => "awaiting",
        RequestState::Approved => "approved",
        RequestState::Denied => "denied",
    }
}

fn to_json(request: &ApprovalRequest) -> Value {
    json!({
        "id": request.id,
        "state": name(request.state),
        "created_at": request.created.to_string(),
        "subject": request.subject,
        "names": request.names,
        "principal": request.principal,
        "label": request.label,
        "ca_id": request.ca,
        "operation": request.operation.segment(),
        "decided_at": request.decided_at.map(|at| at.to_string()),
        "decided_by": request.decided_by,
    })
}

fn row(request: &ApprovalRequest) -> Vec<String> {
    vec![
        request.id.clone(),
        name(request.state).into(),
        request.created.to_string(),
        request.label.clone().unwrap_or_else(|| "-".into()),
        request.subject.clone(),
        request.names.clone().unwrap_or_default(),
        request.principal.clone(),
    ]
}
