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

/// The path and the contents of a script.
macro_rules! script {
    ($name:literal) => {
        (concat!("/ui/", $name), "text/javascript; charset=utf-8", include_str!(concat!("ui/", $name)))
    };
}

/// Path, media type and contents.
const FILES: [(&str, &str, &str); 14] = [
    ("/ui/", "text/html; charset=utf-8", include_str!("ui/index.html")),
    ("/ui/style.css", "text/css; charset=utf-8", include_str!("ui/style.css")),
    ("/ui/icon.svg", "image/svg+xml", include_str!("ui/icon.svg")),
    script!("api.js"),
    script!("app.js"),
    script!("audit.js"),
    script!("authorities.js"),
    script!("certificates.js"),
    script!("configuration.js"),
    script!("dom.js"),
    script!("listing.js"),
    script!("overview.js"),
    script!("passwords.js"),
    script!("requests.js"),
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
