//! The life of one request: a chain of owned states, each waiting for one answer.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::linking;
use crate::pkix::{Certificate, Csr, KeyRequest, certs_only};
use crate::policy::{self, Plan, RegistrationAuthority};
use crate::{
    Body, Claimed, Doubt, Entropy, Entry, Event, EventKind, Evidence, Generated, GeneratedKey, Guess, Identity, Intent,
    Issuance, KeyPart, KeyWish, Label, Operation, Order, Outcome, PortError, Principal, Refusal, Reply, Request,
    Seconds, Serial, Site, Ticket, TlsExporter, UnixTime, Verdict,
};

/// For how long a claim keeps others from working on the same request. Longer than any CA may take.
const LEASE: Seconds = Seconds(30);
/// As [`LEASE`], where a key is to be made first: one of RSA takes a while on a busy machine.
const LEASE_WITH_A_KEY: Seconds = Seconds(120);

/// Starts an exchange.
///
/// Performs no I/O, reads no clock and draws no randomness: `now` and `entropy` are the caller's.
pub fn begin(site: Arc<Site>, request: Request, now: UnixTime, entropy: &Entropy) -> Step {
    let Request { operation, label, evidence, body } = request;
    let Some(label) = site.label(label.as_deref()).cloned() else {
        let refusal = if label.is_some() { Refusal::UnknownLabel } else { Refusal::LabelMissing };
        return Step::Done(Reply::Refused(refusal));
    };
    if !site.operations.serves(operation) {
        return Step::Done(Reply::Refused(Refusal::OperationDisabled(operation)));
    }
    match operation {
        Operation::CaCerts => return Step::Done(Reply::CaCertificates(label.cacerts(now))),
        Operation::CsrAttrs if !site.csrattrs_auth => return Step::Done(Reply::CsrAttrs(label.csrattrs().cloned())),
        Operation::CsrAttrs | Operation::SimpleEnroll | Operation::SimpleReenroll | Operation::ServerKeyGen => {}
    }
    let context = Context {
        site,
        label,
        operation,
        source: evidence.source.clone(),
        now,
        serial: Serial::from_entropy(entropy),
        principal: None,
        rejected: None,
        linked: false,
        guess: None,
        events: Vec::new(),
    };
    Step::Authenticate(Authenticate { context, evidence, body: Ok(body) })
}

/// What must happen next for the exchange to go on.
#[must_use = "an exchange dropped before `Done` leaves its claim open"]
#[derive(Debug)]
pub enum Step {
    /// Find out which client asks.
    Authenticate(Authenticate),
    /// Reserve a serial number and remember the intent.
    Claim(Claim),
    /// Make a key for the client.
    GenerateKey(GenerateKey),
    /// Ask the CA for a certificate.
    Issue(Issue),
    /// Remember how it ended.
    Record(Record),
    /// Send this to the client.
    Done(Reply),
}

/// What stays the same from the first step to the last.
#[derive(Debug)]
struct Context {
    site: Arc<Site>,
    label: Arc<Label>,
    operation: Operation,
    source: Option<String>,
    now: UnixTime,
    serial: Serial,
    principal: Option<Principal>,
    /// The certificate that was shown and not accepted.
    rejected: Option<Arc<Certificate>>,
    /// Whether the request is linked to its connection (RFC 7030 §3.5).
    linked: bool,
    guess: Option<Guess>,
    events: Vec<Event>,
}

/// Waits for a principal.
#[derive(Debug)]
pub struct Authenticate {
    context: Context,
    evidence: Evidence,
    /// What was sent, or why it did not arrive whole.
    body: Result<Body, Refusal>,
}

impl Authenticate {
    /// What the peer showed.
    #[must_use]
    pub fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    /// The label that is asked, if the path has one.
    #[must_use]
    pub fn label(&self) -> Option<&str> {
        self.context.label.name.as_deref()
    }

    /// When the exchange began.
    #[must_use]
    pub fn now(&self) -> UnixTime {
        self.context.now
    }

    /// The same step at the time at which its body has arrived, or has not and why. A client that turns out to be known is
    /// on record either way: no password is tried unseen.
    #[must_use]
    pub fn with_body(self, body: Result<Body, Refusal>, now: UnixTime) -> Self {
        Self { body, context: Context { now, ..self.context }, ..self }
    }

    /// Goes on with the outcome. The body is read only after a principal is known.
    pub fn answer(self, outcome: Result<Verdict, PortError>) -> Step {
        let Self { mut context, evidence, body } = self;
        if let Ok(Verdict::Guessed(_, guess)) = &outcome {
            context.guess = Some(guess.clone());
        }
        let (principal, despite) = match outcome.map(|verdict| context.lapsed(verdict)) {
            Ok(Verdict::Known(principal)) => (principal, None),
            Ok(Verdict::KnownDespite(principal, doubt)) => (principal, Some(Refusal::from(doubt))),
            Ok(Verdict::Throttled(retry_after)) => {
                return Step::Done(Reply::Refused(Refusal::TooManyRequests { retry_after }));
            }
            Ok(Verdict::Crowded) => return Step::Done(Reply::Refused(Refusal::Overloaded)),
            Ok(Verdict::Unknown(doubt) | Verdict::Guessed(doubt, _)) => {
                let refusal = Refusal::from(doubt);
                let kind = failed_authentication(&evidence);
                if kind == EventKind::MtlsFailure {
                    context.rejected = evidence.leaf();
                }
                let claimed = match (&evidence.credentials, &context.rejected) {
                    (Some(shown), _) if !shown.user.is_empty() => format!(" as {}", Guess::against_user(&shown.user)),
                    (None, Some(shown)) => format!(" as {}", shown.subject()),
                    (Some(_) | None, _) => String::new(),
                };
                context.note(kind, Some(format!("{}{claimed}", refusal.row().code)));
                return context.end(None, Outcome::Refused(refusal));
            }
            Err(_) => return context.end(None, Outcome::Refused(Refusal::DirectoryUnavailable)),
        };
        let despite = despite.map(|refusal| {
            let leaf = evidence.leaf().map(|leaf| format!(" as {}", leaf.subject())).unwrap_or_default();
            format!("despite {}{leaf}: {refusal}", refusal.row().code)
        });
        context.note(successful_authentication(&principal), despite);
        context.principal = Some(principal.clone());
        if context.operation == Operation::CsrAttrs {
            return match context.label.admit(&principal, context.operation, context.site.algorithms) {
                Ok(()) => {
                    let attributes = context.label.csrattrs().cloned();
                    context.end(None, Outcome::CsrAttrs(attributes))
                }
                Err(refusal) => context.deny(refusal),
            };
        }
        match vet(&context, &principal, evidence.channel_binding.as_ref(), body) {
            Ok(vetted) => context.claim(principal, vetted),
            Err(refusal) => context.deny(refusal),
        }
    }
}

/// A request that may have what it asks for.
#[derive(Debug)]
struct Vetted {
    csr: Csr,
    plan: Plan,
    /// The key that is to be made first, and is not the plan's yet.
    wish: Option<Box<KeyWish>>,
    /// Whether it is linked to its connection (RFC 7030 §3.5).
    linked: bool,
}

/// Reads the body and decides about it.
fn vet(
    context: &Context,
    principal: &Principal,
    channel_binding: Option<&TlsExporter>,
    body: Result<Body, Refusal>,
) -> Result<Vetted, Refusal> {
    let renewing = match (context.operation, principal.certificate()) {
        (Operation::SimpleReenroll, None) => return Err(Refusal::CertificateRequired),
        (Operation::SimpleReenroll, certificate) => certificate,
        (Operation::CaCerts | Operation::CsrAttrs | Operation::SimpleEnroll | Operation::ServerKeyGen, _) => None,
    };
    let profile = &context.label.profile;
    if context.operation == Operation::ServerKeyGen && !profile.server_key_generation {
        return Err(Refusal::ServerKeyGenerationForbidden);
    }
    let der = body?.into_der(context.site.strict_encoding)?;
    let (csr, wish) = if context.operation == Operation::ServerKeyGen {
        let request = KeyRequest::parse(&der).map_err(Refusal::Csr)?;
        let key_type = request.key_type(profile.key_types.as_deref());
        let shown = match principal {
            Principal::Certificate(path) => Some(path.leaf().clone()),
            Principal::OneTimePassword { .. } => None,
        };
        let (csr, wish) = request.wish(key_type, shown);
        (csr, Some(Box::new(wish)))
    } else {
        (Csr::parse(&der, context.site.algorithms).map_err(Refusal::Csr)?, None)
    };
    if context.site.blocks(csr.public_key()) {
        return Err(Refusal::KeyBlocked);
    }
    let plan = context.decide(principal, &csr, renewing)?;
    // What an authority passes on is linked to the connection that it came by (RFC 7030 §3.7).
    let linked = plan.ra.is_none() && linking::check(context.label.linking(), csr.challenges(), channel_binding)?;
    Ok(Vetted { csr, plan, wish, linked })
}

impl Context {
    fn decide(&self, principal: &Principal, csr: &Csr, renewing: Option<&Certificate>) -> Result<Plan, Refusal> {
        self.label.admit(principal, self.operation, self.site.algorithms)?;
        policy::decide_for(&self.label, principal, self.authority(principal), csr, renewing, self.now)
    }

    /// The registration authority that the principal is here.
    fn authority(&self, principal: &Principal) -> Option<&RegistrationAuthority> {
        principal.certificate().and_then(|own| self.label.authority(own, self.site.algorithms))
    }

    /// An expired certificate is good for its renewal at most, however much grace an authenticator grants.
    fn lapsed(&self, verdict: Verdict) -> Verdict {
        match &verdict {
            Verdict::Known(Principal::Certificate(certificate))
                if certificate.not_after() < self.now && self.operation != Operation::SimpleReenroll =>
            {
                Verdict::Unknown(Doubt::CertificateExpired { not_after: certificate.not_after() })
            }
            Verdict::Known(_)
            | Verdict::KnownDespite(..)
            | Verdict::Unknown(_)
            | Verdict::Guessed(..)
            | Verdict::Throttled(_)
            | Verdict::Crowded => verdict,
        }
    }

    fn note(&mut self, kind: EventKind, reason: Option<String>) {
        self.events.push(Event { kind, reason });
    }

    fn claim(mut self, principal: Principal, Vetted { csr, plan, wish, linked }: Vetted) -> Step {
        self.linked = linked;
        let label = self.label.name.as_deref();
        let window_end = self.now + self.site.replay_window;
        let replay_until = match &principal {
            Principal::OneTimePassword { expires, .. } => window_end.max(*expires),
            Principal::Certificate(_) => window_end,
        };
        let intent = Intent {
            identity: Identity::of(&principal, label, self.operation, &csr),
            principal,
            source: self.source.clone(),
            serial: self.serial,
            label: self.label.name.clone(),
            ca: self.label.ca.id.clone(),
            operation: self.operation,
            csr: Arc::new(csr),
            approval: self.label.approval,
            now: self.now,
            lease: if wish.is_some() { LEASE_WITH_A_KEY } else { LEASE },
            replay_until,
        };
        Step::Claim(Claim { context: self, intent: Box::new(intent), plan, wish })
    }

    /// Ends with a refusal of what a known client asks for.
    fn deny(mut self, refusal: Refusal) -> Step {
        self.note(EventKind::CertDenied, Some(refusal.explanation(&self.label.profile)));
        self.end(None, Outcome::Refused(refusal))
    }

    /// Turns to the last step: whatever happened is recorded before anything leaves.
    fn end(self, intent: Option<Box<Intent>>, outcome: Outcome) -> Step {
        self.end_with(None, intent, outcome)
    }

    /// As `end`, with a key to hand out beside the certificate. It is no part of what is recorded.
    fn end_with(mut self, key: Option<KeyPart>, intent: Option<Box<Intent>>, outcome: Outcome) -> Step {
        let renewal = self.operation == Operation::SimpleReenroll;
        let (kind, reason) = match &outcome {
            // Nobody wanted a certificate: that somebody authenticated, or did not, is all there is to say.
            Outcome::CsrAttrs(_) => (None, None),
            Outcome::Refused(refusal) if self.operation == Operation::CsrAttrs => {
                let is_known = !self.events.is_empty();
                ((!is_known).then_some(EventKind::AuthFailure), Some(refusal.row().code.to_string()))
            }
            Outcome::Issued { .. } => {
                (Some(if renewal { EventKind::ReenrollSuccess } else { EventKind::EnrollSuccess }), None)
            }
            Outcome::Replayed(_) => {
                (Some(if renewal { EventKind::ReenrollReplayed } else { EventKind::EnrollReplayed }), None)
            }
            Outcome::Pending(..) | Outcome::AwaitingApproval => {
                (Some(if renewal { EventKind::ReenrollPending } else { EventKind::EnrollPending }), None)
            }
            Outcome::Refused(refusal) | Outcome::Interrupted(refusal) => {
                let kind = if renewal { EventKind::ReenrollFailure } else { EventKind::EnrollFailure };
                (Some(kind), Some(refusal.row().code.to_string()))
            }
        };
        if let Some(kind) = kind {
            self.note(kind, reason);
        }
        let entry = Entry {
            now: self.now,
            principal: self.principal,
            rejected: self.rejected,
            source: self.source,
            label: self.label.name.clone(),
            ca: self.label.ca.id.clone(),
            operation: self.operation,
            intent,
            outcome,
            guess: self.guess,
            events: self.events,
        };
        Step::Record(Record { entry: Box::new(entry), key, retry_after: self.site.retry_after, linked: self.linked })
    }
}

/// Waits for the store to reserve a serial number.
#[derive(Debug)]
pub struct Claim {
    context: Context,
    intent: Box<Intent>,
    plan: Plan,
    wish: Option<Box<KeyWish>>,
}

impl Claim {
    /// What to remember.
    #[must_use]
    pub fn intent(&self) -> &Intent {
        &self.intent
    }

    /// The key that is to be made once this is claimed, if one is.
    #[must_use]
    pub fn wish(&self) -> Option<&KeyWish> {
        self.wish.as_deref()
    }

    /// The client's address, if it is known.
    #[must_use]
    pub fn source(&self) -> Option<&str> {
        self.context.source.as_deref()
    }

    /// Ends the exchange before anything is claimed, and says on record why.
    pub fn give_up(self, refusal: Refusal) -> Step {
        self.context.end(None, Outcome::Refused(refusal))
    }

    /// Goes on with the outcome.
    pub fn answer(self, outcome: Result<Claimed, PortError>) -> Step {
        let Self { context, intent, plan, wish } = self;
        let refused = |context: Context, refusal| context.end(None, Outcome::Refused(refusal));
        match (outcome, wish) {
            (Ok(Claimed::Fresh), Some(wish)) => Step::GenerateKey(GenerateKey { context, intent, wish }),
            (Ok(Claimed::Open(_)), Some(_)) => refused(context, Refusal::KeyCannotWait),
            (Ok(Claimed::Finished(certificate)), Some(_)) => {
                let serial = Certificate::parse(&certificate).map(|certificate| certificate.serial_text());
                refused(context, Refusal::KeyAlreadyDelivered { serial: serial.unwrap_or_default() })
            }
            (outcome, _) => Self::go_on(context, intent, plan, outcome),
        }
    }

    fn go_on(context: Context, intent: Box<Intent>, plan: Plan, outcome: Result<Claimed, PortError>) -> Step {
        let refused = |context: Context, refusal| context.end(None, Outcome::Refused(refusal));
        match outcome {
            Ok(Claimed::Fresh) => Issue::begin(context, intent, plan, None, None),
            Ok(Claimed::Open(ticket)) => Issue::begin(context, intent, plan, Some(ticket), None),
            Ok(Claimed::Finished(certificate)) => context.end(None, Outcome::Replayed(certificate)),
            Ok(Claimed::AwaitingApproval) => context.end(None, Outcome::AwaitingApproval),
            Ok(Claimed::Denied) => refused(context, Refusal::Denied),
            Ok(Claimed::Revoked) => refused(context, Refusal::IssuedCertificateRevoked),
            Ok(Claimed::Busy) => refused(context, Refusal::InProgress),
            Ok(Claimed::PasswordSpent) => refused(context, Refusal::PasswordSpent),
            Ok(Claimed::KeyCompromised) => refused(context, Refusal::KeyCompromised),
            Ok(Claimed::TooManyWaiting) => {
                let retry_after = context.site.retry_after;
                refused(context, Refusal::TooManyWaiting { retry_after })
            }
            Err(_) => refused(context, Refusal::StoreUnavailable),
        }
    }
}

/// Waits for a key.
#[derive(Debug)]
pub struct GenerateKey {
    context: Context,
    intent: Box<Intent>,
    wish: Box<KeyWish>,
}

impl GenerateKey {
    /// Which key to make.
    #[must_use]
    pub fn wish(&self) -> &KeyWish {
        &self.wish
    }

    /// Goes on with the outcome. What the certificate will be is decided again, for the key that there is now.
    pub fn answer(self, outcome: Result<Generated, PortError>) -> Step {
        let Self { mut context, mut intent, .. } = self;
        let GeneratedKey { public_key, part } = match outcome {
            Ok(Generated::Key(key)) => key,
            Ok(Generated::Refused(refusal)) => {
                return context.end(Some(intent), Outcome::Refused(Refusal::KeyGeneration(refusal)));
            }
            Err(_) => return context.end(Some(intent), Outcome::Interrupted(Refusal::KeyGeneratorUnavailable)),
        };
        let protection = match part {
            KeyPart::Pkcs8(_) => "in the clear within TLS",
            KeyPart::Enveloped(_) => "encrypted",
        };
        context.note(EventKind::KeyGenerated, Some(format!("{}, {protection}", public_key.key_type())));
        let csr = intent.csr.for_key(public_key);
        let decided = if context.site.blocks(csr.public_key()) {
            Err(Refusal::KeyBlocked)
        } else {
            context.decide(&intent.principal, &csr, None)
        };
        match decided {
            Ok(plan) => {
                intent.csr = Arc::new(csr);
                Issue::begin(context, intent, plan, None, Some(part))
            }
            Err(refusal) => context.end(Some(intent), Outcome::Refused(refusal)),
        }
    }
}

/// Waits for the CA.
#[derive(Debug)]
pub struct Issue {
    context: Context,
    intent: Box<Intent>,
    order: Box<Order>,
    key: Option<KeyPart>,
}

impl Issue {
    fn begin(context: Context, intent: Box<Intent>, plan: Plan, ticket: Option<Ticket>, key: Option<KeyPart>) -> Step {
        let order =
            Order { ca: context.label.ca.clone(), serial: intent.serial, plan, csr: intent.csr.clone(), ticket };
        Step::Issue(Self { context, intent, order: Box::new(order), key })
    }

    /// What to issue.
    #[must_use]
    pub fn order(&self) -> &Order {
        &self.order
    }

    /// Goes on with the outcome. A failure is recorded too, so that no claim stays open.
    pub fn answer(self, outcome: Result<Issuance, PortError>) -> Step {
        let Self { mut context, intent, order, key } = self;
        let outcome = match outcome {
            Ok(Issuance::Issued(der)) => match Certificate::parse(&der) {
                Ok(certificate) if order.plan.is_met_by(&certificate) => {
                    let renewal = context.operation == Operation::SimpleReenroll;
                    let kind = if renewal { EventKind::CertRenewed } else { EventKind::CertIssued };
                    let link = context.linked.then(|| "linked by tls-exporter".to_string());
                    let remarks: Vec<String> = core::iter::once(order.plan.explanation()).chain(link).collect();
                    context.note(kind, Some(remarks.join("; ")));
                    Outcome::Issued { certificate: Arc::new(certificate), profile: order.plan.profile.clone() }
                }
                Ok(_) | Err(_) => Outcome::Interrupted(Refusal::CaUnavailable),
            },
            Ok(Issuance::Pending(..)) if key.is_some() => Outcome::Refused(Refusal::KeyCannotWait),
            Ok(Issuance::Pending(ticket, retry_after)) => Outcome::Pending(ticket, retry_after),
            Ok(Issuance::Refused) => {
                context.note(EventKind::CertDenied, Some(Refusal::RefusedByCa.row().code.to_string()));
                Outcome::Refused(Refusal::RefusedByCa)
            }
            Err(_) => Outcome::Interrupted(Refusal::CaUnavailable),
        };
        context.end_with(key, Some(intent), outcome)
    }
}

/// Waits for the store to remember the outcome.
#[derive(Debug)]
pub struct Record {
    entry: Box<Entry>,
    key: Option<KeyPart>,
    retry_after: Seconds,
    linked: bool,
}

impl Record {
    /// What to remember.
    #[must_use]
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// Goes on with the outcome: what was not recorded is not handed out.
    pub fn answer(self, outcome: Result<(), PortError>) -> Step {
        if outcome.is_err() {
            return Step::Done(Reply::Refused(Refusal::StoreUnavailable));
        }
        let reply = match self.entry.outcome {
            Outcome::Issued { certificate, .. } => {
                let certificate = certs_only([certificate.as_der()]);
                match self.key {
                    Some(key) => Reply::KeyAndCertificate { key, certificate },
                    None => Reply::Certificate(certificate),
                }
            }
            Outcome::Replayed(certificate) => Reply::Certificate(certs_only([certificate.as_slice()])),
            Outcome::Pending(_, retry_after) => Reply::RetryAfter(retry_after),
            Outcome::AwaitingApproval => Reply::RetryAfter(self.retry_after),
            Outcome::CsrAttrs(attributes) => Reply::CsrAttrs(attributes),
            Outcome::Refused(refusal) | Outcome::Interrupted(refusal) => Reply::Refused(refusal),
        };
        // A channel binding is for one authentication, after which the connection should end (RFC 9266 §4.1).
        let has_served = self.linked && matches!(reply, Reply::Certificate(_) | Reply::KeyAndCertificate { .. });
        Step::Done(if has_served { Reply::ThenClose(Box::new(reply)) } else { reply })
    }
}

fn successful_authentication(principal: &Principal) -> EventKind {
    match principal {
        Principal::Certificate(_) => EventKind::MtlsSuccess,
        Principal::OneTimePassword { .. } => EventKind::OtpSuccess,
    }
}

fn failed_authentication(evidence: &Evidence) -> EventKind {
    if evidence.credentials.is_some() {
        EventKind::OtpFailure
    } else if evidence.certificates.is_empty() {
        EventKind::AuthFailure
    } else {
        EventKind::MtlsFailure
    }
}
