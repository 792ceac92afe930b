//! The connections to a database server that everybody shares, but for the one that writes audit records.

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout};

use crate::server::{LISTING, REQUEST, Server, until};
use crate::session::Session;
use crate::work::{Work, contained};
use crate::{Clock, StoreError};

/// A bounded number of connections, made when they are wanted and kept while they work.
#[derive(Clone)]
pub(crate) struct Pool(Arc<Inner>);

struct Inner {
    server: Server,
    idle: Mutex<Vec<Session>>,
    free: Arc<Semaphore>,
    size: usize,
    clock: Clock,
    /// Where the connections live, whatever happens to the callers.
    runtime: Handle,
}

impl Pool {
    pub(crate) fn new(server: Server, max_connections: usize, clock: Clock, runtime: Handle) -> Self {
        let free = Arc::new(Semaphore::new(max_connections));
        Self(Arc::new(Inner { server, idle: Mutex::new(Vec::new()), free, size: max_connections, clock, runtime }))
    }

    /// Answers from what is committed.
    pub(crate) async fn read<W: Work>(&self, work: W) -> Result<W::Answer, StoreError> {
        self.run(work, false, LISTING).await
    }

    /// As [`read`](Self::read), for what a client of EST waits for.
    pub(crate) async fn glance<W: Work>(&self, work: W) -> Result<W::Answer, StoreError> {
        self.run(work, false, REQUEST).await
    }

    /// Does `work` in a transaction of its own.
    pub(crate) async fn transact<W: Work>(&self, work: W) -> Result<W::Answer, StoreError> {
        self.run(work, true, REQUEST).await
    }

    async fn run<W: Work>(&self, work: W, writes: bool, patience: Duration) -> Result<W::Answer, StoreError> {
        let deadline = Instant::now() + patience;
        let Inner { server, free, .. } = &*self.0;
        let permit = match timeout(server.connect_timeout, free.clone().acquire_owned()).await {
            Ok(permit) => permit.map_err(|_| StoreError::Closed)?,
            Err(_) => {
                let busy = format!("all connections are busy for {} ms", server.connect_timeout.as_millis());
                return Err(StoreError::Unreachable(busy));
            }
        };
        let inner = self.0.clone();
        // A task of its own, so that what has begun goes on to its end when nobody waits for it any more.
        let task = self.0.runtime.spawn(async move { inner.work(&work, writes, deadline, &permit).await });
        task.await.unwrap_or(Err(StoreError::Closed))
    }

    /// How many of the connections somebody uses.
    pub(crate) fn busy(&self) -> usize {
        self.0.size - self.0.free.available_permits()
    }

    /// Closes the connections that are idle, and the others when they are done.
    pub(crate) fn close(&self) {
        self.0.free.close();
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Inner {
    async fn work<W: Work>(
        &self,
        work: &W,
        writes: bool,
        deadline: Instant,
        permit: &OwnedSemaphorePermit,
    ) -> Result<W::Answer, StoreError> {
        let mut idle = self.idle();
        let mut attempt = 0;
        loop {
            let (mut session, kept) = match idle.take() {
                Some(session) => (session, true),
                None => (until(deadline, self.server.connect()).await?, false),
            };
            let answer = self.attempt(&mut session, work, writes, deadline).await;
            let broken = matches!(answer, Err(StoreError::Unreachable(_)));
            idle = (session.is_usable() && !broken).then_some(session);
            match answer {
                // A connection breaks while it is idle; its next user must not suffer for that.
                Err(StoreError::Unreachable(_)) if kept && Instant::now() < deadline => {}
                // The database lets one of those through that meet, each time.
                Err(StoreError::Contended(_)) if Instant::now() < deadline => {
                    sleep(apart(attempt)).await;
                    attempt += 1;
                }
                answer => {
                    if !permit.semaphore().is_closed() {
                        self.idle.lock().unwrap_or_else(PoisonError::into_inner).extend(idle);
                    }
                    return answer;
                }
            }
        }
    }

    async fn attempt<W: Work>(
        &self,
        db: &mut Session,
        work: &W,
        writes: bool,
        deadline: Instant,
    ) -> Result<W::Answer, StoreError> {
        let at = self.clock.now();
        if !writes {
            return until(deadline, contained(work.run(db, at))).await;
        }
        let done = until(deadline, async {
            db.begin().await?;
            let done = contained(work.run(db, at)).await;
            if done.is_err() {
                // Where that fails too, the connection is not used again, which undoes everything as well.
                let _ = db.roll_back().await;
            }
            done
        });
        let answer = done.await?;
        db.commit().await?;
        Ok(answer)
    }

    fn idle(&self) -> Option<Session> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(Session::is_usable);
        idle.pop()
    }
}

/// How long transactions that met stay apart: longer after more tries, and not equally long for two of them.
fn apart(attempt: u32) -> Duration {
    // The hasher's key is random, and that is as much as is needed here.
    let spread = RandomState::new().hash_one(attempt);
    Duration::from_micros(spread % (500 << attempt.min(6)))
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("server", &self.0.server.name()).finish_non_exhaustive()
    }
}

#[cfg(all(test, feature = "postgres"))]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;
    use crate::url::Place;
    use crate::{DatabaseUrl, Options, UnixMicros};

    /// What a server does not answer that hangs.
    struct Unanswered;

    impl Work for Unanswered {
        type Answer = ();

        async fn run(&self, _: &mut Session, _: UnixMicros) -> Result<(), StoreError> {
            std::future::pending().await
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_hangs_takes_no_more_than_the_time_of_a_request() {
        let url = DatabaseUrl::parse("postgres://ohia@127.0.0.1:1/ohia", std::path::Path::new("/")).unwrap();
        let Place::Server(nowhere) = url.0 else { unreachable!("it is the URL of a server") };
        let server = Server::new(&nowhere, &Options::default());
        let pool = Pool::new(server, 1, Clock::system(), Handle::current());
        for writes in [false, true] {
            let kept = Session::new(rusqlite::Connection::open_in_memory().unwrap());
            pool.0.idle.lock().unwrap().push(kept);
            let begun = Instant::now();
            let told = if writes { pool.transact(Unanswered).await } else { pool.glance(Unanswered).await };
            assert!(matches!(told, Err(StoreError::Unreachable(_))), "{told:?}");
            assert_eq!(begun.elapsed().as_secs(), REQUEST.as_secs());
        }
    }
}
