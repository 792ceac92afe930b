//! One-time passwords.

mod hashing;
mod line;
pub(crate) mod password;
mod proven;

use std::num::NonZeroUsize;
use std::sync::Arc;

use est_core::{
    Authenticator, Credentials, Doubt, Entropy, Evidence, PortError, PortFuture, Principal, UnixTime, Verdict,
};
use subtle::ConstantTimeEq;

use hashing::Hashing;
use line::Lines;
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
}

/// A one-time password as it is stored.
#[derive(Clone)]
pub struct StoredPassword {
    /// The Argon2id hash of its secret, a PHC string.
    pub hash: String,
    /// Whom it was created for, if for somebody.
    pub entity: Option<String>,
    /// When it ends, or ended.
    pub expires: UnixTime,
}

/// Knows the holders of one-time passwords.
///
/// Every failure is the same [`Doubt::PasswordRejected`]. A password with an entity is good with that user name
/// alone, one without is good with any, the empty one included. An id that is not found costs no hash. Needs a
/// tokio runtime.
pub struct PasswordAuthenticator {
    passwords: Arc<dyn Passwords>,
    lines: Lines,
    hashing: Hashing,
    proven: Proven,
}

impl PasswordAuthenticator {
    /// For every hash that may be computed at a time, so many more may wait: about two seconds.
    const WAITING_PER_WORKER: usize = 128;
    /// So many may wait for the same password, one of them for its hash: ids are no secret, and who guesses at one
    /// must not keep the others waiting.
    const WAITING_PER_PASSWORD: usize = 128;

    /// Checks at most `concurrency` hashes at a time, on blocking threads; [`Self::usual_concurrency`] is a good
    /// choice. Each takes 19 MiB and some 20 ms.
    ///
    /// `entropy` keys the memory of what was proven a moment ago.
    #[must_use]
    pub fn new(passwords: Arc<dyn Passwords>, concurrency: NonZeroUsize, entropy: &Entropy) -> Self {
        let waiting = concurrency.get().saturating_mul(Self::WAITING_PER_WORKER);
        Self {
            passwords,
            lines: Lines::new(Self::WAITING_PER_PASSWORD),
            hashing: Hashing::new(concurrency, waiting),
            proven: Proven::new(entropy),
        }
    }

    /// One hash per core.
    #[must_use]
    pub fn usual_concurrency() -> NonZeroUsize {
        std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
    }

    async fn judge(&self, evidence: &Evidence, now: UnixTime) -> Result<Verdict, PortError> {
        let Some(credentials) = &evidence.credentials else { return Ok(Verdict::Unknown(Doubt::NothingShown)) };
        Ok(match self.principal(credentials, now).await? {
            Some(principal) => Verdict::Known(principal),
            None => Verdict::Unknown(Doubt::PasswordRejected),
        })
    }

    async fn principal(&self, credentials: &Credentials, now: UnixTime) -> Result<Option<Principal>, PortError> {
        let Some((id, secret)) = OneTimePassword::parse(credentials.password.reveal()) else { return Ok(None) };
        let Some(stored) = self.passwords.find(&id, now).await? else { return Ok(None) };
        if !is_for(&stored, &credentials.user) {
            return Ok(None);
        }
        if !self.proven.holds(&id, &secret, &stored.hash) {
            let _first = self.lines.first(&id).await?;
            // Somebody with the same password may have been first.
            if !self.proven.holds(&id, &secret, &stored.hash) {
                let turn = self.hashing.turn().await?;
                if !turn.verifies(secret.clone(), stored.hash.clone()).await? {
                    return Ok(None);
                }
                self.proven.remember(&id, &secret, &stored.hash);
            }
        }
        Ok(Some(Principal::OneTimePassword { id, entity: stored.entity, expires: stored.expires }))
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
