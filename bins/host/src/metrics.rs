//! Counts and times, for Prometheus.
//!
//! Every value of every label comes from the configuration or from a list in the code: the number of series is bounded,
//! whatever clients send.

mod ports;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use est_core::{Operation, UnixTime};
use est_store::Census;
use prometheus::{
    HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder, histogram_opts,
};

use crate::ends::End;
use crate::telemetry;
use crate::vitals::Vitals;

pub use ports::measured;

/// How an exchange that asks for a certificate can end.
const RESULTS: [&str; 6] = ["issued", "replayed", "pending", "awaiting_approval", "refused", "interrupted"];
/// From a tenth of a millisecond to ten seconds.
const BUCKETS: [f64; 15] =
    [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// Everything that is counted.
pub struct Metrics {
    registry: Registry,
    enrollments: IntCounterVec,
    reenrollments: IntCounterVec,
    revocations: IntCounterVec,
    otp_generated: IntCounter,
    otp_consumed: IntCounter,
    authentications: IntCounterVec,
    requests: HistogramVec,
    ports: HistogramVec,
    waiting: IntGaugeVec,
    active: IntGaugeVec,
    issued: IntGaugeVec,
    health: IntGaugeVec,
    handshakes: HistogramVec,
    lag: IntGaugeVec,
    sinks: IntGaugeVec,
    crl_ends: IntGaugeVec,
    ends: IntGaugeVec,
    /// Which series of `ends` there are.
    ending: Mutex<BTreeSet<(&'static str, String)>>,
    expiring: IntGaugeVec,
    awaiting: IntGaugeVec,
    /// The labels in `awaiting`.
    awaited: Mutex<BTreeSet<String>>,
    readings: Mutex<Vec<Reading>>,
    vitals: Vitals,
}

/// A gauge that is read when somebody asks.
struct Reading {
    gauge: prometheus::Gauge,
    read: Box<dyn Fn() -> f64 + Send + Sync>,
}

/// How a handshake can end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handshake {
    /// With a connection.
    Done,
    /// Without one: the two did not agree, or the client went away.
    Failed,
    /// It took longer than it may.
    Late,
}

/// What a request is counted as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// An operation of EST.
    Est(Operation),
    /// A CRL.
    Crl,
    /// The admin API.
    Admin,
    /// Anything else.
    Other,
}

impl Endpoint {
    /// What an EST path asks for.
    #[must_use]
    pub fn of_path(path: &str) -> Self {
        path.rsplit('/').next().and_then(Operation::from_segment).map_or(Self::Other, Self::Est)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Est(operation) => operation.segment(),
            Self::Crl => "crl",
            Self::Admin => "admin",
            Self::Other => "other",
        }
    }
}

impl Metrics {
    /// Begins to count, for a server with these CAs.
    ///
    /// # Panics
    /// Never: the names are all different, and all of them valid.
    #[must_use]
    pub fn new(cas: &[&str], version: &str) -> Self {
        let registry = Registry::new();
        let made = || -> prometheus::Result<Self> {
            let metrics = Self {
                enrollments: counters(
                    &registry,
                    "ohia_enrollments_total",
                    "Enrollments, server-side key generation included, by CA and how they ended.",
                    &["ca", "result"],
                )?,
                reenrollments: counters(
                    &registry,
                    "ohia_reenrollments_total",
                    "Renewals by CA and how they ended.",
                    &["ca", "result"],
                )?,
                revocations: counters(
                    &registry,
                    "ohia_revocations_total",
                    "Certificates revoked by the admin API, by CA and reason.",
                    &["ca", "reason"],
                )?,
                otp_generated: counter(
                    &registry,
                    "ohia_otp_generated_total",
                    "One-time passwords made by the admin API.",
                )?,
                otp_consumed: counter(
                    &registry,
                    "ohia_otp_consumed_total",
                    "Uses of one-time passwords that led to a certificate.",
                )?,
                authentications: counters(
                    &registry,
                    "ohia_authentications_total",
                    "Authentications by their method and result.",
                    &["method", "result"],
                )?,
                requests: histograms(
                    &registry,
                    "ohia_request_duration_seconds",
                    "From a request's head to its answer, by endpoint and class of status.",
                    &["endpoint", "status"],
                )?,
                ports: histograms(
                    &registry,
                    "ohia_port_duration_seconds",
                    "What answering a request waits for: authentication, the store, the CA, new keys.",
                    &["port"],
                )?,
                waiting: gauges(
                    &registry,
                    "ohia_port_waiting",
                    "Requests that wait right now: for a hash or a path (authenticate), for the store (claim, record), \
                     for the CA (issue), for new keys (generate).",
                    "port",
                )?,
                active: gauges(
                    &registry,
                    "ohia_active_certificates",
                    "Certificates that are neither over nor revoked, by CA, as they were last counted.",
                    "ca",
                )?,
                issued: gauges(
                    &registry,
                    "ohia_certificates",
                    "Certificates in the inventory by CA, as they were last counted.",
                    "ca",
                )?,
                health: gauges(&registry, "ohia_ca_health", "Whether a CA is healthy: 1, or 0.", "ca")?,
                handshakes: histograms(
                    &registry,
                    "ohia_handshake_duration_seconds",
                    "TLS handshakes by listener and how they ended.",
                    &["listener", "result"],
                )?,
                lag: gauges(
                    &registry,
                    "ohia_audit_sink_lag_records",
                    "Audit records of this node that a sink has yet to take.",
                    "sink",
                )?,
                sinks: gauges(&registry, "ohia_audit_sink_up", "Whether a sink takes audit records: 1, or 0.", "sink")?,
                crl_ends: gauges(
                    &registry,
                    "ohia_crl_next_update_timestamp_seconds",
                    "When the last CRL of a CA ends.",
                    "ca",
                )?,
                ends: labelled_gauges(
                    &registry,
                    "ohia_certificate_not_after_timestamp_seconds",
                    "When a certificate or CRL ends that the server depends on, by what it is and which one.",
                    &["what", "name"],
                )?,
                ending: Mutex::default(),
                expiring: labelled_gauges(
                    &registry,
                    "ohia_certificates_expiring",
                    "Certificates that are not revoked and end within so long, by CA, as they were last counted.",
                    &["ca", "within"],
                )?,
                awaiting: gauges(
                    &registry,
                    "ohia_requests_awaiting_approval",
                    "Requests that wait for somebody to decide, by label, as they were last counted.",
                    "label",
                )?,
                awaited: Mutex::default(),
                readings: Mutex::default(),
                vitals: Vitals::default(),
                registry: registry.clone(),
            };
            registry.register(Box::new(telemetry::dropped()))?;
            metrics.requests_awaiting(&[(None, 0)]);
            for ca in cas {
                metrics.counted(&Census::none(ca));
                for result in RESULTS {
                    metrics.enrollments.with_label_values(&[*ca, result]);
                    metrics.reenrollments.with_label_values(&[*ca, result]);
                }
            }
            Ok(metrics)
        };
        let metrics = made().expect("the names are valid and different");
        metrics.reading("ohia_build_info", "The version that runs.", &[("version", version)], || 1.0);
        let since = crate::shell::now().0;
        metrics.reading("process_start_time_seconds", "When the process began.", &[], move || since as f64);
        metrics
    }

    /// Has a gauge read by `read` whenever somebody asks; `labels` never change. A name that is taken with the same
    /// labels stays as it was.
    pub fn reading(
        &self,
        name: &str,
        about: &str,
        labels: &[(&str, &str)],
        read: impl Fn() -> f64 + Send + Sync + 'static,
    ) {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let options = Opts::new(name, about).const_labels(labels.collect());
        if let Ok(gauge) = prometheus::Gauge::with_opts(options)
            && self.registry.register(Box::new(gauge.clone())).is_ok()
        {
            let reading = Reading { gauge, read: Box::new(read) };
            self.readings.lock().unwrap_or_else(PoisonError::into_inner).push(reading);
        }
    }

    /// How the CAs do.
    #[must_use]
    pub fn vitals(&self) -> &Vitals {
        &self.vitals
    }

    /// A one-time password was made.
    pub fn otp_generated(&self) {
        self.otp_generated.inc();
    }

    /// A certificate was revoked.
    pub fn revoked(&self, ca: &str, reason: &str) {
        self.revocations.with_label_values(&[ca, reason]).inc();
    }

    /// How many certificates a CA has in the inventory, how many of them are good, and how many end soon.
    pub fn counted(&self, census: &Census) {
        let gauge = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let ca = census.ca.as_str();
        self.issued.with_label_values(&[ca]).set(gauge(census.issued));
        self.active.with_label_values(&[ca]).set(gauge(census.active()));
        for (days, number) in std::iter::zip(Census::WITHIN_DAYS, census.expiring) {
            self.expiring.with_label_values(&[ca, &format!("{days}d")]).set(gauge(number));
        }
    }

    /// How many requests wait for a decision at each label; `None` is the unlabelled path. The last entry of a label counts,
    /// and a label that is not listed any more has none.
    pub fn requests_awaiting(&self, counted: &[(Option<String>, u64)]) {
        let counted = counted.iter().map(|(label, number)| (label.as_deref().unwrap_or("-"), *number));
        let counted: BTreeMap<&str, u64> = counted.collect();
        let mut known = self.awaited.lock().unwrap_or_else(PoisonError::into_inner);
        known.extend(counted.keys().map(|label| (*label).to_owned()));
        for label in known.iter() {
            let number = counted.get(label.as_str()).copied().unwrap_or_default();
            self.awaiting.with_label_values(&[label]).set(i64::try_from(number).unwrap_or(i64::MAX));
        }
    }

    /// When everything ends that the server depends on; what is not there any more has no end.
    pub fn ends(&self, ends: &[End]) {
        let mut known = self.ending.lock().unwrap_or_else(PoisonError::into_inner);
        let now: BTreeSet<_> = ends.iter().map(|end| (end.what.name(), end.name.clone())).collect();
        for (what, name) in known.difference(&now) {
            // It was there.
            let _ = self.ends.remove_label_values(&[*what, name.as_str()]);
        }
        for end in ends {
            let gauge = self.ends.with_label_values(&[end.what.name(), end.name.as_str()]);
            gauge.set(i64::try_from(end.not_after.0).unwrap_or(i64::MAX));
        }
        *known = now;
    }

    /// Whether a CA is healthy.
    pub fn health(&self, ca: &str, is_healthy: bool) {
        self.health.with_label_values(&[ca]).set(is_healthy.into());
    }

    /// A request was answered.
    pub fn answered(&self, endpoint: Endpoint, status: u16, took: Duration) {
        let class = match status {
            100..=199 => "1xx",
            200..=299 => "2xx",
            300..=399 => "3xx",
            400..=499 => "4xx",
            _ => "5xx",
        };
        self.requests.with_label_values(&[endpoint.name(), class]).observe(took.as_secs_f64());
    }

    /// All of it, as Prometheus reads it (text format 0.0.4).
    #[must_use]
    pub fn exposition(&self) -> String {
        for reading in self.readings.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            reading.gauge.set((reading.read)());
        }
        let mut text = String::new();
        // What cannot be written is left out, which cannot happen: text is all there is.
        let _ = TextEncoder::new().encode_utf8(&self.registry.gather(), &mut text);
        text
    }

    /// How many audit records of this node a sink has yet to take, and whether it takes them.
    pub fn sink(&self, sink: &str, records: u64, is_up: bool) {
        self.lag.with_label_values(&[sink]).set(i64::try_from(records).unwrap_or(i64::MAX));
        self.sinks.with_label_values(&[sink]).set(is_up.into());
    }

    /// When the last CRL of a CA ends.
    pub fn crl_ends(&self, ca: &str, next_update: UnixTime) {
        self.crl_ends.with_label_values(&[ca]).set(i64::try_from(next_update.0).unwrap_or(i64::MAX));
    }

    /// A handshake has ended.
    pub fn handshake(&self, listener: &'static str, end: Handshake, took: Duration) {
        let result = match end {
            Handshake::Done => "success",
            Handshake::Failed => "failure",
            Handshake::Late => "timeout",
        };
        self.handshakes.with_label_values(&[listener, result]).observe(took.as_secs_f64());
    }

    /// Begins to measure a call of a port, until the answer or until nobody waits for it any more.
    fn call(&self, port: &'static str) -> Call<'_> {
        self.waiting.with_label_values(&[port]).inc();
        Call { metrics: self, port, began: Instant::now() }
    }
}

/// A call of a port.
struct Call<'a> {
    metrics: &'a Metrics,
    port: &'static str,
    began: Instant,
}

impl Call<'_> {
    /// Ends it; how long it took.
    fn end(self) -> Duration {
        let took = self.began.elapsed();
        self.metrics.ports.with_label_values(&[self.port]).observe(took.as_secs_f64());
        took
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.metrics.waiting.with_label_values(&[self.port]).dec();
    }
}

fn counter(registry: &Registry, name: &str, about: &str) -> prometheus::Result<IntCounter> {
    let counter = IntCounter::new(name, about)?;
    registry.register(Box::new(counter.clone()))?;
    Ok(counter)
}

fn counters(registry: &Registry, name: &str, about: &str, labels: &[&str]) -> prometheus::Result<IntCounterVec> {
    let counters = IntCounterVec::new(Opts::new(name, about), labels)?;
    registry.register(Box::new(counters.clone()))?;
    Ok(counters)
}

fn gauges(registry: &Registry, name: &str, about: &str, label: &str) -> prometheus::Result<IntGaugeVec> {
    labelled_gauges(registry, name, about, &[label])
}

fn labelled_gauges(registry: &Registry, name: &str, about: &str, labels: &[&str]) -> prometheus::Result<IntGaugeVec> {
    let gauges = IntGaugeVec::new(Opts::new(name, about), labels)?;
    registry.register(Box::new(gauges.clone()))?;
    Ok(gauges)
}

fn histograms(registry: &Registry, name: &str, about: &str, labels: &[&str]) -> prometheus::Result<HistogramVec> {
    let options: HistogramOpts = histogram_opts!(name, about, BUCKETS.to_vec());
    let histograms = HistogramVec::new(options, labels)?;
    registry.register(Box::new(histograms.clone()))?;
    Ok(histograms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_what_a_path_asks_for() {
        assert_eq!(Endpoint::of_path("/.well-known/est/simpleenroll").name(), "simpleenroll");
        assert_eq!(Endpoint::of_path("/.well-known/est/a-label/csrattrs").name(), "csrattrs");
        for other in ["", "/", "/.well-known/est/", "/simpleenroll/x", "/\u{1f33a}"] {
            assert_eq!(Endpoint::of_path(other), Endpoint::Other, "{other}");
        }
    }

    #[test]
    fn has_every_ca_from_the_start() {
        let text = Metrics::new(&["main"], "1.2.3").exposition();
        assert!(text.contains("ohia_enrollments_total{ca=\"main\",result=\"issued\"} 0"), "{text}");
        assert!(text.contains("ohia_build_info{version=\"1.2.3\"} 1"), "{text}");
    }

    #[test]
    fn reads_a_gauge_when_somebody_asks() {
        let metrics = Metrics::new(&[], "1");
        metrics.reading("ohia_connections", "Open connections.", &[("listener", "est")], || 3.0);
        metrics.reading("ohia_connections", "Open connections.", &[("listener", "est")], || 4.0);
        assert!(metrics.exposition().contains("ohia_connections{listener=\"est\"} 3"));
    }
}
