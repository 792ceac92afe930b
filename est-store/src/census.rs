//! How many certificates there are.

use est_core::UnixTime;

use crate::database::{Database, seconds};
use crate::session::Session;
use crate::value::values;
use crate::work::Work;
use crate::{StoreError, UnixMicros};

/// How many certificates a CA has issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Census {
    /// The CA's id.
    pub ca: String,
    /// All that the inventory has.
    pub issued: u64,
    /// Those of them that have not ended, the revoked ones included.
    pub current: u64,
    /// Those that were revoked, and have not ended.
    pub revoked: u64,
    /// Those that were issued at some time or later.
    pub recent: u64,
}

impl Census {
    /// Those that are good for something.
    #[must_use]
    pub fn active(&self) -> u64 {
        self.current.saturating_sub(self.revoked)
    }
}

impl Database {
    /// Counts the certificates of each CA, as they are at `now`; those issued at `since` or later are the recent ones.
    /// Reads an index from end to end: a second for ten million.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn census(&self, now: UnixTime, since: UnixTime) -> Result<Vec<Census>, StoreError> {
        self.read(Count { now, since }).await
    }
}

struct Count {
    now: UnixTime,
    since: UnixTime,
}

impl Work for Count {
    type Answer = Vec<Census>;

    async fn run(&self, db: &mut Session, _: UnixMicros) -> Result<Vec<Census>, StoreError> {
        let now = seconds(self.now);
        let mut counted: Vec<Census> = Vec::new();
        for mut row in db.query("SELECT ca, count(*) FROM certificates GROUP BY ca ORDER BY ca", &[]).await? {
            counted.push(Census { ca: row.take(0)?, issued: row.take(1)?, current: 0, revoked: 0, recent: 0 });
        }
        let mut count = async |sql: &str, value: i64, set: fn(&mut Census, u64)| {
            for mut row in db.query(sql, &values![value]).await? {
                let ca: String = row.take(0)?;
                if let Some(census) = counted.iter_mut().find(|census| census.ca == ca) {
                    set(census, row.take(1)?);
                }
            }
            Ok::<(), StoreError>(())
        };
        let current = "SELECT ca, count(*) FROM certificates WHERE not_after >= ?1 GROUP BY ca";
        count(current, now, |census, number| census.current = number).await?;
        let revoked = "SELECT c.ca, count(*) FROM revocations r JOIN certificates c ON c.number = r.certificate \
                       WHERE c.not_after >= ?1 GROUP BY c.ca";
        count(revoked, now, |census, number| census.revoked = number).await?;
        // Certificates come in the order of their time: from the last one back to the first that is too old.
        let recent = "SELECT ca, count(*) FROM certificates WHERE number > coalesce((SELECT number FROM certificates \
                      WHERE issued_at < ?1 ORDER BY number DESC LIMIT 1), 0) GROUP BY ca";
        count(recent, seconds(self.since), |census, number| census.recent = number).await?;
        Ok(counted)
    }
}
