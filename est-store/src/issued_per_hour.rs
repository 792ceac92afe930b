//! How many certificates were issued when.

use est_core::UnixTime;

use crate::database::{Database, seconds, time};
use crate::session::Session;
use crate::value::values;
use crate::work::Work;
use crate::{StoreError, UnixMicros};

/// How many certificates are looked at: a chart of a very busy day begins late rather than hold up the database.
const REACH: i64 = 200_000;

impl Database {
    /// Counts the certificates that were issued at `since` or later, by the hour: when each hour begins, and how many.
    /// Hours without any are left out. The last 200,000 certificates are looked at, so that of a very busy day the
    /// earliest hours may be missing.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn issued_per_hour(&self, since: UnixTime) -> Result<Vec<(UnixTime, u64)>, StoreError> {
        self.read(IssuedPerHour { since }).await
    }
}

struct IssuedPerHour {
    since: UnixTime,
}

impl Work for IssuedPerHour {
    type Answer = Vec<(UnixTime, u64)>;

    async fn run(&self, db: &mut Session, _: UnixMicros) -> Result<Self::Answer, StoreError> {
        let sql = "SELECT issued_at - issued_at % 3600, count(*) FROM certificates \
                   WHERE number > (SELECT max(number) FROM certificates) - ?1 AND issued_at >= ?2 \
                   GROUP BY issued_at - issued_at % 3600 ORDER BY 1";
        let rows = db.query(sql, &values![REACH, seconds(self.since)]).await?;
        rows.into_iter().map(|mut row| Ok((time(row.take(0)?), row.take(1)?))).collect()
    }
}
