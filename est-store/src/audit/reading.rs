//! Reading chains from their beginning.

use super::{AuditRecord, Chain, Verifier, record, stored};
use crate::database::Database;
use crate::session::{Query, Session};
use crate::value::{Row, values};
use crate::work::Work;
use crate::{StoreError, UnixMicros};

/// How many records are read at a time.
const PIECE: u32 = 4096;

/// A piece of a chain as it lies in the database, with whatever somebody may have done to it there.
#[derive(Clone, Debug)]
pub struct ChainPiece {
    /// The records, in the order of their places.
    pub records: Vec<Result<AuditRecord, Unreadable>>,
    /// Where the next piece begins; `None` where there is no more at present.
    pub next: Option<ChainPlace>,
}

/// A record with a value in it that is never written there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Its place in the chain, if that is one.
    pub sequence: Option<u64>,
    /// Which column the value is in.
    pub column: &'static str,
}

/// A place between two rows of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainPlace {
    sequence: i64,
    number: i64,
}

impl Database {
    /// Reads the records of a node's chain that come after the one at `after`, in their order, up to `limit` of them.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Damaged`].
    pub async fn chain(&self, node: &str, after: u64, limit: u32) -> Result<Vec<AuditRecord>, StoreError> {
        let sequence = i64::try_from(after).unwrap_or(i64::MAX);
        let after = Some(ChainPlace { sequence, number: i64::MAX });
        let piece = self.chain_piece(node, after, limit).await?;
        let damaged = |Unreadable { column, .. }| StoreError::Damaged { column };
        piece.records.into_iter().map(|read| read.map_err(damaged)).collect()
    }

    /// As [`chain`](Self::chain), with a stand-in for each record that cannot be read ([`UNREADABLE`](crate::UNREADABLE)).
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn chain_with_stand_ins(
        &self,
        node: &str,
        after: u64,
        limit: u32,
    ) -> Result<Vec<AuditRecord>, StoreError> {
        self.read(WithStandIns { node: node.to_owned(), after: stored(after), limit }).await
    }

    /// As [`chain`](Self::chain), to look for what was done to it: with rows that share a place, and with those
    /// that cannot be read.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn chain_piece(
        &self,
        node: &str,
        after: Option<ChainPlace>,
        limit: u32,
    ) -> Result<ChainPiece, StoreError> {
        self.read(Piece { node: node.to_owned(), after, limit }).await
    }

    /// Reads every chain into `verifier`, which may be done while nodes write, and calls `look` with each record before it is
    /// added. Answers with the number of [`strays`](Self::strays).
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn verify(
        &self,
        verifier: &mut Verifier,
        mut look: impl FnMut(&mut Verifier, &AuditRecord) + Send,
    ) -> Result<u64, StoreError> {
        for node in self.chain_nodes().await? {
            let before = self.chain_end(&node).await?;
            let mut place = None;
            loop {
                let piece = self.chain_piece(&node, place, PIECE).await?;
                for read in piece.records {
                    match read {
                        Ok(record) => {
                            look(verifier, &record);
                            verifier.add(&record, None);
                        }
                        Err(Unreadable { sequence, column }) => verifier.add_unreadable(&node, sequence, column),
                    }
                }
                place = piece.next;
                if place.is_none() {
                    break;
                }
            }
            let after = self.chain_end(&node).await?;
            verifier.close(&node, before.as_ref(), after.as_ref());
        }
        self.strays().await
    }

    /// Reads the end of a node's chain; `None` when it has written nothing.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn chain_end(&self, node: &str) -> Result<Option<Chain>, StoreError> {
        self.read(End { node: node.to_owned() }).await
    }

    /// Reads the ends of all chains, in the order of their nodes' names.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn chain_ends(&self) -> Result<Vec<Chain>, StoreError> {
        self.read(Ends).await
    }

    /// Reads the names of the nodes that have a chain.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn chain_nodes(&self) -> Result<Vec<String>, StoreError> {
        self.read(Nodes).await
    }

    /// Counts the rows that are in no chain, which no server wrote. Reads the whole table.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn strays(&self) -> Result<u64, StoreError> {
        self.read(Strays).await
    }
}

struct Piece {
    node: String,
    after: Option<ChainPlace>,
    limit: u32,
}

impl Piece {
    fn query<'a>(&'a self, columns: &str) -> Query<'a> {
        let ChainPlace { sequence, number } = self.after.unwrap_or(ChainPlace { sequence: i64::MIN, number: i64::MIN });
        let mut query = Query::new(&format!("SELECT {columns} FROM audit WHERE node ="), self.node.as_str());
        query.push(" AND sequence >=", sequence).push(" AND (sequence >", sequence).push(" OR number >", number);
        query.push_str(")").push(" ORDER BY sequence, number LIMIT", self.limit);
        query
    }
}

impl Work for Piece {
    type Answer = ChainPiece;

    async fn run(&self, db: &mut Session, _: UnixMicros) -> Result<ChainPiece, StoreError> {
        let places = self.query("sequence, number").run(db).await?;
        let places: Vec<ChainPlace> = places
            .into_iter()
            .map(|mut row| Ok(ChainPlace { sequence: row.take(0)?, number: row.take(1)? }))
            .collect::<Result<_, StoreError>>()?;
        let next = places.last().copied().filter(|_| places.len() == self.limit as usize);
        let read = |place: &ChainPlace, row: Result<AuditRecord, StoreError>| match row {
            Ok(record) => Ok(record),
            Err(StoreError::Damaged { column }) => {
                Err(Unreadable { sequence: u64::try_from(place.sequence).ok(), column })
            }
            Err(_) => Err(Unreadable { sequence: u64::try_from(place.sequence).ok(), column: "text" }),
        };
        let mut records = Vec::with_capacity(places.len());
        match self.query(record::COLUMNS).run(db).await {
            Ok(rows) => {
                records.extend(places.iter().zip(rows).map(|(place, row)| read(place, record::read(row))));
            }
            // One row that the database cannot even hand over is enough: which it is tells each alone.
            Err(_) => {
                for place in &places {
                    let sql = format!("SELECT {} FROM audit WHERE number = ?1", record::COLUMNS);
                    let row = db.query_one(&sql, &values![place.number]).await;
                    let row = row.and_then(|row| row.ok_or(StoreError::Damaged { column: "audit.number" }));
                    records.push(read(place, row.and_then(record::read)));
                }
            }
        }
        Ok(ChainPiece { records, next })
    }
}

struct WithStandIns {
    node: String,
    after: i64,
    limit: u32,
}

impl Work for WithStandIns {
    type Answer = Vec<AuditRecord>;

    async fn run(&self, db: &mut Session, _: UnixMicros) -> Result<Vec<AuditRecord>, StoreError> {
        let select = |columns: &str| {
            let mut query = Query::new(&format!("SELECT {columns} FROM audit WHERE node ="), self.node.as_str());
            query.push(" AND sequence >", self.after).push(" ORDER BY sequence, number LIMIT", self.limit);
            query
        };
        record::read_all(db, select).await
    }
}

struct End {
    node: String,
}

impl Work for End {
    type Answer = Option<Chain>;

    async fn run(&self, db: &mut Session, _: UnixMicros) -> Result<Option<Chain>, StoreError> {
        let row = db.query_one("SELECT sequence, hash FROM chains WHERE node = ?1", &values![&self.node]).await?;
        row.map(|mut row| Ok(Chain { node: self.node.clone(), sequence: row.take(0)?, hash: row.take(1)? })).transpose()
    }
}

struct Ends;

impl Work for Ends {
    type Answer = Vec<Chain>;

    async fn run(&self, db: &mut Session, _: UnixMicros) -> Result<Vec<Chain>, StoreError> {
        let rows = db.query("SELECT node, sequence, hash FROM chains ORDER BY node", &[]).await?;
        let end = |mut row: Row| Ok(Chain { node: row.take(0)?, sequence: row.take(1)?, hash: row.take(2)? });
        rows.into_iter().map(end).collect()
    }
}

struct Nodes;

impl Work for Nodes {
    type Answer = Vec<String>;

    async fn run(&self, db: &mut Session, _: UnixMicros) -> Result<Vec<String>, StoreError> {
        let mut nodes = Vec::new();
        for mut row in db.query("SELECT node FROM chains", &[]).await? {
            nodes.push(row.take::<String>(0)?);
        }
        // From one to the next, so that not every record is looked at.
        let mut next = db.query_one("SELECT min(node) FROM audit", &[]).await?;
        while let Some(row) = &mut next
            && let Some(node) = row.take::<Option<String>>(0)?
        {
            next = db.query_one("SELECT min(node) FROM audit WHERE node > ?1", &values![&node]).await?;
            nodes.push(node);
        }
        nodes.sort();
        nodes.dedup();
        Ok(nodes)
    }
}

struct Strays;

impl Work for Strays {
    type Answer = u64;

    async fn run(&self, db: &mut Session, _: UnixMicros) -> Result<u64, StoreError> {
        let sql = "SELECT count(*) FROM audit WHERE node IS NULL OR sequence IS NULL OR hash IS NULL";
        db.query_one(sql, &[]).await?.map_or(Ok(0), |mut row| row.take(0))
    }
}
