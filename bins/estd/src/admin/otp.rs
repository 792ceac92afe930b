//! One-time passwords.

use std::fmt;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header::{LINK, LOCATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use est_core::Seconds;
use est_store::Revocation;
use host::config::{Label, Settings};
use host::otp::{CreateError, Request};
use host::shell;
use schemars::JsonSchema;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::Admin;
use super::caller::Caller;
use super::endpoint::{Content, Endpoint};
use super::input::{Body, Paging, Parameters, Segment, Whole, span};
use super::problem::Problem;
use crate::view::{CreatedOtp, Otp, OtpDetail};

/// No password lives longer: a year.
const LONGEST: Seconds = Seconds::from_days(365);

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::post("/admin/otp", "Makes one-time passwords. They are shown in this answer alone.")
            .body::<Wanted>()
            .json::<Made>(StatusCode::CREATED, "The password; an array where an array was sent.")
            .fails(&[
                StatusCode::BAD_REQUEST,
                StatusCode::NOT_FOUND,
                StatusCode::PAYLOAD_TOO_LARGE,
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
            ])
            .by(create),
        Endpoint::get("/admin/otp", "Lists one-time passwords, those that are good unless all are asked for.")
            .query::<ListOtps>()
            .json::<Vec<Otp>>(
                StatusCode::OK,
                "Passwords, the latest first; where the next page is, the Link header tells.",
            )
            .fails(&[StatusCode::BAD_REQUEST])
            .by(list),
        Endpoint::get("/admin/otp/{id}", "Shows a one-time password that was not revoked, without its secret.")
            .json::<OtpDetail>(StatusCode::OK, "The password, and what was got with it.")
            .fails(&[StatusCode::NOT_FOUND])
            .by(show),
        Endpoint::delete("/admin/otp/{id}", "Ends a one-time password at once.")
            .answer(StatusCode::NO_CONTENT, "It is good for nothing any more.", Content::Empty)
            .fails(&[StatusCode::NOT_FOUND])
            .by(revoke),
    ]
}

/// A password to make.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewOtp {
    /// The client's name, which is the user name of HTTP Basic. Any client if it is left out. Also read as `client_id`, and as `label`
    /// where that is not the name of an EST label.
    #[serde(alias = "client_id")]
    #[schemars(length(min = 1, max = 255), regex(pattern = r"^[^\u0000-\u001f\u007f-\u009f:]*$"))]
    entity_id: Option<String>,
    /// Another name for `entity_id`, which may be meant for an EST label.
    #[schemars(skip)]
    label: Option<String>,
    /// The EST label at which alone it is good; every label but those that make registration authorities if it is left
    /// out.
    #[schemars(length(min = 1, max = 255))]
    est_label: Option<String>,
    /// Names that it gives in addition to the entity's own: `dns:*.lab.example`, `subject:CN=*,O=Lab`, `uri`; what begins with
    /// `^` is a regular expression.
    #[serde(default)]
    #[schemars(
        length(max = 64),
        inner(
            length(max = 255),
            regex(
                pattern = r"^((dns|ip|email|uri|directory|rid|upn|hardware|smtp-utf8)|(subject|dns|ip|email|uri|directory|rid|upn|hardware|smtp-utf8):([A-Za-z0-9.*@=,/:_-]{1,200}|\^[A-Za-z0-9=,-]{1,100}\$))$"
            )
        )
    )]
    names: Vec<String>,
    /// For how long it is good: seconds, or `24h`.
    ttl: Option<Ttl>,
    /// For how many requests it is good.
    #[schemars(range(min = 1, max = 1_000_000))]
    max_uses: Option<Whole>,
}

/// How many passwords can be made at once.
const MOST_AT_ONCE: usize = 100;

/// A password to make, or an array of up to 100: all of them are made, or none.
#[derive(JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "NewOtps")]
enum Wanted {
    One(Box<NewOtp>),
    Several(#[schemars(length(min = 1, max = 100))] Vec<NewOtp>),
}

impl<'de> Deserialize<'de> for Wanted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Wanted;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a password to make, or an array of them")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Wanted, A::Error> {
                NewOtp::deserialize(MapAccessDeserializer::new(map)).map(Box::new).map(Wanted::One)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Wanted, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(seq)).map(Wanted::Several)
            }
        }

        deserializer.deserialize_any(Either)
    }
}

/// What was made.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "CreatedOtps")]
enum Made {
    One(Box<CreatedOtp>),
    Several(Vec<CreatedOtp>),
}

/// A span of time.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged, expecting = "ttl: write seconds, or 30m, 24h, 7d")]
enum Ttl {
    /// Seconds.
    Seconds(#[schemars(range(min = 1, max = 31_536_000))] Whole),
    /// With units.
    Text(#[schemars(regex(pattern = r"^([1-9][0-9]{0,3}[smh]|[1-9][0-9]?d)$"))] String),
}

impl Ttl {
    fn span(&self) -> Option<Seconds> {
        let span = match self {
            Self::Seconds(seconds) => Seconds(seconds.0),
            Self::Text(text) => span(text)?,
        };
        (1..=LONGEST.0).contains(&span.0).then_some(span)
    }
}

/// Which passwords to list.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ListOtps {
    /// Also those that are over, spent or revoked.
    all: Option<bool>,
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

impl NewOtp {
    /// What it asks for, if that can be made.
    fn request(self, settings: &Settings) -> Result<Request, Problem> {
        let entity = self.entity(&settings.labels)?;
        let ttl = match &self.ttl {
            Some(ttl) => {
                let span = ttl.span();
                Some(span.ok_or_else(|| Problem::invalid("ttl: write 1 second to 365 days: 7200, 30m, 24h, 7d"))?)
            }
            None => None,
        };
        let uses = self
            .max_uses
            .map(|uses| u32::try_from(uses.0).map_err(|_| Problem::invalid("max_uses must be between 1 and 1000000")));
        let request = Request { entity, label: self.est_label, names: self.names, ttl, uses: uses.transpose()? };
        host::otp::check(settings, &request).map_err(|error| match error {
            CreateError::Invalid { field: "label", reason } => Problem::not_found(format_args!("est_label {reason}")),
            CreateError::Invalid { field, reason } => {
                Problem::invalid(format_args!("{} {reason}", if field == "uses" { "max_uses" } else { field }))
            }
            error => Problem::invalid(error),
        })?;
        Ok(request)
    }

    /// The client's name, under whichever key it was given.
    fn entity(&self, labels: &[Label]) -> Result<Option<String>, Problem> {
        let entity = match (&self.entity_id, &self.label) {
            (_, Some(label)) if labels.iter().any(|known| known.name == *label) => {
                return Err(Problem::invalid(format_args!(
                    "label: {label:?} is an EST label: write est_label for the label at which alone the password is good, and entity_id for the device or person"
                )));
            }
            (Some(_), Some(_)) => return Err(Problem::invalid("duplicate field: label is another name for entity_id")),
            (entity, label) => entity.as_ref().or(label.as_ref()),
        };
        if entity.is_some_and(|entity| !is_user_name(entity)) {
            return Err(Problem::invalid(
                "entity_id: 1 to 255 characters without colons, control characters and invisible ones",
            ));
        }
        Ok(entity.cloned())
    }
}

async fn create(
    State(admin): State<Arc<Admin>>,
    caller: Caller,
    Body(wanted): Body<Wanted>,
) -> Result<Response, Problem> {
    let settings = &admin.current().settings;
    let (requests, is_one) = match wanted {
        Wanted::One(wanted) => (vec![wanted.request(settings)?], true),
        Wanted::Several(wanted) if (1..=MOST_AT_ONCE).contains(&wanted.len()) => {
            let several = wanted.into_iter().enumerate().map(|(index, wanted)| {
                wanted.request(settings).map_err(|problem| problem.at(format_args!("password {index}")))
            });
            (several.collect::<Result<_, _>>()?, false)
        }
        Wanted::Several(wanted) => {
            return Err(Problem::invalid(format_args!(
                "expected 1 to {MOST_AT_ONCE} passwords to make, and not {}",
                wanted.len()
            )));
        }
    };
    let made = host::otp::create_all(settings, &admin.store, requests, &caller.actor).await.map_err(|error| {
        tracing::error!(%error, "no one-time password could be made");
        Problem::Unavailable
    })?;
    made.iter().for_each(|_| admin.metrics.otp_generated());
    let mut made: Vec<CreatedOtp> = made.into_iter().map(CreatedOtp::of).collect();
    if !is_one {
        return Ok((StatusCode::CREATED, Json(Made::Several(made))).into_response());
    }
    let made = made.pop().ok_or(Problem::Unavailable)?;
    let location = HeaderValue::try_from(format!("/admin/otp/{}", made.id)).ok();
    let mut response = (StatusCode::CREATED, Json(Made::One(Box::new(made)))).into_response();
    response.headers_mut().extend(location.map(|location| (LOCATION, location)));
    Ok(response)
}

/// What fits into the user name of HTTP Basic (RFC 7617 §2).
fn is_user_name(text: &str) -> bool {
    (1..=255).contains(&text.chars().count())
        && !text.contains(|letter: char| est_core::is_hidden(letter) || letter == ':')
}

async fn list(
    State(admin): State<Arc<Admin>>,
    Parameters(wanted): Parameters<ListOtps>,
) -> Result<(HeaderMap, Json<Vec<Otp>>), Problem> {
    let paging = Paging::of(wanted.page, wanted.per_page, wanted.cursor.as_deref())?;
    let now = shell::now();
    let all = wanted.all.unwrap_or(false);
    let good_at = (!all).then_some(now);
    let page = paging.read(|limit, after| admin.store.list_passwords(good_at, limit, after)).await?;
    let listed = page.items.into_iter().map(|password| Otp::of(password, now)).collect();
    let mut headers = HeaderMap::new();
    if let Some(next) = page.next {
        let link = format!("</admin/otp?all={all}&per_page={}&cursor={next}>; rel=\"next\"", paging.per_page);
        headers.extend(HeaderValue::try_from(link).ok().map(|link| (LINK, link)));
    }
    Ok((headers, Json(listed)))
}

async fn show(State(admin): State<Arc<Admin>>, Segment(id): Segment) -> Result<Json<OtpDetail>, Problem> {
    let id = public_half(&id);
    let found = admin.store.password_summary(id).await?.filter(|found| found.revoked_at.is_none());
    let found = found
        .ok_or_else(|| Problem::not_found(format_args!("there is no one-time password {id}, or it is revoked")))?;
    let certificates = admin.store.certificates_of_password(id, 100).await?;
    Ok(Json(OtpDetail::of(found, certificates, shell::now())))
}

async fn revoke(State(admin): State<Arc<Admin>>, caller: Caller, Segment(id): Segment) -> Result<StatusCode, Problem> {
    let id = public_half(&id);
    match admin.store.revoke_password(id, shell::now(), &caller.actor).await? {
        Revocation::Revoked => Ok(StatusCode::NO_CONTENT),
        Revocation::AlreadyRevoked | Revocation::NowCompromised | Revocation::Unknown => {
            Err(Problem::not_found(format_args!("there is no one-time password {id}, or it is revoked already")))
        }
    }
}

/// What finds a password: its id, or the whole password.
fn public_half(id: &str) -> &str {
    id.split('.').next().unwrap_or(id)
}
