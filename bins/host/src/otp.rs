//! Making one-time passwords, for whoever asks: a command or the admin API.

use est_auth::OneTimePassword;
use est_core::{Seconds, Secret, UnixTime};
use est_store::{Actor, Database, NewPassword};

use crate::shell;

/// A password that was just made.
pub struct Created {
    /// Its public half, by which it is listed and revoked.
    pub id: String,
    /// The password.
    pub clear: Secret,
    /// When it was made.
    pub created: UnixTime,
    /// When it ends.
    pub expires: UnixTime,
}

/// Makes a password for `entity`, or for anybody, and remembers its hash.
///
/// # Errors
/// What the system's randomness or the database says.
pub async fn create(
    store: &Database,
    entity: Option<&str>,
    ttl: Seconds,
    uses: u32,
    actor: &Actor,
) -> Result<Created, Box<dyn std::error::Error + Send + Sync>> {
    let OneTimePassword { id, clear, hash } = OneTimePassword::generate(&shell::entropy()?);
    let created = shell::now();
    let password = NewPassword {
        id: id.clone(),
        hash: Secret::new(hash),
        entity: entity.map(str::to_owned),
        label: None,
        created,
        expires: created + ttl,
        max_uses: uses,
    };
    store.create_password(password, actor).await?;
    Ok(Created { id, clear, created, expires: created + ttl })
}
