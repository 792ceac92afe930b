//! Whether the database servers do what tests rely on.

use est_testkit::databases::{FlakyProxy, MariadbServer, PostgresServer};

#[test]
fn postgres_keeps_what_was_committed_through_a_crash() {
    let Some(server) = PostgresServer::find() else { return };
    let (one, two) = (server.url(), server.url());
    server.run(&one, "CREATE TABLE t (x INT); INSERT INTO t VALUES (7)");
    assert_eq!(server.run(&two, "SELECT count(*) FROM pg_tables WHERE tablename = 't'"), "0");
    server.stop();
    server.start();
    assert_eq!(server.run(&one, "SELECT x FROM t"), "7");
}

#[test]
fn mariadb_keeps_what_was_committed_through_a_crash() {
    let Some(server) = MariadbServer::find() else { return };
    let (one, two) = (server.url(), server.url());
    server.run(&one, "CREATE TABLE t (x INT); INSERT INTO t VALUES (7)");
    assert_eq!(server.run(&two, "SHOW TABLES"), "");
    server.stop();
    server.start();
    assert_eq!(server.run(&one, "SELECT x FROM t"), "7");
}

#[test]
fn a_proxy_passes_on_until_it_is_told_to_break() {
    let Some(server) = PostgresServer::shared() else { return };
    let proxy = FlakyProxy::before(server.port());
    let url = proxy.url(&server.url());
    assert_eq!(server.run(&url, "SELECT 1"), "1");
    assert!(proxy.passed() > 0);
    proxy.refuse();
    assert!(std::panic::catch_unwind(|| server.run(&url, "SELECT 1")).is_err());
    proxy.heal();
    assert_eq!(server.run(&url, "SELECT 1"), "1");
    proxy.break_after(1);
    assert!(std::panic::catch_unwind(|| server.run(&url, "SELECT 1")).is_err());
    assert!(proxy.is_broken());
}
