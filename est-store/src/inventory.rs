//! The certificates that were issued, and which of them were revoked.

use est_core::UnixTime;
use est_core::pkix::{Certificate, Fingerprint};

use crate::database::{Database, seconds, time};
use crate::session::{Query, Session};
use crate::value::{Row, values};
use crate::work::Work;
use crate::{Cursor, Page, RevocationReason, Revoked, SerialNumber, StoreError, UnixMicros};

/// How many certificates one listing looks at: a page may come out short, but nothing is held up by a long search.
const REACH: i64 = 50_000;

/// A certificate that was issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuedCertificate {
    /// The id of the CA that issued it.
    pub ca: String,
    /// Its serial number.
    pub serial: SerialNumber,
    /// The SHA-256 of its DER.
    pub fingerprint: Fingerprint,
    /// Whom it names.
    pub subject: String,
    /// Its subjectAltName.
    pub names: Option<String>,
    /// The first second in which it is valid.
    pub not_before: UnixTime,
    /// The last second in which it is valid.
    pub not_after: UnixTime,
    /// The label that it was asked for at.
    pub label: Option<String>,
    /// The profile that it was made from.
    pub profile: String,
    /// The id of the principal that it was issued to.
    pub principal: String,
    /// When it was issued.
    pub issued_at: UnixTime,
    /// The public half of the one-time password that it was asked for with.
    pub password: Option<String>,
    /// The id of the request that an operator approved.
    pub request: Option<String>,
    /// The serial number of the certificate that its client authenticated with, if that was issued here: the one that it
    /// renews, as a rule.
    pub predecessor: Option<SerialNumber>,
    /// When and why it was revoked, if it was.
    pub revoked: Option<Revoked>,
    /// The certificate, DER; listings leave it out.
    pub der: Vec<u8>,
}

impl IssuedCertificate {
    /// What it is at this time. A revoked certificate stays revoked when it expires.
    #[must_use]
    pub fn status(&self, now: UnixTime) -> CertificateStatus {
        if self.revoked.is_some() {
            CertificateStatus::Revoked
        } else if self.not_after < now {
            CertificateStatus::Expired
        } else {
            CertificateStatus::Valid
        }
    }
}

/// What a certificate is at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateStatus {
    /// Neither expired nor revoked.
    Valid,
    /// Expired, and not revoked.
    Expired,
    /// Revoked.
    Revoked,
}

/// Which certificates to list. The default is all of them.
#[derive(Clone, Debug, Default)]
pub struct CertificateFilter {
    /// Those of this status at this time.
    pub status: Option<(CertificateStatus, UnixTime)>,
    /// Those of this CA.
    pub ca: Option<String>,
    /// Those asked for at this label.
    pub label: Option<String>,
    /// Those issued at this time or later.
    pub issued_since: Option<UnixTime>,
    /// Those issued before this time.
    pub issued_before: Option<UnixTime>,
    /// Those that end before this time.
    pub ends_before: Option<UnixTime>,
    /// Those whose subject or subjectAltName has this text in it, in either case of ASCII, or whose serial number begins
    /// with it, in hexadecimal. Where it is as long as serial numbers are and one is like that, that one alone.
    pub containing: Option<String>,
}

impl Database {
    /// Whether this certificate was issued here: also one that only differs in its signature's octets.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Damaged`].
    pub async fn was_issued(&self, certificate: &Certificate) -> Result<bool, StoreError> {
        let serial = SerialNumber::from_contents(certificate.serial());
        self.glance(WasIssued { serial, contents: certificate.contents_digest() }).await
    }

    /// The certificate with this serial number, of `ca` if one is named.
    ///
    /// # Errors
    /// [`StoreError::SeveralCertificates`] when none is named and it takes one; [`StoreError::Database`],
    /// [`StoreError::Damaged`].
    pub async fn certificate(
        &self,
        serial: &SerialNumber,
        ca: Option<&str>,
    ) -> Result<Option<IssuedCertificate>, StoreError> {
        self.read(Find { serial: serial.clone(), ca: ca.map(str::to_owned) }).await
    }

    /// Lists certificates, the latest first, up to `limit` of them and from `after` on.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Damaged`].
    pub async fn certificates(
        &self,
        filter: CertificateFilter,
        limit: u32,
        after: Option<Cursor>,
    ) -> Result<Page<IssuedCertificate>, StoreError> {
        self.read(List { filter, limit, after }).await
    }

    /// How many certificates there are of those that [`certificates`](Self::certificates) lists; `None` where counting
    /// them would take long.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn count_certificates(&self, filter: CertificateFilter) -> Result<Option<u64>, StoreError> {
        self.read(Count { filter }).await
    }
}

struct WasIssued {
    serial: SerialNumber,
    contents: [u8; 32],
}

impl Work for WasIssued {
    type Answer = bool;

    async fn run(&self, db: &mut Session, _: UnixMicros) -> Result<bool, StoreError> {
        let sql = "SELECT der FROM certificates WHERE serial = ?1";
        for mut row in db.query(sql, &values![self.serial.as_bytes()]).await? {
            let issued = Certificate::parse(&row.take::<Vec<u8>>(0)?);
            let issued = issued.map_err(|_| StoreError::Damaged { column: "certificates.der" })?;
            if issued.contents_digest() == self.contents {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The certificate with a serial number, of a CA if one is named.
pub(crate) struct Find {
    pub(crate) serial: SerialNumber,
    pub(crate) ca: Option<String>,
}

impl Work for Find {
    type Answer = Option<IssuedCertificate>;

    async fn run(&self, db: &mut Session, _: UnixMicros) -> Result<Option<IssuedCertificate>, StoreError> {
        Ok(self.certificate(db).await?.map(|(_, certificate)| certificate))
    }
}

impl Find {
    /// The certificate and its number.
    pub(crate) async fn certificate(&self, db: &mut Session) -> Result<Option<(i64, IssuedCertificate)>, StoreError> {
        let mut query = Query::new(&format!("{COLUMNS} FROM {TABLES} WHERE serial ="), self.serial.as_bytes());
        if let Some(ca) = &self.ca {
            query.push(&format!(" AND {CA} ="), ca);
        }
        let mut found = numbered(query.run(db).await?)?;
        match found.len() {
            0 | 1 => Ok(found.pop()),
            _ => {
                let cas = found.into_iter().map(|(_, certificate)| certificate.ca).collect();
                Err(StoreError::SeveralCertificates { cas })
            }
        }
    }
}

/// The id of a certificate's CA: what its authority is called now.
const CA: &str = "coalesce(a.id, c.ca)";

/// Certificates with what became of them.
pub(crate) const TABLES: &str = "certificates c LEFT JOIN revocations r ON r.certificate = number \
     LEFT JOIN authorities a ON a.name = c.ca";

/// The same for those that were revoked.
const REVOKED: &str = "revocations r JOIN certificates c ON number = r.certificate \
     LEFT JOIN authorities a ON a.name = c.ca";

/// What [`numbered`] reads.
pub(crate) const COLUMNS: &str = "SELECT number, coalesce(a.id, c.ca), c.serial, c.fingerprint, c.subject, c.names, \
     c.not_before, c.not_after, c.label, c.profile, c.principal, c.issued_at, r.revoked_at, r.reason, c.der, c.password, \
     c.request, c.predecessor";

struct List {
    filter: CertificateFilter,
    limit: u32,
    after: Option<Cursor>,
}

impl Work for List {
    type Answer = Page<IssuedCertificate>;

    async fn run(&self, db: &mut Session, _: UnixMicros) -> Result<Page<IssuedCertificate>, StoreError> {
        let Self { filter, limit, after } = self;
        if let (Some(prefix), None) = (filter.serial_prefix().filter(|prefix| prefix.is_long()), after) {
            let mut query = Query::new(&format!("{COLUMNS} FROM {TABLES} WHERE c.serial >="), prefix.from.clone());
            prefix.narrow(" AND c.serial <", &mut query);
            query.push(" ORDER BY number DESC LIMIT", i64::from(*limit));
            let found = numbered(query.run(db).await?)?;
            if !found.is_empty() {
                return Ok(Page { items: found.into_iter().map(|(_, certificate)| certificate).collect(), next: None });
            }
        }
        // Numbers have few gaps, so that a range of them is about as many rows.
        let from = match after {
            Some(cursor) => cursor.0,
            None => last_number(db).await?.saturating_add(1),
        };
        let to = match filter.status {
            Some((CertificateStatus::Revoked, _)) => 1,
            _ => from.saturating_sub(REACH).max(1),
        };
        // The revoked ones are few: from them to their certificates, and in their order.
        let (tables, key) = match filter.status {
            Some((CertificateStatus::Revoked, _)) => (REVOKED, "r.certificate"),
            _ => (TABLES, "number"),
        };
        let mut query = Query::new(&format!("{COLUMNS} FROM {tables} WHERE {key} <"), from);
        query.push(&format!(" AND {key} >="), to);
        filter.narrow(&mut query);
        query.push(&format!(" ORDER BY {key} DESC LIMIT"), i64::from(*limit) + 1);
        let mut page = Page::of(numbered(query.run(db).await?)?, *limit);
        if page.next.is_none() && to > 1 {
            page.next = Some(Cursor(to));
        }
        Ok(page)
    }
}

impl CertificateFilter {
    /// Adds its conditions to those of a query over [`TABLES`].
    fn narrow<'a>(&'a self, query: &mut Query<'a>) {
        match self.status {
            Some((CertificateStatus::Valid, now)) => {
                query.push(" AND r.certificate IS NULL AND c.not_after >=", seconds(now));
            }
            Some((CertificateStatus::Expired, now)) => {
                query.push(" AND r.certificate IS NULL AND c.not_after <", seconds(now));
            }
            Some((CertificateStatus::Revoked, _)) => {
                query.push_str(" AND r.certificate IS NOT NULL");
            }
            None => {}
        }
        if let Some(ca) = &self.ca {
            query.push(&format!(" AND {CA} ="), ca);
        }
        if let Some(label) = &self.label {
            query.push(" AND c.label =", label);
        }
        if let Some(since) = self.issued_since {
            query.push(" AND c.issued_at >=", seconds(since));
        }
        if let Some(before) = self.issued_before {
            query.push(" AND c.issued_at <", seconds(before));
        }
        if let Some(before) = self.ends_before {
            query.push(" AND c.not_after <", seconds(before));
        }
        if let Some(text) = &self.containing {
            query.push(" AND (instr(lower(c.subject), lower(", text).push_str(")) > 0");
            query.push(" OR instr(lower(c.names), lower(", text).push_str(")) > 0");
            if let Some(prefix) = self.serial_prefix() {
                query.push(" OR (c.serial >=", prefix.from.clone());
                prefix.narrow(" AND c.serial <", query);
                query.push_str(")");
            }
            query.push_str(")");
        }
    }
}

impl CertificateFilter {
    fn serial_prefix(&self) -> Option<SerialPrefix> {
        self.containing.as_deref().and_then(SerialPrefix::of)
    }
}

/// The serial numbers that begin with some octets.
struct SerialPrefix {
    from: Vec<u8>,
    /// The first that does not any more, unless that is beyond all.
    to: Option<Vec<u8>>,
}

impl SerialPrefix {
    /// What text can be the beginning of: of four hexadecimal digits at least, in pairs, as serial numbers are written.
    fn of(text: &str) -> Option<Self> {
        let text = text.trim();
        let text = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
        let digits: Vec<u8> = text
            .chars()
            .filter(|letter| *letter != ':')
            .map(|letter| letter.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
            .collect::<Option<_>>()?;
        if digits.len() < 4 {
            return None;
        }
        let octets: Vec<u8> = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
        let (from, to) = match digits.as_slice() {
            // Half an octet at the end stands for sixteen.
            [.., last] if digits.len() % 2 == 1 => {
                let with = |octet: u8| [octets.as_slice(), &[octet]].concat();
                (with(last << 4), after(&with(last << 4 | 15)))
            }
            _ => (octets.clone(), after(&octets)),
        };
        Some(Self { from, to })
    }

    /// Whether it is hardly anything else: 64 bits, which RFC 5280's readers ask of serial numbers at least.
    fn is_long(&self) -> bool {
        self.from.len() >= 8
    }

    /// Adds the condition that ends with the last of them.
    fn narrow<'a>(&self, sql: &str, query: &mut Query<'a>) {
        match &self.to {
            Some(to) => query.push(sql, to.clone()),
            None => query,
        };
    }
}

/// The first octets that come after all that begin with these; `None` where there are none.
fn after(octets: &[u8]) -> Option<Vec<u8>> {
    let kept = octets.iter().rposition(|octet| *octet != 0xff)?;
    let mut next = octets[..=kept].to_vec();
    next[kept] += 1;
    Some(next)
}

struct Count {
    filter: CertificateFilter,
}

impl Work for Count {
    type Answer = Option<u64>;

    async fn run(&self, db: &mut Session, _: UnixMicros) -> Result<Option<u64>, StoreError> {
        if last_number(db).await? > REACH {
            return Ok(None);
        }
        let mut query = Query::new(&format!("SELECT count(*) FROM {TABLES} WHERE number >"), 0_i64);
        self.filter.narrow(&mut query);
        let row = query.run(db).await?.into_iter().next();
        row.map(|mut row| row.take(0)).transpose()
    }
}

async fn last_number(db: &mut Session) -> Result<i64, StoreError> {
    let row = db.query_one("SELECT max(number) FROM certificates", &[]).await?;
    row.map_or(Ok(0), |mut row| Ok(row.take::<Option<_>>(0)?.unwrap_or(0)))
}

/// Certificates, each with its number.
pub(crate) fn numbered(rows: Vec<Row>) -> Result<Vec<(i64, IssuedCertificate)>, StoreError> {
    rows.into_iter().map(|mut row| Ok((row.take(0)?, certificate(row)?))).collect()
}

fn certificate(mut row: Row) -> Result<IssuedCertificate, StoreError> {
    let revoked = match (row.take::<Option<i64>>(12)?, row.take::<Option<u8>>(13)?) {
        (Some(at), Some(code)) => {
            let reason =
                RevocationReason::from_code(code).ok_or(StoreError::Damaged { column: "revocations.reason" })?;
            Some(Revoked { at: time(at), reason })
        }
        _ => None,
    };
    Ok(IssuedCertificate {
        ca: row.take(1)?,
        serial: SerialNumber::from_contents(&row.take::<Vec<u8>>(2)?),
        fingerprint: Fingerprint(row.take(3)?),
        subject: row.take(4)?,
        names: row.take(5)?,
        not_before: time(row.take(6)?),
        not_after: time(row.take(7)?),
        label: row.take(8)?,
        profile: row.take(9)?,
        principal: row.take(10)?,
        issued_at: time(row.take(11)?),
        password: row.take(15)?,
        request: row.take(16)?,
        predecessor: row.take::<Option<Vec<u8>>>(17)?.map(|serial| SerialNumber::from_contents(&serial)),
        revoked,
        der: row.take(14)?,
    })
}
