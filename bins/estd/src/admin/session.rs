//! Sessions of the operator's page: what lets it survive a reload of the browser without keeping a token in it.
//!
//! A session is of a token: it ends with it, and what the token may do is looked up at each use. The cookie is out of
//! reach of scripts, and counts only where the browser says that a page of this very origin makes the request.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use est_core::Entropy;
use host::shell;
use sha2::{Digest as _, Sha256};

use super::Admin;
use super::caller::{Caller, Peer, TokenDigest};
use super::endpoint::{Access, Content, Endpoint};
use super::overview::Identity;
use super::problem::Problem;
use crate::server::Source;

/// How long a session lasts, used or not: a working day.
const LASTS: Duration = Duration::from_secs(8 * 3_600);
/// How many a token has at most; its oldest makes room.
const MOST: usize = 64;
/// `__Host-` has browsers insist on Secure, on the path `/` and on no other host (RFC 6265bis §4.1.3.2).
const COOKIE_NAME: &str = "__Host-ohia-session";

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::post("/admin/session", "Begins a session for a browser: a cookie in the place of the bearer token.")
            .only(Access::Viewer)
            .json::<Identity>(StatusCode::CREATED, "The caller; the cookie is in Set-Cookie.")
            .fails(&[StatusCode::CONFLICT])
            .by(begin),
        Endpoint::delete("/admin/session", "Ends the session of the cookie.")
            .only(Access::Viewer)
            .answer(StatusCode::NO_CONTENT, "There is no session any more.", Content::Empty)
            .by(end),
    ]
}

/// The sessions under way.
#[derive(Default)]
pub(super) struct Sessions(Mutex<HashMap<[u8; 32], Session>>);

struct Session {
    /// The SHA-256 of its token.
    token: [u8; 32],
    /// The network that it was begun from. Cookies do not tell the ports of a host apart: another service there may get
    /// them.
    network: Source,
    begun: Instant,
}

impl Sessions {
    /// Begins a session; what the cookie is to hold.
    fn begin(&self, token: [u8; 32], network: Source, secret: &[u8; 32], now: Instant) {
        let mut sessions = self.lock();
        sessions.retain(|_, session| session.is_under_way(now));
        let of_token = sessions.iter().filter(|(_, session)| session.token == token);
        if of_token.clone().count() >= MOST
            && let Some(oldest) = of_token.min_by_key(|(_, session)| session.begun).map(|(key, _)| *key)
        {
            sessions.remove(&oldest);
        }
        sessions.insert(Sha256::digest(hex(secret)).into(), Session { token, network, begun: now });
    }

    /// The SHA-256 of the token of a request's session; `None` without a valid session.
    pub(super) fn token(&self, headers: &HeaderMap, network: Source, now: Instant) -> Option<[u8; 32]> {
        let by_own_page = headers.get(HeaderName::from_static("sec-fetch-site")).is_some_and(|s| s == "same-origin");
        let key = cookie(headers).filter(|_| by_own_page)?;
        let sessions = self.lock();
        let session = sessions.get(&key).filter(|session| session.network == network && session.is_under_way(now));
        session.map(|session| session.token)
    }

    fn end(&self, headers: &HeaderMap) {
        if let Some(key) = cookie(headers) {
            self.lock().remove(&key);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 32], Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    fn is_under_way(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.begun) < LASTS
    }
}

async fn begin(
    State(admin): State<Arc<Admin>>,
    Extension(peer): Extension<Peer>,
    caller: Caller,
) -> Result<Response, Problem> {
    let Some(TokenDigest(token)) = caller.token else {
        return Err(Problem::Conflict("a session needs a bearer token: send one".to_owned()));
    };
    let Entropy(secret) = shell::entropy().map_err(|_| Problem::Unavailable)?;
    admin.sessions.begin(token, peer.network, &secret, Instant::now());
    let cookie = format!(
        "{COOKIE_NAME}={}; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age={}",
        hex(&secret),
        LASTS.as_secs()
    );
    let mut answer = (StatusCode::CREATED, Json(Identity::of(&admin, &caller))).into_response();
    answer.headers_mut().extend(HeaderValue::try_from(cookie).ok().map(|cookie| (SET_COOKIE, cookie)));
    Ok(answer)
}

async fn end(State(admin): State<Arc<Admin>>, headers: HeaderMap) -> Response {
    admin.sessions.end(&headers);
    let gone = format!("{COOKIE_NAME}=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0");
    let mut answer = StatusCode::NO_CONTENT.into_response();
    answer.headers_mut().extend(HeaderValue::try_from(gone).ok().map(|cookie| (SET_COOKIE, cookie)));
    answer
}

/// The SHA-256 of what the session's cookie holds: how a session is found, so that looking takes no longer the better
/// somebody guesses.
fn cookie(headers: &HeaderMap) -> Option<[u8; 32]> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE_NAME).map(|(_, value)| Sha256::digest(value).into())
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    fn showing(secret: &[u8; 32], site: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, format!("theme=dark; {COOKIE_NAME}={}", hex(secret)).parse().unwrap());
        headers.insert(HeaderName::from_static("sec-fetch-site"), HeaderValue::from_static(site));
        headers
    }

    fn network(last: u8) -> Source {
        std::net::IpAddr::from([192, 0, 2, last]).into()
    }

    #[test]
    fn a_session_stands_for_its_token_until_it_ends() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        sessions.begin([1; 32], network(1), &[7; 32], now);
        let own = showing(&[7; 32], "same-origin");
        assert_eq!(sessions.token(&own, network(1), now), Some([1; 32]));
        assert_eq!(sessions.token(&showing(&[8; 32], "same-origin"), network(1), now), None);
        assert_eq!(sessions.token(&own, network(2), now), None, "a stolen cookie is of no use elsewhere");
        assert_eq!(sessions.token(&own, network(1), now + LASTS), None);
        sessions.end(&own);
        assert_eq!(sessions.token(&own, network(1), now), None);
    }

    #[test]
    fn a_cookie_that_another_page_sends_counts_for_nothing() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        sessions.begin([1; 32], network(1), &[7; 32], now);
        for site in ["cross-site", "same-site", "none"] {
            assert_eq!(sessions.token(&showing(&[7; 32], site), network(1), now), None, "{site}");
        }
        let mut silent = showing(&[7; 32], "same-origin");
        silent.remove("sec-fetch-site");
        assert_eq!(sessions.token(&silent, network(1), now), None);
    }

    #[test]
    fn the_oldest_of_too_many_sessions_of_a_token_makes_room() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        for number in 0..=MOST {
            let mut secret = [0; 32];
            secret[..8].copy_from_slice(&number.to_be_bytes());
            sessions.begin([1; 32], network(1), &secret, now + Duration::from_secs(number as u64));
        }
        assert_eq!(sessions.lock().len(), MOST);
        sessions.begin([2; 32], network(1), &[9; 32], now);
        assert_eq!(sessions.lock().len(), MOST + 1, "those of another token are not pushed out");
        assert_eq!(sessions.token(&showing(&[0; 32], "same-origin"), network(1), now), None);
    }
}
