//! How many certificates there are.

use std::collections::BTreeMap;

use est_core::{Seconds, UnixTime};

use crate::database::{Database, seconds};
use crate::session::Session;
use crate::value::{Value, values};
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
    /// Those that are good and end within so many days: [`WITHIN_DAYS`](Self::WITHIN_DAYS).
    pub expiring: [u64; 2],
}

impl Census {
    /// The days of [`expiring`](Self::expiring).
    pub const WITHIN_DAYS: [u32; 2] = [7, 30];

    /// That of a CA which has issued nothing.
    #[must_use]
    pub fn none(ca: &str) -> Self {
        Self { ca: ca.to_owned(), issued: 0, current: 0, revoked: 0, recent: 0, expiring: [0; 2] }
    }

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
        let mut ids: BTreeMap<String, String> = BTreeMap::new();
        for mut row in db.query("SELECT name, id FROM authorities", &[]).await? {
            ids.insert(row.take(0)?, row.take(1)?);
        }
        let mut counted: BTreeMap<String, Census> = BTreeMap::new();
        let mut count = async |sql: &str, values: &[Value<'_>], add: fn(&mut Census, u64)| {
            for mut row in db.query(sql, values).await? {
                let name: String = row.take(0)?;
                let ca = ids.get(&name).unwrap_or(&name);
                add(counted.entry(ca.clone()).or_insert_with(|| Census::none(ca)), row.take(1)?);
            }
            Ok::<(), StoreError>(())
        };
        let all = "SELECT ca, count(*) FROM certificates GROUP BY ca";
        count(all, &[], |census, number| census.issued += number).await?;
        let current = "SELECT ca, count(*) FROM certificates WHERE not_after >= ?1 GROUP BY ca";
        count(current, &values![now], |census, number| census.current += number).await?;
        let revoked = "SELECT c.ca, count(*) FROM revocations r JOIN certificates c ON c.number = r.certificate \
                       WHERE c.not_after >= ?1 GROUP BY c.ca";
        count(revoked, &values![now], |census, number| census.revoked += number).await?;
        let ending = "SELECT c.ca, count(*) FROM certificates c WHERE c.not_after >= ?1 AND c.not_after < ?2 \
                      AND NOT EXISTS (SELECT 1 FROM revocations r WHERE r.certificate = c.number) GROUP BY c.ca";
        let [first, second] = Census::WITHIN_DAYS.map(|days| seconds(self.now + Seconds::from_days(days)));
        count(ending, &values![now, first], |census, number| census.expiring[0] += number).await?;
        count(ending, &values![now, second], |census, number| census.expiring[1] += number).await?;
        // Certificates come in the order of their time: from the last one back to the first that is too old.
        let recent = "SELECT ca, count(*) FROM certificates WHERE number > coalesce((SELECT number FROM certificates \
                      WHERE issued_at < ?1 ORDER BY number DESC LIMIT 1), 0) GROUP BY ca";
        count(recent, &values![seconds(self.since)], |census, number| census.recent += number).await?;
        Ok(counted.into_values().collect())
    }
}
