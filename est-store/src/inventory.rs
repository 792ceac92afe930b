//! The certificates that were issued, and which of them were revoked.

use est_core::UnixTime;
use est_core::pkix::{Certificate, Fingerprint};
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params, params_from_iter};

use crate::audit::Event;
use crate::database::{Database, seconds, time};
use crate::{Actor, Cursor, Page, Revocation, RevocationReason, Revoked, SerialNumber, StoreError, UnixMicros};

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
    /// When and why it was revoked, if it was.
    pub revoked: Option<Revoked>,
    /// The certificate, DER.
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
    /// Those whose subject or subjectAltName has this text in it, in either case of ASCII.
    pub containing: Option<String>,
}

impl Database {
    /// Whether this certificate was issued here and revoked: also one that only differs in its signature's octets.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn is_revoked(&self, certificate: &Certificate) -> Result<bool, StoreError> {
        let contents = certificate.contents_digest();
        let query = move |db: &Connection| {
            let mut select = db.prepare_cached("SELECT 1 FROM revocations WHERE contents = ?1")?;
            select.exists([contents])
        };
        self.inner.readers.glance(query).await
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
        let (serial, ca) = (serial.clone(), ca.map(str::to_owned));
        let query = move |db: &Connection| match find(db, &serial, ca.as_deref())? {
            Some(number) => read(db, number).map(Some),
            None => Ok(None),
        };
        self.inner.readers.read(query).await
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
        self.inner.readers.read(move |db| list(db, &filter, limit, after)).await
    }

    /// Revokes the certificate with this serial number, of `ca` if one is named, on `actor`'s behalf.
    ///
    /// # Errors
    /// [`StoreError::SeveralCertificates`] when none is named and it takes one; [`StoreError::Database`],
    /// [`StoreError::NotCommitted`].
    pub async fn revoke(
        &self,
        serial: &SerialNumber,
        ca: Option<&str>,
        reason: RevocationReason,
        now: UnixTime,
        actor: &Actor,
    ) -> Result<Revocation, StoreError> {
        let (serial, ca, actor) = (serial.clone(), ca.map(str::to_owned), actor.clone());
        let work = move |db: &Connection, at| match find(db, &serial, ca.as_deref())? {
            Some(number) => revoke(db, number, Revoked { at: now, reason }, &actor, at),
            None => Ok(Revocation::Unknown),
        };
        self.inner.writer.write(work).await
    }
}

fn find(db: &Connection, serial: &SerialNumber, ca: Option<&str>) -> Result<Option<i64>, StoreError> {
    let mut select =
        db.prepare_cached("SELECT number, ca FROM certificates WHERE serial = ?1 AND (?2 IS NULL OR ca = ?2)")?;
    let rows = select.query_map(params![serial.as_bytes(), ca], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let found: Vec<(i64, String)> = rows.collect::<Result<_, _>>()?;
    match found.as_slice() {
        [] => Ok(None),
        [(number, _)] => Ok(Some(*number)),
        _ => Err(StoreError::SeveralCertificates { cas: found.into_iter().map(|(_, ca)| ca).collect() }),
    }
}

fn revoke(
    db: &Connection,
    number: i64,
    revoked: Revoked,
    actor: &Actor,
    at: UnixMicros,
) -> Result<Revocation, StoreError> {
    let certificate = read(db, number)?;
    let parsed =
        Certificate::parse(&certificate.der).map_err(|_| StoreError::Damaged { column: "certificates.der" })?;
    // Also when the certificate was revoked before, for another reason: what counts is that somebody has the key.
    if revoked.reason == RevocationReason::KeyCompromise {
        db.prepare_cached("INSERT INTO compromised_keys (key) VALUES (?1) ON CONFLICT DO NOTHING")?
            .execute([parsed.key_digest()])?;
    }
    let inserted = db
        .prepare_cached(
            "INSERT INTO revocations (certificate, contents, revoked_at, reason) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT (certificate) DO NOTHING",
        )?
        .execute(params![number, parsed.contents_digest(), seconds(revoked.at), revoked.reason.code()])?;
    if inserted == 0 {
        return Ok(Revocation::AlreadyRevoked);
    }
    Event {
        label: certificate.label.as_deref(),
        ca: Some(&certificate.ca),
        reason: Some(revoked.reason.name()),
        serial: Some(certificate.serial.as_bytes()),
        fingerprint: Some(&certificate.fingerprint.0),
        ..Event::by(actor, "cert.revoked")
    }
    .insert(db, at)?;
    Ok(Revocation::Revoked)
}

const COLUMNS: &str = "SELECT number, c.ca, c.serial, c.fingerprint, c.subject, c.names, c.not_before, c.not_after, \
     c.label, c.profile, c.principal, c.issued_at, r.revoked_at, r.reason, c.der";

fn read(db: &Connection, number: i64) -> Result<IssuedCertificate, StoreError> {
    let sql =
        format!("{COLUMNS} FROM certificates c LEFT JOIN revocations r ON r.certificate = number WHERE number = ?1");
    let mut select = db.prepare_cached(&sql)?;
    let mut rows = select.query([number])?;
    let row = rows.next()?.ok_or(StoreError::Damaged { column: "certificates.number" })?;
    certificate(row)
}

fn list(
    db: &Connection,
    filter: &CertificateFilter,
    limit: u32,
    after: Option<Cursor>,
) -> Result<Page<IssuedCertificate>, StoreError> {
    // Numbers have no gaps, so that a range of them is as many rows.
    let last: Option<i64> =
        db.prepare_cached("SELECT max(number) FROM certificates")?.query_row([], |row| row.get(0))?;
    let from = after.map_or(last.unwrap_or(0).saturating_add(1), |cursor| cursor.0);
    let to = match filter.status {
        Some((CertificateStatus::Revoked, _)) => 1,
        _ => from.saturating_sub(REACH).max(1),
    };
    let mut values: Vec<Value> = vec![from.into(), to.into()];
    // The revoked ones are few: from them to their certificates, and in their order.
    let (tables, key) = match filter.status {
        Some((CertificateStatus::Revoked, _)) => {
            ("revocations r CROSS JOIN certificates c ON number = r.certificate", "r.certificate")
        }
        _ => ("certificates c LEFT JOIN revocations r ON r.certificate = number", "number"),
    };
    let mut sql = format!("{COLUMNS} FROM {tables} WHERE {key} < ? AND {key} >= ?");
    match filter.status {
        Some((CertificateStatus::Valid, now)) => {
            sql.push_str(" AND r.certificate IS NULL AND c.not_after >= ?");
            values.push(seconds(now).into());
        }
        Some((CertificateStatus::Expired, now)) => {
            sql.push_str(" AND r.certificate IS NULL AND c.not_after < ?");
            values.push(seconds(now).into());
        }
        Some((CertificateStatus::Revoked, _)) | None => {}
    }
    if let Some(text) = &filter.containing {
        sql.push_str(" AND (instr(lower(c.subject), lower(?)) > 0 OR instr(lower(c.names), lower(?)) > 0)");
        values.extend([text.clone().into(), text.clone().into()]);
    }
    sql.push_str(&format!(" ORDER BY {key} DESC LIMIT ?"));
    values.push((i64::from(limit) + 1).into());
    let mut statement = db.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(values))?;
    let mut certificates = Vec::new();
    while let Some(row) = rows.next()? {
        certificates.push((row.get(0)?, certificate(row)?));
    }
    let mut page = Page::of(certificates, limit);
    if page.next.is_none() && to > 1 {
        page.next = Some(Cursor(to));
    }
    Ok(page)
}

fn certificate(row: &Row<'_>) -> Result<IssuedCertificate, StoreError> {
    let revoked = match (row.get::<_, Option<i64>>(12)?, row.get::<_, Option<u8>>(13)?) {
        (Some(at), Some(code)) => {
            let reason =
                RevocationReason::from_code(code).ok_or(StoreError::Damaged { column: "revocations.reason" })?;
            Some(Revoked { at: time(at), reason })
        }
        _ => None,
    };
    Ok(IssuedCertificate {
        ca: row.get(1)?,
        serial: SerialNumber::from_contents(row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?),
        fingerprint: Fingerprint(row.get(3)?),
        subject: row.get(4)?,
        names: row.get(5)?,
        not_before: time(row.get(6)?),
        not_after: time(row.get(7)?),
        label: row.get(8)?,
        profile: row.get(9)?,
        principal: row.get(10)?,
        issued_at: time(row.get(11)?),
        revoked,
        der: row.get(14)?,
    })
}
