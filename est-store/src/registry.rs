//! Which key is which CA: a CA is its key, and what the configuration calls it is a name that can change.
//!
//! The column `ca` of certificates, CRLs and counts of revocations holds the name of an authority, which stands for one
//! key for ever. The table `authorities` has the key of each, and the id of the CA that it belongs to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;

use est_core::UnixTime;
use est_core::pkix::Certificate;

use crate::audit::Event;
use crate::database::{Database, seconds};
use crate::imports::issuer_digest;
use crate::session::Session;
use crate::value::{Row, values};
use crate::work::Work;
use crate::{StoreError, UnixMicros};

/// How many certificates are read in one transaction.
const PIECE: i64 = 1_000;

/// A CA, as the configuration has it.
#[derive(Clone, Debug)]
pub struct ConfiguredCa {
    /// What the configuration calls it.
    pub id: String,
    /// Its certificate, with the key that signs.
    pub certificate: Certificate,
    /// Other certificates of it, with keys that signed before or will.
    pub others: Vec<Certificate>,
}

/// A key of a CA that the database knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// What the CRL functions know it by. It never changes.
    pub name: String,
    /// The SHA-256 of the SubjectPublicKeyInfo; `None` for certificates from before keys were noted, until a server has
    /// started with their CA.
    pub key: Option<[u8; 32]>,
    /// The id of the CA that it belongs to.
    pub ca: String,
    /// The SHA-256 of the CA's name, DER; `None` until a server has started with a certificate for the key.
    pub(crate) issuer: Option<[u8; 32]>,
}

/// A CA that the configuration calls otherwise than before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renamed {
    /// The id that it had.
    pub from: String,
    /// The one that it has.
    pub to: String,
}

/// The CAs of a configuration as the database knows them.
#[derive(Clone, Debug)]
pub struct RegisteredCas {
    /// By their ids, the names of the keys that they sign with.
    names: BTreeMap<String, String>,
    /// By their SHA-256, the names of all keys.
    keys: BTreeMap<[u8; 32], String>,
    renamed: Vec<Renamed>,
}

impl RegisteredCas {
    /// Those that have another id than before.
    #[must_use]
    pub fn renamed(&self) -> &[Renamed] {
        &self.renamed
    }
}

impl Database {
    /// Tells the store which CAs the configuration has. A key that is known under another id takes its certificates,
    /// CRLs and revocations along, which is written down as `ca.renamed`. Certificates that were written down without
    /// their keys get them.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::NotCommitted`].
    pub async fn know_cas(&self, cas: &[ConfiguredCa], now: UnixTime) -> Result<Vec<Renamed>, StoreError> {
        let known = self.register_cas(cas, now).await?;
        let renamed = known.renamed.clone();
        self.go_by(known);
        Ok(renamed)
    }

    /// As [`know_cas`](Self::know_cas), and keeps to the CAs that it knows until it is told to [`go_by`](Self::go_by) these.
    ///
    /// # Errors
    /// Those of [`know_cas`](Self::know_cas).
    pub async fn register_cas(&self, cas: &[ConfiguredCa], now: UnixTime) -> Result<RegisteredCas, StoreError> {
        self.fill_in_keys().await?;
        let register = |only_look| Register { cas: cas.to_vec(), now, only_look };
        // Most of the time all is known, and nothing is written.
        let Registered { mut names, mut renamed, complete } = self.read(register(true)).await?;
        if !complete {
            Registered { names, renamed, .. } = self.write(register(false)).await?;
        }
        let keys = self.authorities().await?.into_iter().filter_map(|one| Some((one.key?, one.name))).collect();
        Ok(RegisteredCas { names, keys, renamed })
    }

    /// Knows these CAs from here on, and no others.
    pub fn go_by(&self, cas: RegisteredCas) {
        *self.inner.authorities_by_key.write().unwrap_or_else(PoisonError::into_inner) = cas.keys;
        *self.inner.authorities.write().unwrap_or_else(PoisonError::into_inner) = cas.names;
    }

    /// The name of this key of a CA, its SHA-256: of a key that [`know_cas`](Self::know_cas) was not told about, what
    /// [`authority`](Self::authority) says.
    #[must_use]
    pub fn authority_of(&self, ca: &str, key: &[u8; 32]) -> String {
        let known = self.inner.authorities_by_key.read().unwrap_or_else(PoisonError::into_inner);
        known.get(key).cloned().unwrap_or_else(|| self.authority(ca))
    }

    /// The name of the key with which the CA of this id signs now: the id itself for a CA that
    /// [`know_cas`](Self::know_cas) was not told about.
    #[must_use]
    pub fn authority(&self, ca: &str) -> String {
        let known = self.inner.authorities.read().unwrap_or_else(PoisonError::into_inner);
        known.get(ca).map_or(ca, String::as_str).to_owned()
    }

    /// Every key of a CA that the database knows.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn authorities(&self) -> Result<Vec<Authority>, StoreError> {
        self.read(List).await
    }

    /// The names of all keys of the CA whose key has this name, whichever server has seen them: those that have the same id
    /// and issue by the same name. Of a key that the database does not know, itself.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn keys_of_the_ca(&self, authority: &str) -> Result<Vec<String>, StoreError> {
        self.read(Siblings { of: authority.to_owned() }).await
    }

    /// What CAs were called before, and what each was called after that.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn former_ids(&self) -> Result<Vec<Renamed>, StoreError> {
        self.read(FormerIds).await
    }

    /// Notes the keys and the contents of certificates that were written down without: by an earlier version, which may
    /// still be at work on another node. To be called after a migration; [`know_cas`](Self::know_cas) does it too.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn fill_in_keys(&self) -> Result<(), StoreError> {
        let mut after = 0;
        while let Some(last) = self.transact(FillInKeys { after }).await? {
            after = last;
        }
        Ok(())
    }
}

/// Every key of a CA.
pub(crate) struct List;

impl Work for List {
    type Answer = Vec<Authority>;

    async fn run(&self, db: &mut Session, _: UnixMicros) -> Result<Vec<Authority>, StoreError> {
        let rows = db.query("SELECT name, digest, id, issuer FROM authorities ORDER BY name", &[]).await?;
        rows.into_iter().map(authority).collect()
    }
}

struct Siblings {
    of: String,
}

impl Work for Siblings {
    type Answer = Vec<String>;

    async fn run(&self, db: &mut Session, _: UnixMicros) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT b.name FROM authorities a JOIN authorities b ON b.id = a.id AND b.issuer = a.issuer \
                   WHERE a.name = ?1 ORDER BY b.name";
        let rows = db.query(sql, &values![&self.of]).await?;
        let mut names = rows.into_iter().map(|mut row| row.take(0)).collect::<Result<Vec<String>, _>>()?;
        if !names.contains(&self.of) {
            names.push(self.of.clone());
        }
        Ok(names)
    }
}

struct FormerIds;

impl Work for FormerIds {
    type Answer = Vec<Renamed>;

    async fn run(&self, db: &mut Session, _: UnixMicros) -> Result<Vec<Renamed>, StoreError> {
        let rows = db.query("SELECT id, ca FROM former_ids ORDER BY id", &[]).await?;
        rows.into_iter().map(|mut row| Ok(Renamed { from: row.take(0)?, to: row.take(1)? })).collect()
    }
}

/// Notes the keys and the contents of some certificates that lack them, from a number on, and tells the last number.
struct FillInKeys {
    after: i64,
}

impl Work for FillInKeys {
    type Answer = Option<i64>;

    async fn run(&self, db: &mut Session, _: UnixMicros) -> Result<Option<i64>, StoreError> {
        let sql =
            "SELECT number, der FROM certificates WHERE key_digest IS NULL AND number > ?1 ORDER BY number LIMIT ?2";
        let mut last = None;
        for mut row in db.query(sql, &values![self.after, PIECE]).await? {
            let number: i64 = row.take(0)?;
            last = Some(number);
            // One that cannot be read is left as it is.
            let Ok(certificate) = Certificate::parse(&row.take::<Vec<u8>>(1)?) else { continue };
            let sql = "UPDATE certificates SET key_digest = ?2, contents = ?3 WHERE number = ?1";
            let values = values![number, certificate.key_digest(), certificate.contents_digest()];
            db.execute(sql, &values).await?;
        }
        Ok(last)
    }
}

struct Register {
    cas: Vec<ConfiguredCa>,
    now: UnixTime,
    /// Whether nothing is to be written.
    only_look: bool,
}

struct Registered {
    /// By the ids of the CAs, the names of the keys that they sign with.
    names: BTreeMap<String, String>,
    renamed: Vec<Renamed>,
    /// Whether there was nothing to write.
    complete: bool,
}

fn authority(mut row: Row) -> Result<Authority, StoreError> {
    Ok(Authority { name: row.take(0)?, key: row.take(1)?, ca: row.take(2)?, issuer: row.take(3)? })
}

impl Work for Register {
    type Answer = Registered;

    async fn run(&self, db: &mut Session, at: UnixMicros) -> Result<Registered, StoreError> {
        let known = List.run(db, at).await?;
        let mut registered = Registered { names: BTreeMap::new(), renamed: Vec::new(), complete: true };
        let mut taken: Vec<String> = known.iter().map(|one| one.name.clone()).collect();
        for ca in &self.cas {
            let key = ca.certificate.key_digest();
            let name = match known.iter().find(|one| one.key == Some(key)) {
                Some(own) => {
                    for one in self.moving(ca, own, &known) {
                        self.rename(db, one, ca, &mut registered, at).await?;
                    }
                    own.name.clone()
                }
                None => {
                    registered.complete = false;
                    self.note_key(db, ca, &known, &mut taken).await?
                }
            };
            registered.names.insert(ca.id.clone(), name);
        }
        self.note_others(db, &known, &mut taken, &mut registered).await?;
        self.note_issuers(db, &known, &mut registered).await?;
        Ok(registered)
    }
}

impl Register {
    /// The authorities that the CA takes along when it gets another id: its own key, those of its other certificates, and,
    /// where nothing has the old id any more, all that had it.
    fn moving<'a>(&self, ca: &ConfiguredCa, own: &Authority, known: &'a [Authority]) -> Vec<&'a Authority> {
        let is_configured = |id: &str| self.cas.iter().any(|ca| ca.id == id);
        let signs_elsewhere =
            |key| self.cas.iter().any(|other| other.id != ca.id && other.certificate.key_digest() == key);
        let others: Vec<_> = ca.others.iter().map(Certificate::key_digest).collect();
        let belongs = |one: &Authority| {
            let Some(key) = one.key else { return false };
            one.name == own.name
                || !signs_elsewhere(key) && (others.contains(&key) || one.ca == own.ca && !is_configured(&own.ca))
        };
        known.iter().filter(|one| one.ca != ca.id && belongs(one)).collect()
    }

    /// Notes the other keys of the CAs, which have signed before or will: each has CRLs of its own.
    async fn note_others(
        &self,
        db: &mut Session,
        known: &[Authority],
        taken: &mut Vec<String>,
        registered: &mut Registered,
    ) -> Result<(), StoreError> {
        let mut noted = BTreeSet::new();
        for ca in &self.cas {
            for other in ca.others.iter().filter(|other| other.subject() == ca.certificate.subject()) {
                let key = other.key_digest();
                let signs = self.cas.iter().any(|ca| ca.certificate.key_digest() == key);
                if signs || known.iter().any(|one| one.key == Some(key)) || !noted.insert(key) {
                    continue;
                }
                registered.complete = false;
                if !self.only_look {
                    let name = free_name(&ca.id, &key, taken);
                    insert(db, &name, &key, ca).await?;
                }
            }
        }
        Ok(())
    }

    /// Notes the names of CAs whose keys were noted without, or under another.
    async fn note_issuers(
        &self,
        db: &mut Session,
        known: &[Authority],
        registered: &mut Registered,
    ) -> Result<(), StoreError> {
        for ca in &self.cas {
            let same_name = ca.others.iter().filter(|other| other.subject() == ca.certificate.subject());
            let keys: Vec<_> = same_name.chain([&ca.certificate]).map(Certificate::key_digest).collect();
            let name = Some(issuer(ca));
            let lacks = |one: &&Authority| one.issuer != name && one.key.is_some_and(|key| keys.contains(&key));
            for one in known.iter().filter(lacks) {
                registered.complete = false;
                if !self.only_look {
                    let sql = "UPDATE authorities SET issuer = ?2 WHERE name = ?1";
                    db.execute(sql, &values![&one.name, name]).await?;
                }
            }
        }
        Ok(())
    }

    async fn rename(
        &self,
        db: &mut Session,
        one: &Authority,
        ca: &ConfiguredCa,
        registered: &mut Registered,
        at: UnixMicros,
    ) -> Result<(), StoreError> {
        registered.complete = false;
        let renamed = Renamed { from: one.ca.clone(), to: ca.id.clone() };
        if self.only_look {
            return Ok(());
        }
        db.execute("UPDATE authorities SET id = ?2 WHERE name = ?1", &values![&one.name, &ca.id]).await?;
        if !registered.renamed.contains(&renamed) {
            let reason = format!("{} of before, {}", renamed.from, ca.certificate.subject());
            let event = Event { name: "ca.renamed", ca: Some(&ca.id), reason: Some(&reason), ..Event::EMPTY };
            event.insert(db, at).await?;
            // What is called so now was called something else before, and leads there no more.
            db.execute("DELETE FROM former_ids WHERE id = ?1 OR id = ?2", &values![&renamed.from, &renamed.to]).await?;
            let sql = "INSERT INTO former_ids (id, ca) VALUES (?1, ?2)";
            db.execute(sql, &values![&renamed.from, &renamed.to]).await?;
            registered.renamed.push(renamed);
        }
        Ok(())
    }

    /// Notes the key of a CA, and tells its name.
    async fn note_key(
        &self,
        db: &mut Session,
        ca: &ConfiguredCa,
        known: &[Authority],
        taken: &mut Vec<String>,
    ) -> Result<String, StoreError> {
        if self.only_look {
            return Ok(String::new());
        }
        let key = ca.certificate.key_digest();
        // What was issued under this id before keys were noted is this key's, as far as nothing else is known.
        if let Some(before) = known.iter().find(|one| one.key.is_none() && one.ca == ca.id) {
            let sql = "UPDATE authorities SET digest = ?2, issuer = ?3 WHERE name = ?1";
            db.execute(sql, &values![&before.name, key, issuer(ca)]).await?;
            self.divide(db, ca, &before.name, taken).await?;
            return Ok(before.name.clone());
        }
        let name = free_name(&ca.id, &key, taken);
        insert(db, &name, &key, ca).await?;
        Ok(name)
    }

    /// Gives the certificates that another key of the CA has issued, as their authorityKeyIdentifier tells, an authority
    /// of their own; those that have ended stay, since no CRL will name them.
    async fn divide(
        &self,
        db: &mut Session,
        ca: &ConfiguredCa,
        name: &str,
        taken: &mut Vec<String>,
    ) -> Result<(), StoreError> {
        let own = ca.certificate.subject_key_identifier();
        let others = ca.others.iter().filter(|one| one.key_digest() != ca.certificate.key_digest());
        let mut others: Vec<_> = others
            .filter(|one| one.subject() == ca.certificate.subject())
            .filter_map(|one| Some((one.subject_key_identifier()?, one.key_digest(), None::<String>)))
            .filter(|(identifier, ..)| own.as_ref() != Some(identifier))
            .collect();
        others.dedup_by(|one, other| one.1 == other.1);
        let mut after = 0;
        while !others.is_empty() {
            let sql = "SELECT number, der FROM certificates WHERE ca = ?1 AND number > ?2 AND not_after >= ?3 \
                       ORDER BY number LIMIT ?4";
            let rows = db.query(sql, &values![name, after, seconds(self.now), PIECE]).await?;
            let is_last = rows.len() < PIECE as usize;
            for mut row in rows {
                let number: i64 = row.take(0)?;
                after = number;
                let issuer = Certificate::parse(&row.take::<Vec<u8>>(1)?).ok();
                let issuer = issuer.and_then(|certificate| certificate.authority_key_identifier());
                let Some((_, key, authority)) = others.iter_mut().find(|(known, ..)| issuer.as_ref() == Some(known))
                else {
                    continue;
                };
                let authority = match authority {
                    Some(authority) => authority,
                    None => {
                        let free = free_name(&ca.id, key, taken);
                        insert(db, &free, key, ca).await?;
                        // The CRL of before has all of it: that of this key begins where it ends.
                        let sql = "INSERT INTO crls (ca, number, this_update, next_update, revocations, der) \
                                   SELECT ?2, number, this_update, next_update, revocations, der FROM crls WHERE ca = ?1";
                        db.execute(sql, &values![name, &free]).await?;
                        let sql = "INSERT INTO revocation_counts (ca, revocations) \
                                   SELECT ?2, revocations + 1 FROM revocation_counts WHERE ca = ?1";
                        db.execute(sql, &values![name, &free]).await?;
                        authority.insert(free)
                    }
                };
                let sql = "UPDATE certificates SET ca = ?2 WHERE number = ?1";
                db.execute(sql, &values![number, &*authority]).await?;
            }
            if is_last {
                break;
            }
        }
        Ok(())
    }
}

/// Notes a key of a CA.
async fn insert(db: &mut Session, name: &str, key: &[u8; 32], ca: &ConfiguredCa) -> Result<(), StoreError> {
    let sql = "INSERT INTO authorities (name, digest, id, issuer) VALUES (?1, ?2, ?3, ?4)";
    db.execute(sql, &values![name, key, &ca.id, issuer(ca)]).await.map(drop)
}

fn issuer(ca: &ConfiguredCa) -> [u8; 32] {
    issuer_digest(ca.certificate.subject())
}

/// A name that no authority has: the id of the CA, if it is free, else with the beginning of the key's digest.
fn free_name(id: &str, key: &[u8; 32], taken: &mut Vec<String>) -> String {
    let digest: String = key.iter().map(|octet| format!("{octet:02x}")).collect();
    let names = [id.to_owned(), format!("{id}.{}", &digest[..16])];
    let name = names.into_iter().find(|name| !taken.contains(name)).unwrap_or(digest);
    taken.push(name.clone());
    name
}
