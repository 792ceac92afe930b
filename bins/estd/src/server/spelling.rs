//! Header names as RFC 9110 spells them, for clients of HTTP/1 that compare them letter by letter.

use std::convert::Infallible;
use std::future::ready;
use std::pin::pin;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::task::{Context, Waker};

use http::header::{ETAG, WWW_AUTHENTICATE};
use http::{Extensions, Request, Response};
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;

/// What Title-Case gets wrong, each as often as an answer may repeat it.
const HEAD: &str = "GET / HTTP/1.1\r\nConnection: close\r\n\
    WWW-Authenticate: 1\r\nWWW-Authenticate: 2\r\nWWW-Authenticate: 3\r\nETag: 1\r\n\r\n";

static SPELLING: LazyLock<Extensions> = LazyLock::new(read);

/// Has the answer's names written as RFC 9110 spells them. libest finds no challenge under `Www-Authenticate`.
pub(crate) fn spell<B>(answer: &mut Response<B>) {
    let headers = answer.headers();
    if headers.contains_key(WWW_AUTHENTICATE) || headers.contains_key(ETAG) {
        answer.extensions_mut().extend(SPELLING.clone());
    }
}

/// hyper writes a name as it finds it in an extension of the answer. The extension's type is hyper's own; but a request
/// that is read with `preserve_header_case` has one.
fn read() -> Extensions {
    let found = Mutex::new(Extensions::new());
    let service = service_fn(|request: Request<Incoming>| {
        found.lock().unwrap_or_else(PoisonError::into_inner).clone_from(request.extensions());
        ready(Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new())))
    });
    let stream = TokioIo::new(tokio::io::join(HEAD.as_bytes(), tokio::io::sink()));
    let connection = http1::Builder::new().preserve_header_case(true).serve_connection(stream, service);
    // A stream in memory is always ready, outside of a task's budget.
    let connection = pin!(tokio::task::unconstrained(connection));
    let _ = connection.poll(&mut Context::from_waker(Waker::noop()));
    found.into_inner().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_spelling_of_what_title_case_gets_wrong() {
        assert!(!SPELLING.is_empty());
    }
}
