//! The operator page: a few files in the binary, which call the API as anybody else does.

use std::sync::Arc;

use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue};
use axum::response::Redirect;
use axum::routing::get;

use super::Admin;

/// Nothing from elsewhere, nothing inline, no frames, no forms that lead anywhere.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Path, media type and contents.
const FILES: [(&str, &str, &str); 4] = [
    ("/ui/", "text/html; charset=utf-8", include_str!("ui/index.html")),
    ("/ui/app.js", "text/javascript; charset=utf-8", include_str!("ui/app.js")),
    ("/ui/style.css", "text/css; charset=utf-8", include_str!("ui/style.css")),
    ("/ui/icon.svg", "image/svg+xml", include_str!("ui/icon.svg")),
];

/// Serves the page.
pub(super) fn router() -> Router<Arc<Admin>> {
    let mut router = Router::new()
        .route("/", get(async || Redirect::temporary("/ui/")))
        .route("/ui", get(async || Redirect::temporary("/ui/")));
    for (path, media_type, contents) in FILES {
        let headers: [(HeaderName, HeaderValue); 3] = [
            (CONTENT_TYPE, HeaderValue::from_static(media_type)),
            (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
            (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        ];
        router = router.route(path, get(async move || (headers, contents)));
    }
    router
}
