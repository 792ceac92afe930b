//! Spans: how long a request and each of its steps took, for OpenTelemetry. Without the feature `otel` there are none.

#[cfg(feature = "otel")]
mod export;

use std::pin::Pin;

#[cfg(feature = "otel")]
use tracing::Instrument as _;

#[cfg(feature = "otel")]
pub use export::{Spans, start};

/// What every span has for its target: logs leave it out.
#[cfg(feature = "otel")]
const TARGET: &str = "ohia::spans";

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The span of a request.
#[derive(Debug)]
pub struct RequestSpan(#[cfg(feature = "otel")] tracing::Span);

impl RequestSpan {
    /// Begins to measure.
    #[must_use]
    #[cfg_attr(not(feature = "otel"), expect(unused_variables, reason = "nothing is measured"))]
    pub fn begin(method: &str, path: &str) -> Self {
        #[cfg(not(feature = "otel"))]
        return Self();
        #[cfg(feature = "otel")]
        Self(tracing::info_span!(
            target: TARGET,
            "request",
            otel.kind = "server",
            otel.name = format!("{method} {path}"),
            http.request.method = method,
            url.path = path,
            http.response.status_code = tracing::field::Empty,
        ))
    }

    /// Measures until the answer is there; `status` is that of HTTP.
    #[cfg_attr(not(feature = "otel"), expect(unused_variables, reason = "nothing is measured"))]
    pub fn around<T: 'static>(self, answer: Boxed<'static, T>, status: fn(&T) -> u16) -> Boxed<'static, T> {
        #[cfg(not(feature = "otel"))]
        return answer;
        #[cfg(feature = "otel")]
        {
            let span = self.0.clone();
            let measured = async move {
                let answer = answer.await;
                self.0.record("http.response.status_code", status(&answer));
                answer
            };
            Box::pin(measured.instrument(span))
        }
    }
}

/// Measures a step of a request.
#[cfg_attr(not(feature = "otel"), expect(unused_variables, reason = "nothing is measured"))]
pub(crate) fn of_step<'a, T>(name: &'static str, step: impl Future<Output = T> + Send + 'a) -> Boxed<'a, T> {
    #[cfg(not(feature = "otel"))]
    return Box::pin(step);
    #[cfg(feature = "otel")]
    Box::pin(step.instrument(tracing::info_span!(target: TARGET, "step", otel.name = name)))
}

/// Lets a task that somebody else runs belong to the request that it was begun by.
pub fn inherited(task: Boxed<'static, ()>) -> Boxed<'static, ()> {
    #[cfg(not(feature = "otel"))]
    return task;
    #[cfg(feature = "otel")]
    Box::pin(task.in_current_span())
}
