//! What a server offers: an immutable snapshot, swapped whole on reload.

mod clients;

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use pki_types::SignatureVerificationAlgorithm;

use crate::pkix::{Certificate, KeyBlocklist, Oid, SubjectPublicKeyInfo, certs_only, oid};
use crate::policy::{IdentityRule, Profile, RegistrationAuthority, csr_attributes};
use crate::{Linking, Operation, Seconds, UnixTime};

/// The signature algorithms that certification requests are checked with: those of any rustls provider.
pub type Algorithms = &'static [&'static dyn SignatureVerificationAlgorithm];

/// A server's CAs, labels and rules.
#[derive(Clone, Debug)]
pub struct Site {
    /// The path below which the operations lie, without a final slash: `/.well-known/est`.
    pub base_path: String,
    /// What a request without a label gets; `None` where every request must name one.
    pub default_label: Option<Arc<Label>>,
    /// The labels of RFC 7030 §3.2.2, by name.
    pub labels: BTreeMap<String, Arc<Label>>,
    /// Which operations are served.
    pub operations: Operations,
    /// How certification requests are checked.
    pub algorithms: Algorithms,
    /// Whether request bodies must be base64 of DER, as RFC 8951 says, and nothing else.
    pub strict_encoding: bool,
    /// Whether `/csrattrs` needs authentication.
    pub csrattrs_auth: bool,
    /// Keys that get no certificate, in addition to those that [`decide`](crate::policy::decide) knows.
    pub key_blocklists: Vec<KeyBlocklist>,
    /// Characters in a line of base64 in replies; one line if `None` or zero.
    pub base64_line_length: Option<usize>,
    /// What a client that has to wait is told.
    pub retry_after: Seconds,
    /// For how long the same request gets the same certificate again.
    pub replay_window: Seconds,
    /// Whether clients may authenticate with HTTP Basic, and so are asked to.
    pub offers_basic: bool,
}

/// Which operations are served.
#[derive(Clone, Copy, Debug)]
pub struct Operations {
    /// `/cacerts`.
    pub cacerts: bool,
    /// `/simpleenroll`.
    pub simpleenroll: bool,
    /// `/simplereenroll`.
    pub simplereenroll: bool,
    /// `/serverkeygen`.
    pub serverkeygen: bool,
    /// `/csrattrs`.
    pub csrattrs: bool,
}

impl Operations {
    /// All of them.
    pub const ALL: Self =
        Self { cacerts: true, simpleenroll: true, simplereenroll: true, serverkeygen: true, csrattrs: true };

    /// Whether this one is served.
    #[must_use]
    pub fn serves(self, operation: Operation) -> bool {
        match operation {
            Operation::CaCerts => self.cacerts,
            Operation::SimpleEnroll => self.simpleenroll,
            Operation::SimpleReenroll => self.simplereenroll,
            Operation::ServerKeyGen => self.serverkeygen,
            Operation::CsrAttrs => self.csrattrs,
        }
    }
}

impl Site {
    /// Whether the operator lets this key have no certificate.
    #[must_use]
    pub fn blocks(&self, key: &SubjectPublicKeyInfo) -> bool {
        self.key_blocklists.iter().any(|blocklist| blocklist.contains(key))
    }

    /// What `name` stands for; the default label for a request without one.
    #[must_use]
    pub fn label(&self, name: Option<&str>) -> Option<&Arc<Label>> {
        match name {
            Some(name) => self.labels.get(name),
            None => self.default_label.as_ref(),
        }
    }
}

/// A CA, as the core needs to know it.
#[derive(Clone, Debug)]
pub struct Ca {
    /// Its name in the configuration.
    pub id: String,
    /// Its certificate.
    pub certificate: Certificate,
    /// The certificates above it, the self-signed root last.
    pub chain: Vec<Certificate>,
    /// What else clients need while a root is being replaced: the other root, and each signed by the other's key
    /// (RFC 4210 §4.4).
    pub rollover: Vec<Certificate>,
}

impl Ca {
    /// Whether a key of this CA made the certificate's signature: its own, or that of its other root in a rollover.
    #[must_use]
    pub fn has_issued(&self, certificate: &Certificate, algorithms: Algorithms) -> bool {
        self.own_certificates().any(|own| certificate.is_issued_by(own, algorithms))
    }

    /// Its certificate, and in a rollover those of its other key: all of one name.
    fn own_certificates(&self) -> impl Iterator<Item = &Certificate> {
        core::iter::once(&self.certificate)
            .chain(&self.rollover)
            .filter(|own| own.subject() == self.certificate.subject())
    }
}

/// The answer of `/cacerts`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaCerts {
    /// The certificates, certs-only CMS, DER.
    pub message: Vec<u8>,
    /// When the first of them ends: its last second.
    pub not_after: UnixTime,
}

impl CaCerts {
    /// Lists a CA's certificate, those above it, and of those of a rollover the ones that `is_of_use`; each once.
    fn of(ca: &Ca, is_of_use: impl Fn(&Certificate) -> bool) -> Self {
        let rollover = ca.rollover.iter().filter(|certificate| is_of_use(certificate));
        let mut listed: Vec<&Certificate> =
            core::iter::once(&ca.certificate).chain(&ca.chain).chain(rollover).collect();
        listed.sort_unstable_by_key(|certificate| certificate.as_der());
        listed.dedup();
        let not_after = listed.iter().map(|certificate| certificate.not_after()).min();
        Self {
            message: certs_only(listed.iter().map(|certificate| certificate.as_der())),
            not_after: not_after.unwrap_or(ca.certificate.not_after()),
        }
    }
}

/// What one path of the server issues, from which CA, to which clients.
#[derive(Clone, Debug)]
pub struct Label {
    /// Its path segment; `None` for the unlabelled path.
    pub name: Option<String>,
    /// The CA that issues.
    pub ca: Arc<Ca>,
    /// What is issued.
    pub profile: Profile,
    /// Whether a person has to look first.
    pub approval: Approval,
    /// Which names the holder of a certificate may ask for at `/simpleenroll`.
    pub certificate_names: NameBinding,
    /// The CAs whose certificates authenticate here, in addition to those of [`ca`](Self::ca): one of them must be on the path.
    pub client_anchors: Vec<Certificate>,
    /// Every CA of the server. A certificate below another one than [`ca`](Self::ca) authenticates here only if
    /// [`client_anchors`](Self::client_anchors) names that CA itself.
    pub server_cas: Vec<Arc<Ca>>,
    /// Who may enroll for others here.
    pub authorities: Vec<RegistrationAuthority>,
    /// What certain principals may ask for, and where.
    pub identities: Vec<IdentityRule>,
    /// Whether the holder of a certificate may get purposes here that it lacks.
    pub certificate_purposes: PurposeBinding,
    /// Characters in a line of base64 in replies; one line if zero, as at the [`Site`] if `None`.
    pub base64_line_length: Option<usize>,
    /// What a request must say of its connection.
    linking: Linking,
    /// What `/csrattrs` lists in addition to what the profile asks for.
    more: Vec<Oid>,
    /// The answer of `/cacerts` until one of the certificates ends.
    cacerts: Arc<CaCerts>,
    /// The answer of `/csrattrs`.
    csrattrs: Option<Arc<Vec<u8>>>,
}

impl Label {
    /// Puts a label together where only certificates of its own CA authenticate. `/csrattrs` lists what the profile asks
    /// for, and the object identifiers `more`.
    #[must_use]
    pub fn new(
        name: Option<String>,
        ca: Arc<Ca>,
        profile: Profile,
        approval: Approval,
        certificate_names: NameBinding,
        more: &[Oid],
    ) -> Self {
        let cacerts = Arc::new(CaCerts::of(&ca, |_| true));
        let csrattrs = csr_attributes(&profile, more).map(Arc::new);
        Self {
            name,
            client_anchors: Vec::new(),
            server_cas: Vec::from([ca.clone()]),
            ca,
            profile,
            approval,
            certificate_names,
            authorities: Vec::new(),
            identities: Vec::new(),
            certificate_purposes: PurposeBinding::Own,
            base64_line_length: None,
            linking: Linking::default(),
            more: more.to_vec(),
            cacerts,
            csrattrs,
        }
    }

    /// Changes what a request must say of its connection; where it must say something, `/csrattrs` asks for it
    /// (RFC 7030 §3.5, RFC 7894 §4).
    #[must_use]
    pub fn with_linking(mut self, linking: Linking) -> Self {
        self.linking = linking;
        if linking == Linking::Required {
            let links = [oid::CHALLENGE_PASSWORD, oid::EST_IDENTITY_LINKING];
            let more: Vec<Oid> = links.iter().chain(&self.more).cloned().collect();
            self.csrattrs = csr_attributes(&self.profile, &more).map(Arc::new);
        }
        self
    }

    /// What a request must say of its connection.
    #[must_use]
    pub fn linking(&self) -> Linking {
        self.linking
    }

    /// The registration authority that the holder of this certificate is here.
    #[must_use]
    pub fn authority(&self, own: &Certificate, algorithms: Algorithms) -> Option<&RegistrationAuthority> {
        self.authorities.iter().find(|authority| authority.is(own, &self.ca, algorithms))
    }

    /// The CA's certificate, those above it and those of its rollover that have not ended: some clients refuse the whole
    /// answer for one certificate that has ended.
    #[must_use]
    pub fn cacerts(&self, now: UnixTime) -> Arc<CaCerts> {
        if now <= self.cacerts.not_after {
            return self.cacerts.clone();
        }
        Arc::new(CaCerts::of(&self.ca, |certificate| now <= certificate.not_after()))
    }

    /// CsrAttrs, DER, if there are any.
    #[must_use]
    pub fn csrattrs(&self) -> Option<&Arc<Vec<u8>>> {
        self.csrattrs.as_ref()
    }
}

/// Whether a person has to look at a request before a certificate is issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Approval {
    /// No.
    Automatic,
    /// Yes: the client is told to come back until somebody has decided.
    Manual,
}

/// Which names the holder of a certificate may ask for at `/simpleenroll`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameBinding {
    /// The subject and the subjectAltName of that certificate.
    Own,
    /// Whatever the profile allows, if no CA of this server issued that certificate: for those of a manufacturer, for
    /// example. For others as [`Own`](Self::Own).
    Any,
}

/// Which purposes the holder of a certificate may get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PurposeBinding {
    /// Those of that certificate: a label whose certificates are for more is not for its holder.
    Own,
    /// Whatever the profile gives.
    Any,
}
