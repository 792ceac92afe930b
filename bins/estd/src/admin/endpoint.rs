//! One endpoint: its name, its role, what goes in and comes out. The router, the guard and the OpenAPI
//! document are made of the same list of these.

use std::sync::Arc;

use axum::handler::Handler;
use axum::http::{Method, StatusCode};
use axum::routing::{MethodFilter, MethodRouter, on};
use host::config::Role;
use schemars::generate::SchemaGenerator;
use schemars::{JsonSchema, Schema};

use super::Admin;

/// Who may call an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Every client that reaches it.
    Anybody,
    /// Every role.
    Viewer,
    /// Auditors and operators.
    Auditor,
    /// Operators.
    Operator,
}

impl Access {
    /// Whether it is open to a role.
    pub(super) fn includes(self, role: Role) -> bool {
        match self {
            Self::Anybody | Self::Viewer => true,
            Self::Auditor => role != Role::Viewer,
            Self::Operator => role == Role::Operator,
        }
    }
}

/// Makes the schema of a type.
pub(super) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// What an answer's body is.
#[derive(Clone, Copy)]
pub(super) enum Content {
    /// Nothing.
    Empty,
    /// JSON of a type.
    Json(SchemaOf),
    /// Text of a media type.
    Text(&'static str),
}

/// An endpoint.
pub(super) struct Endpoint {
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) about: &'static str,
    pub(super) access: Access,
    pub(super) audited: bool,
    pub(super) query: Option<SchemaOf>,
    pub(super) body: Option<(SchemaOf, bool)>,
    pub(super) answers: Vec<(StatusCode, &'static str, Content)>,
    pub(super) handler: MethodRouter<Arc<Admin>>,
}

impl Endpoint {
    fn new(method: Method, path: &'static str, about: &'static str) -> Self {
        let (query, body, answers, handler) = (None, None, Vec::new(), MethodRouter::new());
        Self { method, path, about, access: Access::Viewer, audited: true, query, body, answers, handler }
    }

    /// Something to read, for every role unless [`only`](Self::only) says otherwise.
    pub(super) fn get(path: &'static str, about: &'static str) -> Self {
        Self::new(Method::GET, path, about)
    }

    /// Something to do, for operators.
    pub(super) fn post(path: &'static str, about: &'static str) -> Self {
        Self::new(Method::POST, path, about).only(Access::Operator)
    }

    /// Something to end, for operators.
    pub(super) fn delete(path: &'static str, about: &'static str) -> Self {
        Self::new(Method::DELETE, path, about).only(Access::Operator)
    }

    pub(super) fn only(self, access: Access) -> Self {
        Self { access, ..self }
    }

    /// Leaves calls out of the audit trail: monitoring makes them all the time.
    pub(super) fn unaudited(self) -> Self {
        Self { audited: false, ..self }
    }

    /// Takes these parameters in the query.
    pub(super) fn query<T: JsonSchema>(self) -> Self {
        Self { query: Some(|generator| generator.subschema_for::<T>()), ..self }
    }

    /// Takes this body.
    pub(super) fn body<T: JsonSchema>(self) -> Self {
        Self { body: Some((|generator| generator.subschema_for::<T>(), true)), ..self }
    }

    /// Takes this body, or none.
    pub(super) fn optional_body<T: JsonSchema>(self) -> Self {
        Self { body: Some((|generator| generator.subschema_for::<T>(), false)), ..self }
    }

    /// Answers with JSON.
    pub(super) fn json<T: JsonSchema>(self, status: StatusCode, about: &'static str) -> Self {
        self.answer(status, about, Content::Json(|generator| generator.subschema_for::<T>()))
    }

    pub(super) fn answer(mut self, status: StatusCode, about: &'static str, content: Content) -> Self {
        self.answers.push((status, about, content));
        self
    }

    /// May answer with these problems, in addition to those that every endpoint has.
    pub(super) fn fails(mut self, statuses: &[StatusCode]) -> Self {
        let problem: SchemaOf = |generator| generator.subschema_for::<super::problem::Body>();
        for status in statuses {
            let about = status.canonical_reason().unwrap_or_default();
            self.answers.push((*status, about, Content::Json(problem)));
        }
        self
    }

    /// Is answered by `handler`.
    pub(super) fn by<H: Handler<T, Arc<Admin>>, T: 'static>(self, handler: H) -> Self {
        let filter = MethodFilter::try_from(self.method.clone()).expect("GET, POST and DELETE are filters");
        Self { handler: on(filter, handler), ..self }
    }
}
