//! When the certificates and CRLs end that a server depends on: for its health, its log and its metrics.

use std::collections::BTreeMap;
use std::fmt;

use est_core::pkix::Certificate;
use est_core::{Seconds, UnixTime};
use tracing::{error, warn};

use crate::config::{Settings, SyslogTransport, TlsCertificate};

/// How long before its end somebody is told of a certificate at first.
const NOTICE: Seconds = Seconds::from_days(30);
/// How often the log repeats it.
const REPEAT: Seconds = Seconds::from_days(1);

/// What ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// A certificate of `[tls]` or `[[tls.additional]]`.
    Tls,
    /// The certificate of the admin API.
    Admin,
    /// The certificate of a CA.
    Ca,
    /// A certificate above a CA.
    CaChain,
    /// A certificate that `/cacerts` lists during a rollover.
    Rollover,
    /// A trust anchor of clients.
    TrustAnchor,
    /// A CA certificate that clients may leave out.
    Intermediate,
    /// A trust anchor of operators.
    AdminTrustAnchor,
    /// A certificate of a proxy.
    Proxy,
    /// The certificate that the syslog collector is shown.
    Syslog,
    /// A trust anchor of the syslog collector.
    SyslogTrustAnchor,
    /// A CRL that a CA here makes.
    Crl,
    /// A CRL that clients' certificates are held against.
    ClientCrl,
}

impl What {
    /// Its name in metrics and in the admin API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tls => "tls",
            Self::Admin => "admin",
            Self::Ca => "ca",
            Self::CaChain => "ca-chain",
            Self::Rollover => "rollover",
            Self::TrustAnchor => "trust-anchor",
            Self::Intermediate => "intermediate",
            Self::AdminTrustAnchor => "admin-trust-anchor",
            Self::Proxy => "proxy",
            Self::Syslog => "syslog",
            Self::SyslogTrustAnchor => "syslog-trust-anchor",
            Self::Crl => "crl",
            Self::ClientCrl => "client-crl",
        }
    }

    /// What it is, for people.
    const fn about(self) -> &'static str {
        match self {
            Self::Tls => "the TLS certificate",
            Self::Admin => "the certificate of the admin API",
            Self::Ca => "the certificate of CA",
            Self::CaChain => "the certificate above a CA,",
            Self::Rollover => "the rollover certificate",
            Self::TrustAnchor => "the trust anchor of clients",
            Self::Intermediate => "the intermediate certificate of clients",
            Self::AdminTrustAnchor => "the trust anchor of operators",
            Self::Proxy => "the certificate of the proxy",
            Self::Syslog => "the certificate for the syslog collector",
            Self::SyslogTrustAnchor => "the trust anchor of the syslog collector",
            Self::Crl => "the CRL of CA",
            Self::ClientCrl => "the CRL of",
        }
    }
}

/// Something that ends, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// What it is.
    pub what: What,
    /// Which one: a file, the id of a CA, or a subject.
    pub name: String,
    /// Its last second.
    pub not_after: UnixTime,
    /// From when on somebody has to do something; never if `None`.
    notice: Option<UnixTime>,
    remedy: &'static str,
}

/// How urgent an end is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// There is time.
    None,
    /// Somebody has to do something before it ends.
    Soon,
    /// It has ended.
    Over,
}

impl End {
    /// That of a CRL, which is late from `notice` on.
    #[must_use]
    pub fn of_crl(what: What, name: String, next_update: UnixTime, notice: UnixTime) -> Self {
        let remedy = match what {
            What::Crl => "let the CA's key be read: the log says why there is no new one",
            _ => "bring in a fresh one",
        };
        Self { what, name, not_after: next_update, notice: Some(notice.min(next_update)), remedy }
    }

    fn of(what: What, name: String, certificate: &Certificate, remedy: &'static str) -> Self {
        let (begin, not_after) = (certificate.not_before(), certificate.not_after());
        // Of a certificate for a week the last third: it is renewed by then.
        let span = Seconds(not_after.0.saturating_sub(begin.0) / 3);
        let notice = UnixTime(not_after.0.saturating_sub(NOTICE.0.min(span.0)));
        Self { what, name, not_after, notice: Some(notice), remedy }
    }

    /// How urgent it is at `now`.
    #[must_use]
    pub fn urgency(&self, now: UnixTime) -> Urgency {
        match self.notice {
            Some(_) if self.not_after < now => Urgency::Over,
            Some(notice) if notice <= now => Urgency::Soon,
            _ => Urgency::None,
        }
    }

    /// What there is to say of it at `now`; `None` while there is time.
    #[must_use]
    pub fn told(&self, now: UnixTime) -> Option<String> {
        let when = match self.urgency(now) {
            Urgency::None => return None,
            Urgency::Over => format!("ended at {}", self.not_after),
            Urgency::Soon => format!("ends at {}, in {}", self.not_after, Left(self.not_after.0 - now.0)),
        };
        Some(format!("{} {} {when}: {}", self.what.about(), self.name, self.remedy))
    }
}

/// A span of time in the largest unit that fits.
struct Left(u64);

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, unit) = match self.0 {
            seconds if seconds >= 2 * 86_400 => (seconds / 86_400, "days"),
            seconds if seconds >= 2 * 3_600 => (seconds / 3_600, "hours"),
            seconds => (seconds / 60, "minutes"),
        };
        write!(f, "{number} {unit}")
    }
}

/// The ends of every certificate that `settings` name, the server's own first.
#[must_use]
pub fn of_settings(settings: &Settings) -> Vec<End> {
    const ANCHOR: &str = "add its successor beside it, and let clients move over";
    const REPLACE: &str = "get another one from its CA, put it in its place, and reload";
    const RENEW: &str = "`estd tls renew` renews it, and so does the server unless `tls.renew` is false";

    let is_own = |certificate: &Certificate| {
        settings.cas.iter().any(|ca| certificate.is_issued_by(&ca.certificate, est_backends::algorithms()))
    };
    let mut ends = Vec::new();
    let mut shown = |what: What, certificate: &TlsCertificate| {
        let Some(leaf) = certificate.chain.first() else { return };
        let remedy = if what != What::Syslog && is_own(leaf) { RENEW } else { REPLACE };
        ends.push(End::of(what, certificate.path.display().to_string(), leaf, remedy));
    };
    settings.tls.certificates.iter().for_each(|certificate| shown(What::Tls, certificate));
    settings.admin.certificate.iter().for_each(|certificate| shown(What::Admin, certificate));
    let collector = settings.audit.syslog.as_ref().and_then(|syslog| match &syslog.transport {
        SyslogTransport::Tls(tls) => Some(tls),
        SyslogTransport::Udp | SyslogTransport::Tcp => None,
    });
    collector.and_then(|tls| tls.certificate.as_ref()).iter().for_each(|certificate| shown(What::Syslog, certificate));

    for ca in &settings.cas {
        let remedy = match ca.certificate.is_self_issued() {
            true => "`estd ca rollover` makes its successor, which clients have to learn first",
            false => "have the CA above it certify it again, and reload",
        };
        ends.push(End::of(What::Ca, ca.id.clone(), &ca.certificate, remedy));
    }
    let mut named = |what: What, certificates: &[Certificate], remedy: &'static str| {
        for certificate in certificates.iter().filter(|one| settings.cas.iter().all(|ca| ca.certificate != **one)) {
            let mut end = End::of(what, certificate.subject().to_string(), certificate, remedy);
            // The root before a rollover is meant to end.
            let is_leaving = settings.cas.iter().any(|ca| ca.rollover.contains(certificate));
            end.notice = end.notice.filter(|_| what != What::Rollover && !is_leaving);
            ends.push(end);
        }
    };
    for ca in &settings.cas {
        named(What::CaChain, &ca.chain, "put its successor into `chain`, and reload");
        named(What::Rollover, &ca.rollover, "");
    }
    let client_auth = &settings.tls.client_auth;
    named(What::TrustAnchor, &client_auth.trust_anchors, ANCHOR);
    named(What::Intermediate, &client_auth.intermediates, "put its successor beside it, and reload");
    named(What::AdminTrustAnchor, &settings.admin.trust_anchors, ANCHOR);
    for proxy in &settings.server.proxies {
        named(What::Proxy, &proxy.certificates, "add the next certificate of the proxy to `certificate`, and reload");
    }
    named(What::SyslogTrustAnchor, collector.map_or(&[], |tls| &tls.anchors), "add its successor, and restart");
    with_different_names(ends)
}

/// Leaves out what is there twice, and numbers those of one kind and name.
fn with_different_names(ends: Vec<End>) -> Vec<End> {
    let mut kept: Vec<End> = Vec::with_capacity(ends.len());
    let mut seen: BTreeMap<(What, String), u32> = BTreeMap::new();
    for mut end in ends {
        if kept.contains(&end) {
            continue;
        }
        let times = seen.entry((end.what, end.name.clone())).or_default();
        *times += 1;
        if *times > 1 {
            end.name = format!("{} ({times})", end.name);
        }
        kept.push(end);
    }
    kept
}

/// What the log has been told of ends.
#[derive(Debug, Default)]
pub struct EndsLog(BTreeMap<(What, String), (Urgency, UnixTime)>);

impl EndsLog {
    /// Logs what is urgent: when it becomes so, once a day from then on, and when it ends.
    pub fn look(&mut self, ends: &[End], now: UnixTime) {
        for (urgency, text) in self.due(ends, now) {
            match urgency {
                Urgency::Over => error!("{text}"),
                Urgency::Soon | Urgency::None => warn!("{text}"),
            }
        }
    }

    fn due(&mut self, ends: &[End], now: UnixTime) -> Vec<(Urgency, String)> {
        let is_there = |(what, name): &(What, String)| ends.iter().any(|end| end.what == *what && end.name == *name);
        self.0.retain(|key, _| is_there(key));
        let mut due = Vec::new();
        for end in ends {
            let key = (end.what, end.name.clone());
            let Some(text) = end.told(now) else {
                self.0.remove(&key);
                continue;
            };
            let urgency = end.urgency(now);
            // A clock that went back has told nothing yet.
            let is_known = |(known, at): &(Urgency, UnixTime)| *known == urgency && *at <= now && now < *at + REPEAT;
            if !self.0.get(&key).is_some_and(is_known) {
                self.0.insert(key, (urgency, now));
                due.push((urgency, text));
            }
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 86_400;

    fn end(not_after: u64, notice: u64) -> End {
        let (what, name) = (What::Tls, "server.pem".to_owned());
        End { what, name, not_after: UnixTime(not_after), notice: Some(UnixTime(notice)), remedy: "renew it" }
    }

    #[test]
    fn the_log_has_an_end_when_it_comes_near_once_a_day_and_when_it_is_there() {
        let (mut log, ends) = (EndsLog::default(), [end(100 * DAY, 70 * DAY)]);
        let mut count = |now: u64| log.due(&ends, UnixTime(now)).len();
        assert_eq!((count(69 * DAY), count(70 * DAY), count(70 * DAY + 60)), (0, 1, 0));
        assert_eq!((count(71 * DAY - 1), count(71 * DAY), count(71 * DAY + 60)), (0, 1, 0));
        assert_eq!((count(100 * DAY), count(100 * DAY + 1), count(100 * DAY + 60)), (1, 1, 0), "its last second");
        assert_eq!((count(101 * DAY + 1), count(90 * DAY)), (1, 1), "the clock went back");
    }

    #[test]
    fn what_was_renewed_is_not_told_of_and_told_of_again_when_it_ends() {
        let mut log = EndsLog::default();
        assert_eq!(log.due(&[end(100, 70)], UnixTime(80)).len(), 1);
        assert!(log.due(&[end(200, 170)], UnixTime(80)).is_empty());
        assert_eq!(log.due(&[end(200, 170)], UnixTime(180)).len(), 1);
    }

    #[test]
    fn says_what_ends_when_and_what_to_do() {
        let end = end(100 * DAY, 70 * DAY);
        assert_eq!(end.told(UnixTime(70 * DAY - 1)), None);
        let soon = end.told(UnixTime(88 * DAY)).unwrap_or_default();
        assert_eq!(soon, "the TLS certificate server.pem ends at 1970-04-11T00:00:00Z, in 12 days: renew it");
        let over = end.told(UnixTime(100 * DAY + 1)).unwrap_or_default();
        assert_eq!(over, "the TLS certificate server.pem ended at 1970-04-11T00:00:00Z: renew it");
    }
}
