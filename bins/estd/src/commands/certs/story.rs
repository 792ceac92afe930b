//! What a certificate goes back to and what followed, in the order of time.

use est_core::UnixTime;
use est_store::{Chapter, PasswordSummary, Story};

/// The request for a certificate, and its approval.
pub(super) fn origin(chapter: &Chapter) -> Vec<(&'static str, String)> {
    let Chapter { certificate, password, request } = chapter;
    let mut rows = vec![("asked by", asked_by(chapter))];
    rows.extend(password.as_ref().map(|password| ("made by", made_by(password))));
    if let Some(request) = request {
        let from = request.source.as_ref().map_or(String::new(), |source| format!(", from {source}"));
        rows.push(("request", format!("{}, at {}{from}", request.id, request.created)));
        if let Some((by, at)) = request.decided_by.as_ref().zip(request.decided_at) {
            rows.push(("approved", format!("by {by}, at {at}{}", comment(request.comment.as_deref()))));
        }
    } else if let Some(id) = &certificate.request {
        rows.push(("request", format!("{id}, which is not kept any more")));
    }
    rows
}

fn asked_by(Chapter { certificate, password, .. }: &Chapter) -> String {
    match (&certificate.password, password, &certificate.predecessor) {
        (Some(id), Some(PasswordSummary { entity: Some(entity), .. }), _) => format!("password {id} of {entity}"),
        (Some(id), _, _) => format!("password {id}"),
        (None, _, Some(serial)) => format!("certificate {serial}"),
        (None, _, None) => certificate.principal.clone(),
    }
}

fn made_by(password: &PasswordSummary) -> String {
    let by = password.created_by.as_deref().unwrap_or("somebody that is not on record here");
    format!("{by}, at {}", password.created)
}

fn comment(text: Option<&str>) -> String {
    text.map_or(String::new(), |text| format!(": {text}"))
}

/// What happened, the oldest first.
pub(super) fn told(story: &Story) -> Vec<(UnixTime, String)> {
    let chapters = story.before.iter().chain([&story.this]).chain(&story.after);
    let mut told: Vec<(UnixTime, String)> = chapters.flat_map(|chapter| happened(chapter, story)).collect();
    // What is of the same second stays in its order: first the request, then the approval, then the certificate.
    told.sort_by_key(|(at, _)| *at);
    if story.is_cut {
        told.push((UnixTime(0), "there is more than is shown here".to_owned()));
    }
    told
}

fn happened(chapter: &Chapter, story: &Story) -> Vec<(UnixTime, String)> {
    let Chapter { certificate, password, request } = chapter;
    let mut told = Vec::new();
    if let Some(password) = password {
        let by = password.created_by.as_ref().map_or(String::new(), |by| format!(" by {by}"));
        let of = password.entity.as_ref().map_or(String::new(), |entity| format!(" of {entity}"));
        told.push((password.created, format!("password {}{of} was made{by}", password.id)));
    }
    if let Some(request) = request {
        let from = request.source.as_ref().map_or(String::new(), |source| format!(" from {source}"));
        told.push((request.created, format!("request {} came{from}, by {}", request.id, request.principal)));
        if let Some((by, at)) = request.decided_by.as_ref().zip(request.decided_at) {
            let said = comment(request.comment.as_deref());
            told.push((at, format!("request {} was approved by {by}{said}", request.id)));
        }
    }
    let this = if certificate.serial == story.this.certificate.serial { " (this one)" } else { "" };
    let until = format!("valid until {}", certificate.not_after);
    told.push((
        certificate.issued_at,
        format!("certificate {} was issued to {}, {until}{this}", certificate.serial, asked_by(chapter)),
    ));
    if let Some(revoked) = &certificate.revoked {
        told.push((revoked.at, format!("certificate {} was revoked ({})", certificate.serial, revoked.reason.name())));
    }
    told
}
