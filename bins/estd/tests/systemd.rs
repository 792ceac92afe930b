//! Runs as a service of systemd: what it tells the service manager, and what its unit file says.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use est_testkit::databases::PostgresServer;
use est_testkit::peers::is_installed;
use est_testkit::server::Launch;

const ESTD: &str = env!("CARGO_BIN_EXE_estd");

/// How often a server has to tell that it is alive.
const TICK: Duration = Duration::from_millis(50);

/// The socket of a service manager.
struct Manager {
    socket: UnixDatagram,
    folder: tempfile::TempDir,
}

impl Manager {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = UnixDatagram::bind(folder.path().join("notify")).expect("a socket");
        Self { socket, folder }
    }

    fn of(&self, launch: Launch) -> Launch {
        let path = self.folder.path().join("notify");
        launch.env("NOTIFY_SOCKET", path.to_str().expect("UTF-8"))
    }

    /// What is told next, within `patience`.
    fn hears_within(&self, patience: Duration) -> Option<String> {
        self.socket.set_read_timeout(Some(patience)).expect("a time");
        let mut octets = [0; 4096];
        let count = self.socket.recv(&mut octets).ok()?;
        Some(String::from_utf8_lossy(&octets[..count]).into_owned())
    }

    fn hears(&self) -> String {
        self.hears_within(Duration::from_secs(60)).expect("a word")
    }
}

#[test]
fn tells_that_it_is_ready_when_clients_can_connect_and_that_it_stops() {
    let manager = Manager::new();
    let server = manager.of(Launch::dev(ESTD)).start();

    let ready = manager.hears();
    let address = ready.strip_prefix("READY=1\nSTATUS=serving on ").expect("ready");
    TcpStream::connect(address).expect("a connection");

    let (status, _) = server.stop();
    assert!(status.success());
    assert!(manager.hears().starts_with("STOPPING=1\n"), "without a watchdog nothing is between");
}

#[test]
fn says_nothing_of_being_alive_while_the_database_does_not_write() {
    if !is_installed("sqlite3") {
        return;
    }
    let manager = Manager::new();
    let micros = (2 * TICK.as_micros()).to_string();
    let server = manager.of(Launch::dev(ESTD)).env("WATCHDOG_USEC", &micros).start();
    assert!(manager.hears().starts_with("READY=1\n"));
    assert_eq!([manager.hears(), manager.hears()], ["WATCHDOG=1", "WATCHDOG=1"]);

    let mut sqlite = Command::new("sqlite3")
        .args(["-cmd", ".timeout 10000"])
        .arg(server.folder().join("estd.db"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("sqlite3 runs");
    let mut statements = sqlite.stdin.take().expect("a pipe");
    statements.write_all(b"BEGIN IMMEDIATE; SELECT 'locked';\n").expect("it can be told");
    let mut answer = String::new();
    BufReader::new(sqlite.stdout.take().expect("a pipe")).read_line(&mut answer).expect("an answer");
    assert_eq!(answer, "locked\n");
    // What was told before may still be on its way.
    let still_told = (0..40).take_while(|_| manager.hears_within(20 * TICK).is_some()).count();
    assert!(still_told < 40, "it tells that it is alive while nothing can be written");

    drop(statements);
    assert!(sqlite.wait().expect("its end").success());
    assert_eq!(manager.hears(), "WATCHDOG=1");
    assert!(server.stop().0.success());
}

/// A server on a database server.
fn on(database: &PostgresServer) -> Launch {
    let url = database.url();
    Launch::configured(ESTD, |text| text.replace("sqlite://estd.db", &url))
}

#[test]
fn tells_that_it_is_alive_while_a_database_server_hangs() {
    let Some(database) = PostgresServer::find() else { return };
    let (manager, micros) = (Manager::new(), (2 * TICK.as_micros()).to_string());
    let launch = on(&database);
    let config = std::fs::read_to_string(launch.folder().join("estd.toml")).expect("a configuration");
    let url = config.split('"').find(|text| text.starts_with("postgres://")).expect("a URL").to_owned();
    let server = manager.of(launch).env("WATCHDOG_USEC", &micros).start();
    assert!(manager.hears().starts_with("READY=1\n"));
    assert_eq!(manager.hears(), "WATCHDOG=1");

    let mut psql = Command::new(database.programs().join("psql"))
        .args(["-X", "-q", "-A", "-t", &url])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("psql runs");
    let mut statements = psql.stdin.take().expect("a pipe");
    statements.write_all(b"BEGIN; LOCK TABLE chains; SELECT 'locked';\n").expect("it can be told");
    let mut answer = String::new();
    BufReader::new(psql.stdout.take().expect("a pipe")).read_line(&mut answer).expect("an answer");
    assert_eq!(answer, "locked\n");
    for _ in 0..40 {
        assert_eq!(manager.hears_within(60 * TICK).as_deref(), Some("WATCHDOG=1"));
    }

    drop(statements);
    assert!(psql.wait().expect("its end").success());
    assert!(server.stop().0.success());
}

#[test]
fn waits_for_a_database_server_that_is_not_there_yet() {
    let Some(database) = PostgresServer::find() else { return };
    let manager = Manager::new();
    let launch = manager.of(on(&database));
    database.stop();
    let starting = std::thread::spawn(move || launch.start());
    for _ in 0..2 {
        let told = manager.hears();
        assert!(told.starts_with("STATUS=waiting: ") && told.contains("\nEXTEND_TIMEOUT_USEC="), "{told}");
        assert!(!told.contains("p%w/rd@1") && !told.contains("p%25w"), "{told}");
    }
    database.start();
    let server = starting.join().expect("it starts");
    while !manager.hears().starts_with("READY=1\n") {}
    assert!(server.stop().0.success());
}

#[test]
fn a_watchdog_that_is_meant_for_another_process_is_not_fed() {
    let manager = Manager::new();
    let server = manager.of(Launch::dev(ESTD)).env("WATCHDOG_USEC", "2000").env("WATCHDOG_PID", "1").start();
    assert!(manager.hears().starts_with("READY=1\n"));
    assert!(server.stop().0.success());
    assert!(manager.hears().starts_with("STOPPING=1\n"));
}

/// The unit file with the program of this build in it: `systemd-analyze` wants one that is there.
fn unit() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let packaged = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/systemd/estd.service");
    let text = std::fs::read_to_string(packaged).expect("the unit");
    assert!(text.contains("ExecStart=/usr/bin/estd run --config /etc/ohia/estd.toml\n"));
    std::fs::write(folder.path().join("estd.service"), text.replace("/usr/bin/estd", ESTD)).expect("a copy");
    folder
}

fn analyze(folder: &tempfile::TempDir, arguments: &[&str]) -> (String, bool) {
    let unit = folder.path().join("estd.service");
    let output = Command::new("systemd-analyze").args(arguments).arg(unit).output().expect("systemd-analyze runs");
    let printed = [output.stdout, output.stderr].concat();
    (String::from_utf8_lossy(&printed).into_owned(), output.status.success())
}

#[test]
fn systemd_accepts_the_unit_without_a_word() {
    if !is_installed("systemd-analyze") {
        return;
    }
    let (printed, succeeded) = analyze(&unit(), &["verify", "--man=no"]);
    let about_it: Vec<&str> = printed.lines().filter(|line| line.contains("estd")).collect();
    assert!(succeeded && about_it.is_empty(), "{printed}");
}

#[test]
fn systemd_accepts_the_units_that_renew() {
    if !is_installed("systemd-analyze") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let packaged = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/systemd");
    for name in ["est-renew@.service", "est-renew@.timer"] {
        let text = std::fs::read_to_string(packaged.join(name)).expect("the unit");
        let name = name.replace('@', "@web");
        std::fs::write(folder.path().join(name), text.replace("/usr/bin/est", ESTD)).expect("a copy");
    }
    let units = ["est-renew@web.service", "est-renew@web.timer"].map(|name| folder.path().join(name));
    let output = Command::new("systemd-analyze").args(["verify", "--man=no"]).args(&units).output().expect("it runs");
    let printed = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && !printed.contains("est-renew"), "{printed}");
    // In tenths: it is root, and runs a command that the operator chooses.
    let output = Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--no-pager", "--threshold=30"])
        .arg(&units[0])
        .output()
        .expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn systemd_finds_the_unit_well_confined() {
    if !is_installed("systemd-analyze") {
        return;
    }
    // In tenths: 1.5 of 10, where 10 is a service that may do anything.
    let (printed, succeeded) = analyze(&unit(), &["security", "--offline=true", "--no-pager", "--threshold=15"]);
    assert!(succeeded, "{printed}");
}

#[test]
fn systemd_makes_the_user_of_the_unit() {
    if !is_installed("systemd-sysusers") {
        return;
    }
    let root = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(root.path().join("etc")).expect("a folder");
    let users = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/systemd/sysusers.d/ohia.conf");
    let mut command = Command::new("systemd-sysusers");
    let output = command.arg("--root").arg(root.path()).arg(users).output().expect("systemd-sysusers runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let made = std::fs::read_to_string(root.path().join("etc/passwd")).expect("users");
    assert!(made.lines().any(|line| line.starts_with("ohia:") && line.contains(":/var/lib/ohia:")), "{made}");
}
