//! What is written to standard error.

use super::Absent::{Default, Means};
use super::{Section, key};

pub(in crate::config) static LOG: Section = Section {
    name: "log",
    repeated: false,
    about: "What is written to standard error.",
    keys: &[
        key(
            "level",
            "`\"error\"`, `\"warn\"`, `\"info\"`, `\"debug\"` or `\"trace\"`",
            Default(r#""info""#),
            "How much.",
        )
        .also(&["verbosity", "log_level"]),
        key(
            "format",
            "`\"text\"` or `\"json\"`",
            Default(r#""text""#),
            "`text` is logfmt: `key=value` pairs, one event on each line. `json` is an object on each line.",
        )
        .also(&["style", "log_format"]),
        key(
            "otlp_endpoint",
            "URL",
            Means("no spans"),
            "The OpenTelemetry collector that gets a span of each request and its steps, by OTLP over HTTP: \
             `http://127.0.0.1:4318`. Only in an `estd` that was built with the feature `otel`.",
        )
        .also(&["otlp", "otel", "otel_endpoint", "otlp_url"]),
    ],
    later: &[],
};
