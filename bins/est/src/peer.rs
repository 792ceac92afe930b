//! The server, as the commands see it: a call in, an answer out.

use std::io::Read;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use est_core::client::{self, Answer, Call, CsrAdvice};
use est_core::{Operation, Seconds, Secret, TlsExporter, UnixTime};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;

use crate::cli::{IdentityArguments, ServerArguments};
use crate::file;
use crate::http::{self, Connection, Reply};
use crate::output::{Again, Exit, Failure, note};
use crate::retry::{self, Pauses};
use crate::server_url::ServerUrl;
use crate::tls::{self, ClientIdentity, Trust};

/// As many redirections in a row are followed.
const MAX_REDIRECTIONS: u32 = 3;

/// The shortest pause between two questions, whatever the server says.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);

/// The first pause after a trouble that passes, where the server does not say how long to wait.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// The longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How long plain reads are tried in all.
pub(crate) const READ_PATIENCE: Duration = Duration::from_secs(10);

/// What a server wants to see in a request.
pub(crate) enum Wanted {
    /// These elements of a CsrAttrs.
    Listed(Vec<Vec<u8>>),
    /// Nothing.
    Nothing,
    /// 404: nothing (RFC 7030 §4.5.2), or there is no such label.
    NotFound(Failure),
}

impl Wanted {
    /// The elements; none where the server does not say.
    pub(crate) fn elements(self) -> Vec<Vec<u8>> {
        match self {
            Self::Listed(elements) => elements,
            Self::Nothing | Self::NotFound(_) => Vec::new(),
        }
    }
}

/// A server that can be asked.
pub(crate) struct Peer {
    pub(crate) url: ServerUrl,
    pub(crate) label: Option<String>,
    pub(crate) timeout: Duration,
    pub(crate) tls: TlsConnector,
    pub(crate) identity: Option<ClientIdentity>,
    basic: Option<(String, Secret)>,
    renews: bool,
}

impl Peer {
    /// Prepares to ask a server that is authenticated by --cacert.
    pub(crate) fn new(
        server: &ServerArguments,
        identity: &IdentityArguments,
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> Result<Self, Failure> {
        let cacert = server.cacert.as_deref().ok_or_else(|| {
            Failure::usage(
                "say whom to trust: --cacert FILE with the CA certificates; \
                 `est cacerts --server … --out FILE` fetches them",
            )
        })?;
        let basic = credentials(identity)?;
        Self::with(server, identity, Trust::Anchors(cacert), basic, versions)
    }

    /// Prepares to ask a server that is not authenticated. It gets a certificate, never a password (RFC 7030 §3.2.3).
    pub(crate) fn unauthenticated(server: &ServerArguments, identity: &IdentityArguments) -> Result<Self, Failure> {
        if identity.user.is_some() || identity.password.is_some() || identity.password_file.is_some() {
            note("note: the password is not sent, because the server is not authenticated: that takes --cacert");
        }
        Self::with(server, identity, Trust::Nobody, None, rustls::DEFAULT_VERSIONS)
    }

    fn with(
        server: &ServerArguments,
        identity: &IdentityArguments,
        trust: Trust<'_>,
        basic: Option<(String, Secret)>,
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> Result<Self, Failure> {
        let identity = match (&identity.cert, &identity.key) {
            (Some(cert), Some(key)) => Some(ClientIdentity::load(cert, key)?),
            _ => None,
        };
        if server.label.as_deref().is_some_and(|label| label.is_empty() || label == "." || label == "..") {
            return Err(Failure::usage("--label is empty, or not a path segment"));
        }
        Ok(Self {
            url: server.server.clone(),
            label: server.label.clone(),
            timeout: server.timeout,
            tls: tls::connector(trust, identity.as_ref(), versions)?,
            identity,
            basic,
            renews: false,
        })
    }

    /// Is asked to renew the certificate that it is shown: its refusals are about that.
    pub(crate) fn renewing(mut self) -> Self {
        self.renews = true;
        self
    }

    pub(crate) fn base_path(&self) -> &str {
        &self.url.base_path
    }

    /// Whether there is anything to authenticate with.
    pub(crate) fn has_credentials(&self) -> bool {
        self.identity.is_some() || self.basic.is_some()
    }

    /// The call as it will be sent, with the password if there is one.
    pub(crate) fn authorize(&self, call: Call) -> Call {
        match &self.basic {
            Some((user, password)) => call.with_basic(user, password),
            None => call,
        }
    }

    /// Asks. A refusal, and anything that is no answer, is a failure. What may be asked again is, within `max_wait`:
    /// after a connection that failed, a server that is overloaded, one that has not decided yet.
    pub(crate) async fn ask(&self, call: Call, max_wait: Duration) -> Result<Answer, Failure> {
        let call = self.authorize(call);
        self.ask_on(&self.tls, async |_| Ok(call.clone()), max_wait).await
    }

    /// As [`ask`](Self::ask), with a call that is made for each connection, password and all.
    pub(crate) async fn ask_on(
        &self,
        tls: &TlsConnector,
        call: impl AsyncFn(TlsExporter) -> Result<Call, Failure>,
        max_wait: Duration,
    ) -> Result<Answer, Failure> {
        let answer = self.answer_within(tls, call, max_wait).await?;
        match self.refusal(&answer) {
            Some(failure) => Err(failure),
            None => Ok(answer),
        }
    }

    /// As [`ask_on`](Self::ask_on), but a refusal that stays one is an answer.
    async fn answer_within(
        &self,
        tls: &TlsConnector,
        call: impl AsyncFn(TlsExporter) -> Result<Call, Failure>,
        max_wait: Duration,
    ) -> Result<Answer, Failure> {
        let begun = Instant::now();
        let mut pauses = Pauses::new(FIRST_PAUSE, LONGEST_PAUSE);
        let mut was_pending = false;
        loop {
            let failure = match self.ask_once(tls, &call).await {
                Ok(Answer::RetryAfter(pause)) => {
                    was_pending = true;
                    pending(pause)
                }
                Ok(answer) => match self.passing(&answer) {
                    Some(failure) => failure,
                    None => return Ok(answer),
                },
                Err(failure) => failure,
            };
            let pause = match failure.again {
                Again::After(pause) => pause.max(SHORTEST_PAUSE),
                Again::Soon => pauses.next(retry::draw()),
                // Once the request has been taken, a broken connection is no reason to give up waiting.
                Again::Later if was_pending => pauses.next(retry::draw()),
                Again::Later | Again::Unreadable => return Err(failure),
            };
            if begun.elapsed().saturating_add(pause) > max_wait {
                return Err(failure);
            }
            let reason = if failure.exit == Exit::Pending { "the server has not decided yet" } else { &failure.text };
            note(&format!("{reason}; asking again in {} s", pause.as_secs_f32().ceil()));
            tokio::time::sleep(pause).await;
        }
    }

    /// The failure that this answer is for now, if it is a refusal that may pass.
    fn passing(&self, answer: &Answer) -> Option<Failure> {
        self.refusal(answer).filter(|failure| failure.again != Again::Later)
    }

    /// What the server wants to see in a request; nothing where it does not say, or says what cannot be read. Whether it
    /// takes the request is another question.
    pub(crate) async fn advice(&self, max_wait: Duration) -> Result<CsrAdvice, Failure> {
        let unknown = |why: &str| {
            note(&format!("note: what the server wants to see in a request is not known (/csrattrs): {why}"));
            Ok(CsrAdvice::default())
        };
        match self.csr_attrs(max_wait).await.map(Wanted::elements) {
            Ok(elements) => CsrAdvice::read(&elements).or_else(|error| unknown(&error.to_string())),
            Err(failure) if failure.exit == Exit::Refused || failure.again == Again::Unreadable => {
                unknown(&failure.text)
            }
            Err(failure) => Err(failure),
        }
    }

    /// Asks what a request should hold.
    ///
    /// A server that checks a one-time password may spend it: the password goes out only when it is asked for.
    pub(crate) async fn csr_attrs(&self, max_wait: Duration) -> Result<Wanted, Failure> {
        let call = Call::csr_attrs(self.base_path(), self.label.as_deref());
        let bare = async |_: TlsExporter| Ok(call.clone());
        let answer = match self.answer_within(&self.tls, bare, max_wait).await? {
            Answer::Refused { wants_basic: true, .. } if self.basic.is_some() => self.ask(call, max_wait).await?,
            answer => answer,
        };
        match answer {
            Answer::CsrAttrs(elements) => Ok(Wanted::Listed(elements)),
            answer => match self.refusal(&answer) {
                Some(failure) if matches!(answer, Answer::Refused { status: 404, .. }) => Ok(Wanted::NotFound(failure)),
                Some(failure) => Err(failure),
                None => Ok(Wanted::Nothing),
            },
        }
    }

    async fn ask_once(
        &self,
        tls: &TlsConnector,
        call: &impl AsyncFn(TlsExporter) -> Result<Call, Failure>,
    ) -> Result<Answer, Failure> {
        let mut moved_to = None;
        for _ in 0..=MAX_REDIRECTIONS {
            let (operation, reply) = self.exchange(tls, call, moved_to.as_deref()).await?;
            let answer = reply.read(|received| client::read(operation, received, now()));
            let unreadable = |error| Failure { again: Again::Unreadable, ..Failure::error(format!("{error}")) };
            match answer.map_err(unreadable)? {
                Answer::Redirected { location } => {
                    let path = self.url.path_at_same_origin(&location).ok_or_else(|| elsewhere(&location))?;
                    moved_to = Some(path);
                }
                answer => return Ok(answer),
            }
        }
        Err(Failure::error("the server redirects in circles"))
    }

    /// Sends a call on a connection of its own, to another path if it has `moved_to` one.
    async fn exchange(
        &self,
        tls: &TlsConnector,
        call: &impl AsyncFn(TlsExporter) -> Result<Call, Failure>,
        moved_to: Option<&str>,
    ) -> Result<(Operation, Reply), Failure> {
        let until = Instant::now() + self.timeout;
        let opened = timeout_at(until, Connection::open(&self.url, tls)).await;
        let mut connection = opened.map_err(|_| self.is_late())?.map_err(|broken| broken.to_failure(&self.url))?;
        let mut call = call(connection.exporter).await?;
        if let Some(path) = moved_to {
            call.path = path.to_string();
        }
        let request = http::request(&call, &self.url.authority()).map_err(|broken| broken.to_failure(&self.url))?;
        let reply = timeout_at(until, async { Reply::collect(connection.send(request).await?).await }).await;
        let reply = match reply {
            Ok(reply) => reply.map_err(|broken| broken.to_failure(&self.url)),
            Err(_) => Err(self.is_late()),
        };
        match reply {
            Ok(reply) => Ok((call.operation, reply)),
            // A key is sent once, and may have been.
            Err(failure) if call.operation == Operation::ServerKeyGen => {
                Err(Failure { again: Again::Later, ..failure })
            }
            Err(failure) => Err(failure),
        }
    }

    fn is_late(&self) -> Failure {
        let text = format!("{} did not answer within {:?}", self.url.authority(), self.timeout);
        Failure { again: Again::Soon, ..Failure::error(text) }
    }

    /// What a refusal means for the user; `None` for any other answer.
    fn refusal(&self, answer: &Answer) -> Option<Failure> {
        let Answer::Refused { status, text, wants_basic, other_schemes, retry_after } = answer else { return None };
        let (status, wants_basic) = (*status, *wants_basic);
        let mut line = format!("the server refused ({status})");
        if !text.is_empty() {
            line.push_str(": ");
            line.push_str(text);
        }
        if let (404, Some(label)) = (status, &self.label) {
            line.push_str(&format!("\nthe label is {label:?}: does the server have it?"));
        }
        if status == 401 && self.renews {
            line.push_str(
                "\na renewal takes a certificate that the server accepts as the client's own; get one in its place with \
                 `est enroll` and a password",
            );
        } else if wants_basic && self.basic.is_none() {
            line.push_str("\nit takes a password: pass --user and --password-file, or EST_PASSWORD");
        } else if !wants_basic && !other_schemes.is_empty() {
            line.push_str(&format!(
                "\nit wants HTTP authentication by {}, which est does not speak: have it offer Basic, or pass a client \
                 certificate by --cert and --key",
                other_schemes.join(" or ")
            ));
        } else if status == 401 && !self.has_credentials() {
            line.push_str("\npass a client certificate by --cert and --key");
        }
        Some(Failure { exit: Exit::Refused, text: line, again: again(status, *retry_after) })
    }
}

/// Whether the same request may be answered otherwise: as the server says, else as the status says (RFC 9110 §15).
fn again(status: u16, retry_after: Option<Seconds>) -> Again {
    match (retry_after, status) {
        (Some(pause), _) => Again::After(Duration::from_secs(pause.0)),
        (None, 408 | 425 | 429 | 500 | 502 | 503 | 504) => Again::Soon,
        (None, _) => Again::Later,
    }
}

fn pending(pause: Seconds) -> Failure {
    Failure {
        exit: Exit::Pending,
        text: "the server has not decided yet: run the same command again later, with the key file that is there now"
            .into(),
        again: Again::After(Duration::from_secs(pause.0)),
    }
}

/// Crossing to another origin is the user's decision (RFC 7030 §3.2.1): to take by another --server.
fn elsewhere(location: &str) -> Failure {
    let shown: String = location.chars().filter(char::is_ascii_graphic).take(200).collect();
    Failure::error(format!("the server sends us to {shown}: if you trust that, name it in --server"))
}

pub(crate) fn now() -> UnixTime {
    UnixTime(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}

/// The user name and password, from wherever they come.
fn credentials(identity: &IdentityArguments) -> Result<Option<(String, Secret)>, Failure> {
    let user = match &identity.user {
        Some(user) => user.as_str(),
        None if identity.password.is_some() || identity.password_file.is_some() => "",
        None => return Ok(None),
    };
    if user.contains(':') || user.chars().any(char::is_control) {
        return Err(Failure::usage(
            "--user holds a colon or a control character, which Basic credentials cannot carry",
        ));
    }
    let password = match (&identity.password, &identity.password_file) {
        (Some(password), _) => {
            note(
                "warning: --password can be seen by other users of this machine; better use EST_PASSWORD or --password-file",
            );
            Secret::new(password.clone())
        }
        (None, Some(path)) => password_from(path)?,
        (None, None) => match std::env::var("EST_PASSWORD") {
            Ok(password) => Secret::new(password),
            Err(_) => return Err(Failure::usage("--user wants a password: --password-file FILE, or EST_PASSWORD")),
        },
    };
    Ok(Some((user.to_string(), password)))
}

/// The first line of a file, or of standard input.
fn password_from(path: &Path) -> Result<Secret, Failure> {
    let text = if path == Path::new("-") {
        let mut text = String::new();
        let read = std::io::stdin().read_to_string(&mut text);
        read.map_err(|error| Failure::error(format!("the password cannot be read: {error}")))?;
        Secret::new(text)
    } else {
        Secret::new(file::read_text(path)?)
    };
    match text.reveal().lines().next() {
        Some(line) if !line.is_empty() => Ok(Secret::new(line.to_string())),
        _ => Err(Failure::error(format!("{} holds no password in its first line", path.display()))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;
    use crate::file::{Readers, Scratch};

    fn identity(user: &str, password_file: &Path) -> IdentityArguments {
        IdentityArguments {
            cert: None,
            key: None,
            user: Some(user.to_string()),
            password: None,
            password_file: Some(password_file.to_path_buf()),
        }
    }

    #[test]
    fn takes_the_first_line_of_a_file_as_the_password() {
        let scratch = Scratch::new("password");
        let path = scratch.path("password");
        file::write(&path, " with blanks \r\nsecond line\n", Readers::Owner).unwrap();
        let (user, password) = credentials(&identity("device", &path)).unwrap().unwrap();
        assert_eq!((user.as_str(), password.reveal()), ("device", " with blanks "));
        file::write(&path, "\nsecond line\n", Readers::Owner).unwrap();
        let failure = credentials(&identity("device", &path)).unwrap_err();
        assert!(failure.text.contains("no password in its first line"), "{}", failure.text);
    }

    #[test]
    fn refuses_a_user_that_basic_cannot_carry() {
        for user in ["a:b", "a\nb"] {
            assert_eq!(credentials(&identity(user, Path::new("unread"))).unwrap_err().exit, Exit::Usage, "{user}");
        }
    }
}
