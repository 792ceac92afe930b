//! What a certificate goes back to, and what goes back to it.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use est_core::Principal;
use est_core::pkix::Certificate;

use crate::inventory::{COLUMNS, Find, TABLES, numbered};
use crate::session::{Query, Session};
use crate::value::values;
use crate::work::Work;
use crate::{
    ApprovalRequest, Database, IssuedCertificate, PasswordSummary, SerialNumber, StoreError, UnixMicros, passwords,
    requests,
};

/// How many certificates before one are told of at most, and how many after it.
const REACH: usize = 32;

/// A certificate, with the password and the request that it was issued for, as far as they are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chapter {
    /// The certificate.
    pub certificate: IssuedCertificate,
    /// The one-time password that it was asked for with.
    pub password: Option<PasswordSummary>,
    /// The request that an operator approved.
    pub request: Option<ApprovalRequest>,
}

/// The line of certificates that one belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Story {
    /// Those before it, the oldest first: the one that its client authenticated with, the one that was got with, and so on.
    pub before: Vec<Chapter>,
    /// The certificate itself.
    pub this: Chapter,
    /// Those that were got with it, or with one of these, the oldest first.
    pub after: Vec<Chapter>,
    /// Whether there are more before or after than are told of.
    pub is_cut: bool,
}

impl Database {
    /// Tells the story of the certificate with this serial number, of `ca` if one is named.
    ///
    /// # Errors
    /// [`StoreError::SeveralCertificates`] when none is named and it takes one; [`StoreError::Database`],
    /// [`StoreError::Damaged`].
    pub async fn story(&self, serial: &SerialNumber, ca: Option<&str>) -> Result<Option<Story>, StoreError> {
        self.read(Tell { certificate: Find { serial: serial.clone(), ca: ca.map(str::to_owned) } }).await
    }

    /// Lists the certificates that were issued for a password, the oldest first: up to `limit` of them.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Damaged`].
    pub async fn certificates_of_password(
        &self,
        password: &str,
        limit: u32,
    ) -> Result<Vec<IssuedCertificate>, StoreError> {
        self.read(Of { column: "password", id: password.to_owned(), limit }).await
    }

    /// The certificate that was issued for a request, if it was.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Damaged`].
    pub async fn certificate_of_request(&self, request: &str) -> Result<Option<IssuedCertificate>, StoreError> {
        Ok(self.read(Of { column: "request", id: request.to_owned(), limit: 1 }).await?.pop())
    }
}

struct Of {
    column: &'static str,
    id: String,
    limit: u32,
}

impl Work for Of {
    type Answer = Vec<IssuedCertificate>;

    async fn run(&self, db: &mut Session, _: UnixMicros) -> Result<Self::Answer, StoreError> {
        let column = self.column;
        let mut query = Query::new(&format!("{} WHERE c.{column} =", selected()), self.id.as_str());
        query.push(" ORDER BY number LIMIT", self.limit);
        Ok(numbered(query.run(db).await?)?.into_iter().map(|(_, certificate)| certificate).collect())
    }
}

struct Tell {
    certificate: Find,
}

impl Work for Tell {
    type Answer = Option<Story>;

    async fn run(&self, db: &mut Session, _: UnixMicros) -> Result<Option<Story>, StoreError> {
        let Some((number, this)) = self.certificate.certificate(db).await? else { return Ok(None) };
        let (mut before, mut at, mut is_cut) = (VecDeque::new(), number, false);
        while let Some((number, earlier)) = predecessor(db, at).await? {
            if before.len() == REACH {
                is_cut = true;
                break;
            }
            before.push_front(chapter(db, earlier).await?);
            at = number;
        }
        let mut after: Vec<(i64, IssuedCertificate)> = Vec::new();
        let (mut from, mut known) = (VecDeque::from([this.clone()]), BTreeSet::from([number]));
        while let Some(earlier) = from.pop_front() {
            for (number, later) in successors(db, &earlier, REACH + 1 - after.len()).await? {
                if known.insert(number) {
                    from.push_back(later.clone());
                    after.push((number, later));
                }
            }
            if after.len() > REACH {
                after.truncate(REACH);
                is_cut = true;
                break;
            }
        }
        after.sort_by_key(|(number, _)| *number);
        let mut chapters = Vec::with_capacity(after.len());
        for (_, later) in after {
            chapters.push(chapter(db, later).await?);
        }
        Ok(Some(Story { before: before.into(), this: chapter(db, this).await?, after: chapters, is_cut }))
    }
}

/// The certificate that the client authenticated with that got the one with this number.
async fn predecessor(db: &mut Session, number: i64) -> Result<Option<(i64, IssuedCertificate)>, StoreError> {
    let sql = "SELECT p.serial, p.ca FROM certificates x \
               JOIN certificates p ON p.serial = x.predecessor AND p.ca = x.predecessor_ca WHERE x.number = ?1";
    let Some(mut row) = db.query_one(sql, &values![number]).await? else { return Ok(None) };
    let (serial, ca): (Vec<u8>, String) = (row.take(0)?, row.take(1)?);
    let mut query = Query::new(&format!("{} WHERE c.serial =", selected()), serial);
    query.push(" AND c.ca =", ca);
    Ok(numbered(query.run(db).await?)?.pop())
}

/// The certificates that were got with a certificate.
async fn successors(
    db: &mut Session,
    of: &IssuedCertificate,
    limit: usize,
) -> Result<Vec<(i64, IssuedCertificate)>, StoreError> {
    let certificate = Certificate::parse(&of.der).map_err(|_| StoreError::Damaged { column: "certificates.der" })?;
    let holder = Principal::Certificate(Arc::new(certificate).into()).id();
    // The second condition is that of the index.
    let mut query = Query::new(&format!("{} WHERE c.principal =", selected()), holder);
    query.push_str(" AND c.principal LIKE 'cert:%'");
    query.push(" ORDER BY number LIMIT", u32::try_from(limit).unwrap_or(u32::MAX));
    numbered(query.run(db).await?)
}

fn selected() -> String {
    format!("{COLUMNS} FROM {TABLES}")
}

async fn chapter(db: &mut Session, certificate: IssuedCertificate) -> Result<Chapter, StoreError> {
    let password = match &certificate.password {
        Some(id) => passwords::find_summary(db, id).await?,
        None => None,
    };
    let request = match &certificate.request {
        Some(id) => requests::find(db, id).await?,
        None => None,
    };
    Ok(Chapter { certificate, password, request })
}
