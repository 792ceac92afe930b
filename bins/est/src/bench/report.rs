//! What was measured.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Map, Value, json};

use crate::cli::BenchArguments;
use crate::output::{Failure, note, say};

/// Why a request was not a success.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// The server answered with another status than 200; 202 is "not yet".
    Status(u16),
    /// `connect`, `tls`, `connection`, `timeout`, or `answer` for a 200 without the certificate.
    Word(&'static str),
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "{status}"),
            Self::Word(word) => f.write_str(word),
        }
    }
}

/// Longer latencies are counted as this long: an hour.
const LONGEST_US: u64 = 3_600_000_000;

/// Successes with their latencies, failures with their kinds.
pub(super) struct Tally {
    latencies_us: Histogram<u64>,
    failures: BTreeMap<Kind, u64>,
}

/// A finished measurement.
pub(super) struct Outcome {
    pub(super) tally: Tally,
    pub(super) elapsed: Duration,
    pub(super) has_run_out: bool,
    pub(super) prepared: usize,
}

impl Tally {
    pub(super) fn new() -> Self {
        let latencies_us = Histogram::new_with_bounds(1, LONGEST_US, 3).expect("three digits are within its range");
        Self { latencies_us, failures: BTreeMap::new() }
    }

    pub(super) fn count(&mut self, outcome: Result<Duration, Kind>) {
        match outcome {
            Ok(latency) => self.latencies_us.saturating_record(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX)),
            Err(kind) => *self.failures.entry(kind).or_default() += 1,
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.latencies_us.add(&other.latencies_us).expect("both have the same bounds");
        for (kind, count) in &other.failures {
            *self.failures.entry(*kind).or_default() += count;
        }
    }

    pub(super) fn enrollments(&self) -> u64 {
        self.latencies_us.len()
    }

    fn failed(&self) -> u64 {
        self.failures.values().sum()
    }

    fn quantile_ms(&self, quantile: f64) -> f64 {
        self.latencies_us.value_at_quantile(quantile) as f64 / 1000.0
    }
}

impl Outcome {
    fn rate_per_s(&self) -> f64 {
        self.tally.enrollments() as f64 / self.elapsed.as_secs_f64().max(f64::EPSILON)
    }

    fn to_json(&self, concurrency: u32, new_connections: bool) -> Value {
        let tally = &self.tally;
        let mut failures: Map<String, Value> =
            tally.failures.iter().map(|(kind, count)| (kind.to_string(), json!(count))).collect();
        failures.insert("total".into(), json!(tally.failed()));
        json!({
            "enrollments": tally.enrollments(),
            "failures": failures,
            "rate_per_s": round(self.rate_per_s()),
            "latency_ms": {
                "p50": tally.quantile_ms(0.5),
                "p90": tally.quantile_ms(0.9),
                "p99": tally.quantile_ms(0.99),
                "max": tally.quantile_ms(1.0),
            },
            "elapsed_s": round(self.elapsed.as_secs_f64()),
            "concurrency": concurrency,
            "new_connections": new_connections,
            "ran_out_of_requests": self.has_run_out,
        })
    }

    fn to_text(&self) -> String {
        let tally = &self.tally;
        let kinds: Vec<String> = tally.failures.iter().map(|(kind, count)| format!("{kind}: {count}")).collect();
        let kinds = if kinds.is_empty() { String::new() } else { format!(" ({})", kinds.join(", ")) };
        format!(
            "enrollments  {} in {:.2} s\nfailures     {}{kinds}\nrate         {:.0}/s\n\
             latency      p50 {:.2} ms, p90 {:.2} ms, p99 {:.2} ms, max {:.2} ms",
            tally.enrollments(),
            self.elapsed.as_secs_f64(),
            tally.failed(),
            self.rate_per_s(),
            tally.quantile_ms(0.5),
            tally.quantile_ms(0.9),
            tally.quantile_ms(0.99),
            tally.quantile_ms(1.0),
        )
    }
}

pub(super) fn print(outcome: &Outcome, arguments: &BenchArguments) -> Result<(), Failure> {
    if outcome.has_run_out {
        note(&format!(
            "all {} prepared requests were used up after {:.2} s: --prepare makes more",
            outcome.prepared,
            outcome.elapsed.as_secs_f64()
        ));
    }
    if let Some(limited) = outcome.tally.failures.get(&Kind::Status(429)) {
        note(&format!(
            "{limited} requests were over the server's limit for one client: raise limits.principal_requests_per_second for the time \
             of the measurement"
        ));
    }
    if arguments.json {
        say(&outcome.to_json(arguments.concurrency, arguments.new_connections).to_string())
    } else {
        say(&outcome.to_text())
    }
}

fn round(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_what_was_counted() {
        let mut tally = Tally::new();
        for latency_ms in 1..=100 {
            tally.count(Ok(Duration::from_millis(latency_ms)));
        }
        let mut other = Tally::new();
        other.count(Err(Kind::Status(401)));
        other.count(Err(Kind::Word("timeout")));
        other.count(Err(Kind::Status(401)));
        tally.add(&other);
        let outcome = Outcome { tally, elapsed: Duration::from_secs(4), has_run_out: false, prepared: 200 };
        let json = outcome.to_json(32, false);
        assert_eq!(json["enrollments"], 100);
        assert_eq!(json["failures"], json!({ "401": 2, "timeout": 1, "total": 3 }));
        assert_eq!(json["rate_per_s"], 25.0);
        let near = |key: &str, expected_ms: f64| {
            let latency_ms = json["latency_ms"][key].as_f64().unwrap_or_default();
            assert!((latency_ms / expected_ms - 1.0).abs() < 0.01, "{key}: {latency_ms}");
        };
        near("p50", 50.0);
        near("p90", 90.0);
        near("p99", 99.0);
        near("max", 100.0);
        assert!(outcome.to_text().contains("failures     3 (401: 2, timeout: 1)"), "{}", outcome.to_text());
    }
}
