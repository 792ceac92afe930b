//! One-time passwords, from the request for one to the row in the store: for the command line and the admin API alike.

use std::collections::VecDeque;
use std::fmt;
use std::num::NonZero;

use est_auth::OneTimePassword;
use est_core::policy::Allowance;
use est_core::{PortError, Seconds, Secret, UnixTime, is_hidden};
use est_store::{Actor, Database, NewPassword, StoreError};

use crate::config::Settings;
use crate::shell;

/// The longest user name that a password can be for, in characters.
const LONGEST_ENTITY: usize = 255;
/// How many patterns for names it can have, and how long each can be.
const MOST_NAMES: usize = 64;
const LONGEST_NAME: usize = 1024;
/// The longest time for which a password can be good.
pub const LONGEST_TTL: Seconds = Seconds::from_days(365);
/// How often at most a password can be good.
pub const MOST_USES: u32 = 1_000_000;

/// What a password is to be good for.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The client's name, if the password is for one client. It is good with this user name only, and gives this client's names.
    pub entity: Option<String>,
    /// The label at which alone it is good.
    pub label: Option<String>,
    /// The names that it gives in addition to the entity's own, as [`Allowance::parse`] reads them.
    pub names: Vec<String>,
    /// For how long; `otp.default_ttl` if `None`.
    pub ttl: Option<Seconds>,
    /// For how many requests; `otp.max_uses` if `None`.
    pub uses: Option<u32>,
}

/// A password that was just created, at the only time when its clear text exists.
#[derive(Debug)]
pub struct Created {
    /// The public half, which finds it.
    pub id: String,
    /// What the user is given, once.
    pub clear: Secret,
    /// The client's name, if it is for one client.
    pub entity: Option<String>,
    /// The label that it is for, if for one.
    pub label: Option<String>,
    /// The names that it gives in addition to the entity's own.
    pub names: Vec<String>,
    /// When it was made.
    pub created: UnixTime,
    /// When it ends.
    pub expires: UnixTime,
    /// For how many requests it is good.
    pub max_uses: u32,
}

impl Created {
    /// Whether its holder may ask for every name that the profile gives.
    #[must_use]
    pub fn is_free(&self) -> bool {
        self.entity.is_none() && self.names.is_empty()
    }
}

/// Why there is no password.
#[derive(Debug)]
#[non_exhaustive]
pub enum CreateError {
    /// The request asks for what cannot be.
    Invalid {
        /// The field of the [`Request`].
        field: &'static str,
        /// What is wrong with it, as the rest of a sentence that begins with the field.
        reason: String,
    },
    /// There is no randomness.
    Entropy(PortError),
    /// The hash could not be computed; the text is for the operator.
    Hashing(String),
    /// The store did not take it.
    Store(StoreError),
}

impl fmt::Display for CreateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid { field, reason } => write!(f, "{field} {reason}"),
            Self::Entropy(error) => error.fmt(f),
            Self::Hashing(why) => f.write_str(why),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for CreateError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            // Its text is theirs.
            Self::Entropy(error) => error.source(),
            Self::Store(error) => error.source(),
            Self::Invalid { .. } | Self::Hashing(_) => None,
        }
    }
}

/// Creates a password as `[otp]` says, and remembers that `actor` did.
///
/// Needs a tokio runtime: the hash is computed on a thread of its own.
///
/// # Errors
/// [`CreateError`].
pub async fn create(
    settings: &Settings,
    store: &Database,
    request: Request,
    actor: &Actor,
) -> Result<Created, CreateError> {
    check(settings, &request)?;
    let (password, created) = make(settings, request).await?;
    store.create_password(password, actor).await.map_err(CreateError::Store)?;
    Ok(created)
}

/// As [`create`], for several in one transaction: all of them or none. Their hashes are computed on as many threads as there
/// are cores.
///
/// # Errors
/// [`CreateError`]; which request it is, [`check`] tells beforehand.
pub async fn create_all(
    settings: &Settings,
    store: &Database,
    requests: Vec<Request>,
    actor: &Actor,
) -> Result<Vec<Created>, CreateError> {
    requests.iter().try_for_each(|request| check(settings, request))?;
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let (mut passwords, mut all) = (Vec::with_capacity(requests.len()), Vec::with_capacity(requests.len()));
    let mut making = VecDeque::with_capacity(cores);
    let mut waiting = requests.into_iter();
    loop {
        while making.len() < cores
            && let Some(request) = waiting.next()
        {
            let settings = settings.clone();
            making.push_back(tokio::spawn(async move { make(&settings, request).await }));
        }
        let Some(next) = making.pop_front() else { break };
        let (password, created) = next.await.map_err(|error| CreateError::Hashing(error.to_string()))??;
        passwords.push(password);
        all.push(created);
    }
    store.create_passwords(passwords, actor).await.map_err(CreateError::Store)?;
    Ok(all)
}

/// Draws a password and computes its hash.
async fn make(settings: &Settings, request: Request) -> Result<(NewPassword, Created), CreateError> {
    let Request { entity, label, names, ttl, uses } = request;
    let entropy = shell::entropy().map_err(CreateError::Entropy)?;
    let hasher = settings.otp.hasher().map_err(CreateError::Hashing)?;
    let length = settings.otp.token_length;
    let made = tokio::task::spawn_blocking(move || OneTimePassword::generate(&entropy, length, &hasher));
    let OneTimePassword { id, clear, hash } = made.await.map_err(|error| CreateError::Hashing(error.to_string()))?;
    let created = shell::now();
    let expires = created + ttl.unwrap_or(settings.otp.default_ttl);
    let max_uses = uses.unwrap_or(settings.otp.max_uses);
    let password = NewPassword {
        id: id.clone(),
        hash: Secret::new(hash),
        entity: entity.clone(),
        label: label.clone(),
        names: names.clone(),
        created,
        expires,
        max_uses,
    };
    Ok((password, Created { id, clear, entity, label, names, created, expires, max_uses }))
}

/// Tells whether such a password can be made.
///
/// # Errors
/// [`CreateError::Invalid`].
pub fn check(settings: &Settings, request: &Request) -> Result<(), CreateError> {
    let invalid = |field, reason: String| Err(CreateError::Invalid { field, reason });
    if let Some(entity) = &request.entity {
        if !(1..=LONGEST_ENTITY).contains(&entity.chars().count()) {
            return invalid("entity", format!("must have 1 to {LONGEST_ENTITY} characters"));
        }
        // A user name with a colon cannot be sent (RFC 7617 §2).
        if entity.contains(':') || entity.chars().any(is_hidden) {
            let reason = "must be a user name: without a colon, and without control characters or invisible ones";
            return invalid("entity", reason.into());
        }
    }
    if let Some(label) = &request.label
        && !settings.labels.iter().any(|known| known.name == *label)
    {
        let known: Vec<&str> = settings.labels.iter().map(|label| label.name.as_str()).collect();
        let known = if known.is_empty() { "there is none".into() } else { format!("there are: {}", known.join(", ")) };
        return invalid("label", format!("{label:?} is not the name of one; {known}"));
    }
    if request.names.len() > MOST_NAMES || request.names.iter().any(|name| name.len() > LONGEST_NAME) {
        return invalid("names", format!("must be {MOST_NAMES} at most, each of {LONGEST_NAME} octets at most"));
    }
    if let Err(reason) = Allowance::parse(&request.names) {
        return invalid("names", reason);
    }
    if let Some(ttl) = request.ttl
        && !(1..=LONGEST_TTL.0).contains(&ttl.0)
    {
        return invalid("ttl", "must be between one second and 365 days".into());
    }
    if let Some(uses) = request.uses
        && !(1..=MOST_USES).contains(&uses)
    {
        return invalid("uses", format!("must be between 1 and {MOST_USES}"));
    }
    Ok(())
}
