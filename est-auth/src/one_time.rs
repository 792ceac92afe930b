//! One-time passwords.

mod allowances;
pub(crate) mod hash;
pub(crate) mod hashing;
pub(crate) mod password;
mod proven;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use est_core::{
    Authenticator, Doubt, Entropy, Evidence, Guess, Lockout, PortError, PortFuture, Principal, Seconds, UnixTime,
    Verdict, networks,
};
use subtle::ConstantTimeEq;

use crate::turns::Line;
use allowances::Allowances;
use hash::SecretHasher;
use hashing::Hashing;
use password::OneTimePassword;
use proven::Proven;

/// Finds one-time passwords.
pub trait Passwords: Send + Sync {
    /// Finds the password with this id; `None` when there is none.
    ///
    /// A password whose uses are spent is still good: whether the request that comes with it is one that was answered
    /// before is for the claim to say. So is one that has expired, for as long as a request that used it in time has no
    /// answer yet: it can be used for nothing else, and a slow approval locks nobody out.
    fn find<'a>(&'a self, id: &'a str, now: UnixTime) -> PortFuture<'a, Option<StoredPassword>>;

    /// Until when somebody is locked out because of wrong passwords that counted against one of these; `None` when
    /// nobody is.
    fn locked_until<'a>(&'a self, who: &'a [String], now: UnixTime) -> PortFuture<'a, Option<UnixTime>>;
}

/// A one-time password as it is stored.
#[derive(Clone)]
pub struct StoredPassword {
    /// What a [`SecretHasher`] made of its secret.
    pub hash: String,
    /// Whom it was created for, if for somebody.
    pub entity: Option<String>,
    /// When it ends, or ended.
    pub expires: UnixTime,
    /// The label that it is for, if for one.
    pub label: Option<String>,
    /// The names that it is good for in addition to the entity's own, as [`Allowance::parse`](est_core::policy::Allowance::parse) reads
    /// them.
    pub names: Vec<String>,
    /// What has become of it.
    pub state: PasswordState,
}

/// Without the hash.
impl fmt::Debug for StoredPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredPassword")
            .field("entity", &self.entity)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

/// What has become of a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordState {
    /// It is good.
    Good,
    /// It has ended, and no request waits that used it in time.
    Expired,
    /// It was revoked.
    Revoked,
}

/// Knows the holders of one-time passwords.
///
/// A wrong password is always the same [`Doubt::PasswordRejected`], and costs the same: a hash, whether there is such a
/// password or not. A password with an entity is good with that user name alone, one without is good with any, the empty one
/// included.
///
/// A failure counts against the user name, the password's id, and the peer's address and its [`networks`], as a [`Guess`]
/// that the store is to remember. A client that is locked out for that gets [`Doubt::LockedOut`] and costs no hash. The right
/// password for the user name is not a guess, even if it has ended or was revoked.
///
/// Clients that name a good password and its user wait for a hash in a line for each password, and within it by network. All
/// others wait behind them, in lines by network: they can only be wrong.
/// Needs a tokio runtime.
pub struct PasswordAuthenticator {
    passwords: Arc<dyn Passwords>,
    hasher: Arc<SecretHasher>,
    /// What a password that is not there is checked against.
    decoy: String,
    lockout: Lockout,
    hashing: Arc<Hashing>,
    proven: Proven,
    allowances: Arc<Allowances>,
}

impl fmt::Debug for PasswordAuthenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PasswordAuthenticator").finish_non_exhaustive()
    }
}

impl PasswordAuthenticator {
    /// Computes hashes as `hashing` gives turns, on threads that let others go first; when too many wait for one, some get
    /// [`Verdict::Crowded`] at once.
    ///
    /// `hasher` makes the hashes of the passwords that are created, so that those that do not exist cost the same;
    /// `entropy` keys the memory of what was proven a moment ago.
    #[must_use]
    pub fn new(
        passwords: Arc<dyn Passwords>,
        hasher: SecretHasher,
        lockout: Lockout,
        hashing: Arc<Hashing>,
        entropy: &Entropy,
    ) -> Self {
        Self {
            passwords,
            // Nobody can show its secret: it is not kept, and would be found under no id.
            decoy: OneTimePassword::generate(entropy, 128, &hasher).hash,
            hasher: Arc::new(hasher),
            lockout,
            hashing,
            proven: Proven::new(entropy),
            allowances: Arc::default(),
        }
    }

    async fn judge(&self, evidence: &Evidence, now: UnixTime) -> Result<Verdict, PortError> {
        let Some(credentials) = &evidence.credentials else { return Ok(Verdict::Unknown(Doubt::NothingShown)) };
        let parsed = OneTimePassword::parse(credentials.password.reveal());
        let id = parsed.as_ref().map(|(id, _)| id.as_str());
        let guess = Guess::new(&credentials.user, id, evidence.origin, self.lockout);
        let against = guess.names();
        if let Some(doubt) = self.lock(&against, now).await? {
            return Ok(Verdict::Unknown(doubt));
        }
        let Some((id, secret)) = parsed else { return Ok(Verdict::Guessed(Doubt::PasswordRejected, guess)) };
        let found = self.passwords.find(&id, now).await?.filter(|stored| is_for(stored, &credentials.user));
        let hash = found.as_ref().map_or(&self.decoy, |stored| &stored.hash).clone();
        let names = found.as_ref().map(|stored| stored.names.clone()).unwrap_or_default();
        let line =
            || line(&id, evidence.origin, found.as_ref().is_some_and(|stored| stored.state == PasswordState::Good));
        let is_proven = || found.is_some() && self.proven.holds(&id, &secret, &hash);
        let mut allowance = self.allowances.known(&names);
        if !is_proven() || allowance.is_none() {
            let Some(turn) = self.hashing.turn(line()).await else { return Ok(Verdict::Crowded) };
            // Others may have guessed enough while this one waited.
            if let Some(doubt) = self.lock(&against, now).await? {
                return Ok(Verdict::Unknown(doubt));
            }
            // Somebody with the same password may have been first.
            let hash = (!is_proven()).then(|| hash.clone());
            let (hasher, allowances, shown) = (self.hasher.clone(), self.allowances.clone(), secret.clone());
            let checked = hashing::check(turn, move || match hash {
                Some(hash) if !hasher.verifies(&shown, &hash)? => Ok(None),
                // In the same turn, and only for a client that has proven the secret.
                Some(_) | None => allowances.of(&names).map(Some),
            });
            allowance = checked.await?;
        }
        let (Some(stored), Some(allowance)) = (found, allowance) else {
            return Ok(Verdict::Guessed(Doubt::PasswordRejected, guess));
        };
        self.proven.remember(&id, &secret, &hash);
        let StoredPassword { entity, expires, label, state, .. } = stored;
        Ok(match state {
            PasswordState::Good => Verdict::Known(Principal::OneTimePassword { id, entity, expires, label, allowance }),
            PasswordState::Expired => Verdict::Unknown(Doubt::PasswordExpired),
            PasswordState::Revoked => Verdict::Unknown(Doubt::PasswordRevoked),
        })
    }

    async fn lock(&self, against: &[String], now: UnixTime) -> Result<Option<Doubt>, PortError> {
        let until = self.passwords.locked_until(against, now).await?;
        Ok(until.map(|until| Doubt::LockedOut(Seconds(until.0.saturating_sub(now.0).max(1)))))
    }
}

/// Where to wait for the password with this `id` to be checked.
fn line(id: &str, origin: Option<IpAddr>, is_good: bool) -> Line {
    let password = format!("password {id}");
    let networks = origin.map(networks).unwrap_or_default();
    let mut networks: Vec<String> = networks.into_iter().rev().map(|network| network.text).collect();
    if networks.is_empty() {
        networks.push("nowhere".to_owned());
    }
    if is_good {
        // However many addresses somebody has, to every good password there is one line.
        Line::new([vec![password], networks].concat())
    } else {
        networks.push(password);
        Line::new(networks).behind()
    }
}

fn is_for(stored: &StoredPassword, user: &str) -> bool {
    stored.entity.as_ref().is_none_or(|entity| entity.as_bytes().ct_eq(user.as_bytes()).into())
}

impl Authenticator for PasswordAuthenticator {
    fn authenticate<'a>(&'a self, evidence: &'a Evidence, now: UnixTime) -> PortFuture<'a, Verdict> {
        Box::pin(self.judge(evidence, now))
    }
}
