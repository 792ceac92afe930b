//! What went wrong, as the API tells it.

use std::fmt;

use axum::Json;
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use est_store::StoreError;
use schemars::JsonSchema;
use serde::Serialize;
use tracing::error;

/// Why a request came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// A parameter or the body is not what it has to be.
    Invalid(String),
    /// No credential, or one that is not valid; the scheme to use.
    Unauthenticated(&'static str),
    /// They may not do this.
    Forbidden(String),
    /// There is no such thing.
    NotFound(String),
    /// There is no such operation on it.
    NoSuchMethod,
    /// It is not in a state in which this can be done.
    Conflict(String),
    /// The body is longer than anything that is meant.
    TooLong,
    /// The body is not JSON by its Content-Type.
    NotJson,
    /// The configuration has mistakes.
    Refused(Vec<String>),
    /// Too much in too short a time; how many seconds until there is room again.
    TooMany(u64),
    /// The database does not answer.
    Unavailable,
    /// It took too long.
    TookTooLong,
}

/// The body of an answer that tells what went wrong.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Error", deny_unknown_fields)]
pub(super) struct Body {
    /// Which kind of problem: a word for programs.
    error: &'static str,
    /// What is wrong, for people.
    message: String,
    /// Each mistake in the configuration, where that is the problem.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    details: Vec<String>,
}

impl Problem {
    pub(super) fn invalid(what: impl fmt::Display) -> Self {
        Self::Invalid(what.to_string())
    }

    /// The same about a part of what was sent.
    pub(super) fn at(self, place: impl fmt::Display) -> Self {
        match self {
            Self::Invalid(what) => Self::Invalid(format!("{place}: {what}")),
            Self::NotFound(what) => Self::NotFound(format!("{place}: {what}")),
            other => other,
        }
    }

    pub(super) fn not_found(what: impl fmt::Display) -> Self {
        Self::NotFound(what.to_string())
    }

    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Invalid(_) => StatusCode::BAD_REQUEST,
            Self::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::NoSuchMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NotJson => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Refused(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable | Self::TookTooLong => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "bad_request",
            Self::Unauthenticated(_) => "unauthorized",
            Self::Forbidden(_) => "forbidden",
            Self::NotFound(_) => "not_found",
            Self::NoSuchMethod => "method_not_allowed",
            Self::Conflict(_) => "conflict",
            Self::TooLong => "payload_too_large",
            Self::NotJson => "unsupported_media_type",
            Self::Refused(_) => "invalid_configuration",
            Self::TooMany(_) => "too_many_requests",
            Self::Unavailable => "unavailable",
            Self::TookTooLong => "timeout",
        }
    }

    fn message(self) -> (String, Vec<String>) {
        let message = match self {
            Self::Invalid(text) | Self::Forbidden(text) | Self::NotFound(text) | Self::Conflict(text) => text,
            Self::Refused(mistakes) => {
                return ("the configuration has mistakes: nothing has changed".to_owned(), mistakes);
            }
            Self::Unauthenticated(_) => "a valid credential of an operator is needed".to_owned(),
            Self::NoSuchMethod => "the Allow header tells which methods there are".to_owned(),
            Self::TooLong => "the body is too long".to_owned(),
            Self::NotJson => "the body must be JSON, and its Content-Type application/json".to_owned(),
            Self::TooMany(seconds) => format!("too many requests: come back in {seconds} seconds"),
            Self::Unavailable => "the database does not answer: come back in a moment".to_owned(),
            Self::TookTooLong => "it took too long".to_owned(),
        };
        (message, Vec::new())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, error) = (self.status(), self.code());
        let header = match &self {
            Self::Unauthenticated(scheme) => Some((WWW_AUTHENTICATE, HeaderValue::from_static(scheme))),
            Self::TooMany(seconds) => Some((RETRY_AFTER, HeaderValue::from(*seconds))),
            Self::Unavailable | Self::TookTooLong => Some((RETRY_AFTER, HeaderValue::from(5))),
            _ => None,
        };
        let (message, details) = self.message();
        let mut response = (status, Json(Body { error, message, details })).into_response();
        response.headers_mut().extend(header);
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::SeveralCertificates { cas } => Self::Conflict(format!(
                "several CAs have issued this serial number: name one with ca_id: {}",
                cas.join(", ")
            )),
            other => {
                error!(error = %other, "the admin API could not ask the database");
                Self::Unavailable
            }
        }
    }
}
