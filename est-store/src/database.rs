//! A store in a database.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, RwLock};
use std::time::Duration;

use est_core::{Claimed, Entry, Intent, PortFuture, Seconds, Store, UnixTime};
use rusqlite::{Connection, OpenFlags};
use tokio::sync::{Notify, Semaphore};

use crate::claims::{Alone, WAIT_FOR_OTHERS};
use crate::file::DatabaseFile;
use crate::pool::Pool;
use crate::readers::Readers;
use crate::server::{Server, blocking};
use crate::session::Session;
use crate::url::Place;
use crate::work::Work;
use crate::working::Working;
use crate::writer::{Line, LogUse, Trouble, Writer};
use crate::{Clock, DatabaseUrl, StoreError, UnixMicros, claims, migrations};

/// A store in an SQLite file, or in a database of a PostgreSQL or MariaDB server. Clones are handles to the same one.
///
/// Every answer to a change means that the change is on disk. When the last handle is dropped, the thread that writes
/// finishes what was sent to it; [`Database::close`] does the same without blocking.
#[derive(Clone, Debug)]
pub struct Database {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    engine: Engine,
    pub(crate) settled: Settled,
    /// Whose claims this process knows all about; nobody else's, where nothing is said.
    pub(crate) alone: OnceLock<Alone>,
    /// The claims that this process works on.
    pub(crate) working: Arc<Working>,
    /// Seats for those that wait for other processes.
    pub(crate) for_others: Semaphore,
    pub(crate) node: String,
    /// After how many seconds without a word from its client a waiting request ends; 0 is never.
    waiting: Arc<AtomicU64>,
    /// By the ids of the CAs, the names of the keys that they sign with.
    pub(crate) authorities: RwLock<BTreeMap<String, String>>,
    /// By their SHA-256, the names of all keys that are known.
    pub(crate) authorities_by_key: RwLock<BTreeMap<[u8; 32], String>>,
    /// The migrations that opening it applied.
    migrated: Vec<&'static str>,
}

/// The connections to a database, and their users.
#[derive(Debug)]
enum Engine {
    Sqlite {
        // Before the writer, so that the last connection to close is one that may tidy up the write-ahead log.
        readers: Readers,
        writer: Writer,
    },
    Server {
        pool: Pool,
        /// What is audited goes over one connection of its own, many pieces to a transaction: each has to wait for the
        /// end of the chain anyway.
        writer: Writer,
    },
}

/// How a database is opened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// What to do about migrations that the database lacks.
    pub pending: Pending,
    /// Where leases and the times of audit records come from.
    pub clock: Clock,
    /// Whose chain the audit records of this process belong to: different for processes on different machines.
    pub node: String,
    /// How many connections there are at most.
    pub max_connections: usize,
    /// How long to wait for a connection, or for the database when it is locked.
    pub connect_timeout: Duration,
}

impl Default for Options {
    /// Migrates, reads the system's clock, is the node `local`, and waits five seconds for one of five connections.
    fn default() -> Self {
        Self {
            pending: Pending::Apply,
            clock: Clock::system(),
            node: "local".to_owned(),
            max_connections: 5,
            connect_timeout: Duration::from_secs(5),
        }
    }
}

/// What to do about migrations that the database lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pending {
    /// Apply them.
    Apply,
    /// Do not open the database.
    Refuse,
}

/// How long one process waits for another that writes: this many milliseconds.
const BUSY_TRIES: i32 = 10_000;

/// Waits a moment for another process that writes, and tells whether to try again.
///
/// SQLite's own timeout soon tries ten times a second only. Beside a busy server, which lets go of the file for some
/// microseconds between two transactions, that finds no gap.
fn wait_a_moment(tries: i32) -> bool {
    std::thread::sleep(Duration::from_millis(1));
    tries < BUSY_TRIES
}

impl Database {
    /// Opens the database at `url`: as [`open`](Self::open) does where it is a file. Blocks.
    ///
    /// # Errors
    /// Those of [`open`](Self::open), and [`StoreError::Unreachable`].
    pub fn open_url(url: &DatabaseUrl, options: Options) -> Result<Self, StoreError> {
        match &url.0 {
            Place::File(path) => Self::open(path, options),
            Place::Server(address) => Self::serve(Server::new(address, &options), options),
        }
    }

    /// Opens the file at `path`, and makes it, readable by its owner only, if there is none. Blocks.
    ///
    /// # Errors
    /// [`StoreError::File`], [`StoreError::PendingMigrations`], [`StoreError::NewerDatabase`],
    /// [`StoreError::Database`].
    pub fn open(path: &Path, options: Options) -> Result<Self, StoreError> {
        if options.pending == Pending::Refuse && !path.exists() {
            return Err(StoreError::PendingMigrations { pending: migrations::names() });
        }
        Self::start(&Location::File(path.to_owned()), options)
    }

    /// Opens a store that is gone when its last handle is dropped.
    ///
    /// ```
    /// use est_store::{Database, Options};
    ///
    /// let store = Database::in_memory(Options::default())?;
    /// # Ok::<(), est_store::StoreError>(())
    /// ```
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn in_memory(options: Options) -> Result<Self, StoreError> {
        static OPENED: AtomicU64 = AtomicU64::new(0);
        let number = OPENED.fetch_add(1, Ordering::Relaxed);
        let options = Options { pending: Pending::Apply, ..options };
        Self::start(&Location::Memory(format!("file:/store-{number}?vfs=memdb")), options)
    }

    fn start(location: &Location, options: Options) -> Result<Self, StoreError> {
        let Options { pending, clock, node, max_connections, .. } = options;
        let mut db = location.connect_for_writing()?;
        let migrated = match pending {
            Pending::Apply => migrations::apply_to(&mut db, &clock)?,
            Pending::Refuse => Vec::new(),
        };
        let pending = migrations::pending_in(&db)?;
        if !pending.is_empty() {
            return Err(StoreError::PendingMigrations { pending });
        }
        let mut patient =
            (0..max_connections).map(|_| location.connect_for_reading()).collect::<Result<Vec<_>, _>>()?;
        let impatient = (0..max_connections).map(|_| location.connect_for_reading()).collect::<Result<Vec<_>, _>>()?;
        patient.iter_mut().try_for_each(|connection| connection.busy_handler(Some(wait_a_moment)))?;
        let sessions = |connections: Vec<Connection>| connections.into_iter().map(Session::new).collect();
        let readers = Readers::new(sessions(patient), sessions(impatient), clock.clone());
        let waiting = Arc::new(AtomicU64::new(0));
        // The writer waits for others by itself.
        db.busy_handler(None::<fn(i32) -> bool>)?;
        let line = Line::Kept(Session::new(db), location.file()?);
        let writer = Writer::start(line, node.clone(), clock.clone(), claims::Sweep::of(&waiting))?;
        Ok(Self::with(Engine::Sqlite { readers, writer }, clock, node, waiting, migrated))
    }

    fn serve(server: Server, options: Options) -> Result<Self, StoreError> {
        let Options { pending, clock, node, max_connections, .. } = options;
        let (migrated, lacking) = blocking(async {
            let migrated = match pending {
                Pending::Apply => migrations::apply_to_server(&server, &clock).await?,
                Pending::Refuse => Vec::new(),
            };
            Ok::<_, StoreError>((migrated, migrations::pending_in_server(&server).await?))
        })?;
        if !lacking.is_empty() {
            return Err(StoreError::PendingMigrations { pending: lacking });
        }
        let waiting = Arc::new(AtomicU64::new(0));
        let line = Line::Made(server.clone(), None);
        let writer = Writer::start(line, node.clone(), clock.clone(), claims::Sweep::of(&waiting))?;
        let pool = Pool::new(server, max_connections, clock.clone(), writer.runtime().clone());
        Ok(Self::with(Engine::Server { pool, writer }, clock, node, waiting, migrated))
    }

    fn with(engine: Engine, clock: Clock, node: String, waiting: Arc<AtomicU64>, migrated: Vec<&'static str>) -> Self {
        let inner = Inner {
            engine,
            settled: Settled::new(),
            alone: OnceLock::new(),
            working: Working::new(clock),
            for_others: Semaphore::new(WAIT_FOR_OTHERS),
            node,
            waiting,
            authorities: RwLock::default(),
            authorities_by_key: RwLock::default(),
            migrated,
        };
        Self { inner: Arc::new(inner) }
    }

    /// Has requests end that wait for a decision, or for their client after an approval, when their client has not asked
    /// for so long. Until this is said they wait for ever.
    pub fn end_waiting_after(&self, silence: Seconds) {
        self.inner.waiting.store(silence.0, Ordering::Relaxed);
    }

    /// Tells that changes are written: goes the ways of one that changes nothing, with and without an audit record.
    ///
    /// # Errors
    /// [`StoreError`] as a change would meet it.
    pub async fn probe(&self) -> Result<(), StoreError> {
        let written = self.write(Now);
        self.transact(Now).await?;
        written.await.map(drop)
    }

    /// The last change that was not committed, unless another one was since: for example with a full disk, while
    /// [`probe`](Self::probe) succeeds because it takes no room.
    #[must_use]
    pub fn trouble(&self) -> Option<Trouble> {
        self.writer().status().trouble()
    }

    /// Waits until the disk fails under the database file: from then on every change is answered with
    /// [`StoreError::Broken`]. It does not come to that with a database server.
    pub async fn broken(&self) {
        self.writer().status().broken().await;
    }

    /// How the write-ahead log of the database file is used; `None` with a server, whose log is its own affair.
    #[must_use]
    pub fn log(&self) -> Option<LogUse> {
        match &self.inner.engine {
            Engine::Sqlite { writer, .. } => Some(writer.status().log()),
            Engine::Server { .. } => None,
        }
    }

    /// The names of the migrations that opening it applied, in order.
    #[must_use]
    pub fn migrated(&self) -> &[&'static str] {
        &self.inner.migrated
    }

    /// How many of the connections, of which there are [`Options::max_connections`] at most, somebody uses right now.
    #[must_use]
    pub fn busy_connections(&self) -> usize {
        match &self.inner.engine {
            Engine::Sqlite { readers, .. } => readers.busy(),
            Engine::Server { pool, .. } => pool.busy(),
        }
    }

    /// Finishes what was asked for before, and closes the database; whatever any handle asks for afterwards is
    /// answered with [`StoreError::Closed`].
    ///
    /// The last connection to the file is closed when the last handle is dropped.
    pub async fn close(self) {
        match &self.inner.engine {
            Engine::Sqlite { readers, writer } => {
                readers.close();
                finish(writer).await;
            }
            Engine::Server { pool, writer } => {
                pool.close();
                finish(writer).await;
            }
        }
        // The thread has nothing left to do, but joining it may still wait for SQLite to tidy up.
        if let Some(inner) = Arc::into_inner(self.inner) {
            let _ = tokio::task::spawn_blocking(move || drop(inner)).await;
        }
    }
}

impl Database {
    /// The thread that writes.
    pub(crate) fn writer(&self) -> &Writer {
        match &self.inner.engine {
            Engine::Sqlite { writer, .. } | Engine::Server { writer, .. } => writer,
        }
    }

    /// Answers from what is committed.
    pub(crate) async fn read<W: Work>(&self, work: W) -> Result<W::Answer, StoreError> {
        match &self.inner.engine {
            Engine::Sqlite { readers, .. } => readers.read(work).await,
            Engine::Server { pool, .. } => pool.read(work).await,
        }
    }

    /// As [`read`](Self::read), for a look-up of one row in a small index.
    pub(crate) async fn glance<W: Work>(&self, work: W) -> Result<W::Answer, StoreError> {
        match &self.inner.engine {
            Engine::Sqlite { readers, .. } => readers.glance(work).await,
            Engine::Server { pool, .. } => pool.glance(work).await,
        }
    }

    /// Does `work` and everything that it writes down in the audit trail, or nothing of either; durable on return.
    /// Queued by the call; dropping the future does not take it back.
    pub(crate) fn write<W: Work>(
        &self,
        work: W,
    ) -> impl Future<Output = Result<W::Answer, StoreError>> + Send + use<W> {
        self.writer().write(work)
    }

    /// As [`write`](Self::write), for work that writes nothing down in the audit trail, and so need not wait for others.
    pub(crate) async fn transact<W: Work>(&self, work: W) -> Result<W::Answer, StoreError> {
        match &self.inner.engine {
            Engine::Sqlite { writer, .. } => writer.write(work).await,
            Engine::Server { pool, .. } => pool.transact(work).await,
        }
    }
}

/// Waits for what was sent to a writer, and takes nothing more.
async fn finish(writer: &Writer) {
    let last = writer.write(Now);
    writer.close();
    let _ = last.await;
}

/// Tells the time at which it is done.
pub(crate) struct Now;

impl Work for Now {
    type Answer = UnixMicros;

    const IS_PROBE: bool = true;

    async fn run(&self, _: &mut Session, at: UnixMicros) -> Result<UnixMicros, StoreError> {
        Ok(at)
    }
}

impl Store for Database {
    fn claim<'a>(&'a self, intent: &'a Intent) -> PortFuture<'a, Claimed> {
        Box::pin(async move { Ok(self.reserve(intent).await?) })
    }

    fn record<'a>(&'a self, entry: &'a Entry) -> PortFuture<'a, ()> {
        Box::pin(async move { Ok(self.remember(entry).await?) })
    }
}

/// Wakes the exchanges that wait for a claim that another one holds.
///
/// A claim shares its bell with some others, so that nothing has to be kept per claim: an exchange that is woken looks again.
#[derive(Debug)]
pub(crate) struct Settled([Notify; 64]);

impl Settled {
    fn new() -> Self {
        Self(std::array::from_fn(|_| Notify::new()))
    }

    pub(crate) fn bell(&self, identity: &[u8; 32]) -> &Notify {
        &self.0[usize::from(identity[0]) % self.0.len()]
    }
}

/// Where a database is.
pub(crate) enum Location {
    File(PathBuf),
    /// A URI of SQLite's `memdb`, which the connections of one process share.
    Memory(String),
}

impl Location {
    pub(crate) fn connect_for_writing(&self) -> Result<Connection, StoreError> {
        if let Self::File(path) = self {
            create_private(path).map_err(|source| StoreError::File { path: path.clone(), source })?;
        }
        let mut db = self.connect(OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        db.busy_handler(Some(wait_a_moment))?;
        // In memory there is no write-ahead log, and the answer is another mode.
        db.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
        // FULL, for in a WAL with NORMAL a power cut takes the last commits with it: certificates that were handed out.
        db.execute_batch(
            "PRAGMA synchronous = FULL;
             PRAGMA foreign_keys = ON;
             PRAGMA recursive_triggers = ON;
             PRAGMA trusted_schema = OFF;
             PRAGMA temp_store = MEMORY;
             PRAGMA cache_size = -8192;",
        )?;
        // The writer copies the log into the database itself, for SQLite would not tell when that fails.
        db.query_row("PRAGMA wal_autocheckpoint = 0", [], |_| Ok(()))?;
        db.query_row("PRAGMA journal_size_limit = 67108864", [], |_| Ok(()))?;
        db.set_prepared_statement_cache_capacity(64);
        Ok(db)
    }

    /// The file, when it was made; `None` in memory.
    fn file(&self) -> Result<Option<DatabaseFile>, StoreError> {
        let Self::File(path) = self else { return Ok(None) };
        let file = DatabaseFile::of(path).map_err(|source| StoreError::File { path: path.clone(), source })?;
        Ok(Some(file))
    }

    pub(crate) fn connect_for_reading(&self) -> Result<Connection, StoreError> {
        let db = self.connect(OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        db.execute_batch("PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY;")?;
        db.set_prepared_statement_cache_capacity(32);
        Ok(db)
    }

    fn connect(&self, access: OpenFlags) -> Result<Connection, StoreError> {
        let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Ok(match self {
            Self::File(path) => Connection::open_with_flags(path, flags)?,
            Self::Memory(uri) => {
                let create = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
                let flags = create | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
                Connection::open_with_flags(uri, flags)?
            }
        })
    }
}

/// Makes the file if there is none. SQLite gives its other files the mode of this one.
/// Makes the file if there is none.
///
/// # Errors
/// When it cannot be made; and when its log is there without it: SQLite deletes that beside an empty database, and what the
/// server wrote last may be nowhere else.
fn create_private(path: &Path) -> io::Result<()> {
    let log = crate::file::log_of(path);
    if !path.exists() && log.exists() {
        let text = format!(
            "it is not there, and its write-ahead log {} is: bring the file back from where it was moved; remove the log only if \
             the database is to be a new one",
            log.display()
        );
        return Err(io::Error::new(io::ErrorKind::NotFound, text));
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// A time as a column holds it.
pub(crate) fn seconds(time: UnixTime) -> i64 {
    i64::try_from(time.0).unwrap_or(i64::MAX)
}

/// The time that a column holds.
pub(crate) fn time(seconds: i64) -> UnixTime {
    UnixTime(u64::try_from(seconds).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use std::sync::Mutex;
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// Work that says when it has begun, and ends when it is told to.
    struct Held(Mutex<(Sender<()>, Receiver<()>)>);

    impl Work for Held {
        type Answer = ();

        async fn run(&self, _: &mut Session, _: UnixMicros) -> Result<(), StoreError> {
            let held = self.0.lock().unwrap();
            held.0.send(()).unwrap();
            held.1.recv().unwrap();
            Ok(())
        }
    }

    #[tokio::test]
    async fn tells_how_many_connections_are_in_use() {
        let db = Database::in_memory(Options::default()).unwrap();
        let (began, begins) = channel();
        let held = [(); 2].map(|()| {
            let (release, released) = channel();
            let (db, work) = (db.clone(), Held(Mutex::new((began.clone(), released))));
            (release, tokio::spawn(async move { db.read(work).await }))
        });
        tokio::task::spawn_blocking(move || [begins.recv().unwrap(), begins.recv().unwrap()]).await.unwrap();
        assert_eq!(db.busy_connections(), 2);
        for (release, read) in held {
            release.send(()).unwrap();
            read.await.unwrap().unwrap();
        }
        assert_eq!(db.busy_connections(), 0);
    }
}
