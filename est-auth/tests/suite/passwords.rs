//! Holders of one-time passwords.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};

use est_auth::{
    Hashing, OneTimePassword, PasswordAuthenticator, PasswordState, Passwords, SecretHasher, StoredPassword,
};
use est_core::{
    Authenticator, Credentials, Doubt, Entropy, Evidence, Lockout, PortError, PortFuture, Principal, Seconds, Secret,
    UnixTime, Verdict,
};

use crate::now;

const NOW: UnixTime = UnixTime(1_800_000_000);

/// Rows in memory; `None` when the store is down. The second has the lockouts, and their ends.
struct Rows(Mutex<Option<BTreeMap<String, StoredPassword>>>, Mutex<BTreeMap<String, UnixTime>>);

impl Passwords for Rows {
    fn find<'a>(&'a self, id: &'a str, _: UnixTime) -> PortFuture<'a, Option<StoredPassword>> {
        let rows = self.0.lock().unwrap();
        let found = rows.as_ref().map(|rows| rows.get(id).cloned()).ok_or_else(|| PortError("down".into()));
        Box::pin(async { found })
    }

    fn locked_until<'a>(&'a self, who: &'a [String], now: UnixTime) -> PortFuture<'a, Option<UnixTime>> {
        let locked = self.1.lock().unwrap();
        let until = who.iter().filter_map(|who| locked.get(who).copied()).filter(|until| *until > now).max();
        Box::pin(async move { Ok(until) })
    }
}

const LOCKOUT: Lockout =
    Lockout { max_failures: 5, max_address_failures: 50, window: Seconds(900), duration: Seconds(1800) };

fn generate(entropy: u8) -> OneTimePassword {
    OneTimePassword::generate(&Entropy([entropy; 32]), 32, &SecretHasher::argon2id())
}

fn stored(password: &OneTimePassword, entity: Option<&str>) -> StoredPassword {
    StoredPassword {
        hash: password.hash.clone(),
        entity: entity.map(Into::into),
        expires: NOW,
        label: Some("factory".into()),
        names: Vec::new(),
        state: PasswordState::Good,
    }
}

struct World {
    rows: Arc<Rows>,
    authenticator: Arc<PasswordAuthenticator>,
    password: OneTimePassword,
}

/// One password, for `entity`.
fn world(entity: Option<&str>) -> World {
    let password = generate(5);
    let stored = stored(&password, entity);
    let rows = Rows(Mutex::new(Some(BTreeMap::from([(password.id.clone(), stored)]))), Mutex::default());
    let (rows, hasher) = (Arc::new(rows), SecretHasher::argon2id());
    let hashing = Arc::new(Hashing::new(NonZeroUsize::MIN, 1));
    let authenticator = PasswordAuthenticator::new(rows.clone(), hasher, LOCKOUT, hashing, &Entropy([6; 32]));
    let authenticator = Arc::new(authenticator);
    World { rows, authenticator, password }
}

fn credentials(user: &str, password: &str) -> Evidence {
    let credentials = Credentials { user: user.into(), password: Secret::new(password.into()) };
    Evidence { credentials: Some(credentials), ..Evidence::default() }
}

fn is_known(verdict: &Verdict) -> bool {
    match verdict {
        Verdict::Known(_) => true,
        Verdict::Guessed(doubt, guess) => {
            assert_eq!(*doubt, Doubt::PasswordRejected);
            assert_eq!(guess.lockout, LOCKOUT);
            false
        }
        other @ (Verdict::KnownDespite(..) | Verdict::Unknown(_) | Verdict::Throttled(_) | Verdict::Crowded) => {
            panic!("{other:?}")
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

    /// Asks once and waits for nothing: an answer costs no hash.
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
    let Verdict::Known(Principal::OneTimePassword { id, entity, expires, label, .. }) = verdict else {
        panic!("{verdict:?}")
    };
    assert_eq!(label.as_deref(), Some("factory"));
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

/// Asks until something has to be waited for, and tells whether that was so.
fn has_to_wait(world: &World, user: &str, password: &str) -> bool {
    let evidence = credentials(user, password);
    let mut verdict = world.authenticator.authenticate(&evidence, NOW);
    verdict.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending()
}

#[tokio::test]
async fn computes_a_hash_for_every_id_whether_there_is_such_a_password_or_not() {
    let world = world(Some("device-1"));
    let wrong = format!("{}.{}", world.password.id, "0".repeat(32));
    for (user, text) in [
        ("device-1", wrong.as_str()),
        ("device-1", generate(9).clear.reveal()),
        ("device-2", world.password.clear.reveal()),
    ] {
        assert!(!world.knows(user, text, NOW).await, "{text}");
        assert!(has_to_wait(&world, user, text), "{text}");
    }
}

#[test]
fn computes_no_hash_for_what_is_no_password() {
    let world = world(Some("device-1"));
    for text in ["", "password", "a.b", &world.password.id, &"x".repeat(1 << 20)] {
        assert!(!world.knows_without_a_hash("device-1", text));
    }
    let nothing = now(world.authenticator.authenticate(&Evidence::default(), NOW)).unwrap();
    assert!(matches!(nothing, Verdict::Unknown(Doubt::NothingShown)));
}

#[test]
fn computes_no_hash_for_who_is_locked_out_even_with_the_right_password() {
    for who in ["user device-1", "password ID", "address 192.0.2.7", "address 192.0.2.0/24"] {
        let world = world(Some("device-1"));
        let who = who.replace("ID", &world.password.id);
        world.rows.1.lock().unwrap().insert(who.clone(), UnixTime(NOW.0 + 60));
        let mut evidence = credentials("device-1", &world.clear());
        evidence.origin = Some("192.0.2.7".parse().unwrap());
        let verdict = now(world.authenticator.authenticate(&evidence, NOW)).unwrap();
        assert!(matches!(verdict, Verdict::Unknown(Doubt::LockedOut(Seconds(60)))), "{who} {verdict:?}");
    }
}

#[tokio::test]
async fn counts_a_wrong_password_against_user_password_and_address_and_a_malformed_one_against_the_two() {
    let world = world(Some("device-1"));
    for (password, counted) in [(format!("{}.{}", world.password.id, "0".repeat(32)), 4), ("secret".to_owned(), 3)] {
        let mut evidence = credentials("device-1", &password);
        evidence.origin = Some("192.0.2.7".parse().unwrap());
        let verdict = world.authenticator.authenticate(&evidence, NOW).await.unwrap();
        let Verdict::Guessed(Doubt::PasswordRejected, guess) = verdict else { panic!("{verdict:?}") };
        assert_eq!(guess.against.len(), counted, "{guess:?}");
        assert!(!guess.names().iter().any(|who| who.contains("secret")), "{guess:?}");
    }
}

#[test]
fn computes_no_second_hash_for_the_same_password() {
    let world = world(None);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert!(runtime.block_on(world.knows("", &world.clear(), NOW)));
    assert!(world.knows_without_a_hash("", &world.clear()));

    // But it reads the row every time: another hash, another user, no row at all.
    let other = generate(9);
    world.change(|stored| stored.hash = other.hash);
    assert!(!runtime.block_on(world.knows("", &world.clear(), NOW)));
    world.rows.0.lock().unwrap().as_mut().unwrap().clear();
    assert!(!runtime.block_on(world.knows("", &world.clear(), NOW)));
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
    let (world, other) = (world(None), generate(9));
    let stored = stored(&other, None);
    world.rows.0.lock().unwrap().as_mut().unwrap().insert(other.id.clone(), stored);
    let id = &world.password.id;
    let guesses = world.guess((0..400).map(|number| credentials("", &format!("{id}.{number:032}")))).await;
    assert!(finished(&guesses) >= 400 - 1 - 128);
    assert!(world.knows("", other.clear.reveal(), NOW).await);
}

#[tokio::test]
async fn serves_one_address_while_another_guesses_at_many_passwords() {
    let world = world(None);
    let from = |address: &str, password: &str| Evidence {
        origin: Some(address.parse().unwrap()),
        ..credentials("", password)
    };
    let guesses = (0..400).map(|number| from("192.0.2.7", &format!("{number:010}.{number:032}")));
    let guesses = world.guess(guesses).await;
    assert!(finished(&guesses) >= 400 - 1 - 128);
    let honest = from("192.0.2.8", &world.clear());
    assert!(is_known(&world.authenticator.authenticate(&honest, NOW).await.unwrap()));
    // Its turn came before most of theirs.
    assert!(finished(&guesses) < 300);
}

#[tokio::test]
async fn serves_a_good_password_while_strangers_guess_from_more_networks_than_may_wait() {
    let world = world(None);
    let from_anywhere = |number: usize| Evidence {
        origin: Some(format!("2001:db8:{number:x}::7").parse().unwrap()),
        ..credentials("", &format!("{number:010}.{number:032}"))
    };
    let guesses = world.guess((0..1_000).map(from_anywhere)).await;
    let crowded = finished(&guesses);
    assert!(crowded >= 1_000 - 1 - 128, "{crowded}");
    let honest = Evidence { origin: Some("2001:db8::8".parse().unwrap()), ..credentials("", &world.clear()) };
    assert!(is_known(&world.authenticator.authenticate(&honest, NOW).await.unwrap()));
    // It came before everybody but the one that was being checked, and took the place of one that waited.
    assert!(finished(&guesses) <= crowded + 3, "{crowded} {}", finished(&guesses));
}

#[tokio::test]
async fn serves_a_good_password_while_another_one_is_guessed_at_from_everywhere() {
    let (world, other) = (world(None), generate(9));
    world.rows.0.lock().unwrap().as_mut().unwrap().insert(other.id.clone(), stored(&other, None));
    let id = &world.password.id;
    let from_anywhere = |number: usize| Evidence {
        origin: Some(format!("2001:db8:{number:x}::7").parse().unwrap()),
        ..credentials("", &format!("{id}.{number:032}"))
    };
    let guesses = world.guess((0..1_000).map(from_anywhere)).await;
    let crowded = finished(&guesses);
    let honest = Evidence { origin: Some("2001:db8::8".parse().unwrap()), ..credentials("", other.clear.reveal()) };
    assert!(is_known(&world.authenticator.authenticate(&honest, NOW).await.unwrap()));
    assert!(finished(&guesses) <= crowded + 4, "{crowded} {}", finished(&guesses));
}

#[tokio::test]
async fn the_right_password_is_no_guess_when_it_has_ended() {
    let world = world(Some("device-1"));
    for (state, told) in
        [(PasswordState::Expired, Doubt::PasswordExpired), (PasswordState::Revoked, Doubt::PasswordRevoked)]
    {
        world.change(|stored| stored.state = state);
        // Also when it was proven a moment ago.
        for _ in 0..2 {
            let evidence = credentials("device-1", &world.clear());
            let verdict = world.authenticator.authenticate(&evidence, NOW).await.unwrap();
            assert!(matches!(&verdict, Verdict::Unknown(doubt) if *doubt == told), "{verdict:?}");
        }
        let wrong = format!("{}.{}", world.password.id, "0".repeat(32));
        assert!(!world.knows("device-1", &wrong, NOW).await);
        assert!(!world.knows("device-2", &world.clear(), NOW).await);
    }
}

#[test]
fn compiles_no_pattern_before_the_secret_is_proven_and_each_one_once() {
    let world = world(None);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    // Whoever compiles it finds that it cannot be read.
    world.change(|stored| stored.names = vec!["dns:^($".to_owned()]);
    let wrong = format!("{}.{}", world.password.id, "0".repeat(32));
    assert!(!runtime.block_on(world.knows("", &wrong, NOW)));
    let right = credentials("", &world.clear());
    assert!(runtime.block_on(world.authenticator.authenticate(&right, NOW)).is_err());

    world.change(|stored| stored.names = vec!["dns:*.example".to_owned()]);
    let allowance = |verdict| {
        let Verdict::Known(Principal::OneTimePassword { allowance, .. }) = verdict else { panic!("{verdict:?}") };
        allowance
    };
    let first = allowance(runtime.block_on(world.authenticator.authenticate(&right, NOW)).unwrap());
    assert_eq!(first.written(), ["dns:*.example"]);
    let second = allowance(now(world.authenticator.authenticate(&right, NOW)).unwrap());
    assert!(Arc::ptr_eq(&first, &second));
}

type Guesses = Vec<tokio::task::JoinHandle<Result<Verdict, PortError>>>;

/// How many have their answer.
fn finished(guesses: &Guesses) -> usize {
    guesses.iter().filter(|guess| guess.is_finished()).count()
}

impl World {
    /// Has all of these judged at once: each of them has begun when this returns.
    async fn guess(&self, evidences: impl Iterator<Item = Evidence>) -> Guesses {
        let guesses = evidences.map(|evidence| {
            let authenticator = self.authenticator.clone();
            tokio::spawn(async move { authenticator.authenticate(&evidence, NOW).await })
        });
        let guesses = guesses.collect();
        // A runtime of one thread runs some of them between two looks at this one.
        for _ in 0..200 {
            tokio::task::yield_now().await;
        }
        guesses
    }
}
