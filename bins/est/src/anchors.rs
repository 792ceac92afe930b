//! The CA certificates in --cacert, as the server's list of them changes (RFC 7030 §4.1.3).
//!
//! A root that the file does not hold yet counts once a CA in the file has certified its key under the same name: that
//! is what NewWithOld is for (RFC 4210 §4.4). That the connection was verified is not enough by itself, although RFC 7030
//! would have it so: the key of a server would then do what only the key of a CA should.

use std::time::Duration;

use est_backends::algorithms;
use est_core::UnixTime;
use est_core::client::{Answer, Call};
use est_core::pkix::{Certificate, KeyUsage, oid};

use crate::cli::{IdentityArguments, NewRoots, ServerArguments};
use crate::file::{self, Readers};
use crate::output::{Failure, note};
use crate::peer::{Peer, now};

/// What becomes of the certificates in the file.
#[derive(Debug)]
struct Update<'a> {
    /// What the file does not hold yet.
    added: Vec<&'a Certificate>,
    /// What has a successor in the file and is not listed any more.
    dropped: Vec<&'a Certificate>,
    /// Roots of the list that nothing in the file vouches for.
    unknown: Vec<&'a Certificate>,
}

impl<'a> Update<'a> {
    /// Compares what the file holds with what the server lists.
    fn new(held: &'a [Certificate], listed: &'a [Certificate], roots: NewRoots, now: UnixTime) -> Self {
        let is_valid = |one: &&Certificate| one.not_before() <= now && now <= one.not_after();
        let candidates = listed.iter().filter(|one| !held.contains(one) && one.is_ca());
        let mut candidates: Vec<_> = candidates.filter(is_valid).collect();
        let mut trusted: Vec<_> = held.iter().filter(is_valid).collect();
        let mut added = Vec::new();
        // What has been added may vouch for more.
        while let Some(at) = candidates
            .iter()
            .position(|one| (roots == NewRoots::Any && is_root(one)) || trusted.iter().any(|by| vouches(by, one)))
        {
            let one = candidates.swap_remove(at);
            trusted.push(one);
            added.push(one);
        }
        let is_gone = |one: &&Certificate| !listed.contains(one) && is_replaced(one, held, listed);
        Self {
            added,
            dropped: held.iter().filter(is_gone).collect(),
            unknown: candidates.into_iter().filter(|one| is_root(one)).collect(),
        }
    }
}

/// Whether `by`, a CA, has issued `one`, or is a cross-certificate of the key that `one` is the root of; and is a CA that may.
fn vouches(by: &Certificate, one: &Certificate) -> bool {
    let same_key = by.is_self_issued() && by.subject() == one.subject() && by.public_key_der() == one.public_key_der();
    let is_ca = |ca: &Certificate| ca.is_ca() && ca.allows(KeyUsage::KEY_CERT_SIGN) && is_understood(ca);
    let is_its = one.is_issued_by(by, algorithms()) || (same_key && is_root(one));
    is_its && is_ca(by) && is_ca(one) && gives_no_more_than_it_has(by, one)
}

/// Whether there is nothing critical in it that is not known here (RFC 5280 §6.1.4 (o)). Policies count for nothing here.
fn is_understood(ca: &Certificate) -> bool {
    let known = [oid::BASIC_CONSTRAINTS, oid::KEY_USAGE, oid::NAME_CONSTRAINTS, oid::EXT_KEY_USAGE];
    ca.extensions().iter().all(|one| !one.critical || known.contains(&one.id))
}

/// Whether `one` may do no more as a trust anchor than `by` lets it. Nobody looks above an anchor, so it has to state the
/// constraints of `by` itself (RFC 5280 §6.1.4 (g), (l), (m)).
fn gives_no_more_than_it_has(by: &Certificate, one: &Certificate) -> bool {
    let constraints = |of: &Certificate| of.extension(&oid::NAME_CONSTRAINTS).map(<[u8]>::to_vec);
    let names_are_kept = constraints(by).is_none_or(|names| constraints(one) == Some(names));
    // What is self-issued takes nothing from the length of a path.
    let below = if one.is_self_issued() { 0 } else { 1 };
    let length_is_kept = by.path_length().is_none_or(|length| {
        let left = length.checked_sub(below);
        left.zip(one.path_length()).is_some_and(|(left, own)| own <= left)
    });
    names_are_kept && length_is_kept
}

/// Whether a later root of the same name was held and listed already, or a root that has issued it is.
fn is_replaced(one: &Certificate, held: &[Certificate], listed: &[Certificate]) -> bool {
    let stays = held.iter().filter(|other| is_root(other) && listed.contains(other));
    let mut stays = stays.filter(|other| *other != one);
    if is_root(one) {
        stays.any(|other| other.subject() == one.subject() && other.not_after() >= one.not_after())
    } else {
        stays.any(|other| one.is_issued_by(other, algorithms()) || one.subject() == other.subject())
    }
}

/// Whether a certificate is signed with its own key.
pub(crate) fn is_root(certificate: &Certificate) -> bool {
    certificate.is_self_issued() && certificate.is_issued_by(certificate, algorithms())
}

/// What a CA certificate is among those that a server lists.
pub(crate) fn role(one: &Certificate, listed: &[Certificate]) -> String {
    let roots = || listed.iter().filter(|other| is_root(other) && other.subject() == one.subject());
    // The latest root is the one that ends last (RFC 7030 §4.1.3).
    let newest = roots().max_by_key(|root| (root.not_after(), root.not_before()));
    let is_newest = |key: &Certificate| newest.is_none_or(|newest| newest.public_key_der() == key.public_key_der());
    let age = |key: &Certificate| if is_newest(key) { "new" } else { "old" };
    if is_root(one) {
        return if roots().count() > 1 { format!("the {} root", age(one)) } else { "root".to_string() };
    }
    if !one.is_self_issued() {
        return format!("CA below {}", one.issuer());
    }
    match roots().find(|root| one.is_issued_by(root, algorithms())) {
        Some(by) => format!("cross-certificate: the {} key, certified by the {} root", age(one), age(by)),
        None => "cross-certificate of a root that is not listed".to_string(),
    }
}

/// Fetches the list, and brings the file up to date. Says whether the file has changed; `is_coming` is called before
/// it does.
pub(crate) async fn refresh(
    server: &ServerArguments,
    identity: &IdentityArguments,
    roots: NewRoots,
    is_coming: impl FnOnce() -> Result<(), Failure>,
) -> Result<bool, Failure> {
    let (Some(path), true) = (&server.cacert, roots != NewRoots::None) else { return Ok(false) };
    let octets = file::read_certificates(path)?;
    let held = parse(&octets);
    let listed = fetch(server, identity).await?;
    let update = Update::new(&held, &listed, roots, now());
    for root in &update.unknown {
        note(&format!(
            "note: the server lists the root {} (SHA-256 {}), which no CA in {} vouches for: it is not added. If you \
             trust it, add it by `est cacerts --fingerprint` or --new-roots any",
            root.subject(),
            root.fingerprint(),
            path.display()
        ));
    }
    if update.added.is_empty() && update.dropped.is_empty() {
        return Ok(false);
    }
    // What cannot be read here, such as a root of version 1, stays.
    let is_dropped = |der: &&[u8]| update.dropped.iter().any(|one| one.as_der() == *der);
    let kept = octets.iter().map(Vec::as_slice).filter(|der| !is_dropped(der));
    let mut certificates: Vec<&[u8]> = kept.chain(update.added.iter().map(|one| one.as_der())).collect();
    // The roots first, since readers of the file may look no further.
    certificates.sort_by_key(|der| Certificate::parse(der).is_ok_and(|one| !is_root(&one)));
    let pem = file::certificates_to_pem(certificates);
    let new = file::beside(&file::resolved(path), ".new");
    file::write(&new, &pem, Readers::like(path, Readers::Anyone))?;
    // Nothing is dropped by which this server is known.
    let by_new = ServerArguments { cacert: Some(new.clone()), ..server.clone() };
    if let Err(failure) = fetch(&by_new, identity).await {
        let text = format!("{} stays as it is: with what {} holds, {}", path.display(), new.display(), failure.text);
        return Err(Failure { text, ..failure });
    }
    is_coming()?;
    let resolved = file::resolved(path);
    file::write(&file::beside(&resolved, ".old"), &file::read_text(path)?, Readers::like(path, Readers::Anyone))?;
    file::rename(&new, &resolved)?;
    for (word, changed) in [("added", &update.added), ("removed", &update.dropped)] {
        for one in changed {
            let known = if word == "added" { &listed } else { &held };
            let (role, subject) = (role(one, known), one.subject());
            note(&format!("{}: {word} {subject}, {role} (SHA-256 {})", path.display(), one.fingerprint()));
        }
    }
    Ok(true)
}

async fn fetch(server: &ServerArguments, identity: &IdentityArguments) -> Result<Vec<Certificate>, Failure> {
    let peer = Peer::new(server, identity, rustls::DEFAULT_VERSIONS)?;
    let call = Call::ca_certs(peer.base_path(), peer.label.as_deref());
    match peer.ask(call, Duration::ZERO).await? {
        Answer::Certificates(certificates) => Ok(parse(&certificates)),
        _ => Err(Failure::error("the server sent something other than certificates")),
    }
}

fn parse(certificates: &[Vec<u8>]) -> Vec<Certificate> {
    certificates.iter().filter_map(|der| Certificate::parse(der).ok()).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use est_backends::authority::{NewRoot, Validity, roll_over, self_signed_ca};
    use est_backends::{FileSigner, Signer as _};
    use est_core::pkix::{Extension, KeyType, Name, TbsCertificate, assemble_certificate};
    use est_core::{Entropy, Seconds, Serial};

    use super::*;

    const NOW: UnixTime = UnixTime(1_700_000_000);

    fn serial(octet: u8) -> Serial {
        Serial::from_entropy(&Entropy([octet; 32]))
    }

    fn validity(days: u32) -> Validity {
        Validity { not_before: NOW, span: Seconds::from_days(days) }
    }

    struct Root {
        signer: FileSigner,
        certificate: Certificate,
    }

    impl Root {
        async fn new(subject: &str) -> Self {
            let (signer, _) = FileSigner::generate(KeyType::EcdsaP256).unwrap();
            let name = Name::from_text(subject).unwrap();
            let der = self_signed_ca(&name, &signer, validity(100), serial(1)).await.unwrap();
            Self { certificate: Certificate::parse(&der).unwrap(), signer }
        }

        /// The successor, and what a server lists in between: old, old with new, new with old, new.
        async fn roll_over(&self) -> (Self, [Certificate; 4]) {
            let (signer, _) = FileSigner::generate(KeyType::EcdsaP256).unwrap();
            let wanted = NewRoot { validity: validity(200), serials: [2, 3, 4].map(serial) };
            let made = roll_over(&self.certificate, &self.signer, &signer, &wanted).await.unwrap();
            let parse = |der: &[u8]| Certificate::parse(der).unwrap();
            let [old_with_new, new_with_old, new] =
                [&made.old_with_new, &made.new_with_old, &made.new_with_new].map(|der| parse(der));
            let listed = [self.certificate.clone(), old_with_new, new_with_old, new.clone()];
            (Self { signer, certificate: new }, listed)
        }

        /// What it issues to a key under this name, with its own extensions or none.
        async fn issue(&self, key: &FileSigner, subject: &Name, is_ca: bool) -> Certificate {
            let extensions = if is_ca { self.certificate.extensions() } else { &[] };
            self.issue_with(key, subject, extensions).await
        }

        /// The same root with these extensions in the place of its own of their kind.
        async fn with(self, extensions: &[Extension]) -> Self {
            let replaced = |one: &&Extension| extensions.iter().all(|other| other.id != one.id);
            let kept = self.certificate.extensions().iter().filter(replaced);
            let all: Vec<_> = kept.chain(extensions).cloned().collect();
            let certificate = self.issue_with(&self.signer, self.certificate.subject(), &all).await;
            Self { certificate, ..self }
        }

        async fn issue_with(&self, key: &FileSigner, subject: &Name, extensions: &[Extension]) -> Certificate {
            let certificate = TbsCertificate {
                serial: serial(9),
                signature_algorithm: self.signer.signature_algorithm(),
                issuer: self.certificate.subject(),
                subject,
                not_before: NOW,
                not_after: NOW + Seconds::from_days(50),
                public_key: key.public_key().as_der(),
                extensions,
            }
            .to_der();
            let signature = self.signer.sign(&certificate).await.unwrap();
            let der = assemble_certificate(certificate, self.signer.signature_algorithm(), &signature);
            Certificate::parse(&der).unwrap()
        }
    }

    fn sorted<'a>(certificates: impl IntoIterator<Item = &'a Certificate>) -> Vec<&'a [u8]> {
        let mut octets: Vec<_> = certificates.into_iter().map(Certificate::as_der).collect();
        octets.sort_unstable();
        octets
    }

    #[tokio::test]
    async fn adds_the_new_root_when_the_old_one_vouches_for_it() {
        let old = Root::new("CN=CA").await;
        let (_, listed) = old.roll_over().await;
        let held = [old.certificate.clone()];
        let update = Update::new(&held, &listed, NewRoots::VouchedFor, NOW);
        assert_eq!(sorted(update.added), sorted(&listed[1..]));
        assert!(update.dropped.is_empty() && update.unknown.is_empty());
        // Another time there is nothing to do.
        let update = Update::new(&listed, &listed, NewRoots::VouchedFor, NOW);
        assert!(update.added.is_empty() && update.dropped.is_empty());
    }

    #[tokio::test]
    async fn adds_no_root_that_nothing_vouches_for() {
        let (own, other) = (Root::new("CN=CA").await, Root::new("CN=CA").await);
        let (new, rolled) = own.roll_over().await;
        let [_, old_with_new, new_with_old, _] = rolled;
        let (_, strangers) = other.roll_over().await;
        let held = [own.certificate.clone()];
        // Without the certificate by the old key, one by the new key says nothing.
        let listed = [&[new.certificate.clone(), old_with_new][..], &strangers].concat();
        let update = Update::new(&held, &listed, NewRoots::VouchedFor, NOW);
        assert!(update.added.is_empty(), "{:?}", update.added);
        assert_eq!(update.unknown.len(), 3);
        // Another root of the same name is not the one whose key is certified.
        let update = Update::new(&held, &strangers, NewRoots::VouchedFor, NOW);
        assert!(update.added.is_empty());
        // What has ended vouches for nothing.
        let late = NOW + Seconds::from_days(101);
        let listed = [new_with_old, new.certificate];
        assert!(Update::new(&held, &listed, NewRoots::VouchedFor, late).added.is_empty());
        assert_eq!(Update::new(&held, &strangers, NewRoots::Any, NOW).added.len(), 4);
    }

    #[tokio::test]
    async fn lets_only_a_ca_vouch() {
        let root = Root::new("CN=CA").await;
        let (key, _) = FileSigner::generate(KeyType::EcdsaP256).unwrap();
        let name = Name::from_text("CN=server").unwrap();
        // A server's own certificate, which somebody has put into the file, and what its key makes.
        let server = Root { certificate: root.issue(&key, &name, false).await, signer: key };
        let (evil, _) = FileSigner::generate(KeyType::EcdsaP256).unwrap();
        let made = Root {
            certificate: Root { certificate: root.certificate.clone(), signer: server.signer }
                .issue(&evil, &name, true)
                .await,
            signer: evil,
        };
        let listed = [made.certificate];
        assert!(Update::new(&[server.certificate], &listed, NewRoots::VouchedFor, NOW).added.is_empty());
    }

    #[tokio::test]
    async fn lets_no_ca_vouch_for_one_that_may_do_more() {
        let path_length = |length: u8| Extension {
            id: oid::BASIC_CONSTRAINTS,
            critical: true,
            value: vec![0x30, 6, 1, 1, 0xff, 2, 1, length],
        };
        // permittedSubtrees with the host a.example.
        let names = Extension {
            id: oid::NAME_CONSTRAINTS,
            critical: true,
            value: [b"\x30\x0f\xa0\x0d\x30\x0b\x82\x09", &b"a.example"[..]].concat(),
        };
        let unknown = Extension { id: oid::POLICY_CONSTRAINTS, critical: true, value: vec![0x30, 3, 0x80, 1, 0] };
        let (key, _) = FileSigner::generate(KeyType::EcdsaP256).unwrap();
        let (same, below) = (Name::from_text("CN=CA").unwrap(), Name::from_text("CN=Below").unwrap());
        let free = Root::new("CN=CA").await.certificate.extensions().to_vec();
        let with = |extra: &Extension| {
            let others = free.iter().filter(|one| one.id != extra.id);
            others.chain([extra]).cloned().collect::<Vec<_>>()
        };
        for (root, name, extensions, is_added) in [
            (path_length(0), &below, with(&path_length(0)), false),
            (path_length(0), &below, free.clone(), false),
            (path_length(0), &same, with(&path_length(0)), true),
            (path_length(0), &same, free.clone(), false),
            (path_length(1), &below, with(&path_length(0)), true),
            (path_length(1), &below, with(&path_length(1)), false),
            (names.clone(), &below, free.clone(), false),
            (names.clone(), &same, free.clone(), false),
            (names.clone(), &same, with(&names), true),
            (unknown.clone(), &below, with(&unknown), false),
        ] {
            let root = Root::new("CN=CA").await.with(std::slice::from_ref(&root)).await;
            let listed = [root.issue_with(&key, name, &extensions).await];
            let held = [root.certificate];
            let added = Update::new(&held, &listed, NewRoots::VouchedFor, NOW).added;
            assert_eq!(added.len(), usize::from(is_added), "{:?} {name} {extensions:?}", held[0].extensions());
        }
        // What a rollover makes of a constrained root has its constraints.
        let old = Root::new("CN=CA").await.with(&[path_length(0), names]).await;
        let (_, listed) = old.roll_over().await;
        let held = [old.certificate];
        assert_eq!(Update::new(&held, &listed, NewRoots::VouchedFor, NOW).added.len(), 3);
    }

    #[tokio::test]
    async fn adds_a_ca_below_a_root_and_removes_it_with_the_list() {
        let root = Root::new("CN=CA").await;
        let (key, _) = FileSigner::generate(KeyType::EcdsaP256).unwrap();
        let below = root.issue(&key, &Name::from_text("CN=Below").unwrap(), true).await;
        let (held, both) = ([root.certificate.clone()], [root.certificate.clone(), below.clone()]);
        assert_eq!(sorted(Update::new(&held, &both, NewRoots::VouchedFor, NOW).added), [below.as_der()]);
        assert_eq!(sorted(Update::new(&both, &held, NewRoots::VouchedFor, NOW).dropped), [below.as_der()]);
        assert_eq!(role(&below, &both), "CA below CN=CA");
        assert_eq!(role(&root.certificate, &both), "root");
    }

    #[tokio::test]
    async fn removes_the_old_root_when_the_new_one_is_alone() {
        let old = Root::new("CN=CA").await;
        let (new, held) = old.roll_over().await;
        let listed = [new.certificate.clone()];
        let update = Update::new(&held, &listed, NewRoots::VouchedFor, NOW);
        assert_eq!(sorted(update.dropped), sorted(&held[..3]));
        // Not where the new one is unknown here, nor what another PKI has.
        let other = [old.certificate.clone(), Root::new("CN=Other").await.certificate];
        assert!(Update::new(&other, &listed, NewRoots::VouchedFor, NOW).dropped.is_empty());
    }

    #[tokio::test]
    async fn names_the_four_certificates_of_a_rollover() {
        let (_, listed) = Root::new("CN=CA").await.roll_over().await;
        let roles = [0, 1, 2, 3].map(|at| role(&listed[at], &listed));
        assert_eq!(
            roles,
            [
                "the old root",
                "cross-certificate: the old key, certified by the new root",
                "cross-certificate: the new key, certified by the old root",
                "the new root"
            ]
        );
    }
}
