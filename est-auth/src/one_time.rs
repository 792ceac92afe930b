//! One-time passwords.

pub(crate) mod hash;
pub(crate) mod hashing;
pub(crate) mod password;
mod proven;

use std::sync::Arc;

use est_core::policy::Allowance;
use est_core::{
    Authenticator, Doubt, Entropy, Evidence, Guess, Lockout, PortError, PortFuture, Principal, Seconds, UnixTime,
    Verdict,
};
use subtle::ConstantTimeEq;

use hash::SecretHasher;
use hashing::Hashing;
use password::OneTimePassword;
use proven::Proven;

/// Finds one-time passwords.
pub trait Passwords: Send + Sync {
    /// Finds the password with this id; `None` when there is none, or it was revoked or has expired.
    ///
    /// A password whose uses are spent is still found: whether the request that comes with it is one that was answered
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
    /// What names it is good for besides the entity's own.
    pub allowance: Arc<Allowance>,
}

/// Knows the holders of one-time passwords.
///
/// Every failure is the same [`Doubt::PasswordRejected`], and costs the same: a hash, whether there is such a password
/// or not. A password with an entity is good with that user name alone, one without is good with any, the empty one
/// included.
///
/// A failure counts against the user name, the password's id and the peer's address (its /64 where that is IPv6), as a
/// [`Guess`] that the store is to remember. Who is locked out for that hears [`Doubt::LockedOut`] and costs no hash.
/// Those who wait for a hash stand in lines, one for each address, that take turns: who guesses from one address keeps
/// nobody waiting for long who comes from another.
/// Needs a tokio runtime.
pub struct PasswordAuthenticator {
    passwords: Arc<dyn Passwords>,
    hasher: Arc<SecretHasher>,
    /// What a password that is not there is checked against.
    decoy: String,
    lockout: Lockout,
    hashing: Arc<Hashing>,
    proven: Proven,
}

impl PasswordAuthenticator {
    /// Computes hashes as `hashing` gives turns, on threads that let others go first; when too many wait for one, the next
    /// is an outage ([`PortError`]) at once.
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
        }
    }

    async fn judge(&self, evidence: &Evidence, now: UnixTime) -> Result<Verdict, PortError> {
        let Some(credentials) = &evidence.credentials else { return Ok(Verdict::Unknown(Doubt::NothingShown)) };
        let parsed = OneTimePassword::parse(credentials.password.reveal());
        let id = parsed.as_ref().map(|(id, _)| id.as_str());
        let guess = Guess::new(&credentials.user, id, evidence.origin, self.lockout);
        if let Some(doubt) = self.lock(&guess, now).await? {
            return Ok(Verdict::Unknown(doubt));
        }
        let Some((id, secret)) = parsed else { return Ok(Verdict::Guessed(Doubt::PasswordRejected, guess)) };
        let found = self.passwords.find(&id, now).await?.filter(|stored| is_for(stored, &credentials.user));
        let hash = found.as_ref().map_or(&self.decoy, |stored| &stored.hash);
        let is_proven = || found.is_some() && self.proven.holds(&id, &secret, hash);
        if !is_proven() {
            // Each address has a line of its own; where none is known, each password has.
            let line = guess.against.last().map_or("", String::as_str);
            let leave = self.hashing.leave(line).await?;
            // Somebody with the same password may have been first.
            if !is_proven() {
                // Others may have guessed enough while this one waited.
                if let Some(doubt) = self.lock(&guess, now).await? {
                    return Ok(Verdict::Unknown(doubt));
                }
                let verifies = leave.verifies(self.hasher.clone(), secret.clone(), hash.clone()).await?;
                if !verifies || found.is_none() {
                    return Ok(Verdict::Guessed(Doubt::PasswordRejected, guess));
                }
                self.proven.remember(&id, &secret, hash);
            }
        }
        Ok(match found {
            Some(StoredPassword { entity, expires, label, allowance, .. }) => {
                Verdict::Known(Principal::OneTimePassword { id, entity, expires, label, allowance })
            }
            None => Verdict::Guessed(Doubt::PasswordRejected, guess),
        })
    }

    async fn lock(&self, guess: &Guess, now: UnixTime) -> Result<Option<Doubt>, PortError> {
        let until = self.passwords.locked_until(&guess.against, now).await?;
        Ok(until.map(|until| Doubt::LockedOut(Seconds(until.0.saturating_sub(now.0).max(1)))))
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
