//! What is written to standard error.

use super::Absent::Default;
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
        key("format", "`\"text\"` or `\"json\"`", Default(r#""text""#), "In lines for people, or for programs.")
            .also(&["style", "log_format"]),
    ],
    later: &[],
};
