//! `estd requests`.

use anyhow::{Result, bail};
use est_core::UnixTime;
use est_store::{
    ApprovalRequest, Database, Decided, Decision, IssuedCertificate, PasswordSummary, RequestState, Ruling,
};
use host::config::Settings;
use host::shell;
use serde_json::{Value, json};

use super::{Opened, actor, all_pages, explain};
use crate::admin::{LONGEST_COMMENT, NEEDS_ANOTHER};
use crate::cli::{Decide, Requests};
use crate::explanation::{Described, Explanation, Understood, WouldBe};
use crate::output::{self, Printed};
use crate::view::{Request, RequestDetail};

pub(crate) async fn run(command: Requests) -> Result<()> {
    match command {
        Requests::List { config, all, output } => {
            let Opened { store, .. } = Opened::open(&config.config)?;
            let state = (!all).then_some(RequestState::Awaiting);
            let requests = all_pages(|after| store.requests(state, 1000, after)).await?;
            if output.json {
                let requests: Vec<Request> = requests.into_iter().map(Request::of).collect();
                output::json(&json!({ "requests": requests }))?;
            } else {
                let rows: Vec<Vec<String>> = requests.iter().map(row).collect();
                output::table(&["ID", "STATE", "CREATED", "LABEL", "SUBJECT", "NAMES", "PRINCIPAL", "SOURCE"], &rows)?;
            }
            Ok(())
        }
        Requests::Show { config, id, output } => {
            let Opened { settings, store } = Opened::open(&config.config)?;
            let Some(request) = store.request(&id).await? else { bail!(unknown(&id)) };
            let password = match &request.password {
                Some(id) => store.password_summary(id).await?,
                None => None,
            };
            let certificate = store.certificate_of_request(&request.id).await?;
            let site = host::site(&settings, est_backends::algorithms())?;
            let now = shell::now();
            if output.json {
                output::json(&json!(RequestDetail::of(request, password, certificate, &site, now)))?;
            } else {
                let understood = Understood::of(&site, &request, password.as_ref(), now);
                show(&request, password.as_ref(), certificate.as_ref(), &understood)?;
            }
            Ok(())
        }
        Requests::Approve(options) => decide(&options, Decision::Approve).await,
        Requests::Deny(options) => decide(&options, Decision::Deny).await,
    }
}

/// Decides about each of the requests, whatever becomes of the others.
async fn decide(options: &Decide, decision: Decision) -> Result<()> {
    let comment = options.comment.clone().filter(|comment| !comment.trim().is_empty());
    if comment.as_ref().is_some_and(|comment| comment.chars().count() > LONGEST_COMMENT) {
        bail!("--comment: {LONGEST_COMMENT} characters at most");
    }
    let Opened { settings, store } = Opened::open(&options.config.config)?;
    let mut results = Vec::new();
    for id in &options.ids {
        let done = one(&store, &settings, id, decision, comment.clone(), shell::now()).await;
        if !options.output.json {
            match &done {
                Ok(done) => output::line(format!("request {id}: {done}"))?,
                Err(error) => output::error(format!("estd: {error:#}")),
            }
        }
        results.push((id, done));
    }
    store.close().await;
    if options.output.json {
        let told = |(id, done): &(&String, Result<&str>)| match done {
            Ok(done) => json!({ "id": id, "result": done }),
            Err(error) => json!({ "id": id, "error": error.to_string() }),
        };
        let told: Vec<Value> = results.iter().map(told).collect();
        match told.as_slice() {
            [one] => output::json(one)?,
            several => output::json(&json!({ "results": several }))?,
        }
    }
    let failed = results.iter().filter(|(_, done)| done.is_err()).count();
    match failed {
        0 => Ok(()),
        _ => bail!("{} not decided", super::count(failed, "request")),
    }
}

async fn one(
    store: &Database,
    settings: &Settings,
    id: &str,
    decision: Decision,
    comment: Option<String>,
    now: UnixTime,
) -> Result<&'static str> {
    let ruling = Ruling { decision, comment, dual_control: settings.admin.dual_control };
    match (store.decide_request(id, ruling, &actor(), now).await?, decision) {
        (Decided::Done, Decision::Approve) => Ok("approved"),
        (Decided::Done, Decision::Deny) => Ok("denied"),
        (Decided::Already(state), _) => bail!("request {id} was {} before", name(state)),
        (Decided::NeedsAnother, _) => bail!("request {id}: {NEEDS_ANOTHER}"),
        (Decided::Unknown, _) => bail!(unknown(id)),
    }
}

fn unknown(id: &str) -> String {
    format!("there is no request {id}: `estd requests list` shows them")
}

fn name(state: RequestState) -> &'static str {
    match state {
        RequestState::Awaiting => "awaiting",
        RequestState::Approved => "approved",
        RequestState::Denied => "denied",
    }
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
        request.source.clone().unwrap_or_else(|| "-".into()),
    ]
}

/// A request: the client, what it asks for, and what it would get.
fn show(
    request: &ApprovalRequest,
    password: Option<&PasswordSummary>,
    certificate: Option<&IssuedCertificate>,
    understood: &Understood,
) -> Printed {
    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".into());
    let mut fields = vec![
        ("id", request.id.clone()),
        ("state", name(request.state).to_owned()),
        ("created", request.created.to_string()),
        ("asked by", request.principal.clone()),
        ("from", or_dash(&request.source)),
    ];
    if let Some(password) = password {
        let by = password.created_by.as_deref().unwrap_or("somebody that is not on record here");
        fields.push(("password", format!("{}, made by {by} at {}", password.id, password.created)));
    }
    fields.extend([
        ("label", or_dash(&request.label)),
        ("CA", request.ca.clone()),
        ("asks for", request.operation.segment().to_owned()),
        ("subject", request.subject.clone()),
        ("names", or_dash(&request.names)),
        ("key", understood.key_type.clone().unwrap_or_else(|| "the server makes it".to_owned())),
    ]);
    for Described { extension, critical } in &understood.extensions {
        fields.push(("extension", if *critical { format!("{extension} (critical)") } else { extension.clone() }));
    }
    if let Some((by, at)) = request.decided_by.as_ref().zip(request.decided_at) {
        fields.push(("decided", format!("{} by {by}, at {at}", name(request.state))));
    }
    fields.extend(request.comment.clone().map(|comment| ("comment", comment)));
    fields.extend(certificate.map(|certificate| ("certificate", certificate.serial.to_string())));
    output::fields(&fields)?;
    output::line("")?;
    match &understood.explanation {
        None => {
            output::line("What it would get is unknown: the client is not on record any more, or its label is gone.")
        }
        Some(explained @ Explanation { would_be: WouldBe::Issued, .. }) => {
            output::line("A certificate would be issued:")?;
            output::fields(&explain::planned(explained))
        }
        Some(explained) => {
            output::line(format!("The request would be refused: {}", explained.explanation))?;
            output::fields(&explain::refused(explained))
        }
    }
}
