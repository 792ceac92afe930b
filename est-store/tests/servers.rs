//! What is particular to database servers: networks that break, servers that crash, TLS, and nodes that start together.

#![cfg(all(feature = "postgres", feature = "mariadb"))]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "suite/support.rs"]
mod support;

use std::path::Path;
use std::time::Duration;

use est_core::{Claimed, Seconds, Store as _};
use est_store::{
    Actor, AuditFilter, CertificateFilter, Database, DatabaseUrl, Retention, ServerEvent, StoreError, migrations,
};
use est_testkit::databases::{DatabaseServer, FlakyProxy, MariadbServer, PostgresServer};
use est_testkit::peers::OpenSsl;
use mysql_async::prelude::Queryable as _;

use support::{
    LEASE, TestClock, WINDOW, after, again, csr, intent, issued, new_password, password_holder, sign_certificate,
};

fn url(text: &str) -> DatabaseUrl {
    DatabaseUrl::parse(text, Path::new("/")).unwrap()
}

/// Opens a database that does not wait long for a server that is gone.
fn open(at: &str, clock: &TestClock) -> Result<Database, StoreError> {
    let mut options = clock.to_options();
    options.connect_timeout = Duration::from_millis(200);
    Database::open_url(&url(at), options)
}

/// Creates a password, claims and records with it, as far as that goes.
async fn enroll(store: &Database, number: u32, intent: &est_core::Intent) -> bool {
    let password = new_password(&format!("p{number}"), 1);
    match store.create_password(password, &Actor::local("admin")).await {
        Ok(()) | Err(StoreError::PasswordExists) => {}
        Err(_) => return false,
    }
    match store.claim(intent).await {
        Ok(Claimed::Fresh) => store.record(&issued(intent, &sign_certificate(intent))).await.is_ok(),
        Ok(Claimed::Finished(_)) => true,
        Ok(other) => panic!("{other:?}"),
        Err(_) => false,
    }
}

/// Breaks the network at every place where it can break.
async fn nothing_is_half_written_wherever_the_network_breaks(port: u16, at: &str) {
    let (clock, proxy) = (TestClock::new(), FlakyProxy::before(port));
    let direct = open(at, &clock).unwrap();
    let store = open(&proxy.url(at), &clock).unwrap();
    let mut broken = 0;
    for pieces in 0.. {
        let first = intent(password_holder(&format!("p{pieces}")), &csr("device-1"));
        proxy.break_after(pieces);
        let done = enroll(&store, pieces, &first).await;
        let was_broken = proxy.is_broken();
        proxy.heal();
        if !done {
            assert!(was_broken, "nothing else goes wrong");
            broken += 1;
            // Whoever held the claim is gone.
            clock.advance(Seconds(LEASE.0 + 1));
            assert!(enroll(&store, pieces, &again(&first, first.now)).await, "works again after piece {pieces}");
        }
        let certificates = direct.certificates(CertificateFilter::default(), 1_000, None).await.unwrap().items.len();
        let issued = AuditFilter { event: Some("cert.issued".into()), ..AuditFilter::default() };
        let records = direct.audit(issued, 1_000, None).await.unwrap().items.len();
        assert_eq!((certificates, records), (pieces as usize + 1, pieces as usize + 1), "after piece {pieces}");
        let passwords = direct.list_passwords(None, 1_000, None).await.unwrap().items;
        assert!(passwords.iter().all(|password| password.uses == 1), "after piece {pieces}");
        if !was_broken {
            break;
        }
    }
    assert!(broken > 5, "it broke at {broken} places");
}

#[tokio::test]
async fn nothing_is_half_written_wherever_the_network_to_postgres_breaks() {
    let Some(server) = PostgresServer::shared() else { return };
    nothing_is_half_written_wherever_the_network_breaks(server.port(), &server.url()).await;
}

#[tokio::test]
async fn nothing_is_half_written_wherever_the_network_to_mariadb_breaks() {
    let Some(server) = MariadbServer::shared() else { return };
    nothing_is_half_written_wherever_the_network_breaks(server.port(), &server.url()).await;
}

#[tokio::test]
async fn a_server_that_crashes_is_used_again_when_it_is_back() {
    let (Some(postgres), Some(mariadb)) = (PostgresServer::find(), MariadbServer::find()) else { return };
    let clock = TestClock::new();
    let stores = [&postgres.url(), &mariadb.url()].map(|at| open(at, &clock).unwrap());
    for store in &stores {
        store.note(ServerEvent::Startup, None).await.unwrap();
        store.password("p1", after(0)).await.unwrap();
    }
    postgres.stop();
    mariadb.stop();
    for store in &stores {
        let refused = store.note(ServerEvent::Startup, None).await.unwrap_err();
        assert!(matches!(refused, StoreError::NotCommitted(_)), "{refused}");
        let refused = store.password("p1", after(0)).await.unwrap_err();
        assert!(matches!(refused, StoreError::Unreachable(_)), "{refused}");
        assert!(!refused.to_string().contains("p%w/rd@1") && !refused.to_string().contains("p%25w"), "{refused}");
    }
    postgres.start();
    mariadb.start();
    for store in &stores {
        store.note(ServerEvent::Startup, None).await.unwrap();
        assert_eq!(store.audit(AuditFilter::default(), 10, None).await.unwrap().items.len(), 2);
    }
}

#[tokio::test]
async fn a_lock_on_an_old_claim_keeps_nobody_from_writing() {
    let (Some(postgres), Some(mariadb)) = (PostgresServer::shared(), MariadbServer::shared()) else { return };
    let (one, two) = (postgres.url(), mariadb.url());
    for (at, database) in [(&one, postgres as &dyn DatabaseServer), (&two, mariadb)] {
        let clock = TestClock::new();
        let store = open(at, &clock).unwrap();
        assert!(enroll(&store, 1, &intent(password_holder("p1"), &csr("device-1"))).await);
        // Before the claim is old: what follows an answer may still be under way.
        let lock = Lock::take(at, "SELECT identity FROM claims FOR UPDATE").await;
        clock.advance(Seconds(WINDOW.0 + 1));
        // The second comes after what follows the first.
        for _ in 0..2 {
            store.note(ServerEvent::Startup, None).await.unwrap();
        }
        assert_eq!(database.run(at, "SELECT count(*) FROM claims"), "1");
        lock.end("ROLLBACK").await;
        clock.advance(Seconds(1));
        for _ in 0..2 {
            store.note(ServerEvent::Startup, None).await.unwrap();
        }
        assert_eq!(database.run(at, "SELECT count(*) FROM claims"), "0");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_revoked_while_it_is_about_to_be_deleted_stays() {
    let (Some(postgres), Some(mariadb)) = (PostgresServer::shared(), MariadbServer::shared()) else { return };
    let (one, two) = (postgres.url(), mariadb.url());
    let waiting = [
        "pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
        "information_schema.innodb_trx JOIN information_schema.processlist ON id = trx_mysql_thread_id \
         WHERE db = database() AND trx_state = 'LOCK WAIT'",
    ];
    let contents = ["decode(repeat('00', 32), 'hex')", "unhex(repeat('00', 32))"];
    let databases = [(&one, postgres as &dyn DatabaseServer), (&two, mariadb)];
    for ((at, database), (waiting, contents)) in databases.into_iter().zip(waiting.into_iter().zip(contents)) {
        let clock = TestClock::new();
        let store = open(at, &clock).unwrap();
        assert!(enroll(&store, 1, &intent(password_holder("p1"), &csr("device-1"))).await);
        clock.advance(Seconds(WINDOW.0 + 1));
        for _ in 0..2 {
            store.note(ServerEvent::Startup, None).await.unwrap();
        }
        let revoke = format!(
            "INSERT INTO revocations (certificate, contents, revoked_at, reason) \
             SELECT number, {contents}, 1800000000, 1 FROM certificates"
        );
        let revoking = Lock::take(at, &revoke).await;
        let pruning = tokio::spawn(async move {
            let retention = Retention { certificates: Some(Seconds(1)), ..Retention::default() };
            let later = after(0) + Seconds::from_days(100);
            store.prune(retention, later, &Actor::local("admin"), |_| {}).await.unwrap()
        });
        while database.run(at, &format!("SELECT count(*) FROM {waiting}")) == "0" {}
        revoking.end("COMMIT").await;
        assert_eq!(pruning.await.unwrap().certificates, 0);
        assert_eq!(database.run(at, "SELECT count(*) FROM certificates JOIN revocations ON number = certificate"), "1");
    }
}

#[tokio::test]
async fn a_server_that_may_not_be_written_to_any_more_is_left_for_the_one_that_may() {
    let Some(server) = PostgresServer::find() else { return };
    let (at, clock) = (server.url(), TestClock::new());
    let store = open(&at, &clock).unwrap();
    assert!(enroll(&store, 1, &intent(password_holder("p1"), &csr("device-1"))).await);
    // The connections that there are become read-only; new ones to this database do not.
    let (other, name) = at.rsplit_once('/').map(|(server, name)| (format!("{server}/postgres"), name)).unwrap();
    server.run(&at, &format!("ALTER ROLE ohia IN DATABASE {name} SET default_transaction_read_only = off"));
    server.run(&at, "ALTER SYSTEM SET default_transaction_read_only = on");
    server.run(&at, "SELECT pg_reload_conf()");
    while server.run(&other, "SHOW default_transaction_read_only") != "on" {}
    assert!(enroll(&store, 2, &intent(password_holder("p2"), &csr("device-2"))).await);
}

#[tokio::test]
async fn a_probe_goes_the_way_of_what_is_audited() {
    let (Some(postgres), Some(mariadb)) = (PostgresServer::shared(), MariadbServer::shared()) else { return };
    let (one, two) = (postgres.url(), mariadb.url());
    for (at, database) in [(&one, postgres as &dyn DatabaseServer), (&two, mariadb)] {
        let store = open(at, &TestClock::new()).unwrap();
        store.probe().await.unwrap();
        database.run(at, "ALTER TABLE chains RENAME TO elsewhere");
        store.probe().await.unwrap_err();
        database.run(at, "ALTER TABLE elsewhere RENAME TO chains");
        store.probe().await.unwrap();
    }
}

/// A transaction of somebody else that is open.
enum Lock {
    Postgres(tokio_postgres::Client),
    Mariadb(mysql_async::Conn),
}

impl Lock {
    async fn take(at: &str, sql: &str) -> Self {
        if at.starts_with("postgres") {
            let (client, connection) = tokio_postgres::connect(at, tokio_postgres::NoTls).await.unwrap();
            tokio::spawn(connection);
            client.batch_execute(&format!("BEGIN; {sql}")).await.unwrap();
            return Self::Postgres(client);
        }
        let mut connection = mysql_async::Conn::from_url(at.replace("mariadb:", "mysql:")).await.unwrap();
        connection.query_drop("START TRANSACTION").await.unwrap();
        connection.query_drop(sql).await.unwrap();
        Self::Mariadb(connection)
    }

    async fn end(self, how: &str) {
        match self {
            Self::Postgres(client) => client.batch_execute(how).await.unwrap(),
            Self::Mariadb(mut connection) => connection.query_drop(how).await.unwrap(),
        }
    }
}

#[test]
fn nodes_that_start_together_apply_each_migration_once() {
    let (Some(postgres), Some(mariadb)) = (PostgresServer::shared(), MariadbServer::shared()) else { return };
    for at in [postgres.url(), mariadb.url()] {
        let at = url(&at);
        let before = migrations::status(&at).unwrap();
        assert!(before.applied.is_empty());
        let applied: Vec<_> = std::thread::scope(|scope| {
            let nodes: Vec<_> = (0..4).map(|_| scope.spawn(|| migrations::apply(&at).unwrap())).collect();
            nodes.into_iter().flat_map(|node| node.join().unwrap()).collect()
        });
        assert_eq!(applied, before.pending);
        let after = migrations::status(&at).unwrap();
        assert!(after.pending.is_empty());
        assert_eq!(after.applied.len(), before.pending.len());
    }
}

#[test]
fn a_newer_database_is_refused() {
    let (Some(postgres), Some(mariadb)) = (PostgresServer::shared(), MariadbServer::shared()) else { return };
    let later = "INSERT INTO migrations (number, name) VALUES (9999, '9999_later')";
    let (one, two) = (postgres.url(), mariadb.url());
    for at in [&one, &two] {
        migrations::apply(&url(at)).unwrap();
    }
    postgres.run(&one, later);
    mariadb.run(&two, later);
    for at in [&one, &two] {
        assert!(matches!(migrations::status(&url(at)), Err(StoreError::NewerDatabase { found: 9999, .. })));
        assert!(matches!(open(at, &TestClock::new()), Err(StoreError::NewerDatabase { found: 9999, .. })));
    }
}

#[test]
fn a_migration_that_was_cut_off_in_mariadb_goes_on() {
    let Some(server) = MariadbServer::shared() else { return };
    let at = server.url();
    let names = migrations::apply(&url(&at)).unwrap();
    let undone = [
        ("0003_operation", "DROP TABLE sinks", "SELECT count(*) FROM sinks"),
        ("0004_keys", "DROP TABLE authorities", "SELECT count(*) FROM authorities"),
        ("0006_imports", "DROP TABLE listed_revocations", "SELECT count(*) FROM listed_revocations"),
        ("0007_holders", "ALTER TABLE claims DROP COLUMN node", "SELECT count(node) FROM claims"),
        ("0008_former_ids", "DROP TABLE former_ids", "SELECT count(*) FROM former_ids"),
    ];
    for (name, undo, question) in undone {
        assert!(names.contains(&name));
        server.run(&at, &format!("UPDATE migrations SET applied_at = NULL WHERE name = '{name}'; {undo}"));
        assert_eq!(migrations::status(&url(&at)).unwrap().pending, [name]);
        assert_eq!(migrations::apply(&url(&at)).unwrap(), [name]);
        assert_eq!(server.run(&at, question), "0");
    }
}

#[tokio::test]
async fn the_audit_table_takes_neither_update_nor_delete() {
    let (Some(postgres), Some(mariadb)) = (PostgresServer::shared(), MariadbServer::shared()) else { return };
    let (one, two) = (postgres.url(), mariadb.url());
    for at in [&one, &two] {
        open(at, &TestClock::new()).unwrap().note(ServerEvent::Startup, None).await.unwrap();
    }
    for statement in ["UPDATE audit SET reason = 'nothing to see'", "DELETE FROM audit"] {
        assert!(std::panic::catch_unwind(|| postgres.run(&one, statement)).is_err(), "{statement}");
        assert!(std::panic::catch_unwind(|| mariadb.run(&two, statement)).is_err(), "{statement}");
    }
    assert!(std::panic::catch_unwind(|| postgres.run(&one, "TRUNCATE audit")).is_err());
}

#[test]
fn a_wrong_password_is_told_at_once_and_not_shown() {
    let (Some(postgres), Some(mariadb)) = (PostgresServer::shared(), MariadbServer::shared()) else { return };
    for at in [postgres.url(), mariadb.url()] {
        let refused = open(&at.replace("p%25w%2Frd%401", "hunter2"), &TestClock::new()).unwrap_err();
        assert!(matches!(refused, StoreError::Database(_)), "{refused}");
        assert!(!refused.to_string().contains("hunter2"), "{refused}");
    }
}

#[test]
fn tls_is_what_the_url_says() {
    let Some(openssl) = OpenSsl::find() else { return };
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    for ca in ["ca", "other"] {
        openssl.run(&format!("req -x509 {key} -keyout {ca}.key -out {ca}.pem -subj /CN={ca} -days 2"));
    }
    let names = "-addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE";
    openssl.run(&format!(
        "req -x509 {key} -keyout key.pem -out cert.pem -subj /CN=db -days 2 -CA ca.pem -CAkey ca.key {names}"
    ));
    let text = |name| String::from_utf8(openssl.read(name)).unwrap();
    let (certificate, private) = (text("cert.pem"), text("key.pem"));
    let [ca, other] = ["ca.pem", "other.pem"].map(|file| openssl.path().join(file).display().to_string());
    let (Some(postgres), Some(mariadb)) =
        (PostgresServer::with_tls(&certificate, &private), MariadbServer::with_tls(&certificate, &private))
    else {
        return;
    };
    let clock = TestClock::new();
    let (one, two) = (postgres.url(), mariadb.url());
    mariadb.run("mysql", "ALTER USER ohia@127.0.0.1 REQUIRE SSL");
    let opens = |at: String| open(&at, &clock).map(|_| ()).map_err(|error| error.to_string());
    for mode in ["prefer", "require", &format!("verify-ca&sslrootcert={ca}"), &format!("verify-full&sslrootcert={ca}")]
    {
        assert_eq!(opens(format!("{one}?sslmode={mode}")), Ok(()), "PostgreSQL, {mode}");
        assert_eq!(opens(format!("{two}?sslmode={mode}")), Ok(()), "MariaDB, {mode}");
    }
    for mode in ["verify-ca", "verify-full"] {
        for at in [&one, &two] {
            let refused = opens(format!("{at}?sslmode={mode}&sslrootcert={other}")).unwrap_err();
            assert!(refused.to_lowercase().contains("certificate"), "{refused}");
        }
    }
    // The same machine by a name that the certificate does not have.
    let named = one.replace("127.0.0.1", "localhost");
    assert_eq!(opens(format!("{named}?sslmode=verify-ca&sslrootcert={ca}")), Ok(()));
    assert!(opens(format!("{named}?sslmode=verify-full&sslrootcert={ca}")).is_err());
    assert!(opens(format!("{two}?sslmode=disable")).is_err(), "the account demands TLS");
    let plain = PostgresServer::shared().unwrap().url();
    assert!(opens(format!("{plain}?sslmode=require")).is_err(), "a server without TLS");
}
