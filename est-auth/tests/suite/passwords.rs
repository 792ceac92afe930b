//! Holders of one-time passwords.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};

use est_auth::{OneTimePassword, PasswordAuthenticator, Passwords, StoredPassword};
use est_core::{
    Authenticator, Credentials, Doubt, Entropy, Evidence, PortError, PortFuture, Principal, Secret, UnixTime, Verdict,
};

use crate::now;

const NOW: UnixTime = UnixTime(1_800_000_000);

/// Rows in memory; `None` when the store is down.
struct Rows(Mutex<Option<BTreeMap<String, StoredPassword>>>);

impl Passwords for Rows {
    fn find<'a>(&'a self, id: &'a str, _: UnixTime) -> PortFuture<'a, Option<StoredPassword>> {
        let rows = self.0.lock().unwrap();
        let found = rows.as_ref().map(|rows| rows.get(id).cloned()).ok_or_else(|| PortError("down".into()));
        Box::pin(async { found })
    }
}

struct World {
    rows: Arc<Rows>,
    authenticator: Arc<PasswordAuthenticator>,
    password: OneTimePassword,
}

/// One password, for `entity`.
fn world(entity: Option<&str>) -> World {
    let password = OneTimePassword::generate(&Entropy([5; 32]));
    let stored = StoredPassword { hash: password.hash.clone(), entity: entity.map(Into::into), expires: NOW };
    let rows = Arc::new(Rows(Mutex::new(Some(BTreeMap::from([(password.id.clone(), stored)])))));
    let authenticator = Arc::new(PasswordAuthenticator::new(rows.clone(), NonZeroUsize::MIN, &Entropy([6; 32])));
    World { rows, authenticator, password }
}

fn credentials(user: &str, password: &str) -> Evidence {
    let credentials = Credentials { user: user.into(), password: Secret::new(password.into()) };
    Evidence { credentials: Some(credentials), ..Evidence::default() }
}

fn is_known(verdict: &Verdict) -> bool {
    match verdict {
        Verdict::Known(_) => true,
        Verdict::Unknown(doubt) => {
            assert_eq!(*doubt, Doubt::PasswordRejected);
            false
        }
    }
}

impl World {
    fn clear(&self) -> String {
        self.password.clear.reveal().into()
    }

    async fn knows(&self, user: &str, password: &str, at: UnixTime) -> bool {
        is_known(&self.authenticator.authenticate(&credentials(user, password), at).await.unwrap())
    }

    /// Asks outside of a runtime, where no hash can be computed: who is answered costs none.
    fn knows_without_a_hash(&self, user: &str, password: &str) -> bool {
        is_known(&now(self.authenticator.authenticate(&credentials(user, password), NOW)).unwrap())
    }

    fn change(&self, change: impl FnOnce(&mut StoredPassword)) {
        change(self.rows.0.lock().unwrap().as_mut().unwrap().get_mut(&self.password.id).unwrap());
    }
}

#[tokio::test]
async fn knows_the_holder_by_id_entity_and_end() {
    let world = world(Some("device-1"));
    let evidence = credentials("device-1", &world.clear());
    let verdict = world.authenticator.authenticate(&evidence, NOW).await.unwrap();
    let Verdict::Known(Principal::OneTimePassword { id, entity, expires }) = verdict else { panic!("{verdict:?}") };
    assert_eq!((id, entity.as_deref(), expires), (world.password.id.clone(), Some("device-1"), NOW));
}

#[tokio::test]
async fn holds_a_password_with_an_entity_to_that_user_name() {
    let world = world(Some("device-1"));
    for user in ["", "device-2", "Device-1", "device-1 ", "device-"] {
        assert!(!world.knows(user, &world.clear(), NOW).await, "{user}");
    }
    assert!(world.knows("device-1", &world.clear(), NOW).await);
    // Also when the secret was proven a moment ago.
    assert!(!world.knows("device-2", &world.clear(), NOW).await);
}

#[tokio::test]
async fn takes_a_password_without_an_entity_with_any_user_name() {
    let world = world(None);
    for user in ["", "device-1", "anybody"] {
        assert!(world.knows(user, &world.clear(), NOW).await, "{user}");
    }
}

#[tokio::test]
async fn refuses_a_wrong_secret_and_takes_capital_letters_for_small_ones() {
    let world = world(None);
    let clear = world.clear();
    let last = if clear.ends_with('0') { "1" } else { "0" };
    assert!(!world.knows("", &format!("{}{last}", &clear[..clear.len() - 1]), NOW).await);
    assert!(world.knows("", &clear.to_ascii_uppercase(), NOW).await);
    assert!(!world.knows("", &format!("{}{last}", &clear[..clear.len() - 1]), NOW).await);
}

#[tokio::test]
async fn leaves_it_to_the_store_how_long_a_password_lasts() {
    let world = world(None);
    // The store still finds it: a request that used it in time waits for its answer.
    assert!(world.knows("", &world.clear(), UnixTime(NOW.0 + 1)).await);
    world.rows.0.lock().unwrap().as_mut().unwrap().clear();
    assert!(!world.knows("", &world.clear(), NOW).await);
}

#[test]
fn computes_no_hash_for_what_cannot_be_right() {
    let world = world(Some("device-1"));
    let unknown = OneTimePassword::generate(&Entropy([9; 32]));
    assert!(!world.knows_without_a_hash("device-1", unknown.clear.reveal()));
    assert!(!world.knows_without_a_hash("device-2", &world.clear()));
    for text in ["", "password", "a.b", &world.password.id, &"x".repeat(1 << 20)] {
        assert!(!world.knows_without_a_hash("device-1", text));
    }
    let nothing = now(world.authenticator.authenticate(&Evidence::default(), NOW)).unwrap();
    assert!(matches!(nothing, Verdict::Unknown(Doubt::NothingShown)));
}

#[test]
fn computes_no_second_hash_for_the_same_password() {
    let world = world(None);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert!(runtime.block_on(world.knows("", &world.clear(), NOW)));
    assert!(world.knows_without_a_hash("", &world.clear()));

    // But it reads the row every time: another hash, another user, no row at all.
    let other = OneTimePassword::generate(&Entropy([9; 32]));
    world.change(|stored| stored.hash = other.hash);
    assert!(!runtime.block_on(world.knows("", &world.clear(), NOW)));
    world.rows.0.lock().unwrap().as_mut().unwrap().clear();
    assert!(!world.knows_without_a_hash("", &world.clear()));
}

#[tokio::test]
async fn serves_many_at_once_with_one_hash_at_a_time() {
    let world = world(None);
    let requests: Vec<_> = (0..64)
        .map(|_| {
            let (authenticator, evidence) = (world.authenticator.clone(), credentials("", &world.clear()));
            tokio::spawn(async move { is_known(&authenticator.authenticate(&evidence, NOW).await.unwrap()) })
        })
        .collect();
    for request in requests {
        assert!(request.await.unwrap());
    }
}

#[tokio::test]
async fn is_out_of_order_without_its_store_and_with_a_broken_hash() {
    let world = world(None);
    let evidence = credentials("", &world.clear());
    world.change(|stored| stored.hash = "broken".into());
    let error = world.authenticator.authenticate(&evidence, NOW).await.unwrap_err();
    assert!(!error.to_string().contains(&world.clear()));
    *world.rows.0.lock().unwrap() = None;
    assert!(world.authenticator.authenticate(&evidence, NOW).await.is_err());
}

#[tokio::test]
async fn serves_one_password_while_another_is_guessed_at() {
    let (world, other) = (world(None), OneTimePassword::generate(&Entropy([9; 32])));
    let stored = StoredPassword { hash: other.hash.clone(), entity: None, expires: NOW };
    world.rows.0.lock().unwrap().as_mut().unwrap().insert(other.id.clone(), stored);
    let evidences: Vec<_> =
        (0..400).map(|number| credentials("", &format!("{}.{number:032}", world.password.id))).collect();
    // More than may wait in all.
    let mut guesses: Vec<_> =
        evidences.iter().map(|evidence| world.authenticator.authenticate(evidence, NOW)).collect();
    for guess in &mut guesses {
        let _ = guess.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    }
    assert!(world.knows("", other.clear.reveal(), NOW).await);
}
